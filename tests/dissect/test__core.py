"""What native code does with octets is what Python's own means would do with them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect._core import Inbox, first_address, number_text, numbers_text, quad_text
from medwarden.dissect.octets import ip_text, ipv6_text, mac_text, printable, text_or_hex
from medwarden.model.evidence import MAX_VALUE, clean

SPARSE = st.lists(st.sampled_from((b"\0\0", b"\0\1", b"\x0a\xbc", b"\xff\xff")), min_size=8, max_size=8)
OCTETS = st.binary(max_size=60) | st.binary(max_size=MAX_VALUE * 5) | st.text(max_size=80).map(str.encode)


@given(st.binary(min_size=16, max_size=16) | SPARSE.map(b"".join))
def test_ipv6_addresses_are_written_as_the_library_writes_them(octets: bytes) -> None:
    wanted = None if octets[0] == 0xFF or not any(octets) else str(IPv6Address(octets))
    assert ipv6_text(octets) == ip_text(octets) == wanted


@given(st.binary(min_size=4, max_size=4))
def test_ipv4_addresses_are_written_as_the_library_writes_them(octets: bytes) -> None:
    wanted = str(IPv4Address(octets))
    assert ip_text(octets) == (None if octets[0] == 0 or octets[0] >= 224 else wanted)
    assert quad_text(octets) == wanted
    assert first_address(octets + b"more") == (ip_text(octets) or "")


@given(st.binary(max_size=8))
def test_mac_addresses_and_numbers(octets: bytes) -> None:
    named = len(octets) == 6 and not octets[0] & 1 and any(octets)
    assert mac_text(octets) == (octets.hex(":") if named else None)
    assert numbers_text(octets) == ",".join(map(str, octets))
    assert number_text(octets) == (str(int.from_bytes(octets, "big")) if len(octets) in (1, 2, 4) else "")


@given(OCTETS)
def test_text_is_cleaned_as_a_value_is(octets: bytes) -> None:
    head = octets[: 4 * MAX_VALUE]
    try:
        assert printable(octets) == clean(head.decode())
    except UnicodeDecodeError:
        assert printable(octets) == clean(head.decode("latin-1"))


@given(OCTETS)
def test_text_that_is_not_printable_throughout_is_hexadecimal(octets: bytes) -> None:
    body = octets.rstrip(b"\0")[:MAX_VALUE]
    plain = body.isascii() and body.decode("ascii").isprintable() and bool(body.strip(b" "))
    assert text_or_hex(octets) == (body.decode().strip() if plain else octets[: MAX_VALUE // 2].hex())


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("add", "take", "discard", "line")), st.binary(max_size=9), st.integers(0, 12)
        ),
        max_size=30,
    )
)
def test_an_inbox_is_what_a_list_of_bytes_would_be(steps: list[tuple[str, bytes, int]]) -> None:
    inbox = Inbox("x")
    held, ahead, offset = b"", 0, 0
    for what, payload, count in steps:
        if what == "add":
            inbox.add(payload)
            dropped = min(ahead, len(payload))
            ahead, offset, held = ahead - dropped, offset + dropped, held + payload[dropped:]
        elif what == "discard":
            inbox.discard(count)
            here = min(count, len(held))
            ahead, offset, held = ahead + count - here, offset + here, held[here:]
        elif what == "take":
            taken = inbox.take(count)
            assert taken == (held[:count] if len(held) >= count else None)
            if taken is not None:
                offset, held = offset + count, held[count:]
        elif b"\n" in held:
            line, _, rest = held.partition(b"\n")
            assert inbox.line(1000) == line.removesuffix(b"\r")
            offset, held = offset + len(line) + 1, rest
        else:
            assert inbox.line(1000) is None
        assert (bytes(inbox.data), inbox.offset) == (held, offset)
        assert inbox.at_rest == (not held and not ahead)


def test_lengths_beyond_all_memory_are_waited_for() -> None:
    inbox = Inbox("x")
    inbox.add(b"abc")
    assert inbox.take(2**64) is None
    inbox.discard(2**64)
    inbox.discard(2**64)
    inbox.add(b"d" * 100)
    assert (bytes(inbox.data), inbox.offset) == (b"", 103)
    with pytest.raises(ValueError, match="no count of bytes"):
        inbox.discard(-1)
