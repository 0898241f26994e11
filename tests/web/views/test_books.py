"""Books against the network: imported, compared, decided, taken back; staff names kept to roles."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from medwarden.model.custom_attribute import AttributeKind, AttributeSpec
from medwarden.model.role import Role
from medwarden.store.attributes import define
from medwarden.store.changes import Change
from medwarden.store.models import Book, Device, Site
from medwarden.store.queries import Scope
from medwarden.store.queries.books import booked

SignedIn = Callable[..., Client]


def table(*rows: str) -> SimpleUploadedFile:
    head = "Asset Tag,Serial Number,MAC Address,Manufacturer,Model,Department,Technician,Status"
    return SimpleUploadedFile("cmms.csv", "\n".join((head, *rows)).encode(), content_type="text/csv")


@pytest.fixture
def pump(store: object) -> Device:
    found = Device.objects.filter(category="infusion_pump").exclude(macs=[]).order_by("id")[0]
    assert isinstance(found, Device)
    return found


@pytest.fixture
def site(pump: Device) -> str:
    return str(Site.objects.get(pk=pump.site_id).pk)


def body(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, answer.content
    return html.unescape(answer.content.decode())


def bring_in(client: Client, site: str, pump: Device) -> str:
    rows = table(
        f"A-1,,{pump.macs[0]},{pump.vendor},{pump.model},ICU West,Mara Vogt,active",
        "A-2,SN-9,02:aa:bb:cc:dd:ee,Nobody,Never heard of,OR 1,Jon Doe,active",
    )
    answer = client.post(f"/devices/books/import/?site={site}", {"name": "CMMS", "table": rows}, follow=True)
    return html.unescape(answer.content.decode())


def test_a_book_is_brought_in_and_compared(signed_in: SignedIn, pump: Device, site: str) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    assert "CMMS: 2 rows, 2 new" in bring_in(client, site, pump)
    both = body(client, f"/devices/books/?situation=both&site={site}")
    assert f"/devices/{pump.pk}/" in both
    assert "ICU West" in both
    assert "Never heard of" in body(client, f"/devices/books/?situation=book_only&site={site}")
    assert pump.pk not in body(client, f"/devices/books/?situation=network_only&site={site}")
    inside = body(client, f"/devices/books/CMMS/?site={site}")
    assert "Mara Vogt" in inside
    assert "Asset Tag" in inside


def test_names_of_staff_are_for_roles_that_may(signed_in: SignedIn, pump: Device, site: str) -> None:
    bring_in(signed_in(Role.BIOMEDICAL_ENGINEER), site, pump)
    analyst = signed_in(Role.ANALYST)
    for url in (
        "/devices/books/",
        "/devices/books/CMMS/",
        "/api/v1/books/CMMS/rows",
        "/api/v1/reconciliation",
    ):
        shown = body(analyst, url)
        assert "A-1" in shown
        assert "Mara Vogt" not in shown
    answer = analyst.get("/devices/books/export.csv")
    pieces = getattr(answer, "streaming_content")  # noqa: B009 (the stub knows only whole answers)
    text = b"".join(pieces).decode()
    assert "Mara Vogt" not in text
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["key"], row["device"]) == ("A-1", pump.pk) or row["device"] == pump.pk


def test_a_person_decides_and_the_word_stays(signed_in: SignedIn, pump: Device, site: str) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    bring_in(client, site, pump)
    key = booked(Scope(), pump.pk)[0].row
    assert key is not None
    wanted = {"key": key.key, "device": pump.pk, "reason": "another unit", "decision": "reject"}
    answer = client.post(f"/devices/books/{site}/CMMS/decide/", wanted, follow=True)
    assert "they are two" in answer.content.decode()
    assert booked(Scope(), pump.pk) == []
    assert booked(Scope(), pump.pk) == []
    client.post(f"/devices/books/{site}/CMMS/decide/", {**wanted, "decision": "pin"})
    assert len(booked(Scope(), pump.pk)) == 1


def test_a_file_that_is_no_list_is_refused_in_words(signed_in: SignedIn, site: str) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    bad = SimpleUploadedFile("x.xlsx", b"PK\x03\x04 but no workbook")
    page = client.post(f"/devices/books/import/?site={site}", {"name": "CMMS", "table": bad}, follow=True)
    assert "Not imported" in page.content.decode()
    assert Book.objects.count() == 0


def test_an_import_is_taken_back_and_a_book_removed(signed_in: SignedIn, pump: Device, site: str) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    bring_in(client, site, pump)
    one = table("A-1,,,Other,Thing,Ward 2,,active")
    client.post(f"/devices/books/import/?site={site}", {"name": "CMMS", "table": one})
    back = client.post(f"/devices/books/{site}/CMMS/undo/", follow=True)
    assert "version 1 of CMMS counts now" in back.content.decode()
    gone = client.post(f"/devices/books/{site}/CMMS/remove/", {"reason": "old list"}, follow=True)
    assert "is removed" in gone.content.decode()
    assert Book.objects.count() == 0


def test_who_may_not_edit_books_may_look(signed_in: SignedIn, site: str) -> None:
    client = signed_in(Role.VIEWER)
    assert "No book yet" in body(client, "/devices/books/")
    assert client.post(f"/devices/books/import/?site={site}").status_code == 403
    assert client.get("/devices/books/none/").status_code == 404


def test_the_api_does_the_same(signed_in: SignedIn, pump: Device, site: str) -> None:
    client = signed_in(Role.NETWORK_ENGINEER)
    content = {
        "site": site,
        "table": table(f"A-1,,{pump.macs[0]},{pump.vendor},,ICU,,active").read().decode(),
    }

    def send(method: str, path: str, what: object) -> int:
        call = getattr(client, method)
        return int(call(f"/api/v1/{path}", json.dumps(what), content_type="application/json").status_code)

    assert send("put", "books/CMMS", content) == 200
    assert json.loads(body(client, "/api/v1/books"))[0]["matched"] == 1
    assert json.loads(body(client, "/api/v1/reconciliation/counts"))["both"] == 1
    assert (
        json.loads(body(client, f"/api/v1/devices/{pump.pk}/books"))[0]["row"]["said"]["department"] == "ICU"
    )
    assert len(json.loads(body(client, "/api/v1/books/CMMS/imports"))) == 1
    key = json.loads(body(client, "/api/v1/reconciliation"))["items"][0]["row"]["key"]
    said = {"site": site, "key": key, "device": pump.pk, "decision": "reject", "reason": "x"}
    assert send("post", "books/CMMS/decisions", said) == 204
    assert send("post", "books/CMMS/undo", {"site": site}) in (200, 422)
    assert send("post", "books/CMMS/remove", {"site": site, "reason": "old"}) == 204
    assert send("put", "books/CMMS", {"site": "elsewhere", "table": ""}) == 404


def test_the_device_page_has_its_records(signed_in: SignedIn, pump: Device, site: str) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    bring_in(client, site, pump)
    page = body(client, f"/devices/{pump.pk}/?tab=records")
    assert "Network and CMMS" in page
    assert "ICU West" in page
    assert "Mara Vogt" in page
    assert "No registry was imported" in page
    assert "Mara Vogt" not in body(signed_in(Role.ANALYST), f"/devices/{pump.pk}/?tab=records")


def test_own_attributes_are_set_filtered_by_and_taken_away(
    signed_in: SignedIn, pump: Device, site: str
) -> None:
    with Change("test", "test", tenant=pump.tenant_id, site=site) as change:
        define(change, AttributeSpec("owner_team", "Team", AttributeKind.CHOICE, ("HTM", "IT")))
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    setting = f"/devices/{pump.pk}/attributes/owner_team/"
    kept = client.post(setting, {"value": "HTM", "reason": "ward round"}, follow=True)
    assert "ward round" in kept.content.decode()
    listed = body(client, "/devices/?own.owner_team=HTM")
    assert f'data-id="{pump.pk}"' in listed
    assert listed.count("<tr data-id=") == 1
    assert "there is no" in body(client, "/devices/?own.nothing=x").lower()
    answer = client.get("/devices/export.csv?own.owner_team=HTM")
    pieces = getattr(answer, "streaming_content")  # noqa: B009 (the stub knows only whole answers)
    (row,) = csv.DictReader(io.StringIO(b"".join(pieces).decode()))
    assert row["own.owner_team"] == "HTM"
    assert (
        "your role may not"
        in signed_in(Role.VIEWER).post(setting, {"value": "IT"}, follow=True).content.decode().lower()
    )
    assert "is no" in client.post(setting, {"value": "Kitchen"}, follow=True).content.decode()
    client.post(setting, {"value": ""})
    assert f'data-id="{pump.pk}"' not in body(client, "/devices/?own.owner_team=HTM")


def test_the_api_shows_what_books_say_of_a_device_and_names_to_whom_they_may(
    signed_in: SignedIn, pump: Device, site: str
) -> None:
    bring_in(signed_in(Role.BIOMEDICAL_ENGINEER), site, pump)

    def facts(role: Role) -> dict[str, str]:
        told = signed_in(role).get(f"/api/v1/devices/{pump.pk}").json()["booked"]
        return {fact["field"]: fact["value"] for fact in told}

    assert facts(Role.BIOMEDICAL_ENGINEER)["technician"] == "Mara Vogt"
    assert facts(Role.VIEWER)["department"] == "ICU West"
    assert "technician" not in facts(Role.VIEWER)
