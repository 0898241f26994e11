"""Identity over the API: who may decide, what is said, and that it can be taken back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.test import Client

from medwarden.model.role import Role
from medwarden.store.models import AuditEntry, Device

SignedIn = Callable[..., Client]


def _post(client: Client, path: str, body: dict[str, Any]) -> Any:
    return client.post(f"/api/v1{path}", json.dumps(body), content_type="application/json")


def _pair() -> list[Device]:
    site = Device.objects.order_by("pk").values_list("site_id", flat=True)[0]
    return list(Device.objects.filter(site=site, kind="mac").order_by("pk")[:2])


def test_a_merge_is_decided_shown_and_undone(signed_in: SignedIn) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    one, other = _pair()
    said = _post(client, "/identity/merges", {"kept": one.pk, "gone": other.pk, "reason": "two cards"})
    assert said.status_code == 200, said.content
    number = said.json()["decision"]
    parts = client.get(f"/api/v1/devices/{one.pk}/identities").json()
    assert {part["id"] for part in parts} == {one.pk, other.pk}
    assert client.get(f"/api/v1/devices/{other.pk}").json()["id"] == one.pk
    page = client.get(f"/api/v1/identity/decisions?device={one.pk}").json()
    assert page["items"][0]["number"] == number and page["items"][0]["reason"] == "two cards"
    assert AuditEntry.objects.filter(action="device.merged", actor__startswith="user:").exists()
    assert _post(client, f"/identity/decisions/{number}/undo", {"reason": "they are two"}).status_code == 200
    assert client.get(f"/api/v1/devices/{other.pk}").json()["id"] == other.pk
    assert client.get(f"/api/v1/devices/{one.pk}/identities").json() == []


def test_who_may_not_correct_identities_is_refused(signed_in: SignedIn) -> None:
    one, other = _pair()
    body = {"kept": one.pk, "gone": other.pk, "reason": "two cards"}
    assert _post(signed_in(Role.VIEWER), "/identity/merges", body).status_code == 403
    assert Device.objects.filter(pk__in=[one.pk, other.pk]).count() == 2


def test_what_cannot_be_done_is_said(signed_in: SignedIn) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    one, _ = _pair()
    said = _post(client, "/identity/merges", {"kept": one.pk, "gone": "d-none", "reason": "x"})
    assert said.status_code == 422 and "no device" in said.json()["detail"]
    assert _post(client, "/identity/decisions/999/undo", {"reason": "x"}).status_code == 422
    assert _post(client, "/identity/proposals/ip-0/accept", {"reason": "x"}).status_code == 422
    assert _post(client, f"/devices/{one.pk}/splits", {"reason": "x"}).status_code == 422


def test_every_list_answers(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    one, _ = _pair()
    for path in (
        "/identity/proposals",
        "/identity/silent",
        "/identity/decisions",
        f"/devices/{one.pk}/changes",
        f"/devices/{one.pk}/elsewhere",
    ):
        assert client.get(f"/api/v1{path}").status_code == 200, path
