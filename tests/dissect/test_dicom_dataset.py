"""Elements of DICOM data sets, however they are written and cut."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.dicom_dataset import (
    MAX_DEPTH,
    MAX_VALUE_BYTES,
    DataSetReader,
    Encoding,
    Wanted,
    decode,
    encoding_of,
)
from medwarden.kernel.errors import MalformedInput

MODALITY, STATION, SEQUENCE = 0x00080060, 0x00081010, 0x00081110
WANTED = Wanted(frozenset({MODALITY, STATION}), 0x00181020)
UNDEFINED = 0xFFFFFFFF


def explicit(tag: int, vr: str, value: bytes, length: int | None = None, order: str = "<") -> bytes:
    size = len(value) if length is None else length
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    if vr in ("OB", "OW", "SQ", "UN", "UT"):
        return head + struct.pack(order + "HI", 0, size) + value
    return head + struct.pack(order + "H", size) + value


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, size) + value


ITEM_END = implicit(0xFFFEE00D, b"")
SEQUENCE_END = implicit(0xFFFEE0DD, b"")


def item(value: bytes, undefined: bool = False) -> bytes:
    return implicit(0xFFFEE000, value + (ITEM_END if undefined else b""), UNDEFINED if undefined else None)


def read(
    data: bytes, encoding: Encoding, wanted: Wanted = WANTED, step: int = 0
) -> list[tuple[int, int, bytes]]:
    reader = DataSetReader(encoding, wanted)
    found = []
    for start in range(0, len(data), step or len(data) or 1):
        found += [(e.tag, e.depth, e.value) for e in reader.feed(data[start : start + (step or len(data))])]
    reader.close()
    return found


@pytest.mark.parametrize("order", ["<", ">"])
def test_explicit_elements(order: str) -> None:
    data = explicit(MODALITY, "CS", b"CT", order=order) + explicit(STATION, "SH", b"ROOM", order=order)
    encoding = Encoding.EXPLICIT_LITTLE if order == "<" else Encoding.EXPLICIT_BIG
    assert read(data, encoding) == [(MODALITY, 0, b"CT"), (STATION, 0, b"ROOM")]


def test_unknown_encoding_is_told_from_the_first_element() -> None:
    assert read(explicit(MODALITY, "CS", b"MR"), Encoding.UNKNOWN) == [(MODALITY, 0, b"MR")]
    assert read(implicit(MODALITY, b"MR"), Encoding.UNKNOWN) == [(MODALITY, 0, b"MR")]


@pytest.mark.parametrize("undefined", [True, False])
def test_sequences_are_skipped_whatever_their_length(undefined: bool) -> None:
    end = SEQUENCE_END if undefined else b""
    deeper = item(explicit(STATION, "SH", b"IN"), undefined) + end
    nested = explicit(MODALITY, "CS", b"XX")
    nested += explicit(0x00081199, "SQ", deeper, UNDEFINED if undefined else None)
    body = item(nested, undefined) * 2
    sequence = explicit(
        0x00080050, "SQ", body + (SEQUENCE_END if undefined else b""), UNDEFINED if undefined else None
    )
    data = sequence + explicit(MODALITY, "CS", b"CT") + explicit(STATION, "SH", b"ROOM")
    top = [found for found in read(data, Encoding.EXPLICIT_LITTLE) if found[1] == 0]
    assert top == [(MODALITY, 0, b"CT"), (STATION, 0, b"ROOM")]
    assert read(data, Encoding.EXPLICIT_LITTLE, step=1) == read(data, Encoding.EXPLICIT_LITTLE)


def test_sequence_asked_for_is_entered_with_its_depth() -> None:
    wanted = Wanted(frozenset({MODALITY}), 0x00400100, frozenset({0x00400100}))
    for undefined in (True, False):
        step = item(implicit(MODALITY, b"US"), undefined) + (SEQUENCE_END if undefined else b"")
        data = implicit(0x00400100, step, UNDEFINED if undefined else None)
        assert read(data, Encoding.IMPLICIT_LITTLE, wanted) == [(MODALITY, 1, b"US")]


def test_undefined_length_of_unknown_representation_is_implicit_inside() -> None:
    inside = item(implicit(0x00090010, b"PRIV"), undefined=True) + SEQUENCE_END
    data = explicit(0x00080001, "UN", inside, UNDEFINED) + explicit(MODALITY, "CS", b"CT")
    assert read(data, Encoding.EXPLICIT_LITTLE) == [(MODALITY, 0, b"CT")]


def test_reading_stops_after_the_last_tag() -> None:
    reader = DataSetReader(Encoding.EXPLICIT_LITTLE, WANTED)
    data = explicit(MODALITY, "CS", b"CT") + explicit(0x7FE00010, "OW", b"", UNDEFINED)
    assert [e.value for e in reader.feed(data)] == [b"CT"]
    assert reader.finished
    assert list(reader.feed(b"\xff" * 1000)) == []
    reader.close()


def test_long_value_is_cut_and_the_next_element_found() -> None:
    data = explicit(MODALITY, "CS", b"C" * 5000) + explicit(STATION, "SH", b"ROOM")
    assert read(data, Encoding.EXPLICIT_LITTLE) == [
        (MODALITY, 0, b"C" * MAX_VALUE_BYTES),
        (STATION, 0, b"ROOM"),
    ]


def test_deflated_data_set_is_inflated_but_a_bomb_is_not() -> None:
    def deflate(data: bytes) -> bytes:
        squeezer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return squeezer.compress(data) + squeezer.flush()

    data = explicit(MODALITY, "CS", b"CT") + explicit(0x7FE00010, "OW", bytes(1000))
    assert read(deflate(data), Encoding.DEFLATED) == [(MODALITY, 0, b"CT")]
    bomb = deflate(explicit(0x00080001, "UN", bytes(50_000_000)))
    reader = DataSetReader(Encoding.DEFLATED, WANTED)
    assert list(reader.feed(bomb)) == []
    assert reader.finished
    with pytest.raises(MalformedInput, match="does not inflate"):
        read(b"\xff" * 40, Encoding.DEFLATED)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (explicit(MODALITY, "??", b"CT"), "no value representation"),
        (explicit(MODALITY, "CS", b"CT", length=200), "ends within"),
        (
            explicit(0x00080001, "OB", b"", UNDEFINED) + explicit(MODALITY, "CS", b"CT"),
            "outside its items",
        ),
        (SEQUENCE_END, "delimiter"),
        (item(b"abcdefgh"), "outside a sequence"),
        (
            explicit(SEQUENCE, "SQ", b"", UNDEFINED) + item(b"", undefined=False)[:8] + ITEM_END,
            "delimiter closes nothing",
        ),
        (explicit(0x00080001, "SQ", item(b"", True)[:8], UNDEFINED) * (MAX_DEPTH + 1), "nest deeper"),
    ],
)
def test_broken_data_sets_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        read(data, Encoding.EXPLICIT_LITTLE)


def test_item_beyond_its_sequence_is_refused() -> None:
    wanted = Wanted(frozenset({MODALITY}), 0x00400100, frozenset({0x00400100}))
    step = implicit(0xFFFEE000, implicit(MODALITY, b"US" * 20), 10)
    with pytest.raises(MalformedInput, match="beyond"):
        read(implicit(0x00400100, step, 18) + bytes(40), Encoding.IMPLICIT_LITTLE, wanted)


@given(st.binary(max_size=400), st.sampled_from(list(Encoding)), st.integers(1, 50))
def test_any_bytes_end_in_elements_or_one_error_and_pieces_do_not_matter(
    data: bytes, encoding: Encoding, step: int
) -> None:
    def outcome(size: int) -> tuple[list[tuple[int, int, bytes]], bool]:
        try:
            return read(data, encoding, step=size), False
        except MalformedInput:
            return [], True

    if encoding is not Encoding.DEFLATED:
        assert outcome(step) == outcome(0)
    else:
        outcome(step)


def test_text_in_its_character_set() -> None:
    assert decode("Müller".encode("latin-1"), "ISO_IR 100") == "Müller"
    assert decode("Müller".encode(), "ISO_IR 192") == "Müller"
    assert decode("山田".encode("iso2022_jp"), "\\ISO 2022 IR 87") == "山田"
    assert decode("Müller".encode("latin-1"), "") == "Müller"
    assert decode(b"\xff\xff", "ISO_IR 192") == "ÿÿ"


def test_encoding_of_transfer_syntaxes() -> None:
    assert encoding_of(None) is Encoding.UNKNOWN
    assert encoding_of("1.2.840.10008.1.2") is Encoding.IMPLICIT_LITTLE
    assert encoding_of("1.2.840.10008.1.2.2") is Encoding.EXPLICIT_BIG
    assert encoding_of("1.2.840.10008.1.2.1.99") is Encoding.DEFLATED
    assert encoding_of("1.2.840.10008.1.2.4.50") is Encoding.EXPLICIT_LITTLE
