"""Exports that describe their own records: what NetFlow 9 and IPFIX have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct

from medwarden.kernel.clock import NANOSECONDS
from medwarden.kernel.errors import MalformedInput
from medwarden.model.log_source import LogSetting
from medwarden.sensors.logs.flow_elements import ExportContext, facts_of, flow_of
from medwarden.sensors.logs.flow_export import MOST_SOURCES, FlowExport
from medwarden.sensors.logs.templates import (
    Element,
    FieldSpecifier,
    Held,
    Template,
    TemplateCache,
    make_template,
    records,
)

TEMPLATE_LIFETIME_NS = 3 * 1800 * NANOSECONDS
"""How long a template is believed over UDP: three times the usual refresh interval (RFC 7011 10.3.6)."""
_SET = Struct("!HH")
FIRST_DATA_SET = 256


class TemplatedExport(FlowExport):
    """One exporter whose templates say what its records look like."""

    def __init__(self, name: str, setting: LogSetting) -> None:
        super().__init__(name, setting)
        self.templates = TemplateCache()
        self._contexts: dict[int, ExportContext] = {}

    def _context(self, domain: int) -> ExportContext:
        context = self._contexts.get(domain)
        if context is None:
            if len(self._contexts) >= MOST_SOURCES:
                del self._contexts[next(iter(self._contexts))]
            context = self._contexts[domain] = ExportContext()
        return context

    def _sets(self, octets: bytes, at: int, end: int) -> Sequence[tuple[int, int, int]]:
        """Return the sets of a message as (id, start, end). Raises MalformedInput where one overruns it."""
        source = self.manifest.name
        sets: list[tuple[int, int, int]] = []
        while end - at >= _SET.size:
            number, length = _SET.unpack_from(octets, at)
            if number == 0 and length == 0 and not any(octets[at:end]):
                break  # exporters that pad the message
            if length < _SET.size:
                raise MalformedInput(source, f"set of {length} octets is shorter than its header", at)
            if at + length > end:
                raise MalformedInput(source, "set overruns its message", at)
            sets.append((number, at + _SET.size, at + length))
            at += length
        return sets

    def _data(
        self, domain: int, number: int, octets: bytes, base: int, uptime: int | None, exported: int
    ) -> int:
        """Take the data set ``octets`` in, or hold it for its template; return the records in it."""
        oldest = None
        if not self.lasting and self.heard_ns is not None:
            oldest = self.heard_ns - TEMPLATE_LIFETIME_NS
        template = self.templates.get(domain, number, oldest)
        if template is None:
            gone = self.templates.hold(domain, number, Held(octets, base, uptime, base - exported))
            if gone:
                self._gathered.dropped("data before its template", gone)
            return 0
        return self._records(domain, template, octets, base, uptime, base - exported)

    def _records(
        self, domain: int, template: Template, octets: bytes, base: int, uptime: int | None, skew: int
    ) -> int:
        context = self._context(domain)
        elements = template.elements
        taken = 0
        try:
            for row in records(template, octets, 0, len(octets), self.manifest.name):
                values = dict(zip(elements, row, strict=True))
                taken += 1
                if template.scopes:
                    self._learn(context, values, base)
                else:
                    self._tell(values, base, uptime, skew, context)
        finally:
            self._gathered.parsed(base, taken)
        return taken

    def _learn(self, context: ExportContext, values: Mapping[Element, object], base: int) -> None:
        sampling = context.learn(values)
        if sampling is not None:
            self.say("flow.sampling", sampling, base)

    def _tell(
        self,
        values: Mapping[Element, object],
        base: int,
        uptime: int | None,
        skew: int,
        context: ExportContext,
    ) -> None:
        record = flow_of(values, base, uptime, skew, context)
        if record is None:
            return
        moment = record.start_ns
        facts_of(values, record, lambda ip, field, value: self._gathered.fact(moment, None, ip, field, value))
        self._folder.add(record)

    def _put(
        self, domain: int, number: int, fields: Sequence[FieldSpecifier], scopes: int, base: int
    ) -> None:
        """Keep a template, and read what waited for it."""
        if number < FIRST_DATA_SET:
            raise MalformedInput(self.manifest.name, f"template number {number} is reserved")
        since = base if self.heard_ns is None else self.heard_ns
        template = make_template(fields, scopes, since, self.manifest.name)
        self.templates.put(domain, number, template)
        for held in self.templates.release(domain, number):
            self._records(domain, template, held.octets, held.base_ns, held.uptime, held.skew_ns)

    def _end(self) -> None:
        if gone := self.templates.abandon():
            self._gathered.dropped("data without a template", gone)
