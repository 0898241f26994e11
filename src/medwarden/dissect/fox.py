"""Niagara Fox: station, host and version that Tridium's building controllers give in the clear when called.

Tridium publishes no wire format; the hello is text that says what it is, after public captures: ``fox a 1 -1
fox hello``, then lines ``name=type:value`` in braces. Only the hello and its answer are read; log-ins, which
follow, are not. Over TLS (4911) nothing of this is seen.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_END = b"};;"
_LIMIT = 8192
_FIELDS = {
    b"station.name": "fox.station_name",
    b"hostName": "fox.host_name",
    b"hostId": "fox.host_id",
    b"app.name": "fox.application",
    b"app.version": "fox.version",
    b"brandId": "fox.brand",
    b"vm.name": "fox.vm_name",
    b"vm.version": "fox.vm_version",
    b"os.name": "fox.os_name",
    b"os.version": "fox.os_version",
    b"sysInfo": "fox.system",
    b"timeZone": "fox.time_zone",
    b"fox.version": "fox.protocol_version",
}


class FoxDissector(Connection):
    """Read the hello of either side."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="fox",
        title="Niagara Fox",
        transports=(Transport.TCP,),
        reference="No publication; text protocol as captured",
        ports=(1911,),
        starts=(b"fox a ",),
        stream_bytes=_LIMIT,
        fields=("fox.role", *_FIELDS.values()),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a frame by its first word and type."""
        del from_client
        return payload.startswith(b"fox a ")

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the first frame of one direction and nothing after it."""
        start = bytes(inbox.data[:6])
        if not b"fox a ".startswith(start):
            raise inbox.malformed("no Fox frame")
        end = inbox.data.find(_END, 0, _LIMIT)
        if end < 0:
            if len(inbox.data) >= _LIMIT:
                raise inbox.malformed("a hello of more than 8 KiB")
            return
        frame = inbox.take(end + len(_END)) or b""
        inbox.close()
        head, _, body = frame.partition(b"{")
        if b"fox hello" not in head:
            return
        self.said("fox.role", "client" if from_client else "station")
        for line in body.splitlines()[:64]:
            name, equals, value = line.strip().partition(b"=")
            field = _FIELDS.get(name)
            if field and equals and value[1:2] == b":":
                text = printable(value[2:])
                self.said(field, text.partition(";")[0] if field == "fox.time_zone" else text)


DISSECTOR = FoxDissector
