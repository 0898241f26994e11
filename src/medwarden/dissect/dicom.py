"""DICOM upper layer over TCP: associations, DIMSE commands and the heads of data sets.

DICOM PS3.8 section 9.3 (PDUs), PS3.7 sections 6.3, 9.3, 10.3 and annex E (DIMSE), PS3.5 (encodings),
PS3.6 (dictionaries). Of data sets only what names the equipment and its use is told. Group 0010 (patient),
accession numbers, physicians' names, dates and identifiers of studies never leave this module; the
operators' name leaves as a keyed token, a description only if it is made of words of procedures alone.

An image describes who made it, not who sends it. ``dicom.manufacturer`` and its like are said of a sender
that stores images of its own; of images sent on (for a C-MOVE, as the answer of a C-GET, or beside images
of other equipment on the same association) the same stands in ``dicom.source_*``, and the sender then has
the role ``storage_forwarder`` where the images themselves give that away.
"""

from __future__ import annotations

import re
import struct
from typing import ClassVar

from medwarden.dissect import dicom_dimse as dimse
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
    context_result,
    read_associate,
    rejection,
)
from medwarden.dissect.dicom_dataset import DataSetReader, Element, Encoding, decode, encoding_of, is_text
from medwarden.dissect.dicom_dimse import Command, wanted
from medwarden.dissect.dicom_uids import SOP_CLASSES, TRANSFER_SYNTAXES, service
from medwarden.dissect.dicom_use import SentImages, minute
from medwarden.dissect.dicom_words import body_part, procedure_words
from medwarden.dissect.phi import Tokeniser
from medwarden.model.segment import DissectorManifest, Transport

MAX_ASSOCIATE_BYTES = 256 * 1024
"""Longest A-ASSOCIATE PDU read: 128 contexts with a dozen transfer syntaxes each take 50 KB."""
STREAM_BYTES = 128 * 1024
"""Of each direction: the largest proposal, the head of the first image, and 700 answers to C-STORE."""
MAX_NAMED_CLASSES = 48
MAX_NAMED_SYNTAXES = 16
MAX_NAMED_REFUSALS = 16

_SHORT_PDUS = (ASSOCIATE_RJ, RELEASE_RQ, RELEASE_RP, ABORT)
_REJECTION = ("dicom.reject_result", "dicom.reject_source", "dicom.reject_reason")
_CODE = re.compile(r"[A-Z0-9][A-Z0-9_ ]{0,15}\Z")
_TELLS_THE_MAKER = frozenset({dimse.MANUFACTURER, dimse.SERIAL_NUMBER})
_RELAYABLE = (*dimse.INSTITUTION.values(), *dimse.EQUIPMENT.values(), "modality")


class _Side:
    """One direction: where it stands within a P-DATA-TF PDU and within a message."""

    __slots__ = (
        "character_set",
        "command",
        "fragment",
        "is_last",
        "modality",
        "pdu",
        "reader",
        "reads_command",
        "step_status",
    )

    def __init__(self) -> None:
        self.pdu = 0  # bytes of the current P-DATA-TF still to come
        self.fragment = 0  # bytes of the current PDV still to come
        self.is_last = False
        self.reads_command = False
        self.reader: DataSetReader | None = None
        self.command = Command()
        self.character_set = ""
        self.modality = ""
        self.step_status = ""


class Dicom(Connection):
    """Follow one DICOM association and tell titles, roles, implementations and equipment."""

    manifest: ClassVar = DissectorManifest(
        name="dicom",
        title="DICOM upper layer and DIMSE",
        transports=(Transport.TCP,),
        reference="DICOM PS3.8 section 9.3, PS3.7, PS3.5",
        ports=(104, 4242, 11112),
        starts=(b"\x01\x00\x00\x00",),
        stream_bytes=STREAM_BYTES,
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
            "dicom.async_operations",
            "dicom.extended_negotiation",
            "dicom.context_refused",
            *_REJECTION,
            "dicom.abort_reason",
            "dicom.command",
            "dicom.status",
            "dicom.query_level",
            "dicom.move_destination",
            "dicom.move_originator",
            "dicom.retrieve_ae_title",
            "dicom.scheduled_station_ae_title",
            "dicom.performed_station_ae_title",
            "dicom.performed_location",
            "dicom.storage_commitment",
            "dicom.exam_started",
            "dicom.exam_ended",
            "dicom.images_sent",
            "dicom.images_moved",
            "dicom.body_part",
            "dicom.study_description",
            "dicom.series_description",
            "dicom.operator",
            "dicom.patient_data",
            *(f"dicom.{name}" for name in _RELAYABLE),
            *(f"dicom.source_{name}" for name in _RELAYABLE),
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
        self._sent = SentImages()
        self._first_image: dict[int, str] = {}  # equipment of the first data set of this association
        self._forwards = False

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
                self._begin_fragment(header, inbox, side, from_client)
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
            self.said_all(zip(_REJECTION, rejection(body), strict=True))
        elif kind == ABORT:
            self.said("dicom.abort_reason", abort_reason(body))
        if kind in (RELEASE_RQ, RELEASE_RP, ABORT):
            self._tell_images_sent(from_client)
        return True

    def _tell_images_sent(self, from_client: bool) -> None:
        """Sum up, once an association ends, what was stored in it."""
        sent, self._sent = self._sent, SentImages()
        if statement := sent.statement():
            say = self.said if sent.sender is from_client else self.heard
            say("dicom.images_sent", statement)

    def _requested(self, request: Associate, from_client: bool) -> None:
        self._requestor = from_client
        self._request = request
        self._contexts = {context.identifier: context for context in request.contexts}
        self._first_image, self._forwards = {}, False
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
        refused: dict[str, None] = {}
        for answer in accepted.contexts:
            context = self._contexts.get(answer.identifier)
            if context is None:
                continue
            context.result = answer.result
            context.transfer_syntaxes = answer.transfer_syntaxes[:1]
            if answer.result == 0:
                sop_classes.append(context.abstract_syntax)
                syntaxes += context.transfer_syntaxes
            elif answer.result is not None:
                name = SOP_CLASSES.get(context.abstract_syntax) or context.abstract_syntax
                refused[f"{name}: {context_result(answer.result)}"] = None
        for refusal in list(refused)[:MAX_NAMED_REFUSALS]:
            self.said("dicom.context_refused", refusal)
        self._said_services(sop_classes, accepted, by_requestor=False)
        self._said_syntaxes(list(dict.fromkeys(syntaxes)))

    def _said_implementation(self, pdu: Associate) -> None:
        self.said("dicom.implementation_class_uid", pdu.implementation_class)
        self.said("dicom.implementation_version_name", pdu.implementation_version)
        if pdu.max_length is not None:
            self.said("dicom.max_pdu", "unlimited" if pdu.max_length == 0 else str(pdu.max_length))
        self.said("dicom.async_operations", pdu.async_operations)
        for sop_class in pdu.extended[:MAX_NAMED_SYNTAXES]:
            self.said("dicom.extended_negotiation", SOP_CLASSES.get(sop_class) or sop_class)

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

    def _begin_fragment(self, header: bytes, inbox: Inbox, side: _Side, from_client: bool) -> None:
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
            self._end_message(side, from_client)

    def _reader(self, side: _Side, context_id: int, is_command: bool) -> DataSetReader | None:
        """Return the reader for the message part that begins, or None when nothing of it is wanted."""
        if is_command:
            side.command = Command()
            return DataSetReader(Encoding.IMPLICIT_LITTLE, dimse.COMMAND_SET)
        side.character_set = side.modality = side.step_status = ""
        chosen = wanted(side.command)
        if chosen is None:
            return None
        context = self._contexts.get(context_id)
        syntaxes = context.transfer_syntaxes if context is not None else ()
        return DataSetReader(encoding_of(syntaxes[0] if len(syntaxes) == 1 else None), chosen)

    def _read_fragment(self, inbox: Inbox, side: _Side, from_client: bool) -> None:
        reader = side.reader
        if reader is not None and not reader.finished:
            count = min(side.fragment, len(inbox.data))
            chunk = inbox.take(count) or b""
            side.fragment -= count
            for element in reader.feed(chunk):
                if side.reads_command:
                    side.command.read(element)
                else:
                    self._data_element(element, side, from_client)
        if reader is None or reader.finished:
            inbox.discard(side.fragment)
            side.fragment = 0
        if not side.fragment and side.is_last:
            self._end_message(side, from_client)

    def _end_message(self, side: _Side, from_client: bool) -> None:
        reader, side.reader = side.reader, None
        if reader is not None:
            reader.close()
        if side.reads_command:
            self._end_command(side.command, from_client)
        elif reader is not None:
            self._end_data_set(side, reader)

    def _end_command(self, command: Command, from_client: bool) -> None:
        """Tell what a complete command set says by itself."""
        field, now = command.field, self.segment.ts_ns
        self.said("dicom.move_destination", command.destination)
        self.said("dicom.move_originator", command.move_originator)
        self.said("dicom.status", command.complaint())
        if field == dimse.STORE_RQ:
            self._sent.request(now, from_client, self._is_relayed(command, from_client))
        elif field == dimse.STORE_RSP and command.status is not None:
            self._sent.response(now, not from_client, command.succeeded)
        elif field == dimse.MOVE_RSP and command.status is not None and command.status >> 8 != 0xFF:
            failed = f" failed={command.failed}" if command.failed else ""
            moved = command.completed + command.warned
            self.said("dicom.images_moved", f"{minute(now)} images={moved}{failed}" if moved else "")
        if field & dimse.RESPONSE or field not in dimse.COMMANDS:
            return
        self.said("dicom.command", dimse.COMMANDS[field])
        if (
            field in (dimse.ACTION_RQ, dimse.EVENT_REPORT_RQ)
            and service(command.sop_class) == "storage_commitment"
        ):
            result = (
                dimse.COMMITMENT_RESULTS.get(command.event_type, "")
                if field == dimse.EVENT_REPORT_RQ
                else "requested"
            )
            self.said("dicom.storage_commitment", result)

    def _end_data_set(self, side: _Side, reader: DataSetReader) -> None:
        """Tell of a performed procedure step that it began or ended (PS3.4 annex F.7.2)."""
        field = side.command.field
        if side.step_status not in dimse.STEP_STATUSES:
            return
        when = minute(self.segment.ts_ns)
        if field == dimse.CREATE_RQ:
            self.said("dicom.exam_started", f"{when} {side.modality or 'unknown'}")
        elif field == dimse.SET_RQ and side.step_status != "IN PROGRESS":
            series, images = (
                reader.items.get(dimse.PERFORMED_SERIES, 0),
                reader.items.get(dimse.REFERENCED_IMAGES, 0),
            )
            outcome = side.step_status.lower()
            self.said("dicom.exam_ended", f"{when} {outcome} series={series} images={images}")

    def _data_element(self, element: Element, side: _Side, from_client: bool) -> None:
        """Tell what one element says about the equipment; about patients only that there was one."""
        tag, command = element.tag, side.command
        if not is_text(element.value) or element.vr not in (
            b"",
            b"UN",
            dimse.REPRESENTATIONS.get(tag, b"LO"),
        ):
            raise self.malformed(f"element {tag >> 16:04x},{tag & 0xFFFF:04x} is no text of its kind")
        value = decode(element.value, "" if tag == dimse.CHARACTER_SET else side.character_set)
        if tag == dimse.CHARACTER_SET:
            side.character_set = value
        elif tag in dimse.PATIENT:
            # Universal matching and wildcards of a query name nobody (PS3.4 section C.2.2.2).
            if value.strip("*?^= "):
                self.said("dicom.patient_data", "yes")
        elif tag == dimse.QUERY_LEVEL:
            if value in dimse.QUERY_LEVELS:
                self.said("dicom.query_level", value)
        elif command.field == dimse.FIND_RQ:
            self._worklist_key(tag, value)
        elif not element.depth:
            self._equipment(tag, value, side, from_client)

    def _worklist_key(self, tag: int, value: str) -> None:
        """A modality asks the worklist for steps of its own kind and title (PS3.4 annex K.6.1.2.2)."""
        if "*" in value or "?" in value or "\\" in value:
            return
        if tag == dimse.MODALITY and _CODE.match(value):
            self.said("dicom.modality", value)
        elif tag == dimse.SCHEDULED_STATION_AE:
            self.said("dicom.scheduled_station_ae_title", value)

    def _is_relayed(self, command: Command, from_client: bool) -> bool:
        """Tell whether an archive sends: on behalf of a C-MOVE, or as the answering side of a C-GET."""
        if command.field != dimse.STORE_RQ:
            return False
        return bool(command.move_originator) or (
            self._requestor is not None and self._requestor is not from_client
        )

    def _equipment(self, tag: int, value: str, side: _Side, from_client: bool) -> None:
        """Tell what an image or a step says of the equipment that made it."""
        command = side.command
        if tag == dimse.PERFORMED_LOCATION:
            self.said("dicom.performed_location", value)
        elif tag == dimse.RETRIEVE_AE:
            self.said("dicom.retrieve_ae_title", value)
        elif tag == dimse.PERFORMED_STATION_NAME:
            self.said("dicom.station_name", value)
        elif tag == dimse.PERFORMED_STATION_AE:
            self.said("dicom.performed_station_ae_title", value)
        elif tag == dimse.PERFORMED_STATUS:
            side.step_status = value
        elif tag == dimse.OPERATORS:
            self._operators(value)
        elif tag == dimse.BODY_PART:
            self.said("dicom.body_part", body_part(value))
        elif tag in (dimse.STUDY_DESCRIPTION, dimse.SERIES_DESCRIPTION):
            what = "study" if tag == dimse.STUDY_DESCRIPTION else "series"
            self.said(f"dicom.{what}_description", procedure_words(value))
        elif tag == dimse.MODALITY:
            if _CODE.match(value):
                side.modality = value
                if command.field == dimse.STORE_RQ:
                    self._sent.of_modality(value)
                prefix = "source_" if self._is_relayed(command, from_client) or self._forwards else ""
                self.said(f"dicom.{prefix}modality", value)
        else:
            name = dimse.EQUIPMENT.get(tag) or dimse.INSTITUTION.get(tag)
            if name is not None:
                self.said(f"dicom.{self._whose(tag, value, command, from_client)}{name}", value)

    def _whose(self, tag: int, value: str, command: Command, from_client: bool) -> str:
        """Return "source_" where an image is of other equipment than the sender, else "".

        Without a word of C-MOVE in it, an association that carries images of two makers or serial numbers
        is a forwarder's; what differs from its first image is then told of the source.
        """
        if self._is_relayed(command, from_client):
            return "source_"
        if command.field != dimse.STORE_RQ:
            return ""
        if value == self._first_image.setdefault(tag, value):
            return "source_" if self._forwards else ""
        if tag in _TELLS_THE_MAKER:
            self._forwards = True
            self.said("dicom.role", "storage_forwarder")
        return "source_"

    def _operators(self, value: str) -> None:
        if self.tokeniser is not None:
            for name in value.split("\\")[:4]:
                if name.strip("^= "):
                    self.said("dicom.operator", self.tokeniser.token("operator", name))


DISSECTOR = Dicom
