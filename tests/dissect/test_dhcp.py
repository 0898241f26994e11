from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP

from medwarden.dissect.dhcp import Dhcp
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment, Transport

PUMP = "02:09:fb:00:00:01"
CHADDR = bytes.fromhex(PUMP.replace(":", ""))


def _facts(payload: bytes, src_ip: str | None = "0.0.0.0", to_server: bool = True) -> list[Evidence]:
    ports = (68, 67) if to_server else (67, 68)
    segment = Segment(
        5, 1, Transport.UDP, "02:00:00:00:00:10", "ff:ff:ff:ff:ff:ff", src_ip, "255.255.255.255", *ports, 7,
        to_server, payload,
    )  # fmt: skip
    return list(Dhcp().feed(segment))


def _values(payload: bytes) -> dict[str, str]:
    return {fact.field: fact.value for fact in _facts(payload)}


def _request(*options: object, ciaddr: str = "0.0.0.0") -> bytes:
    message = BOOTP(chaddr=CHADDR, ciaddr=ciaddr) / DHCP(
        options=[("message-type", "request"), *options, "end"]
    )
    return bytes(message)


@given(st.lists(st.integers(1, 254), min_size=1, max_size=100))
def test_the_order_of_requested_parameters_is_kept(codes: list[int]) -> None:
    values = _values(_request(("param_req_list", codes)))
    assert values["dhcp.parameter_request_list"] == ",".join(map(str, codes))


def test_a_renewing_client_is_known_by_the_address_it_has() -> None:
    facts = _facts(_request(("hostname", b"pump"), ciaddr="192.0.2.50"), "192.0.2.50")
    assert {(fact.mac, fact.ip, fact.vlan) for fact in facts} == {(PUMP, "192.0.2.50", 7)}


@pytest.mark.parametrize(
    ("option", "name"),
    [
        (b"\x00\0\0ct1.ward.test.", "ct1.ward.test"),
        (b"\x04\0\0\x03ct1\x04ward\x04test\0", "ct1.ward.test"),
        (b"\x04\0\0\x03ct1", "ct1"),
        (b"\x05\0\0", None),
    ],
    ids=["ascii", "wire", "partial", "empty"],
)
def test_both_encodings_of_the_domain_name(option: bytes, name: str | None) -> None:
    assert _values(_request((81, option))).get("dhcp.fqdn") == name


@pytest.mark.parametrize(
    ("option", "value"), [(b"\x04iPXE", "iPXE"), (b"RRAS.Microsoft", "RRAS.Microsoft"), (b"\x00\x01", "0001")]
)
def test_user_classes_by_the_book_and_as_plain_text(option: bytes, value: str) -> None:
    assert _values(_request((77, option)))["dhcp.user_class"] == value


@pytest.mark.parametrize(
    ("relay", "server", "mac"),
    [
        ("0.0.0.0", "192.0.2.1", "02:00:00:00:00:10"),
        ("192.0.2.254", "192.0.2.1", None),
        ("0.0.0.0", "198.51.100.1", None),
    ],
    ids=["same link", "relayed", "another identifier"],
)
def test_a_server_behind_a_relay_is_not_given_the_relays_mac(
    relay: str, server: str, mac: str | None
) -> None:
    offer = BOOTP(op=2, chaddr=CHADDR, yiaddr="192.0.2.50", giaddr=relay)
    payload = bytes(offer / DHCP(options=[("message-type", "offer"), ("server_id", server), "end"]))
    [fact] = _facts(payload, "192.0.2.1", to_server=False)
    assert (fact.field, fact.value, fact.mac, fact.ip) == ("dhcp.role", "server", mac, server)


def test_an_offer_is_no_address_and_a_refusal_shows_the_server() -> None:
    for kind in ("offer", "nak"):
        options = [("message-type", kind), ("server_id", "192.0.2.1"), "end"]
        payload = bytes(BOOTP(op=2, chaddr=CHADDR, yiaddr="192.0.2.50") / DHCP(options=options))
        assert {fact.field for fact in _facts(payload, "192.0.2.1", to_server=False)} == {"dhcp.role"}


def test_a_missing_end_option_is_forgiven() -> None:
    payload = _request(("hostname", b"pump"))
    assert _values(payload.rstrip(b"\xff\0"))["dhcp.host_name"] == "pump"


def test_plain_bootp_says_nothing_and_a_short_message_is_malformed() -> None:
    assert _facts(bytes(BOOTP(chaddr=CHADDR))[:236] + bytes(64)) == []
    with pytest.raises(MalformedInput, match="fixed part"):
        _facts(bytes(100))


def test_a_relay_option_that_overruns_is_malformed() -> None:
    with pytest.raises(MalformedInput, match="sub-option"):
        _facts(_request((82, b"\x01\x09abc")))
