"""SSDP: what UPnP devices announce, and what control points look for.

UPnP Device Architecture 2.0, section 1: HTTP/1.1 header blocks in single datagrams. A device states
what it is in NOTIFY (``nt``) and in responses (``st``); the ``st`` of an M-SEARCH is what somebody
looks for and is kept apart as ``ssdp.search``.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.octets import printable
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "ssdp"

_NOTIFY, _SEARCH, _RESPONSE = b"NOTIFY ", b"M-SEARCH ", b"HTTP/1."
_MAX_LINES = 64
_DEVICE_HEADERS = {
    b"server": "ssdp.server",
    b"usn": "ssdp.usn",
    b"location": "ssdp.location",
    b"nt": "ssdp.nt",
    b"st": "ssdp.st",
    b"x-user-agent": "ssdp.x_user_agent",
    b"hue-bridgeid": "ssdp.hue_bridgeid",
}
_SEARCH_HEADERS = {
    b"st": "ssdp.search",
    b"user-agent": "ssdp.user_agent",
    b"server": "ssdp.server",
    b"x-user-agent": "ssdp.x_user_agent",
    b"cpfn.upnp.org": "ssdp.friendly_name",
}


class Ssdp:
    """State device types, server strings and description URLs, and searches."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="SSDP (UPnP discovery)",
        transports=(Transport.UDP,),
        reference="UPnP Device Architecture 2.0",
        ports=(1900,),
        starts=(_NOTIFY, _SEARCH, _RESPONSE),
        fields=tuple(dict.fromkeys((*_DEVICE_HEADERS.values(), *_SEARCH_HEADERS.values()))),
    )

    def __init__(self) -> None:
        """Keep nothing: every datagram stands alone."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - both sides may start
        """Tell whether ``payload`` is a NOTIFY, an M-SEARCH or a response that names a target or USN."""
        if payload.startswith((_NOTIFY, _SEARCH)):
            return True
        if not payload.startswith(_RESPONSE):
            return False
        head = payload[:2048].lower()
        return b"\nst:" in head or b"\nusn:" in head

    def feed(self, segment: Segment) -> list[Evidence]:
        """Return the facts of one datagram; raises MalformedInput when it has no SSDP start line."""
        lines = segment.payload[:8192].split(b"\n", _MAX_LINES)
        start = lines[0]
        if start.startswith(_SEARCH):
            headers = _SEARCH_HEADERS
        elif start.startswith(_NOTIFY) or (start.startswith(_RESPONSE) and b" 200" in start[:16]):
            headers = _DEVICE_HEADERS
        else:
            raise MalformedInput(SOURCE, "no NOTIFY, M-SEARCH or 200 response", 0)
        facts: list[Evidence] = []
        for line in lines[1:_MAX_LINES]:
            name, colon, value = line.partition(b":")
            if not colon:
                if line.strip():
                    continue
                break
            field = headers.get(name.strip().lower())
            if field is not None and (text := printable(value)):
                facts.append(segment.said(field, text, SOURCE))
        return facts


DISSECTOR = Ssdp
