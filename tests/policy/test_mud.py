"""MUD export: the shape of RFC 8520 and RFC 8519, and the mapping of peers."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.model.device import Device, DeviceClass
from medwarden.model.policy import Direction, Peer, Policy, PolicyRule, PolicyState
from medwarden.policy import to_mud_text

SHARED = Path(os.environ.get("MEDWARDEN_SHARED", Path(__file__).parents[3] / "shared"))
MUD = SHARED / "knowledge/standards/mud_nist"

PUMP = Device(
    id="d1",
    site="main",
    device_class=DeviceClass.IOMT,
    category="infusion_pump",
    vendor="B. Braun",
    model="Space",
)
SERVER = Device(id="d2", site="main", device_class=DeviceClass.IOMT, category="infusion_server")
DEVICES = {"d1": PUMP, "d2": SERVER}


def rule(
    kind: str,
    value: str,
    transport: str = "tcp",
    port: int | None = 443,
    direction: Direction = Direction.TO_PEER,
    port_to: int | None = None,
) -> PolicyRule:
    return PolicyRule(direction, Peer(kind, value, value), transport, port, None, 1, 1, 1, 2, port_to=port_to)


def policy(*rules: PolicyRule, kind: str = "device", subject: str = "d1") -> Policy:
    return Policy(
        "p-1", kind, subject, "Pump 1", PolicyState.LEARNT, 1, rules, 1, 1_750_000_000 * 10**9, ("d1",)
    )


def mud_of(subject: Policy, devices: dict[str, Device]) -> Any:
    return json.loads(to_mud_text(subject, devices))


def entries(mud: Any, name: str) -> list[dict[str, Any]]:
    (found,) = [a for a in mud["ietf-access-control-list:acls"]["acl"] if a["name"] == name]
    return [ace["matches"] for ace in found["aces"]["ace"]]


RULES = (
    rule("device", "d2"),
    rule("device", "d3", direction=Direction.FROM_PEER, port=104),
    rule("category", "pacs", port=104),
    rule("subnet", "10.1.2.0/24", port=49152, port_to=65535),
    rule("subnet", "fd00::/64"),
    rule("address", "10.9.9.9", transport="icmp", port=None),
    rule("domain", "updates.example.org"),
    rule("multicast", "224.0.0.251", transport="udp", port=5353),
    rule("broadcast", "255.255.255.255", transport="udp", port=67),
    rule("device", "dns1", transport="udp", port=53),
    rule("internet", "internet"),
)


def test_peers_become_the_abstractions_of_mud() -> None:
    mud = mud_of(policy(*RULES), DEVICES)
    out = entries(mud, "p-1-v4-from")
    assert out[0] == {
        "ietf-mud:mud": {"my-controller": [None]},
        "ipv4": {"protocol": 6},
        "tcp": {
            "ietf-mud:direction-initiated": "from-device",
            "destination-port": {"operator": "eq", "port": 443},
        },
    }
    assert out[1]["tcp"] == {
        "ietf-mud:direction-initiated": "to-device",
        "source-port": {"operator": "eq", "port": 104},
    }
    assert out[2]["ietf-mud:mud"] == {"controller": "urn:medwarden:category:pacs"}
    assert out[3]["ipv4"]["destination-ipv4-network"] == "10.1.2.0/24"
    assert out[3]["tcp"]["destination-port"] == {"lower-port": 49152, "upper-port": 65535}
    assert out[4]["ipv4"] == {"protocol": 1, "destination-ipv4-network": "10.9.9.9/32"}
    assert out[5]["ipv4"]["ietf-acldns:dst-dnsname"] == "updates.example.org"
    assert out[6]["ipv4"]["destination-ipv4-network"] == "224.0.0.251/32"
    assert out[7]["ietf-mud:mud"] == {"local-networks": [None]}
    assert out[8]["ietf-mud:mud"] == {"controller": "urn:ietf:params:mud:dns"}
    assert len(out) == 9
    six = entries(mud, "p-1-v6-from")
    assert {"protocol": 6, "destination-ipv6-network": "fd00::/64"} in [m.get("ipv6") for m in six]


def test_both_directions_mirror_each_other() -> None:
    mud = mud_of(policy(*RULES), DEVICES)
    out, back = entries(mud, "p-1-v4-from"), entries(mud, "p-1-v4-to")
    assert len(out) == len(back)
    assert back[0]["tcp"]["source-port"] == {"operator": "eq", "port": 443}
    assert back[1]["tcp"]["destination-port"] == {"operator": "eq", "port": 104}
    assert back[5]["ipv4"]["ietf-acldns:src-dnsname"] == "updates.example.org"


def test_peers_of_the_own_category_are_the_same_model() -> None:
    mud = mud_of(policy(rule("category", "infusion_pump"), kind="category", subject="infusion_pump"), DEVICES)
    (match,) = entries(mud, "p-1-v4-from")
    assert match["ietf-mud:mud"] == {"model": mud["ietf-mud:mud"]["mud-url"]}


def test_no_entry_is_ever_open_to_every_peer() -> None:
    for acl in mud_of(policy(*RULES), DEVICES)["ietf-access-control-list:acls"]["acl"]:
        for ace in acl["aces"]["ace"]:
            matches = ace["matches"]
            ip = {**matches.get("ipv4", {}), **matches.get("ipv6", {})}
            assert "ietf-mud:mud" in matches or set(ip) - {"protocol"}


def test_mandatory_leaves_and_references() -> None:
    mud = json.loads(to_mud_text(policy(*RULES), DEVICES, "https://mud.hospital.example/files/"))
    head = mud["ietf-mud:mud"]
    assert head["mud-version"] == 1
    assert head["mud-url"] == "https://mud.hospital.example/files/p-1.json"
    assert 1 <= head["cache-validity"] <= 168
    assert head["is-supported"] is True
    assert head["last-update"] == "2025-06-15T15:06:40+00:00"
    assert (head["mfg-name"], head["model-name"]) == ("B. Braun", "Space")
    assert len(head["systeminfo"]) <= 60
    named = {a["name"] for a in mud["ietf-access-control-list:acls"]["acl"]}
    used = {
        a["name"]
        for side in ("from-device-policy", "to-device-policy")
        for a in head[side]["access-lists"]["access-list"]
    }
    assert used == named
    for acl in mud["ietf-access-control-list:acls"]["acl"]:
        names = [ace["name"] for ace in acl["aces"]["ace"]]
        assert len(names) == len(set(names))


@given(
    st.lists(
        st.builds(
            rule,
            st.sampled_from(
                ["device", "category", "subnet", "address", "domain", "multicast", "broadcast", "internet"]
            ),
            st.sampled_from(
                ["d2", "10.0.0.0/24", "10.0.0.1", "fe80::1%eth0", "ff02::fb", "a.example.org", "<x>"]
            ),
            st.sampled_from(["tcp", "udp", "icmp", "47", "sctp"]),
            st.none() | st.integers(0, 65535),
            st.sampled_from(list(Direction)),
        )
    )
)
def test_every_network_written_is_one_of_its_list(rules: list[PolicyRule]) -> None:
    for acl in mud_of(policy(*rules), DEVICES)["ietf-access-control-list:acls"]["acl"]:
        version = int(acl["type"][3])
        for ace in acl["aces"]["ace"]:
            for field, value in ace["matches"].get(f"ipv{version}", {}).items():
                if field.endswith("-network"):
                    assert ipaddress.ip_network(value).version == version


def _yang_names(folder: Path) -> set[str]:
    names = set()
    for module in folder.glob("*.yang"):
        text = re.sub(r'"[^"]*"', '""', module.read_text(encoding="utf-8"))
        names |= set(re.findall(r"\b(?:leaf|leaf-list|container|list)\s+([a-z0-9-]+)\s*\{", text))
    return names


def _keys(thing: object) -> set[str]:
    if isinstance(thing, dict):
        return {k.partition(":")[2] or k for k in thing} | {k for v in thing.values() for k in _keys(v)}
    return {k for v in thing for k in _keys(v)} if isinstance(thing, list) else set()


def _paths(thing: object, at: str = "") -> set[str]:
    if isinstance(thing, dict):
        return {f"{at}/{k}" for k in thing} | {p for k, v in thing.items() for p in _paths(v, f"{at}/{k}")}
    return {p for v in thing for p in _paths(v, at)} if isinstance(thing, list) else set()


def test_every_name_is_defined_by_the_yang_modules() -> None:
    modules = MUD / "sdnmud-aggregator/api/src/main/yang"
    if not modules.is_dir():
        pytest.skip("the YANG modules of RFC 8520 are not beside this checkout")
    defined = _yang_names(modules)
    assert {"mud-url", "direction-initiated", "dst-dnsname", "forwarding"} <= defined
    assert _keys(mud_of(policy(*RULES), DEVICES)) <= defined


def test_the_nesting_is_that_of_published_mud_files() -> None:
    examples = sorted(MUD.rglob("*.json"))
    if not examples:
        pytest.skip("the published MUD examples are not beside this checkout")
    published: set[str] = set()
    for example in examples:
        published |= _paths(json.loads(example.read_text(encoding="utf-8")))
    own = _paths(mud_of(policy(*RULES[:3], rule("domain", "updates.example.org")), DEVICES))
    extra = {p for p in own if p not in published and not p.endswith(("mfg-name", "model-name"))}
    assert extra == set()
