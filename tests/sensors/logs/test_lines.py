"""Whole lines out of pieces of any size, and lines that are too long never held."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medwarden.sensors.logs.lines import MOST_LINE, LineFramer

TEXTS = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=12).map(
    b"\n".join
)


def framed(stream: bytes, size: int) -> tuple[bytes, list[int], LineFramer]:
    """Return all lines joined, where blocks began, and the framer."""
    framer = LineFramer()
    blocks = [b for at in range(0, len(stream), size) for b in framer.push(stream[at : at + size])]
    blocks += framer.finish()
    for block in blocks:
        assert stream[block.offset : block.offset + len(block.lines)] == block.lines
    return b"".join(block.lines for block in blocks), [block.offset for block in blocks], framer


@given(TEXTS, st.integers(1, 40))
def test_every_byte_comes_out_in_whole_lines(stream: bytes, size: int) -> None:
    lines, _, framer = framed(stream, size)
    mark = 3 if stream.startswith(b"\xef\xbb\xbf") else 0
    assert lines == stream[mark:]
    assert framer.position == len(stream)


def test_a_byte_order_mark_is_passed_over_even_in_pieces() -> None:
    for size in (1, 2, 3, 10):
        lines, offsets, _ = framed(b"\xef\xbb\xbfone\r\ntwo\n", size)
        assert lines == b"one\r\ntwo\n"
        assert offsets[0] == 3


def test_a_line_that_is_too_long_is_passed_over_and_named() -> None:
    long = b"x" * (3 * MOST_LINE) + b"\n"
    for size in (1000, MOST_LINE, 10 * MOST_LINE):
        framer = LineFramer()
        stream = b"one\n" + long + b"two\n"
        blocks = [b for at in range(0, len(stream), size) for b in framer.push(stream[at : at + size])]
        assert b"".join(block.lines for block in blocks) == b"one\ntwo\n"
        assert framer.overlong == [4]
        assert blocks[-1].offset + len(blocks[-1].lines) == len(stream) == framer.position


def test_memory_does_not_grow_with_a_line_that_never_ends() -> None:
    framer = LineFramer()
    for _ in range(40):
        framer.push(b"y" * 100_000)
    assert sum(map(len, framer._parts)) <= MOST_LINE
    assert framer.finish() == []
    assert framer.overlong == [0]


def test_the_longest_line_that_is_allowed_is_taken() -> None:
    line = b"z" * (MOST_LINE - 1) + b"\n"
    assert framed(line, 4096)[0] == line
    assert framed(b"a\n" + line + b"b\n", 1 << 22)[0] == b"a\n" + line + b"b\n"


def test_going_on_in_the_middle() -> None:
    framer = LineFramer(100)
    (block,) = framer.push(b"\xef\xbb\xbfabc\n")
    assert (block.offset, block.lines) == (100, b"\xef\xbb\xbfabc\n")
