from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.knowledge.mds2_answers import (
    day_of,
    distinct_ports,
    numbered_note,
    ports_in,
    ports_of_table,
    referred,
    stance_of,
    systems_in,
    with_notes,
)
from medwarden.model.mds2 import Stance


@pytest.mark.parametrize(
    ("written", "stance", "remark"),
    [
        ("Yes", Stance.YES, ""),
        (" y ", Stance.YES, ""),
        ("Nein", Stance.NO, ""),
        ("No.", Stance.NO, ""),
        ("Yes, optional", Stance.YES, "optional"),
        ("No, read-only closed OS", Stance.NO, "read-only closed OS"),
        ("N/A: no default accounts", Stance.NOT_APPLICABLE, "no default accounts"),
        ("Not applicable to this device", Stance.NOT_APPLICABLE, "to this device"),
        ("Yes (AES-256)", Stance.YES, "AES-256"),
        ("Yes, see note 3", Stance.YES, "see note 3"),
        ("Yes\nNote 2", Stance.YES, "Note 2"),
        ("See Note", Stance.NOTE, "See Note"),
        ("Note 7", Stance.NOTE, "Note 7"),
        ("Yes/No", Stance.UNREADABLE, "Yes/No"),
        ("yes, no", Stance.UNREADABLE, "yes, no"),
        ("No network", Stance.UNREADABLE, "No network"),
        ("#REF!", Stance.UNREADABLE, "#REF!"),
        ("Perhaps", Stance.UNREADABLE, "Perhaps"),
        ("", Stance.EMPTY, ""),
        ("____", Stance.EMPTY, ""),
        ("Yes, No, N/A, or See Note", Stance.EMPTY, ""),
        ("Please select", Stance.EMPTY, ""),
    ],
)
def test_an_answer_is_read_with_its_remark(written: str, stance: Stance, remark: str) -> None:
    assert stance_of(written) == (stance, remark)


@given(st.text(max_size=60))
def test_nothing_of_an_unreadable_answer_is_lost(written: str) -> None:
    stance, remark = stance_of(written)
    if stance is Stance.UNREADABLE:
        assert remark == " ".join(written.split())


def test_notes_are_put_in_place_of_their_numbers() -> None:
    notes = {1: "Windows 7", 2: "by VPN"}
    assert numbered_note("Note 1: Windows 7") == (1, "Windows 7")
    assert numbered_note("A note") is None
    assert referred("see notes 1 and 2") == (1, 2) and referred("3.0") == (3,) and referred("AES-256") == ()
    assert with_notes(("1",), notes) == "Windows 7"
    assert with_notes(("see note 2, always", ""), notes) == "see note 2, always by VPN"
    assert with_notes(("Note 9",), notes) == "Note 9"


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-20", "2026-03-20"), ("2021-03-20T00:00:00", "2021-03-20"), ("25/04/2021", "2021-04-25"),
        ("03/04/2021", "2021-03-04"), ("1.2.2020", "2020-02-01"), ("20-Nov-2019", "2019-11-20"),
        ("November 5, 2019", "2019-11-05"), ("March 2021", "2021-03"), ("2019", "2019"), ("Rev 3", ""),
    ],
)  # fmt: skip
def test_days_are_read_as_makers_write_them(text: str, day: str) -> None:
    assert day_of(text) == day


def test_ports_are_read_from_words_and_numbers_alone_are_none() -> None:
    text = (
        "DICOM TCP 104, 11112; HTTPS (443/tcp), UDP ports 5000-5010 and port 22. IEC 62304 of 2020. "
        "TCP/UDP 53, version 3.2"
    )
    found = {(p.transport, p.port, p.port_to) for p in ports_in(text, "CONN-2")}
    assert found == {
        ("tcp", 104, None), ("tcp", 11112, None), ("tcp", 443, None), ("udp", 5000, 5010), ("", 22, None),
        ("tcp", 53, None), ("udp", 53, None),
    }  # fmt: skip
    assert not list(ports_in("0/tcp 99999/udp", "x"))


def test_a_table_of_ports_is_read_by_its_heading() -> None:
    rows = [
        ("row 1", ["Service", "Port", "Protocol"]),
        ("row 2", ["DICOM", "104", "TCP"]),
        ("row 3", ["Time", "123.0", "UDP"]),
        ("row 4", ["Range", "8000-8010", ""]),
    ]
    ports = distinct_ports(ports_of_table(rows))
    assert [(p.transport, p.port, p.port_to) for p in ports] == [
        ("tcp", 104, None), ("udp", 123, None), ("", 8000, 8010),
    ]  # fmt: skip
    assert ports[0].covers("tcp", 104) and not ports[0].covers("udp", 104) and ports[2].covers("udp", 8005)
    assert not list(ports_of_table([("row 1", ["nothing"]), ("row 2", ["104"])]))


def test_operating_systems_are_read_with_their_versions() -> None:
    text = "Windows 10 IoT Enterprise, Windows Server 2016, Ubuntu Linux 18.04 and VxWorks 6.9; a window 7"
    assert [(s.family, s.version) for s in systems_in(text, "14-1")] == [
        ("windows", "10"), ("windows", "server 2016"), ("linux", "18.04"), ("vxworks", "6.9"),
    ]  # fmt: skip
