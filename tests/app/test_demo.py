"""The demonstration: a hospital up to now, once; a second time changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from medwarden.app import demo
from medwarden.store.open import open_store


def test_the_demonstration_is_made_once_and_is_of_now(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "DEVICES", 30)
    monkeypatch.setattr(demo, "HOURS", 0.1)
    now = 1_790_000_000 * 10**9
    with django_db_blocker.unblock():
        first = demo.replay_demo(tmp_path / "home", lambda: now)
        second = demo.replay_demo(tmp_path / "home", lambda: now)
        with open_store(tmp_path / "home", writer=False):
            from medwarden.store.models import Device, FloorPlanRow, VulnerabilityVerdict

            assert Device.objects.count() >= 30
            seen = max(Device.objects.values_list("last_seen", flat=True))
            assert now - 600 * 10**9 < seen <= now + 10**9
            assert FloorPlanRow.objects.count() > 0
            assert Device.objects.filter(place__building__isnull=False).count() > 5
            assert VulnerabilityVerdict.objects.filter(until_ns=None).count() > 0
    assert "devices of an invented hospital" in first
    assert second == "demonstration: already there"


def test_a_subnet_on_two_floors_is_on_none() -> None:
    def device(subnet: str, floor: int) -> dict[str, object]:
        return {"addresses": [{"subnet": subnet, "building": "A", "floor": floor}]}

    truth = json.dumps(
        {"devices": [device("10.1.0.0/24", 1), device("10.1.0.0/24", 2), device("10.2.0.0/24", 3)]}
    )
    assert demo.plan_of(truth).splitlines() == ["subnet,building,floor", "10.2.0.0/24,A,3"]
