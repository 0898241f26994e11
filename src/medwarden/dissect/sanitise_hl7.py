"""Take the patients out of HL7 version 2: every field is overwritten that is not known to be harmless.

HL7 v2.5.1 chapters 2 (MSH, MSA, SFT), 3, 4 and 7. What stays: who sends what to whom (MSH without control
id and security), acknowledgement codes, software, equipment (OBX-18, PRT-10, EQU-1), kinds of values, and
terms of ISO/IEEE 11073-10101. Separators stay, so that a message has the shape it had.
"""

from __future__ import annotations

import re

from medwarden.dissect.sanitise_draft import Draft

_HEADERS = (b"MSH", b"FHS", b"BHS")
_NAME = re.compile(rb"[^\r\n]{0,120}\Z")
_MOMENT = re.compile(rb"[0-9.+-]{0,26}\Z")
_ACCEPT = re.compile(rb"(AL|NE|ER|SU)?\Z")
# What stays of each segment, and what it must look like: where the end of a segment is lost, fields of the
# next one stand in places where nobody would look for them.
_KEPT: dict[bytes, dict[int, re.Pattern[bytes]]] = {
    b"MSH": {
        **dict.fromkeys((3, 4, 5, 6), _NAME),
        7: _MOMENT,
        9: re.compile(rb"[A-Z]{3}([^A-Za-z0-9][A-Z0-9]{3}([^A-Za-z0-9][A-Z]{3}(_[A-Z0-9]{3})?)?)?\Z"),
        11: re.compile(rb"[PDT]([^A-Za-z0-9][ARIT])?\Z"),
        12: re.compile(rb"2(\.\d{1,2}){0,2}\Z"),
        15: _ACCEPT,
        16: _ACCEPT,
        17: re.compile(rb"([A-Z]{2,3})?\Z"),
        18: re.compile(rb"(UNICODE( UTF-\d{1,2})?|ASCII|8859/\d{1,2}|UTF-8|ISO IR\d{1,3})?\Z"),
    },
    b"FHS": {**dict.fromkeys((3, 4, 5, 6), _NAME), 7: _MOMENT},
    b"BHS": {**dict.fromkeys((3, 4, 5, 6), _NAME), 7: _MOMENT},
    b"MSA": {1: re.compile(rb"[AC][AER]\Z")},
    b"SFT": dict.fromkeys((1, 2, 3), _NAME),
    b"OBX": {
        2: re.compile(rb"(AD|CE|CF|CWE|CX|DT|DTM|ED|FT|ID|IS|MO|NA|NM|PN|SI|SN|ST|TM|TS|TX|XAD|XPN)\Z"),
        11: re.compile(rb"[A-Z]\Z"),
        18: _NAME,
    },
    b"PRT": {10: _NAME},
    b"EQU": {1: _NAME},
    b"EVN": {1: re.compile(rb"[A-Z]\d\d\Z")},
}
_MOST_FIELDS = {
    b"MSH": 28,
    b"FHS": 14,
    b"BHS": 14,
    b"MSA": 8,
    b"SFT": 6,
    b"OBX": 30,
    b"PRT": 23,
    b"EQU": 6,
    b"EVN": 8,
}
# What must stand in other fields before an equipment's is believed to be one: a byte that became a separator
# moves what names a person into its place (HL7 tables 0912 and 0085).
_ANCHORS: dict[bytes, dict[int, re.Pattern[bytes]]] = {
    b"PRT": {4: re.compile(rb"EQUIP(?![A-Za-z0-9])")},
    b"OBX": {2: _KEPT[b"OBX"][2], 11: _KEPT[b"OBX"][11]},
}
_MERGED = re.compile(rb"(PID|NK1|PV1|PV2|IN1|IN2|GT1|MRG|OBR|NTE|ORC|AL1|DG1)[^A-Za-z0-9]")
_SEGMENT = re.compile(rb"[A-Z][A-Z0-9]{2}\Z")
_COUNT = re.compile(rb"\d{1,3}\Z")
_TERM = re.compile(rb"MDC(_[A-Z0-9_]{1,80})?\Z")


def is_hl7(payload: bytes) -> bool:
    """Tell whether a stream opens with a message, with or without its MLLP start of block."""
    start = 1 if payload[:1] == b"\x0b" else 0
    head = payload[start : start + 9]
    return head[:3] in _HEADERS and len(head) >= 8 and not head[3:4].isalnum() and head[3] > 0x20


def clean_hl7(draft: Draft) -> None:
    """Write what may stay of one direction into its draft; before the first header all is overwritten."""
    data = draft.data
    separators: bytes | None = None
    at = 0
    for match in re.finditer(rb"[\r\n\x0b\x1c]", data):
        separators = _segment(draft, at, match.start(), separators)
        draft.keep(match.start(), match.end())
        if match.group() == b"\x1c":
            separators = None
        at = match.end()
    # A segment that does not end is not known whole; nothing of it stays.
    draft.counts["hl7 cut segment"] += at < len(data)


def _segment(draft: Draft, start: int, end: int, separators: bytes | None) -> bytes | None:
    """Clean one segment; return the separators of the message it belongs to."""
    data = draft.data
    name = data[start : start + 3]
    if end - start < 4 or not _SEGMENT.match(name):
        return separators
    if name in _HEADERS:
        found = _separators(data, start, end)
        if found is None:
            return None
        separators = found
        draft.keep(start, start + 3 + len(found))
        first = data.find(separators[:1], start + 4, end)
        if first < 0:
            return separators
        number, at = 2, first + 1
        draft.keep(first, first + 1)
    elif separators is None or data[start + 3] != separators[0]:
        return separators
    else:
        number, at = 0, start + 4
        draft.keep(start, start + 4)
    kept = _KEPT.get(name, {})
    too_many = data.count(separators[:1], start, end) > _MOST_FIELDS.get(name, 0)
    if kept and (too_many or _MERGED.search(data, at, end) or not _anchored(data[at:end], separators, name)):
        kept = {}
    while at <= end:
        number += 1
        stop = data.find(separators[:1], at, end)
        stop = end if stop < 0 else stop
        looks = kept.get(number)
        if looks is not None and looks.match(data[at:stop]):
            draft.keep(at, stop)
        else:
            _field(draft, at, stop, separators, name, number)
        if stop < end:
            draft.keep(stop, stop + 1)
        at = stop + 1
    return separators


def _anchored(fields: bytes, separators: bytes, name: bytes) -> bool:
    """Tell whether the fields of a segment stand where they belong, as far as others show it."""
    anchors = _ANCHORS.get(name)
    if anchors is None:
        return True
    parts = fields.split(separators[:1], max(anchors))
    return all(number <= len(parts) and looks.match(parts[number - 1]) for number, looks in anchors.items())


def _separators(data: bytes, start: int, end: int) -> bytes | None:
    """Return MSH-1 and MSH-2 of a header (chapter 2.5.4), or None where they separate nothing."""
    field = data[start + 3 : start + 4]
    stop = data.find(field, start + 4, end)
    stop = min(stop if stop >= 0 else end, start + 9)
    found = data[start + 3 : stop]
    if len(set(found)) != len(found) or len(found) < 2:
        return None
    if any(byte < 0x21 or byte > 0x7E or chr(byte).isalnum() for byte in found):
        return None
    return found


def _field(draft: Draft, start: int, end: int, separators: bytes, name: bytes, field: int) -> None:
    """Overwrite a field; its separators stay, and so do set numbers and terms that name no one."""
    data = draft.data
    at = start
    for stop in [i for i in range(start, end) if data[i] in separators[1:]] + [end]:
        part = data[at:stop]
        known = _TERM if (name, field) == (b"OBX", 3) else _COUNT if field == 1 else None
        if known is not None and known.match(part):
            draft.keep(at, stop)
        elif part:
            draft.fill(at, stop, "hl7 field")
        if stop < end:
            draft.keep(stop, stop + 1)
        at = stop + 1
