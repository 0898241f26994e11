"""Philips IntelliVue monitors: what they announce on the network and say when a client associates.

The data export interface: connect indication (UDP 24005) and the protocol commands, association and MDS
create event (UDP 24105). The maker's programming guide was not at hand: the field layout is that of public
descriptions of the protocol and was not checked against a monitor. Object and attribute names follow IEEE
11073-10101. Waves and numerics are not read; that patient demographics were polled is told, what they say
is not.
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
_INVOKE, _RESULT, _LINKED_RESULT = 1, 2, 5  # ROapdus.ro_type
_EVENT_REPORT, _CONFIRMED_EVENT_REPORT, _CONFIRMED_ACTION = 0, 1, 7
_MDS_CREATE, _CONNECT_INDICATION = 0x0D06, 0x0D17
_POLL, _POLL_EXTENDED = 0x0C16, 0xF13B
_PATIENT_DEMOGRAPHICS = 42  # NOM_MOC_PT_DEMOG

_SYSTEM_TYPE, _MODEL, _PRODUCTION_SPECIFICATION = 0x0986, 0x0928, 0x092D
_BED_LABEL, _BED_LABEL_ANNOUNCED = 0x091E, 0xF135
_NETWORK_ADDRESS, _SYSTEM_ID = 0xF100, 0x0984

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
        reference="Philips IntelliVue data export interface, as publicly described",
        ports=(24005, 24105),
        fields=(
            "intellivue.role",
            "intellivue.manufacturer",
            "intellivue.model_name",
            "intellivue.system_type",
            "intellivue.bed_label",
            "intellivue.mac_address",
            "intellivue.ip_address",
            "intellivue.patient_data",
            *_SPECIFICATIONS.values(),
        ),
        medical=True,
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a connect indication, an association or its data by their first octets."""
        del from_client
        return payload.startswith((_NOMENCLATURE, _SESSION_DATA)) or (
            payload[:1] in (b"\x0d", b"\x0e") and b"\x01\x02\x01" in payload[:64]
        )

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
        _, polled, _, count = struct.unpack_from(">HHHH", data, at + 12)
        if polled == _PATIENT_DEMOGRAPHICS and count:
            self.said("intellivue.patient_data", "yes")

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


def _utf_16(value: bytes) -> str:
    """Return a text attribute, which some releases write with its length and some without."""
    if len(value) >= 2 and struct.unpack_from(">H", value)[0] == len(value) - 2:
        value = value[2:]
    return value[: len(value) & ~1].decode("utf-16-be", "replace").partition("\0")[0]


DISSECTOR = IntelliVue
