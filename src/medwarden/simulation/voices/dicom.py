"""DICOM: associations (PS3.8 section 9.3), commands (PS3.7 section 9 and annex E) and data sets (PS3.5)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

IMPLICIT_LE, EXPLICIT_LE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
VERIFICATION = "1.2.840.10008.1.1"
MWL_FIND = "1.2.840.10008.5.1.4.31"
MPPS = "1.2.840.10008.3.1.2.3.3"
COMMITMENT = "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
STUDY_FIND, STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2"
PRINT_META = "1.2.840.10008.5.1.1.9"
STORAGE = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
    "XA": "1.2.840.10008.5.1.4.1.1.12.1",
    "RF": "1.2.840.10008.5.1.4.1.1.12.2",
    "NM": "1.2.840.10008.5.1.4.1.1.20",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "SC": "1.2.840.10008.5.1.4.1.1.7",
    "ES": "1.2.840.10008.5.1.4.1.1.77.1.1",
    "OP": "1.2.840.10008.5.1.4.1.1.77.1.5.1",
    "OPT": "1.2.840.10008.5.1.4.1.1.77.1.5.4",
    "SM": "1.2.840.10008.5.1.4.1.1.77.1.6",
    "ECG": "1.2.840.10008.5.1.4.1.1.9.1.1",
    "IO": "1.2.840.10008.5.1.4.1.1.1.3",
    "PX": "1.2.840.10008.5.1.4.1.1.1.1",
    "IVUS": "1.2.840.10008.5.1.4.1.1.3.1",
    "IVOCT": "1.2.840.10008.5.1.4.1.1.14.1",
    "RTPLAN": "1.2.840.10008.5.1.4.1.1.481.5",
    "RTIMAGE": "1.2.840.10008.5.1.4.1.1.481.1",
    "RTRECORD": "1.2.840.10008.5.1.4.1.1.481.4",
    "RTSTRUCT": "1.2.840.10008.5.1.4.1.1.481.3",
    "RTDOSE": "1.2.840.10008.5.1.4.1.1.481.2",
    "BMD": "1.2.840.10008.5.1.4.1.1.7",
    "XC": "1.2.840.10008.5.1.4.1.1.77.1.4",
    "HD": "1.2.840.10008.5.1.4.1.1.9.2.1",
    "EPS": "1.2.840.10008.5.1.4.1.1.9.3.1",
    "EEG": "1.2.840.10008.5.1.4.1.1.9.7.1",
    "HC": "1.2.840.10008.5.1.1.9",
}
"""The storage class (PS3.4 annex B) for each modality (PS3.3 C.7.3.1.1.1)."""

_LONG = frozenset({"OB", "OW", "SQ", "UN", "UT"})
MAX_PDU = 16_384

Context = tuple[int, str, tuple[str, ...]]
"""Identifier, abstract syntax, transfer syntaxes offered."""


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def _pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBI", kind, 0, len(body)) + body


def _user_information(uid: str, version: str, max_pdu: int) -> bytes:
    inner = _item(0x51, struct.pack(">I", max_pdu)) + _item(0x52, uid.encode())
    return _item(0x50, inner + (_item(0x55, version.encode()) if version else b""))


def _titles(called: str, calling: str) -> bytes:
    return struct.pack(">HH", 1, 0) + called.ljust(16).encode() + calling.ljust(16).encode() + bytes(32)


def associate_rq(
    called: str, calling: str, contexts: Sequence[Context], uid: str, version: str, max_pdu: int = MAX_PDU
) -> bytes:
    """Return an A-ASSOCIATE-RQ (PS3.8 9.3.2)."""
    body = _titles(called, calling) + _item(0x10, b"1.2.840.10008.3.1.1.1")
    for number, abstract, syntaxes in contexts:
        offered = b"".join(_item(0x40, syntax.encode()) for syntax in syntaxes)
        body += _item(0x20, bytes((number, 0, 0, 0)) + _item(0x30, abstract.encode()) + offered)
    return _pdu(1, body + _user_information(uid, version, max_pdu))


def associate_ac(
    called: str, calling: str, contexts: Sequence[Context], uid: str, version: str, max_pdu: int = MAX_PDU
) -> bytes:
    """Return an A-ASSOCIATE-AC that takes the first transfer syntax of every context (PS3.8 9.3.3)."""
    body = _titles(called, calling) + _item(0x10, b"1.2.840.10008.3.1.1.1")
    for number, _, syntaxes in contexts:
        body += _item(0x21, bytes((number, 0, 0, 0)) + _item(0x40, syntaxes[0].encode()))
    return _pdu(2, body + _user_information(uid, version, max_pdu))


def associate_rj(result: int = 1, source: int = 1, reason: int = 7) -> bytes:
    """Return an A-ASSOCIATE-RJ (PS3.8 9.3.4); by default: called AE title not recognised."""
    return _pdu(3, bytes((0, result, source, reason)))


def release_rq() -> bytes:
    """Return an A-RELEASE-RQ."""
    return _pdu(5, bytes(4))


def release_rp() -> bytes:
    """Return an A-RELEASE-RP."""
    return _pdu(6, bytes(4))


def p_data(context: int, command: bool, octets: bytes, max_pdu: int = MAX_PDU) -> bytes:
    """Return P-DATA-TF PDUs with one value each (PS3.8 9.3.5, annex E.2)."""
    room = max_pdu - 6
    out = []
    for start in range(0, len(octets), room):
        piece = octets[start : start + room]
        flags = (1 if command else 0) | (2 if start + room >= len(octets) else 0)
        out.append(_pdu(4, struct.pack(">IBB", len(piece) + 2, context, flags) + piece))
    return b"".join(out)


def _padded(vr: str, value: object) -> bytes:
    if isinstance(value, bytes):
        data = value
    elif vr == "US":
        assert isinstance(value, int)
        data = struct.pack("<H", value)
    elif vr == "UL":
        assert isinstance(value, int)
        data = struct.pack("<I", value)
    else:
        data = str(value).encode("latin-1")
    if len(data) & 1:
        data += b"\0" if vr in {"UI", "OB"} else b" "
    return data


def element(tag: int, vr: str, value: object, explicit: bool = True) -> bytes:
    """Return one data element (PS3.5 section 7.1); ``tag`` is group and element in one number."""
    data = _padded(vr, value)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if not explicit:
        return head + struct.pack("<I", len(data)) + data
    if vr in _LONG:
        return head + vr.encode() + struct.pack("<HI", 0, len(data)) + data
    return head + vr.encode() + struct.pack("<H", len(data)) + data


def data_set(values: Mapping[int, tuple[str, object]], explicit: bool = True) -> bytes:
    """Return a data set in ascending order of tags."""
    return b"".join(element(tag, vr, value, explicit) for tag, (vr, value) in sorted(values.items()))


def items(
    tag: int, sets: Sequence[Mapping[int, tuple[str, object]]], explicit: bool = True
) -> tuple[str, bytes]:
    """Return VR and value of a sequence with items of defined length; ``tag`` only tells the reader."""
    del tag
    body = b""
    for values in sets:
        inner = data_set(values, explicit)
        body += struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner
    return "SQ", body


def command(values: Mapping[int, tuple[str, object]]) -> bytes:
    """Return a command set (PS3.7 section 6.3): implicit little endian with its group length."""
    body = data_set(values, explicit=False)
    return element(0x00000000, "UL", len(body), explicit=False) + body


def _command(
    field: int, klass: str, message: int, data: bool, *, reply: bool = False
) -> dict[int, tuple[str, object]]:
    return {
        0x00000002: ("UI", klass),
        0x00000100: ("US", field),
        (0x00000120 if reply else 0x00000110): ("US", message),
        0x00000800: ("US", 0x0001 if data else 0x0101),
    }


def echo_rq(message: int) -> bytes:
    """Return a C-ECHO-RQ."""
    return command(_command(0x0030, VERIFICATION, message, False))


def echo_rsp(message: int) -> bytes:
    """Return a C-ECHO-RSP with success."""
    return command(_command(0x8030, VERIFICATION, message, False, reply=True) | {0x00000900: ("US", 0)})


def store_rq(message: int, klass: str, instance: str) -> bytes:
    """Return a C-STORE-RQ."""
    return command(
        _command(0x0001, klass, message, True) | {0x00000700: ("US", 0), 0x00001000: ("UI", instance)}
    )


def store_rsp(message: int, klass: str, instance: str, status: int = 0) -> bytes:
    """Return a C-STORE-RSP."""
    extra: dict[int, tuple[str, object]] = {0x00000900: ("US", status), 0x00001000: ("UI", instance)}
    return command(_command(0x8001, klass, message, False, reply=True) | extra)


def find_rq(message: int, klass: str) -> bytes:
    """Return a C-FIND-RQ; the identifier follows."""
    return command(_command(0x0020, klass, message, True) | {0x00000700: ("US", 0)})


def find_rsp(message: int, klass: str, pending: bool) -> bytes:
    """Return a C-FIND-RSP: pending with an identifier, or the last."""
    status: tuple[str, object] = ("US", 0xFF00 if pending else 0)
    return command(_command(0x8020, klass, message, pending, reply=True) | {0x00000900: status})


def move_rq(message: int, klass: str, destination: str) -> bytes:
    """Return a C-MOVE-RQ; the identifier follows."""
    extra: dict[int, tuple[str, object]] = {0x00000600: ("AE", destination), 0x00000700: ("US", 0)}
    return command(_command(0x0021, klass, message, True) | extra)


def move_rsp(message: int, klass: str, remaining: int, done: int) -> bytes:
    """Return a C-MOVE-RSP: pending while images remain, else success."""
    extra: dict[int, tuple[str, object]] = {
        0x00000900: ("US", 0xFF00 if remaining else 0),
        0x00001021: ("US", done),
        0x00001022: ("US", 0),
        0x00001023: ("US", 0),
    }
    if remaining:
        extra[0x00001020] = ("US", remaining)
    return command(_command(0x8021, klass, message, False, reply=True) | extra)


def n_request(kind: str, message: int, klass: str, instance: str, action: int = 0) -> bytes:
    """Return an N-CREATE-RQ, N-SET-RQ, N-ACTION-RQ or N-EVENT-REPORT-RQ; a data set follows."""
    field = {"create": 0x0140, "set": 0x0120, "action": 0x0130, "event": 0x0100}[kind]
    values = _command(field, klass, message, True)
    if kind in {"set", "action"}:
        values[0x00000003] = values.pop(0x00000002)
        values[0x00001001] = ("UI", instance)
    else:
        values[0x00001000] = ("UI", instance)
    if kind == "action":
        values[0x00001008] = ("US", action)
    if kind == "event":
        values[0x00001002] = ("US", action)
    return command(values)


def n_response(kind: str, message: int, klass: str, instance: str, action: int = 0) -> bytes:
    """Return the successful response to :func:`n_request` without a data set."""
    field = {"create": 0x8140, "set": 0x8120, "action": 0x8130, "event": 0x8100}[kind]
    values = _command(field, klass, message, False, reply=True)
    values |= {0x00000900: ("US", 0), 0x00001000: ("UI", instance)}
    if kind in {"action", "event"}:
        values[0x00001008 if kind == "action" else 0x00001002] = ("US", action)
    return command(values)


def message(context: int, said: bytes, data: bytes | None = None) -> Iterator[bytes]:
    """Yield the PDUs of a command and, where there is one, its data set."""
    yield p_data(context, True, said)
    if data is not None:
        yield p_data(context, False, data)
