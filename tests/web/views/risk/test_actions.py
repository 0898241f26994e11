from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from medwarden.kernel.clock import NANOSECONDS, iso, wall_clock
from medwarden.model.role import Role
from medwarden.store.models import AuditEntry, Finding, RiskAcceptance, WorkAction, WorkEvent

SignedIn = Callable[..., Client]


def text(answer: object) -> str:
    content = getattr(answer, "content")  # noqa: B009 (a response of the test client)
    return re.sub(r"\s+", " ", content.decode())


@pytest.fixture
def first(signed_in: SignedIn) -> WorkAction:
    """The most urgent action of the furnished hospital, once somebody looked at the queue."""
    signed_in(Role.VIEWER).get("/risk/actions/")
    return WorkAction.objects.filter(present=True, devices__gt=0).order_by("-priority", "due_ns", "id")[0]


def test_page_api_and_export_say_the_same_and_add_up(signed_in: SignedIn, first: WorkAction) -> None:
    client = signed_in(Role.ANALYST)
    page = text(client.get("/risk/actions/"))
    api = client.get("/api/v1/work?per=1000").json()
    totals = client.get("/api/v1/work/totals").json()
    exported = list(csv.DictReader(io.StringIO("".join(
        part.decode() for part in client.get("/risk/actions/export.csv")
    ))))  # fmt: skip
    assert (
        api["total"] == totals["actions"] == len(exported) == WorkAction.objects.filter(devices__gt=0).count()
    )
    assert sum(row["findings"] for row in api["items"]) == totals["findings"]
    open_now = Finding.objects.filter(state__in=("open", "acknowledged")).exclude(kind="vulnerability")
    assert totals["findings"] == open_now.count(), "each finding belongs to one action"
    assert totals["devices"] == open_now.values("device").distinct().count()
    assert [row["id"] for row in exported] == [row["id"] for row in api["items"]]
    assert f"close {totals['findings']:,} findings on {totals['devices']:,} devices" in page
    assert api["items"][0]["id"] == first.pk
    one = client.get(f"/api/v1/work/{first.pk}").json()
    live = [device for device in one["devices"] if not device["accepted"]]
    assert len(live) == first.devices
    assert sum(device["findings"] for device in live) == first.findings
    shown = text(client.get(f"/risk/actions/{first.pk}/"))
    assert first.title.split(" (")[0] in shown.replace("&#x27;", "'")


def test_the_list_is_filtered_and_sorted_by_its_url(signed_in: SignedIn, first: WorkAction) -> None:
    client = signed_in(Role.VIEWER)
    grave = client.get("/api/v1/work?severity=critical&per=1000").json()["items"]
    assert {row["severity"] for row in grave} <= {"critical"}
    by_due = [row["due_ns"] for row in client.get("/api/v1/work?sort=due&per=1000").json()["items"]]
    assert by_due == sorted(by_due)
    assert client.get("/api/v1/work?due=late&per=1000").json()["total"] == len(
        [d for d in by_due if d < wall_clock()]
    )
    assert "No action matches" in text(client.get("/risk/actions/?q=nothingofthekind"))
    assert client.get("/risk/actions/?sort=evil&page=x&view=none&due=never").status_code == 200
    device = client.get(f"/api/v1/work/{first.pk}").json()["devices"][0]["id"]
    about = client.get(f"/api/v1/work?device={device}&per=1000").json()["items"]
    assert first.pk in {row["id"] for row in about}


def test_several_are_assigned_in_one_decision_and_taken_back(signed_in: SignedIn, first: WorkAction) -> None:
    client = signed_in(Role.ANALYST)
    ids = list(WorkAction.objects.filter(devices__gt=0).values_list("pk", flat=True)[:3])
    answer = client.post(
        "/risk/actions/steps/",
        {"id": ids, "owner": "analyst", "state": "in_progress", "due": "2031-05-06", "reason": "week 48"},
        follow=True,
    )
    assert "3 actions are changed" in text(answer)
    chosen = WorkAction.objects.filter(pk__in=ids)
    assert set(chosen.values_list("owner", "state")) == {("analyst", "in_progress")}
    assert AuditEntry.objects.filter(action="work.owner", actor="user:analyst").count() == 3
    page = text(client.get(f"/risk/actions/{ids[0]}/"))
    assert "Owner: analyst" in page
    batch = WorkEvent.objects.filter(action_id=ids[0], what="owner").get().batch
    back = client.post(f"/risk/actions/decisions/{batch}/undo/", {"action": ids[0]}, follow=True)
    assert "Taken back: 9 steps" in text(back)
    assert set(chosen.values_list("owner", "state")) == {("", "open")}


def test_what_cannot_be_is_said_and_changes_nothing(signed_in: SignedIn, first: WorkAction) -> None:
    client = signed_in(Role.ANALYST)
    cases: tuple[tuple[dict[str, object], str], ...] = (
        ({"id": [first.pk], "owner": "nobody known", "reason": "x"}, "no person"),
        ({"id": [first.pk], "state": "verified", "reason": "x"}, "evidence alone"),
        ({"id": [first.pk], "due": "soon", "reason": "x"}, "is no day"),
        ({"id": [first.pk], "state": "finished", "reason": "x"}, "no state"),
        ({"id": [], "state": "done", "reason": "x"}, "at least one"),
        ({"id": ["w-none"], "state": "done", "reason": "x"}, "no action"),
    )
    for wrong, said in cases:
        assert said in text(client.post("/risk/actions/steps/", wrong, follow=True))
    assert not WorkEvent.objects.filter(actor__startswith="user:").exists()


def test_one_asks_and_another_accepts(signed_in: SignedIn, first: WorkAction) -> None:
    analyst, chief = signed_in(Role.ANALYST), signed_in(Role.ADMINISTRATOR)
    wish = {
        "scope": "site",
        "days": "90",
        "reason": "replacement in spring",
        "conditions": "no remote access",
    }
    asked = analyst.post(f"/risk/actions/{first.pk}/accept/", wish, follow=True)
    assert "Asked" in text(asked)
    borne = RiskAcceptance.objects.get()
    assert (borne.state, WorkAction.objects.get(pk=first.pk).devices) == ("asked", first.devices)
    assert analyst.post(f"/risk/actions/accepted/{borne.pk}/decide/").status_code == 403
    assert "Waiting for a decision" in text(chief.get("/risk/actions/"))
    done = chief.post(
        f"/risk/actions/accepted/{borne.pk}/decide/", {"decision": "approve", "reason": "agreed"}, follow=True
    )
    assert "The risk is accepted" in text(done)
    row = WorkAction.objects.get(pk=first.pk)
    assert (row.devices, row.shown["accepted"]) == (0, first.devices)
    of_type = Finding.objects.filter(type__in=first.shown["types"])
    assert set(of_type.values_list("state", flat=True)) == {"accepted"}
    assert first.pk not in {r["id"] for r in analyst.get("/api/v1/work?per=1000").json()["items"]}
    assert first.pk in {r["id"] for r in analyst.get("/api/v1/work?view=accepted").json()["items"]}
    ended = analyst.post(f"/risk/actions/accepted/{borne.pk}/end/", {"reason": "sold"}, follow=True)
    assert "open again" in text(ended)
    assert WorkAction.objects.get(pk=first.pk).devices == first.devices
    assert "accepted" not in set(of_type.values_list("state", flat=True))


def test_the_table_comes_back_with_its_errors_named(signed_in: SignedIn, first: WorkAction) -> None:
    client = signed_in(Role.NETWORK_ENGINEER)
    table = f"id,owner,team,state\n{first.pk},Biomedical engineering,yes,waiting_window\nw-none,x,yes,open\n"
    upload = SimpleUploadedFile("work.csv", table.encode(), content_type="text/csv")
    said = text(client.post("/risk/actions/import/", {"table": upload}, follow=True))
    assert "1 actions changed" in said
    assert "Line 3" in said
    row = WorkAction.objects.get(pk=first.pk)
    assert (row.owner, row.team, row.state) == ("Biomedical engineering", True, "waiting_window")
    bad = SimpleUploadedFile("work.csv", b"nothing", content_type="text/csv")
    assert "no column id" in text(client.post("/risk/actions/import/", {"table": bad}, follow=True))
    assert "Choose a CSV" in text(client.post("/risk/actions/import/", follow=True))


def test_the_api_changes_accepts_and_takes_back(signed_in: SignedIn, first: WorkAction) -> None:
    client = signed_in(Role.ADMINISTRATOR)

    def post(path: str, body: Mapping[str, object], status: int = 200) -> dict[str, object]:
        answer = client.post(f"/api/v1/work/{path}", json.dumps(body), content_type="application/json")
        assert answer.status_code == status, answer.content
        return dict(answer.json())

    decision = post("steps", {"actions": [first.pk], "labels": ["ward 3"], "note": "called Philips"})[
        "decision"
    ]
    one = client.get(f"/api/v1/work/{first.pk}").json()
    assert one["action"]["labels"] == ["ward 3"]
    assert {event["what"] for event in one["history"]} >= {"labels", "note", "opened"}
    assert post(f"decisions/{decision}/undo", {})["steps"] == 2
    assert "already" in str(post(f"decisions/{decision}/undo", {}, 422)["detail"])
    device = one["devices"][0]["id"]
    wish = {"scope": "device", "until": "2999-01-01", "devices": [device], "reason": "x"}
    assert "days at most" in str(post(f"{first.pk}/accept", wish, 422)["detail"])
    soon = {**wish, "until": iso(wall_clock() + 30 * 86_400 * NANOSECONDS)[:10]}
    borne = post(f"{first.pk}/accept", soon)
    assert (borne["state"], borne["approver"]) == ("approved", "administrator")
    assert client.get("/api/v1/work/accepted").json()[0]["id"] == borne["id"]
    assert post(f"accepted/{borne['id']}/end", {"reason": "done"})["state"] == "withdrawn"
    post("w-none/accept", wish, 404)
    post("steps", {"actions": [first.pk], "state": "nowhere"}, 422)
    assert post("table", {"table": f"id,labels\n{first.pk},urgent\n"})["changed"] == 1


def test_a_person_of_another_site_sees_none_of_it(signed_in: SignedIn, first: WorkAction) -> None:
    from medwarden.store.open import ensure_site

    ensure_site(None, "faraway")
    client = signed_in(Role.ANALYST, "far", ("faraway",))
    assert client.get("/api/v1/work").json()["total"] == 0
    assert client.get(f"/risk/actions/{first.pk}/").status_code == 404
    assert client.get(f"/api/v1/work/{first.pk}").status_code == 404
    said = text(
        client.post("/risk/actions/steps/", {"id": [first.pk], "owner": "far", "reason": "x"}, follow=True)
    )
    assert "no action" in said


def test_a_hospital_without_open_findings_says_so(signed_in: SignedIn) -> None:
    Finding.objects.all().update(state="resolved", changed_ns=wall_clock())
    assert "Nothing to do" in text(signed_in(Role.VIEWER).get("/risk/actions/"))
