"""DICOMweb over clear-text HTTP: who asks for, serves, stores and schedules images, and of which kind.

DICOM PS3.18: section 9 (URI service, WADO-URI), 10 (studies service: QIDO-RS, WADO-RS, STOW-RS), 11 (worklist
service: UPS-RS). Of targets only the base path before the service and the modality asked for are told: UIDs,
names and numbers in paths and queries identify patients. Of what a sender stores, the
head of the first instance tells the equipment that made it (``dicomweb.source_*``).
"""

from __future__ import annotations

import re
from typing import ClassVar
from urllib.parse import parse_qsl

from medwarden.dissect import dicom_dimse as dimse
from medwarden.dissect.dicom_dataset import DataSetReader, Encoding, Wanted, decode, encoding_of, is_text
from medwarden.dissect.http import HttpDissector
from medwarden.dissect.http_carried import HEAD_BYTES, METHODS, PORTS, STREAM_BYTES, HttpCarried
from medwarden.dissect.http_message import HttpBody, HttpHead
from medwarden.dissect.http_paths import public_path
from medwarden.dissect.octets import printable
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import DissectorManifest, Transport

BODY_LIMIT = 32 * 1024
MAX_QUERY = 2048

_RESOURCES = frozenset({"studies", "series", "instances", "workitems"})
_ROOTS = re.compile(r"(?i)dicom-?web|dicom-?rs|wado(?:-rs|-uri)?|qido(?:-rs)?|stow(?:-rs)?|rs|ups-?rs|pacs")
_UID = re.compile(r"[0-9][0-9.]{5,63}\Z")
_HEADER = re.compile(
    rb"\r?\n(?:accept|content-type):[^\r\n]*application/dicom(?:\+json|\+xml)?(?=[\"';, \r\n]|\Z)"
)
_TELLING = (b"/studies", b"/series", b"/instances", b"/workitems", b"WADO")
"""One of these is in every request line of DICOMweb; most HTTP is rejected by looking for them."""
_MODALITY = re.compile(r"[A-Z][A-Z0-9]{1,15}\Z")
_MODALITY_KEYS = frozenset({"modality", "modalitiesinstudy", "00080060", "00080061"})
_DICOM_JSON, _DICOM_XML = "application/dicom+json", "application/dicom+xml"
_PATIENT_IN_JSON = re.compile(
    rb"\"0010(?:0010|0020)\"\s*:\s*\{[^{}\[]{0,80}\"Value\"\s*:\s*\[\s*(?:\{|\"[^\"])", re.IGNORECASE
)
_PATIENT_IN_XML = re.compile(rb"tag=\"0010(?:0010|0020)\"[^>]{0,120}>\s*<(?:PersonName|Value)", re.IGNORECASE)
_META_IMPLEMENTATION, _META_SYNTAX, _META_SOURCE = 0x00020013, 0x00020010, 0x00020016
_META = Wanted(frozenset({_META_IMPLEMENTATION, _META_SYNTAX, _META_SOURCE}), 0x00020016)
_SOURCE = (*dimse.EQUIPMENT.values(), *dimse.INSTITUTION.values(), "modality", "ae_title", "implementation")


class DicomWeb(HttpCarried):
    """Follow one connection to a DICOMweb server."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="dicomweb",
        title="DICOMweb (QIDO-RS, WADO-RS, WADO-URI, STOW-RS, UPS-RS)",
        transports=(Transport.TCP,),
        reference="DICOM PS3.18",
        ports=PORTS,
        starts=METHODS,
        stream_bytes=STREAM_BYTES,
        opening_tells=True,
        fields=(
            "dicomweb.role",
            "dicomweb.base_path",
            "dicomweb.media_type",
            "dicomweb.modality",
            "dicomweb.patient_data",
            *(f"dicomweb.source_{name}" for name in _SOURCE),
            *HttpDissector.manifest.fields,
        ),
        medical=True,
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a request by its path under a known root or with a DICOM media type, a response by that."""
        if not from_client:
            if not payload.startswith(METHODS[-1]) or b"application/dicom" not in payload[:HEAD_BYTES]:
                return False
            return _HEADER.search(_head(payload)) is not None
        line = payload[:HEAD_BYTES].partition(b"\r\n")[0]
        if not any(word in line for word in _TELLING) or not payload.startswith(METHODS[:-1]):
            return False
        parts = line.split(b" ")
        if len(parts) != 3 or not parts[2].startswith(b"HTTP/"):
            return False
        says_dicom = _HEADER.search(_head(payload)) is not None
        return _service(parts[0].decode("latin-1"), parts[1].decode("latin-1"), says_dicom) is not None

    def kept(self, head: HttpHead) -> int:
        """Keep the beginning of bodies that hold DICOM."""
        return BODY_LIMIT if _holds_dicom(head) else 0

    def request(self, head: HttpHead) -> None:
        """Tell the service asked for, and of its query only the modality."""
        asked = _service(head.method, head.target, _holds_dicom(head) or _accepts_dicom(head))
        if asked is None:
            return
        service, base = asked
        self.said("dicomweb.role", f"{service}_client")
        if base and public_path(base) == base:
            self.heard("dicomweb.base_path", base)
        query = head.target.partition("?")[2][:MAX_QUERY]
        for name, value in parse_qsl(query, max_num_fields=None):
            modalities = value.replace("\\", ",").split(",") if name.lower() in _MODALITY_KEYS else ()
            for modality in modalities:
                if _MODALITY.match(modality) and modality in _KINDS:
                    self.said("dicomweb.modality", modality)

    def response(self, head: HttpHead) -> None:
        """Tell which service answered."""
        asked = _service(head.method, head.target, True) if head.target else None
        holds = _holds_dicom(head)
        if asked is not None and (holds or head.status in (202, 204, 206) or head.status == 200):
            self.said("dicomweb.role", f"{asked[0]}_server")
        elif holds:
            self.said("dicomweb.role", "server")
        if holds:
            self.said("dicomweb.media_type", _dicom_type(head))

    def body(self, body: HttpBody) -> None:
        """Read the beginning of a body: whether it names patients, and which equipment made the image."""
        content = body.content()
        kind = _dicom_type(body.head)
        if kind == _DICOM_JSON:
            if _PATIENT_IN_JSON.search(content):
                self.said("dicomweb.patient_data", "yes")
        elif kind == _DICOM_XML:
            if _PATIENT_IN_XML.search(content):
                self.said("dicomweb.patient_data", "yes")
        else:
            self._instance(content)

    def _instance(self, content: bytes) -> None:
        """Read the head of the first instance in PS3.10 form: file meta information, then the data set."""
        mark = content.find(b"DICM", 128)
        if mark < 128:
            return
        meta = DataSetReader(Encoding.EXPLICIT_LITTLE, _META)
        syntax = ""
        group = content[mark + 4 :]
        if group[:8] != b"\x02\x00\x00\x00UL\x04\x00" or len(group) < 12:
            return  # the group length is required (PS3.10 section 7.1); without it the end is not known
        end = 12 + int.from_bytes(group[8:12], "little")
        for element in meta.feed(group[:end]):
            text = printable(element.value.rstrip(b"\0 "))
            if element.tag == _META_SYNTAX:
                syntax = text
            elif element.tag == _META_IMPLEMENTATION:
                self.said("dicomweb.source_implementation", text)
            elif element.tag == _META_SOURCE:
                self.said("dicomweb.source_ae_title", text)
        if len(group) > end and syntax:
            self._data_set(DataSetReader(encoding_of(syntax), dimse.STORED), group[end:])

    def _data_set(self, reader: DataSetReader, content: bytes) -> None:
        character_set = ""
        for element in reader.feed(content):
            tag = element.tag
            representation = dimse.REPRESENTATIONS.get(tag, b"LO")
            if not is_text(element.value) or element.vr not in (b"", b"UN", representation):
                raise MalformedInput("dicomweb", f"element {tag >> 16:04x},{tag & 0xFFFF:04x} is no text")
            value = decode(element.value, character_set)
            if tag == dimse.CHARACTER_SET:
                character_set = value
            elif tag in dimse.PATIENT:
                self.said("dicomweb.patient_data", "yes" if value.strip("^= ") else "")
            elif tag == dimse.MODALITY:
                self.said("dicomweb.source_modality", value if value in _KINDS else "")
            elif name := dimse.EQUIPMENT.get(tag) or dimse.INSTITUTION.get(tag):
                self.said(f"dicomweb.source_{name}", value)


def _head(payload: bytes) -> bytes:
    return payload[:HEAD_BYTES].partition(b"\r\n\r\n")[0].lower()


# PS3.3 section C.7.3.1.1.1: defined terms of Modality; anything else in a query could be anything.
_KIND_NAMES = """
ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DMS DG DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL
IVOCT IVUS KER KO LEN LS MG MR M3D NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG
RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN
TEXTUREMAP TG US VA XA XAPROTOCOL XC
"""
_KINDS = frozenset(_KIND_NAMES.split())


def _service(method: str, target: str, says_dicom: bool) -> tuple[str, str] | None:
    """Return the service that a request asks for, and the base path before it; None for anything else."""
    path, _, query = target.partition("?")
    if "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    segments = [part for part in path.split("/") if part]
    if "requestType=WADO" in query[:MAX_QUERY] and "objectUID=" in query[:MAX_QUERY]:
        return "wado_uri", "".join(f"/{part}" for part in segments)
    at = next((i for i, part in enumerate(segments) if part in _RESOURCES), None)
    if at is None:
        return None
    rest = segments[at + 1 :]
    rooted = at > 0 and _ROOTS.fullmatch(segments[at - 1]) is not None
    uid_follows = not rest or _UID.match(rest[0]) is not None
    if not (rooted or says_dicom) or not (uid_follows or segments[at] == "workitems"):
        return None
    base = "".join(f"/{part}" for part in segments[:at])
    if segments[at] == "workitems":
        return "ups", base
    if method == "POST":
        return "stow", base
    if method not in ("GET", "HEAD"):
        return None
    # A resource with its UID is retrieved; a collection is searched (PS3.18 tables 10.4.1-1, 10.6.1-1).
    return ("qido" if segments[-1] in _RESOURCES else "wado"), base


def _accepts_dicom(head: HttpHead) -> bool:
    return "application/dicom" in head.headers.get("accept", "").lower()


def _holds_dicom(head: HttpHead) -> bool:
    return bool(_dicom_type(head))


def _dicom_type(head: HttpHead) -> str:
    """Return the DICOM media type of a body, of a multipart body that of its parts."""
    stated = head.headers.get("content-type", "").lower()
    if head.media_type == "multipart/related":
        found = re.search(r"type=\"?(application/dicom(?:\+xml|\+json)?)(?=[\";, ]|\Z)", stated)
        return found[1] if found else ""
    return head.media_type if head.media_type in ("application/dicom", _DICOM_JSON, _DICOM_XML) else ""


DISSECTOR = DicomWeb
