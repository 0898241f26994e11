"""B. Braun Space infusion pumps by the BCC protocol of SpaceCom: which pumps stand in a station and what they
do.

The maker's interface description is given under agreement; what is read here is what three open clients of
the interface agree on: a message is SOH, five digits of length, STX, ``bed/1/1>``, text, ETX (ETB when
another block follows), five digits of checksum (the sum of all octets up to and with ETX, modulo 256), EOT.
Over some links the letters d and e are doubled out of the way (``d`` is sent as ``ex``, ``e`` as ``ee``,
the same for capitals). The host asks ``ADMIN:ALIVE`` and ``MEM:GET``; the answer is records of time,
address 501ps (pillar, slot), parameter, value. Of parameters only GNMODEL (model), INRT (rate) and INM3
(pumping) are read: others carry drugs and patients. There is no port of its own.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

MAX_FRAME_BYTES = 64 * 1024
MAX_PUMPS = 32

_SOH, _ETX, _EOT, _ENQ, _ACK, _NAK, _ETB = 0x01, 0x03, 0x04, 0x05, 0x06, 0x15, 0x17
_OPENING = re.compile(rb"\x01([0-9]{5})\x02[0-9A-Za-z/:]{1,32}/1/1>")
_FRAME = re.compile(rb"\x01([0-9]{5})\x02([^>]{1,48})>(.*)[\x03\x17]([0-9]{5})\x04\Z", re.DOTALL)
_STUFFED = re.compile(rb"([eE])(.)", re.DOTALL)
_PLAIN = {b"ex": b"d", b"ee": b"e", b"EX": b"D", b"EE": b"E"}
_ADDRESS = re.compile(rb"501([0-3])([0-9A-O])\Z")
_REQUESTS = frozenset({b"ADMIN:ALIVE", b"MEM:GET"})


class BBraunBcc(Connection):
    """Follow one connection between SpaceCom and whoever collects its data.

    Pumps in a station have no address of their own: their models and number are facts of the station.
    """

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="bbraun_bcc",
        title="B. Braun Space BCC",
        transports=(Transport.TCP,),
        reference="B. Braun BCC as open clients of SpaceCom implement it",
        starts=(b"\x010",),
        stream_bytes=64 * 1024,
        fields=(
            "bbraun_bcc.role",
            "bbraun_bcc.bed",
            "bbraun_bcc.pump_model",
            "bbraun_bcc.pumps",
            "bbraun_bcc.pump_state",
        ),
        medical=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self._pumps: set[bytes] = set()

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a message by its length, the bed and the address that follow."""
        del from_client
        found = _OPENING.match(payload)
        return found is not None and 26 <= int(found[1]) <= MAX_FRAME_BYTES

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read complete messages and the acknowledgements between them."""
        del from_client
        while inbox.data:
            first = inbox.data[0]
            if first in (_ACK, _NAK, _ENQ, _EOT):
                inbox.take(1)
                continue
            if first != _SOH:
                raise inbox.malformed(f"0x{first:02x} between messages")
            end = inbox.data.find(b"\x04", 0, MAX_FRAME_BYTES)
            if end < 0:
                if len(inbox.data) >= MAX_FRAME_BYTES:
                    raise inbox.malformed(f"a message longer than {MAX_FRAME_BYTES} bytes")
                return
            self._message(inbox.take(end + 1) or b"", inbox)

    def _message(self, raw: bytes, inbox: Inbox) -> None:
        found = _FRAME.match(raw)
        if found is not None and int(found[1]) != len(raw):
            found = _FRAME.match(_STUFFED.sub(lambda pair: _PLAIN.get(pair[0], pair[0]), raw))
        if found is None:
            raise inbox.malformed("no message of length, bed, text and checksum")
        message = found.string
        if int(found[1]) != len(message) or int(found[4]) != sum(message[: found.start(4)]) & 0xFF:
            raise inbox.malformed("length or checksum of a message is wrong")
        text = found[3]
        if text.strip() in _REQUESTS:
            self.said("bbraun_bcc.role", "host")
            return
        records = [record.split(b",", 3) for record in text.split(b"\x1e")]
        if any(len(record) > 2 and _ADDRESS.match(record[1]) for record in records):
            self.said("bbraun_bcc.role", "station")
            bed = printable(found[2]).removesuffix("/1/1")
            if bed != "1":  # what every station is called that nobody named
                self.said("bbraun_bcc.bed", bed)
            before = len(self._pumps)
            states = [state for record in records if (state := self._record(record)) is not None]
            if len(self._pumps) > before:
                self.said("bbraun_bcc.pumps", str(len(self._pumps)))
            if states:  # one pump that runs outweighs those that do not
                self.said_state("bbraun_bcc.pump_state", "pumping" if any(states) else "stopped")

    def _record(self, record: list[bytes]) -> bool | None:
        """Read one record; returns whether its pump runs, None where it says nothing of that."""
        if len(record) < 4 or (address := _ADDRESS.match(record[1])) is None:
            return None
        if address[2] != b"0" and len(self._pumps) < MAX_PUMPS:
            self._pumps.add(record[1])
        parameter, value = record[2], record[3]
        if parameter == b"GNMODEL":
            self.said("bbraun_bcc.pump_model", printable(value))
        elif parameter == b"INM3":
            return value.strip() == b"1"
        return None


DISSECTOR = BBraunBcc
