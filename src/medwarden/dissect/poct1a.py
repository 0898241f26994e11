"""Point-of-care analysers by POCT1-A: what a device says of itself, what it measures, how it is used.

CLSI POCT1-A2, device messaging layer (appendix B: messages HEL, DST, OBS, DTV, REQ, OPL, PTL, END; objects
HDR, DEV, DCP, DSC, DST, SVC, RGT, TRM). Messages are XML without DTD that follow one another on a TCP
connection; each value is an attribute ``V``. Of patients (PT) nothing is told but that one was named; of
operators (OPR) nothing at all.
"""

from __future__ import annotations

import html
import re
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

MAX_TAG_BYTES = 4096

_OPENING = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}\?>\s*)?<(?:HEL|DST|ACK|OBS|REQ|DTV|END|EOT|KPA|ESC|EVS|OPL|PTL)\.R0[0-9]"
)
_MESSAGE = re.compile(rb"<([A-Z]{3})\.R0[0-9]")
_VALUE = re.compile(
    rb"<([A-Z]{2,4})\.([a-z_]{2,40})\s(?:[^>\"']|\"[^\"]*\"|'[^']*')*?\bV\s*=\s*(?:\"([^\"]*)\"|'([^']*)')"
)
_BY_DEVICE = frozenset({b"HEL", b"DST", b"OBS", b"EVS"})
_BY_MANAGER = frozenset({b"DTV", b"REQ", b"OPL", b"PTL"})
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
# Objects and attributes that say what a device can and does, none of them about people.
_OTHER = {
    (b"HDR", b"version_id"): "poct1a.version",
    (b"DSC", b"connection_profile_cd"): "poct1a.connection_profile",
    (b"DSC", b"topics_supported_cd"): "poct1a.topic",
    (b"DSC", b"directives_supported_cd"): "poct1a.directive",
    (b"DST", b"condition_cd"): "poct1a.condition",
    (b"DTV", b"command_cd"): "poct1a.command",
    (b"SVC", b"role_cd"): "poct1a.observation_role",
    (b"OBS", b"observation_id"): "poct1a.observation",
    (b"RGT", b"name"): "poct1a.reagent",
    (b"TRM", b"reason_cd"): "poct1a.termination",
}
_MAX_OBSERVATIONS = 64


class Poct1A(Connection):
    """Follow one connection of a point-of-care device or its data manager."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="poct1a",
        title="POCT1-A device messages",
        transports=(Transport.TCP,),
        reference="CLSI POCT1-A2, device messaging layer",
        starts=(b"<HEL.R01", b"<DST.R01", b"<OBS.R0", b"<KPA.R01", b"<?xml"),
        stream_bytes=16 * 1024,
        fields=(*_DEVICE.values(), *_OTHER.values(), "poct1a.role", "poct1a.patient_data"),
        medical=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self._observations = 0

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
        message = _MESSAGE.match(tag)
        if message is not None:
            self._roles(message[1])
            return
        found = _VALUE.match(tag)
        if found is None:
            return
        part, name = found[1], found[2]
        value = html.unescape(printable(found[3] if found[3] is not None else found[4]))
        if part == b"PT" and value.strip():
            self.said("poct1a.patient_data", "yes")
        elif part == b"DEV" and name in _DEVICE:
            self.said(_DEVICE[name], value)
        else:
            field = _OTHER.get((part, name))
            if field == "poct1a.observation":
                self._observations += 1
                if self._observations > _MAX_OBSERVATIONS:
                    return
            if field is not None:
                self.said(field, value)

    def _roles(self, message: bytes) -> None:
        """Tell who is who by the message: devices greet, report and observe, managers direct and list."""
        if message in _BY_DEVICE:
            self.said("poct1a.role", "device")
            self.heard("poct1a.role", "data_manager")
        elif message in _BY_MANAGER:
            self.said("poct1a.role", "data_manager")
            self.heard("poct1a.role", "device")
        if message == b"PTL":
            self.said("poct1a.patient_data", "yes")


DISSECTOR = Poct1A
