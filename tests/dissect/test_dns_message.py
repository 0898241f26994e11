from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect import dns_message as wire
from medwarden.dissect.dns_message import DnsMessage, name_text, reverse_address, strings
from medwarden.kernel.errors import MalformedInput

LABEL = st.binary(min_size=1, max_size=20)
NAME = st.lists(LABEL, max_size=8).map(tuple)


def _header(questions: int = 0, answers: int = 0) -> bytes:
    return struct.pack("!HHHHHH", 1, 0x8400, questions, answers, 0, 0)


def _compressed(names: list[tuple[bytes, ...]]) -> bytes:
    """Return a message with a question per name, each name compressed against the earlier ones."""
    message = bytearray(_header(len(names)))
    seen: dict[tuple[bytes, ...], int] = {}
    for name in names:
        for index in range(len(name) + 1):
            suffix = name[index:]
            if not suffix:
                message += b"\0"
                break
            if suffix in seen:
                message += struct.pack("!H", 0xC000 | seen[suffix])
                break
            if len(message) < 0x4000:
                seen[suffix] = len(message)
            message += bytes([len(name[index])]) + name[index]
        message += b"\0\1\0\1"
    return bytes(message)


@given(st.lists(NAME, min_size=1, max_size=20))
def test_compressed_names_come_out_as_they_went_in(names: list[tuple[bytes, ...]]) -> None:
    message = DnsMessage(_compressed(names), "test")
    assert [question.name for question in message.questions()] == names


def test_a_record_with_its_data_and_target() -> None:
    owner = b"\x03pac\x04ward\0"
    octets = _header(answers=1) + owner + struct.pack("!HHIH", wire.PTR, 1, 60, 4) + b"\x01x\xc0\x10"
    message = DnsMessage(octets, "test")
    [record] = message.records(1)
    assert (record.name, record.rtype, record.ttl) == ((b"pac", b"ward"), wire.PTR, 60)
    assert message.target(record) == (b"x", b"ward")
    assert message.data(record) == b"\x01x\xc0\x10"


@pytest.mark.parametrize(
    "name",
    [
        b"\xc0\x0c",
        b"\xc0\xff",
        b"\x01a\xc0\x0c",
        b"\x40a",
        b"\x80a",
        b"\x05abc",
        b"\xc0",
        (b"\x3f" + b"a" * 63) * 4,
    ],
    ids=["self", "ahead", "around", "type 01", "type 10", "short", "into the header", "256 octets"],
)
def test_names_that_loop_or_overrun_are_malformed(name: bytes) -> None:
    with pytest.raises(MalformedInput):
        DnsMessage(_header(1) + name + b"\0\0\1\0\1", "test").questions()


def test_long_chains_of_pointers_are_refused_and_short_ones_followed() -> None:
    octets = (
        _header(1) + b"\x01a\0" + b"".join(struct.pack("!H", 0xC000 | at) for at in (12, *range(15, 315, 2)))
    )
    message = DnsMessage(octets, "test")
    assert message.name_at(15 + 2 * 10)[0] == (b"a",)
    with pytest.raises(MalformedInput):
        message.name_at(15 + 2 * 100)


def test_records_are_counted_by_what_is_there_and_never_more_than_the_bound() -> None:
    record = b"\0" + struct.pack("!HHIH", wire.A, 1, 1, 0)
    full = DnsMessage(_header(answers=65535) + record * 2000, "test")
    assert len(full.records(full.header.answers)) == wire.MAX_RECORDS
    with pytest.raises(MalformedInput, match="cut short"):
        DnsMessage(_header(answers=65535) + record * 3, "test").records(65535)


def test_text_of_names() -> None:
    assert name_text((b"WWW", b"Example", b"org")) == "www.example.org"
    assert name_text(()) == ""


def test_character_strings_stop_where_they_are_cut() -> None:
    assert strings(b"\x01a\x00\x02bc\x05d") == [b"a", b"", b"bc"]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("3.2.1.10.in-addr.arpa", bytes([10, 1, 2, 3])),
        ("2.1.10.IN-ADDR.ARPA", None),
        ("256.2.1.10.in-addr.arpa", None),
        ("x.2.1.10.in-addr.arpa", None),
        ("1." + "0." * 29 + "d.f.ip6.arpa", bytes([0xFD]) + bytes(14) + b"\1"),
        ("g." + "0." * 29 + "d.f.ip6.arpa", None),
        ("www.example.org", None),
    ],
)
def test_reverse_names(name: str, address: bytes | None) -> None:
    assert reverse_address(tuple(label.encode() for label in name.split("."))) == address


@given(st.binary(max_size=120))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    try:
        message = DnsMessage(octets, "test")
        message.questions()
        for record in message.records(message.header.answers):
            message.target(record)
    except MalformedInput as error:
        assert error.source == "test"
