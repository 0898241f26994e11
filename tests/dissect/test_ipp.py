from __future__ import annotations

import struct

import pytest

from medwarden.dissect.ipp import facts_of_answer
from medwarden.kernel.errors import MalformedInput

HEAD = b"\x02\x00\x00\x00\x00\x00\x00\x01"


def attribute(tag: int, name: bytes, value: bytes) -> bytes:
    return struct.pack(">BH", tag, len(name)) + name + struct.pack(">H", len(value)) + value


def test_text_with_a_language_and_further_values() -> None:
    body = HEAD + b"\x04" + attribute(0x35, b"printer-info", b"\0\x02de\0\x07Station")
    body += attribute(0x42, b"printer-name", b"p1") + attribute(0x42, b"", b"p2") + b"\x03"
    assert facts_of_answer(body) == [("ipp.info", "Station"), ("ipp.name", "p1")]


def test_attributes_of_jobs_and_numbers_are_not_read() -> None:
    body = (
        HEAD
        + b"\x02"
        + attribute(0x42, b"printer-name", b"jane")
        + b"\x04"
        + attribute(0x21, b"printer-info", b"abcd")
    )
    assert facts_of_answer(body + b"\x03") == []


def test_a_serial_number_of_its_own_counts_before_the_device_id() -> None:
    body = HEAD + b"\x04" + attribute(0x41, b"printer-device-id", b"MFG:X;SN:A1;")
    assert ("ipp.serial_number", "A1") in facts_of_answer(body + b"\x03")
    body += attribute(0x41, b"printer-serial-number", b"B2")
    assert ("ipp.serial_number", "B2") in facts_of_answer(body + b"\x03")


def test_a_body_cut_short_counts_as_far_as_it_goes_unless_it_is_complete() -> None:
    body = (
        HEAD
        + b"\x04"
        + attribute(0x42, b"printer-name", b"p1")
        + attribute(0x41, b"printer-info", b"x" * 20)[:-3]
    )
    assert facts_of_answer(body, complete=False) == [("ipp.name", "p1")]
    with pytest.raises(MalformedInput):
        facts_of_answer(body)


def test_what_is_no_answer_says_nothing() -> None:
    assert facts_of_answer(b"") == []
    assert facts_of_answer(b"<html>not found</html>") == []
