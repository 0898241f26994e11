"""The search of the top bar and the palette lead to what is meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from medwarden.model.role import Role
from medwarden.store.models import Device, Finding
from medwarden.store.open import ensure_site
from medwarden.web.recent import forget

SignedIn = Callable[..., Client]


@pytest.mark.parametrize("text", ["CT1_SOM", "10.40.0.11", "00:1A:6B:00:00:01", "CT1"])
def test_the_one_that_is_meant_is_opened(text: str, signed_in: SignedIn) -> None:
    answer = signed_in(Role.VIEWER).get("/search/", {"q": text})
    assert answer["Location"] == f"/devices/{Device.objects.get(category='ct').pk}/"


def test_ids_open_what_they_name(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    device, finding = Device.objects.order_by("pk")[0].pk, Finding.objects.order_by("pk")[0].pk
    assert client.get("/search/", {"q": device})["Location"] == f"/devices/{device}/"
    assert client.get("/search/", {"q": finding})["Location"] == f"/findings/{finding}/"


def test_several_are_listed_and_a_cve_leads_to_vulnerabilities(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    assert client.get("/search/", {"q": "philips"})["Location"] == "/devices/?q=philips"
    assert client.get("/search/", {"q": "cve-2021-44228"})["Location"] == (
        "/risk/vulnerabilities/?q=CVE-2021-44228"
    )
    assert client.get("/search/", {"q": " "})["Location"] == "/devices/"


def test_the_palette_offers_pages_devices_and_findings(signed_in: SignedIn) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    assert "Risk: Recalls" in client.get("/palette/", {"q": "recall"}).content.decode()
    assert "Devices: Unknown" in client.get("/palette/", {"q": "devices unknown"}).content.decode()
    assert "Settings: Audit" in client.get("/palette/", {"q": "audit"}).content.decode()
    page = client.get("/palette/", {"q": "ct1"}).content.decode()
    assert "CT1" in page
    assert "Finding" in page
    assert "Nothing called" in client.get("/palette/", {"q": "zzzz"}).content.decode()
    assert "<b>" not in client.get("/palette/", {"q": "<b>zz"}).content.decode()


def test_the_palette_offers_no_page_the_role_lacks(signed_in: SignedIn) -> None:
    page = signed_in(Role.VIEWER).get("/palette/", {"q": "settings"}).content.decode()
    assert "People" not in page
    assert "About" in page


def test_nothing_of_another_site_is_found(signed_in: SignedIn) -> None:
    ensure_site("default", "annex")
    client = signed_in(Role.ANALYST, "limited", ("annex",))
    assert client.get("/search/", {"q": "CT1_SOM"})["Location"] == "/devices/?q=CT1_SOM"
    assert "Nothing called" in client.get("/palette/", {"q": "ct1"}).content.decode()


def test_the_palette_knows_the_tabs_of_operations_and_places(signed_in: Callable[..., Client]) -> None:
    client = signed_in(Role.VIEWER)
    found = client.get("/palette/", {"q": "do not probe"}).content.decode()
    assert "/operations/protected/" in found
    Device.objects.filter(pk=Device.objects.order_by("pk")[0].pk).update(location="Tower, 7, Room 7.12")
    forget()
    found = client.get("/palette/", {"q": "tower 7.12"}).content.decode()
    assert "Tower, 7, Room 7.12" in found and "1 devices" not in found
