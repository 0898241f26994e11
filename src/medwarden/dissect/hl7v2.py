"""HL7 version 2 messages over MLLP: which applications talk, of what, and which equipment they name.

HL7 v2.5.1 to v2.9: chapter 2 (separators, escapes, MSH, MSA, SFT, batches), 3 (PV1), 7 (OBX, PRT), 13
(EQU); ISO/IEEE 11073-10101 terms as IHE PCD-01 sends them. Of patients only that there was one is told:
PID and its neighbours never leave this module, and of a location only the unit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

import msgspec

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.mllp import HEADERS, MllpReader
from medwarden.dissect.octets import printable
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import DissectorManifest, Transport

MAX_LOCATION = 32
"""Longest name of a unit, in characters; HL7 v2.5.1 gives the component 20."""

# Segments about people: patient, next of kin, guarantor, insured, merged identifiers.
_ABOUT_PATIENTS = frozenset({"PID", "NK1", "GT1", "IN1", "IN2", "MRG"})
# Messages sent by those who measure: there PV1 says where the equipment stands.
_OBSERVATIONS = frozenset({"ORU", "OUL", "ORA"})
_MESSAGE_TYPE = re.compile(r"[A-Z][A-Z0-9]{2}(\^[A-Z][A-Z0-9]{2})?\Z")
_VERSION = re.compile(r"2(\.\d{1,2}){0,2}\Z")
_ACK_CODES = frozenset({"AA", "AE", "AR", "CA", "CE", "CR"})
_LIKE_A_NUMBER = re.compile(r"[0-9]{5}|[\^&~|]")
_EUI64 = re.compile(r"[0-9A-Fa-f]{16}\Z")

# HL7 table 0211 -> Python codec.
_CHARACTER_SETS = {
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5",
    "KS X 1001": "euc_kr",
    "ISO IR87": "iso2022_jp",
}


class _Message(msgspec.Struct):
    """One message: the characters it is cut by (MSH-1, MSH-2), character set (MSH-18), code (MSH-9.1)."""

    field: bytes
    component: bytes
    repetition: bytes = b"~"
    escape: bytes = b"\\"
    subcomponent: bytes = b"&"
    codec: str = ""
    code: str = ""


class _Side:
    """One direction: its framing and the message being read."""

    __slots__ = ("message", "reader")

    def __init__(self, inbox: Inbox) -> None:
        self.reader = MllpReader(inbox)
        self.message: _Message | None = None


class Hl7v2(Connection):
    """Follow one MLLP connection and tell applications, message types, software and equipment."""

    manifest: ClassVar = DissectorManifest(
        name="hl7",
        title="HL7 version 2 over MLLP",
        transports=(Transport.TCP,),
        reference="HL7 v2.5.1 chapter 2; HL7 v2 transport specification: MLLP",
        ports=(2575, 6661),
        starts=(*(b"\x0b" + header for header in HEADERS), b"MSH|^~\\&"),
        stream_bytes=64 * 1024,
        fields=(
            "hl7.sending_application",
            "hl7.sending_facility",
            "hl7.receiving_application",
            "hl7.receiving_facility",
            "hl7.message_type",
            "hl7.version",
            "hl7.processing_id",
            "hl7.ack_code",
            "hl7.location",
            "hl7.equipment",
            "hl7.equipment_namespace",
            "hl7.equipment_uid",
            "hl7.device",
            "hl7.software_vendor",
            "hl7.software_version",
            "hl7.software_product",
            "hl7.patient_data",
        ),
        medical=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self._sides = {True: _Side(self.client), False: _Side(self.server)}

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a message by its start of block and header segment, or a bare MSH with usual message."""
        del from_client
        if payload[:1] == b"\x0b":
            return payload[1:4] in HEADERS and (len(payload) < 5 or not payload[4:5].isalnum())
        return payload.startswith(b"MSH|^~\\&")

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the complete segments of one direction."""
        side = self._sides[from_client]
        for segment in side.reader.segments():
            if segment.startswith(HEADERS):
                self._header(segment, side, inbox)
            elif side.message is not None:
                handler = _HANDLERS.get(segment[:3].decode("latin-1"))
                if handler is not None:
                    handler(self, segment.split(side.message.field, 32), side.message)

    def _header(self, segment: bytes, side: _Side, inbox: Inbox) -> None:
        """Read MSH, FHS or BHS: who sends what to whom."""
        message = side.message = _message(segment, inbox)
        # MSH-1 is the separator itself: after the cut, MSH-n stands at n - 1.
        fields = segment.split(message.field, 32)
        name = fields[0].decode("latin-1")
        if name == "MSH":
            message.codec = _codec(_first(_at(fields, 17), message))
        for index, field in enumerate(
            (
                "hl7.sending_application",
                "hl7.sending_facility",
                "hl7.receiving_application",
                "hl7.receiving_facility",
            ),
            2,
        ):
            say = self.said if index < 4 else self.heard
            say(field, _designator(_at(fields, index), message))
        if name != "MSH":
            return
        kind = "^".join(_components(_at(fields, 8), message)[:2]).rstrip("^")
        message.code = kind.partition("^")[0]
        if _MESSAGE_TYPE.match(kind):
            self.said("hl7.message_type", kind)
        processing = _first(_at(fields, 10), message)
        if len(processing) == 1:
            self.said("hl7.processing_id", processing)
        version = _first(_at(fields, 11), message)
        if _VERSION.match(version):
            self.said("hl7.version", version)

    def _acknowledgement(self, fields: list[bytes], message: _Message) -> None:
        code = _first(_at(fields, 1), message)
        if code in _ACK_CODES:
            self.said("hl7.ack_code", code)

    def _software(self, fields: list[bytes], message: _Message) -> None:
        """SFT: the software that wrote the message (chapter 2.14.12)."""
        self.said("hl7.software_vendor", _first(_at(fields, 1), message))
        self.said("hl7.software_version", _first(_at(fields, 2), message))
        self.said("hl7.software_product", _first(_at(fields, 3), message))

    def _visit(self, fields: list[bytes], message: _Message) -> None:
        """PV1-3: the unit alone, not room or bed, and only from those who measure.

        A visit number may stand close by: what is not clearly the name of a unit is left out.
        """
        if message.code not in _OBSERVATIONS:
            return
        location = _first(_at(fields, 3), message)
        clear = len(location) <= MAX_LOCATION and not _LIKE_A_NUMBER.search(location)
        if clear and (message.codec or location.isascii()):
            self.said("hl7.location", location)

    def _observation(self, fields: list[bytes], message: _Message) -> None:
        """OBX-18 names the equipment; OBX-3 names its kind where it is a device term of 11073."""
        for component in _components(_at(fields, 3), message):
            if component.startswith("MDC_DEV_"):
                self.said("hl7.device", component)
        self._equipment(_at(fields, 18), message)

    def _participation(self, fields: list[bytes], message: _Message) -> None:
        """PRT-10: the device that took part (chapter 7.3.4)."""
        self._equipment(_at(fields, 10), message)

    def _automation(self, fields: list[bytes], message: _Message) -> None:
        """EQU-1: the laboratory equipment that speaks (chapter 13.4.1)."""
        self._equipment(_at(fields, 1), message)

    def _equipment(self, value: bytes, message: _Message) -> None:
        """Tell an entity identifier (data type EI): identifier, namespace and universal identifier."""
        for repetition in value.split(message.repetition, 8)[:8]:
            parts = [*_components(repetition, message), "", "", "", ""]
            self.said("hl7.equipment", parts[0] or parts[2])
            self.said("hl7.equipment_namespace", parts[1])
            if _EUI64.match(parts[2]):
                self.said("hl7.equipment_uid", parts[2].lower())

    def _patient(self, fields: list[bytes], message: _Message) -> None:
        del message
        if any(field.strip(b'"') for field in fields[2:]):
            self.said("hl7.patient_data", "yes")


_HANDLERS: dict[str, Callable[[Hl7v2, list[bytes], _Message], None]] = {
    "MSA": Hl7v2._acknowledgement,
    "SFT": Hl7v2._software,
    "PV1": Hl7v2._visit,
    "OBX": Hl7v2._observation,
    "PRT": Hl7v2._participation,
    "EQU": Hl7v2._automation,
    **dict.fromkeys(_ABOUT_PATIENTS, Hl7v2._patient),
}


def _message(segment: bytes, inbox: Inbox) -> _Message:
    """Read MSH-1 and MSH-2 (chapter 2.5.4); raises MalformedInput when they cannot separate anything."""
    field = segment[3:4]
    encoding = segment[4:10].split(field, 1)[0] if field else b""
    used = field + encoding
    if not encoding or used.isspace() or len(set(used)) != len(used) or any(_is_text(c) for c in used):
        raise MalformedInput("hl7", "MSH-1 and MSH-2 do not give separators", inbox.offset)
    defaults = b"^~\\&"
    component, repetition, escape, subcomponent = (
        encoding[i : i + 1] or defaults[i : i + 1] for i in range(4)
    )
    return _Message(field, component, repetition, escape, subcomponent)


def _is_text(octet: int) -> bool:
    return chr(octet).isalnum() or octet < 0x20


def _codec(name: str) -> str:
    name = name.upper()
    if name.startswith("8859/") and name[5:].isdigit() and 1 <= int(name[5:]) <= 15 and name != "8859/12":
        return f"iso8859-{int(name[5:])}"
    return _CHARACTER_SETS.get(name, "")


def _at(fields: list[bytes], index: int) -> bytes:
    return fields[index] if index < len(fields) else b""


def _components(value: bytes, message: _Message) -> list[str]:
    return [_text(part, message) for part in value.split(message.component, 16)[:16]]


def _first(value: bytes, message: _Message) -> str:
    return _components(value.split(message.repetition, 1)[0], message)[0]


def _designator(value: bytes, message: _Message) -> str:
    """Return a hierarchic designator (data type HD) by its namespace, or else its universal identifier."""
    parts = _components(value, message)
    return parts[0] or (parts[1] if len(parts) > 1 else "")


def _text(part: bytes, message: _Message) -> str:
    """Return the first subcomponent as text, escapes undone (chapter 2.7), the HL7 null as nothing."""
    part = part[:2048].split(message.subcomponent, 1)[0]
    if part == b'""':
        return ""
    escape = message.escape
    if escape in part:
        for letter, character in (
            (b"F", message.field),
            (b"S", message.component),
            (b"T", message.subcomponent),
            (b"R", message.repetition),
        ):
            part = part.replace(escape + letter + escape, character)
        part = part.replace(escape + b"E" + escape, escape)
    if message.codec:
        try:
            return printable(part.decode(message.codec).encode())
        except UnicodeDecodeError:
            return printable(part)
    return printable(part)


DISSECTOR = Hl7v2
