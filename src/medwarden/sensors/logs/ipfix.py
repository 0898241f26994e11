"""IPFIX: flow records over UDP, over TCP, and in files.

RFC 7011 (messages), RFC 7012 (elements), RFC 5103 (both directions in one record), RFC 5655 (files are
messages one after another), RFC 6313 (structured data is skipped whole: its length is told). Sequence
numbers count the data records of an observation domain.
"""

from __future__ import annotations

from struct import Struct
from typing import ClassVar

from medwarden.kernel.clock import NANOSECONDS
from medwarden.kernel.errors import MalformedInput
from medwarden.model.log_source import Framing, LogManifest, Tells
from medwarden.sensors.logs.flow_elements import ELEMENT_FIELDS
from medwarden.sensors.logs.flow_export import EXPORT_FIELDS
from medwarden.sensors.logs.templated_export import FIRST_DATA_SET, TemplatedExport
from medwarden.sensors.logs.templates import MOST_FIELDS, FieldSpecifier

_HEADER = Struct("!HHIII")
_PAIR = Struct("!HH")
_TRIPLE = Struct("!HHH")
_ENTERPRISE = Struct("!I")
_TEMPLATES, _OPTIONS = 2, 3


class Ipfix(TemplatedExport):
    """Flows of one IPFIX exporter, connection or file."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="ipfix",
        title="IPFIX",
        reference="RFC 7011, RFC 7012, RFC 5103, RFC 5655",
        framing=Framing.DATAGRAMS,
        fields=(*EXPORT_FIELDS, *ELEMENT_FIELDS),
        tells=frozenset(
            {Tells.PEERS, Tells.VOLUME, Tells.SERVICES, Tells.APPLICATION, Tells.HARDWARE_ADDRESS}
        ),
        ports=(4739,),
    )

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether ``head`` begins with an IPFIX message whose first set is plausible."""
        if len(head) < _HEADER.size + 4 or head[:2] != b"\0\x0a":
            return False
        number, length = _PAIR.unpack_from(head, _HEADER.size)
        return int.from_bytes(head[2:4], "big") >= _HEADER.size + length and (
            length >= 4 and (number in (2, 3) or number >= FIRST_DATA_SET)
        )

    @staticmethod
    def message_length(head: bytes) -> int | None:
        """Return the length of the message that a stream or file goes on with; None: more octets are needed.

        Raises MalformedInput where no message begins.
        """
        if len(head) < 4:
            return None
        version, length = _PAIR.unpack_from(head)
        if version != 10:
            raise MalformedInput("ipfix", f"version {version} is not 10", 0)
        if length < _HEADER.size:
            raise MalformedInput("ipfix", f"message of {length} octets is shorter than its header", 2)
        return int(length)

    def _message(self, octets: bytes) -> int:
        length = self.message_length(octets)
        if length is None or len(octets) < _HEADER.size:
            raise MalformedInput("ipfix", "message is shorter than its header", len(octets))
        if length > len(octets):
            raise MalformedInput("ipfix", "message is cut short", len(octets))
        _version, _length, seconds, number, domain = _HEADER.unpack_from(octets)
        sets = self._sets(octets, _HEADER.size, length)
        whole = octets[:length]
        if self._sequence(domain).repeats(number, whole):
            self._gathered.parsed()
            self.tally.repeated += 1
            return length
        exported = seconds * NANOSECONDS
        base = exported + self._clock(exported)
        self.say("flow.exporter", "ipfix", base)
        taken, known = 0, True
        for kind, start, end in sets:
            if kind == _TEMPLATES:
                self._templates(domain, octets, start, end, base)
            elif kind == _OPTIONS:
                self._options(domain, octets, start, end, base)
            elif kind >= FIRST_DATA_SET:
                count = self._data(domain, kind, octets[start:end], base, None, exported)
                known = known and count > 0
                taken += count
        if known:
            self._follow(domain, number, taken)
        else:
            self._sequence(domain).restart()  # how many records it held cannot be told
        return length

    def _specifiers(self, octets: bytes, at: int, end: int, count: int) -> tuple[list[FieldSpecifier], int]:
        if count > MOST_FIELDS:
            raise MalformedInput("ipfix", f"template has {count} fields, more than {MOST_FIELDS}", at)
        fields: list[FieldSpecifier] = []
        for _ in range(count):
            if at + 4 > end:
                raise MalformedInput("ipfix", "template overruns its set", at)
            element, length = _PAIR.unpack_from(octets, at)
            at += 4
            if not element & 0x8000:
                fields.append(FieldSpecifier(element, length))
                continue
            if at + 4 > end:
                raise MalformedInput("ipfix", "template overruns its set", at)
            (enterprise,) = _ENTERPRISE.unpack_from(octets, at)
            fields.append(FieldSpecifier((enterprise, element & 0x7FFF), length))
            at += 4
        return fields, at

    def _templates(self, domain: int, octets: bytes, at: int, end: int, base: int) -> None:
        while end - at >= 4:
            number, count = _PAIR.unpack_from(octets, at)
            if number == 0:
                return  # padding
            at += 4
            if count == 0:  # RFC 7011 8.1: a withdrawal
                self.templates.withdraw(domain, None if number == _TEMPLATES else number)
                continue
            fields, at = self._specifiers(octets, at, end, count)
            self._put(domain, number, fields, 0, base)

    def _options(self, domain: int, octets: bytes, at: int, end: int, base: int) -> None:
        while end - at >= 4:
            number, count = _PAIR.unpack_from(octets, at)
            if number == 0:
                return
            if count == 0:
                at += 4
                self.templates.withdraw(domain, None if number == _OPTIONS else number, options=True)
                continue
            if end - at < _TRIPLE.size:
                raise MalformedInput("ipfix", "options template overruns its set", at)
            scopes = int.from_bytes(octets[at + 4 : at + 6], "big")
            if not 0 < scopes <= count:
                raise MalformedInput("ipfix", f"options template with {scopes} scopes of {count} fields", at)
            fields, at = self._specifiers(octets, at + _TRIPLE.size, end, count)
            self._put(domain, number, fields, scopes, base)


PARSER = Ipfix
