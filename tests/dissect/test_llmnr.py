from __future__ import annotations

import pytest
from scapy.layers.dns import DNS, DNSQR, DNSRR

from medwarden.dissect.llmnr import Llmnr
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport


def _facts(message: DNS) -> list[tuple[str, str]]:
    segment = Segment(
        5, 1, Transport.UDP, "02:00:00:00:00:10", "01:00:5e:00:00:fc", "192.0.2.10", "224.0.0.252", 50000,
        5355, None, True, bytes(message),
    )  # fmt: skip
    return [(fact.field, fact.value) for fact in Llmnr().feed(segment)]


def test_a_response_without_answer_owns_nothing() -> None:
    assert _facts(DNS(qr=1, rd=0, qd=DNSQR(qname="CT1"))) == []
    answer = DNSRR(rrname="CT1", rdata="192.0.2.10")
    assert _facts(DNS(qr=1, rd=0, qd=DNSQR(qname="CT1"), an=answer)) == [("llmnr.host_name", "ct1")]


def test_reverse_queries_say_nothing() -> None:
    assert _facts(DNS(rd=0, qd=DNSQR(qname="1.2.0.192.in-addr.arpa", qtype="PTR"))) == []


def test_other_operations_are_malformed() -> None:
    with pytest.raises(MalformedInput, match="one question"):
        _facts(DNS(opcode=5, rd=0, qd=DNSQR(qname="CT1")))
