"""Electrocardiograms sent as files: which recorder made them.

Recognised by content, wherever a connection begins with one (the data connections of FTP above all):

- SCP-ECG (EN 1064, 5.3 and 5.4): ``SCPECG`` at 16; section 1, tag 14 identifies the acquiring device; -
ISHNE Holter standard output format: ``ISHNE1.0``, the recorder's type at 232; - HL7 annotated ECG
(AnnotatedECG), Philips ECG (restingecgdata) and GE MUSE (RestingECG): XML, whose elements about the device
are searched for by name; MUSE names a document type, which is why none is read as XML.

Other tags, elements and octets, among them everything about patients and physicians, are never looked at.
What is told is said by whoever sends the file: a recorder, or a server that hands it on.
"""

from __future__ import annotations

import html
import re
import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

LIMIT = 24 * 1024
"""Octets looked through: the device stands at the beginning of all these formats."""

_SCP, _SCP_AT = b"SCPECG", 16
_ISHNE = b"ISHNE1.0"
_ISHNE_RECORDER = slice(232, 272)
_SCP_DEVICE_TAG = 14
_SCP_SECTION_HEAD = 16
_ROOT_WITHIN = 1024
_XML_ROOT = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,128}\?>\s*)?(?:<!--[^>]{0,512}-->\s*)?(?:<!DOCTYPE[^>]{0,256}>\s*)?"
    rb"<(?:[A-Za-z0-9]{1,16}:)?(AnnotatedECG|restingecgdata|RestingECG)[\s>]"
)
_FORMATS = {b"AnnotatedECG": "HL7 aECG", b"restingecgdata": "Philips ECG XML", b"RestingECG": "GE MUSE XML"}
_ELEMENT = re.compile(
    rb"<(?:[A-Za-z0-9]{1,16}:)?(manufacturerModelName|softwareName|AcquisitionDevice|AcquisitionSoftwareVersion|"
    rb"MuseVersion|machine|ECGSoftware)\b([^<>]{0,256})>([^<]{0,256})(?=<)"
)
_NAMES = {
    b"manufacturerModelName": "ecg.model",
    b"softwareName": "ecg.software_version",
    b"AcquisitionDevice": "ecg.model",
    b"AcquisitionSoftwareVersion": "ecg.software_version",
    b"ECGSoftware": "ecg.software_version",
    b"MuseVersion": "ecg.server_version",
    b"machine": "ecg.model",
}
_MACHINE = re.compile(rb"(machineid|detaildescription)\s*=\s*\"([^\"]{1,128})\"")
_MACHINE_FIELDS = {b"machineid": "ecg.device_id", b"detaildescription": "ecg.model"}
_SCP_STRINGS = (None, "ecg.serial_number", "ecg.software_version", None, "ecg.manufacturer")


class _Side:
    """One direction: where the search for elements goes on, and how far the bytes were looked at."""

    __slots__ = ("read", "rooted", "seen")

    def __init__(self) -> None:
        self.read = 0
        self.seen = 0
        self.rooted = False


class Ecg(Connection):
    """Look through the beginning of a connection that carries an electrocardiogram."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="ecg",
        title="ECG files (SCP-ECG, ISHNE, aECG, Philips, MUSE)",
        transports=(Transport.TCP,),
        reference="EN 1064; ISHNE Holter standard output; HL7 annotated ECG",
        starts=(_ISHNE,),
        stream_bytes=LIMIT,
        sniff=True,
        fields=(
            "ecg.format",
            "ecg.manufacturer",
            "ecg.model",
            "ecg.software_version",
            "ecg.serial_number",
            "ecg.device_id",
            "ecg.server_version",
        ),
        medical=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self._sides = {True: _Side(), False: _Side()}

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a file by its magic, or by the root element of its XML."""
        del from_client
        if payload[_SCP_AT : _SCP_AT + 6] == _SCP or payload.startswith(_ISHNE):
            return True
        return payload[:1] in b"<\xef" and payload != b"" and _XML_ROOT.match(payload[:1024]) is not None

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the file's head once enough of it is there; the rest is of no interest."""
        data = inbox.data
        over = len(data) >= LIMIT
        del data[LIMIT:]
        if data.startswith(_ISHNE):
            if len(data) >= _ISHNE_RECORDER.stop:
                self.said("ecg.format", "ISHNE")
                self.said("ecg.model", printable(bytes(data[_ISHNE_RECORDER]).partition(b"\0")[0]))
                inbox.close()
        elif data[_SCP_AT : _SCP_AT + 6] == _SCP:
            self._scp(inbox)
        elif len(data) > _SCP_AT + 6 and not data.startswith(_ISHNE[: len(data)]):
            self._xml(inbox, self._sides[from_client])
        if over:
            inbox.close()

    def _scp(self, inbox: Inbox) -> None:
        """Find section 1 by the pointers of section 0: id, length, index, from one, of each."""
        data = bytes(inbox.data)
        if len(data) < 42:
            return
        (length,) = struct.unpack_from("<I", data, 10)
        if not _SCP_SECTION_HEAD <= length <= 4096:
            raise inbox.malformed("section 0 of an SCP-ECG file is of no possible length")
        if len(data) < 6 + length:
            return
        for at in range(22, 6 + length - 9, 10):
            section, size, index = struct.unpack_from("<HII", data, at)
            if section == 1 and size:
                end = index - 1 + size
                if index < 7 or size < _SCP_SECTION_HEAD or end > LIMIT:
                    raise inbox.malformed("section 1 of an SCP-ECG file lies where none can")
                if len(data) < end:
                    return
                self.said("ecg.format", "SCP-ECG")
                self._scp_device(data[index - 1 + _SCP_SECTION_HEAD : end], inbox)
                break
        inbox.close()

    def _scp_device(self, tags: bytes, inbox: Inbox) -> None:
        at = 0
        while at + 3 <= len(tags) and tags[at] != 0xFF:
            tag, length = tags[at], struct.unpack_from("<H", tags, at + 1)[0]
            at += 3
            if length > len(tags) - at:
                raise inbox.malformed("a tag of section 1 is longer than the section")
            if tag == _SCP_DEVICE_TAG and length >= 36:
                self._scp_identity(tags[at : at + length])
            at += length

    def _scp_identity(self, value: bytes) -> None:
        """Read tag 14: numbers, model in six octets, and from 36 on five texts ended by zero."""
        (device,) = struct.unpack_from("<H", value, 4)
        if device:
            self.said("ecg.device_id", str(device))
        self.said("ecg.model", printable(value[8:14].partition(b"\0")[0]))
        texts = value[36:].split(b"\0")
        for field, text in zip(_SCP_STRINGS, texts, strict=False):
            if field is not None:
                self.said(field, printable(text[:128]))

    def _xml(self, inbox: Inbox, side: _Side) -> None:
        """Search what is new for elements about the device; an element may still be coming."""
        data = inbox.data
        if not side.rooted:
            root = _XML_ROOT.match(data[:_ROOT_WITHIN])
            if root is None:
                if len(data) >= _ROOT_WITHIN:
                    raise inbox.malformed("no root element of an electrocardiogram")
                return
            side.rooted = True
            self.said("ecg.format", _FORMATS[bytes(root[1])])
        seen, side.seen = side.seen, len(data)
        last = data.rfind(b"<")
        if last < seen:
            return
        for found in _ELEMENT.finditer(bytes(data[side.read :])):
            name, attributes, text = found.groups()
            if name == b"machine":
                for attribute, value in _MACHINE.findall(attributes):
                    self.said(_MACHINE_FIELDS[attribute], _text(value))
            if not attributes.endswith(b"/"):
                self.said(_NAMES[name], _text(text))
        side.read = last  # whatever began before it has been whole


def _text(value: bytes) -> str:
    return html.unescape(printable(value))


DISSECTOR = Ecg
