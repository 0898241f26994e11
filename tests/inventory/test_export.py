"""The published form of a device."""

from __future__ import annotations

import json
from collections.abc import Callable

from medwarden.inventory.export import peers_of, to_contract
from medwarden.inventory.labelling import identify
from medwarden.model.device import Conversation, Device, Service
from medwarden.model.risk import RiskLevel, RiskScore

Heard = Callable[..., Device]

KEYS = {
    *(
        "id",
        "macs",
        "ips",
        "names",
        "class",
        "category",
        "vendor",
        "model",
        "os",
        "os_version",
        "firmware",
        "serial",
    ),
    *("confidence", "managed", "location", "subnet", "first_seen", "last_seen", "risk", "phi", "protocols"),
    *("services", "peers_count", "attributes"),
}


def _talk(scope: str, peer_device: str | None, peer_ip: str | None) -> Conversation:
    return Conversation(
        "d-1", "client", peer_device, peer_ip, None, scope, "tcp", 104, "dicom", 0, 1, 1, 1, 1, 1, True
    )


def test_the_contract(heard: Heard) -> None:
    device = identify(
        heard(
            ("dhcp.host_name", "DCS-935L"),
            macs=("b0:c5:54:00:00:01",),
            ips=("10.0.0.5",),
            services=(Service("tcp", 554, "rtsp", 0, 1, 2, 3, 4),),
            conversations=(
                _talk("internal", "d-2", None),
                _talk("internet", None, "8.8.8.8"),
                _talk("multicast", None, "224.0.0.251"),
            ),
        )
    )
    said = to_contract(device, RiskScore("d-1", 40, RiskLevel.MEDIUM, (), "1"))
    assert said.keys() >= KEYS
    assert json.loads(json.dumps(said)) == said
    assert said["class"] == "IoT"
    assert said["risk"] == {"score": 40, "level": "medium"}
    assert said["first_seen"] == "2023-11-14T22:13:20.000Z"
    assert said["protocols"] == ["dhcp", "dicom", "rtsp"]
    assert said["peers_count"] == len(peers_of(device)) == 2
    assert said["phi"] is None


def test_attributes_carry_their_evidence(heard: Heard) -> None:
    said = to_contract(identify(heard(("dhcp.host_name", "DCS-935L"), macs=("b0:c5:54:00:00:01",))), None)
    attributes = said["attributes"]
    assert isinstance(attributes, list)
    by_field = {attribute["field"]: attribute for attribute in attributes}
    assert by_field["dhcp.host_name"]["confidence"] == 1.0
    assert by_field["category"]["value"] == "ip_camera"
    assert 0.9 < by_field["category"]["confidence"] < 1
    (evidence,) = by_field["category"]["evidence"]
    assert evidence.keys() == {"source", "field", "value", "sensor", "first_seen", "last_seen", "count"}
    assert (evidence["field"], evidence["value"], evidence["sensor"]) == ("dhcp.host_name", "DCS-935L", "s1")
    assert {e["field"] for e in by_field["vendor"]["evidence"]} == {"dhcp.host_name", "oui.registered"}


def test_open_levels_are_null(heard: Heard) -> None:
    said = to_contract(identify(heard()), None)
    assert said["category"] is None
    assert said["risk"] is None
    assert said["class"] == "unknown"
    assert said["confidence"] == {"class": None, "category": None, "vendor": None, "model": None}
    assert said["attributes"] == []
