"""The sensors page accounts for every packet and names what went wrong."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.test import Client

from medwarden.model.role import Role
from medwarden.store.models import Device, EvidenceEntry, FloorPlanRow, InputLedger, Sensor
from medwarden.web.recent import forget

SignedIn = Callable[..., Client]


def test_the_line_of_all_adds_up(signed_in: SignedIn) -> None:
    page = signed_in(Role.VIEWER).get("/sensors/").content.decode()
    line = page[page.index("<strong>All packets</strong>") :]
    read, parsed, rejected, dropped = (
        int(n.replace(",", "")) for n in re.findall(r"<strong>([\d,]+)</strong>", line)[:4]
    )
    assert read == parsed + rejected + dropped == 184_220
    assert rejected == 30


def test_errors_and_reasons_are_named(signed_in: SignedIn) -> None:
    page = signed_in(Role.VIEWER).get("/sensors/?status=failed").content.decode()
    assert "ward-7.pcap, byte 0: this is text, not a capture" in page
    assert "core-2.pcap" not in page
    page = signed_in(Role.VIEWER).get("/sensors/").content.decode()
    assert "30 × IPv4 header longer than the packet" in page
    assert "2 × malformed dicom" in page


def test_a_count_that_does_not_add_up_is_said_so(signed_in: SignedIn) -> None:
    row = InputLedger.objects.get(path="core-2.pcap")
    row.report["packets"]["parsed"] -= 1
    row.save()
    assert "Does not add up" in signed_in(Role.VIEWER).get("/sensors/").content.decode()


def test_what_is_not_seen_is_said_with_what_would_show_it(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    assert 'hx-get="/sensors/sight/"' in client.get("/sensors/").content.decode()
    FloorPlanRow.objects.create(
        tenant_id="default", site_id="main", kind="subnet", key="172.30.0.0/16", building="Annexe"
    )
    forget()
    page = client.get("/sensors/sight/").content.decode()
    assert "172.30.0.0/16" in page and "Blind" in page and "Annexe" in page
    assert "<title>What is seen" in page and "css/layout.css" in page, "opened by itself it is a whole page"
    part = client.get("/sensors/sight/", headers={"HX-Request": "true", "HX-Target": "sight"})
    assert part.content.decode().lstrip().startswith('<div class="stack-wide" id="sight">')
    answer = client.get("/api/v1/visibility").json()
    sights = {s["subnet"]: s for s in answer["subnets"]}
    assert sights["172.30.0.0/16"]["devices"] == 0
    subnet, sight = next((k, v) for k, v in sights.items() if v["devices"])
    devices = Device.objects.filter(subnet=subnet, retired_at=None)
    assert sight["devices"] == devices.count()
    assert sight["without_category"] == devices.filter(category=None).count()
    asking = EvidenceEntry.objects.filter(field__startswith="dhcp.").values("device_id")
    assert sight["without_dhcp"] == devices.exclude(pk__in=asking).count()
    assert {h["protocol"] for h in answer["heard"]} >= {"dhcp", "dicom"}
    assert any(p["where"].startswith("172.30.0.0/16") for p in answer["positions"])


def test_a_listener_names_its_senders_and_what_never_arrived(signed_in: SignedIn) -> None:
    sensor = Sensor.objects.order_by("pk")[0]
    sender = {"sender": "10.0.0.9", "format": "netflow9", "last_ns": 5, "bytes": 9, "missing": 41}
    sensor.counters = {"lag_s": 2.5, "senders": [{**sender, "records": {"read": 1234, "parsed": 1234}}]}
    sensor.save()
    row = InputLedger.objects.filter(sensor=sensor)[0]
    row.report["missing"], row.report["repeated"] = 41, 7
    row.save()
    page = signed_in(Role.VIEWER).get("/sensors/").content.decode()
    assert f"Who sends to {sensor.name}" in page
    assert "10.0.0.9" in page and "1,234" in page and "2.5 s behind" in page
    assert "41 never arrived, 7 told twice" in page
    shown = {s["id"]: s for s in signed_in(Role.VIEWER).get("/api/v1/sensors").json()}[sensor.pk]
    assert (shown["missing"], shown["senders"][0]["sender"]) == (41, "10.0.0.9")
