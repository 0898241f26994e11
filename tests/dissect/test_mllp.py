"""MLLP framing: blocks, their absence, and how it breaks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.connection import Inbox
from medwarden.dissect.mllp import MAX_SEGMENT_BYTES, MllpReader
from medwarden.kernel.errors import MalformedInput


def read(data: bytes, size: int = 1 << 20) -> list[bytes]:
    inbox = Inbox("hl7")
    reader = MllpReader(inbox)
    found: list[bytes] = []
    for start in range(0, len(data), size):
        inbox.add(data[start : start + size])
        found += (segment for segment in reader.segments() if segment)
    return found


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
@pytest.mark.parametrize(
    ("data", "segments"),
    [
        (b"\x0bMSH|1\rPID|2\r\x1c\r", [b"MSH|1", b"PID|2"]),
        (b"\x0bMSH|1\rPID|2\x1c\r", [b"MSH|1", b"PID|2"]),
        (b"\x0bMSH|1\r\nPID|2\r\n\x1c\r\x0bMSH|3\r\x1c\r", [b"MSH|1", b"PID|2", b"MSH|3"]),
        (b"\x0bMSH|1\r\x1c\x0bMSH|2\r\x1c\r", [b"MSH|1", b"MSH|2"]),
        (b"\r\n\x0b\x06\x1c\r\x0bMSH|1\r\x1c\r", [b"MSH|1"]),
        (b"MSH|1\rPID|2\rMSH|3\r", [b"MSH|1", b"PID|2", b"MSH|3"]),
        (
            b"\x0bFHS|1\rBHS|2\rMSH|3\rBTS|1\rFTS|1\r\x1c\r",
            [b"FHS|1", b"BHS|2", b"MSH|3", b"BTS|1", b"FTS|1"],
        ),
        (b"\x0bMSH|1", []),
        (b"", []),
    ],
)
def test_segments(data: bytes, segments: list[bytes], size: int) -> None:
    assert read(data, size) == segments


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_oversize_segment_is_passed_over_and_the_next_one_read(size: int) -> None:
    huge = b"OBX|1|ED|" + b"A" * (2 * MAX_SEGMENT_BYTES)
    assert read(b"\x0bMSH|1\r" + huge + b"\rPV1|2\r\x1c\r", size) == [b"MSH|1", b"PV1|2"]


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", "outside a block"),
        (b"\x0bMSH|1\r\x1c\rPID|3\r", "outside a block"),
        (b"\x0bMSH|1\r\x0bMSH|2\r", "begins within a block"),
        (b"\x0bPID|1\rMSH|1\r\x1c\r", "does not begin with MSH"),
        (b"\x1c\r", "outside a block"),
    ],
)
def test_broken_framing_is_named(data: bytes, reason: str, size: int) -> None:
    with pytest.raises(MalformedInput, match=reason):
        read(data, size)


@given(
    st.lists(
        st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\n", b"MSH|", b"PID|", b"M", b"\x06", b"x", b"FHS|"]),
        max_size=20,
    ),
    st.integers(1, 5),
)
def test_pieces_do_not_matter(parts: list[bytes], size: int) -> None:
    def outcome(step: int) -> list[bytes] | None:
        try:
            return read(b"".join(parts), step)
        except MalformedInput:
            return None

    assert outcome(size) == outcome(1 << 20)


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_end_of_a_block_is_told(size: int) -> None:
    data = b"\x0bMSH|1\rPID|2\r\x1c\r\x0bMSH|3\x1c\r"
    inbox = Inbox("hl7")
    reader = MllpReader(inbox)
    found: list[bytes] = []
    for start in range(0, len(data), size):
        inbox.add(data[start : start + size])
        found += reader.segments()
    assert found == [b"MSH|1", b"PID|2", b"", b"MSH|3", b""]


def test_segment_of_a_hundred_megabytes_without_end_is_not_kept() -> None:
    inbox = Inbox("hl7")
    reader = MllpReader(inbox)
    inbox.add(b"\x0bMSH|1\rOBX|1|ED|")
    assert list(reader.segments()) == [b"MSH|1"]
    piece = b"A" * (1 << 20)
    for _ in range(100):
        inbox.add(piece)
        assert list(reader.segments()) == []
        assert len(inbox.data) <= MAX_SEGMENT_BYTES
    inbox.add(b"\rPV1|2\r\x1c\r")
    assert list(reader.segments()) == [b"PV1|2", b""]
