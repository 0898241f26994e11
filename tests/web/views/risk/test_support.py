"""Ends of support on pages, in lists, exports and the API: the same everywhere, with who says so."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from medwarden.model.role import Role
from medwarden.store.models import AuditEntry, Device
from medwarden.store.open import Store

SignedIn = Callable[..., Client]
LIST = (
    "Maker,Model,End of sale,End of support,Link\n"
    "Acme,Carewave 9,2018-12-31,2020-12-31,https://x.example/letter\nAcme,,,2020-01-01,\n"
)


def text(answer: object) -> str:
    content = getattr(answer, "content")  # noqa: B009 (a response of the test client)
    return re.sub(r"\s+", " ", content.decode())


@pytest.fixture
def beds(store: Store) -> list[Device]:
    found = list(Device.objects.filter(retired_at=None).exclude(ips=[]).order_by("pk")[:2])
    Device.objects.filter(pk=found[0].pk).update(vendor="ACME Inc.", model="Carewave-9", os=None)
    Device.objects.filter(pk=found[1].pk).update(vendor="Acme", model="Carewave", os=None)
    return found


def upload(client: Client, content: str = LIST, **more: str) -> str:
    table = SimpleUploadedFile("letter.csv", content.encode())
    form = {"name": "Letters", "table": table, **more}
    return text(client.post("/risk/support/import/", form, follow=True))


def test_a_list_is_brought_in_shown_and_taken_back(signed_in: SignedIn, beds: list[Device]) -> None:
    client, (sure, perhaps) = signed_in(Role.BIOMEDICAL_ENGINEER), beds
    said = upload(client)
    assert re.search(r"Letters: 2 ends, 1 lines unusable; of [\d,]+ devices something else is said", said)
    assert "Line 3: it names no model." in said
    assert "Letters holds this very file already" in upload(client)
    page = text(client.get("/risk/support/?q=carewave&sort=-day"))
    assert page.count("https://x.example/letter") == 4 and "the list Letters" in page
    assert "surely" in page and "perhaps" in page
    only = client.get("/api/v1/support?q=carewave&sure=true&when=ended&ending=support").json()
    assert [(e["device"], e["day"], e["source"]) for e in only["items"]] == [
        (sure.pk, "2020-12-31", "the list Letters")
    ]
    assert client.get("/api/v1/support?when=never").status_code == 422
    assert client.get("/api/v1/support?ending=patience").status_code == 422
    rows = csv.DictReader(
        io.StringIO("".join(part.decode() for part in client.get("/risk/support/export.csv?q=carewave")))
    )
    assert {(r["device"], r["ending"], r["state"]) for r in rows} == {
        (sure.pk, "sale", "confirmed"), (sure.pk, "support", "confirmed"),
        (perhaps.pk, "sale", "potential"), (perhaps.pk, "support", "potential"),
    }  # fmt: skip
    assert client.get("/risk/support/export.pdf").status_code == 404
    assert "say why" in text(client.post("/risk/support/lists/Letters/undo/", follow=True)).lower()
    client.post("/risk/support/lists/Letters/undo/", {"reason": "the wrong letter"})
    assert client.get("/api/v1/support?q=carewave").json()["total"] == 0
    assert AuditEntry.objects.filter(action="support_list.undone", reason="the wrong letter").exists()
    upload(client)
    client.post("/risk/support/lists/Letters/undo/", {"reason": "no longer kept", "step": "remove"})
    assert client.get("/api/v1/support/lists").json() == []


def test_the_device_and_the_list_of_devices_say_it(signed_in: SignedIn, beds: list[Device]) -> None:
    client, (sure, perhaps) = signed_in(Role.BIOMEDICAL_ENGINEER), beds
    upload(client)
    for tab in ("identity", "risk"):
        page = text(client.get(f"/devices/{sure.pk}/?tab={tab}"))
        assert "Until when it is supported" in page and "2020-12-31" in page
        assert "the device is held for ACME Inc. Carewave-9: it is meant." in page
        assert "https://x.example/letter" in page
    doubtful = text(client.get(f"/devices/{perhaps.pk}/?tab=risk"))
    assert "perhaps: see the reason" in doubtful
    ends = client.get(f"/api/v1/devices/{sure.pk}/support").json()
    assert [(e["ending"], e["day"], e["state"]) for e in ends] == [
        ("sale", "2018-12-31", "confirmed"),
        ("support", "2020-12-31", "confirmed"),
    ]
    assert all(e["aspects"] for e in ends)
    assert client.get("/api/v1/devices/none/support").status_code == 404
    found = client.get("/api/v1/devices?support=ended&vendor=ACME+Inc.").json()["items"]
    assert [(d["id"], d["support_ends"]) for d in found] == [(sure.pk, "2020-12-31")]
    assert client.get("/api/v1/devices?support=later&vendor=ACME+Inc.").json()["total"] == 0
    unknown = client.get("/api/v1/devices?support=unknown&vendor=Acme").json()["items"]
    assert [d["id"] for d in unknown] == [perhaps.pk]
    assert client.get("/api/v1/devices?support=nonsense").json()["total"] == 0
    for sort, last in (("support", None), ("-support", None)):
        days = [
            d["support_ends"] for d in client.get(f"/api/v1/devices?sort={sort}&per=1000").json()["items"]
        ]
        known = [day for day in days if day]
        assert days[-1] is last and known == sorted(known, reverse=sort.startswith("-"))
    page = text(client.get("/devices/?support=ended&columns=name,support"))
    assert "Support ends: Ended" in page and "2020-12-31" in page
    exported = "".join(
        part.decode() for part in client.get("/devices/export.csv?support=ended&vendor=ACME+Inc.")
    )
    assert "support_ends" in exported and "2020-12-31" in exported


def test_who_may_not_edit_books_changes_no_list(signed_in: SignedIn, beds: list[Device]) -> None:
    viewer = signed_in(Role.VIEWER)
    assert viewer.post("/risk/support/import/").status_code == 403
    assert viewer.post("/risk/support/lists/Letters/undo/", {"reason": "r"}).status_code == 403
    assert "Take the last import back" not in text(viewer.get("/risk/support/"))
    content = base64.b64encode(LIST.encode()).decode()
    given = {"name": "Letters", "content": content}
    assert viewer.post("/api/v1/support/lists", given, content_type="application/json").status_code == 403
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    done = client.post("/api/v1/support/lists", given, content_type="application/json").json()
    assert (done["rows"], done["rejected"], done["devices"] >= 2) == (2, 1, True)
    assert client.get("/api/v1/support/lists/Letters").json()["total"] == 2
    for wrong in ({"content": "?"}, {"content": base64.b64encode(b"x").decode()}, {"map": ["Maker=colour"]}):
        answer = client.post("/api/v1/support/lists", given | wrong, content_type="application/json")
        assert answer.status_code == 422
    why = {"reason": "the wrong letter"}
    path = "/api/v1/support/lists/Letters"
    assert client.post(f"{path}/undo", why, content_type="application/json").status_code == 204
    assert client.post(f"{path}/undo", why, content_type="application/json").status_code == 422
    assert client.post(f"{path}/remove", why, content_type="application/json").status_code == 422
    assert "choose a CSV" in text(client.post("/risk/support/import/", {"name": "x"}, follow=True)).replace(
        "Choose", "choose"
    )
    assert "Not imported" in upload(client, "nothing,to see\n")
