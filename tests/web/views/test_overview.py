"""The overview's numbers are the store's, and changes count from the last look."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.test import Client

from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.role import Role
from medwarden.store.models import Device, Finding, User
from medwarden.web.models import LastLook
from medwarden.web.views.overview import last_look

SignedIn = Callable[..., Client]
MINUTE = 60 * NANOSECONDS


def bigs(page: str) -> list[int]:
    return [int(n.replace(",", "")) for n in re.findall(r'class="big"[^>]*>([\d,]+)<', page)]


def test_the_four_numbers_are_the_stores(signed_in: SignedIn) -> None:
    page = signed_in(Role.VIEWER).get("/").content.decode()
    assert bigs(page) == [
        Device.objects.count(),
        Device.objects.filter(risk_level__in=("high", "critical")).count(),
        Finding.objects.filter(state="open", severity__in=("high", "critical")).count(),
        0,
    ]


def test_sensors_and_reasons_are_named(signed_in: SignedIn) -> None:
    page = signed_in(Role.VIEWER).get("/").content.decode()
    assert "SPAN of the core switch" in page
    assert "All accounted" in page
    assert "Telnet console" in page


def test_a_look_ends_after_half_an_hour(signed_in: SignedIn) -> None:
    user = User.objects.get(username="viewer")
    start = 10**18
    assert last_look(user, start) == 0, "never before"
    first = last_look(user, start + 5 * MINUTE)
    assert first == last_look(user, start + 10 * MINUTE), "still the same sitting"
    assert last_look(user, start + 60 * MINUTE) == start + 10 * MINUTE
    assert LastLook.objects.count() == 1


def test_new_devices_are_those_since_the_last_look(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    client.get("/")
    LastLook.objects.update(before_ns=2**62)
    page = client.get("/").content.decode()
    assert "No device joined since then." in page
    newest = Device.objects.order_by("pk")[0]
    Device.objects.filter(pk=newest.pk).update(added_ns=2**62 + 1)
    page = client.get("/").content.decode()
    assert f'data-id="{newest.pk}"' in page


def test_who_never_looked_is_not_told_when(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    assert "when you last looked" not in client.get("/").content.decode()
    LastLook.objects.update(before_ns=10**18)
    assert "when you last looked" in client.get("/").content.decode()


def test_one_advisory_does_not_stand_for_all_vulnerabilities(signed_in: SignedIn) -> None:
    two = list(Finding.objects.filter(state="open").order_by("pk")[:2])
    for one, name in zip(two, ("ICSMA-20-001-01", "ICSMA-20-002-02"), strict=True):
        Finding.objects.filter(pk=one.pk).update(type="vulnerability", title=f"Affected by {name}: pump")
    page = signed_in(Role.VIEWER).get("/").content.decode()
    assert "Known vulnerabilities</a>" in page
    assert "Affected by" not in page
