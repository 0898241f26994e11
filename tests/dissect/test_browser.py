from __future__ import annotations

import json
from pathlib import Path

import pytest

from medwarden.dissect.browser import Browser
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment, Transport

CASE = json.loads((Path(__file__).parent / "cases" / "browser" / "host_announcement.json").read_text())
ANNOUNCEMENT = bytes.fromhex("".join(CASE["segments"][0]["hex"]))


def _segment(payload: bytes, src_ip: str = "192.0.2.10") -> Segment:
    return Segment(
        5, 1, Transport.UDP, "02:00:00:00:00:10", "ff:ff:ff:ff:ff:ff", src_ip, "192.0.2.255", 138, 138, None,
        True, payload,
    )  # fmt: skip


def _facts(payload: bytes, src_ip: str = "192.0.2.10") -> list[Evidence]:
    return list(Browser().feed(_segment(payload, src_ip)))


def test_the_address_in_the_datagram_outranks_a_relays() -> None:
    assert {(f.mac, f.ip) for f in _facts(ANNOUNCEMENT, "192.0.2.254")} == {(None, "192.0.2.10")}


def test_other_mailslots_tell_the_name_alone() -> None:
    logon = ANNOUNCEMENT.replace(b"\\MAILSLOT\\BROWSE", b"\\MAILSLOT\\LOGONX")
    assert [f.field for f in _facts(logon)] == ["browser.name"]


def test_other_datagrams_say_nothing() -> None:
    assert _facts(b"\x13" + ANNOUNCEMENT[1:]) == []


def test_an_announcement_cut_short_is_malformed_after_the_name() -> None:
    body = ANNOUNCEMENT.index(b"\\MAILSLOT\\BROWSE\0") + 17
    facts: list[Evidence] = []
    with pytest.raises(MalformedInput, match="announcement"):
        facts.extend(Browser().feed(_segment(ANNOUNCEMENT[: body + 20])))
    assert [fact.field for fact in facts] == ["browser.name"]
