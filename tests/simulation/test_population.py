"""The mixes of hospitals, exact to a device."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from medwarden.knowledge.oui import maker_of
from medwarden.knowledge.taxonomy import categories
from medwarden.simulation.catalogue import models
from medwarden.simulation.hospital import UNSUPPORTED, Hospital
from medwarden.simulation.population import (
    IMAGING_KINDS,
    MONITOR_KINDS,
    PUMP_KINDS,
    apportion,
    census,
    group_of,
)

START = 1_772_434_800 * 10**9


@given(st.integers(60, 20_000), st.integers(0, 1000))
def test_the_groups_have_their_shares(total: int, seed: int) -> None:
    counts = census(total, Random(seed))
    assert sum(counts.values()) == total
    groups = {"medical": 0, "it": 0, "other": 0}
    for category, count in counts.items():
        groups[group_of(category)] += count
    for group, share in (("medical", 0.14), ("it", 0.50), ("other", 0.36)):
        assert abs(groups[group] - share * total) <= 1
    for kinds, share in ((PUMP_KINDS, 0.46), (IMAGING_KINDS, 0.19), (MONITOR_KINDS, 0.17)):
        assert abs(sum(counts.get(kind, 0) for kind in kinds) - share * groups["medical"]) <= 1
    assert abs(counts["ip_camera"] - 0.33 * groups["other"]) <= 1
    assert abs(counts["printer"] - 0.24 * groups["other"]) <= 1


@given(
    st.integers(0, 10_000), st.dictionaries(st.text(min_size=1), st.floats(0.1, 9), min_size=1, max_size=9)
)
def test_parts_add_up(total: int, shares: dict[str, float]) -> None:
    parts = apportion(total, shares)
    assert sum(parts.values()) == total
    whole = sum(shares.values())
    assert all(abs(parts[name] - total * share / whole) < 1 for name, share in shares.items())


def test_a_large_hospital_is_as_published() -> None:
    site = Hospital(7, 4000, 1, START).sites[0]
    assert len({device.category for device in site.devices}) >= 100
    assert abs(sum(device.managed for device in site.devices) - 2000) <= 1
    imaging = [device for device in site.devices if device.category in IMAGING_KINDS]
    old = sum(device.system.id in UNSUPPORTED for device in imaging)
    assert abs(old / len(imaging) - 0.83) < 0.03
    mixed = used = 0
    for network in site.plan.networks.values():
        groups = {group_of(d.category) for d in site.devices if d.stays[0].network is network}
        used += bool(groups)
        mixed += {"medical", "it"} <= groups
    assert abs(mixed / used - 0.72) < 0.05


def test_addresses_are_unique_in_their_networks_and_sites_overlap() -> None:
    hospital = Hospital(9, 900, 1, START, sites=2)
    for site in hospital.sites:
        seen = [device.stays[0].end.ip for device in site.devices]
        assert len(set(seen)) == len(seen)
        for device in site.devices:
            network = device.stays[0].network
            assert network.base < device.stays[0].end.ip < network.broadcast
            assert network.base >> 24 == 10
    assert len({device.macs[0] for _, device in hospital.devices()}) == 900


def test_hospitals_differ_by_seed_in_names_titles_and_addresses() -> None:
    schemes = {
        (site.naming.scheme, site.naming.titles, site.naming.domain)
        for site in (Hospital(seed, 40, 1, START).sites[0] for seed in range(12))
    }
    assert len(schemes) >= 9


def test_the_catalogue_names_registered_interfaces_and_known_categories() -> None:
    assert len(models()) >= 100
    for category, choice in models().items():
        assert category in categories()
        for model in choice:
            assert model.systems and model.firmware
            for prefix in model.prefixes:
                mac = (prefix + bytes(3)).hex(":")
                assert maker_of(mac) is not None or mac.startswith(("00:0c:29", "00:50:56")), (
                    model.name,
                    mac,
                )
