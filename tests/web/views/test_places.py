"""Places: devices by building, floor and room; the plan is imported, searched and taken away again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from medwarden.model.role import Role
from medwarden.store.models import AuditEntry, Device, FloorPlanRow
from medwarden.web.recent import forget

SignedIn = Callable[..., Client]


def upload(client: Client, text: str, site: str = "?site=main") -> str:
    table = SimpleUploadedFile("plan.csv", text.encode())
    return client.post(f"/places/plan/{site}", {"table": table}, follow=True).content.decode()


def test_an_imported_plan_puts_devices_into_rooms(signed_in: SignedIn) -> None:
    client = signed_in(Role.NETWORK_ENGINEER)
    mac = Device.objects.exclude(macs=[]).order_by("pk")[0].macs[0]
    page = upload(client, f"mac,building,floor,room\n{mac},Tower,7,7.12\nxx,Tower,7,1\n")
    assert "1 place in use" in page
    assert "Line 3: &#x27;xx&#x27; is no MAC address" in page
    assert "Tower" in page and "7.12" in page
    found = client.get("/devices/", {"location": "Tower, 7, 7.12"}).content.decode()
    assert mac in found or Device.objects.get(location="Tower, 7, 7.12").pk in found
    placed = Device.objects.get(location="Tower, 7, 7.12")
    identity = client.get(f"/devices/{placed.pk}/").content.decode()
    assert "Where it is, and why" in identity and "MAC in the plan" in identity
    csv = b"".join(client.get("/places/plan.csv").streaming_content).decode()  # type: ignore[attr-defined]
    assert csv.splitlines() == ["kind,key,building,floor,room,department", f"mac,{mac},Tower,7,7.12,"]
    assert AuditEntry.objects.filter(action="plan.replaced", actor="user:network_engineer").count() == 1


def test_the_plan_is_searched(signed_in: SignedIn) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    upload(client, "subnet,vlan,building\n10.77.0.0/16,,North\n,12,South\n")
    page = client.get("/places/", {"q": "10.77"}).content.decode()
    assert "North" in page and "South" not in page
    assert client.get("/api/v1/places/plan", {"q": "10.77"}).json()["total"] == 1


def test_a_table_that_is_no_plan_is_refused_in_words(signed_in: SignedIn) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    assert "left as it is" in upload(client, "colour\nblue\n")
    assert "Choose a CSV file" in client.post("/places/plan/", follow=True).content.decode()
    assert FloorPlanRow.objects.count() == 0


def test_who_may_not_edit_places_may_look(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    page = client.get("/places/").content.decode()
    assert "No plan yet" in page and 'type="file"' not in page
    table = SimpleUploadedFile("plan.csv", b"vlan,room\n1,1\n")
    assert client.post("/places/plan/", {"table": table}).status_code == 403
    assert FloorPlanRow.objects.count() == 0


def test_the_api_replaces_the_plan_of_a_site_one_may_see(signed_in: SignedIn) -> None:
    client = signed_in(Role.NETWORK_ENGINEER)

    def put(site: str, table: str) -> tuple[int, dict[str, object]]:
        body = {"site": site, "table": table}
        answer = client.put("/api/v1/places/plan", body, content_type="application/json")
        return answer.status_code, answer.json()

    status, answer = put("main", "vlan,room\n30,Lab\n")
    assert (status, answer["rows"]) == (200, 1)
    assert put("nowhere", "vlan,room\n30,Lab\n")[0] == 404
    assert put("main", "x\n")[0] == 422
    places = client.get("/api/v1/places").json()
    assert (
        sum(p["devices"] for p in places["places"]) + places["without"]
        == Device.objects.filter(retired_at=None).count()
    )


def test_the_page_is_bounded_and_counts_everything(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, device in enumerate(Device.objects.filter(retired_at=None).order_by("pk")[:4]):
        Device.objects.filter(pk=device.pk).update(location=f"Closet {number}")
    total = Device.objects.filter(retired_at=None, location__isnull=False).count()
    forget()
    monkeypatch.setattr("medwarden.web.views.places.MOST_PLACES", 3)
    page = signed_in(Role.VIEWER).get("/places/").content.decode()
    assert f"{total} devices have a place" in page
    assert "Closet 0" in page and "Closet 3" not in page and "more places are in the" in page
