"""NTP: who serves time, who asks for it, and what a daemon tells about its system.

RFC 5905 section 7.3 (modes 1 to 5) and RFC 9327 (mode 6 control messages, whose system variables name
daemon, processor and operating system).
"""

from __future__ import annotations

from struct import Struct
from typing import ClassVar

from medwarden.dissect.octets import ipv4_text, printable
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "ntp"

_SYMMETRIC_ACTIVE, _SYMMETRIC_PASSIVE, _CLIENT, _SERVER, _BROADCAST, _CONTROL, _PRIVATE = range(1, 8)
_LENGTH = 48
_CONTROL_HEADER = Struct("!BBHHHHH")
_READ_VARIABLES = 2
_VARIABLES = {"version": "ntp.daemon", "processor": "ntp.processor", "system": "ntp.system"}


class Ntp:
    """State roles, versions, stratum and reference of time keepers."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="NTP",
        transports=(Transport.UDP,),
        reference="RFC 5905, RFC 9327",
        ports=(123,),
        volatile=((2, 12), (16, 48)),
        fields=("ntp.role", "ntp.version", "ntp.stratum", "ntp.reference_id", *_VARIABLES.values()),
    )

    def __init__(self) -> None:
        """Keep nothing: every datagram stands alone."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - the mode says which side
        """Tell whether ``payload`` is an NTP packet of version 1 to 4 and of the length of its mode."""
        if len(payload) < 12 or not 1 <= payload[0] >> 3 & 7 <= 4:
            return False
        mode = payload[0] & 7
        return mode == _CONTROL or (1 <= mode <= 5 and len(payload) >= _LENGTH and payload[1] <= 16)

    def feed(self, segment: Segment) -> list[Evidence]:
        """Return the facts of one packet; raises MalformedInput when it is short or of no known version."""
        payload = segment.payload
        if not payload:
            raise MalformedInput(SOURCE, "packet is empty", 0)
        version, mode = payload[0] >> 3 & 7, payload[0] & 7
        if not 1 <= version <= 4 or mode == 0:
            raise MalformedInput(SOURCE, f"version {version}, mode {mode}", 0)
        if mode == _CONTROL:
            return _control(segment)
        if mode == _PRIVATE:
            return []
        if len(payload) < _LENGTH:
            raise MalformedInput(SOURCE, "packet is shorter than its header", len(payload))
        role = "client" if mode == _CLIENT else "server" if mode in (_SERVER, _BROADCAST) else "peer"
        facts = [segment.said("ntp.role", role, SOURCE), segment.said("ntp.version", str(version), SOURCE)]
        stratum = payload[1]
        if mode != _CLIENT and 0 < stratum < 16:
            facts.append(segment.said("ntp.stratum", str(stratum), SOURCE))
            reference = payload[12:16]
            # Stratum 1 names its clock in ASCII, others the IPv4 address of their source (RFC 5905 7.3).
            text = printable(reference.rstrip(b"\0")) if stratum == 1 else ipv4_text(reference)
            if text:
                facts.append(segment.said("ntp.reference_id", text, SOURCE))
        return facts


def _control(segment: Segment) -> list[Evidence]:
    """Return the system variables of a control response that starts at offset 0 (RFC 9327 2 and 4)."""
    payload = segment.payload
    if len(payload) < 12:
        raise MalformedInput(SOURCE, "control message is shorter than its header", len(payload))
    _, flags, _, _, association, offset, count = _CONTROL_HEADER.unpack_from(payload)
    if 12 + count > len(payload):
        raise MalformedInput(SOURCE, "control data overrun the packet", 10)
    if not flags & 0x80 or flags & 0x5F != _READ_VARIABLES or association or offset:
        return []
    facts = [segment.said("ntp.role", "server", SOURCE)]
    text = printable(payload[12 : 12 + count])
    for name, field in _VARIABLES.items():
        _, found, rest = text.partition(f'{name}="')
        value, closed, _ = rest.partition('"')
        value = value.strip()
        if found and closed and value:
            facts.append(segment.said(field, value, SOURCE))
    return facts


DISSECTOR = Ntp
