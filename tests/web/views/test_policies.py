"""Policies: learnt by whom may, read, replayed, moved on with a reason, exported."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from medwarden.model.role import Role
from medwarden.store.models import AuditEntry, Policy

SignedIn = Callable[..., Client]


def learn(client: Client, category: str = "ct") -> str:
    answer = client.post("/policies/learn/", {"category": category})
    assert answer.status_code == 302
    return str(answer["Location"])


def test_a_policy_is_learnt_read_and_replayed(signed_in: SignedIn) -> None:
    client = signed_in(Role.NETWORK_ENGINEER)
    page = client.get(learn(client)).content.decode()
    assert "PACS1" in page
    assert "Nothing that was answered so far would be blocked." in page
    assert "What is not listed is not allowed." in page
    assert Policy.objects.get().title in client.get("/policies/").content.decode()


def test_a_category_without_devices_is_refused_in_words(signed_in: SignedIn) -> None:
    client = signed_in(Role.NETWORK_ENGINEER)
    page = client.post("/policies/learn/", {"category": "linac"}, follow=True).content.decode()
    assert "No device that you may see is of that category" in page
    assert not Policy.objects.exists()


def test_a_step_needs_a_reason_and_the_permission(signed_in: SignedIn) -> None:
    client = signed_in(Role.NETWORK_ENGINEER)
    target = learn(client)
    client.post(f"{target}steps/", {"state": "approved", "reason": ""})
    assert Policy.objects.get().state == "learnt"
    client.post(f"{target}steps/", {"state": "enforced", "reason": "now"})
    assert Policy.objects.get().state == "learnt", "only an enforcer can say that it enforces"
    client.post(f"{target}steps/", {"state": "approved", "reason": "read with radiology"})
    assert Policy.objects.get().state == "approved"
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.reason) == ("policy.state", "read with radiology")
    assert "read with radiology" in client.get(target).content.decode()


def test_text_and_mud_are_downloaded_and_audited(signed_in: SignedIn) -> None:
    client = signed_in(Role.NETWORK_ENGINEER)
    target = learn(client)
    assert "tcp/104" in client.get(f"{target}export.text").content.decode()
    assert client.get(f"{target}export.mud").json()["ietf-mud:mud"]["mud-version"] == 1
    assert AuditEntry.objects.latest("sequence").action == "policy.exported"
    assert client.get(f"{target}export.pdf").status_code == 404
