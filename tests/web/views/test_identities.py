"""One or two devices: proposals decided, devices joined and split by hand, every decision undone."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from django.test import Client

from medwarden.model.role import Role
from medwarden.store.models import Device, IdentityDecision, IdentityProposal

SignedIn = Callable[..., Client]


@pytest.fixture
def pair(store: object) -> tuple[Device, Device]:
    site = Device.objects.filter(category="infusion_pump").values_list("site_id", flat=True)[0]
    one, other = (
        Device.objects.filter(category="infusion_pump", site_id=site).exclude(macs=[]).order_by("id")[:2]
    )
    return one, other


def body(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, answer.content
    return html.unescape(answer.content.decode())


def test_two_devices_are_joined_and_the_decision_undone(
    signed_in: SignedIn, pair: tuple[Device, Device]
) -> None:
    client, (one, other) = signed_in(Role.BIOMEDICAL_ENGINEER), pair
    said = {"other": other.macs[0], "reason": "two cards of one pump"}
    joined = client.post(f"/devices/{one.pk}/join/", said, follow=True)
    shown = html.unescape(joined.content.decode())
    assert "They are one device now" in shown, re.findall(r'role="status">(.*?)</div>', shown, re.DOTALL)
    assert "Made of" in joined.content.decode()
    assert not Device.objects.filter(pk=other.pk).exists()
    number = IdentityDecision.objects.get().number
    listed = body(client, "/devices/identities/")
    assert "two cards of one pump" in listed
    page = body(client, f"/devices/{one.pk}/")
    assert f"{number}: Join" in page
    assert "two cards of one pump" in page, "the device says why it is one"
    assert "Device merged" in body(client, f"/devices/{one.pk}/?tab=history"), (
        "also of what became part of it"
    )
    told = client.get(f"/api/v1/devices/{one.pk}/history").json()
    assert [entry["subject"] for entry in told if entry["action"] == "device.merged"] == [
        f"device:{other.pk}"
    ]
    undone = client.post(f"/devices/decisions/{number}/undo/", {"reason": "no, two pumps"}, follow=True)
    assert "is undone" in undone.content.decode()
    assert Device.objects.filter(pk=other.pk).exists()
    assert "Joined and split" not in body(client, f"/devices/{one.pk}/")
    assert "undone by" in body(client, "/devices/identities/")


def test_a_device_is_split(signed_in: SignedIn, pair: tuple[Device, Device]) -> None:
    client, (one, other) = signed_in(Role.BIOMEDICAL_ENGINEER), pair
    client.post(f"/devices/{one.pk}/join/", {"other": other.pk, "reason": "same"})
    before = Device.objects.count()
    answer = client.post(
        f"/devices/{one.pk}/split/", {"mac": [other.macs[0]], "reason": "they are two"}, follow=True
    )
    assert "device of its own" in answer.content.decode()
    assert Device.objects.count() == before + 1
    for part in (one.pk, other.pk):
        assert "they are two" in body(client, f"/devices/{part}/"), "both say that they were taken apart"


def test_a_proposal_is_decided(signed_in: SignedIn, pair: tuple[Device, Device]) -> None:
    client, (one, other) = signed_in(Role.BIOMEDICAL_ENGINEER), pair
    IdentityProposal.objects.create(
        id="ip-test",
        tenant_id=one.tenant_id,
        site_id=one.site_id,
        kind="same",
        left=one.pk,
        right=other.pk,
        odds=2.0,
        supporting=["both state serial number 4711"],
        against=[],
        state="open",
        at_ns=1,
    )
    assert "both state serial number 4711" in body(client, "/devices/identities/")
    wanted = {"decision": "reject", "reason": "seen both in the room"}
    answer = client.post("/devices/identities/ip-test/decide/", wanted, follow=True)
    assert "They stay two devices" in answer.content.decode()
    assert IdentityProposal.objects.get().state == "rejected"


def test_a_decision_without_a_reason_or_device_is_refused(
    signed_in: SignedIn, pair: tuple[Device, Device]
) -> None:
    client, (one, other) = signed_in(Role.BIOMEDICAL_ENGINEER), pair
    for wanted in ({"other": other.pk}, {"reason": "x"}, {"other": "none such", "reason": "x"}):
        client.post(f"/devices/{one.pk}/join/", wanted)
    client.post(f"/devices/{one.pk}/split/", {"reason": "x"})
    client.post("/devices/decisions/999/undo/", {"reason": "x"})
    client.post("/devices/identities/none/decide/", {"decision": "accept", "reason": "x"})
    assert IdentityDecision.objects.count() == 0


def test_who_may_not_correct_may_look(signed_in: SignedIn, pair: tuple[Device, Device]) -> None:
    client, (one, _) = signed_in(Role.ANALYST), pair
    assert "May be one device" in body(client, "/devices/identities/")
    assert "You know better" not in body(client, f"/devices/{one.pk}/")
    assert client.post(f"/devices/{one.pk}/join/").status_code == 403


def test_a_fact_nobody_heard_has_no_origin(signed_in: SignedIn, pair: tuple[Device, Device]) -> None:
    client, (one, _) = signed_in(Role.VIEWER), pair
    assert client.get(f"/devices/{one.pk}/evidence/?field=dhcp.host_name&value=none").status_code == 404
    assert client.get("/devices/none/evidence/?field=a&value=b").status_code == 404


@pytest.mark.parametrize("cut", [lambda mac: mac[:-3], lambda mac: mac[3:]], ids=["its end", "its head"])
def test_half_an_address_joins_nothing(
    signed_in: SignedIn, pair: tuple[Device, Device], cut: Callable[[str], str]
) -> None:
    """A slip of the hand that fits one device by chance would make two devices one."""
    client, (one, other) = signed_in(Role.BIOMEDICAL_ENGINEER), pair
    before = Device.objects.count()
    said = {"other": cut(other.macs[0]), "reason": "typed too little"}
    client.post(f"/devices/{one.pk}/join/", said, follow=True)
    assert Device.objects.count() == before
    assert not IdentityDecision.objects.exists()


def test_an_address_is_understood_however_it_is_written(
    signed_in: SignedIn, pair: tuple[Device, Device]
) -> None:
    client, (one, other) = signed_in(Role.BIOMEDICAL_ENGINEER), pair
    hyphens = other.macs[0].upper().replace(":", "-")
    client.post(f"/devices/{one.pk}/join/", {"other": hyphens, "reason": "two cards"})
    assert not Device.objects.filter(pk=other.pk).exists()
    digits = other.macs[0].replace(":", "")
    pointed = f"{digits[:4]}.{digits[4:8]}.{digits[8:]}"
    client.post(f"/devices/{one.pk}/split/", {"mac": [pointed], "reason": "they are two"})
    assert Device.objects.filter(pk=other.pk).exists()


def test_a_reason_has_an_end(signed_in: SignedIn, pair: tuple[Device, Device]) -> None:
    client, (one, other) = signed_in(Role.BIOMEDICAL_ENGINEER), pair
    body = {"kept": one.pk, "gone": other.pk, "reason": "y" * 100_000}
    answer = client.post("/api/v1/identity/merges", body, content_type="application/json")
    assert answer.status_code == 422
    assert not IdentityDecision.objects.exists()
