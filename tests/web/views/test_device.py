"""The device page: every tab, evidence behind values, points that add up, downloads, retirement."""

from __future__ import annotations

import html as html_module
import json
import re
from collections.abc import Callable

import pytest
from django.test import Client

from medwarden.model.role import Role
from medwarden.store import queries
from medwarden.store.models import AuditEntry, Device, MergedDevice
from medwarden.web.views.device import TABS

SignedIn = Callable[..., Client]
One = Callable[..., Device]


@pytest.mark.parametrize("tab", sorted(TABS))
def test_every_tab_of_every_kind_of_device_opens(tab: str, signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    seen = set()
    for device in Device.objects.order_by("pk"):
        if device.category not in seen:
            seen.add(device.category)
            answer = client.get(f"/devices/{device.pk}/?tab={tab}")
            assert answer.status_code == 200
            assert device.name is None or html_module.escape(device.name) in answer.content.decode()


def test_identity_shows_the_evidence_behind_a_value_and_what_is_missing(
    signed_in: SignedIn, one: One
) -> None:
    page = signed_in(Role.VIEWER).get(f"/devices/{one(category='ct').pk}/").content.decode()
    assert "dicom.ae_title" in page
    assert "CT1_SOM" in page
    assert "What would settle it" in page
    stranger = signed_in(Role.VIEWER).get(f"/devices/{one(category=None).pk}/").content.decode()
    assert "a DHCP request of the device" in stranger.replace("A DHCP", "a DHCP")


def test_the_points_on_the_risk_tab_add_up_to_the_score(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    checked = 0
    for device in Device.objects.filter(risk_score__gt=0).order_by("pk")[:20]:
        page = client.get(f"/devices/{device.pk}/?tab=risk").content.decode()
        waterfall = page[page.index('class="waterfall"') : page.index("What would help")]
        points = [int(p.replace("−", "-")) for p in re.findall(r'<b class="num">([^<]+)</b>', waterfall)]
        assert sum(points[:-1]) == points[-1] == device.risk_score
        checked += 1
    assert checked


def test_what_would_help_is_the_engines_answer(signed_in: SignedIn, one: One) -> None:
    from medwarden.app.risk import what_ifs

    device = one(risk_score__gt=10)
    best = what_ifs(queries.Scope(), device.pk)[0]
    score = queries.risk(queries.Scope(), device.pk)
    assert score is not None
    page = signed_in(Role.VIEWER).get(f"/devices/{device.pk}/?tab=risk").content.decode()
    part = page[page.index("What would help") :]
    row = part[: part.index("</tr>", part.index("<tbody>"))].replace("\n", "")
    assert f" {best.score}</span>" in row
    assert best.actions[0].words in row
    assert f"{score.likelihood} × {score.impact} ÷ 100 = {score.score}" in page


def test_the_graph_and_the_table_name_the_same_peers(signed_in: SignedIn, one: One) -> None:
    page = signed_in(Role.VIEWER).get(f"/devices/{one(category='pacs').pk}/?tab=traffic").content.decode()
    drawn = re.search(r'id="graph-data"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert drawn is not None
    data = json.loads(html_module.unescape(drawn[1]))
    peers = {d["data"]["id"] for d in data if d["data"].get("kind") == "device"}
    assert peers
    assert all(f"/devices/{peer}/" in page for peer in peers)


def test_the_allow_list_is_downloaded_as_text_and_mud(signed_in: SignedIn, one: One) -> None:
    client = signed_in(Role.ANALYST)
    device = one(category="ct")
    text = client.get(f"/devices/{device.pk}/policy.text").content.decode()
    assert "What is not listed is not allowed." in text
    assert "tcp/104" in text
    answer = client.get(f"/devices/{device.pk}/policy.mud")
    assert answer["Content-Type"] == "application/mud+json"
    assert answer.json()["ietf-mud:mud"]["mud-version"] == 1
    assert client.get(f"/devices/{device.pk}/policy.doc").status_code == 404


def test_a_merged_id_leads_to_the_device_that_remained(signed_in: SignedIn, one: One) -> None:
    kept = one(category="ct")
    MergedDevice.objects.create(
        gone="dev-gone",
        kept=kept.pk,
        at_ns=1,
        reason="same card",
        tenant_id=kept.tenant_id,
        site_id=kept.site_id,
    )
    answer = signed_in(Role.VIEWER).get("/devices/dev-gone/")
    assert answer.status_code == 302
    assert answer["Location"] == f"/devices/{kept.pk}/"


def test_retiring_needs_a_reason_and_is_kept(signed_in: SignedIn, one: One) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    device = one(category="printer")
    client.post(f"/devices/{device.pk}/retire/", {"reason": "  "})
    assert Device.objects.get(pk=device.pk).retired_at is None
    client.post(f"/devices/{device.pk}/retire/", {"reason": "returned to the lessor"})
    assert Device.objects.get(pk=device.pk).retired_at is not None
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.reason) == ("device.retired", "returned to the lessor")
    assert device.pk not in client.get("/devices/?per=250").content.decode()
    assert device.pk in client.get("/devices/?retired=yes").content.decode()
    client.post(f"/devices/{device.pk}/retire/", {"reason": "it is back"})
    assert Device.objects.get(pk=device.pk).retired_at is None
