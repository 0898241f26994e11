"""Invented patients, and the traffic of a hospital that speaks of them."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import NamedTuple

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom.dsutils import encode
from tests.flowcore import packets as made

MARK = "zqx"
"""Part of every invented word, and of no other word."""

CT_IMAGE, MPPS = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.3.1.2.3.3"
STUDY_FIND, WORKLIST = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.31"
_STORE, _FIND, _CREATE = 0x0001, 0x0020, 0x0140
_MSS = 1_400


class Patient(NamedTuple):
    """Everything that identifies one invented person."""

    family: str
    given: str
    patient_id: str
    birth_date: str
    accession: str
    visit: str
    street: str
    mother: str

    @property
    def words(self) -> tuple[str, ...]:
        """Return what holds the mark."""
        return self.family, self.given, self.street, self.mother

    @property
    def numbers(self) -> tuple[str, ...]:
        """Return what is found by its digits."""
        return self.patient_id, self.birth_date, self.accession, self.visit


def invented(count: int, seed: int = 7) -> list[Patient]:
    """Return ``count`` people that nobody is called like."""
    chance = random.Random(seed)

    def word() -> str:
        return f"{MARK}{''.join(chance.choices('aeiounlrst', k=7))}".capitalize()

    numbers = iter(chance.sample(range(10**9, 10**10), 3 * count))
    return [
        Patient(
            word(),
            word(),
            str(next(numbers)),
            f"19{chance.randint(20, 99)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}",
            str(next(numbers)),
            str(next(numbers)),
            f"{word()}weg",
            word(),
        )
        for _ in range(count)
    ]


# -- frames


class Talk:
    """One TCP connection between two devices of the hospital."""

    def __init__(self, client: int, server: int, port: int, source: int) -> None:
        self._macs = {True: f"02:00:5e:00:00:{client:02x}", False: f"02:00:5e:00:00:{server:02x}"}
        self._ips = {True: f"10.20.0.{client}", False: f"10.20.0.{server}"}
        self._ports = {True: source, False: port}
        self._sent = {True: 1, False: 1}
        self.frames = [self._frame(True, b"", made.SYN, 0), self._frame(False, b"", made.SYN | made.ACK, 0)]

    def _frame(self, out: bool, payload: bytes, flags: int, seq: int | None = None) -> bytes:
        segment = made.tcp(
            payload,
            self._ports[out],
            self._ports[not out],
            seq=self._sent[out] if seq is None else seq,
            ack=self._sent[not out],
            flags=flags,
        )
        packet = made.ipv4(segment, 6, self._ips[out], self._ips[not out])
        return made.ethernet(packet, src=self._macs[out], dst=self._macs[not out])

    def say(self, out: bool, data: bytes) -> None:
        """Let the client (``out``) or the server send ``data`` in segments."""
        for start in range(0, len(data), _MSS):
            piece = data[start : start + _MSS]
            self.frames.append(self._frame(out, piece, made.PSH | made.ACK))
            self._sent[out] += len(piece)

    def end(self) -> list[bytes]:
        """Close the connection and return its frames."""
        self.frames += [self._frame(out, b"", made.FIN | made.ACK) for out in (True, False)]
        return self.frames


def datagram(client: int, server: int, port: int, payload: bytes) -> bytes:
    """Return a UDP frame from one device of the hospital to another."""
    packet = made.ipv4(made.udp(payload, 30_000, port), 17, f"10.20.0.{client}", f"10.20.0.{server}")
    return made.ethernet(packet, src=f"02:00:5e:00:00:{client:02x}", dst=f"02:00:5e:00:00:{server:02x}")


# -- DICOM (PS3.8 for the PDUs, PS3.7 for the messages)


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def _pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBI", kind, 0, len(body)) + body


def _association(accepts: bool, contexts: Sequence[str], syntax: str) -> bytes:
    head = struct.pack(">HH", 1, 0) + b"ARCHIVE".ljust(16) + b"CT_ZENTRAL".ljust(16) + bytes(32)
    body = head + _item(0x10, b"1.2.840.10008.3.1.1.1")
    for number, abstract in enumerate(contexts):
        items = b"" if accepts else _item(0x30, abstract.encode())
        items += _item(0x40, syntax.encode())
        body += _item(0x21 if accepts else 0x20, bytes((2 * number + 1, 0, 0, 0)) + items)
    user = _item(0x51, struct.pack(">I", 16_384)) + _item(0x52, b"1.2.276.0.7230010.3.0.3.6.7")
    return _pdu(2 if accepts else 1, body + _item(0x50, user + _item(0x55, b"OFFIS_DCMTK_367")))


def _message(context: int, command: Dataset, data: Dataset | None, implicit: bool) -> bytes:
    command.CommandDataSetType = 0x0101 if data is None else 0x0001
    encoded = encode(command, True, True)
    assert encoded is not None
    command.CommandGroupLength = len(encoded)
    whole = encode(command, True, True)
    assert whole is not None
    parts = [(3, whole)]
    if data is not None:
        body = encode(data, implicit, True)
        assert body is not None
        parts.append((2, body))
    return b"".join(
        _pdu(4, struct.pack(">IBB", len(part) + 2, context, flags) + part) for flags, part in parts
    )


def _request(kind: int, sop_class: str, number: int) -> Dataset:
    command = Dataset()
    command.AffectedSOPClassUID = UID(sop_class)
    command.CommandField = kind
    command.MessageID = number
    if kind != _CREATE:
        command.Priority = 0
    if kind != _FIND:
        command.AffectedSOPInstanceUID = generate_uid()
    return command


def _answer(kind: int, sop_class: str, number: int, status: int) -> Dataset:
    command = Dataset()
    command.AffectedSOPClassUID = UID(sop_class)
    command.CommandField = kind | 0x8000
    command.MessageIDBeingRespondedTo = number
    command.Status = status
    return command


def _about(patient: Patient) -> Dataset:
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.PatientName = f"{patient.family}^{patient.given}"
    data.PatientID, data.PatientBirthDate = patient.patient_id, patient.birth_date
    data.AccessionNumber, data.AdmissionID = patient.accession, patient.visit
    data.PatientAddress, data.PatientMotherBirthName = patient.street, patient.mother
    data.OtherPatientNames = f"{patient.mother}^{patient.given}"
    data.PatientComments = f"{patient.given} {patient.family} born {patient.birth_date}"
    return data


def _image(patient: Patient) -> Dataset:
    data = _about(patient)
    data.SOPClassUID, data.SOPInstanceUID = UID(CT_IMAGE), generate_uid()
    data.Modality, data.Manufacturer = "CT", "ACME"
    data.ManufacturerModelName, data.StationName = "Slicer 64", "CT1"
    # Operators fill these in as they like.
    data.StudyDescription = f"Thorax {patient.family}"
    data.SeriesDescription = f"{patient.given} {patient.visit}"
    data.ImageComments = f"{patient.family} {patient.accession}"
    data.BitsAllocated = 16
    data.PixelData = bytes(2_000)
    return data


def _procedure(patient: Patient) -> Dataset:
    data = _about(patient)
    data.Modality, data.PerformedStationAETitle = "CT", "CT_ZENTRAL"
    data.PerformedProcedureStepDescription = f"Thorax {patient.family}"
    return data


def dicom(patients: Sequence[Patient], source: int) -> list[bytes]:
    """Return an association that stores, finds, asks the worklist and reports steps for each patient."""
    implicit = source % 2 == 0
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    contexts = (CT_IMAGE, STUDY_FIND, WORKLIST, MPPS)
    talk = Talk(11, 21, 11_112, source)
    talk.say(True, _association(False, contexts, syntax))
    talk.say(False, _association(True, contexts, syntax))
    number = 0
    for patient in patients:
        steps = (
            (1, _STORE, CT_IMAGE, _image(patient), None),
            (3, _FIND, STUDY_FIND, _about(patient), _about(patient)),
            (5, _FIND, WORKLIST, _about(patient), _about(patient)),
            (7, _CREATE, MPPS, _procedure(patient), None),
        )
        for context, kind, sop_class, asked, found in steps:
            number += 1
            talk.say(True, _message(context, _request(kind, sop_class, number), asked, implicit))
            if found is not None:
                pending = _answer(kind, sop_class, number, 0xFF00)
                talk.say(False, _message(context, pending, found, implicit))
            talk.say(False, _message(context, _answer(kind, sop_class, number, 0), None, implicit))
    return talk.end()


# -- HL7 v2


def _block(*segments: str) -> bytes:
    return b"\x0b" + "".join(f"{segment}\r" for segment in segments).encode() + b"\x1c\r"


def hl7(patients: Iterable[Patient], source: int) -> list[bytes]:
    """Return an MLLP connection with an admission and a result for each patient."""
    talk = Talk(12, 22, 2575, source)
    for number, p in enumerate(patients):
        head = r"MSH|^~\&|MONITORS|ICU|EHR|HOSPITAL|20260101||{}|" + str(number) + "|P|2.5.1"
        person = (
            f"PID|1|{p.visit}|{p.patient_id}^^^HOSP^MR||{p.family}^{p.given}^^^||{p.birth_date}|F|"
            f"{p.mother}^{p.given}||{p.street} 7^^Town||555^{p.patient_id}|||||{p.accession}"
        )
        admission = (
            head.format("ADT^A01^ADT_A01"),
            f"EVN|A01|20260101||{p.visit}|{p.patient_id}^{p.mother}^{p.given}||{p.visit}",
            person,
            f"NK1|1|{p.mother}^{p.family}|MTH|{p.street} 9",
            f"PV1|1|I|ICU^{p.visit}^3|||||||||||||||||{p.visit}",
        )
        result = (
            head.format("ORU^R01^ORU_R01"),
            person,
            f"PV1|1|I|ICU^7^3|||||||||||||||||{p.visit}",
            f"OBR|1|{p.accession}|{p.accession}|69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC",
            f"OBX|1|ST|{p.family}||{p.given} {p.family}, born {p.birth_date}, has {p.accession}||||||F"
            "|||||||MON-17^Carescape B650",
            f"PRT|1|AD||PAT|{p.patient_id}^{p.family}^{p.given}|||||||||{p.street}",
            f"PRT|2|AD||EQUIP|||||{p.visit}^{p.family}|PUMP-3^Space",
            f"ORC|RE|{p.accession}|{p.visit}||||||||{p.patient_id}^{p.mother}",
            f"RXA|0|1|20260101||{p.accession}^{p.family}|5|ml||{p.given}",
            f"NTE|1||Ask {p.mother} at {p.street}",
        )
        for segments in (admission, result):
            talk.say(True, _block(*segments))
            talk.say(False, _block(r"MSH|^~\&|EHR|HOSPITAL|MONITORS|ICU|20260101||ACK|1|P|2.5.1", "MSA|AA|1"))
    return talk.end()


# -- FHIR and DICOMweb


def _asked(line: str, *headers: str, body: bytes = b"") -> bytes:
    head = [f"{line} HTTP/1.1", "Host: ehr.example", *headers]
    head += [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def _answered(body: bytes, media: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _resources(p: Patient) -> list[dict[str, object]]:
    """Return resources of FHIR that hold everything of a patient, and devices among them."""
    name = f"{p.given} {p.family}"
    subject = {"reference": f"Patient/{p.patient_id}", "display": name}
    person: dict[str, object] = {
        "resourceType": "Patient",
        "id": p.patient_id,
        "identifier": [{"value": p.patient_id}, {"value": p.visit}],
        "name": [{"family": p.family, "given": [p.given], "text": name}],
        "birthDate": p.birth_date,
        "address": [{"line": [p.street]}],
        "contact": [{"name": {"family": p.mother}}],
    }
    monitor: dict[str, object] = {
        "resourceType": "Device",
        "id": p.visit,
        "identifier": [{"value": p.accession}],
        "manufacturer": "ACME",
        "modelNumber": "Monitor 7",
        "serialNumber": "SN-7",
        "deviceName": [{"name": f"Monitor of {name}", "type": "user-friendly-name"}],
        "note": [{"text": f"{name}, {p.birth_date}"}],
        "location": {"display": p.street},
    }
    implant: dict[str, object] = {
        "resourceType": "Device",
        "serialNumber": p.accession,
        "lotNumber": p.visit,
        "modelNumber": "Pacer 1",
        "patient": subject,
        "owner": {"display": p.mother},
    }
    observation: dict[str, object] = {
        "resourceType": "Observation",
        "subject": subject,
        "encounter": {"reference": f"Encounter/{p.visit}"},
        "performer": [{"display": p.mother}],
        "device": {"reference": f"Device/{p.visit}", "display": f"{p.family}'s"},
        "code": {"text": p.given, "coding": [{"display": p.family, "code": p.accession}]},
        "valueString": f"{name} {p.street}",
    }
    return [person, monitor, implant, observation]


def fhir(patients: Iterable[Patient], source: int) -> list[bytes]:
    """Return connections of FHIR requests and answers, in JSON and XML, about each patient."""
    statement = {
        "resourceType": "CapabilityStatement",
        "software": {"name": "HAPI FHIR Server", "version": "6.10.5"},
        "fhirVersion": "4.0.1",
    }
    frames: list[bytes] = []
    media = "application/fhir+json"
    for number, p in enumerate(patients):
        # Of a connection only the beginning is read, so each patient has one.
        talk = Talk(31, 32, 8_080, source + number)
        found = _resources(p)
        bundle = {"resourceType": "Bundle", "entry": [{"resource": r, "fullUrl": p.visit} for r in found]}
        xml = (
            f'<Patient xmlns="http://hl7.org/fhir"><id value="{p.patient_id}"/>'
            f'<name><family value="{p.family}"/>'
            f'<given value="{p.given}"/></name><birthDate value="{p.birth_date}"/></Patient>'
        ).encode()
        accept = f"Accept: {media}"
        talk.say(True, _asked("GET /fhir/metadata", accept))
        talk.say(False, _answered(json.dumps(statement).encode(), media))
        for path in (
            f"/fhir/Patient/{p.patient_id}/$everything?name={p.family}",
            f"/fhir/Observation?subject=Patient/{p.patient_id}&patient.name={p.given}",
            f"/fhir/{p.family}/Patient/{p.visit}",
        ):
            talk.say(True, _asked(f"GET {path}", accept))
            talk.say(False, _answered(json.dumps(bundle).encode(), media))
        talk.say(True, _asked("PUT /fhir/Patient/1", "Content-Type: application/fhir+xml", body=xml))
        talk.say(False, _answered(xml, "application/fhir+xml"))
        frames += talk.end()
    return frames


def dicomweb(patients: Iterable[Patient], source: int) -> list[bytes]:
    """Return connections that search, store and fetch images of each patient over DICOMweb."""
    frames: list[bytes] = []
    multipart = 'multipart/related; type="application/dicom"; boundary=B'
    for number, p in enumerate(patients):
        talk = Talk(33, 34, 8_042, source + number)
        image = _image(p)
        image.Manufacturer = "WEBMAKER"
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image["PixelData"].VR = "OW"
        whole = BytesIO()
        dcmwrite(whole, image, enforce_file_format=True)
        part = b"--B\r\nContent-Type: application/dicom\r\n\r\n" + whole.getvalue() + b"\r\n--B--\r\n"
        found = [
            {
                "00100010": {"vr": "PN", "Value": [{"Alphabetic": f"{p.family}^{p.given}"}]},
                "00100020": {"vr": "LO", "Value": [p.patient_id]},
                "00080050": {"vr": "SH", "Value": [p.accession]},
                "00081030": {"vr": "LO", "Value": [f"Thorax {p.family}"]},
            }
        ]
        query = f"PatientName={p.family}^{p.given}&PatientID={p.patient_id}&00100030={p.birth_date}"
        talk.say(True, _asked("POST /dicom-web/studies", f"Content-Type: {multipart}", body=part))
        talk.say(False, _answered(b"{}", "application/dicom+json"))
        for path in (
            f"/dicom-web/studies?{query}&Modality={p.family.upper()}",
            f"/{p.family}/studies?AccessionNumber={p.accession}",
        ):
            talk.say(True, _asked(f"GET {path}", "Accept: application/dicom+json"))
            talk.say(False, _answered(json.dumps(found).encode(), "application/dicom+json"))
        talk.say(True, _asked(f"GET /dicom-web/studies/1.2.{p.patient_id}", f"Accept: {multipart}"))
        talk.say(False, _answered(part, multipart))
        frames += talk.end()
    return frames


# -- web, logs and what else carries names


def http(patients: Iterable[Patient], source: int) -> list[bytes]:
    """Return a connection of web requests that name each patient in paths, queries, headers and bodies."""
    talk = Talk(13, 23, 80, source)
    for p in patients:
        paths = (
            f"/fhir/Patient/{p.patient_id}?family={p.family}&birthdate={p.birth_date}",
            f"/fhir/Patient?identifier={p.visit}&given={p.given}",
            f"/{p.family}/{p.given}/chart?mrn={p.patient_id}",
            f"/wado?requestType=WADO&accession={p.accession}&patient={p.family}^{p.given}",
            f"/records/{p.family.lower()}-{p.birth_date}.html",
        )
        for path in paths:
            talk.say(
                True,
                f"GET {path} HTTP/1.1\r\nHost: ehr.example\r\nUser-Agent: Mozilla/5.0 (Windows NT 10.0)\r\n"
                f"Referer: http://ehr.example/p/{p.family}?id={p.patient_id}\r\n"
                f"Cookie: patient={p.given}\r\nX-Patient: {p.family}\r\n\r\n".encode(),
            )
            body = f"<html><head><title>{p.family}, {p.given}</title></head>{p.street}</html>".encode()
            talk.say(
                False,
                b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body),
            )
        form = f"family={p.family}&given={p.given}&born={p.birth_date}&visit={p.visit}".encode()
        talk.say(
            True,
            b"POST /api/admissions HTTP/1.1\r\nHost: ehr.example\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%b"
            % (len(form), form),
        )
        talk.say(False, b"HTTP/1.1 204 No Content\r\n\r\n")
    return talk.end()


def logs(patients: Iterable[Patient]) -> Iterator[bytes]:
    """Yield syslog messages of both forms, and some that keep to none, about each patient."""
    for p in patients:
        text = f"admitted {p.given} {p.family} ({p.patient_id}, {p.birth_date}) visit {p.visit}"
        for line in (
            f"<134>Jan  2 03:04:05 ehr01 ehr[77]: {text}",
            f"<134>1 2026-01-02T03:04:05Z ehr01 ehr 77 ADM - {text}",
            f"<134>{p.family}: {text}",
            f"<134>{p.given} {p.family} {p.patient_id}",
            f"<134>Jan  2 03:04:05 {p.family} {p.given}",
        ):
            yield datagram(14, 24, 514, line.encode())


def others(patients: Iterable[Patient], source: int) -> Iterator[bytes]:
    """Yield prints, transfers, mails and analyser results that name each patient."""
    for number, p in enumerate(patients):
        port = source + number % 1_000
        print_job = Talk(15, 25, 9_100, port)
        print_job.say(
            True,
            f'\x1b%-12345X@PJL JOB NAME="{p.family} {p.given}"\r\n@PJL SET USERNAME="{p.patient_id}"\r\n'
            f"@PJL ENTER LANGUAGE=PCL\r\n{p.street}".encode(),
        )
        yield from print_job.end()
        transfer = Talk(16, 26, 21, port)
        transfer.say(False, b"220 ready\r\n")
        transfer.say(
            True, f"CWD /scans/{p.family}\r\nSTOR {p.family}_{p.given}_{p.accession}.pdf\r\n".encode()
        )
        yield from transfer.end()
        mail = Talk(17, 27, 25, port)
        mail.say(False, b"220 mail.example ESMTP\r\n")
        mail.say(
            True,
            f"EHLO ehr01\r\nMAIL FROM:<{p.family}@example.org>\r\nRCPT TO:<{p.given}@example.org>\r\n"
            f"DATA\r\nSubject: {p.family} {p.visit}\r\n\r\n{p.street}\r\n.\r\n".encode(),
        )
        yield from mail.end()
        analyser = Talk(18, 28, 4_000, port)
        analyser.say(
            True,
            b"\x05\x021H|\\^&|||ACME^Analyser^1.0|||||||P|1394-97\r"
            + f"P|1|{p.patient_id}|{p.visit}|{p.accession}|{p.family}^{p.given}|{p.mother}|{p.birth_date}|F\r"
            f"O|1|{p.accession}||^^^GLU\rR|1|^^^GLU|5.1\rC|1|I|{p.family} {p.street}|G\r".encode()
            + b"L|1|N\r\x0300\r\n\x04",
        )
        yield from analyser.end()


def hospital(patients: Sequence[Patient], *, loss: float = 0.0) -> bytes:
    """Return a capture of all that is said about ``patients``; ``loss`` is the share of frames it misses."""
    frames: list[bytes] = []
    for number, start in enumerate(range(0, len(patients), 50)):
        some = patients[start : start + 50]
        frames += dicom(some, 40_000 + number)
        frames += hl7(some, 41_000 + number)
        frames += http(some, 42_000 + number)
        frames += fhir(some, 50_000 + start)
        frames += dicomweb(some, 55_000 + start)
    frames += logs(patients)
    frames += others(patients, 43_000)
    chance = random.Random(11)
    kept = [frame for frame in frames if chance.random() >= loss]
    return made.pcap((made.START + number * 1_000_000, frame) for number, frame in enumerate(kept))
