from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from tests.app.test_vulnerabilities import advisory, take_in
from tests.web.conftest import ClientMaker

from medwarden.app.vulnerabilities import refresh
from medwarden.model.role import Role
from medwarden.store.models import Device, MakerLetter
from medwarden.store.open import Store

CVE = "CVE-2020-0001"


@pytest.fixture
def open_question(store: Store, tmp_path: object) -> Store:
    """Return a store in which nobody says whether pumps of unknown version are affected."""
    from pathlib import Path

    assert isinstance(tmp_path, Path)
    Device.objects.filter(model="Infusomat Space").update(firmware=None)
    take_in(store.home, tmp_path, advisory("MADE-1", "<= 2.5"))
    refresh(store.home, "default")
    return store


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode()


def test_from_the_suggestion_to_the_answer(open_question: Store, signed_in: ClientMaker) -> None:
    del open_question
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    assert "Write the letter" in page(client, "/risk/letters/")
    form = {"maker": "B. Braun", "model": "Infusomat Space", "firmware": "", "vulnerabilities": CVE}
    answer = client.post("/risk/letters/write/", form)
    (row,) = MakerLetter.objects.all()
    where = f"/risk/letters/{row.pk}/"
    assert answer["Location"].endswith(where)
    assert CVE in page(client, where)
    again = client.post("/risk/letters/write/", form, follow=True)
    assert "asks that already" in again.content.decode()
    step = f"{where}step/"
    client.post(step, {"what": "edit", "text": f"Dear team, {CVE}?"})
    client.post(step, {"what": "send", "to": "security@bbraun.example", "sent": "2020-01-01"})
    text = page(client, "/risk/letters/?state=late")
    assert row.pk in text
    client.post(step, {"what": "remind"})
    assert "No letter matches" in page(client, "/risk/letters/?state=late")
    fixed = {"what": "answer", "vulnerability": [CVE], "status": ["fixed in the version named"]}
    wrong = client.post(step, fixed | {"fixed_in": [""], "detail": [""]}, follow=True)
    assert "in which version" in wrong.content.decode()
    client.post(
        step,
        {
            "what": "answer",
            "vulnerability": [CVE],
            "status": ["not affected"],
            "fixed_in": [""],
            "detail": ["no"],
        },
    )
    row.refresh_from_db()
    assert row.state == "answered"
    shown = page(client, where)
    assert "not affected" in shown
    assert shown.index("What the maker says") < shown.index("<h2>The letter</h2>")
    assert "Correct or complete the answer" in shown
    client.post(step, {"what": "undo", "reason": "another model"})
    row.refresh_from_db()
    assert row.state == "sent"
    client.post(step, {"what": "close", "reason": "no answer"})
    row.refresh_from_db()
    assert row.state == "closed"
    assert "Choose what to do" in client.post(step, {"what": "x"}, follow=True).content.decode()


def test_files_documents_and_who_may(open_question: Store, signed_in: ClientMaker) -> None:
    del open_question
    client = signed_in(Role.ANALYST)
    form = {"maker": "B. Braun", "model": "Infusomat Space", "firmware": "", "vulnerabilities": CVE}
    client.post("/risk/letters/write/", form)
    (row,) = MakerLetter.objects.all()
    for kind in ("txt", "html", "csv"):
        answer = client.get(f"/risk/letters/{row.pk}/file.{kind}")
        assert CVE.encode() in answer.content
    assert client.get(f"/risk/letters/{row.pk}/file.doc").status_code == 404
    assert client.get("/risk/letters/L-9/").status_code == 404
    client.post(f"/risk/letters/{row.pk}/step/", {"what": "send", "to": "portal"})
    document = advisory("BBRAUN-1", "2.0")
    upload = SimpleUploadedFile("answer.json", json.dumps(document).encode(), "application/json")
    client.post(f"/risk/letters/{row.pk}/step/", {"what": "answer", "document": upload})
    row.refresh_from_db()
    assert (row.state, row.document) == ("answered", "answer.json")
    viewer = signed_in(Role.VIEWER)
    assert viewer.post("/risk/letters/write/", form).status_code == 403
    assert "Write the letter" not in page(viewer, "/risk/letters/")


def test_the_api_says_and_does_the_same(open_question: Store, signed_in: ClientMaker) -> None:
    del open_question
    client, api = signed_in(Role.BIOMEDICAL_ENGINEER), "/api/v1"

    def post(path: str, body: Mapping[str, object]) -> int:
        return client.post(f"{api}{path}", json.dumps(body), content_type="application/json").status_code

    asking = client.get(f"{api}/letters/suggested").json()[0]
    assert asking["vulnerabilities"] == [CVE]
    asked = {name: asking[name] for name in ("maker", "model", "firmware", "vulnerabilities")}
    assert post("/letters", asked) == 200
    number = client.get(f"{api}/letters").json()["items"][0]["number"]
    assert post(f"/letters/{number}/sent", {"to": ""}) == 422
    assert post(f"/letters/{number}/sent", {"to": "portal"}) == 204
    assert post(f"/letters/{number}/reminded", {}) == 204
    assert post(f"/letters/{number}/answer", {"document": "{"}) == 422
    said = {"answers": [{"vulnerability": CVE, "status": "affected"}], "source": "mail"}
    assert post(f"/letters/{number}/answer", said) == 200
    assert client.get(f"{api}/letters?state=answered").json()["total"] == 1
    assert post(f"/letters/{number}/undo", {"reason": "no"}) == 200
    assert post(f"/letters/{number}/close", {"reason": "no"}) == 204
