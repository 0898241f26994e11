from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.phi import Tokeniser
from medwarden.dissect.radius import RadiusDissector
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Told = set[tuple[str, str, str | None]]


def packet(code: int, *attributes: tuple[int, bytes]) -> bytes:
    body = b"".join(bytes((kind, len(value) + 2)) + value for kind, value in attributes)
    return struct.pack(">BBH", code, 1, 20 + len(body)) + b"a" * 16 + body


def told(payload: bytes, from_client: bool = True) -> Told:
    segment = Segment(
        1, 1, Transport.UDP, "02:00:00:00:00:10", "02:00:00:00:00:20", "192.0.2.10", "192.0.2.20", 50000,
        1812, None, from_client, payload,
    )  # fmt: skip
    dissector = RadiusDissector()
    dissector.tokeniser = Tokeniser(b"k" * 32)
    return {(fact.field, fact.value, fact.mac) for fact in dissector.feed(segment)}


def overheard(name: bytes, kind: int, value: bytes) -> tuple[int, bytes]:
    pair = name + b"=" + struct.pack(">HH", kind, len(value)) + value
    return 26, struct.pack(">IBB", 9, 1, len(pair) + 2) + pair


CALLING = (31, b"00-09-FB-12-34-56")
DEVICE = "00:09:fb:12:34:56"


def test_a_log_in_to_the_switch_itself_is_nobodys_device() -> None:
    admin = packet(1, (1, b"admin"), (6, b"\0\0\0\x06"), CALLING)
    assert told(admin) == {("radius.role", "nas", "02:00:00:00:00:10")}


def test_without_a_mac_there_is_no_device() -> None:
    assert told(packet(1, (1, b"jane"), (31, b"+49 151 1234"))) == {
        ("radius.role", "nas", "02:00:00:00:00:10")
    }


def test_a_mac_as_user_name_is_mac_authentication() -> None:
    facts = told(packet(1, (1, b"0009fb123456"), CALLING))
    assert ("radius.mac_authentication", "yes", DEVICE) in facts
    assert not [fact for fact in facts if fact[0] == "radius.user"]


def test_what_a_switch_overheard_counts_as_said_by_the_device() -> None:
    facts = told(
        packet(
            4, CALLING, overheard(b"dhcp-option", 60, b"Philips MX"),
            overheard(b"dhcp-option", 55, b"\x01\x03\x06"), overheard(b"cdp-tlv", 6, b"Cisco IP Phone 7975"),
            overheard(b"lldp-tlv", 5, b"SEP01"),
        )
    )  # fmt: skip
    assert {
        ("dhcp.vendor_class", "Philips MX", DEVICE),
        ("dhcp.parameter_request_list", "1,3,6", DEVICE),
        ("cdp.platform", "Cisco IP Phone 7975", DEVICE),
        ("lldp.system_name", "SEP01", DEVICE),
    } <= facts


def test_the_network_a_device_is_put_in() -> None:
    accepted = packet(2, CALLING, (81, b"\x01104"))
    assert told(accepted, from_client=False) == {
        ("radius.role", "server", "02:00:00:00:00:10"),  # who sends it, here the first of the two
        ("radius.vlan", "104", DEVICE),
    }


def test_an_eap_method_and_an_outer_identity() -> None:
    facts = told(packet(1, CALLING, (1, b"anonymous@clinic.test"), (79, b"\x02\x01\0\x06\x15\0")))
    assert ("radius.eap_method", "ttls", DEVICE) in facts
    assert ("radius.realm", "clinic.test", DEVICE) in facts
    assert not [fact for fact in facts if fact[0] == "radius.user"]


@pytest.mark.parametrize(
    "payload",
    [
        b"\x01\0\0\x14",
        packet(1)[:19],
        packet(99),
        packet(1, (1, b"x"))[:22],
        packet(1)[:2] + b"\0\xff" + b"a" * 16,
    ],
)
def test_broken_packets(payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        told(payload)


@given(st.binary(max_size=120))
def test_any_attributes_give_facts_or_malformed_input(rest: bytes) -> None:
    payload = struct.pack(">BBH", 4, 1, 20 + len(rest)) + b"a" * 16 + rest
    RadiusDissector.recognises(payload, True)
    try:
        facts = told(payload)
    except MalformedInput as error:
        assert error.source == "radius"
    else:
        assert all(value for _, value, _ in facts)
