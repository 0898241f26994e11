"""Philips IntelliVue monitors: what they announce on the network and say when a client associates.

Philips IntelliVue Patient Monitor, Data Export Interface Programming Guide: connect indication (UDP 24005),
association, MDS create event and poll results (UDP 24105). The layouts were checked against two open clients
of the interface, not against a monitor. Object and attribute names follow IEEE 11073-10101. Of waves and
numerics it is told that they flow, not what they say; of patient demographics that they were polled and
whether somebody is admitted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.dissect.octets import ipv4_text, mac_text, printable
from medwarden.model.segment import DissectorManifest, Transport

MAX_ATTRIBUTES = 256

_NOMENCLATURE = b"\0\0\1\0"  # magic 0, version 1.0: opens a connect indication
_SESSION_DATA = b"\xe1\0"  # SPpdu: data of an association
_CONNECT, _ACCEPT = 0x0D, 0x0E  # session headers of association request and response
_CONNECT_ITEMS = b"\x05\x08\x13\x01\x00\x16\x01\x02"  # what follows the length in both
_LONG_LENGTH = 0xFF
_INVOKE, _RESULT, _LINKED_RESULT = 1, 2, 5  # ROapdus.ro_type
_EVENT_REPORT, _CONFIRMED_EVENT_REPORT, _CONFIRMED_ACTION = 0, 1, 7
_MDS_CREATE, _CONNECT_INDICATION = 0x0D06, 0x0D17
_POLL, _POLL_EXTENDED = 0x0C16, 0xF13B
_PATIENT_DEMOGRAPHICS = 42  # NOM_MOC_PT_DEMOG
# Classes of polled objects (NOM_MOC_*) -> what flows.
_STREAMS = {6: "numerics", 9: "waves", 33: "system", _PATIENT_DEMOGRAPHICS: "demographics", 54: "alarms"}
_MAX_OBSERVATIONS = 64

_SYSTEM_TYPE, _MODEL, _PRODUCTION_SPECIFICATION = 0x0986, 0x0928, 0x092D
_BED_LABEL, _BED_LABEL_ANNOUNCED = 0x091E, 0xF135
_NETWORK_ADDRESS, _SYSTEM_ID = 0xF100, 0x0984
_OPERATING_MODE, _APPLICATION_AREA, _PATIENT_STATE = 0x0946, 0x090D, 0x0957
_PATIENT_ALARMS, _TECHNICAL_ALARMS = 0x0902, 0x0904
_OPERATING_MODES = {
    0x4000: "monitoring",
    0x2000: "demo",
    0x1000: "service",
    0x0002: "standby",
    0x0001: "configuration",
}
_AREAS = {1: "operating room", 2: "intensive care", 3: "neonatal intensive care", 4: "cardiology"}
_PATIENT_STATES = {0: "empty", 1: "pre-admitted", 2: "admitted", 8: "discharged"}

# ProdSpecEntry: what is specified, of which component.
_WHOLE_PRODUCT, _APPLICATION_SOFTWARE = 0x0008, 0x0058
_SPECIFICATIONS = {
    (1, _WHOLE_PRODUCT): "intellivue.serial_number",
    (2, _WHOLE_PRODUCT): "intellivue.part_number",
    (3, _WHOLE_PRODUCT): "intellivue.hardware_version",
    (4, _APPLICATION_SOFTWARE): "intellivue.software_version",
    (2, _APPLICATION_SOFTWARE): "intellivue.software_part_number",
}


class IntelliVue(Connection):
    """Read announcements and associations of IntelliVue monitors, one datagram at a time."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="intellivue",
        title="Philips IntelliVue data export",
        transports=(Transport.UDP,),
        reference="Philips IntelliVue Data Export Interface Programming Guide",
        ports=(24005, 24105),
        fields=(
            "intellivue.role",
            "intellivue.manufacturer",
            "intellivue.model_name",
            "intellivue.system_type",
            "intellivue.bed_label",
            "intellivue.mac_address",
            "intellivue.ip_address",
            "intellivue.operating_mode",
            "intellivue.application_area",
            "intellivue.streams",
            "intellivue.active_alarm",
            "intellivue.patient_state",
            "intellivue.patient_data",
            *_SPECIFICATIONS.values(),
        ),
        medical=True,
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a connect indication, an association or its data by their first octets."""
        del from_client
        if payload.startswith(_NOMENCLATURE):
            return payload[4:6] == b"\0\1" and payload[10:12] == b"\0\0"
        if payload.startswith(_SESSION_DATA):
            return payload[4:5] == b"\0" and payload[5:6] in b"\1\2\3\5"
        return payload[:1] in b"\x0d\x0e" and payload[_items_at(payload) :].startswith(_CONNECT_ITEMS)

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one datagram."""
        del from_client
        if payload.startswith((_NOMENCLATURE, _SESSION_DATA)):
            self._operation(payload, 4)
        elif payload[0] == _CONNECT:
            self.said("intellivue.role", "client")
        elif payload[0] == _ACCEPT:
            self.said("intellivue.role", "monitor")
        elif payload[0] not in (0x09, 0x0A, 0x0C, 0x19):  # release, its answer, refusal, abort
            raise self.malformed("no session header", 0)

    def _operation(self, data: bytes, at: int) -> None:
        """Read the remote operation (ROapdus) at ``at``."""
        kind, length = struct.unpack_from(">HH", data, at)
        if length > len(data) - at - 4:
            raise self.malformed("a remote operation is longer than its datagram", at)
        at += 4
        if kind == _LINKED_RESULT:
            at += 2  # state and number of the linked result
        elif kind not in (_INVOKE, _RESULT):
            return
        _, command, _ = struct.unpack_from(">HHH", data, at)
        at += 6
        if kind == _INVOKE and command in (_EVENT_REPORT, _CONFIRMED_EVENT_REPORT):
            self._event(data, at)
        elif command == _CONFIRMED_ACTION:
            if kind == _INVOKE:
                self.said("intellivue.role", "client")
            else:
                self._action_result(data, at)

    def _event(self, data: bytes, at: int) -> None:
        """Read an EventReportArgument: managed object, time, type, then attributes."""
        event, _ = struct.unpack_from(">HH", data, at + 10)
        at += 14
        if event == _MDS_CREATE:
            at += 6  # the managed object created
        elif event != _CONNECT_INDICATION:
            return
        self.said("intellivue.role", "monitor")
        for attribute, value in self._attributes(data, at):
            self._attribute(attribute, value)

    def _action_result(self, data: bytes, at: int) -> None:
        """Read what was polled; of patient demographics only that there were some."""
        (action,) = struct.unpack_from(">H", data, at + 6)
        at += 10
        if action not in (_POLL, _POLL_EXTENDED):
            return
        self.said("intellivue.role", "monitor")
        at += 2 if action == _POLL else 4  # poll number; the extended form adds a sequence number
        _, polled, _, count, _ = struct.unpack_from(">HHHHH", data, at + 12)
        if not count or polled not in _STREAMS:
            return
        self.said("intellivue.streams", _STREAMS[polled])
        if polled == _PATIENT_DEMOGRAPHICS:
            self.said("intellivue.patient_data", "yes")
        if polled in (33, _PATIENT_DEMOGRAPHICS, 54):
            self._observations(data, at + 22, count)

    def _observations(self, data: bytes, at: int, contexts: int) -> None:
        """Read the SingleContextPolls of a result: each a list of objects with their attributes."""
        read = 0
        for _ in range(contexts):
            _, objects, _ = struct.unpack_from(">HHH", data, at)
            at += 6
            for _ in range(objects):
                read += 1
                if read > _MAX_OBSERVATIONS:
                    return
                (length,) = struct.unpack_from(">H", data, at + 4)
                for attribute, value in self._attributes(data, at + 2):
                    self._attribute(attribute, value)
                at += 6 + length

    def _attributes(self, data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
        count, length = struct.unpack_from(">HH", data, at)
        at += 4
        end = at + length
        if end > len(data) or count > MAX_ATTRIBUTES:
            raise self.malformed("an attribute list is longer than its datagram", at)
        for _ in range(count):
            attribute, size = struct.unpack_from(">HH", data, at)
            at += 4
            if size > end - at:
                raise self.malformed(f"attribute 0x{attribute:04x} is longer than its list", at)
            yield attribute, data[at : at + size]
            at += size

    def _attribute(self, attribute: int, value: bytes) -> None:
        if attribute == _MODEL:
            manufacturer, rest = self._label(value)
            self.said("intellivue.manufacturer", printable(manufacturer))
            self.said("intellivue.model_name", printable(self._label(rest)[0]))
        elif attribute == _SYSTEM_TYPE:
            partition, code = struct.unpack_from(">HH", value)
            self.said("intellivue.system_type", str(partition << 16 | code))
        elif attribute in (_BED_LABEL, _BED_LABEL_ANNOUNCED):
            self.said("intellivue.bed_label", _utf_16(value))
        elif attribute == _NETWORK_ADDRESS:
            self.said("intellivue.mac_address", mac_text(value[:6]) or "")
            self.said("intellivue.ip_address", ipv4_text(value[6:10]) or "")
        elif attribute == _SYSTEM_ID:
            self.said("intellivue.mac_address", mac_text(self._label(value)[0]) or "")
        elif attribute == _PRODUCTION_SPECIFICATION:
            self._specification(value)
        else:
            self._use(attribute, value)

    def _use(self, attribute: int, value: bytes) -> None:
        """Tell attributes that say how the monitor is used."""
        if attribute in (_PATIENT_ALARMS, _TECHNICAL_ALARMS):
            if struct.unpack_from(">H", value)[0]:
                kind = "patient" if attribute == _PATIENT_ALARMS else "technical"
                self.said("intellivue.active_alarm", kind)
        elif attribute == _OPERATING_MODE:
            (bits,) = struct.unpack_from(">H", value)
            for bit, mode in _OPERATING_MODES.items():
                if bits & bit:
                    self.said("intellivue.operating_mode", mode)
        elif attribute == _APPLICATION_AREA:
            (area,) = struct.unpack_from(">H", value)
            self.said("intellivue.application_area", _AREAS.get(area, ""))
        elif attribute == _PATIENT_STATE:
            (state,) = struct.unpack_from(">H", value)
            self.said("intellivue.patient_state", _PATIENT_STATES.get(state, ""))

    def _specification(self, value: bytes) -> None:
        """Read ProdSpecEntry items: type, component, text."""
        count, length = struct.unpack_from(">HH", value)
        # Monitors send what was in the buffer behind the entries: count and length say where they end.
        rest = value[4 : 4 + length]
        for _ in range(min(count, 64)):
            if len(rest) < 6:
                return
            kind, component = struct.unpack_from(">HH", rest)
            text, rest = self._label(rest[4:])
            field = _SPECIFICATIONS.get((kind, component))
            if field is not None:
                self.said(field, printable(text.partition(b"\0")[0]).strip("-"))

    def _label(self, value: bytes) -> tuple[bytes, bytes]:
        """Return a VariableLabel and what follows it."""
        (length,) = struct.unpack_from(">H", value)
        if length > len(value) - 2:
            raise self.malformed("a label is longer than its attribute")
        return value[2 : 2 + length], value[2 + length :]


def _items_at(payload: bytes) -> int:
    """Return where the items of a session header begin: its length takes one octet, or three after 0xFF."""
    return 4 if payload[1:2] == bytes((_LONG_LENGTH,)) else 2


def _utf_16(value: bytes) -> str:
    """Return a text attribute, which some releases write with its length and some without."""
    if len(value) >= 2 and struct.unpack_from(">H", value)[0] == len(value) - 2:
        value = value[2:]
    return value[: len(value) & ~1].decode("utf-16-be", "replace").partition("\0")[0]


DISSECTOR = IntelliVue
