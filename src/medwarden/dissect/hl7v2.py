"""HL7 version 2 messages over MLLP: which applications talk, of what, and which equipment they name.

HL7 v2.5.1 to v2.9: chapter 2 (separators, escapes, MSH, MSA, SFT, batches), 3 (EVN, PV1), 4 (ORC, RXA), 7
(OBR, OBX, PRT), 13 (EQU); ISO/IEEE 11073-10101 terms as IHE PCD sends them. Of patients only that there was
one is told: PID and its neighbours never leave this module, and of a patient's location only the unit.

Who sends is not always who is spoken of: a gateway reports for many monitors and pumps. A piece of
equipment in OBX-18 or PRT-10 is the sender itself (``hl7.equipment``, ``hl7.device``) only where the message
says so, by the EUI-64 or the name of MSH-3. All others are told as ``hl7.source_*``: equipment that the
sender speaks for; who speaks for two, or for one that is certainly not itself, has the role ``gateway``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.hl7_equipment import Equipment, EquipmentOfMessage
from medwarden.dissect.hl7_message import (
    Message,
    at,
    codec_of,
    entity,
    eui64,
    is_character_set,
    read_separators,
)
from medwarden.dissect.mllp import HEADERS, MllpReader
from medwarden.dissect.phi import Tokeniser
from medwarden.model.segment import DissectorManifest, Transport

MAX_PENDING = 64
"""Messages whose acknowledgement is waited for, to tell how long it takes."""

# Segments about people: patient, next of kin, guarantor, insured, merged identifiers.
_ABOUT_PATIENTS = ("PID", "NK1", "GT1", "IN1", "IN2", "MRG")
# Messages sent by those who measure: there PV1 says where the equipment stands.
_OBSERVATIONS = frozenset({"ORU", "OUL", "ORA"})
_MESSAGE_TYPE = re.compile(r"[A-Z][A-Z0-9]{2}(\^[A-Z][A-Z0-9]{2})?\Z")
_VERSION = re.compile(r"2(\.\d{1,2}){0,2}\Z")
_PROFILE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{2,40}\Z")
_ORDER_CONTROL = re.compile(r"[A-Z][A-Z0-9]\Z")
_ACK_CODES = frozenset({"AA", "AE", "AR", "CA", "CE", "CR"})
_ACK_CONDITIONS = frozenset({"AL", "NE", "ER", "SU"})
_BATCHES = {"FHS": "file", "BHS": "batch"}
_COUNTED = {"OBR": "hl7.orders", "OBX": "hl7.observations", "RXA": "hl7.administrations"}
# IHE DEV TF-2: triggers -> transaction (DEC, ACM, PIV, IPEC).
_TRANSACTIONS = {
    "ORU^R40": "PCD-04 report alert",
    "ORA^R41": "PCD-05 report alert status",
    "RGV^O15": "PCD-03 communicate infusion order",
    "ORU^R42": "PCD-10 communicate infusion event",
}
_DEVICE_DATA = "PCD-01 communicate device data"
_STEPS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000)
_STEPS_COUNT = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
_SOURCE_FIELDS = (
    *("id", "model", "uid", "kind", "serial", "udi", "type", "location", "battery_percent"),
    "power",
)


class _Side:
    """One direction: its framing, the message being read, and what is awaited from the other side."""

    __slots__ = ("about", "application", "awaited", "code", "counts", "message", "place", "reader", "uid")

    def __init__(self, inbox: Inbox) -> None:
        self.reader = MllpReader(inbox)
        self.message: Message | None = None
        self.awaited: dict[bytes, int] = {}  # control identifier (MSH-10) -> when it was sent
        self.begin()

    def begin(self) -> None:
        """Forget the message before."""
        self.about = EquipmentOfMessage()
        self.counts: dict[str, int] = {}
        self.code = self.application = self.uid = ""
        self.place: list[str] = []


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
            "hl7.transaction",
            "hl7.version",
            "hl7.processing_id",
            "hl7.accept_acknowledgement",
            "hl7.application_acknowledgement",
            "hl7.character_set",
            "hl7.profile",
            "hl7.sequence_numbers",
            "hl7.batch",
            "hl7.framing",
            "hl7.ack_code",
            "hl7.ack_latency_ms",
            "hl7.event_facility",
            "hl7.operator",
            "hl7.order_control",
            *_COUNTED.values(),
            "hl7.event",
            "hl7.location",
            "hl7.role",
            "hl7.equipment",
            "hl7.equipment_namespace",
            "hl7.equipment_uid",
            "hl7.equipment_serial",
            "hl7.equipment_udi",
            "hl7.equipment_type",
            "hl7.battery_percent",
            "hl7.power",
            "hl7.device",
            *(f"hl7.source_{name}" for name in _SOURCE_FIELDS),
            "hl7.software_vendor",
            "hl7.software_version",
            "hl7.software_product",
            "hl7.patient_data",
        ),
        medical=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self.tokeniser: Tokeniser | None = None
        self._sides = {True: _Side(self.client), False: _Side(self.server)}
        self._spoken_for: dict[bool, set[str]] = {True: set(), False: set()}

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
            if not segment or segment.startswith(HEADERS):
                self._end_message(side, from_client)
                if segment:
                    self._header(segment, side, inbox)
            elif side.message is not None:
                name = segment[:3].decode("latin-1")
                if name in _COUNTED:
                    side.counts[name] = side.counts.get(name, 0) + 1
                handler = _HANDLERS.get(name)
                if handler is not None:
                    handler(self, side.message.fields(segment), side, side.message, from_client)

    def _header(self, segment: bytes, side: _Side, inbox: Inbox) -> None:
        """Read MSH, FHS or BHS: who sends what to whom."""
        side.begin()
        message = side.message = read_separators(segment, inbox)
        # MSH-1 is the separator itself: after the cut, MSH-n stands at n - 1.
        fields = message.fields(segment)
        name = fields[0].decode("latin-1")
        self.said("hl7.framing", "none" if side.reader.bare else "")
        if name == "MSH":
            character_set = message.first(at(fields, 17))
            message.codec = codec_of(character_set)
            if is_character_set(character_set):
                self.said("hl7.character_set", character_set)
        else:
            self.said("hl7.batch", _BATCHES.get(name, ""))
        self._parties(fields, side, message)
        if name != "MSH":
            return
        kind = "^".join(message.components(at(fields, 8))[:2]).rstrip("^")
        side.code = kind
        if _MESSAGE_TYPE.match(kind):
            self.said("hl7.message_type", kind)
            self.said("hl7.transaction", _TRANSACTIONS.get(kind, ""))
        control = at(fields, 9)[:64]
        if control and not kind.startswith("ACK") and len(side.awaited) < MAX_PENDING:
            side.awaited[control] = self.segment.ts_ns
        processing = message.first(at(fields, 10))
        if len(processing) == 1:
            self.said("hl7.processing_id", processing)
        version = message.first(at(fields, 11))
        if _VERSION.match(version):
            self.said("hl7.version", version)
        if at(fields, 12):
            self.said("hl7.sequence_numbers", "yes")
        for place, field in ((14, "hl7.accept_acknowledgement"), (15, "hl7.application_acknowledgement")):
            condition = message.first(at(fields, place))
            if condition in _ACK_CONDITIONS:
                self.said(field, condition)
        profile = message.first(at(fields, 20))
        if _PROFILE.match(profile):
            self.said("hl7.profile", profile)

    def _parties(self, fields: list[bytes], side: _Side, message: Message) -> None:
        """Read fields 3 to 6 of a header."""
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
            say(field, message.designator(at(fields, index)))
        sender = [*message.components(at(fields, 2)), ""]
        side.application, side.uid = sender[0], eui64(sender[1])

    def _end_message(self, side: _Side, from_client: bool) -> None:
        """Tell what only the whole message says: how much is in it, and of which equipment."""
        if side.message is None:
            return
        for name, field in _COUNTED.items():
            if count := side.counts.get(name, 0):
                self.said(field, _step(count, _STEPS_COUNT))
        about = side.about
        if about.terms and side.code in ("ORU^R01", "ORU"):
            self.said("hl7.transaction", _DEVICE_DATA)
        for event in about.events:
            self.said("hl7.event", event)
        named = [equipment for equipment in about.all if equipment.named]
        for equipment in about.all:
            if about.implant:
                self.said("hl7.source_model", equipment.namespace)
            elif self._is_sender(equipment, side):
                self._own(equipment)
            else:
                alone = len(about.all) == 1 or named == [equipment]
                self._source(equipment, side.place if alone else [], side, from_client)
        side.begin()
        side.message = None

    def _is_sender(self, equipment: Equipment, side: _Side) -> bool:
        if equipment.uid and side.uid:
            return equipment.uid == side.uid
        name = equipment.identifier.casefold()
        return bool(name) and name == side.application.casefold()

    def _own(self, equipment: Equipment) -> None:
        for field, value in (
            ("equipment", equipment.identifier),
            ("equipment_namespace", equipment.namespace),
            ("equipment_uid", equipment.uid),
            ("equipment_serial", equipment.serial),
            ("equipment_udi", equipment.udi),
            ("equipment_type", equipment.type),
            ("battery_percent", equipment.battery),
            ("power", equipment.power),
        ):
            self.said(f"hl7.{field}", value)
        for kind in equipment.kinds:
            self.said("hl7.device", kind)

    def _source(self, equipment: Equipment, place: list[str], side: _Side, from_client: bool) -> None:
        """Tell of equipment that the sender speaks for; state is told with the name, being its own."""
        name = equipment.identifier or equipment.uid
        place = equipment.place or place
        of_one = f"{name} " if name else ""
        for field, value in (
            ("id", equipment.identifier),
            ("model", equipment.namespace),
            ("uid", equipment.uid),
            ("serial", equipment.serial),
            ("udi", equipment.udi),
            ("type", equipment.type),
            ("location", f"{of_one}at {'/'.join(part or '-' for part in place)}" if name and place else ""),
            ("battery_percent", f"{of_one}{equipment.battery}" if equipment.battery else ""),
            ("power", f"{of_one}{equipment.power}" if equipment.power else ""),
        ):
            self.said(f"hl7.source_{field}", value)
        for kind in equipment.kinds:
            self.said("hl7.source_kind", kind)
        spoken_for = self._spoken_for[from_client]
        if name and len(spoken_for) < 2:
            spoken_for.add(name)
        if len(spoken_for) > 1 or (side.uid and equipment.uid):
            self.said("hl7.role", "gateway")

    def _acknowledgement(self, fields: list[bytes], side: _Side, message: Message, from_client: bool) -> None:
        """MSA-1 and, by MSA-2, how long the answer took."""
        del side
        code = message.first(at(fields, 1))
        if code not in _ACK_CODES:
            return
        self.said("hl7.ack_code", code)
        sent = self._sides[not from_client].awaited.pop(at(fields, 2)[:64], None)
        if sent is not None and self.segment.ts_ns >= sent:
            self.said("hl7.ack_latency_ms", _step((self.segment.ts_ns - sent) // 1_000_000, _STEPS_MS))

    def _software(self, fields: list[bytes], side: _Side, message: Message, from_client: bool) -> None:
        """SFT: the software that wrote the message (chapter 2.14.12)."""
        del side, from_client
        self.said("hl7.software_vendor", message.first(at(fields, 1)))
        self.said("hl7.software_version", message.first(at(fields, 2)))
        self.said("hl7.software_product", message.first(at(fields, 3)))

    def _event(self, fields: list[bytes], side: _Side, message: Message, from_client: bool) -> None:
        """EVN-5, who entered it, as a token; EVN-7, where."""
        del side, from_client
        operator = message.first(at(fields, 5))
        if operator and self.tokeniser is not None:
            self.said("hl7.operator", self.tokeniser.token("operator", operator))
        place = message.place(at(fields, 7))
        self.said("hl7.event_facility", place[0] if place else "")

    def _visit(self, fields: list[bytes], side: _Side, message: Message, from_client: bool) -> None:
        """PV1-3: the unit alone of the sender, and only from those who measure.

        Room and bed are kept until the end of the message: they are where its equipment stands.
        """
        del from_client
        if side.code.partition("^")[0] not in _OBSERVATIONS:
            return
        side.place = message.place(at(fields, 3))
        if side.place:
            self.said("hl7.location", side.place[0])

    def _order(self, fields: list[bytes], side: _Side, message: Message, from_client: bool) -> None:
        del side, from_client
        control = message.first(at(fields, 1))
        if _ORDER_CONTROL.match(control):
            self.said("hl7.order_control", control)

    def _observation(self, fields: list[bytes], side: _Side, message: Message, from_client: bool) -> None:
        del from_client
        side.about.observation(fields, message)

    def _participation(self, fields: list[bytes], side: _Side, message: Message, from_client: bool) -> None:
        del from_client
        side.about.participation(fields, message)

    def _automation(self, fields: list[bytes], side: _Side, message: Message, from_client: bool) -> None:
        """EQU-1: the laboratory equipment that speaks (chapter 13.4.1)."""
        del side, from_client
        for repetition in message.repetitions(at(fields, 1)):
            name = entity(repetition, message)
            self.said("hl7.equipment", name.identifier)
            self.said("hl7.equipment_namespace", name.namespace)
            self.said("hl7.equipment_uid", name.uid)

    def _patient(self, fields: list[bytes], side: _Side, message: Message, from_client: bool) -> None:
        del side, message, from_client
        if any(field.strip(b'"') for field in fields[2:]):
            self.said("hl7.patient_data", "yes")


_HANDLERS: dict[str, Callable[[Hl7v2, list[bytes], _Side, Message, bool], None]] = {
    "MSA": Hl7v2._acknowledgement,
    "SFT": Hl7v2._software,
    "EVN": Hl7v2._event,
    "PV1": Hl7v2._visit,
    "ORC": Hl7v2._order,
    "OBX": Hl7v2._observation,
    "PRT": Hl7v2._participation,
    "EQU": Hl7v2._automation,
    **dict.fromkeys(_ABOUT_PATIENTS, Hl7v2._patient),
}


def _step(number: int, steps: tuple[int, ...]) -> str:
    """Return the first step that ``number`` does not exceed: few values serve better than exact ones."""
    return next((f"<={step}" for step in steps if number <= step), f">{steps[-1]}")


DISSECTOR = Hl7v2
