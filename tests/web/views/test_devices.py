"""The list of devices: filters, sort, columns, paging, downloads, saved views, what a site may see."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Protocol

import pytest
from django.test import Client

from medwarden.model.role import Role
from medwarden.store.changes import Change
from medwarden.store.models import AuditEntry, Device, SavedView, Site
from medwarden.store.open import Store, ensure_site

SignedIn = Callable[..., Client]
One = Callable[..., Device]


def rows(html: str) -> list[str]:
    return re.findall(r'<tr data-id="([^"]+)"', html)


class Answer(Protocol):
    """What a test client gives back."""

    status_code: int
    content: bytes


def body(answer: Answer) -> str:
    assert answer.status_code == 200
    return answer.content.decode()


def test_lists_the_riskiest_first_and_pages_through_all(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    seen: list[str] = []
    total = Device.objects.count()
    for page in range(1, total // 25 + 2):
        seen += rows(body(client.get(f"/devices/?per=25&page={page}")))
    assert len(seen) == total == len(set(seen))
    scores = [Device.objects.get(pk=pk).risk_score for pk in seen]
    assert scores == sorted(scores, reverse=True)


def test_filters_hold_together_and_show_as_chips(signed_in: SignedIn) -> None:
    html = body(signed_in(Role.VIEWER).get("/devices/?class=IoMT&category=infusion_pump&vendor=BD"))
    found = Device.objects.filter(pk__in=rows(html))
    assert {(d.device_class, d.category, d.vendor) for d in found} == {("IoMT", "infusion_pump", "BD")}
    assert "Remove filter Vendor: BD" in html
    assert "Remove filter Category: Infusion pump (volumetric)" in html


def test_a_value_is_excluded_with_an_exclamation_mark(signed_in: SignedIn) -> None:
    html = body(signed_in(Role.VIEWER).get("/devices/?class=!IoMT&per=250"))
    classes = {d.device_class for d in Device.objects.filter(pk__in=rows(html))}
    assert classes
    assert "IoMT" not in classes


@pytest.mark.parametrize("text", ["10.40.0.11", "10.40.0.0/16", "CT1_SOM", "somatom", "00-1a-6b-00-00-01"])
def test_search_understands_what_people_type(text: str, signed_in: SignedIn) -> None:
    found = rows(body(signed_in(Role.VIEWER).get("/devices/", {"q": text})))
    assert Device.objects.get(category="ct").pk in found


def test_a_partial_request_gets_the_results_alone(signed_in: SignedIn) -> None:
    html = body(
        signed_in(Role.VIEWER).get("/devices/?q=pc-", headers={"HX-Request": "true", "HX-Target": "results"})
    )
    assert "<html" not in html
    assert rows(html)


def test_columns_are_chosen_in_the_url(signed_in: SignedIn) -> None:
    html = body(signed_in(Role.VIEWER).get("/devices/?columns=mac,serial"))
    headings = re.findall(r"<th scope=\"col\"[^>]*>(?:<a [^>]*>)?([^<]+)", html)
    assert headings == ["Device", "MAC", "Serial"]


def test_nonsense_in_the_url_is_not_an_error(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    for query in (
        "page=-1",
        "page=x",
        "per=7",
        "sort=password",
        "columns=x,y",
        "range=never",
        "added_since=1e9",
        "page=99999999999999999999",
        "risk_from=²",
    ):
        assert client.get(f"/devices/?{query}").status_code == 200, query


def test_an_unknown_site_is_as_if_it_did_not_exist(signed_in: SignedIn) -> None:
    assert signed_in(Role.VIEWER).get("/devices/?site=elsewhere").status_code == 404


def test_a_person_of_one_site_sees_nothing_of_another(store: Store, signed_in: SignedIn) -> None:
    ensure_site("default", "annex")
    client = signed_in(Role.ANALYST, "limited", ("annex",))
    assert rows(body(client.get("/devices/"))) == []
    one = Device.objects.order_by("pk")[0]
    assert client.get(f"/devices/{one.pk}/").status_code == 404
    assert client.get(f"/devices/{one.pk}/?tab=traffic").status_code == 404
    assert client.get(f"/api/v1/devices/{one.pk}").status_code == 404
    assert client.get(f"/devices/?site={Site.objects.exclude(pk='annex')[0].pk}").status_code == 404
    assert one.pk not in client.get("/devices/export.csv").getvalue().decode()


def test_csv_has_every_row_and_no_formula(signed_in: SignedIn, one: One) -> None:
    evil = one(category="printer")
    Device.objects.filter(pk=evil.pk).update(name='=HYPERLINK("http://x","y")', location="+1")
    answer = signed_in(Role.ANALYST).get("/devices/export.csv")
    assert answer["Content-Disposition"].startswith('attachment; filename="medwarden-devices-')
    read = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert len(read) == Device.objects.count()
    bad = next(r for r in read if r["id"] == evil.pk)
    assert bad["name"] == '\'=HYPERLINK("http://x","y")'
    assert bad["location"] == "'+1"
    assert not [c for r in read for c in r.values() if c.startswith(("=", "+", "-", "@"))]


def test_json_is_the_same_list(signed_in: SignedIn) -> None:
    answer = signed_in(Role.ANALYST).get("/devices/export.json?class=OT")
    read = json.loads(answer.getvalue())
    assert {r["device_class"] for r in read} == {"OT"}
    assert len(read) == Device.objects.filter(device_class="OT").count()


def test_an_empty_download_is_still_json(signed_in: SignedIn) -> None:
    answer = signed_in(Role.ANALYST).get("/devices/export.json?q=nothingiscalledso")
    assert json.loads(answer.getvalue()) == []


def test_selected_rows_alone_are_downloaded(signed_in: SignedIn) -> None:
    ids = list(Device.objects.order_by("pk").values_list("pk", flat=True)[:2])
    answer = signed_in(Role.ANALYST).get("/devices/export.json", {"id": ids})
    assert sorted(r["id"] for r in json.loads(answer.getvalue())) == ids


def test_a_download_is_in_the_audit_chain(signed_in: SignedIn) -> None:
    signed_in(Role.ANALYST).get("/devices/export.csv?class=OT")
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.actor, entry.action) == ("user:analyst", "devices.exported")
    assert "class=OT" in entry.after


def test_a_view_is_saved_shared_and_deleted(signed_in: SignedIn) -> None:
    client = signed_in(Role.ANALYST)
    client.post(
        "/views/devices/save/", {"name": "Pumps", "query": "category=infusion_pump&page=3", "shared": "yes"}
    )
    view = SavedView.objects.get()
    assert view.query == "category=infusion_pump"
    other = signed_in(Role.VIEWER)
    assert "Pumps" in body(other.get("/devices/"))
    assert other.post(f"/views/{view.pk}/delete/").status_code == 404
    assert client.post(f"/views/{view.pk}/delete/").status_code == 302
    assert not SavedView.objects.exists()


def test_an_empty_inventory_says_how_to_fill_it(empty_store: Store) -> None:
    from django.test import Client

    from medwarden.store.accounts import create_user

    with Change("test", "test") as change:
        user = create_user(change, "v", "correct-horse-battery", Role.VIEWER)
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert "medwarden replay FILE" in body(client.get("/devices/"))
    for path in ("/", "/map/", "/findings/", "/policies/", "/sensors/"):
        assert client.get(path).status_code == 200, path


def test_a_device_of_which_nothing_but_its_id_is_known_is_shown(signed_in: SignedIn, one: One) -> None:
    bare = one(category="printer")
    Device.objects.filter(pk=bare.pk).update(
        name=None,
        ips=[],
        macs=[],
        names=[],
        category=None,
        vendor=None,
        model=None,
        subnet=None,
        confidence={},
        added_ns=2**62,
    )
    client = signed_in(Role.VIEWER)
    for path in ("/devices/?sort=-added&columns=ip,mac,os,subnet,confidence,serial,site,first_seen", "/"):
        assert bare.pk in body(client.get(path)), path
    assert client.get(f"/devices/{bare.pk}/").status_code == 200
    assert client.get("/palette/", {"q": bare.pk}).status_code == 200
