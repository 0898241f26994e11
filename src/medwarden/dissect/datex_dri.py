"""GE (Datex-Ohmeda) S/5 and CARESCAPE monitors by the computer interface DRI, behind a serial-device server.

Datex-Ohmeda S/5 Computer Interface, as two open clients implement it: a record stands between two octets
7EH, 7DH escapes (5DH for 7DH, 5EH for 7EH), the last octet is the sum of those before it. The head of 40
octets is little-endian: length, number, interface level, plug identifier, time, main type (0 physiological
data, 1 waves, 4 alarms, 5 network, 8 anaesthesia records), then what the record holds. Which level a
monitor speaks dates its software. Measurements, alarms and records are told to flow, never what they say.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.model.segment import DissectorManifest, Transport

MAX_RECORD = 4096
"""Longest record read: a head of 40 octets and 1,450 of data, escaped at worst octet by octet."""
MAX_REJECTED = 8

_FLAG = b"\x7e"
_HEAD = struct.Struct("<hBBHIBBHh")
_HEAD_OCTETS = 40
_MAIN_TYPES = {0: "measurements", 1: "waves", 4: "alarms", 5: "network", 8: "records"}
# Interface level -> the software generation whose manual defines it (DRI_LEVEL_*).
_LEVELS = {
    2: "1995",
    3: "1997",
    4: "1998",
    5: "1999",
    6: "2000",
    7: "2001",
    8: "2003",
    9: "2005",
}
_MOST_LEVEL = 32
_REQUEST = 0  # type of the first subrecord where something is asked for
_FIRST_TYPE = 18


class DatexDri(Connection):
    """Follow one connection to a monitor."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="datex_dri",
        title="GE S/5 computer interface (DRI)",
        transports=(Transport.TCP,),
        reference="Datex-Ohmeda S/5 Computer Interface Specification, as open clients implement it",
        starts=(_FLAG,),
        stream_bytes=32 * 1024,
        fields=(
            "datex_dri.role",
            "datex_dri.level",
            "datex_dri.generation",
            "datex_dri.plug_id",
            "datex_dri.streams",
        ),
        medical=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self._rejected = 0

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a first record by its checksum, length, level and main type."""
        del from_client
        start = payload[:4].lstrip(_FLAG)
        if not payload.startswith(_FLAG) or not start:
            return False
        record, ended, _ = payload.lstrip(_FLAG)[:MAX_RECORD].partition(_FLAG)
        content = _content(record)
        if not ended or content is None:
            return False
        length, _, level, _, _, _, _, _, main = _HEAD.unpack_from(content)
        return length == len(content) and 0 < level < _MOST_LEVEL and main in _MAIN_TYPES

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read complete records; raises MalformedInput when several in a row are none."""
        del from_client
        while inbox.data:
            if inbox.data[:1] != _FLAG:
                raise inbox.malformed(f"0x{inbox.data[0]:02x} between records")
            end = inbox.data.find(_FLAG, 1, MAX_RECORD)
            if end < 0:
                if len(inbox.data) >= MAX_RECORD:
                    raise inbox.malformed(f"a record longer than {MAX_RECORD} bytes")
                return
            record = (inbox.take(end) or b"")[1:]
            if not record:
                continue  # the flag that ended a record, before the one that begins the next
            self._record(record, inbox)

    def _record(self, record: bytes, inbox: Inbox) -> None:
        content = _content(record)
        if content is None:
            self._rejected += 1
            if self._rejected >= MAX_REJECTED:
                raise inbox.malformed("records with wrong checksums")
            return
        self._rejected = 0
        _, _, level, plug, _, _, _, _, main = _HEAD.unpack_from(content)
        stream = _MAIN_TYPES.get(main)
        if stream is None:
            return
        if content[_FIRST_TYPE] == _REQUEST:
            self.said("datex_dri.role", "host")
            self.heard("datex_dri.role", "monitor")
            return
        self.said("datex_dri.role", "monitor")
        self.said("datex_dri.streams", stream)
        self.said("datex_dri.level", str(level))
        self.said("datex_dri.generation", _LEVELS.get(level, ""))
        if plug:
            self.said("datex_dri.plug_id", str(plug))


def _content(record: bytes) -> bytes | None:
    """Return head and data of a record whose checksum is right, else None."""
    plain = record.replace(b"\x7d\x5e", b"\x7e").replace(b"\x7d\x5d", b"\x7d")
    content, checksum = plain[:-1], plain[-1:]
    if len(content) < _HEAD_OCTETS or checksum[0] != sum(content) & 0xFF:
        return None
    return content


DISSECTOR = DatexDri
