"""Every incident and benign change happens, is told in the truth, and leaves the capture readable."""

from __future__ import annotations

import pytest

from medwarden.kernel.errors import ConfigurationError
from medwarden.simulation.engine import Slice, run_shard
from medwarden.simulation.hospital import Hospital
from medwarden.simulation.incidents import incidents, stage
from medwarden.simulation.truth import label_rows, truth_of

START = 1_772_442_000 * 10**9  # Monday 2 March 2026, 9 h
NAMES = tuple(incidents())
BENIGN = {
    *("announced_pentest", "clock_change", "firmware_campaign", "holiday", "mass_casualty", "ward_move"),
    *("new_modality_known", "new_modality_unknown", "pacs_migration", "replaced_network_card"),
    "server_address_change",
}


def live(*names: str, devices: int = 150) -> tuple[Hospital, list[Slice]]:
    hospital = Hospital(3, devices, 0.4, START)
    stage(hospital, names)
    return hospital, list(run_shard(hospital, hospital.sites[0], 0))


@pytest.fixture(scope="module")
def quiet() -> bytes:
    return b"".join(piece.octets for piece in live()[1])


def test_all_that_was_asked_for_is_there() -> None:
    assert {name for name, incident in incidents().items() if incident.benign} == BENIGN
    assert len(incidents()) == 28


@pytest.mark.parametrize("name", NAMES)
def test_it_happens_and_the_truth_tells_it(name: str, quiet: bytes) -> None:
    hospital, pieces = live(name)
    assert b"".join(piece.octets for piece in pieces) != quiet
    (told,) = truth_of(hospital, [], {})["incidents"]
    assert (told["name"], told["benign"]) == (name, name in BENIGN)
    assert told["start"] < told["end"]
    keys = {device.key for _, device in hospital.devices()}
    assert {*told["actors"], *told["victims"]} <= keys
    assert told["actors"] or name in ("holiday", "clock_change")


@pytest.mark.parametrize("name", ["arp_spoof", "cfind_scraping", "image_exfiltration", "new_modality_known"])
def test_who_comes_from_outside_is_labelled_as_a_device(name: str) -> None:
    hospital, _ = live(name)
    macs = {row[1] for row in label_rows(hospital)} - {"mac"}
    (told,) = truth_of(hospital, [], {})["incidents"]
    assert set(told["actor_macs"]) <= macs
    assert len(macs) == 151


def test_a_moved_ward_has_two_addresses_per_device() -> None:
    hospital, _ = live("ward_move")
    truth = truth_of(hospital, [], {})
    moved = set(truth["incidents"][0]["actors"])
    for device in truth["devices"]:
        if device["id"] in moved:
            first, second = device["addresses"]
            assert first["network"] != second["network"]
            assert first["ip"] != second["ip"]


def test_a_holiday_is_quieter(quiet: bytes) -> None:
    _, pieces = live("holiday")
    assert sum(len(piece.octets) for piece in pieces) < 0.9 * len(quiet)


def test_what_there_is_not_or_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="scan"):
        live("earthquake")
    with pytest.raises(ConfigurationError, match="more devices"):
        live("image_exfiltration", devices=12)


def test_a_cloned_address_speaks_for_the_device_and_then_for_a_stranger() -> None:
    hospital, _ = live("mac_clone")
    (told,) = truth_of(hospital, [], {})["incidents"]
    victim = next(d for _, d in hospital.devices() if d.key == told["victims"][0])
    stranger = next(d for _, d in hospital.devices() if d.key == told["actors"][0])
    assert stranger.macs == victim.macs and victim.leaves < stranger.arrives
    rows = [row for row in label_rows(hospital) if row[1] == told["cloned_mac"]]
    assert len(rows) == 1
