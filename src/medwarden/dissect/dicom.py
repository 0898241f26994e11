"""DICOM upper layer over TCP: associations, DIMSE commands and the heads of data sets.

DICOM PS3.8 section 9.3 (PDUs), PS3.7 sections 6.3, 9.3, 10.3 and annex E (DIMSE), PS3.5 (encodings),
PS3.6 (dictionaries). Of data sets only what names the equipment is told. Group 0010 (patient),
accession numbers, physicians' names and identifiers of studies never leave this module; the operators'
name leaves as a keyed token.
"""

from __future__ import annotations

import struct
from typing import ClassVar

import msgspec

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.dicom_association import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    ASSOCIATE_RQ,
    FIXED_BYTES,
    P_DATA_TF,
    RELEASE_RP,
    RELEASE_RQ,
    Associate,
    Context,
    abort_reason,
    read_associate,
    rejection,
    uid,
)
from medwarden.dissect.dicom_dataset import (
    DataSetReader,
    Element,
    Encoding,
    Wanted,
    decode,
    encoding_of,
    is_text,
)
from medwarden.dissect.dicom_uids import MODALITY_WORKLIST, SOP_CLASSES, TRANSFER_SYNTAXES, service
from medwarden.dissect.octets import printable
from medwarden.dissect.phi import Tokeniser
from medwarden.model.segment import DissectorManifest, Transport

MAX_ASSOCIATE_BYTES = 256 * 1024
"""Longest A-ASSOCIATE PDU read: 128 contexts with a dozen transfer syntaxes each take 50 KB."""
MAX_NAMED_CLASSES = 48
MAX_NAMED_SYNTAXES = 16

_SHORT_PDUS = (ASSOCIATE_RJ, RELEASE_RQ, RELEASE_RP, ABORT)

# PS3.7 table E.1-1: command field -> name; bit 0x8000 marks a response.
_COMMANDS = {
    0x0001: "C-STORE",
    0x0010: "C-GET",
    0x0020: "C-FIND",
    0x0021: "C-MOVE",
    0x0030: "C-ECHO",
    0x0100: "N-EVENT-REPORT",
    0x0110: "N-GET",
    0x0120: "N-SET",
    0x0130: "N-ACTION",
    0x0140: "N-CREATE",
    0x0150: "N-DELETE",
    0x0FFF: "C-CANCEL",
}
_RESPONSE = 0x8000
_STORE_RQ, _FIND_RQ, _FIND_RSP, _CREATE_RQ = 0x0001, 0x0020, 0x8020, 0x0140

_COMMAND_SET = Wanted(frozenset({0x00000002, 0x00000003, 0x00000100, 0x00000600, 0x00001030}), 0x0000FFFF)

_CHARACTER_SET, _MODALITY, _OPERATORS = 0x00080005, 0x00080060, 0x00081070
_PATIENT = frozenset({0x00100010, 0x00100020})
_INSTITUTION = {0x00080080: "dicom.institution_name", 0x00081040: "dicom.institutional_department"}
_EQUIPMENT = {
    0x00080064: "dicom.conversion_type",
    0x00080070: "dicom.manufacturer",
    0x00081010: "dicom.station_name",
    0x00081090: "dicom.model_name",
    0x00181000: "dicom.device_serial_number",
    0x00181016: "dicom.secondary_capture_manufacturer",
    0x00181018: "dicom.secondary_capture_model",
    0x00181020: "dicom.software_versions",
}
_SCHEDULED_STEP, _SCHEDULED_STATION_AE = 0x00400100, 0x00400001
_PERFORMED_STATION_NAME, _PERFORMED_LOCATION = 0x00400242, 0x00400243
_RETRIEVE_AE = 0x00080054

# PS3.6 table 6-1: the value representation of what is read, where it is not LO. Another one means that
# the bytes are not what they seem, and then they could be anybody's name.
_REPRESENTATIONS = {
    **dict.fromkeys((_CHARACTER_SET, _MODALITY, 0x00080064), b"CS"),
    **dict.fromkeys((0x00081010, _PERFORMED_STATION_NAME, _PERFORMED_LOCATION), b"SH"),
    **dict.fromkeys((_RETRIEVE_AE, _SCHEDULED_STATION_AE), b"AE"),
    **dict.fromkeys((0x00100010, _OPERATORS), b"PN"),
}

_STORED = Wanted(
    frozenset({_CHARACTER_SET, _MODALITY, _OPERATORS, *_PATIENT, *_INSTITUTION, *_EQUIPMENT}), 0x00181020
)
_WORKLIST_KEYS = Wanted(
    frozenset({_CHARACTER_SET, _MODALITY, *_PATIENT, _SCHEDULED_STATION_AE}),
    0x00400100,
    frozenset({_SCHEDULED_STEP}),
)
_QUERY_KEYS = Wanted(frozenset({_CHARACTER_SET, *_PATIENT}), 0x00100020)
_MATCHES = Wanted(frozenset({_CHARACTER_SET, _RETRIEVE_AE, *_INSTITUTION, *_PATIENT}), 0x00100020)
_PERFORMED_STEP = Wanted(
    frozenset(
        {_CHARACTER_SET, _MODALITY, *_PATIENT, *_EQUIPMENT, _PERFORMED_STATION_NAME, _PERFORMED_LOCATION}
    ),
    0x00400243,
)


class _Command(msgspec.Struct):
    """The command set that a data set belongs to."""

    field: int = 0
    sop_class: str = ""
    move_originator: str = ""


class _Side:
    """One direction: where it stands within a P-DATA-TF PDU and within a message."""

    __slots__ = (
        "character_set",
        "command",
        "fragment",
        "is_last",
        "pdu",
        "reader",
        "reads_command",
    )

    def __init__(self) -> None:
        self.pdu = 0  # bytes of the current P-DATA-TF still to come
        self.fragment = 0  # bytes of the current PDV still to come
        self.is_last = False
        self.reads_command = False
        self.reader: DataSetReader | None = None
        self.command = _Command()
        self.character_set = ""


class Dicom(Connection):
    """Follow one DICOM association and tell titles, roles, implementations and equipment."""

    manifest: ClassVar = DissectorManifest(
        name="dicom",
        title="DICOM upper layer and DIMSE",
        transports=(Transport.TCP,),
        reference="DICOM PS3.8 section 9.3, PS3.7, PS3.5",
        ports=(104, 4242, 11112),
        starts=(b"\x01\x00\x00\x00",),
        stream_bytes=64 * 1024,
        sniff=True,
        fields=(
            "dicom.ae_title",
            "dicom.called_ae_title",
            "dicom.implementation_class_uid",
            "dicom.implementation_version_name",
            "dicom.max_pdu",
            "dicom.sop_class",
            "dicom.role",
            "dicom.transfer_syntax",
            "dicom.user_identity",
            "dicom.reject_reason",
            "dicom.abort_reason",
            "dicom.command",
            "dicom.move_destination",
            "dicom.move_originator",
            "dicom.modality",
            "dicom.operator",
            "dicom.patient_data",
            "dicom.performed_location",
            "dicom.retrieve_ae_title",
            *_INSTITUTION.values(),
            *_EQUIPMENT.values(),
        ),
        medical=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self.tokeniser: Tokeniser | None = None
        self._sides = {True: _Side(), False: _Side()}
        self._request: Associate | None = None
        self._requestor: bool | None = None  # from_client of the side that asked for the association
        self._contexts: dict[int, Context] = {}

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a PDU by its type, its length and what must follow (PS3.8 section 9.3)."""
        del from_client
        if len(payload) < 10 or payload[1]:
            return False
        kind, length = payload[0], int.from_bytes(payload[2:6], "big")
        if kind in (ASSOCIATE_RQ, ASSOCIATE_AC):
            version = payload[6:8] == b"\0\1" and payload[8:10] == b"\0\0"
            titles = payload[10:42]
            return (
                version
                and FIXED_BYTES <= length <= MAX_ASSOCIATE_BYTES
                and (kind == ASSOCIATE_AC or (titles.isascii() and titles.decode().isprintable()))
            )
        if kind == P_DATA_TF and len(payload) >= 12:
            fragment = int.from_bytes(payload[6:10], "big")
            return 2 <= fragment <= length - 4 and payload[10] & 1 == 1 and payload[11] <= 3
        return kind in _SHORT_PDUS and length == 4 and len(payload) == 10

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read PDUs, and within P-DATA-TF the fragments as they come."""
        side = self._sides[from_client]
        while True:
            if side.fragment:
                if not inbox.data:
                    return
                self._read_fragment(inbox, side, from_client)
            elif side.pdu:
                header = inbox.take(6)
                if header is None:
                    return
                self._begin_fragment(header, inbox, side)
            elif not self._read_pdu(inbox, side, from_client):
                return

    def _read_pdu(self, inbox: Inbox, side: _Side, from_client: bool) -> bool:
        """Consume one PDU, of P-DATA-TF only the header; False when more bytes are needed."""
        if len(inbox.data) < 6:
            return False
        kind, length = struct.unpack_from(">BxI", inbox.data)
        if kind == P_DATA_TF:
            inbox.take(6)
            side.pdu = length
            return True
        if kind in _SHORT_PDUS:
            if length != 4:
                raise inbox.malformed(f"PDU of type {kind} must have 4 bytes, not {length}")
        elif kind not in (ASSOCIATE_RQ, ASSOCIATE_AC):
            raise inbox.malformed(f"unknown PDU type {kind}")
        elif length > MAX_ASSOCIATE_BYTES:
            raise inbox.malformed(f"A-ASSOCIATE of {length} bytes")
        whole = inbox.take(6 + length)
        if whole is None:
            return False
        body = whole[6:]
        if kind == ASSOCIATE_RQ:
            self._requested(read_associate(body, inbox.offset - length), from_client)
        elif kind == ASSOCIATE_AC:
            self._accepted(read_associate(body, inbox.offset - length), from_client)
        elif kind == ASSOCIATE_RJ:
            self.said("dicom.reject_reason", rejection(body))
        elif kind == ABORT:
            self.said("dicom.abort_reason", abort_reason(body))
        return True

    def _requested(self, request: Associate, from_client: bool) -> None:
        self._requestor = from_client
        self._request = request
        self._contexts = {context.identifier: context for context in request.contexts}
        self.said("dicom.ae_title", request.calling)
        self.heard("dicom.called_ae_title", request.called)
        self._said_implementation(request)
        self.said("dicom.user_identity", request.identity)
        self._said_services([c.abstract_syntax for c in request.contexts], request, by_requestor=True)
        proposed = dict.fromkeys(syntax for c in request.contexts for syntax in c.transfer_syntaxes)
        self._said_syntaxes(list(proposed))

    def _accepted(self, accepted: Associate, from_client: bool) -> None:
        request = self._request
        if request is None or self._requestor is from_client:
            # The request was not seen (or is not the peer's): the titles of an A-ASSOCIATE-AC are not to
            # be tested (PS3.8 table 9-17), so only the implementation is known.
            self._said_implementation(accepted)
            return
        self.said("dicom.ae_title", request.called)
        self._said_implementation(accepted)
        sop_classes: list[str] = []
        syntaxes: list[str] = []
        for answer in accepted.contexts:
            context = self._contexts.get(answer.identifier)
            if context is None:
                continue
            context.result = answer.result
            context.transfer_syntaxes = answer.transfer_syntaxes[:1]
            if answer.result == 0:
                sop_classes.append(context.abstract_syntax)
                syntaxes += context.transfer_syntaxes
        self._said_services(sop_classes, accepted, by_requestor=False)
        self._said_syntaxes(list(dict.fromkeys(syntaxes)))

    def _said_implementation(self, pdu: Associate) -> None:
        self.said("dicom.implementation_class_uid", pdu.implementation_class)
        self.said("dicom.implementation_version_name", pdu.implementation_version)
        if pdu.max_length is not None:
            self.said("dicom.max_pdu", str(pdu.max_length))

    def _said_services(self, sop_classes: list[str], pdu: Associate, by_requestor: bool) -> None:
        """Tell SOP classes and the roles they mean: SCU for the requestor unless negotiated otherwise."""
        distinct = list(dict.fromkeys(sop_classes))
        for sop_class in distinct[:MAX_NAMED_CLASSES]:
            self.said("dicom.sop_class", SOP_CLASSES.get(sop_class) or sop_class)
        for sop_class in distinct:
            name = service(sop_class)
            if name is None:
                continue
            # Role selection (PS3.7 D.3.3.4) speaks of the requestor in both PDUs.
            is_scu, is_scp = pdu.roles.get(sop_class, (True, False))
            if not by_requestor:
                is_scu, is_scp = is_scp, is_scu
            if is_scu:
                self.said("dicom.role", f"{name}_scu")
            if is_scp:
                self.said("dicom.role", f"{name}_scp")

    def _said_syntaxes(self, syntaxes: list[str]) -> None:
        for syntax in syntaxes[:MAX_NAMED_SYNTAXES]:
            self.said("dicom.transfer_syntax", TRANSFER_SYNTAXES.get(syntax, syntax))

    def _begin_fragment(self, header: bytes, inbox: Inbox, side: _Side) -> None:
        """Open one presentation data value (PS3.8 section 9.3.5.1 and annex E.2)."""
        length, context_id, control = struct.unpack(">IBB", header)
        if length < 2 or length + 4 > side.pdu:
            raise inbox.malformed(f"a data value of {length} bytes in a PDU with {side.pdu} left")
        side.pdu -= length + 4
        side.fragment = length - 2
        side.is_last = bool(control & 2)
        is_command = bool(control & 1)
        if side.reader is None or is_command is not side.reads_command:
            side.reads_command = is_command
            side.reader = self._reader(side, context_id, is_command)
        if not side.fragment and side.is_last:
            self._end_message(side)

    def _reader(self, side: _Side, context_id: int, is_command: bool) -> DataSetReader | None:
        """Return the reader for the message part that begins, or None when nothing of it is wanted."""
        if is_command:
            side.command = _Command()
            return DataSetReader(Encoding.IMPLICIT_LITTLE, _COMMAND_SET)
        side.character_set = ""
        wanted = _wanted(side.command)
        if wanted is None:
            return None
        context = self._contexts.get(context_id)
        syntaxes = context.transfer_syntaxes if context is not None else ()
        return DataSetReader(encoding_of(syntaxes[0] if len(syntaxes) == 1 else None), wanted)

    def _read_fragment(self, inbox: Inbox, side: _Side, from_client: bool) -> None:
        reader = side.reader
        if reader is None or reader.finished:
            inbox.discard(side.fragment)
            side.fragment = 0
        else:
            count = min(side.fragment, len(inbox.data))
            chunk = inbox.take(count) or b""
            side.fragment -= count
            for element in reader.feed(chunk):
                if side.reads_command:
                    self._command_element(element, side.command)
                else:
                    self._data_element(element, side, from_client)
        if not side.fragment and side.is_last:
            self._end_message(side)

    def _end_message(self, side: _Side) -> None:
        reader, side.reader = side.reader, None
        if reader is not None:
            reader.close()
        command = side.command
        if side.reads_command and not command.field & _RESPONSE and command.field in _COMMANDS:
            self.said("dicom.command", _COMMANDS[command.field])

    def _command_element(self, element: Element, command: _Command) -> None:
        tag, value = element.tag, element.value
        if tag in (0x00000002, 0x00000003):
            command.sop_class = uid(value)
        elif tag == 0x00000100 and len(value) == 2:
            (command.field,) = struct.unpack("<H", value)
        elif tag == 0x00000600:
            self.said("dicom.move_destination", printable(value))
        elif tag == 0x00001030:
            command.move_originator = printable(value)
            self.said("dicom.move_originator", command.move_originator)

    def _data_element(self, element: Element, side: _Side, from_client: bool) -> None:
        """Tell what one element says about the equipment; about patients only that there was one."""
        tag, command = element.tag, side.command
        if not is_text(element.value) or element.vr not in (b"", b"UN", _REPRESENTATIONS.get(tag, b"LO")):
            raise self.malformed(f"element {tag >> 16:04x},{tag & 0xFFFF:04x} is no text of its kind")
        if tag == _CHARACTER_SET:
            side.character_set = printable(element.value)
            return
        value = decode(element.value, side.character_set)
        if tag in _PATIENT:
            # Universal matching and wildcards of a query name nobody (PS3.4 section C.2.2.2).
            if value.strip("*?^= "):
                self.said("dicom.patient_data", "yes")
            return
        if command.field == _FIND_RQ:
            self._worklist_key(tag, value)
            return
        if element.depth:
            return
        if tag in _INSTITUTION:
            self.said(_INSTITUTION[tag], value)
        elif tag == _RETRIEVE_AE:
            self.said("dicom.retrieve_ae_title", value)
        elif tag == _PERFORMED_LOCATION:
            self.said("dicom.performed_location", value)
        elif not self._is_relayed(command, from_client):
            self._equipment(tag, value)

    def _worklist_key(self, tag: int, value: str) -> None:
        """A modality asks the worklist for steps of its own kind and title (PS3.4 annex K.6.1.2.2)."""
        if "*" in value or "?" in value or "\\" in value:
            return
        if tag == _MODALITY:
            self.said("dicom.modality", value)
        elif tag == _SCHEDULED_STATION_AE:
            self.said("dicom.ae_title", value)

    def _is_relayed(self, command: _Command, from_client: bool) -> bool:
        """Tell whether an archive sends: on behalf of a C-MOVE, or as the answering side of a C-GET."""
        if command.field != _STORE_RQ:
            return False
        return bool(command.move_originator) or (
            self._requestor is not None and self._requestor is not from_client
        )

    def _equipment(self, tag: int, value: str) -> None:
        if tag == _MODALITY:
            self.said("dicom.modality", value)
        elif tag == _PERFORMED_STATION_NAME:
            self.said("dicom.station_name", value)
        elif tag == _OPERATORS:
            if self.tokeniser is not None:
                for name in value.split("\\")[:4]:
                    if name.strip("^= "):
                        self.said("dicom.operator", self.tokeniser.token("operator", name))
        elif tag in _EQUIPMENT:
            self.said(_EQUIPMENT[tag], value)


def _wanted(command: _Command) -> Wanted | None:
    if command.field == _STORE_RQ:
        return _STORED
    if command.field == _FIND_RQ:
        return _WORKLIST_KEYS if command.sop_class == MODALITY_WORKLIST else _QUERY_KEYS
    if command.field == _FIND_RSP:
        return _MATCHES
    if command.field == _CREATE_RQ and service(command.sop_class) == "mpps":
        return _PERFORMED_STEP
    return None


DISSECTOR = Dicom
