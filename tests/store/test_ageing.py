"""Who fell silent is proposed for retirement or retired by rule, and comes back when heard."""

from __future__ import annotations

import pytest
from tests.store.conftest import HOUR, DeltaMaker

from medwarden.store.open import Store
from medwarden.store.queries.scope import Scope

DAY = 24 * HOUR


def _hear(heard: DeltaMaker, *numbers: int, day: int) -> None:
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta

    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(*numbers, ts=day * DAY))


def _silent() -> list[tuple[str, int]]:
    from medwarden.store.queries import Scope
    from medwarden.store.queries.ageing import silent_devices

    return [(silent.id, silent.days) for silent in silent_devices(Scope())]


def _wish(days: int, *, automatic: bool) -> None:
    from medwarden.store.changes import Change
    from medwarden.store.queries.ageing import KEY, Retirement
    from medwarden.store.settings import set_setting

    with Change("user:anna", "as the house does it", site="main") as change:
        set_setting(change, KEY, Retirement(days, days, automatic))


def test_silence_is_measured_against_what_the_site_heard(store: Store, heard: DeltaMaker) -> None:
    assert store.home.exists()
    _hear(heard, 1, 2, day=1)
    assert _silent() == []  # a sensor that is off makes nobody silent
    _hear(heard, 2, day=14)
    assert _silent() == []
    _hear(heard, 2, day=16)
    assert _silent() == [("d-main-1", 15)]  # the address is randomised: fourteen days


def test_a_rule_retires_and_being_heard_brings_back(store: Store, heard: DeltaMaker) -> None:
    from medwarden.app.ageing import retire_silent
    from medwarden.store.models import AuditEntry, Device

    assert store.home.exists()
    _hear(heard, 1, 2, day=1)
    _hear(heard, 2, day=41)
    assert retire_silent("default", "main") == 0  # a person is asked, unless the rule says otherwise
    _wish(30, automatic=True)
    assert retire_silent("default", "main") == 1
    assert Device.objects.get(pk="d-main-1").retired_at is not None
    entry = AuditEntry.objects.get(action="device.retired")
    assert entry.actor == "rule:retirement" and "40 days" in entry.reason
    assert retire_silent("default", "main") == 0 and _silent() == []
    _hear(heard, 1, day=42)
    assert Device.objects.get(pk="d-main-1").retired_at is None
    assert AuditEntry.objects.filter(action="device.restored").count() == 1


def test_a_site_may_wait_longer_than_the_tenant(store: Store, heard: DeltaMaker) -> None:
    assert store.home.exists()
    _hear(heard, 1, 2, day=1)
    _hear(heard, 2, day=41)
    _wish(60, automatic=False)
    assert _silent() == []


def test_a_log_that_comes_late_brings_nobody_back(store: Store, heard: DeltaMaker) -> None:
    """Heard again is who was heard later than ever before, not who stands in an older log."""
    from medwarden.store.changes import Change
    from medwarden.store.identities import retire
    from medwarden.store.models import Device

    assert store.home.exists()
    _hear(heard, 1, 2, day=40)
    with Change("user:anna", "returned to the vendor", site="main") as change:
        retire(change, "d-main-1")
    _hear(heard, 1, 2, day=3)
    row = Device.objects.get(pk="d-main-1")
    assert row.retired_at is not None and row.first_seen == 3 * DAY
    _hear(heard, 1, day=41)
    assert Device.objects.get(pk="d-main-1").retired_at is None


def test_who_was_heard_or_retired_meanwhile_is_left_alone(
    store: Store, heard: DeltaMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the list of the silent and the end of it devices are heard, and people retire some."""
    from medwarden.app.ageing import retire_silent
    from medwarden.store.changes import Change
    from medwarden.store.identities import retire
    from medwarden.store.models import Device
    from medwarden.store.queries import ageing

    assert store.home.exists()
    _hear(heard, 1, 2, 3, 4, day=1)
    _hear(heard, 4, day=41)
    _wish(30, automatic=True)
    listed = ageing.silent_devices

    def while_others_act(scope: Scope) -> list[ageing.Silent]:
        found = listed(scope)
        _hear(heard, 1, day=42)
        with Change("user:anna", "sold", site="main") as change:
            retire(change, "d-main-2")
        return found

    monkeypatch.setattr(ageing, "silent_devices", while_others_act)
    assert retire_silent("default", "main") == 1
    here = Device.objects.filter(retired_at=None).order_by("pk").values_list("pk", flat=True)
    assert list(here) == ["d-main-1", "d-main-4"]
