"""The API: described, answers what the pages show, and only to whom it may."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from medwarden.kernel.clock import wall_clock
from medwarden.model.role import Role
from medwarden.store.models import Device, Finding, User
from medwarden.store.open import Store
from medwarden.web import api_tokens
from medwarden.web.models import ApiToken

SignedIn = Callable[..., Client]
One = Callable[..., Device]


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def token(store: Store) -> str:
    return api_tokens.create(User.objects.get(username="analyst"), "script", 30)


def test_the_document_describes_every_operation(signed_in: SignedIn) -> None:
    document = signed_in(Role.VIEWER).get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"] and operation["description"], f"{method} {path}"
            assert operation["security"], f"{method} {path}"
    row = document["components"]["schemas"]["DeviceRow"]["properties"]
    assert {"id", "macs", "ips", "risk_score", "confidence"} <= set(row)


def test_a_token_acts_with_its_owners_role(token: str) -> None:
    client = Client()
    assert client.get("/api/v1/me", headers=bearer(token)).json()["role"] == "analyst"
    assert client.get("/api/v1/devices", headers=bearer(token)).status_code == 200
    assert client.get("/api/v1/audit", headers=bearer(token)).status_code == 403
    assert client.get("/api/v1/people", headers=bearer(token)).status_code == 403


def test_tokens_expire_are_withdrawn_and_die_with_their_owner(token: str) -> None:
    client = Client()
    ApiToken.objects.update(expires_ns=wall_clock() - 1)
    assert client.get("/api/v1/me", headers=bearer(token)).status_code == 401
    ApiToken.objects.update(expires_ns=wall_clock() + 10**12)
    User.objects.filter(username="analyst").update(is_active=False)
    assert client.get("/api/v1/me", headers=bearer(token)).status_code == 401
    User.objects.filter(username="analyst").update(is_active=True)
    assert client.get("/api/v1/me", headers=bearer(token)).status_code == 200
    api_tokens.withdraw(User.objects.get(username="analyst"), ApiToken.objects.get().pk)
    assert client.get("/api/v1/me", headers=bearer(token)).status_code == 401


@pytest.mark.parametrize("bad", ["", "mw_", "mw_wrong", "x" * 5000])
def test_a_wrong_token_is_nobody(bad: str, store: Store) -> None:
    assert Client().get("/api/v1/me", headers=bearer(bad)).status_code == 401


def test_only_the_digest_of_a_token_is_kept(token: str) -> None:
    row = ApiToken.objects.get()
    assert token not in (row.digest, row.start, row.name)
    assert row.digest == api_tokens.digest_of(token)


def test_a_token_opens_no_page(token: str) -> None:
    assert Client().get("/devices/", headers=bearer(token)).status_code == 302


def test_pages_of_the_api_give_every_device_once(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    total = 1
    seen: list[str] = []
    while len(seen) < total:
        answer = client.get(f"/api/v1/devices?per=20&page={len(seen) // 20 + 1}&sort=name").json()
        total = answer["total"]
        seen += [d["id"] for d in answer["items"]]
    assert len(seen) == len(set(seen)) == Device.objects.count()


def test_the_api_filters_as_the_page_does(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    query = "class=IoMT&category=ct&q=somatom"
    api = [d["id"] for d in client.get(f"/api/v1/devices?{query}").json()["items"]]
    page = client.get(f"/devices/?{query}").content.decode()
    assert api
    assert [pk for pk in Device.objects.values_list("pk", flat=True) if f'data-id="{pk}"' in page] == api


def test_one_device_comes_with_its_evidence_and_points_that_add_up(signed_in: SignedIn, one: One) -> None:
    client = signed_in(Role.VIEWER)
    device = client.get(f"/api/v1/devices/{one(category='ct').pk}").json()
    assert any(e["field"] == "dicom.ae_title" and e["count"] > 0 for e in device["ledger"])
    assert {v["level"] for v in device["verdicts"]} >= {"class", "category", "vendor", "model"}
    risk = client.get(f"/api/v1/devices/{device['id']}/risk").json()
    assert sum(f["points"] for f in risk["factors"]) == risk["score"]


def test_every_get_of_a_device_answers(signed_in: SignedIn, one: One) -> None:
    client = signed_in(Role.VIEWER)
    pk = one(category="ct").pk
    for part in ("conversations", "activity", "addresses", "policy", "history", "risk/history"):
        assert client.get(f"/api/v1/devices/{pk}/{part}").status_code == 200, part
        assert client.get(f"/api/v1/devices/nobody/{part}").status_code == 404, part


def test_a_finding_is_moved_on_over_the_api(token: str) -> None:
    one = Finding.objects.filter(state="open").order_by("pk")[0]
    client = Client()

    def post(**body: str | int) -> tuple[int, Any]:
        path = f"/api/v1/findings/{one.pk}/steps"
        answer = client.post(path, json.dumps(body), "application/json", headers=bearer(token))
        return answer.status_code, json.loads(answer.content)

    assert post(state="acknowledged", reason="")[0] == 422
    assert post(state="gone", reason="x")[0] == 422
    assert post(state="accepted", reason="x", days=90)[0] == 422
    status, answer = post(state="acknowledged", reason="on it")
    assert status == 200
    assert answer["steps"][-1]["reason"] == "on it"
    one.refresh_from_db()
    assert one.state == "acknowledged"


def test_a_browser_needs_the_csrf_token_to_change_anything(signed_in: SignedIn) -> None:
    client = signed_in(Role.NETWORK_ENGINEER, checks=True)
    answer = client.post("/api/v1/policies", '{"category": "ct"}', "application/json")
    assert answer.status_code == 403
    assert (
        signed_in(Role.NETWORK_ENGINEER)
        .post("/api/v1/policies", '{"category": "ct"}', "application/json")
        .status_code
        == 200
    )


def test_a_policy_is_learnt_shown_replayed_and_exported(signed_in: SignedIn) -> None:
    client = signed_in(Role.NETWORK_ENGINEER)
    learnt = client.post("/api/v1/policies", '{"category": "ct"}', "application/json").json()
    assert learnt["rules"]
    run = client.get(f"/api/v1/policies/{learnt['id']}/dry-run").json()
    assert run["conversations"] == run["allowed"] + run["blocked"] + run["unanswered"] > 0
    assert run["blocked"] == 0, "what was learnt from blocks nothing"
    assert "ietf-mud:mud" in client.get(f"/api/v1/policies/{learnt['id']}/export/mud").json()
    assert client.post("/api/v1/policies", '{"category": "nothing"}', "application/json").status_code == 422


def test_sensors_add_up(signed_in: SignedIn) -> None:
    for sensor in signed_in(Role.VIEWER).get("/api/v1/sensors").json():
        count = sensor["packets"]
        assert count["read"] == count["parsed"] + count["rejected"] + count["dropped"] > 0


def test_the_audit_chain_is_checked_over_the_api(signed_in: SignedIn) -> None:
    client = signed_in(Role.AUDITOR)
    report = client.get("/api/v1/audit/check").json()
    assert report["broken"] is None
    assert report["entries"] > 0
    assert client.get("/api/v1/audit?limit=5").json()[0]["sequence"] == report["entries"]


def test_overview_and_map_answer(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    overview = client.get("/api/v1/overview").json()
    assert overview["numbers"]["devices"] == Device.objects.count()
    cells = client.get("/api/v1/map?by=category").json()
    assert any(c["client"] == "ct" and c["server"] == "pacs" for c in cells)
    edges = client.get("/api/v1/map/between?by=category&client=ct&server=pacs").json()
    assert edges
