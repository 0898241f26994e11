from __future__ import annotations

import struct

import pytest

from medwarden.dissect.lldp import Lldp
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport


def _tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!H", kind << 9 | len(value)) + value


def _facts(*tlvs: bytes) -> dict[str, str]:
    segment = Segment(
        5, 1, Transport.ETHERNET, "02:00:00:00:00:10", "01:80:c2:00:00:0e", None, None, 0, 0, None, True,
        b"".join(tlvs), ethertype=0x88CC,
    )  # fmt: skip
    return {fact.field: fact.value for fact in Lldp().feed(segment)}


CHASSIS = _tlv(1, b"\x07gw")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"\x04\x02\0\0\0\0\x10", "02:00:00:00:00:10"),
        (b"\x05\x01\xc0\0\x02\x01", "192.0.2.1"),
        (b"\x05\x06\x01\x02", "060102"),
        (b"\x07switch-7", "switch-7"),
        (b"\x01\x00\x01\x02", "000102"),
    ],
)
def test_chassis_ids_by_subtype(value: bytes, text: str) -> None:
    assert _facts(_tlv(1, value))["lldp.chassis_id"] == text


def test_management_addresses_by_family() -> None:
    v6 = bytes.fromhex("20010db8000000000000000000000063")
    for family, address, text in ((1, b"\xc0\0\x02\x63", "192.0.2.99"), (2, v6, "2001:db8::63")):
        value = bytes([len(address) + 1, family]) + address + b"\x02\0\0\0\x01\0"
        assert _facts(CHASSIS, _tlv(8, value))["lldp.management_address"] == text


def test_what_stands_behind_the_end_is_not_read() -> None:
    assert "lldp.system_name" not in _facts(CHASSIS, _tlv(0, b""), _tlv(5, b"padding"))


def test_empty_and_reserved_values_are_no_facts() -> None:
    vlan = b"\x00\x80\xc2\x01"
    found = _facts(
        CHASSIS, _tlv(5, b""), _tlv(7, b"\0\0\0\0"), _tlv(127, vlan + b"\0\0"), _tlv(127, vlan + b"\x0f\xff")
    )
    assert found == {"lldp.chassis_id": "gw"}


def test_a_frame_must_start_with_the_chassis() -> None:
    with pytest.raises(MalformedInput, match="chassis"):
        _facts(_tlv(5, b"name"))
