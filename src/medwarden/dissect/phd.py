"""Personal health devices by ISO/IEEE 11073-20601: what an agent says of itself to its manager.

ISO/IEEE 11073-20601:2014, clause 8 (association, configuration, operating) and annex A (types), in the
medical device encoding rules of annex F: big-endian, every list with its count and its octets. The APDUs
travel over USB and Bluetooth and, bridged or simulated, one after another on a TCP connection; 6024 is the
port that open implementations use, none is assigned. Which device it is stands in the specialisation
(11073-104zz), whose number the standard configurations carry too. Measurements are told to flow, never what
they say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.mdc import specialisation
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

MAX_ATTRIBUTES = 128

_AARQ, _AARE, _RLRQ, _RLRE, _ABRT, _PRST = 0xE200, 0xE300, 0xE400, 0xE500, 0xE600, 0xE700
_CHOICES = frozenset((_AARQ, _AARE, _RLRQ, _RLRE, _ABRT, _PRST))
_DATA_PROTOCOL = 20601
_ASSOCIATION_VERSION = b"\x80\0\0\0"
_RESULTS = {
    0: "accepted",
    1: "rejected permanently",
    2: "rejected transiently",
    3: "accepted unknown configuration",
    4: "rejected no common protocol",
    5: "rejected no common parameter",
    6: "rejected unknown",
    7: "rejected unauthorised",
    8: "rejected unsupported version",
}
_EVENT_REPORTS = (0x0100, 0x0101)
_GET_RESPONSE = 0x0203
_SCAN_REPORTS = range(0x0D1D, 0x0D21)  # fixed, variable, and either for several persons
_SYSTEM_ID, _MODEL, _PRODUCTION_SPECIFICATION = 0x0984, 0x0928, 0x092D
_TYPE, _TYPE_LIST, _POWER, _BATTERY = 0x0986, 0x0A5A, 0x0955, 0x099C
_SPECIFICATIONS = {
    1: "phd.serial_number",
    2: "phd.part_number",
    3: "phd.hardware_version",
    4: "phd.software_version",
    5: "phd.firmware_version",
}


class Phd(Connection):
    """Follow one connection of an agent (device) to a manager (gateway, tablet)."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="phd",
        title="IEEE 11073-20601 personal health device",
        transports=(Transport.TCP,),
        reference="ISO/IEEE 11073-20601:2014, clause 8 and annexes A and F",
        ports=(6024,),
        starts=(b"\xe2\0", b"\xe3\0"),
        stream_bytes=32 * 1024,
        fields=(
            "phd.role",
            "phd.system_id",
            "phd.specialisation",
            "phd.manufacturer",
            "phd.model_number",
            *_SPECIFICATIONS.values(),
            "phd.association",
            "phd.streams",
            "phd.power",
            "phd.battery_percent",
        ),
        medical=True,
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell an association request or its answer by version and data protocol."""
        del from_client
        if payload[:2] == b"\xe2\0":
            return payload[4:8] == _ASSOCIATION_VERSION and payload[12:14] in (b"\x50\x79", b"\xff\xff")
        return payload[:2] == b"\xe3\0" and payload[4:5] == b"\0" and payload[6:8] == b"\x50\x79"

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read complete APDUs."""
        del from_client
        while len(inbox.data) >= 4:
            choice, length = struct.unpack_from(">HH", inbox.data)
            if choice not in _CHOICES:
                raise inbox.malformed(f"0x{choice:04x} is no APDU")
            apdu = inbox.take(4 + length)
            if apdu is None:
                return
            self._apdu(choice, apdu[4:])

    def _apdu(self, choice: int, body: bytes) -> None:
        if choice == _AARQ:
            self._request(body)
        elif choice == _AARE:
            result, protocol, length = struct.unpack_from(">HHH", body)
            self.said("phd.association", _RESULTS.get(result, ""))
            if protocol == _DATA_PROTOCOL and length >= 24:
                self._information(body[6 : 6 + length], "manager")
        elif choice == _PRST:
            self._presentation(body)

    def _request(self, body: bytes) -> None:
        """Read the data protocols that an agent proposes; those of 20601 carry who it is."""
        count, _ = struct.unpack_from(">HH", body, 4)
        at = 8
        for _ in range(min(count, 8)):
            protocol, length = struct.unpack_from(">HH", body, at)
            at += 4
            if length > len(body) - at:
                raise self.malformed("a data protocol is longer than its association request")
            if protocol == _DATA_PROTOCOL:
                self._information(body[at : at + length], "agent")
            at += length

    def _information(self, info: bytes, role: str) -> None:
        """Read PhdAssociationInformation: versions, system type, system id, configuration."""
        self.said("phd.role", role)
        system_id, rest = self._octets(info[18:])
        if len(system_id) == 8 and any(system_id):
            self.said("phd.system_id", system_id.hex())
        (configuration,) = struct.unpack_from(">H", rest)
        if role == "agent" and 400 <= configuration < 0x4000:
            self._standard(configuration)

    def _standard(self, configuration: int) -> None:
        """Tell the specialisation of a standard configuration: a hundred of them for each 11073-104zz."""
        name = specialisation(4096 + configuration // 100)
        if not name.isdigit():
            self.said("phd.specialisation", name)

    def _presentation(self, body: bytes) -> None:
        """Read a data APDU: event reports and what a get of the MDS object returns."""
        data, _ = self._octets(body)
        _, choice, length = struct.unpack_from(">HHH", data)
        if length > len(data) - 6:
            raise self.malformed("an operation is longer than its APDU")
        argument = data[6 : 6 + length]
        if choice in _EVENT_REPORTS:
            (event,) = struct.unpack_from(">H", argument, 6)
            if event in _SCAN_REPORTS:
                self.said("phd.role", "agent")
                self.said("phd.streams", "measurements")
        elif choice == _GET_RESPONSE and argument[:2] == b"\0\0":
            self.said("phd.role", "agent")
            for attribute, value in self._attributes(argument, 2):
                self._attribute(attribute, value)

    def _attributes(self, data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
        count, length = struct.unpack_from(">HH", data, at)
        at += 4
        if length > len(data) - at or count > MAX_ATTRIBUTES:
            raise self.malformed("an attribute list is longer than its operation")
        end = at + length
        for _ in range(count):
            attribute, size = struct.unpack_from(">HH", data, at)
            at += 4
            if size > end - at:
                raise self.malformed(f"attribute 0x{attribute:04x} is longer than its list")
            yield attribute, data[at : at + size]
            at += size

    def _attribute(self, attribute: int, value: bytes) -> None:
        if attribute == _MODEL:
            manufacturer, rest = self._octets(value)
            self.said("phd.manufacturer", printable(manufacturer))
            self.said("phd.model_number", printable(self._octets(rest)[0]))
        elif attribute == _SYSTEM_ID:
            self.said("phd.system_id", self._octets(value)[0][:8].hex())
        elif attribute == _PRODUCTION_SPECIFICATION:
            self._specification(value)
        elif attribute == _TYPE_LIST:
            count, _ = struct.unpack_from(">HH", value)
            for number in range(min(count, 16)):
                (code,) = struct.unpack_from(">H", value, 4 + 4 * number)
                self.said("phd.specialisation", specialisation(code))
        elif attribute == _TYPE:
            _, code = struct.unpack_from(">HH", value)
            self.said("phd.specialisation", specialisation(code))
        elif attribute == _POWER:
            (bits,) = struct.unpack_from(">H", value)
            if bits & 0xC000:
                self.said_state("phd.power", "mains" if bits & 0x8000 else "battery")
        elif attribute == _BATTERY:
            (percent,) = struct.unpack_from(">H", value)
            if percent <= 100:
                self.said_state("phd.battery_percent", str(round(percent / 10) * 10))

    def _specification(self, value: bytes) -> None:
        count, length = struct.unpack_from(">HH", value)
        rest = value[4 : 4 + length]
        for _ in range(min(count, 32)):
            if len(rest) < 6:
                return
            (kind,) = struct.unpack_from(">H", rest)
            text, rest = self._octets(rest[4:])
            if kind in _SPECIFICATIONS:
                self.said(_SPECIFICATIONS[kind], printable(text))

    def _octets(self, value: bytes) -> tuple[bytes, bytes]:
        """Return an OCTET STRING and what follows it."""
        (length,) = struct.unpack_from(">H", value)
        if length > len(value) - 2:
            raise self.malformed("an octet string is longer than what holds it")
        return value[2 : 2 + length], value[2 + length :]


DISSECTOR = Phd
