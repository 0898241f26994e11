"""Findings: list, one, and every step of its life with a reason and a name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from medwarden.kernel.clock import wall_clock
from medwarden.model.role import Role
from medwarden.store.models import AuditEntry, Finding, FindingEvent

SignedIn = Callable[..., Client]

DAY = 86_400 * 1_000_000_000


def finding() -> Finding:
    return Finding.objects.filter(state="open").order_by("pk")[0]


def step(client: Client, pk: str, state: str, reason: str = "checked on site", **more: int) -> int:
    return client.post(f"/findings/{pk}/steps/", {"state": state, "reason": reason, **more}).status_code


def test_the_list_begins_with_what_wants_somebody(signed_in: SignedIn) -> None:
    first = finding()
    Finding.objects.filter(pk=first.pk).update(state="resolved")
    client = signed_in(Role.VIEWER)
    page = client.get("/findings/", {"device": first.device_id}).content.decode()
    assert f'data-id="{first.pk}"' not in page
    page = client.get("/findings/", {"device": first.device_id, "state": "resolved"}).content.decode()
    assert f'data-id="{first.pk}"' in page


def test_a_step_is_kept_with_name_and_reason(signed_in: SignedIn) -> None:
    one = finding()
    assert step(signed_in(Role.ANALYST), one.pk, "acknowledged") == 302
    one.refresh_from_db()
    assert one.state == "acknowledged"
    event = FindingEvent.objects.filter(finding=one).latest("pk")
    assert (event.actor, event.before, event.after, event.reason) == (
        "user:analyst",
        "open",
        "acknowledged",
        "checked on site",
    )
    assert AuditEntry.objects.latest("sequence").subject == f"finding:{one.pk}"
    page = signed_in(Role.VIEWER).get(f"/findings/{one.pk}/").content.decode()
    assert "checked on site" in page
    assert "user:analyst" in page


@pytest.mark.parametrize("reason", ["", "   "])
def test_no_step_without_a_reason(reason: str, signed_in: SignedIn) -> None:
    one = finding()
    step(signed_in(Role.ANALYST), one.pk, "resolved", reason)
    one.refresh_from_db()
    assert one.state == "open"


def test_accepting_a_risk_is_the_administrators_and_ends(signed_in: SignedIn) -> None:
    one = finding()
    step(signed_in(Role.ANALYST), one.pk, "accepted", days=90)
    one.refresh_from_db()
    assert one.state == "open"
    admin = signed_in(Role.ADMINISTRATOR)
    step(admin, one.pk, "accepted", days=7)
    one.refresh_from_db()
    assert one.state == "open", "seven days are not offered"
    step(admin, one.pk, "accepted", days=90)
    one.refresh_from_db()
    assert (one.state, one.approver) == ("accepted", "administrator")
    assert one.accepted_until_ns is not None
    assert abs(one.accepted_until_ns - wall_clock() - 90 * DAY) < DAY


def test_a_step_the_table_does_not_know_is_refused_in_words(signed_in: SignedIn) -> None:
    one = finding()
    client = signed_in(Role.ANALYST)
    step(client, one.pk, "false_positive")
    answer = client.post(f"/findings/{one.pk}/steps/", {"state": "resolved", "reason": "x"}, follow=True)
    one.refresh_from_db()
    assert one.state == "false_positive"
    assert "may not take a finding from false positive to resolved" in answer.content.decode()


def test_a_viewer_is_offered_no_step(signed_in: SignedIn) -> None:
    page = signed_in(Role.VIEWER).get(f"/findings/{finding().pk}/").content.decode()
    assert "Your role may look at findings, not move them." in page
    assert "/steps/" not in page


def test_many_are_moved_at_once_and_refusals_are_named(signed_in: SignedIn) -> None:
    ids = list(Finding.objects.filter(state="open").order_by("pk").values_list("pk", flat=True)[:3])
    Finding.objects.filter(pk=ids[0]).update(state="accepted")
    answer = signed_in(Role.ANALYST).post(
        "/findings/steps/", {"id": ids, "state": "acknowledged", "reason": "triaged"}, follow=True
    )
    states = dict(Finding.objects.filter(pk__in=ids).values_list("pk", "state"))
    assert states == {ids[0]: "accepted", ids[1]: "acknowledged", ids[2]: "acknowledged"}
    page = answer.content.decode()
    assert "Acknowledge: 2 of 3 findings." in page
    assert "1 left as they were" in page


def test_download_follows_the_filter(signed_in: SignedIn) -> None:
    answer = signed_in(Role.ANALYST).get("/findings/export.csv?severity=high")
    lines = answer.getvalue().decode().splitlines()
    assert len(lines) - 1 >= Finding.objects.filter(severity="high", state="open").count() > 0


def test_the_same_elsewhere_is_the_same_vulnerability(signed_in: SignedIn) -> None:
    first, second, third = Finding.objects.filter(state="open").order_by("pk")[:3]
    for one, name in ((first, "20-001-01"), (second, "20-001-01"), (third, "20-002-02")):
        Finding.objects.filter(pk=one.pk).update(
            type="vulnerability", title=f"Affected by ICSMA-{name}: pump"
        )
    page = signed_in(Role.VIEWER).get(f"/findings/{first.pk}/").content.decode()
    assert f"/findings/{second.pk}/" in page
    assert f"/findings/{third.pk}/" not in page
    assert "Known vulnerability</a></nav>" in page
