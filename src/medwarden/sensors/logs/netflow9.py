"""NetFlow version 9: records that templates describe.

RFC 3954. The sequence number counts export packets of a source id, so that losses are known in packets.
Templates age (section 9); data sets that come before theirs are held for a while.
"""

from __future__ import annotations

from struct import Struct
from typing import ClassVar

from medwarden.kernel.clock import NANOSECONDS
from medwarden.kernel.errors import MalformedInput
from medwarden.model.log_source import Framing, LogManifest, LogSetting, Tells
from medwarden.sensors.logs.flow_elements import ELEMENT_FIELDS
from medwarden.sensors.logs.flow_export import EXPORT_FIELDS
from medwarden.sensors.logs.templated_export import FIRST_DATA_SET, TemplatedExport
from medwarden.sensors.logs.templates import FieldSpecifier

_HEADER = Struct("!HHIIII")
_TEMPLATE_HEAD = Struct("!HH")
_OPTIONS_HEAD = Struct("!HHH")
_TEMPLATES, _OPTIONS = 0, 1
_SCOPE_BASE = 0x10000
"""Scope field types (RFC 3954 6.1) have numbers of their own; they are kept apart from elements."""


class Netflow9(TemplatedExport):
    """Flows of one exporter of NetFlow version 9."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="netflow9",
        title="NetFlow version 9",
        reference="RFC 3954",
        framing=Framing.DATAGRAMS,
        fields=(*EXPORT_FIELDS, *ELEMENT_FIELDS),
        tells=frozenset(
            {Tells.PEERS, Tells.VOLUME, Tells.SERVICES, Tells.APPLICATION, Tells.HARDWARE_ADDRESS}
        ),
        ports=(2055, 9555, 9995, 9996),
    )

    def __init__(self, name: str, setting: LogSetting) -> None:
        super().__init__(name, setting)
        self._boots: dict[int, int] = {}

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether ``head`` begins with a version 9 header and a set that could follow it."""
        if len(head) < _HEADER.size + 4 or head[:2] != b"\0\x09":
            return False
        number, length = _TEMPLATE_HEAD.unpack_from(head, _HEADER.size)
        return (
            0 < int.from_bytes(head[2:4], "big") < 4096 and length >= 4 and (number in (0, 1) or number > 255)
        )

    def _message(self, octets: bytes) -> int:
        if len(octets) < _HEADER.size:
            raise MalformedInput("netflow9", "datagram is shorter than its header", len(octets))
        version, _count, uptime, seconds, number, domain = _HEADER.unpack_from(octets)
        if version != 9:
            raise MalformedInput("netflow9", f"version {version} is not 9", 0)
        sets = self._sets(octets, _HEADER.size, len(octets))
        exported = seconds * NANOSECONDS
        boot = seconds * 1000 - uptime
        if boot - self._boots.get(domain, boot) > 60_000:
            self._sequence(domain).restart()  # RFC 3954 5.1: a rebooted exporter counts anew
        if domain in self._boots or len(self._boots) < 1024:
            self._boots[domain] = boot
        if self._sequence(domain).repeats(number, octets):
            self._gathered.parsed(count=1)
            self.tally.repeated += 1
            return len(octets)
        self._follow(domain, number, 1)
        base = exported + self._clock(exported)
        self.say("flow.exporter", "netflow9", base)
        for kind, start, end in sets:
            if kind == _TEMPLATES:
                self._templates(domain, octets, start, end, base)
            elif kind == _OPTIONS:
                self._options(domain, octets, start, end, base)
            elif kind >= FIRST_DATA_SET:
                self._data(domain, kind, octets[start:end], base, uptime, exported)
        return len(octets)

    def _templates(self, domain: int, octets: bytes, at: int, end: int, base: int) -> None:
        while end - at >= 4:
            number, count = _TEMPLATE_HEAD.unpack_from(octets, at)
            if number == 0 and count == 0:
                return  # padding
            at += 4
            if at + 4 * count > end:
                raise MalformedInput("netflow9", "template overruns its set", at)
            fields = [FieldSpecifier(*_TEMPLATE_HEAD.unpack_from(octets, at + 4 * i)) for i in range(count)]
            at += 4 * count
            self._put(domain, number, fields, 0, base)

    def _options(self, domain: int, octets: bytes, at: int, end: int, base: int) -> None:
        while end - at >= _OPTIONS_HEAD.size:
            number, scope_octets, option_octets = _OPTIONS_HEAD.unpack_from(octets, at)
            if number == 0:
                return
            at += _OPTIONS_HEAD.size
            if scope_octets % 4 or option_octets % 4 or at + scope_octets + option_octets > end:
                raise MalformedInput("netflow9", "options template overruns its set", at)
            scopes = scope_octets // 4
            fields = []
            for i in range((scope_octets + option_octets) // 4):
                element, length = _TEMPLATE_HEAD.unpack_from(octets, at + 4 * i)
                fields.append(FieldSpecifier(element + _SCOPE_BASE if i < scopes else element, length))
            at += scope_octets + option_octets
            self._put(domain, number, fields, max(1, scopes), base)


PARSER = Netflow9
