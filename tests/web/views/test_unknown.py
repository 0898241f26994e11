"""What nobody could name: asked in groups, answered after a preview, taken back; by page and API alike."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Callable, Mapping

import pytest
from django.test import Client

from medwarden.model.device import Device as ModelDevice
from medwarden.model.device import Verdict
from medwarden.model.role import Role
from medwarden.store import queries as q
from medwarden.store.changes import Change
from medwarden.store.identities import record_identities
from medwarden.store.models import Answer, Device
from medwarden.web import recent

SignedIn = Callable[..., Client]


@pytest.fixture(autouse=True)
def strangers(store: object) -> list[str]:
    """Make three devices strangers again: class alone is known of them."""
    recent.forget()
    ids = list(
        Device.objects.filter(category="infusion_pump").order_by("id").values_list("id", flat=True)[:3]
    )
    assert len(ids) == 3
    found: list[ModelDevice] = []
    for device in q.complete_devices(ids):
        verdicts = (Verdict("class", "IoMT", 0.95),)
        found.append(
            ModelDevice(
                id=device.id,
                site=device.site,
                macs=device.macs,
                ips=device.ips,
                ledger=device.ledger,
                verdicts=verdicts,
                last_seen=device.last_seen,
            )
        )
    site = Device.objects.values_list("site_id", flat=True).get(pk=ids[0])
    with Change("test", "test", "none", site=site) as change:
        record_identities(change, found)
    return ids


def body(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, answer.content
    return html.unescape(answer.content.decode())


def test_the_queue_leads_to_a_question(signed_in: SignedIn, strangers: list[str]) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    page = body(client, "/devices/unknown/")
    targets = re.findall(r'href="(/devices/unknown/u-[^/]+/)', page)
    assert targets
    listed = "".join(body(client, target) for target in targets)
    for device in strangers:
        assert f"/devices/{device}/" in listed


def test_who_may_not_answer_sees_the_queue_without_a_way_to(
    signed_in: SignedIn, strangers: list[str]
) -> None:
    client = signed_in(Role.VIEWER)
    assert "/devices/unknown/u-" not in body(client, "/devices/unknown/")
    assert client.get(f"/devices/unknown/{strangers[0]}/").status_code == 403
    assert client.post("/devices/answers/a-x/undo/", {"reason": "x"}).status_code == 403


def test_a_preview_changes_nothing_and_an_answer_does(signed_in: SignedIn, strangers: list[str]) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    target = f"/devices/unknown/{strangers[0]}/"
    said = {"category": "ventilator", "vendor": "Hamilton Medical", "reason": "type plate"}
    shown = client.post(target, {**said, "step": "preview"})
    assert "What it would change" in shown.content.decode()
    assert Answer.objects.count() == 0
    assert Device.objects.get(pk=strangers[0]).category != "ventilator"
    done = client.post(target, {**said, "step": "answer"}, follow=True)
    assert "is kept" in done.content.decode()
    assert Device.objects.get(pk=strangers[0]).category == "ventilator"
    page = body(client, "/devices/answers/")
    assert "type plate" in page
    key = Answer.objects.get().pk
    undone = client.post(f"/devices/answers/{key}/undo/", {"reason": "wrong room"}, follow=True)
    assert "taken back" in undone.content.decode()
    assert Device.objects.get(pk=strangers[0]).category != "ventilator"
    assert "taken back by" in body(client, "/devices/answers/")


def test_an_answer_that_means_nothing_is_said_so(signed_in: SignedIn, strangers: list[str]) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    answer = client.post(f"/devices/unknown/{strangers[0]}/", {"category": "toaster", "step": "answer"})
    assert "There is no category" in answer.content.decode()
    assert Answer.objects.count() == 0
    assert client.get("/devices/unknown/u-none/").status_code == 404


def test_the_api_asks_answers_and_takes_back(signed_in: SignedIn, strangers: list[str]) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    queue = json.loads(body(client, "/api/v1/unknown"))
    assert set(strangers) <= {device for cluster in queue["items"] for device in cluster["devices"]}
    wanted = {"devices": [strangers[1]], "labels": {"category": "ventilator"}, "reason": "seen"}

    def post(path: str, content: Mapping[str, object]) -> dict[str, object]:
        answer = client.post(f"/api/v1/{path}", json.dumps(content), content_type="application/json")
        assert answer.status_code == 200, answer.content
        found: dict[str, object] = json.loads(answer.content)
        return found

    assert post("answers/preview", wanted)["devices"] == [strangers[1]]
    post("answers", wanted)
    assert Device.objects.get(pk=strangers[1]).category == "ventilator"
    (given,) = json.loads(body(client, "/api/v1/answers"))["items"]
    post(f"answers/{given['id']}/undo", {"reason": "no"})
    assert json.loads(body(client, "/api/v1/answers"))["items"][0]["undone_ns"]


def test_the_queue_is_taken_away_as_a_form_to_fill_in(signed_in: SignedIn, strangers: list[str]) -> None:
    answer = signed_in(Role.ANALYST).get("/devices/unknown/export.csv")
    pieces = getattr(answer, "streaming_content")  # noqa: B009 (the stub knows only whole answers)
    rows = list(csv.DictReader(io.StringIO(b"".join(pieces).decode())))
    assert set(strangers) <= {device for row in rows for device in row["ids"].split()}
    assert {row["category"] for row in rows} == {""}
