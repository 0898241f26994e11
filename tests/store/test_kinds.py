"""The hierarchy with its counts, and how sure the house is, by level, reason and subnet."""

from __future__ import annotations

import msgspec
import pytest

from medwarden.model.device import Device, DeviceClass, Verdict
from medwarden.store import queries as q
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.identities import record_identities
from medwarden.store.open import Store, ensure_site

from .conftest import HOUR, DeltaMaker

MAIN = q.Scope()


def verdicts(**confidence: float) -> tuple[Verdict, ...]:
    levels = ("class", "category", "vendor", "model")
    return tuple(Verdict(level, "x", confidence[level]) for level in levels if level in confidence)


def conclude(number: int, **fields: object) -> None:
    device: Device = q.complete_devices([f"d-main-{number}"])[0]
    with Change("rule:identity", "evidence", "model-1", site="main") as change:
        record_identities(change, [msgspec.structs.replace(device, **fields)])


@pytest.fixture
def ward(store: Store, heard: DeltaMaker) -> None:
    """Two pumps of one model of which one is sure, a scanner whose model is open, and one nobody knows."""
    ensure_site("default", "main")
    with Change("sensor:s", "heard", tenant="default", site="main") as change:
        apply_delta(change, heard(1, 2, 3, 4, site="main", ts=10 * HOUR))
    sure = {"class": 0.99, "category": 0.98, "vendor": 0.97, "model": 0.96}
    pump = {
        "device_class": DeviceClass.IOMT,
        "category": "infusion_pump",
        "vendor": "B. Braun",
        "model": "Space",
        "subnet": "10.0.0.0/24",
    }
    conclude(1, **pump, verdicts=verdicts(**sure))
    conclude(2, **pump, verdicts=verdicts(**sure | {"category": 0.7}))
    conclude(
        3,
        device_class=DeviceClass.IOMT,
        category="ct",
        vendor="Siemens Healthineers",
        subnet="10.0.1.0/24",
        verdicts=verdicts(**{"class": 0.99, "category": 0.98, "vendor": 0.97}),
    )
    conclude(4, subnet="10.0.1.0/24", verdicts=())


@pytest.mark.usefixtures("ward")
def test_kinds_are_counted_with_those_at_risk_and_in_doubt() -> None:
    found = q.kinds(MAIN)
    assert [(k.device_class, k.category, k.vendor, k.model, k.devices, k.unsure) for k in found] == [
        ("IoMT", "infusion_pump", "B. Braun", "Space", 2, 1),
        ("IoMT", "ct", "Siemens Healthineers", None, 1, 1),
        ("unknown", None, None, None, 1, 1),
    ]
    assert sum(k.devices for k in q.kinds(MAIN, q.DeviceFilter(category=("ct",)))) == 1


@pytest.mark.usefixtures("ward")
def test_sureness_adds_up_over_levels_and_subnets() -> None:
    found = q.sureness(MAIN)
    assert (found.devices, found.sure) == (4, 1)
    assert found.unsure == {"class": 1, "category": 1, "vendor": 0, "model": 1}
    assert [(s.subnet, s.devices, s.sure) for s in found.subnets] == [
        ("10.0.1.0/24", 2, 0),
        ("10.0.0.0/24", 2, 1),
    ]
    assert sum(s.devices for s in found.subnets) == found.devices
    assert found.doubts
    assert set(found.doubts) <= {reason for s in found.subnets for reason in s.doubts}


@pytest.mark.usefixtures("ward")
def test_the_list_filters_by_level_and_reason() -> None:
    def ids(wanted: q.DeviceFilter) -> set[str]:
        return set(q.device_ids(MAIN, wanted))

    assert ids(q.DeviceFilter(unsure=("any",))) == {"d-main-2", "d-main-3", "d-main-4"}
    assert ids(q.DeviceFilter(unsure=("category",))) == {"d-main-2"}
    reason = next(iter(q.sureness(MAIN).doubts))
    assert len(ids(q.DeviceFilter(doubt=(reason,)))) == q.sureness(MAIN).doubts[reason]
    assert ids(q.DeviceFilter(doubt=("no such reason",))) == set()
