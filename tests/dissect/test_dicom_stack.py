"""DICOM as pynetdicom and pydicom really speak it, recorded between two sockets on the loopback."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)
from pynetdicom import AE, build_role, evt
from pynetdicom.events import Event
from tests.telling import tell
from tests.waiting import PATIENCE

from medwarden.dissect.dicom import Dicom
from medwarden.dissect.observer import Observer
from medwarden.model.segment import Segment, Transport

Verification = UID("1.2.840.10008.1.1")
CTImageStorage = UID("1.2.840.10008.5.1.4.1.1.2")
ModalityPerformedProcedureStep = UID("1.2.840.10008.3.1.2.3.3")
ModalityWorklistInformationFind = UID("1.2.840.10008.5.1.4.31")
PatientRootQueryRetrieveInformationModelGet = UID("1.2.840.10008.5.1.4.1.2.1.3")
StudyRootQueryRetrieveInformationModelFind = UID("1.2.840.10008.5.1.4.1.2.2.1")
StudyRootQueryRetrieveInformationModelMove = UID("1.2.840.10008.5.1.4.1.2.2.2")

CLIENT_IP, SERVER_IP = "192.0.2.10", "192.0.2.20"
PATIENT = ("Doe^Jane^Q", "MRN-0099887", "19610203", "ACC-55511", "Referrer^Rita", "Operator^Otto")
Told = set[tuple[str, str, str]]


class Recorder:
    """A TCP proxy for one connection to ``port`` that keeps what either side sent, in order."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._lock = threading.Lock()
        self.pieces: list[tuple[bool, bytes]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()

    def _relay(self) -> None:
        with self._listener:
            near, _ = self._listener.accept()
        with near, socket.create_connection(("127.0.0.1", self._target)) as far:
            back = threading.Thread(target=self._pump, args=(far, near, False), daemon=True)
            back.start()
            self._pump(near, far, True)
            back.join(PATIENCE)

    def _pump(self, source: socket.socket, sink: socket.socket, from_client: bool) -> None:
        try:
            while data := source.recv(65536):
                with self._lock:
                    self.pieces.append((from_client, data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError as error:
            # Either side may close at once after an abort; what was recorded until then counts.
            logging.getLogger(__name__).debug("connection closed: %s", error)

    def close(self) -> None:
        self._thread.join(PATIENCE)

    def segments(self, size: int = 1448) -> Iterator[Segment]:
        """Yield what was recorded as the flow core would hand it over, in pieces of ``size``."""
        offsets = {True: 0, False: 0}
        for number, (from_client, data) in enumerate(self.pieces):
            ips = (CLIENT_IP, SERVER_IP) if from_client else (SERVER_IP, CLIENT_IP)
            ports = (50000, 104) if from_client else (104, 50000)
            for start in range(0, len(data), size):
                piece = data[start : start + size]
                yield Segment(
                    number, 1, Transport.TCP, None, None, *ips, *ports, None, from_client, piece,
                    offsets[from_client],
                )  # fmt: skip
                offsets[from_client] += len(piece)


def told(recorder: Recorder) -> Told:
    """Return the facts of a recording; they must not depend on how it was cut."""
    found: list[Told] = []
    for size in (1448, 1, 65536):
        observer = Observer(b"k" * 32)
        facts = [fact for segment in recorder.segments(size) for fact in observer.observe(segment)]
        assert not observer.malformed
        assert observer.applications() == {1: "dicom"}
        for fact in facts:
            for secret in PATIENT:
                assert secret.casefold() not in fact.value.casefold(), f"{fact.field} tells {secret}"
        found.append({(f.field, f.value, "client" if f.ip == CLIENT_IP else "server") for f in facts})
    tell("heard", lambda: "\n".join(sorted(map(repr, set.union(*found)))))
    assert found[0] == found[1] == found[2]
    return found[0]


def patient(ds: Dataset) -> Dataset:
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = PATIENT[0], PATIENT[1], PATIENT[2]
    ds.AccessionNumber, ds.ReferringPhysicianName = PATIENT[3], PATIENT[4]
    return ds


def ct_image() -> Dataset:
    ds = patient(Dataset())
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.StudyDate, ds.StudyTime, ds.ContentDate = "20250102", "101112", "20250102"
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "CT", "ACME Röntgen", "Scan 9000"
    ds.StationName, ds.InstitutionName = "CT_ROOM_2", "General Hospital"
    ds.InstitutionalDepartmentName = "Radiology"
    ds.OperatorsName = PATIENT[5]
    ds.SoftwareVersions = ["VA30A", "SP4"]
    ds.DeviceSerialNumber = "SN-778899"
    referenced = Dataset()
    referenced.Modality = "XX"
    referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = CTImageStorage, generate_uid()
    ds.ReferencedStudySequence = Sequence([referenced, referenced])
    ds.Rows = ds.Columns = 16
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.PixelData = bytes(512)
    ds["PixelData"].VR = "OW"
    return ds


EQUIPMENT: Told = {
    ("dicom.modality", "CT", "client"),
    ("dicom.manufacturer", "ACME Röntgen", "client"),
    ("dicom.model_name", "Scan 9000", "client"),
    ("dicom.station_name", "CT_ROOM_2", "client"),
    ("dicom.institution_name", "General Hospital", "client"),
    ("dicom.institutional_department", "Radiology", "client"),
    ("dicom.software_versions", "VA30A\\SP4", "client"),
    ("dicom.device_serial_number", "SN-778899", "client"),
    ("dicom.patient_data", "yes", "client"),
}


@contextmanager
def archive(title: str = "PACS", **handlers: Callable[[Event], Any]) -> Iterator[Recorder]:
    """Run an SCP that accepts everything this file asks for, behind a recorder."""
    ae = AE(title)
    syntaxes = [
        ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian,
    ]  # fmt: skip
    ae.add_supported_context(Verification)
    ae.add_supported_context(CTImageStorage, syntaxes, scu_role=True, scp_role=True)
    for sop_class in (
        ModalityWorklistInformationFind,
        ModalityPerformedProcedureStep,
        StudyRootQueryRetrieveInformationModelFind,
        StudyRootQueryRetrieveInformationModelMove,
        PatientRootQueryRetrieveInformationModelGet,
    ):
        ae.add_supported_context(sop_class)
    ae.require_called_aet = True
    bound: list[Any] = [(getattr(evt, name), handler) for name, handler in handlers.items()]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=bound)
    assert server is not None
    recorder = Recorder(server.server_address[1])
    try:
        yield recorder
    finally:
        recorder.close()
        server.shutdown()


def modality(title: str = "CT2") -> AE:
    ae = AE(title)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = PATIENCE
    return ae


def test_echo_tells_titles_roles_and_implementations() -> None:
    ae = modality()
    ae.add_requested_context(Verification)
    with archive() as recorder:
        association = ae.associate("127.0.0.1", recorder.port, ae_title="PACS")
        assert association.is_established
        association.send_c_echo()
        association.release()
    facts = told(recorder)
    assert {
        ("dicom.ae_title", "CT2", "client"),
        ("dicom.called_ae_title", "PACS", "server"),
        ("dicom.ae_title", "PACS", "server"),
        ("dicom.role", "echo_scu", "client"),
        ("dicom.role", "echo_scp", "server"),
        ("dicom.command", "C-ECHO", "client"),
        ("dicom.sop_class", "Verification SOP Class", "client"),
        ("dicom.max_pdu", "16382", "client"),
    } <= facts
    versions = {who for field, value, who in facts if field == "dicom.implementation_version_name"}
    assert versions == {"client", "server"}
    assert not [fact for fact in facts if fact[0] == "dicom.patient_data"]


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
    ids=lambda uid: uid.name,
)
@pytest.mark.parametrize("undefined_length", [False, True])
def test_stored_image_tells_the_equipment_in_every_transfer_syntax(
    syntax: UID, undefined_length: bool
) -> None:
    ds = ct_image()
    ds["ReferencedStudySequence"].is_undefined_length = undefined_length
    ds.file_meta = meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    ae = modality()
    ae.add_requested_context(CTImageStorage, syntax)
    with archive(EVT_C_STORE=lambda event: 0x0000) as recorder:
        association = ae.associate("127.0.0.1", recorder.port, ae_title="PACS")
        assert association.is_established
        assert association.send_c_store(ds).Status == 0
        association.release()
    facts = told(recorder)
    assert facts >= EQUIPMENT
    assert ("dicom.modality", "XX", "client") not in facts, "an element of a nested item is not the image's"
    assert {who for field, _, who in facts if field == "dicom.operator"} == {"client"}
    assert {("dicom.role", "storage_scu", "client"), ("dicom.role", "storage_scp", "server")} <= facts


def test_worklist_query_tells_what_the_modality_asks_for_itself() -> None:
    query = Dataset()
    query.PatientName, query.PatientID = "*", ""
    step = Dataset()
    step.Modality, step.ScheduledStationAETitle, step.ScheduledProcedureStepStartDate = (
        "CT",
        "CT2",
        "20250102",
    )
    query.ScheduledProcedureStepSequence = Sequence([step])

    def answer(event: Event) -> Iterator[tuple[int, Dataset | None]]:
        match = patient(Dataset())
        match.InstitutionName = "General Hospital"
        entry = Dataset()
        entry.Modality, entry.ScheduledStationAETitle = "MR", "MR7"
        match.ScheduledProcedureStepSequence = Sequence([entry])
        yield 0xFF00, match
        yield 0x0000, None

    ae = modality("CT2")
    ae.add_requested_context(ModalityWorklistInformationFind)
    with archive("RIS", EVT_C_FIND=answer) as recorder:
        association = ae.associate("127.0.0.1", recorder.port, ae_title="RIS")
        assert association.is_established
        assert len(list(association.send_c_find(query, ModalityWorklistInformationFind))) == 2
        association.release()
    facts = told(recorder)
    assert {
        ("dicom.modality", "CT", "client"),
        ("dicom.role", "worklist_scu", "client"),
        ("dicom.role", "worklist_scp", "server"),
        ("dicom.command", "C-FIND", "client"),
        ("dicom.institution_name", "General Hospital", "server"),
        ("dicom.patient_data", "yes", "server"),
    } <= facts
    assert ("dicom.patient_data", "yes", "client") not in facts, "a wildcard names nobody"
    assert not [fact for fact in facts if fact[1] in ("MR", "MR7")], "an answer is not about who gave it"


def test_performed_procedure_step_tells_the_station() -> None:
    step = patient(Dataset())
    step.Modality, step.PerformedStationAETitle, step.PerformedStationName = "CT", "CT2", "CT_ROOM_2"
    step.PerformedLocation, step.PerformedProcedureStepStatus = "Radiology 1", "IN PROGRESS"
    step.PerformedProcedureStepID, step.ScheduledStepAttributesSequence = "1", Sequence([patient(Dataset())])
    ae = modality()
    ae.add_requested_context(ModalityPerformedProcedureStep)
    with archive("RIS", EVT_N_CREATE=lambda event: (0x0000, event.attribute_list)) as recorder:
        association = ae.associate("127.0.0.1", recorder.port, ae_title="RIS")
        assert association.is_established
        status, _ = association.send_n_create(step, ModalityPerformedProcedureStep, generate_uid())
        assert status.Status == 0
        association.release()
    assert {
        ("dicom.modality", "CT", "client"),
        ("dicom.station_name", "CT_ROOM_2", "client"),
        ("dicom.performed_location", "Radiology 1", "client"),
        ("dicom.role", "mpps_scu", "client"),
        ("dicom.role", "mpps_scp", "server"),
        ("dicom.command", "N-CREATE", "client"),
        ("dicom.patient_data", "yes", "client"),
    } <= told(recorder)


def test_archive_answering_a_get_is_not_taken_for_the_modality() -> None:
    def answer(event: Event) -> Iterator[object]:
        image = ct_image()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        yield 1
        yield 0xFF00, image

    ae = modality("VIEWER")
    ae.add_requested_context(PatientRootQueryRetrieveInformationModelGet)
    ae.add_requested_context(CTImageStorage)
    role = build_role(CTImageStorage, scp_role=True)
    query = Dataset()
    query.QueryRetrieveLevel, query.PatientID = "PATIENT", PATIENT[1]
    with archive(EVT_C_GET=answer) as recorder:
        association = ae.associate(
            "127.0.0.1", recorder.port, ae_title="PACS", ext_neg=[role],
            evt_handlers=[(evt.EVT_C_STORE, lambda event: 0x0000)],
        )  # fmt: skip
        assert association.is_established
        responses = list(association.send_c_get(query, PatientRootQueryRetrieveInformationModelGet))
        assert responses
        association.release()
    facts = told(recorder)
    assert ("dicom.role", "storage_scp", "client") in facts
    assert ("dicom.role", "get_scp", "server") in facts
    assert ("dicom.command", "C-STORE", "server") in facts
    assert ("dicom.patient_data", "yes", "server") in facts
    assert not [f for f in facts if f[0] in ("dicom.modality", "dicom.manufacturer", "dicom.station_name")]


def test_rejection_tells_why_and_gives_the_acceptor_no_title() -> None:
    ae = modality()
    ae.add_requested_context(Verification)
    with archive() as recorder:
        association = ae.associate("127.0.0.1", recorder.port, ae_title="NOBODY")
        assert association.is_rejected
    facts = told(recorder)
    assert ("dicom.reject_reason", "called AE title not recognized", "server") in facts
    assert ("dicom.called_ae_title", "NOBODY", "server") in facts
    assert not [fact for fact in facts if fact[0] == "dicom.ae_title" and fact[2] == "server"]


def test_abort_is_told() -> None:
    ae = modality()
    ae.add_requested_context(Verification)
    with archive() as recorder:
        association = ae.associate("127.0.0.1", recorder.port, ae_title="PACS")
        association.abort()
    assert ("dicom.abort_reason", "service user", "client") in told(recorder)


def test_move_tells_the_destination() -> None:
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", generate_uid()
    ae = modality("VIEWER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelMove)

    def answer(event: Event) -> Iterator[object]:
        yield None, None

    with archive(EVT_C_MOVE=answer) as recorder:
        association = ae.associate("127.0.0.1", recorder.port, ae_title="PACS")
        assert association.is_established
        assert list(association.send_c_move(query, "STRANGER", StudyRootQueryRetrieveInformationModelMove))
        association.release()
    facts = told(recorder)
    assert ("dicom.move_destination", "STRANGER", "client") in facts
    assert ("dicom.role", "move_scu", "client") in facts


def test_every_fact_is_declared() -> None:
    assert set(Dicom.manifest.fields) >= {field for field, _, _ in EQUIPMENT}
