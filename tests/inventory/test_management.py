"""Whether a device is managed, with evidence and confidence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.inventory.labelling import identify
from medwarden.model.device import Device

Heard = Callable[..., Device]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kerberos.host", "PC-0412"),
        ("http.path", "/ClientWebService/client.asmx"),
        ("http.user_agent", "ccmhttp"),
        ("tls.sni", "manage.microsoft.com"),
        ("tls.sni", "hospital.jamfcloud.com"),
        ("tls.sni", "ts01-b.cloudsink.net"),
    ],
)
def test_directory_updates_agents_and_device_management_say_yes(heard: Heard, field: str, value: str) -> None:
    device = identify(heard((field, value)))
    verdict = device.verdict("managed")
    assert device.managed is True
    assert verdict is not None
    assert verdict.confidence >= 0.6
    assert verdict.ballots[0].evidence_value == value


def test_a_camera_is_not_managed_and_says_why(heard: Heard) -> None:
    device = identify(heard(("dhcp.host_name", "DCS-935L"), macs=("b0:c5:54:00:00:01",)))
    verdict = device.verdict("managed")
    assert device.managed is False
    assert verdict is not None
    assert verdict.label == "no"
    assert [b.rule for b in verdict.ballots] == ["kind-not-managed"]


def test_a_computer_in_a_workgroup_is_not_managed(heard: Heard) -> None:
    device = identify(heard(("dhcp.vendor_class", "MSFT 5.0"), ("browser.domain", "WORKGROUP")))
    assert device.managed is False


def test_contradiction_stays_open(heard: Heard) -> None:
    device = identify(heard(("browser.domain", "WORKGROUP"), ("ldap.client_site", "Default-First-Site")))
    verdict = device.verdict("managed")
    assert device.managed is None
    assert verdict is not None
    assert verdict.label is None
    assert {b.label for b in verdict.ballots} == {"yes", "no"}


def test_silence_is_not_known(heard: Heard) -> None:
    device = identify(heard(("dhcp.vendor_class", "MSFT 5.0")))
    assert device.managed is None
