"""Makers named in what a device says of its product."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.inventory.labelling import identify
from medwarden.model.device import Device

Heard = Callable[..., Device]


@pytest.mark.parametrize(
    ("field", "value", "maker"),
    [
        ("snmp.sys_descr", "VMware Ganqua A469 6.7.0 build-14320388", "VMware"),
        ("mqtt.client_id", "Vaisala Rastor E362 982f39", "Vaisala"),
        ("http.title", "Spacelabs Arven X69", "Spacelabs"),
        ("http.www_authenticate", 'Basic realm="Hikvision DS-0"', "Hikvision"),
    ],
)
def test_the_maker_is_read_from_the_product(heard: Heard, field: str, value: str, maker: str) -> None:
    device = identify(heard((field, value)))
    verdict = device.verdict("vendor")
    assert device.vendor == maker
    assert verdict is not None
    assert verdict.ballots[0].evidence_value == value


@pytest.mark.parametrize("value", ["Login", "philipsburg clinic", "The Philips page", "bd"])
def test_words_that_are_no_makers_say_nothing(heard: Heard, value: str) -> None:
    assert identify(heard(("http.title", value))).vendor is None


def test_an_enterprise_number_names_the_maker_and_a_built_in_agent_does_not(heard: Heard) -> None:
    assert identify(heard(("snmp.sys_object_id", "1.3.6.1.4.1.30065.1.3011"))).vendor == "Arista"
    for built_in in ("1.3.6.1.4.1.8072.3.2.10", "1.3.6.1.4.1.2021.250.10", "1.3.6.1.4.1.311.1.1.3.1.2"):
        assert identify(heard(("snmp.sys_object_id", built_in))).vendor is None
