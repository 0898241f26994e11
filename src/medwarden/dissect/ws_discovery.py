"""WS-Discovery: types, scopes and addresses of printers, cameras, Windows hosts and medical devices.

OASIS WS-Discovery 1.1 (2009/01) and its 2005/04 draft over SOAP-over-UDP; IEEE 11073-20702 (MDPWS) and
11073-20701 (SDC) use it unchanged. Types are QNames: well-known namespaces come out under their usual
prefix (``dpws:Device mdpws:MedicalDevice``), whatever the sender bound them to. Scopes that name a
patient, encounter, workflow or operator (11073-20701 9.4) are dropped here.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address
from typing import ClassVar
from urllib.parse import unquote

from medwarden.dissect import sdc_scopes
from medwarden.dissect.xml_elements import Element, xml_elements
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence, clean
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "wsd"

_NAMESPACES = frozenset(
    {
        "http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01",
        "http://schemas.xmlsoap.org/ws/2005/04/discovery",
        "http://schemas.xmlsoap.org/ws/2004/10/discovery",
    }
)
_PREFIXES = {
    "http://docs.oasis-open.org/ws-dd/ns/dpws/2009/01": "dpws",
    "http://schemas.xmlsoap.org/ws/2006/02/devprof": "dpws",
    "http://standards.ieee.org/downloads/11073/11073-20702-2016": "mdpws",
    "http://standards.ieee.org/downloads/11073/11073-20702-201x": "mdpws",
    "http://standards.ieee.org/downloads/11073/11073-20701-2018": "sdc",
    "http://schemas.microsoft.com/windows/pub/2005/07": "pub",
    "http://schemas.microsoft.com/windows/pnpx/2005/10": "pnpx",
    "http://schemas.microsoft.com/windows/2006/08/wdp/print": "wprt",
    "http://schemas.microsoft.com/windows/2006/08/wdp/scan": "wscn",
    "http://www.onvif.org/ver10/network/wsdl": "dn",
    "http://www.onvif.org/ver10/device/wsdl": "tds",
}
_PATIENT_SCOPES = ("sdc.ctxt.pat", "sdc.ctxt.enc", "sdc.ctxt.wfl", "sdc.ctxt.opr", "sdc.ctxt.ens")
_XADDR_HOST = re.compile(r"https?://(\d{1,3}(?:\.\d{1,3}){3})(?=[:/]|\Z)")
_STATEMENTS = frozenset({"Hello", "Bye", "ProbeMatch", "ResolveMatch"})
_MAX_ITEMS = 32


class WsDiscovery:
    """State what a target service is and where it is reached, and what clients probe for."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="WS-Discovery",
        transports=(Transport.UDP,),
        reference="OASIS WS-Discovery 1.1",
        ports=(3702,),
        starts=(b"<",),
        fields=(
            *("wsd.types", "wsd.scopes", "wsd.xaddrs", "wsd.endpoint", "wsd.probe"),
            *sdc_scopes.FIELDS,
        ),
    )

    def __init__(self) -> None:
        """Keep nothing: every datagram is a whole envelope."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - both sides may start
        """Tell whether ``payload`` is XML that mentions a WS-Discovery namespace."""
        return (
            payload[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and b"/discovery" in payload[:4096]
        )

    def feed(self, segment: Segment) -> list[Evidence]:
        """Return the facts of one envelope.

        Raises MalformedInput when it is not well-formed XML or has a document type declaration.
        """
        facts: dict[Evidence, None] = {}
        statement: list[Element] = []
        depth = 0
        for element in xml_elements(segment.payload, SOURCE):
            if statement and len(element.path) > depth:
                statement.append(element)
                continue
            facts |= dict.fromkeys(_facts(segment, statement))
            statement, depth = [], 0
            local = element.path[-1]
            if element.namespace in _NAMESPACES and (local in _STATEMENTS or local == "Probe"):
                statement, depth = [element], len(element.path)
        facts |= dict.fromkeys(_facts(segment, statement))
        return list(facts)


def _facts(segment: Segment, statement: list[Element]) -> list[Evidence]:
    """Return the facts of one Hello, Bye, match or Probe: its element and all within it."""
    if not statement:
        return []
    kind, depth = statement[0].path[-1], len(statement[0].path)
    types, endpoint = "", ""
    scopes: list[str] = []
    addresses: list[str] = []
    for element in statement[1:]:
        local = element.path[-1]
        inside = len(element.path) - depth
        if inside == 2 and local == "Address" and element.path[-2] == "EndpointReference":
            endpoint = clean(element.text)
        elif inside != 1 or element.namespace not in _NAMESPACES:
            continue
        elif local == "Types":
            types = " ".join(_qname(name, element.prefixes) for name in element.text.split()[:_MAX_ITEMS])
        elif local == "Scopes":
            scopes = [s for s in element.text.split()[:_MAX_ITEMS] if not names_a_person(s)]
        elif local == "XAddrs":
            addresses = element.text.split()[:_MAX_ITEMS]
    if kind == "Probe":
        return [segment.said("wsd.probe", text, SOURCE)] if (text := clean(types)) else []
    mac, ip = _speaker(segment, addresses)
    stated = [
        ("wsd.endpoint", endpoint),
        ("wsd.types", types),
        *(("wsd.scopes", _as_meant(scope)) for scope in scopes),
        *(fact for scope in scopes for fact in sdc_scopes.facts_of_scope(scope)),
        *(("wsd.xaddrs", address) for address in addresses),
    ]
    return [
        Evidence(segment.ts_ns, mac, ip, segment.vlan, field, text, SOURCE)
        for field, value in stated
        if (text := clean(value))
    ]


def names_a_person(scope: str) -> bool:
    """Tell whether an SDC scope names a patient, encounter, workflow, operator or their group."""
    return scope.strip().lower().startswith(_PATIENT_SCOPES)


def _as_meant(scope: str) -> str:
    """Return a scope of ONVIF with its percent-encoding taken away (RFC 3986; Core Specification 7.3.2).

    Scopes of others are left: where one lists places of a hospital, an encoded slash is part of a name.
    """
    return unquote(scope) if scope.startswith("onvif://") else scope


def _qname(name: str, prefixes: dict[str, str]) -> str:
    prefix, colon, local = name.rpartition(":")
    known = _PREFIXES.get(prefixes.get(prefix, "").rstrip("/"))
    if known is not None:
        return f"{known}:{local}"
    return name if colon else local


def _speaker(segment: Segment, addresses: list[str]) -> tuple[str | None, str | None]:
    """Return whom the statement is about: a discovery proxy answers for other addresses than its own."""
    sender = segment.src_ip
    hosts = [match[1] for address in addresses if (match := _XADDR_HOST.match(address))]
    if sender is None or ":" in sender or not hosts or sender in hosts:
        return segment.src_mac, sender
    try:
        return None, str(IPv4Address(hosts[0]))
    except AddressValueError as error:
        raise MalformedInput(SOURCE, "transport address is no IPv4 address", None) from error


DISSECTOR = WsDiscovery
