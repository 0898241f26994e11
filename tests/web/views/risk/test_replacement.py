"""What to replace: list, worth, budget and useful lives say the same on page, in exports and in the API."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from medwarden.kernel.clock import to_datetime, wall_clock
from medwarden.model.role import Role
from medwarden.store.changes import Change
from medwarden.store.life_cycle import record_support
from medwarden.store.models import AuditEntry, Device
from medwarden.store.open import Store

SignedIn = Callable[..., Client]


def text(answer: object) -> str:
    content = getattr(answer, "content")  # noqa: B009 (a response of the test client)
    return re.sub(r"\s+", " ", content.decode())


def rows_of(answer: object) -> list[dict[str, str]]:
    parts: Iterator[bytes] = iter(answer)  # type: ignore[call-overload]  # a response of the test client
    return list(csv.DictReader(io.StringIO("".join(part.decode() for part in parts))))


@pytest.fixture
def unsupported(store: Store) -> list[str]:
    """Three pumps whose maker stopped supporting them years ago."""
    from datetime import date

    from medwarden.app.judge import assess
    from medwarden.model.life_cycle import Ending, EndOfLife, Subject
    from medwarden.model.vulnerability import MatchState

    devices = list(Device.objects.filter(retired_at=None, device_class="IoMT").order_by("pk")[:3])
    ids = [device.pk for device in devices]
    Device.objects.filter(pk__in=ids).update(category="infusion_pump")
    end = EndOfLife(
        "n", Subject.MODEL, Ending.SUPPORT, date(2020, 1, 1), MatchState.CONFIRMED, "so", "a letter"
    )
    for device in devices:
        with Change("rule:support", "test", site=device.site_id) as change:
            record_support(change, {device.pk: [end]}, "test")
        assess("default", device.site_id, [device.pk])
    return ids


def test_devices_with_worth_and_price(signed_in: SignedIn, unsupported: list[str]) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    found = {o["device"]: o for o in client.get("/api/v1/replacement").json()}
    assert set(unsupported) <= found.keys()
    one = found[unsupported[0]]
    assert one["points"] > 0 and one["points"] <= one["score"]
    assert (one["price"], one["value"], one["support_ends"]) == (None, None, "2020-01-01")
    assert any("a letter" in why for why in one["why"])
    form = {"category": "infusion_pump", "years": "7", "price": "4 500", "reason": "our accounts"}
    client.post("/risk/replacement/lives/change/", form)
    assert AuditEntry.objects.filter(action="setting.changed", reason="our accounts").exists()
    one = {o["device"]: o for o in client.get("/api/v1/replacement").json()}[unsupported[0]]
    assert (one["price"], one["life_years"]) == (4500, 7)
    page = text(client.get("/risk/replacement/?sort=-points"))
    assert "4,500" in page and "of 7 useful" in page
    for sort in ("points", "value", "age", "price", "support", "-urgency"):
        assert client.get(f"/risk/replacement/?sort={sort}").status_code == 200
    exported = rows_of(client.get("/risk/replacement/export.csv"))
    assert {r["device"] for r in exported} == found.keys()
    assert client.get("/risk/replacement/export.pdf").status_code == 404
    lives = text(client.get("/risk/replacement/lives/"))
    assert "set here" in lives
    client.post("/risk/replacement/lives/change/", {"category": "infusion_pump", "reason": "wrong"})
    told = {row["category"]: row for row in client.get("/api/v1/replacement/lives").json()}
    assert (told["infusion_pump"]["own"], told["infusion_pump"]["price"]) == (False, 0)


def test_a_budget_is_planned_year_by_year(signed_in: SignedIn, unsupported: list[str]) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    assert "Name an amount" in text(client.get("/risk/replacement/budget/"))
    assert "whole number" in text(client.get("/risk/replacement/budget/?amount=much"))
    given = {"years": 10, "price": 1000, "reason": "our accounts"}
    put = client.put("/api/v1/replacement/lives/infusion_pump", given, content_type="application/json")
    assert put.status_code == 204
    plan = client.get("/api/v1/replacement/budget?amount=1000&years=3&currency=EUR").json()
    first = to_datetime(wall_clock()).year + 1
    assert [year["year"] for year in plan["years"]] == [first, first + 1, first + 2]
    chosen = [each["device"] for year in plan["years"] for each in year["chosen"]]
    assert sorted(chosen) == sorted(unsupported)
    assert all(year["cost"] == 1000 and year["points"] > 0 for year in plan["years"])
    page = text(client.get("/risk/replacement/budget/?amount=1%20000&years=3&currency=EUR"))
    assert f"<h2>{first}</h2>" in page and "3,000 EUR in 3 years" in page
    exported = rows_of(client.get("/risk/replacement/budget/export.csv?amount=1000&years=3"))
    assert [r["device"] for r in exported if r["year"]] == chosen
    assert all(r["why_not"] for r in exported if not r["year"])
    assert client.get("/risk/replacement/budget/export.csv").status_code == 404
    assert client.get("/risk/replacement/budget/export.csv?amount=1000&years=99").status_code == 404
    assert client.get("/api/v1/replacement/budget?amount=0").status_code == 422
    assert client.get("/api/v1/replacement/budget?amount=5&years=21").status_code == 422
    assert "Plan between 1 and 20 years" in text(client.get("/risk/replacement/budget/?amount=5&years=99"))


def test_who_may_not_change_settings_sets_no_life(signed_in: SignedIn, unsupported: list[str]) -> None:
    viewer = signed_in(Role.VIEWER)
    assert "Change…" not in text(viewer.get("/risk/replacement/lives/"))
    form = {"category": "infusion_pump", "years": "7", "reason": "r"}
    assert viewer.post("/risk/replacement/lives/change/", form).status_code == 403
    given = {"years": 7, "reason": "r"}
    answer = viewer.put("/api/v1/replacement/lives/infusion_pump", given, content_type="application/json")
    assert answer.status_code == 403
    admin = signed_in(Role.ADMINISTRATOR)
    for wrong in (
        {"years": "x"},
        {"years": "99"},
        {"category": "spaceship"},
        {"reason": ""},
        {"price": "-5"},
    ):
        admin.post("/risk/replacement/lives/change/", form | wrong)
    told = {row["category"]: row for row in admin.get("/api/v1/replacement/lives").json()}
    assert not told["infusion_pump"]["own"]
