"""Tokens hold what devices of a kind share, and nothing that only one of them has."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.phi import Tokeniser
from medwarden.inventory.labels.tokens import (
    behaviour_tokens,
    mac_tails,
    normalise,
    token_number,
    words_of,
)

MACS = st.binary(min_size=6, max_size=6).map(lambda raw: ":".join(f"{octet:02x}" for octet in raw))


@pytest.mark.parametrize(
    ("field", "value", "normal"),
    [
        ("ssdp.usn", "uuid:ae67e622-7a66-465e-bab0-b0c5541c7185::upnp:rootdevice", "uuid:#::upnp:rootdevice"),
        ("ssdp.location", "http://10.10.10.58:8641/rootdesc.xml", "http://#/rootdesc.xml"),
        ("mdns.instance", "[74:da:38:80:7a:08]", "[#]"),
        (
            "mdns.instance",
            "D-Link DCS-935L Configuration Utility (2)",
            "d-link dcs-935l configuration utility",
        ),
        ("ssdp.usn", "uuid:Insight-1_0-221517K0100F55", "uuid:insight-1_0-#"),
        ("tcp.stack", "64:5840:1460:M,S,T,N,W1", "64:5840:1460:m,s,t,n,w1"),
        ("tls.ja4", "t12i700500_d1ca360fb3a8_a1e935682795", "t12i700500_d1ca360fb3a8_a1e935682795"),
        ("sdc.model_name", "6ES7315-2EH14-0AB0", "6es7315-2eh14-0ab0"),
        ("ndp.ip", "fe80::1e5f:2bff:feaa:fd4e", "#"),
    ],
)
def test_what_belongs_to_one_device_goes_and_its_kind_stays(field: str, value: str, normal: str) -> None:
    assert normalise(field, value) == normal


def test_the_end_of_its_own_mac_address_goes_from_a_name() -> None:
    tails = mac_tails(["b0:c5:54:25:5b:0e"])
    assert normalise("mdns.host_name", "iotcam-255b0e", tails) == "iotcam-#"
    assert normalise("dhcp.host_name", "GainSpan5B0E", tails) == "gainspan#"


@given(MACS)
def test_no_mac_address_is_left_in_a_token(mac: str) -> None:
    plain = mac.replace(":", "")
    text = normalise("mdns.instance", f"Printer {mac} {plain}", mac_tails([mac]))
    tokens = " ".join(words_of("mdns.instance", text))
    assert mac not in tokens
    assert plain not in tokens


@given(st.ip_addresses(v=4))
def test_no_address_is_left_in_a_token(address: object) -> None:
    text = normalise("http.title", f"Device at {address}")
    assert not re.search(r"\d+\.\d+\.\d+\.\d+", text)


@pytest.mark.parametrize("name", ["ws-0423", "ws-0017", "ws-9"])
def test_numbers_of_hosts_go_from_names(name: str) -> None:
    assert "dhcp.host_name = ws-#" in words_of("dhcp.host_name", name)


def test_numbers_of_models_stay_in_names() -> None:
    assert "word s150" in words_of("dhcp.host_name", "dch-s150")


def test_values_of_personal_fields_are_only_noticed() -> None:
    assert words_of("snmp.printer_serial", "cnb1234567") == ("has snmp.printer_serial",)
    assert words_of("dhcp.client_id", "1:20f85eca9152") == ("has dhcp.client_id",)


@pytest.mark.parametrize(
    "field", ["dicom.operator", "hl7.operator", "eapol.user", "radius.user", "firewall.user"]
)
def test_people_are_only_noticed_whatever_key_hid_their_names(field: str) -> None:
    told = [Tokeniser(key * 16).token("user", "Dr. Mara Jensen") for key in (b"a", b"b")]
    assert told[0] != told[1]
    assert [words_of(field, text) for text in told] == [(f"has {field}",)] * 2


def test_a_list_keeps_its_order() -> None:
    assert words_of("dhcp.parameter_request_list", "1,3,6") != words_of(
        "dhcp.parameter_request_list", "3,1,6"
    )


def test_the_number_of_a_token_is_the_same_everywhere() -> None:
    assert token_number("word axis") == token_number("word axis")
    assert {token_number(f"word w{n}")[1] for n in range(40)} == {-1, 1}
    assert len({token_number(f"word w{n}")[0] for n in range(5000)}) > 4980


def test_near_amounts_share_a_token() -> None:
    one = set(behaviour_tokens((("client tcp/80 octets/packet", 400.0),)))
    other = set(behaviour_tokens((("client tcp/80 octets/packet", 430.0),)))
    far = set(behaviour_tokens((("client tcp/80 octets/packet", 60.0),)))
    assert one & other
    assert not one & far


@pytest.mark.parametrize("title", ["login", "sign in", "unauthorized", "web interface", "index of /"])
def test_titles_that_any_program_shows_are_only_noticed(title: str) -> None:
    assert words_of("http.title", title) == ("has http.title",)


def test_titles_that_name_something_are_read() -> None:
    assert "http.title : axis" in words_of("http.title", "axis login")


@pytest.mark.parametrize("field", ["ntlmssp.domain", "kerberos.realm", "dhcp.domain_name", "ldap.domain"])
def test_the_domain_of_a_house_is_not_learnt(field: str) -> None:
    assert words_of(field, normalise(field, "LINDENHOF")) == (f"has {field}",)


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ("_ldap._tcp.dc._msdcs.lindenhof.local", "_ldap._tcp.dc._#"),
        ("pacs.lindenhof.internal", "#"),
        ("intranet.lindenhof.hospital.example", "#"),
        ("sls.update.microsoft.com", "sls.update.microsoft.com"),
        ("localhost", "localhost"),
    ],
)
def test_names_of_the_house_that_are_asked_for_are_not_learnt(asked: str, left: str) -> None:
    for field in ("dns.query", "tls.sni", "quic.sni", "http.host"):
        assert normalise(field, asked) == left
    assert normalise("mdns.service", asked) == asked
