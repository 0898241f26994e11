"""Read the elements at the head of a DICOM data set or command set while its bytes trickle in.

DICOM PS3.5 sections 7.1 to 7.5 and annex A. Only the elements asked for are kept, and only until the
last tag asked for has passed; pixel data is never touched. Sequences are skipped, those of undefined
length by following their items; what is asked for inside a sequence is read where it is entered.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from enum import Enum

import msgspec

from medwarden.dissect.dicom_uids import DEFLATED, EXPLICIT_BIG, IMPLICIT_LITTLE
from medwarden.dissect.octets import printable
from medwarden.kernel.errors import MalformedInput

UNDEFINED = 0xFFFFFFFF
MAX_DEPTH = 16
MAX_ELEMENTS = 4096
MAX_VALUE_BYTES = 1024
MAX_INFLATED = 256 * 1024

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
# Value representations with a 4-byte length after two reserved bytes (PS3.5 table 7.1-1).
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT = frozenset(
    {
        *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT"),
        *(b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
    }
)
_DELIMITERS = (_ITEM, _ITEM_END, _SEQUENCE_END)

_CONTROLS = re.compile(rb"[\x00-\x1a\x1c-\x1f\x7f]")

# Defined terms of Specific Character Set (PS3.3 section C.12.1.1.2) -> Python codec.
_CHARACTER_SETS = {
    "ISO_IR 100": "latin-1",
    "ISO_IR 101": "iso8859-2",
    "ISO_IR 109": "iso8859-3",
    "ISO_IR 110": "iso8859-4",
    "ISO_IR 126": "iso8859-7",
    "ISO_IR 127": "iso8859-6",
    "ISO_IR 138": "iso8859-8",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 148": "iso8859-9",
    "ISO_IR 166": "tis-620",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 192": "utf-8",
    "ISO 2022 IR 87": "iso2022_jp",
    "ISO 2022 IR 149": "euc_kr",
    "GB18030": "gb18030",
    "GBK": "gbk",
}


class Encoding(Enum):
    """How elements are written; UNKNOWN is told from the first element (association not seen)."""

    IMPLICIT_LITTLE = "implicit"
    EXPLICIT_LITTLE = "explicit"
    EXPLICIT_BIG = "explicit big endian"
    DEFLATED = "deflated"
    UNKNOWN = "unknown"


def encoding_of(transfer_syntax: str | None) -> Encoding:
    """Return the encoding that a transfer syntax UID stands for (PS3.5 annex A)."""
    if transfer_syntax is None:
        return Encoding.UNKNOWN
    if transfer_syntax == IMPLICIT_LITTLE:
        return Encoding.IMPLICIT_LITTLE
    if transfer_syntax == EXPLICIT_BIG:
        return Encoding.EXPLICIT_BIG
    if transfer_syntax in DEFLATED:
        return Encoding.DEFLATED
    return Encoding.EXPLICIT_LITTLE


class Element(msgspec.Struct):
    """One element: ``depth`` is 0 at the top and counts the sequences entered; ``value`` is cut short.

    ``vr`` is its value representation, empty where that is implicit.
    """

    tag: int
    depth: int
    value: bytes
    vr: bytes = b""


class Wanted(msgspec.Struct, frozen=True):
    """What to read: ``tags``, ``sequences`` to enter, up to and including the top-level tag ``last``.

    Of the ``counted`` sequences the items are counted and passed over.
    """

    tags: frozenset[int]
    last: int
    sequences: frozenset[int] = frozenset()
    counted: frozenset[int] = frozenset()


class _Content(Enum):
    """What follows the header of an element that is no wanted value."""

    VALUE = 0
    ENTER = 1  # a sequence whose items are read
    FOLLOW = 2  # a sequence of undefined length, read only to find its end
    FOLLOW_IMPLICIT = 3  # the same of value representation UN: implicit inside (PS3.5 section 6.2.2)


class _Level(msgspec.Struct):
    """A sequence or item being read: where it ends (None: at its delimiter) and how it is written."""

    end: int | None
    implicit: bool
    is_sequence: bool
    entered: bool
    tag: int


_UNWANTED = Element(0, 0, b"")


class DataSetReader:
    """Push fragments in, take wanted elements out; ``finished`` once no further byte matters.

    ``items`` counts, by tag, the items of the sequences that were entered or are to be counted.
    """

    __slots__ = (
        "_buffer",
        "_count",
        "_encoding",
        "_exhausted",
        "_inflater",
        "_levels",
        "_position",
        "_skip",
        "_wanted",
        "finished",
        "items",
    )

    def __init__(self, encoding: Encoding, wanted: Wanted) -> None:
        self._wanted = wanted
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS) if encoding is Encoding.DEFLATED else None
        self._encoding = Encoding.EXPLICIT_LITTLE if encoding is Encoding.DEFLATED else encoding
        self._buffer = bytearray()
        self._position = 0  # of the head of the buffer in the data set
        self._skip = 0
        self._count = 0
        self._levels: list[_Level] = []
        self._exhausted = False
        self.finished = False
        self.items: dict[int, int] = {}

    def feed(self, fragment: bytes) -> Iterator[Element]:
        """Yield the wanted elements that ``fragment`` completes.

        Raises MalformedInput when the bytes are no data set; ``offset`` is the byte in the data set.
        """
        if self.finished:
            return
        self._buffer += fragment if self._inflater is None else self._inflated(self._inflater, fragment)
        while self._advance():
            element = self._next()
            if element is None:
                break
            if element.tag:
                yield element
        if self._exhausted:
            self._finish()

    def close(self) -> None:
        """Say that the last fragment was fed; raises MalformedInput when an element is cut off."""
        if not self.finished and (self._skip or self._buffer or self._levels):
            raise self._malformed("the data set ends within an element")

    def _inflated(self, inflater: zlib._Decompress, fragment: bytes) -> bytes:
        try:
            plain = inflater.decompress(fragment, MAX_INFLATED)
        except zlib.error as error:
            raise self._malformed("the deflated data set does not inflate") from error
        if inflater.unconsumed_tail or self._position + len(self._buffer) > MAX_INFLATED:
            # Enough for every head; a bomb gets no further.
            self._exhausted = True
        return plain

    def _advance(self) -> bool:
        """Drop what is to be skipped; tell whether bytes of a next element are there."""
        if self._skip:
            dropped = min(self._skip, len(self._buffer))
            self._drop(dropped)
            self._skip -= dropped
        while self._levels:
            end = self._levels[-1].end
            if end is None or self._position < end:
                break
            if self._position > end:
                raise self._malformed("an element reaches beyond its sequence")
            self._levels.pop()
        return not self.finished and not self._skip and len(self._buffer) >= 8

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._position += count

    def _next(self) -> Element | None:
        """Consume one header (with the value where it is wanted); None when more bytes are needed.

        An element that nobody wants comes back with tag 0.
        """
        header = self._header()
        if header is None:
            return None
        tag, length, size, content = header
        if tag not in _DELIMITERS:
            if not self._levels and tag > self._wanted.last:
                self._finish()
                return None
            if self._levels and self._levels[-1].is_sequence:
                raise self._malformed("an element of a sequence stands outside its items")
        wanted = tag in self._wanted.tags and length != UNDEFINED
        kept = min(length, MAX_VALUE_BYTES) if wanted else 0
        if len(self._buffer) < size + kept:
            return None
        self._count += 1
        if self._count > MAX_ELEMENTS:
            self._finish()
            return None
        value = bytes(self._buffer[size : size + kept])
        vr = b"" if tag in _DELIMITERS or self._implicit() else bytes(self._buffer[4:6])
        self._drop(size + kept)
        if wanted:
            self._skip = length - kept
            return Element(tag, sum(level.is_sequence for level in self._levels), value, vr)
        self._descend(tag, length, content)
        return _UNWANTED

    def _finish(self) -> None:
        self.finished = True
        self._buffer.clear()
        self._levels.clear()

    def _implicit(self) -> bool:
        return self._levels[-1].implicit if self._levels else self._encoding is Encoding.IMPLICIT_LITTLE

    def _header(self) -> tuple[int, int, int, _Content] | None:
        """Return tag, length, size of the header and what follows; None when more bytes are needed."""
        buffer = self._buffer
        order = ">" if self._encoding is Encoding.EXPLICIT_BIG else "<"
        group, number = struct.unpack_from(order + "HH", buffer)
        tag = group << 16 | number
        vr = bytes(buffer[4:6])
        if self._encoding is Encoding.UNKNOWN:
            explicit = vr in _LONG or vr in _SHORT
            self._encoding = Encoding.EXPLICIT_LITTLE if explicit else Encoding.IMPLICIT_LITTLE
        if tag in _DELIMITERS or self._implicit():
            (length,) = struct.unpack_from(order + "I", buffer, 4)
            size = 8
        elif vr in _SHORT:
            (length,) = struct.unpack_from(order + "H", buffer, 6)
            return tag, length, 8, _Content.VALUE
        elif vr not in _LONG:
            raise self._malformed(f"no value representation in element {group:04x},{number:04x}")
        elif len(buffer) < 12:
            return None
        else:
            (length,) = struct.unpack_from(order + "I", buffer, 8)
            size = 12
        if tag in self._wanted.sequences:
            return tag, length, size, _Content.ENTER
        if tag in self._wanted.counted:
            return tag, length, size, _Content.FOLLOW
        if length != UNDEFINED:
            return tag, length, size, _Content.VALUE
        unknown = size == 12 and vr == b"UN"
        return tag, length, size, _Content.FOLLOW_IMPLICIT if unknown else _Content.FOLLOW

    def _descend(self, tag: int, length: int, content: _Content) -> None:
        """Enter, leave or skip after the header of an element that is no wanted value."""
        level = self._levels[-1] if self._levels else None
        if tag in (_ITEM_END, _SEQUENCE_END):
            if level is None or level.end is not None or level.is_sequence is not (tag == _SEQUENCE_END):
                raise self._malformed("a delimiter closes nothing")
            self._levels.pop()
        elif tag == _ITEM:
            if level is None or not level.is_sequence:
                raise self._malformed("an item outside a sequence")
            if level.entered or level.tag in self._wanted.counted:
                self.items[level.tag] = self.items.get(level.tag, 0) + 1
            if level.entered or length == UNDEFINED:
                self._push(_Level(self._end(length), level.implicit, False, level.entered, level.tag))
            else:
                self._skip = length
        elif content is _Content.VALUE:
            self._skip = length
        else:
            implicit = self._implicit() or content is _Content.FOLLOW_IMPLICIT
            self._push(_Level(self._end(length), implicit, True, content is _Content.ENTER, tag))

    def _end(self, length: int) -> int | None:
        return None if length == UNDEFINED else self._position + length

    def _push(self, level: _Level) -> None:
        if len(self._levels) >= MAX_DEPTH:
            raise self._malformed(f"sequences nest deeper than {MAX_DEPTH // 2}")
        self._levels.append(level)

    def _malformed(self, reason: str) -> MalformedInput:
        return MalformedInput("dicom", reason, self._position)


def is_text(value: bytes) -> bool:
    """Tell whether ``value`` can be text: no control characters but the escape of ISO 2022 and padding.

    A length that is wrong makes a value swallow its neighbours, whose headers hold such characters; so
    that a name of the patient beside it cannot pass for the name of a station.
    """
    return not _CONTROLS.search(value.rstrip(b"\0 "))


def decode(value: bytes, character_set: str = "") -> str:
    """Return the text of a value in its Specific Character Set (0008,0005), padding removed.

    Of several sets (code extensions, ISO 2022) the last one known decides; an undecodable value falls
    back to UTF-8 or Latin-1.
    """
    for term in reversed(character_set.split("\\")):
        codec = _CHARACTER_SETS.get(term.strip().replace("ISO 2022 IR 1", "ISO_IR 1", 1), "")
        codec = codec or _CHARACTER_SETS.get(term.strip(), "")
        if codec:
            try:
                return printable(value.decode(codec).encode())
            except (UnicodeDecodeError, UnicodeEncodeError):
                break
    return printable(value)
