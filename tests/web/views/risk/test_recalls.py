from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from tests.web.conftest import ClientMaker

from medwarden.app.recall_desk import Entered, enter, notice_of
from medwarden.app.recalls import refresh
from medwarden.model.role import Role
from medwarden.store.models import Device, RecallCase, RecallNotice, Site
from medwarden.store.open import Store

PUMPS = Entered(
    title="Space pumps may stop", maker="B. Braun", product="Infusomat Space", serials="1000 to 2000",
    number="FSN-1", recall_class="I", reason="It stops.", action="Return it.", begun="2026-01-02",
)  # fmt: skip


@pytest.fixture
def recalled(store: Store) -> Device:
    """Return a pump that a notice names by its serial number."""
    pumps = Device.objects.filter(model="Infusomat Space").order_by("pk")
    first, second = pumps[0], pumps[1]
    Device.objects.filter(pk=first.pk).update(serial="1500")
    Device.objects.filter(pk=second.pk).update(serial="900")
    enter("default", notice_of(PUMPS), actor="user:anna", reason="post")
    refresh(store.home, "default")
    return first


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode()


def case_of(device: Device) -> RecallCase:
    return RecallCase.objects.get(device=device.pk, notice__number="FSN-1")


def test_the_board_before_anything_was_compared_says_what_to_do(signed_in: ClientMaker) -> None:
    text = page(signed_in(Role.BIOMEDICAL_ENGINEER), "/risk/recalls/")
    assert "Nothing was compared yet" in text
    assert "Enter a notice by hand" in text
    assert "Enter a notice by hand" not in page(signed_in(Role.VIEWER), "/risk/recalls/")


def test_the_board_and_one_notice(recalled: Device, signed_in: ClientMaker) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    text = page(client, "/risk/recalls/")
    assert "Space pumps may stop" in text
    assert "Class I" in text
    assert "Space pumps may stop" not in page(client, "/risk/recalls/?class=III")
    assert "No notice matches" in page(client, "/risk/recalls/?q=nobody")
    text = page(client, "/risk/recalls/notice/FSN-1/")
    assert "1 device here is affected" in text
    assert "is one of 1000 to 2000" in text
    assert "missing: its serial number" in text
    only = page(client, "/risk/recalls/notice/FSN-1/?verdict=not_affected")
    assert "900 is none of those named" in only
    assert "is one of 1000 to 2000" not in only
    assert client.get("/risk/recalls/notice/FSN-9/").status_code == 404
    assert recalled.name is not None
    assert recalled.name in page(client, f"/risk/recalls/devices/?q={recalled.pk}")


def test_work_on_one_and_on_many(recalled: Device, signed_in: ClientMaker) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    case = case_of(recalled)
    where = f"/risk/recalls/notice/FSN-1/{recalled.pk}/"
    assert "What was compared" in page(client, where)
    form = {"id": case.pk, "notice": "FSN-1", "device": recalled.pk, "step": "corrected"}
    answer = client.post("/risk/recalls/work/", form, follow=True)
    assert "Say what was done or seen" in answer.content.decode()
    form |= {
        "evidence": "battery replaced",
        "references": "DMS 12\nDMS 13",
        "owner": "Bert",
        "work_order": "WO-1",
    }
    answer = client.post("/risk/recalls/work/", form, follow=True)
    text = answer.content.decode()
    assert answer.redirect_chain[-1][0].startswith(where)
    assert "DMS 13" in text
    assert "WO-1" in text
    assert case_of(recalled).step == "corrected"
    undo = {"id": case.pk, "notice": "FSN-1", "device": recalled.pk, "reason": "wrong pump"}
    for _ in range(3):
        client.post("/risk/recalls/undo/", undo)
    assert case_of(recalled).step == "found"
    many = list(RecallCase.objects.filter(notice__number="FSN-1").values_list("pk", flat=True))
    bulk = {"id": many, "notice": "FSN-1", "step": "assessed", "evidence": "all looked at"}
    client.post("/risk/recalls/work/", bulk)
    assert set(RecallCase.objects.values_list("step", flat=True)) == {"assessed"}


def test_a_notice_is_closed_with_a_record_and_opened_again(recalled: Device, signed_in: ClientMaker) -> None:
    del recalled
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    change = "/risk/recalls/notice/FSN-1/change/"
    answer = client.post(change, {"what": "close", "reason": "done"}, follow=True)
    assert "are not done" in answer.content.decode()
    client.post(change, {"what": "close", "reason": "done", "despite": "on paper"})
    assert RecallNotice.objects.get(number="FSN-1").closed_ns is not None
    assert "on paper" in page(client, "/risk/recalls/notice/FSN-1/")
    assert "Space pumps" in page(client, "/risk/recalls/?work=closed")
    report = client.get("/risk/recalls/notice/FSN-1/report.html")
    assert report["Content-Disposition"].startswith("attachment")
    assert b"on paper" in report.content
    assert client.get("/risk/recalls/notice/FSN-1/report.json").json()["closure"]["despite"] == "on paper"
    table = b"".join(client.get("/risk/recalls/notice/FSN-1/report.csv").streaming_content)  # type: ignore[attr-defined]
    assert table.startswith(b"notice,class,title")
    assert client.get("/risk/recalls/notice/FSN-1/report.pdf").status_code == 404
    client.post(change, {"what": "reopen", "reason": "not yet"})
    assert RecallNotice.objects.get(number="FSN-1").closed_ns is None
    client.post(change, {"what": "describe", "owner": "Bert", "contact": "call", "note": "n"})
    assert RecallNotice.objects.get(number="FSN-1").owner == "Bert"
    assert "choose what to do" in client.post(change, {"what": "x"}, follow=True).content.decode().lower()


def test_a_notice_is_entered_corrected_and_withdrawn_on_the_page(
    store: Store, signed_in: ClientMaker
) -> None:
    del store
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    form = {
        "title": "Pumps",
        "maker": "B. Braun",
        "product": "Infusomat Space",
        "number": "FSN/7",
        "wrong": "It stops.",
    }
    answer = client.post("/risk/recalls/enter/", form)
    assert answer["Location"].endswith("/risk/recalls/notice/FSN-7/")
    row = RecallNotice.objects.get(number="FSN-7")
    assert row.body["reason"] == "It stops."
    change = "/risk/recalls/notice/FSN-7/change/"
    client.post(change, {**form, "what": "correct", "serials": "5 to 9", "reason": "second letter"})
    assert RecallNotice.objects.get(number="FSN-7").version == 2
    assert "Version 2" in page(client, "/risk/recalls/notice/FSN-7/")
    client.post(change, {"what": "withdraw", "reason": "not ours"})
    assert RecallNotice.objects.get(number="FSN-7").withdrawn
    wrong = client.post("/risk/recalls/enter/", {"title": "", "maker": ""}, follow=True)
    assert "needs a title" in wrong.content.decode()
    bad = SimpleUploadedFile("x.json", b"[]", "application/json")
    answer = client.post("/risk/recalls/enter/", {"document": bad}, follow=True)
    assert answer.status_code == 200
    assert RecallNotice.objects.filter(origin="csaf").count() == 0


def test_lists_are_downloaded_and_days_changed(recalled: Device, signed_in: ClientMaker) -> None:
    del recalled
    client = signed_in(Role.ADMINISTRATOR)
    body = b"".join(client.get("/risk/recalls/export.csv").streaming_content)  # type: ignore[attr-defined]
    assert b"FSN-1" in body
    assert client.get("/risk/recalls/export.pdf").status_code == 404
    days = {"days_I": "2", "days_II": "20", "days_III": "90", "days_unclassified": "30", "reason": "rule 7"}
    client.post("/risk/recalls/days/", days)
    assert 'value="2"' in page(client, "/risk/recalls/")
    answer = client.post("/risk/recalls/days/", days | {"days_I": "x"}, follow=True)
    assert "whole numbers" in answer.content.decode()


def test_devices_to_replace(recalled: Device, signed_in: ClientMaker) -> None:
    text = page(signed_in(Role.BIOMEDICAL_ENGINEER), "/risk/replacement/")
    assert "A class I recall concerns it." in text
    assert recalled.name is not None
    assert recalled.name in text
    assert page(signed_in(Role.BIOMEDICAL_ENGINEER), "/risk/replacement/?urgency=now")


def test_only_who_may_changes_and_other_sites_are_not_there(recalled: Device, signed_in: ClientMaker) -> None:
    Site.objects.create(id="elsewhere", tenant_id="default", name="Elsewhere", created_ns=1)
    viewer = signed_in(Role.VIEWER)
    assert viewer.post("/risk/recalls/work/", {"id": case_of(recalled).pk}).status_code == 403
    assert viewer.get("/risk/recalls/notice/FSN-1/report.html").status_code == 403
    far = signed_in(Role.BIOMEDICAL_ENGINEER, "far", ("elsewhere",))
    assert case_of(recalled).label not in page(far, "/risk/recalls/devices/")
    work = {"id": case_of(recalled).pk, "evidence": "seen"}
    text = far.post("/risk/recalls/work/", work, follow=True).content.decode()
    assert "may see" in text
    closing = {"what": "close", "reason": "x", "despite": "y"}
    text = far.post("/risk/recalls/notice/FSN-1/change/", closing, follow=True).content.decode()
    assert "concerns every site" in text


def test_the_api_says_and_does_the_same(recalled: Device, signed_in: ClientMaker) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    api = "/api/v1"
    found = client.get(f"{api}/recalls").json()
    assert [n["number"] for n in found["items"]] == ["FSN-1"]
    assert found["items"][0]["affected"] == 1
    rows = client.get(f"{api}/recalls/devices?notice=FSN-1&verdict=affected").json()["items"]
    assert [r["device"] for r in rows] == [recalled.pk]
    assert rows[0]["aspects"][0]["name"] == "maker"
    assert client.get(f"{api}/recalls/notices/FSN-1").json()["notice"]["title"] == PUMPS.title
    assert client.get(f"{api}/recalls/notices/none").status_code == 404
    assert client.get(f"{api}/devices/{recalled.pk}/recalls").json()[0]["state"] == "affected"
    assert client.get(f"{api}/devices/nobody/recalls").status_code == 404
    case = case_of(recalled).pk

    def post(path: str, body: Mapping[str, object]) -> tuple[int, Any]:
        answer = client.post(f"{api}{path}", json.dumps(body), content_type="application/json")
        return answer.status_code, answer.json() if answer.content else None

    assert post("/recalls/work", {"cases": [case], "step": "assessed"})[0] == 422
    assert post("/recalls/work", {"cases": ["x"], "step": "assessed"})[0] == 404
    work = {"cases": [case], "step": "assessed", "evidence": "looked", "references": ["DMS 1"]}
    assert post("/recalls/work", work) == (200, {"cases": 1})
    assert client.get(f"{api}/recalls/cases/{case}/steps").json()[0]["evidence"] == "looked"
    assert post(f"/recalls/cases/{case}/undo", {"reason": "no"}) == (200, {"kind": "step"})
    assert post("/recalls/notices/FSN-1/close", {"reason": "x"})[0] == 422
    status, record = post("/recalls/notices/FSN-1/close", {"reason": "x", "despite": "y"})
    assert (status, record["despite"]) == (200, "y")
    assert post("/recalls/notices/FSN-1/reopen", {"reason": "z"}) == (204, None)
    assert client.get(f"{api}/recalls/notices/FSN-1/history").json()
    made = post("/recalls", {"title": "T", "maker": "B. Braun", "product": "Infusomat Space", "number": "F2"})
    assert made == (200, {"number": "F2"})
    assert client.get(f"{api}/replacement").json()[0]["why"]
