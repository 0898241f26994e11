"""Point-of-care analysers by POCT1-A: what a device says of itself when it greets.

CLSI POCT1-A2, device messaging layer (HEL.R01 and its DEV, HDR objects), as publicly described; not
checked against a real analyser. Messages are XML without DTD that follow one another on a TCP connection;
each value is an attribute ``V``. Only the device's own objects are told; of patients (PT) and operators
(OPR) nothing but that a patient was named.
"""

from __future__ import annotations

import html
import re
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

MAX_TAG_BYTES = 4096

_OPENING = re.compile(rb"\s*(?:<\?xml[^>]{0,200}\?>\s*)?<(?:HEL|DST|ACK|OBS|REQ|DTV|END|EOT|KPA)\.R0[0-9]")
_VALUE = re.compile(rb"<([A-Z]{2,4})\.([a-z_]{2,40})\s+V\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_DEVICE = {
    b"device_id": "poct1a.device_id",
    b"vendor_id": "poct1a.vendor_id",
    b"model_id": "poct1a.model_id",
    b"serial_id": "poct1a.serial_number",
    b"manufacturer_name": "poct1a.manufacturer",
    b"hw_version": "poct1a.hardware_version",
    b"sw_version": "poct1a.software_version",
    b"device_name": "poct1a.device_name",
}


class Poct1A(Connection):
    """Follow one connection of a point-of-care device or its data manager."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="poct1a",
        title="POCT1-A device messages",
        transports=(Transport.TCP,),
        reference="CLSI POCT1-A2, device messaging layer",
        starts=(b"<HEL.R01", b"<?xml"),
        stream_bytes=16 * 1024,
        fields=(*_DEVICE.values(), "poct1a.version", "poct1a.role", "poct1a.patient_data"),
        medical=True,
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a message by its root element."""
        del from_client
        return _OPENING.match(payload[:512]) is not None

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the tags that are complete; raises MalformedInput for a tag that does not end."""
        del from_client
        while inbox.data:
            start = inbox.data.find(b"<")
            if start < 0:
                inbox.take(len(inbox.data))
                return
            inbox.take(start)
            end = inbox.data.find(b">", 0, MAX_TAG_BYTES)
            if end < 0:
                if len(inbox.data) >= MAX_TAG_BYTES:
                    raise inbox.malformed(f"a tag longer than {MAX_TAG_BYTES} bytes")
                return
            tag = inbox.take(end + 1) or b""
            if tag.startswith(b"<!DOCTYPE"):
                raise inbox.malformed("document type declarations are not accepted")
            self._tag(tag)

    def _tag(self, tag: bytes) -> None:
        if tag.startswith(b"<HEL.R01"):
            self.said("poct1a.role", "device")
            self.heard("poct1a.role", "data_manager")
        found = _VALUE.match(tag)
        if found is None:
            return
        part, name = found[1], found[2]
        value = html.unescape(printable(found[3] if found[3] is not None else found[4]))
        if part == b"DEV" and name in _DEVICE:
            self.said(_DEVICE[name], value)
        elif part == b"HDR" and name == b"version_id":
            self.said("poct1a.version", value)
        elif part == b"PT" and value.strip():
            self.said("poct1a.patient_data", "yes")


DISSECTOR = Poct1A
