from __future__ import annotations

import pytest
from scapy.layers.dns import DNS, DNSQR, DNSRR

from medwarden.dissect.dns import Dns, registrable_domain
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment, Transport

QUERY = bytes(DNS(id=1, qd=DNSQR(qname="a.example.org")))


def _segment(payload: bytes, from_client: bool = True, stream: bool = False, gap: bool = False) -> Segment:
    ends = [("02:00:00:00:00:10", "192.0.2.10", 49152), ("02:00:00:00:00:20", "192.0.2.20", 53)]
    (src_mac, src_ip, src_port), (dst_mac, dst_ip, dst_port) = ends if from_client else ends[::-1]
    return Segment(
        5, 1, Transport.TCP if stream else Transport.UDP, src_mac, dst_mac, src_ip, dst_ip, src_port,
        dst_port, None, from_client, payload, 0, gap,
    )  # fmt: skip


def _facts(segment: Segment) -> list[Evidence]:
    return list(Dns().feed(segment))


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("www.example.co.uk", "example.co.uk"),
        ("example.org", "example.org"),
        ("localhost", None),
        (" dge.example.org", None),
        ("co.uk", None),
        ("3.2.1.10.in-addr.arpa", None),
        ("", None),
    ],
)
def test_the_domain_somebody_registered(name: str, domain: str | None) -> None:
    assert registrable_domain(name) == domain


def test_facts_before_a_record_that_is_cut_short_still_count() -> None:
    answers = [DNSRR(rrname="a.example.org", rdata=f"198.51.100.{n}") for n in (1, 2)]
    payload = bytes(DNS(qr=1, qd=DNSQR(qname="a.example.org"), an=answers))[:-2]
    facts: list[Evidence] = []
    with pytest.raises(MalformedInput):
        facts.extend(Dns().feed(_segment(payload, from_client=False)))
    assert {fact.field for fact in facts} == {"dns.role"}


def test_an_answer_to_a_refused_query_names_nothing() -> None:
    answer = DNSRR(rrname="a.example.org", rdata="10.0.0.1")
    payload = bytes(DNS(qr=1, rcode=5, qd=DNSQR(qname="a.example.org"), an=answer))
    assert {fact.field for fact in _facts(_segment(payload, from_client=False))} == {"dns.role"}


def test_a_gap_ends_what_can_be_read_of_that_direction() -> None:
    dissector = Dns()
    framed = len(QUERY).to_bytes(2, "big") + QUERY
    assert len(list(dissector.feed(_segment(framed, stream=True)))) == 2
    assert list(dissector.feed(_segment(framed, stream=True, gap=True))) == []
    assert list(dissector.feed(_segment(framed, stream=True))) == []


def test_a_message_too_short_for_a_header_breaks_the_stream() -> None:
    with pytest.raises(MalformedInput, match="11 octets"):
        _facts(_segment(b"\0\x0b" + bytes(11), stream=True))


def test_recognises_both_directions_and_both_transports() -> None:
    framed = len(QUERY).to_bytes(2, "big") + QUERY
    assert Dns.recognises(QUERY, True) and Dns.recognises(framed, True)
    assert not Dns.recognises(QUERY, False)
    assert not Dns.recognises(b"GET / HTTP/1.1\r\nHost: x\r\n", True)
