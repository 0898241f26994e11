"""A WS-Discovery Probe sent to one address: what kind of device it is, and where its description lies.

WS-Discovery of April 2005, sections 5.2 and 5.3, the version that printers, cameras and Windows hosts speak;
IEEE 11073 SDC devices speak that of 2009 and need not answer: they announce themselves. No types are named.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Transport
from medwarden.sensors.active.exchange import Exchange
from medwarden.sensors.active.prober import ProbeManifest, ProbeSetting

_PROBE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:a="{addressing}" xmlns:d="{discovery}">'
    "<s:Header><a:Action>{discovery}/Probe</a:Action><a:MessageID>urn:uuid:{number}</a:MessageID>"
    "<a:To>{everybody}</a:To></s:Header><s:Body><d:Probe/></s:Body></s:Envelope>"
)
_OF_2005 = {
    "addressing": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "discovery": "http://schemas.xmlsoap.org/ws/2005/04/discovery",
    "everybody": "urn:schemas-xmlsoap-org:ws:2005:04:discovery",
}


class WsDiscoveryProbe:
    """Ask one device for its types and scopes."""

    manifest: ClassVar = ProbeManifest(
        name="ws_discovery_probe",
        title="WS-Discovery Probe",
        transport=Transport.UDP,
        port=3702,
        dissector="wsd",
        reference="WS-Discovery (April 2005) sections 5.2, 5.3",
        asks="one Probe for any type",
    )

    def missing(self, setting: ProbeSetting) -> str:
        """Need nothing."""
        del setting
        return ""

    def converse(self, line: Exchange, setting: ProbeSetting) -> None:
        """Send one Probe and hear one answer."""
        del setting
        line.say(message())
        line.hear(_matches)


def message() -> bytes:
    """Return a Probe with a number of its own."""
    return _PROBE.format(number=uuid.uuid4(), **_OF_2005).encode()


def _matches(heard: bytes) -> bool:
    if b"ProbeMatches" not in heard:
        raise MalformedInput("ws_discovery_probe", "the datagram is no ProbeMatches", 0)
    return True


PROBER = WsDiscoveryProbe
