"""Take the patients out of DICOM associations: structure stays, values go unless they are known harmless.

DICOM PS3.8 section 9.3 and annex E, PS3.7 annex E (command elements), PS3.5 section 7. What stays of a data
set is an allow list: character set, SOP class, modality, and what the Retain Device Identity Option of PS3.15
table E.1-1 leaves (maker, model, station, serial, software). So every attribute of the Basic Profile, every
private element and all pixel data is overwritten, also those that no table names yet. UIDs become others of
the same length, the same within one run.
"""

from __future__ import annotations

import re
import struct
from typing import Final

import msgspec

from medwarden.dissect.dicom import Dicom
from medwarden.dissect.sanitise_draft import Draft, Pseudonyms

_RQ, _AC, _RJ, _DATA, _RELEASE_RQ, _RELEASE_RP, _ABORT = range(1, 8)
_EXPLICIT_LITTLE, _EXPLICIT_BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
_IMPLICIT, _DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"
_STANDARD: Final = b"1.2.840.10008."
_MOST_DEPTH = 16
_MOST_PDU = 1 << 24
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXELS = 0x7FE00010
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_SHORT = frozenset(
    (b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL",
     b"SS", b"ST", b"TM", b"UI", b"UL", b"US")
)  # fmt: skip
_NUMBER = re.compile(rb"[^\x00-\x1f\x7f]{0,64}\0?\Z")
# Names of makers, models and titles have a letter; accession and patient numbers often have none.
_TEXT = re.compile(rb"(?=[^A-Za-z]*[A-Za-z])[^\x00-\x1f\x7f]{0,64}\0?\Z")
_STATION = re.compile(rb"[ -~]{0,16}\0?\Z")
_TITLE = re.compile(rb"(?=[^A-Za-z]*[A-Za-z])[ -~]{0,16}\0?\Z")
# What stays, and what it must look like: a damaged tag must not turn a number of a patient into a level.
_KEPT_TEXT = {
    0x00080005: re.compile(rb"[\\A-Z0-9_ ]{0,64}\Z"),  # Specific Character Set
    0x00080052: re.compile(rb"(PATIENT|STUDY|SERIES|IMAGE) *\Z"),  # Query/Retrieve Level
    0x00080054: _TITLE,  # Retrieve AE Title
    0x00080060: re.compile(rb"[A-Z][A-Z0-9]{1,7} *\Z"),  # Modality
    0x00080061: re.compile(rb"[A-Z][A-Z0-9]{1,7}(\\[A-Z][A-Z0-9]{1,7})* *\Z"),  # Modalities in Study
    0x00080070: _TEXT,  # Manufacturer
    0x00081010: _STATION,  # Station Name
    0x00081090: _TEXT,  # Manufacturer's Model Name
    0x00181000: _NUMBER,  # Device Serial Number
    0x00181020: _NUMBER,  # Software Versions
    0x00400001: _TITLE,  # Scheduled Station AE Title
    0x00400010: _STATION,  # Scheduled Station Name
    0x00400241: _TITLE,  # Performed Station AE Title
    0x00400242: _STATION,  # Performed Station Name
    0x00400252: re.compile(rb"(IN PROGRESS|COMPLETED|DISCONTINUED) *\Z"),  # Performed Procedure Step Status
}
_KEPT_CLASSES = frozenset({0x00080016, 0x00081150})  # SOP Class UID, Referenced SOP Class UID
_KEPT_SHORTS = frozenset({0x00280002, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103})
_MOST_TEXT = 64
_COMMAND_TEXT = frozenset({0x0600, 0x1030})  # Move Destination, Move Originator AE Title
_COMMAND_CLASSES = frozenset({0x0002, 0x0003})
_COMMAND_NUMBERS = frozenset(
    {0x0000, 0x0100, 0x0110, 0x0120, 0x0700, 0x0800, 0x0900, 0x0903, 0x1002, 0x1005, 0x1008, 0x1020, 0x1021,
     0x1022, 0x1023, 0x1031}
)  # fmt: skip


class _Message(msgspec.Struct):
    """A command or data set being gathered: its bytes, and where each run of them stands in the stream."""

    data: bytearray = msgspec.field(default_factory=bytearray)
    runs: list[tuple[int, int, int]] = msgspec.field(default_factory=list)  # in message, in stream, length
    context: int = 0
    is_command: bool = False


def is_dicom(client: bytes, server: bytes) -> bool:
    """Tell whether a connection opens with an association."""
    return client[:1] == bytes((_RQ,)) and Dicom.recognises(client[:128], True) and (
        not server or server[0] in (_AC, _RJ, _ABORT)
    )  # fmt: skip


def clean_dicom(client: Draft, server: Draft, pseudonyms: Pseudonyms) -> None:
    """Write what may stay of both directions of one association into their drafts."""
    syntaxes = _accepted_syntaxes(server.data)
    for draft in (client, server):
        _Association(draft, syntaxes, pseudonyms).walk()


def _accepted_syntaxes(data: bytes) -> dict[int, str]:
    """Return the transfer syntax of each accepted context, of all associations of the connection together.

    Where two associations give one number different syntaxes, none is trusted.
    """
    found: dict[int, str] = {}
    at = 0
    while len(data) - at >= 6:
        kind, length = struct.unpack_from(">BxI", data, at)
        end = at + 6 + length
        if kind == _AC and end <= len(data):
            for item, start, stop in _items(data, at + 74, end):
                if item == 0x21 and stop - start >= 4 and data[start + 2] == 0:
                    for inner, first, last in _items(data, start + 4, stop):
                        name = data[first:last].rstrip(b"\0 ").decode("latin-1")
                        if inner == 0x40 and found.setdefault(data[start], name) != name:
                            found[data[start]] = ""
        at = end
    return found


def _items(data: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    """Return (type, start, end) of the items in ``data[at:end]`` that lie wholly in it."""
    found = []
    while end - at >= 4:
        kind, length = struct.unpack_from(">BxH", data, at)
        if at + 4 + length > end:
            break
        found.append((kind, at + 4, at + 4 + length))
        at += 4 + length
    return found


class _Association:
    """One direction: walks PDUs, gathers messages, cleans each when it is whole or the stream ends."""

    def __init__(self, draft: Draft, syntaxes: dict[int, str], pseudonyms: Pseudonyms) -> None:
        self._draft = draft
        self._syntaxes = syntaxes
        self._pseudonyms = pseudonyms
        self._message = _Message()

    def walk(self) -> None:
        """Clean to the end, or to the first PDU that is none: what follows stays filler."""
        draft, data = self._draft, self._draft.data
        at = 0
        while len(data) - at >= 6:
            kind, reserved, length = struct.unpack_from(">BBI", data, at)
            if not _RQ <= kind <= _ABORT or reserved or length >= _MOST_PDU:
                break
            draft.keep(at, at + 6)
            end = min(at + 6 + length, len(data))
            if kind in (_RQ, _AC):
                self._associate(at + 6, end)
            elif kind == _DATA:
                if not self._values(at + 6, end):
                    break
            elif length == 4:
                draft.keep(at + 6, end)
            else:
                break
            at += 6 + length
        self._end_message()

    def _associate(self, at: int, end: int) -> None:
        draft, data = self._draft, self._draft.data
        draft.keep(at, min(at + 36, end))
        draft.put(min(at + 36, end), bytes(max(0, min(at + 68, end) - min(at + 36, end))))
        for kind, start, stop in _items(data, at + 68, end):
            draft.keep(start - 4, start)
            draft.put(start - 3, b"\0")
            if kind == 0x10:
                self._keep_uid(start, stop)
            elif kind in (0x20, 0x21):
                draft.keep(start, min(start + 4, stop))
                for _, first, last in _items(data, start + 4, stop):
                    draft.keep(first - 4, first)
                    self._keep_uid(first, last)
            elif kind == 0x50:
                self._user(start, stop)

    def _user(self, at: int, end: int) -> None:
        """Keep what negotiates; a user's name and passcode (PS3.7 D.3.3.7) are overwritten."""
        draft, data = self._draft, self._draft.data
        for kind, start, stop in _items(data, at, end):
            draft.keep(start - 4, start)
            if kind in (0x51, 0x53) and stop - start == 4:
                draft.keep(start, stop)
            elif kind == 0x52:
                self._keep_uid(start, stop)
            elif kind == 0x55 and stop - start <= 16 and _plain(data[start:stop]):
                draft.keep(start, stop)
            elif kind == 0x54 and stop - start > 4:
                draft.keep(start, start + 2)
                self._keep_uid(start + 2, stop - 2)
                draft.keep(stop - 2, stop)
            elif kind == 0x58 and stop - start >= 4:
                draft.keep(start, start + 4)
                length = int.from_bytes(data[start + 2 : start + 4], "big")
                draft.fill(start + 4, min(start + 4 + length, stop), "dicom user identity")
                second = start + 4 + length
                if second + 2 <= stop:
                    draft.keep(second, second + 2)
                    draft.fill(second + 2, stop, "dicom user identity")
            else:
                draft.fill(start, stop, "dicom association")

    def _keep_uid(self, start: int, end: int) -> None:
        if end - start <= 64 and all(byte in b"0123456789.\0 " for byte in self._draft.data[start:end]):
            self._draft.keep(start, end)

    def _values(self, at: int, end: int) -> bool:
        """Gather the presentation data values of one P-DATA-TF; False where one is none."""
        draft, data = self._draft, self._draft.data
        while end - at >= 6:
            length, context, control = struct.unpack_from(">IBB", data, at)
            if control > 3 or not 2 <= length <= end - at - 4:
                return False
            draft.keep(at, at + 6)
            start, stop = at + 6, min(at + 4 + length, end)
            message = self._message
            if message.runs and (message.is_command is not bool(control & 1) or message.context != context):
                self._end_message()
                message = self._message
            message.context, message.is_command = context, bool(control & 1)
            message.runs.append((len(message.data), start, stop - start))
            message.data += data[start:stop]
            if control & 2 and stop == at + 4 + length:
                self._end_message()
            at += 4 + length
        return True

    def _end_message(self) -> None:
        message, self._message = self._message, _Message()
        if not message.data:
            return
        part = Draft(bytes(message.data), self._draft.counts)
        if message.is_command:
            _clean_command(part, self._pseudonyms)
        else:
            syntax = self._syntaxes.get(message.context, "")
            if syntax and syntax != _DEFLATED:
                _DataSet(part, syntax, self._pseudonyms).clean()
            else:
                self._draft.counts["dicom data set of no known encoding"] += 1
        for inside, outside, length in message.runs:
            self._draft.put(outside, bytes(part.out[inside : inside + length]))


def _clean_command(draft: Draft, pseudonyms: Pseudonyms) -> None:
    """Clean a command set: implicit little endian, group 0000 alone (PS3.7 section 6.3.1)."""
    data, at = draft.data, 0
    while len(data) - at >= 8:
        group, element, length = struct.unpack_from("<HHI", data, at)
        end = at + 8 + length
        if group or end > len(data):
            return
        draft.keep(at, at + 8)
        value = data[at + 8 : end]
        if (
            (element in _COMMAND_NUMBERS and length <= 4)
            or (element in _COMMAND_CLASSES and value.startswith(_STANDARD))
            or (element in _COMMAND_TEXT and length <= 16 and _plain(value))
        ):
            draft.keep(at + 8, end)
        else:
            _overwrite(draft, at + 8, end, pseudonyms)
        at = end


def _overwrite(draft: Draft, start: int, end: int, pseudonyms: Pseudonyms) -> None:
    value = draft.data[start:end]
    other = pseudonyms.uid(value) if len(value) <= 64 else None
    if other is None:
        draft.fill(start, end, "dicom value")
    else:
        draft.counts["dicom value"] += 1
        draft.put(start, other)


def _plain(value: bytes) -> bool:
    return all(0x20 <= byte < 0x7F or byte >= 0xA0 or byte == 0 for byte in value)


class _DataSet:
    """Walks the elements of a data set; what is beyond the first fault stays filler."""

    def __init__(self, draft: Draft, syntax: str, pseudonyms: Pseudonyms) -> None:
        self._draft = draft
        self._order = ">" if syntax == _EXPLICIT_BIG else "<"
        self._explicit = syntax != _IMPLICIT
        self._pseudonyms = pseudonyms

    def clean(self) -> None:
        """Clean the whole data set."""
        self._elements(0, len(self._draft.data), self._explicit, 0)

    def _elements(self, at: int, end: int, explicit: bool, depth: int) -> int:
        """Clean elements up to ``end`` or the end of an item; return where they end, -1 for a fault.

        Elements stand in ascending order (PS3.5 section 7.1): what does not is no element, and not even
        its header is let through.
        """
        draft, before = self._draft, -1
        while at < end:
            if end - at < 8:
                return -1
            tag = self._tag(at)
            if tag in (_ITEM_END, _SEQUENCE_END):
                draft.keep(at, at + 8)
                return at + 8
            vr, length, start = self._header(at, end, explicit)
            if start < 0 or tag >> 16 == 0xFFFE or tag <= before:
                return -1
            before = tag
            if length == _UNDEFINED:
                draft.keep(at, start)
                # A UN of undefined length holds implicit little endian (PS3.5 section 6.2.2).
                inside = explicit and vr != b"UN"
                at = self._sequence(start, end, inside, depth + 1, pixels=tag == _PIXELS)
                if at < 0:
                    return -1
                continue
            stop = start + length
            if stop > end:
                return -1  # the stream ends within the value, or this is no element
            draft.keep(at, start)
            if vr == b"SQ" or (not explicit and self._is_sequence(start, stop)):
                if self._sequence(start, stop, explicit, depth + 1, pixels=False, defined=True) < 0:
                    draft.put(start, bytes(stop - start))
            else:
                self._value(tag, start, stop)
            at = stop
        return at

    def _tag(self, at: int) -> int:
        group, element = struct.unpack_from(self._order + "HH", self._draft.data, at)
        return int(group << 16 | element)

    def _header(self, at: int, end: int, explicit: bool) -> tuple[bytes, int, int]:
        """Return VR, length and start of the value; a start of -1 for what is no header."""
        data = self._draft.data
        if not explicit:
            return b"", struct.unpack_from(self._order + "I", data, at + 4)[0], at + 8
        vr = data[at + 4 : at + 6]
        if vr not in _LONG and vr not in _SHORT:
            return vr, 0, -1
        if vr in _LONG:
            if end - at < 12:
                return vr, 0, -1
            return vr, struct.unpack_from(self._order + "I", data, at + 8)[0], at + 12
        return vr, struct.unpack_from(self._order + "H", data, at + 6)[0], at + 8

    def _is_sequence(self, start: int, end: int) -> bool:
        """Tell whether a value of implicit VR is a sequence of items that fill it exactly."""
        at = start
        while at < end:
            if end - at < 8 or self._tag(at) != _ITEM:
                return False
            length = struct.unpack_from(self._order + "I", self._draft.data, at + 4)[0]
            if length == _UNDEFINED:
                return True
            at += 8 + length
        return at == end and end > start

    def _sequence(
        self, at: int, end: int, explicit: bool, depth: int, *, pixels: bool, defined: bool = False
    ) -> int:
        """Clean items; return where the sequence ends, -1 for a fault."""
        draft = self._draft
        if depth > _MOST_DEPTH:
            return -1
        while at < end:
            if end - at < 8:
                return -1
            tag = self._tag(at)
            length = struct.unpack_from(self._order + "I", draft.data, at + 4)[0]
            stop = end if length == _UNDEFINED else at + 8 + length
            if tag not in (_ITEM, _SEQUENCE_END) or stop > end:
                return -1
            draft.keep(at, at + 8)
            at += 8
            if tag == _SEQUENCE_END:
                return at
            if pixels:
                if length == _UNDEFINED:
                    return -1
                draft.put(at, bytes(length))
                draft.counts["dicom pixel data"] += 1
                at = stop
                continue
            at = self._elements(at, stop, explicit, depth)
            if at < 0 or (length != _UNDEFINED and at != stop):
                return -1
        return at if defined else -1

    def _value(self, tag: int, start: int, end: int) -> None:
        draft = self._draft
        value = draft.data[start:end]
        if _is_harmless(tag, value):
            draft.keep(start, end)
        elif tag == _PIXELS:
            draft.counts["dicom pixel data"] += 1
            draft.put(start, bytes(len(value)))
        else:
            _overwrite(draft, start, end, self._pseudonyms)


def _is_harmless(tag: int, value: bytes) -> bool:
    if tag & 0xFFFF == 0:
        return len(value) == 4  # a group's length
    if tag in _KEPT_SHORTS:
        return len(value) == 2
    if len(value) > _MOST_TEXT:
        return False
    looks = _KEPT_TEXT.get(tag)
    if looks is not None:
        return looks.match(value) is not None
    return tag in _KEPT_CLASSES and value.startswith(_STANDARD)
