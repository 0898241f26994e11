from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.nbns import Nbns, decode_name
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment, Transport


def _encoded(octets: bytes) -> bytes:
    return bytes(0x41 + half for octet in octets for half in (octet >> 4, octet & 15))


def _name(text: str, suffix: int) -> bytes:
    return b"\x20" + _encoded(text.encode().ljust(15) + bytes([suffix])) + b"\0"


def _facts(payload: bytes) -> list[Evidence]:
    segment = Segment(
        5, 1, Transport.UDP, "02:00:00:00:00:10", "ff:ff:ff:ff:ff:ff", "192.0.2.10", "192.0.2.255", 137, 137,
        None, True, payload,
    )  # fmt: skip
    return list(Nbns().feed(segment))


def _registration(suffix: int, group: bool) -> bytes:
    record = (
        b"\xc0\x0c" + struct.pack("!HHIHH", 0x20, 1, 9, 6, 0x8000 if group else 0) + bytes([192, 0, 2, 10])
    )
    header = struct.pack("!HHHHHH", 1, 0x2910, 1, 0, 0, 1)
    return header + _name("WARD", suffix) + struct.pack("!HH", 0x20, 1) + record


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=1, max_size=15), st.integers(0, 255))
def test_names_come_out_as_they_went_in(text: str, suffix: int) -> None:
    assert decode_name(_encoded(text.encode().ljust(15) + bytes([suffix]))) == (text, suffix)


@pytest.mark.parametrize("encoded", [b"", b"A" * 31, b"A" * 31 + b"Q", b"@" * 32])
def test_what_is_not_first_level_encoding_is_no_name(encoded: bytes) -> None:
    assert decode_name(encoded) is None


@pytest.mark.parametrize(
    ("suffix", "group", "facts"),
    [
        (0x00, False, {("nbns.name", "WARD"), ("nbns.role", "workstation")}),
        (0x20, False, {("nbns.name", "WARD"), ("nbns.role", "server")}),
        (0x00, True, {("nbns.domain", "WARD")}),
        (0x1C, True, {("nbns.domain", "WARD"), ("nbns.role", "domain_controller")}),
        (0x1B, False, {("nbns.domain", "WARD"), ("nbns.role", "domain_master_browser")}),
        (0x1D, False, {("nbns.domain", "WARD"), ("nbns.role", "master_browser")}),
        (0x03, False, set()),
    ],
)
def test_suffixes_say_what_a_name_is(suffix: int, group: bool, facts: set[tuple[str, str]]) -> None:
    assert {(f.field, f.value) for f in _facts(_registration(suffix, group))} == facts


def test_a_scope_is_passed_over_and_one_without_end_is_malformed() -> None:
    name = _name("PACS", 0x20)
    header = struct.pack("!HHHHHH", 1, 0x0110, 1, 0, 0, 0)
    scoped = header + name[:-1] + b"\x04ward\0" + struct.pack("!HH", 0x20, 1)
    assert [(f.field, f.value) for f in _facts(scoped)] == [("nbns.query", "PACS")]
    with pytest.raises(MalformedInput, match="no end"):
        _facts(header + name[:-1] + b"\x04ward")


def test_a_name_table_cut_short_is_malformed() -> None:
    data = bytes([9]) + bytes(18)
    status = struct.pack("!HHHHHH", 1, 0x8400, 0, 1, 0, 0) + _name("*", 0)
    with pytest.raises(MalformedInput, match="name table"):
        _facts(status + struct.pack("!HHIH", 0x21, 1, 0, len(data)) + data)
