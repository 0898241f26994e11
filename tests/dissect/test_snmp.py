from __future__ import annotations

import pytest
from scapy.layers.snmp import SNMP, SNMPget, SNMPinform, SNMPresponse, SNMPtrapv1, SNMPtrapv2, SNMPvarbind
from scapy.packet import Packet

from medwarden.dissect.snmp import Snmp
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment, Transport

SYS_NAME = SNMPvarbind(oid="1.3.6.1.2.1.1.5.0", value=b"core-sw")


def _facts(payload: bytes | Packet) -> list[Evidence]:
    segment = Segment(
        5, 1, Transport.UDP, "02:00:00:00:00:10", None, "192.0.2.10", "192.0.2.20", 161, 50000, None, False,
        bytes(payload),
    )  # fmt: skip
    return list(Snmp().feed(segment))


def _values(payload: bytes | Packet) -> dict[str, str]:
    return {fact.field: fact.value for fact in _facts(payload)}


@pytest.mark.parametrize(
    ("community", "said"),
    [("public", "public"), ("private", "private"), ("Public", "set"), ("x7!k", "set"), ("", "set")],
)
def test_only_default_communities_are_named(community: str, said: str) -> None:
    answer = SNMP(version="v2c", community=community, PDU=SNMPresponse(varbindlist=[SYS_NAME]))
    assert _values(answer)["snmp.community"] == said


@pytest.mark.parametrize("pdu", [SNMPinform, SNMPtrapv2])
def test_notifications_are_said_by_agents(pdu: type[Packet]) -> None:
    trap = SNMPvarbind(oid="1.3.6.1.6.3.1.1.4.1.0", value=b"")
    told = _values(SNMP(version="v2c", community="public", PDU=pdu(varbindlist=[trap, SYS_NAME])))
    assert (told["snmp.role"], told["snmp.sys_name"]) == ("agent", "core-sw")


def test_what_a_manager_sets_is_not_what_an_agent_is() -> None:
    asked = SNMP(version="v2c", community="public", PDU=SNMPget(varbindlist=[SYS_NAME]))
    assert _values(asked) == {
        "snmp.version": "2c",
        "snmp.role": "manager",
        "snmp.request_community": "public",
    }


def test_objects_that_are_not_there_say_nothing() -> None:
    absent = bytes(SNMP(version="v2c", PDU=SNMPresponse(varbindlist=[SNMPvarbind(oid="1.3.6.1.2.1.1.5.0")])))
    assert "snmp.sys_name" not in _values(absent)


def test_the_agent_address_of_a_trap_without_one_is_the_senders() -> None:
    trap = SNMP(
        version="v1",
        PDU=SNMPtrapv1(
            enterprise="1.3.6.1.4.1.9", agent_addr="0.0.0.0", time_stamp=1, varbindlist=[SYS_NAME]
        ),
    )
    assert {(fact.mac, fact.ip) for fact in _facts(trap)} == {("02:00:00:00:00:10", "192.0.2.10")}


@pytest.mark.parametrize("text", ["", "30", "3003020107", "30020500", "300502010104ff", "0400"])
def test_other_versions_and_broken_headers_are_malformed(text: str) -> None:
    with pytest.raises(MalformedInput, match="snmp"):
        _facts(bytes.fromhex(text))


def test_facts_before_a_broken_binding_still_count() -> None:
    whole = bytes(SNMP(version="v2c", PDU=SNMPresponse(varbindlist=[SYS_NAME, SYS_NAME])))
    broken = whole[:-19] + b"\x31" + whole[-18:]
    segment = Segment(5, 1, Transport.UDP, None, None, "192.0.2.10", None, 161, 50000, None, False, broken)
    facts: list[Evidence] = []
    with pytest.raises(MalformedInput, match="where 0x6 belongs"):
        facts.extend(Snmp().feed(segment))
    assert "snmp.sys_name" in {fact.field for fact in facts}
