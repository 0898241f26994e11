"""Terumo TERUFUSION infusion and syringe pumps: which pump answers, whether it runs, how full its battery is.

Operation manuals of TERUFUSION TE-SS730, TE-SS830P and TE-LF630, "About external communication functions":
STX, an XML packet (REQ or REP with DEVID and CMD), its CRC-16 (polynomial 1021H from zero) in four
hexadecimal digits, ETX. CMD is Base64 of sequence, command, subcommand, in replies the execution result,
and data. The basic operating status (command 01H) holds software version, state, alarms and power in its
first nine octets; the rest, which is dosage and weight, is not read. The manuals name no port:
serial-device servers and racks carry it.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

MAX_PACKET = 4096
MAX_REJECTED = 8

_STX, _ETX = 0x02, 0x03
_PACKET = re.compile(
    rb"\x02(<\?xml[^>]{0,64}\?>\s*<(RE[QP])>\s*<DEVID>([0-9A-Za-z]{0,64})</DEVID>\s*"
    rb"(?:<CMD>([A-Za-z0-9+/=\s]{0,1024})</CMD>\s*)?</\2>\s*)([0-9A-Fa-f]{4})\x03"
)
_ROOT = re.compile(rb"\?>\s*<RE[QP]>\s*<DEVID>")
_BASIC_STATUS = (0x01, 0x0000)
_STATUS = struct.Struct(">BBHBHBHBBBB")  # sequence to power
_STATES = {0: "stopped", 1: "running", 2: "standby", 3: "purging", 4: "bolus", 5: "bolus"}
_POWERS = {0: "battery", 1: "mains"}
_BARS = 5


class Terufusion(Connection):
    """Follow one connection to a pump or to the rack that it stands in."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="terufusion",
        title="Terumo TERUFUSION pumps",
        transports=(Transport.TCP,),
        reference="Terumo TERUFUSION TE-SS830P operation manual, external communication functions",
        starts=(b"\x02<?xml",),
        stream_bytes=32 * 1024,
        fields=(
            "terufusion.role",
            "terufusion.device_id",
            "terufusion.software_version",
            "terufusion.pump_state",
            "terufusion.active_alarm",
            "terufusion.power",
            "terufusion.battery_percent",
        ),
        medical=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self._rejected = 0

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a packet by its elements."""
        del from_client
        return payload.startswith(b"\x02<?xml") and _ROOT.search(payload[:96]) is not None

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read complete packets."""
        del from_client
        while inbox.data:
            if inbox.data[0] in b"\r\n":
                inbox.take(1)
                continue
            if inbox.data[0] != _STX:
                raise inbox.malformed(f"0x{inbox.data[0]:02x} between packets")
            end = inbox.data.find(b"\x03", 0, MAX_PACKET)
            if end < 0:
                if len(inbox.data) >= MAX_PACKET:
                    raise inbox.malformed(f"a packet longer than {MAX_PACKET} bytes")
                return
            self._packet(inbox.take(end + 1) or b"", inbox)

    def _packet(self, raw: bytes, inbox: Inbox) -> None:
        found = _PACKET.fullmatch(raw)
        if found is None or int(found[5], 16) != binascii.crc_hqx(found[1], 0):
            self._rejected += 1
            if self._rejected >= MAX_REJECTED:
                raise inbox.malformed("packets with wrong form or checksum")
            return
        self._rejected = 0
        if found[2] == b"REQ":
            self.said("terufusion.role", "host")
            return
        self.said("terufusion.role", "pump")
        self.said("terufusion.device_id", printable(found[3]))
        if found[4]:
            self._command(found[4], inbox)

    def _command(self, encoded: bytes, inbox: Inbox) -> None:
        """Read the reply to a request of the basic operating status, where it succeeded."""
        try:
            data = base64.b64decode(b"".join(encoded.split()), validate=True)
        except binascii.Error as error:
            raise inbox.malformed("a command is not Base64") from error
        if len(data) < _STATUS.size:
            return
        _, command, sub, result, version, state, _, *alarms, power = _STATUS.unpack_from(data)
        if (command, sub) != _BASIC_STATUS or result != 0:
            return
        self.said("terufusion.software_version", f"{version:04x}")
        self.said_state("terufusion.pump_state", _STATES.get(state >> 4, ""))
        if any(alarms):
            self.said("terufusion.active_alarm", "yes")
        self.said_state("terufusion.power", _POWERS.get(power >> 4 & 3, ""))
        bars = power & 0x0F
        if 0 < bars <= _BARS:
            self.said_state("terufusion.battery_percent", str(100 * bars // _BARS))


DISSECTOR = Terufusion
