from __future__ import annotations

import pytest

from medwarden.dissect.ws_discovery import WsDiscovery, names_a_person
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment, Transport

DRAFT = "http://schemas.xmlsoap.org/ws/2005/04/discovery"


def _facts(body: str, ip: str = "192.0.2.10", discovery: str = DRAFT) -> list[Evidence]:
    namespaces = f'xmlns:e="urn:e" xmlns:d="{discovery}" xmlns:a="urn:a"'
    document = f"<e:Envelope {namespaces}><e:Body>{body}</e:Body></e:Envelope>"
    segment = Segment(
        5, 1, Transport.UDP, "02:00:00:00:00:10", None, ip, "239.255.255.250", 50000, 3702, None, True,
        document.encode(),
    )  # fmt: skip
    return WsDiscovery().feed(segment)


def _match(uuid: str, types: str, address: str) -> str:
    return (
        f"<d:ProbeMatch><a:EndpointReference><a:Address>{uuid}</a:Address></a:EndpointReference>"
        f'<d:Types xmlns:dn="http://www.onvif.org/ver10/network/wsdl">{types}</d:Types>'
        f"<d:XAddrs>{address}</d:XAddrs></d:ProbeMatch>"
    )


def test_the_matches_of_a_proxy_are_told_apart() -> None:
    body = "".join(_match(f"urn:{n}", "dn:NetworkVideoTransmitter", f"http://192.0.2.{n}/") for n in (51, 52))
    facts = {(f.field, f.value, f.mac, f.ip) for f in _facts(f"<d:ProbeMatches>{body}</d:ProbeMatches>")}
    for n in (51, 52):
        ip = f"192.0.2.{n}"
        assert {("wsd.endpoint", f"urn:{n}", None, ip), ("wsd.xaddrs", f"http://{ip}/", None, ip)} <= facts
        assert ("wsd.types", "dn:NetworkVideoTransmitter", None, ip) in facts


def test_an_unknown_namespace_keeps_the_senders_prefix() -> None:
    body = '<d:Hello><d:Types xmlns:v="urn:vendor">v:Pump Plain</d:Types></d:Hello>'
    assert [(f.field, f.value) for f in _facts(body)] == [("wsd.types", "v:Pump Plain")]


def test_scopes_of_onvif_are_read_as_meant_and_places_stay_as_they_are() -> None:
    scopes = "onvif://www.onvif.org/hardware/AXIS%20M3045-V sdc.ctxt.loc:/root/HOSP%2FICU%2FBed4?fac=HOSP"
    told = [
        f.value
        for f in _facts(f"<d:Hello><d:Scopes>{scopes}</d:Scopes></d:Hello>")
        if f.field == "wsd.scopes"
    ]
    assert told == ["onvif://www.onvif.org/hardware/AXIS M3045-V", scopes.split()[1]]


def test_elements_of_other_namespaces_are_not_discovery() -> None:
    assert _facts("<d:Hello><d:Types>T</d:Types></d:Hello>", discovery="urn:other/discovery") == []
    assert _facts("<d:Hello><a:Types>T</a:Types></d:Hello>") == []


@pytest.mark.parametrize("ip", ["192.0.2.10", "fe80::10"])
def test_a_sender_among_its_addresses_speaks_for_itself(ip: str) -> None:
    facts = _facts(_match("urn:1", "T", "http://192.0.2.99/ http://192.0.2.10:80/"), ip)
    assert {(f.mac, f.ip) for f in facts} == {("02:00:00:00:00:10", ip)}


@pytest.mark.parametrize(
    ("scope", "named"),
    [
        ("sdc.ctxt.pat:/ward/4711", True),
        ("SDC.CTXT.ENC:/x", True),
        ("sdc.ctxt.opr:/staff/7", True),
        ("sdc.ctxt.loc:/sdc.ctxt.loc.detail/ICU", False),
        ("onvif://www.onvif.org/hardware/IPC-1", False),
    ],
)
def test_scopes_that_name_people_are_known(scope: str, named: bool) -> None:
    assert names_a_person(scope) is named
