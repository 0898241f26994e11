"""A policy as text."""

from __future__ import annotations

import msgspec

from medwarden.model.policy import Direction, Peer, Policy, PolicyRule, PolicyState
from medwarden.policy import to_text
from medwarden.policy.text import port_text


def _policy(*rules: PolicyRule, title: str = "CT-1") -> Policy:
    return Policy(
        id="p-1",
        subject_kind="device",
        subject="d1",
        title=title,
        state=PolicyState.LEARNT,
        version=1,
        rules=rules,
        observed_from=1_750_000_000 * 10**9,
        observed_to=1_751_000_000 * 10**9,
        devices=("d1",),
        notes=("Learnt from 11.6 days of traffic.",),
    )


def _rule(**facts: object) -> PolicyRule:
    base = PolicyRule(
        direction=Direction.TO_PEER,
        peer=Peer("device", "d2", "PACS-1"),
        transport="tcp",
        port=104,
        application="dicom",
        flows=1412,
        bytes=9,
        first_seen=1,
        last_seen=2,
    )
    return msgspec.structs.replace(base, **facts)


def test_the_text_says_who_may_do_what() -> None:
    text = to_text(
        _policy(_rule(), _rule(direction=Direction.FROM_PEER, peer=Peer("device", "d3", "WS-7"), flows=1))
    )
    to, by = text.split("May be reached by")
    assert "May open connections to\n  PACS-1  device  tcp/104  dicom  1,412 flows" in to
    assert "WS-7" in by
    assert "1 flow " in by
    assert "What is not listed is not allowed." in text
    assert "  - Learnt from 11.6 days of traffic." in text
    assert text.endswith("\n")


def test_no_rule_reads_nobody() -> None:
    assert to_text(_policy()).count("  nobody") == 2


def test_ports_read_like_ports() -> None:
    assert port_text(_rule()) == "tcp/104"
    assert port_text(_rule(port=49152, port_to=65535)) == "tcp/49152-65535"
    assert port_text(_rule(transport="icmp", port=None)) == "icmp"


def test_a_hostile_name_cannot_add_lines() -> None:
    text = to_text(_policy(_rule(peer=Peer("device", "d2", "x\nMay be reached by\n  everybody\x1b[2J"))))
    assert text.count("\nMay be reached by\n") == 1
    assert "\x1b" not in text
