"""The page of risk as a whole: its numbers are the engine's, its links lead to what they count."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
import pytest
from django.test import Client

from medwarden.app.risk import overview
from medwarden.app.risk_clock import note_groups
from medwarden.kernel.clock import wall_clock
from medwarden.model.role import Role
from medwarden.store.models import AuditEntry, Device, RiskScore
from medwarden.store.open import Store
from medwarden.store.queries import DeviceFilter, Scope
from medwarden.store.queries.filters import select
from medwarden.web.recent import forget

SignedIn = Callable[..., Client]


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return str(answer.content.decode())


def test_the_page_says_what_the_engine_says_and_counts_lead_to_lists(
    store: Store, signed_in: SignedIn
) -> None:
    note_groups()
    client = signed_in(Role.VIEWER)
    text = page(client, "/risk/")
    found = overview(Scope())
    assert f"{found.whole.score} of 100" in text
    assert found.sentences[0].split(".")[0] in text
    assert sum(cell.devices for row in found.matrix for cell in row) == (
        Device.objects.filter(retired_at=None, risk_score__gt=0).count()
    )
    links = re.findall(r'href="(/devices/\?likelihood_from=[^"]+)">([\d,]+)<', text)
    assert links
    for link, number in links:
        query = dict(part.split("=") for part in link.partition("?")[2].replace("&amp;", "&").split("&"))
        numbers = {name: int(value) for name, value in query.items() if value.isdigit()}
        wanted = msgspec.convert(numbers, DeviceFilter)
        assert select(Scope(), wanted).count() == int(number.replace(",", ""))
        assert client.get(link.replace("&amp;", "&")).status_code == 200


def test_groups_plan_and_export_open(store: Store, signed_in: SignedIn) -> None:
    client = signed_in(Role.ANALYST)
    for kind in ("category", "model", "site", "department"):
        assert "makes" in page(client, f"/risk/groups/{kind}/") or kind == "department"
    assert client.get("/risk/groups/planet/").status_code == 404
    early = page(client, "/risk/groups/category/?day=2001-01-01")
    assert "Nothing was scored then" in early and 'value="2001-01-01"' in early
    assert "as of now" in page(client, "/risk/groups/category/?day=2999-01-01")
    assert "as of now" in page(client, "/risk/groups/category/?day=whenever")
    now = wall_clock()
    for kind in ("category", "model", "site", "department"):
        today, then = (client.get(f"/api/v1/risk/groups/{kind}?at_ns={at}").json() for at in (0, now))
        told = [[g["name"], g["score"], g["devices"], g["by_level"]] for g in today]
        assert [[g["name"], g["score"], g["devices"], g["by_level"]] for g in then] == told
    assert client.get("/api/v1/risk/groups/category?at_ns=1").json() == []
    assert "cheapest way to low" in page(client, "/risk/plan/?to=low")
    assert client.get("/risk/plan/?to=none").status_code == 404
    answer = client.get("/risk/export.csv")
    assert answer.status_code == 200
    assert answer.content.startswith(b"device,name,site")
    digest = answer["X-Content-Digest"].removeprefix("sha-256=")
    assert AuditEntry.objects.filter(action="risk.exported", after__contains=digest).exists()
    assert signed_in(Role.VIEWER).get("/risk/export.csv").status_code == 403


def test_the_api_says_the_same(store: Store, signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    found = overview(Scope())
    said = client.get("/api/v1/risk").json()
    assert said["whole"]["score"] == found.whole.score
    assert [g["name"] for g in client.get("/api/v1/risk/groups/category").json()] == [
        g.name for g in found.categories
    ]
    device = Device.objects.order_by("-risk_score")[0]
    answers = client.get(f"/api/v1/devices/{device.pk}/risk/what-if").json()
    assert answers and all(a["before"] == answers[0]["before"] for a in answers)
    chosen = client.get(f"/api/v1/devices/{device.pk}/risk/what-if?action=patch&action=isolate").json()
    assert chosen[0]["actions"] == ["patch", "isolate"]
    assert client.get(f"/api/v1/devices/{device.pk}/risk/what-if?action=pray").status_code == 422
    changes = client.get(f"/api/v1/devices/{device.pk}/risk/changes").json()
    assert changes[-1]["score"] == device.risk_score
    at = changes[-1]["at_ns"]
    assert client.get(f"/api/v1/devices/{device.pk}/risk/as-of/{at}").json()["score"] == device.risk_score
    assert client.get(f"/api/v1/devices/{device.pk}/risk/as-of/1").status_code == 404
    assert client.get("/api/v1/risk/plan/none").status_code == 422


def test_a_plan_says_in_short_what_is_to_be_done_on_how_many_devices(
    signed_in: SignedIn, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medwarden.risk.counterfactual import Action, ActionKind
    from medwarden.risk.plan import Chosen, Option, Plan
    from medwarden.web.views.risk import overview as pages

    enforce, move = Action(ActionKind.ENFORCE), Action(ActionKind.MOVE, "10.0.9.0/24")
    options = (Option(1.5, 9, (enforce,)), Option(3.5, 8, (enforce, move)), Option(1.5, 7, (enforce,)))
    chosen = tuple(Chosen(f"dev-{n}", 40, option) for n, option in enumerate(options))
    made = Plan(24, 40, 30, 6.5, 6.5, True, False, chosen, 3)
    monkeypatch.setattr(pages, "plan_site", lambda *given, **asked: made)
    forget()
    text = re.sub(r"<[^>]+>|\s+", " ", page(signed_in(Role.VIEWER), "/risk/plan/?to=low"))
    assert re.search(r"3 devices, 6.5 hours of work", text)
    assert re.search(r"Enforce its learnt policy\s+3\s+Move it to 10.0.9.0/24\s+1\s+Device by device", text)
    forget()


def test_a_risk_of_nought_is_not_taken_for_no_score(
    signed_in: SignedIn, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medwarden.risk.plan import Plan
    from medwarden.web.views.risk import overview as pages

    nought = Plan(24, 0, 0, 0.0, 0.0, True, True, (), 3)
    monkeypatch.setattr(pages, "plan_site", lambda *given, **asked: nought)
    client = signed_in(Role.VIEWER)
    forget()
    assert RiskScore.objects.filter(current=True).exists()
    scored = page(client, "/risk/plan/?to=low")
    assert "Nothing to do: risk is 0 already" in scored and "No device has a score yet" not in scored
    RiskScore.objects.update(current=False)
    forget()
    assert "No device has a score yet" in page(client, "/risk/plan/?to=low")
    forget()
