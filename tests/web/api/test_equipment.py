"""Own attributes and bills of materials in the API: to whom they may, and only of devices in sight."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from medwarden.app.sbom import attach_stored
from medwarden.model.role import Role
from medwarden.store.models import Device
from medwarden.store.sbom import Subject

SignedIn = Callable[..., Client]

FILE = """
attributes: [{name: wing, kind: choice, choices: [East, West]}]
rules: [{name: all, attribute: wing, value: East}]
"""
BILL = b'{"bomFormat": "CycloneDX", "components": [{"name": "openssl", "version": "1.0.2"}]}'


def test_attributes_are_defined_filled_and_set_by_those_who_may(signed_in: SignedIn) -> None:
    device = Device.objects.filter(retired_at=None).order_by("pk").first()
    assert device is not None
    viewer, admin = signed_in(Role.VIEWER), signed_in(Role.ADMINISTRATOR)
    assert viewer.put("/api/v1/attributes", {"text": FILE}, "application/json").status_code == 403
    assert admin.put("/api/v1/attributes", {"text": "rules: [1]"}, "application/json").status_code == 422
    assert admin.put("/api/v1/attributes", {"text": FILE}, "application/json").json()["values"] > 0
    (value,) = viewer.get(f"/api/v1/devices/{device.pk}/attributes").json()
    assert (value["name"], value["value"], value["rule"]) == ("wing", "East", "all")
    path = f"/api/v1/devices/{device.pk}/attributes/wing"
    assert viewer.put(path, {"value": "West"}, "application/json").status_code == 422
    assert admin.put(path, {"value": "West"}, "application/json").status_code == 204
    (value,) = viewer.get(f"/api/v1/devices/{device.pk}/attributes").json()
    assert (value["value"], value["rule"]) == ("West", "")
    assert admin.put(path, {"value": ""}, "application/json").status_code == 204
    assert viewer.get(f"/api/v1/devices/{device.pk}/attributes").json()[0]["value"] == "East"
    assert viewer.get("/api/v1/devices/d-nobody/attributes").status_code == 404
    assert admin.put("/api/v1/attributes", {"text": "attributes: []"}, "application/json").status_code == 200


def test_bills_of_a_device_and_their_components(signed_in: SignedIn) -> None:
    device = Device.objects.filter(retired_at=None).order_by("pk").first()
    assert device is not None
    bill = attach_stored("default", BILL, "bom.json", Subject(device.pk), actor="user:anna")
    viewer = signed_in(Role.VIEWER)
    listed = viewer.get(f"/api/v1/devices/{device.pk}/bills").json()
    assert [b["id"] for b in listed["items"]] == [bill]
    found = viewer.get(f"/api/v1/bills/{bill}/components").json()
    assert [(c["name"], c["version"]) for c in found["items"]] == [("openssl", "1.0.2")]
    assert viewer.get(f"/api/v1/devices/{device.pk}/registered").status_code == 503
