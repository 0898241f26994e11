"""The registry of AE titles and HL7 applications, and the disputes over them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.clinical_peers import (
    SETTLED_NS,
    ClinicalPeers,
    ConflictKind,
    NameKind,
    registry_of,
)
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry

DAY = SETTLED_NS
Said = tuple[str, str, int, int]


def device(name: str, *facts: Said, category: str | None = None) -> Device:
    ledger = tuple(LedgerEntry("dicom", f, value, "s", first, last, 2) for f, value, first, last in facts)
    return Device(name, "site", ips=(f"10.0.0.{len(name)}",), names=(name,), ledger=ledger, category=category)


def title(value: str, first: int = 0, last: int = DAY) -> Said:
    return ("dicom.ae_title", value, first, last)


def called(value: str) -> Said:
    return ("dicom.called_ae_title", value, 5, 6)


def kinds(peers: ClinicalPeers) -> list[tuple[ConflictKind, str, tuple[str, ...]]]:
    return [(c.kind, c.name, c.devices) for c in peers.conflicts]


def test_healthy_house_has_names_and_no_conflict() -> None:
    peers = registry_of(
        [
            device("ct", title("CT1"), ("dicom.role", "storage_scu", 0, 1)),
            device("pacs", title("ARCHIVE"), called("ARCHIVE"), ("dicom.role", "storage_scp", 0, 1)),
            device("his", ("hl7.sending_application", "ADT1", 0, 1), ("hl7.sending_facility", "HOSP", 0, 1)),
            device("ehr", ("hl7.receiving_application", "EHR", 0, 1)),
        ]
    )
    assert peers.conflicts == ()
    archive = next(t for t in peers.titles if t.name == "ARCHIVE")
    assert [(u.device, u.claimed, u.roles, u.count) for u in archive.uses] == [
        ("pacs", True, ("storage_scp",), 2)
    ]
    application = next(t for t in peers.titles if t.name == "ADT1")
    assert (application.kind, application.facilities) == (NameKind.HL7_APPLICATION, ("HOSP",))
    assert [t.name for t in peers.of_device("ct")] == ["CT1"]


def test_two_devices_with_one_title_at_a_time_share_it() -> None:
    peers = registry_of([device("ct-a", title("CT1", 0, 100)), device("ct-b", title("CT1", 50, 150))])
    assert kinds(peers) == [(ConflictKind.SHARED, "CT1", ("ct-a", "ct-b"))]
    assert peers.conflicts[0].since == 50
    assert "ct-a and ct-b both use CT1" in peers.conflicts[0].sentence


def test_title_used_first_here_then_there_moved() -> None:
    peers = registry_of([device("new", title("CT1", 200, 300)), device("old", title("CT1", 0, 100))])
    assert kinds(peers) == [(ConflictKind.MOVED, "CT1", ("old", "new"))]


def test_newcomer_with_the_title_of_a_settled_device_is_suspected() -> None:
    settled = device("pacs", title("ARCHIVE", 0, 9 * DAY))
    peers = registry_of([device("laptop", title("ARCHIVE", 8 * DAY, 8 * DAY + 1)), settled])
    assert kinds(peers) == [(ConflictKind.SPOOF_SUSPECTED, "ARCHIVE", ("pacs", "laptop"))]


def test_third_holder_is_compared_with_the_one_still_there() -> None:
    peers = registry_of(
        [
            device("a", title("X1", 0, 100)),
            device("bb", title("X1", 1, 2)),
            device("ccc", title("X1", 50, 60)),
        ]
    )
    assert kinds(peers) == [
        (ConflictKind.SHARED, "X1", ("a", "bb")),
        (ConflictKind.SHARED, "X1", ("a", "ccc")),
    ]


def test_called_title_that_nobody_answers_to() -> None:
    peers = registry_of([device("pacs", title("ARCHIVE"), called("OLDPACS"))])
    assert kinds(peers) == [(ConflictKind.UNANSWERED, "OLDPACS", ("pacs",))]


def test_called_title_that_is_another_devices() -> None:
    peers = registry_of([device("pacs", title("ARCHIVE")), device("ws", title("WS1"), called("ARCHIVE"))])
    assert kinds(peers) == [(ConflictKind.MISDIRECTED, "ARCHIVE", ("pacs", "ws"))]


def test_images_moved_to_a_stranger() -> None:
    mover = device("viewer", title("V1"), ("dicom.move_destination", "STRANGER", 7, 8))
    assert kinds(registry_of([mover])) == [(ConflictKind.UNKNOWN_DESTINATION, "STRANGER", ("viewer",))]
    assert kinds(registry_of([mover, device("x", title("STRANGER"))])) == []


@pytest.mark.parametrize("name", ["ORTHANC", "Storescp", "ANY-SCP"])
def test_default_titles_are_named(name: str) -> None:
    assert kinds(registry_of([device("o", title(name))])) == [(ConflictKind.DEFAULT, name, ("o",))]


def test_engine_that_sends_on_under_the_names_of_others_is_in_no_dispute() -> None:
    lab = device("lab", ("hl7.sending_application", "LIS", 0, 9))
    his = device("his", ("hl7.sending_application", "ADT", 0, 9))
    forwarded = (("hl7.sending_application", "LIS", 1, 9), ("hl7.sending_application", "ADT", 1, 9))
    engine = device("engine", *forwarded, category="interface_engine")
    assert registry_of([lab, his, engine]).conflicts == ()
    impostor = device("pc", forwarded[0])
    assert kinds(registry_of([lab, impostor])) == [(ConflictKind.SHARED, "LIS", ("lab", "pc"))]


def test_gravest_conflicts_come_first() -> None:
    peers = registry_of(
        [
            device("a", title("ORTHANC")),
            device("b", title("PACS", 0, 9 * DAY)),
            device("c", title("PACS", 5 * DAY, 5 * DAY), called("NOBODY")),
        ]
    )
    assert [c.kind for c in peers.conflicts] == [
        ConflictKind.SPOOF_SUSPECTED,
        ConflictKind.UNANSWERED,
        ConflictKind.DEFAULT,
    ]


TITLES = st.sampled_from(["A", "B", "ORTHANC"])
FIELDS = st.sampled_from(
    [
        "dicom.ae_title",
        "dicom.called_ae_title",
        "dicom.move_destination",
        "hl7.sending_application",
        "dns.name",
    ]
)
FACTS = st.lists(st.tuples(FIELDS, TITLES, st.integers(0, 50), st.integers(51, 99)), max_size=6)


@given(st.lists(FACTS, max_size=5))
def test_registry_of_anything_is_consistent_and_the_same_in_any_order(ledgers: list[list[Said]]) -> None:
    devices = [device(f"d{number}", *facts) for number, facts in enumerate(ledgers)]
    peers = registry_of(devices)
    assert registry_of(reversed(devices)) == peers
    known = {d.id for d in devices}
    for name in peers.titles:
        assert name.uses
        assert all(use.first_seen <= use.last_seen for use in name.uses)
    for conflict in peers.conflicts:
        assert conflict.sentence.endswith(".")
        assert set(conflict.devices) <= known
