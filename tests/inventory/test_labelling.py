"""From evidence to identity."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory import labelling
from medwarden.inventory.ballots import MODEL_RULE
from medwarden.inventory.labelling import derived_facts, identify, labelling_version, what_is_missing
from medwarden.knowledge.fingerprints.rules import LEVELS, TRUST
from medwarden.knowledge.taxonomy import class_of
from medwarden.model.device import Ballot, Conversation, Device, DeviceClass, Service
from medwarden.model.evidence import LedgerEntry

Heard = Callable[..., Device]


def _service(port: int, transport: str = "tcp") -> Service:
    return Service(transport, port, None, 0, 1, 1, 1, 1)


def _talk(port: int, established: bool = True) -> Conversation:
    return Conversation(
        "d-1", "client", "d-2", None, None, "internal", "tcp", port, None, 0, 1, 1, 1, 1, 1, established
    )


def test_every_level_has_a_verdict_with_its_ballots(heard: Heard) -> None:
    device = identify(heard(("dhcp.host_name", "DCS-935L"), ("dhcp.vendor_class", "udhcp 1.22.1")))
    assert tuple(verdict.level for verdict in device.verdicts) == LEVELS
    verdict = device.verdict("category")
    assert verdict is not None
    assert verdict.label == "ip_camera"
    assert [(b.rule, b.evidence_field, b.evidence_value) for b in verdict.ballots] == [
        ("dlink-camera", "dhcp.host_name", "DCS-935L")
    ]
    assert (device.vendor, device.model, device.os, device.managed) == (
        "D-Link",
        "DCS-935L",
        "Embedded Linux",
        False,
    )


def test_nothing_heard_means_nothing_claimed(heard: Heard) -> None:
    device = identify(heard())
    assert device.device_class is DeviceClass.UNKNOWN
    assert (device.category, device.vendor, device.model, device.os, device.managed, device.phi) == (
        None,
    ) * 6


def test_what_is_declared_outranks_the_interface(heard: Heard) -> None:
    declared = (
        ("upnp.manufacturer", "Samsung Electronics"),
        ("upnp.friendly_name", "[TV] Samsung 7 Series (55)"),
    )
    device = identify(heard(*declared, macs=("94:10:3e:00:00:01",)))
    assert device.vendor == "Samsung"
    verdict = device.verdict("vendor")
    assert verdict is not None
    assert verdict.runner_up == "Belkin"


def test_a_module_maker_is_no_vendor(heard: Heard) -> None:
    device = identify(heard(("dhcp.host_name", "ESP_12AB34"), macs=("5c:cf:7f:00:00:01",)))
    assert device.vendor is None
    assert device.category is None
    assert device.device_class is DeviceClass.IOT


def test_a_randomised_address_has_no_vendor(heard: Heard) -> None:
    assert identify(heard(macs=("da:a1:19:00:00:01",))).vendor is None


def test_open_categories_of_one_class_add_up(heard: Heard) -> None:
    device = identify(heard(("dhcp.host_name", "DCS-935L"), ("ssdp.server", "x UPnP/1.0 DSP-W215/1.0")))
    verdict = device.verdict("category")
    assert verdict is not None
    assert verdict.label is None
    assert device.device_class is DeviceClass.IOT


def test_a_category_carries_its_class(heard: Heard) -> None:
    # MSFT 5.0 votes for IT, but a scale is medical.
    device = identify(heard(("dns.query", "scalews.withings.net"), ("dhcp.vendor_class", "Withings00")))
    assert (device.device_class, device.category) == (DeviceClass.IOMT, "smart_scale")


def test_traffic_is_evidence(heard: Heard) -> None:
    device = heard(services=(_service(9100),), conversations=(_talk(2000), _talk(23, established=False)))
    assert set(derived_facts(device)) == {
        ("flow.serves", "tcp/9100"),
        ("flow.client_of", "tcp/2000"),
        ("flow.talks_to", "tcp/2000"),
        ("flow.talks_to", "tcp/23"),
    }
    assert identify(heard(services=(_service(9100), _service(515), _service(631)))).category == "printer"


def test_versions_belong_to_the_system_that_won(heard: Heard) -> None:
    device = identify(
        heard(
            ("ssh.identification", "SSH-2.0-OpenSSH_8.2p1 Ubuntu-4ubuntu0.5"),
            ("http.user_agent", "Microsoft-CryptoAPI/6.1"),
        )
    )
    assert (device.os, device.os_version) == ("Ubuntu", "20.04")


def test_the_version_of_a_kind_of_debian(heard: Heard) -> None:
    device = identify(heard(("ssh.identification", "SSH-2.0-OpenSSH_7.9p1 Raspbian-10+deb10u2")))
    assert (device.os, device.os_version) == ("Raspberry Pi OS", "10")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dns.query", "_ldap._tcp.dc._msdcs.example.org"),
        ("kerberos.host", "PC0417$"),
        ("tls.sni", "ts01-b.cloudsink.net"),
        ("http.user_agent", "ccmhttp"),
    ],
)
def test_managed_computers(heard: Heard, field: str, value: str) -> None:
    assert identify(heard((field, value), ("dhcp.vendor_class", "MSFT 5.0"))).managed is True


def test_a_computer_that_says_nothing_may_be_managed(heard: Heard) -> None:
    assert identify(heard(("dhcp.vendor_class", "MSFT 5.0"))).managed is None


def test_models_do_not_repeat_the_vendor(heard: Heard) -> None:
    device = identify(heard(("upnp.manufacturer", "Mindray"), ("upnp.model_name", "Mindray N17")))
    assert (device.vendor, device.model) == ("Mindray", "N17")


def test_gateways(heard: Heard) -> None:
    assert identify(heard(("flow.gateway", "yes"))).category == "router_firewall"


def test_what_is_missing_names_open_levels_only(heard: Heard) -> None:
    known = identify(heard(("dhcp.host_name", "DCS-935L"), macs=("b0:c5:54:00:00:01",)))
    words = what_is_missing(known)
    assert any(text.startswith("serial:") for text in words)
    assert not any(text.startswith(("vendor:", "category:", "address:")) for text in words)
    unknown = what_is_missing(identify(heard(("http.server", "x"))))
    assert unknown[0].startswith("address:")
    assert any("beyond what http said" in text for text in unknown)


def test_the_version_is_stable() -> None:
    assert labelling_version() == labelling_version()
    assert labelling_version().startswith("labels-")


_ENTRY = st.builds(
    lambda field, value: LedgerEntry("s", field, value, "s1", 1, 2, 1),
    st.sampled_from(
        [
            "dhcp.host_name",
            "http.user_agent",
            "dicom.role",
            "dicom.modality",
            "upnp.manufacturer",
            "ntlmssp.os_version",
        ]
    ),
    st.one_of(
        st.text(max_size=40),
        st.sampled_from(
            ["CT", "MR", "storage_scp", "query_scp", "HS100(EU)", "iPhone", "10.0.19041", "Zebra"]
        ),
    ),
)


@given(st.lists(_ENTRY, max_size=12), st.permutations(range(12)))
def test_any_ledger_is_judged_alike_in_any_order(entries: list[LedgerEntry], order: list[int]) -> None:
    device = identify(Device(id="d", site="s", ledger=tuple(entries)))
    other = identify(Device(id="d", site="s", ledger=tuple(entries[i] for i in order if i < len(entries))))
    assert (device.device_class, device.category, device.vendor, device.os) == (
        other.device_class,
        other.category,
        other.vendor,
        other.os,
    )
    for verdict in device.verdicts:
        assert 0.0 <= verdict.confidence < 1.0
    if device.category is not None:
        assert device.device_class is class_of(device.category)
    assert identify(device) == device


def _vote(level: str, label: str, rule: str) -> Ballot:
    return Ballot(level, label, TRUST["strong"], rule, "http.title", label)


def test_a_trained_model_names_no_model_that_nothing_else_names() -> None:
    alone = [
        _vote("model", "Galaxy S21", f"{MODEL_RULE}1"),
        _vote("category", "smartphone", f"{MODEL_RULE}1"),
    ]
    assert [vote.level for vote in labelling._named_models_only(alone)] == ["category"]
    said = [*alone, _vote("model", "galaxy-s21", "declared-model")]
    assert labelling._named_models_only(said) == said


def test_a_model_names_no_finer_kind_than_a_rule_says() -> None:
    model = f"{MODEL_RULE}1"
    said = [_vote("category", "infusion_pump", "pump-port"), _vote("os", "Windows", "windows-dhcp")]
    guessed = [_vote("category", "syringe_pump", model), _vote("os", "Windows Server", model)]
    labels = [vote.label for vote in labelling._no_finer_kinds([*said, *guessed])]
    assert labels == ["infusion_pump", "Windows", "infusion_pump", "Windows"]
    assert labelling._no_finer_kinds(guessed) == guessed
    other = [*said, _vote("os", "Ubuntu", model)]
    assert labelling._no_finer_kinds(other) == other


def test_a_model_does_not_settle_between_unrelated_systems() -> None:
    model = _vote("os", "Android", f"{MODEL_RULE}1")
    one = [_vote("os", "Android", "android-agent"), _vote("os", "Linux", "linux-stack"), model]
    assert labelling._one_system_only(one) == one, "the one is a kind of the other"
    two = [*one, _vote("os", "iOS", "iphone-agent")]
    assert labelling._one_system_only(two) == [vote for vote in two if vote is not model]
    faint = [*one, msgspec.structs.replace(two[-1], weight=TRUST["hint"])]
    assert labelling._one_system_only(faint) == faint


def test_a_server_on_a_virtual_machine_has_the_maker_of_that(heard: Heard) -> None:
    device = heard(("sip.server", "Asterisk PBX 16.28.0"), macs=("00:50:56:00:00:01",))
    judged = identify(device)
    assert (judged.category, judged.vendor) == ("server", "VMware")
    assert identify(heard(("sip.server", "Asterisk PBX 16.28.0"))).vendor is None
