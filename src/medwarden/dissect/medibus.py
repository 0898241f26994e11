"""Draeger ventilators, anaesthesia machines and incubators by MEDIBUS, behind a serial-device server.

Draeger RS 232 MEDIBUS Protocol Definition, revision 6.00 (structure of commands and responses, command
codes, real-time extension), which MEDIBUS.X keeps: a command is ESC, code, arguments, checksum, CR; its
response begins with SOH and repeats the code; the checksum is the sum of all octets before it, in two
hexadecimal digits. Octets from 80H on are real-time data and stand anywhere, DC1 and DC3 stop and resume.
There is no port of its own: serial-device servers carry it on ports of theirs. Identification (52H) answers
a number, the name between apostrophes, and two revisions. Texts, which may name somebody, are not read.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

MAX_FRAME_BYTES = 8192
MAX_REJECTED = 8

_SOH, _CR, _NAK, _CAN, _ESC = 0x01, 0x0D, 0x15, 0x18, 0x1B
_ICC, _IDENTIFY, _STOP, _NOP = 0x51, 0x52, 0x55, 0x30
_MEASURED = (0x24, 0x2B)
_ALARMS = (0x23, 0x27, 0x2E)
_ALARM_OCTETS = 15  # priority, code, phrase
_REQUESTS = frozenset((*range(0x23, 0x2F), 0x53, 0x6C, 0x6D))
_CODES = _REQUESTS | {_ICC, _IDENTIFY, _STOP, _NOP, 0x49, 0x4A, 0x54, 0x56}
_ASIDE = bytes(range(0x80, 0x100)) + b"\x11\x13"
_FRAME = re.compile(rb"[\x01\x1b]([\x21-\x7e])([^\x01\x1b\r]{0,512}?)([0-9A-F]{2})\r")
_IDENTITY = re.compile(
    rb"\A\s*([0-9A-F]{4})?\s*'([^']{1,64})'\s*(?:(\d{1,2}\.\d{1,3})\s*(?::\s*(\d{1,2}\.\d{1,3}))?)?"
)


class Medibus(Connection):
    """Follow one connection to a device that speaks MEDIBUS.

    ``medibus.role`` is ``device`` of who answers data requests and ``host`` of who makes them.
    """

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="medibus",
        title="Draeger MEDIBUS",
        transports=(Transport.TCP,),
        reference="Draeger RS 232 MEDIBUS Protocol Definition, revision 6.00",
        starts=tuple(
            bytes((lead, code)) + b"%02X\r" % (lead + code)
            for lead in (_ESC, _SOH)
            for code in (_ICC, _NOP, _IDENTIFY)
            if lead == _ESC or code != _IDENTIFY
        ),
        stream_bytes=32 * 1024,
        fields=(
            "medibus.role",
            "medibus.device_id",
            "medibus.device_name",
            "medibus.software_version",
            "medibus.protocol_version",
            "medibus.streams",
            "medibus.active_alarm",
        ),
        medical=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self._rejected = 0

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a first command or response by its code and its checksum."""
        del from_client
        found = _FRAME.match(payload)
        if found is None or found[1][0] not in _CODES:
            return False
        return b"%02X" % (sum(payload[: found.end(2)]) & 0xFF) == found[3]

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read complete commands and responses."""
        del from_client
        while inbox.data:
            first = inbox.data[0]
            if first in (_ESC, _SOH):
                end = inbox.data.find(b"\r", 0, MAX_FRAME_BYTES)
                if end < 0:
                    if len(inbox.data) >= MAX_FRAME_BYTES:
                        raise inbox.malformed(f"a frame longer than {MAX_FRAME_BYTES} bytes")
                    return
                self._frame(inbox.take(end + 1) or b"", inbox)
            elif first >= 0x80:
                self.said("medibus.streams", "real-time")
                self.said("medibus.role", "device")
                inbox.take(len(inbox.data) - len(inbox.data.lstrip(_ASIDE)))
            elif first in (0x11, 0x13, _NAK, _CAN, _CR):
                inbox.take(1)
            else:
                raise inbox.malformed(f"0x{first:02x} between frames")

    def _frame(self, frame: bytes, inbox: Inbox) -> None:
        """Read one frame; what an ESC or SOH within it begins anew is the frame."""
        if any(octet >= 0x80 for octet in frame):
            self.said("medibus.streams", "real-time")
            self.said("medibus.role", "device")
        frame = frame.translate(None, _ASIDE)
        start = max(frame.rfind(b"\x1b"), frame.rfind(b"\x01"), 0)
        lead, body, checksum = frame[start], frame[start + 1 : -3], frame[-3:-1]
        if not body or checksum != b"%02X" % ((lead + sum(body)) & 0xFF):
            self._rejected += 1
            if self._rejected >= MAX_REJECTED:
                raise inbox.malformed("the checksums of frames are wrong")
            return
        self._rejected = 0
        code, content = body[0], body[1:]
        if lead == _ESC:
            if code in _REQUESTS:
                self.said("medibus.role", "host")
        elif code == _IDENTIFY:
            self._identity(content)
        elif code in _REQUESTS:
            self.said("medibus.role", "device")
            if code in _MEASURED and content:
                self.said("medibus.streams", "measurements")
            elif code in _ALARMS and len(content) >= _ALARM_OCTETS:
                self.said("medibus.active_alarm", "yes")

    def _identity(self, content: bytes) -> None:
        found = _IDENTITY.match(content)
        if found is None:
            return
        number, name, software, protocol = (printable(group or b"") for group in found.groups())
        self.said("medibus.device_id", number)
        self.said("medibus.device_name", name)
        self.said("medibus.software_version", software)
        self.said("medibus.protocol_version", protocol)


DISSECTOR = Medibus
