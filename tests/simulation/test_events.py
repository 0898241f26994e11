"""Devices come, go, move, dock and get other addresses; the truth knows all of it."""

from __future__ import annotations

from medwarden.simulation.ends import SECOND
from medwarden.simulation.events import live_through
from medwarden.simulation.hospital import Hospital
from medwarden.simulation.truth import label_rows, truth_of

START = 1_772_434_800 * SECOND


def lived(hours: float = 24) -> Hospital:
    hospital = Hospital(4, 400, hours, START)
    live_through(hospital)
    return hospital


def test_stays_follow_each_other_in_time_and_lie_in_their_network() -> None:
    for _, device in lived().devices():
        moments = [stay.since for stay in device.stays]
        assert moments == sorted(moments)
        for stay in device.stays:
            assert stay.network.base < stay.end.ip < stay.network.broadcast


def test_a_day_sees_docked_laptops_roaming_pumps_churn_and_visitors() -> None:
    devices = [device for _, device in lived().devices()]
    docked = [d for d in devices if d.category == "laptop" and len(d.macs) > 1]
    assert docked and all(len(d.stays) >= 2 for d in docked)
    pumps = [d for d in devices if d.category == "infusion_pump" and len(d.stays) > 1]
    assert pumps and all(len({stay.end.ip for stay in d.stays}) == 1 for d in pumps)
    churned = [d for d in devices if d.category == "workstation" and len({s.end.ip for s in d.stays}) > 1]
    assert churned
    phones = [d for d in devices if d.category == "smartphone"]
    assert any(not d.present(START + 3600 * SECOND) for d in phones)
    assert all(d.macs[0][0] & 2 for d in phones)


def test_every_interface_that_was_there_is_labelled_and_told() -> None:
    hospital = lived()
    labelled = {row[1] for row in label_rows(hospital)} - {"mac"}
    told = {mac for device in truth_of(hospital, [], {})["devices"] for mac in device["macs"]}
    assert labelled <= told
    assert all(device.arrives < hospital.stop for _, device in hospital.devices() if len(device.macs) > 1)
