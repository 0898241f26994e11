"""Switching evidence off."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.registry import dissectors
from medwarden.inventory.evidence_groups import GROUPS, Without, check
from medwarden.inventory.labelling import identify
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.device import Device

Heard = Callable[..., Device]


def test_a_group_takes_its_fields_and_nothing_else(heard: Heard) -> None:
    device = heard(("dhcp.host_name", "DCS-935L"), ("http.server", "x"), macs=("b0:c5:54:00:00:01",))
    left = Without(["dhcp"]).strip(device)
    assert [entry.field for entry in left.ledger] == ["http.server"]
    assert left.macs == device.macs
    assert identify(device).category == "ip_camera"
    assert identify(left).category is None


def test_names_go_whatever_tells_them(heard: Heard) -> None:
    device = heard(("dhcp.host_name", "a"), ("onvif.host_name", "b"), ("dhcp.vendor_class", "c"))
    assert [e.field for e in Without(["hostname"]).strip(device).ledger] == ["dhcp.vendor_class"]


def test_addresses_and_traffic_go(heard: Heard) -> None:
    device = heard(macs=("b0:c5:54:00:00:01",))
    assert identify(device).vendor == "D-Link"
    assert identify(Without(["mac"]).strip(device)).vendor is None
    assert Without(["mac"]).reaches(device)
    assert not Without(["traffic"]).reaches(device)


def test_single_fields_and_protocols(heard: Heard) -> None:
    device = heard(("snmp.sys_descr", "a"), ("snmp.sys_name", "b"), ("http.server", "c"))
    assert [e.field for e in Without(["snmp.sys_descr"]).strip(device).ledger] == [
        "snmp.sys_name",
        "http.server",
    ]
    assert [e.field for e in Without(["snmp"]).strip(device).ledger] == ["http.server"]


def test_nothing_switched_off_changes_nothing(heard: Heard) -> None:
    device = heard(("snmp.sys_descr", "a"))
    assert Without([]).strip(device) is device


def test_what_cannot_be_meant_is_said() -> None:
    with pytest.raises(ConfigurationError, match="no group of evidence: give dhcp"):
        check(["DHCP names"])
    assert check([" DHCP", "dhcp", ""]) == ("dhcp",)


def test_every_protocol_is_in_a_group() -> None:
    protocols = {field.partition(".")[0] for d in dissectors() for field in d.manifest.fields}
    grouped = frozenset().union(*(group.protocols for group in GROUPS.values()))
    assert protocols <= grouped
