"""dcmtk, Orthanc, pynetdicom and hl7 among themselves: every peer found with make, model and role."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hl7
import msgspec
import pytest
from hl7.mllp import open_hl7_connection, start_hl7_server
from hl7.mllp.streams import HL7StreamReader, HL7StreamWriter
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, evt
from tests.dissect.recording import RecordingProxy, concluded, heard, stated
from tests.ports import reserved_port
from tests.programs import program, run, serving
from tests.waiting import PATIENCE

from medwarden.inventory.batteries import batteries
from medwarden.inventory.clinical_peers import ConflictKind, registry_of

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
MPPS, COMMITMENT = "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = UID("1.2.840.10008.1.20.1.1")
CT_IP, MR_IP, PACS_IP, VIEWER_IP, RIS_IP = (f"10.1.0.{n}" for n in (11, 12, 21, 31, 41))
PATIENT = ("Doe^Jane", "MRN-0099887", "19610203")
SECRETS = ("doe", "jane", "0099887", "19610203")


def image(path: Path, kind: str, **about: str) -> Path:
    """Write an image of ``kind`` with the equipment it is from."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID, ds.SOPInstanceUID = UID(kind), generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.Modality = "CT" if kind == CT else "MR"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = PATIENT
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "20260102", "1011", "1", 1, 1
    ds.StudyDescription, ds.BodyPartExamined = "CT Thorax Doe", "CHEST"
    ds.SeriesDescription = "Thorax axial 3mm"
    for name, value in about.items():
        setattr(ds, name, value)
    ds.Rows = ds.Columns = 16
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelData = 1, "MONOCHROME2", bytes(512)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dcmwrite(path, ds, enforce_file_format=True)
    return path


SIEMENS_CT = {
    "Manufacturer": "Siemens Healthineers",
    "ManufacturerModelName": "SOMATOM Force",
    "StationName": "CT_ROOM_2",
    "DeviceSerialNumber": "75123",
    "SoftwareVersions": "syngo CT VA40A",
}
GE_MR = {
    "Manufacturer": "GE MEDICAL SYSTEMS",
    "ManufacturerModelName": "SIGNA Premier",
    "StationName": "MR_1",
    "DeviceSerialNumber": "R03821",
}


def no_secret(facts: set[tuple[str, str]]) -> None:
    for field, value in facts:
        for secret in SECRETS:
            assert secret not in value.lower(), f"{field} tells {secret}"


def test_archive_modality_and_viewer_of_dcmtk(tmp_path: Path) -> None:
    ct = image(tmp_path / "ct.dcm", CT, **SIEMENS_CT)
    store, inbox = tmp_path / "store", tmp_path / "in"
    store.mkdir()
    inbox.mkdir()
    server, viewer = reserved_port(), reserved_port()
    with ExitStack() as stack:
        stack.enter_context(
            serving([program("storescp"), "-aet", "VIEWER", "-od", inbox, viewer], tmp_path, viewer)
        )
        back = stack.enter_context(RecordingProxy(viewer, PACS_IP, VIEWER_IP))
        config = tmp_path / "qr.cfg"
        config.write_text(
            f"NetworkTCPPort = {server}\nMaxPDUSize = 16384\nMaxAssociations = 16\nHostTable BEGIN\n"
            f"viewer = (VIEWER, localhost, {back.port})\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
            f"AETable BEGIN\nARCHIVE {store} RW (200, 1024mb) ANY\nAETable END\n"
        )
        stack.enter_context(serving([program("dcmqrscp"), "-c", config], tmp_path, server))
        from_ct = stack.enter_context(RecordingProxy(server, CT_IP, PACS_IP))
        from_viewer = stack.enter_context(RecordingProxy(server, VIEWER_IP, PACS_IP))
        named = ("-aet", "CT_1", "-aec", "ARCHIVE", "localhost", from_ct.port)
        run(program("echoscu"), *named)
        run(program("storescu"), *named, ct)
        asked = ("-aet", "VIEWER", "-aec", "ARCHIVE", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k")
        at = ("localhost", from_viewer.port)
        run(program("findscu"), *asked, "PatientID=MRN-0099887", *at)
        run(program("movescu"), *asked, "PatientID=MRN-0099887", "-k", "StudyInstanceUID", *at)
        run(program("getscu"), "-od", inbox, *asked, "PatientID=MRN-0099887", "-k", "StudyInstanceUID", *at)
    facts = heard(from_ct, from_viewer, back)
    archive, viewing = stated(facts, PACS_IP), stated(facts, VIEWER_IP)
    for known in (archive, viewing, stated(facts, CT_IP)):
        no_secret(known)
    assert {
        ("dicom.ae_title", "ARCHIVE"),
        ("dicom.role", "query_scp"),
        ("dicom.role", "move_scp"),
        ("dicom.role", "get_scp"),
        ("dicom.source_manufacturer", "Siemens Healthineers"),
        ("dicom.source_device_serial_number", "75123"),
        ("dicom.move_originator", "VIEWER"),
        ("dicom.patient_data", "yes"),
    } <= archive
    assert not [field for field, _ in archive if field in ("dicom.manufacturer", "dicom.model_name")]
    assert any(field == "dicom.images_moved" and "images=1" in value for field, value in archive)
    assert any(field == "dicom.images_sent" and value.endswith("relayed") for field, value in archive)
    assert {
        ("dicom.move_destination", "VIEWER"),
        ("dicom.query_level", "STUDY"),
        ("dicom.command", "C-FIND"),
        ("dicom.command", "C-MOVE"),
        ("dicom.command", "C-GET"),
        ("dicom.role", "storage_scp"),
    } <= viewing
    assert {
        ("dicom.body_part", "CHEST"),
        ("dicom.series_description", "Thorax axial 3mm"),
        ("dicom.command", "C-ECHO"),
    } <= stated(facts, CT_IP)
    assert not [f for f in stated(facts, CT_IP) if f[0] == "dicom.study_description"], "a name is in it"
    found = concluded(facts)
    modality = found[CT_IP]
    assert (modality.category, modality.vendor, modality.model) == (
        "ct",
        "Siemens Healthineers",
        "SOMATOM Force",
    )
    assert (modality.serial, modality.firmware) == ("75123", "syngo CT VA40A")
    assert found[PACS_IP].category == "pacs"
    assert found[VIEWER_IP].category == "dicom_workstation"
    peers = registry_of(found.values())
    assert {(title.name, use.device) for title in peers.titles for use in title.holders} == {
        ("CT_1", CT_IP),
        ("ARCHIVE", PACS_IP),
        ("VIEWER", VIEWER_IP),
    }
    assert peers.conflicts == ()
    moves = found[VIEWER_IP].values("dicom.move_destination")
    # Were the viewer not known, nobody would be known to have the images that it had moved.
    (unknown,) = registry_of(
        [msgspec.structs.replace(found[VIEWER_IP], ledger=moves), found[PACS_IP]]
    ).conflicts
    assert (unknown.kind, unknown.name) == (ConflictKind.UNKNOWN_DESTINATION, "VIEWER")


def test_worklist_server_of_dcmtk(tmp_path: Path) -> None:
    lists = tmp_path / "RIS"
    lists.mkdir()
    (lists / "lockfile").touch()
    entry = Dataset()
    entry.SpecificCharacterSet = "ISO_IR 100"
    entry.PatientName, entry.PatientID, entry.PatientBirthDate = PATIENT
    entry.StudyInstanceUID = generate_uid()
    step = Dataset()
    step.Modality, step.ScheduledStationAETitle = "CT", "CT_1"
    step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime = "20260102", "1011"
    entry.ScheduledProcedureStepSequence = Items([step])
    entry.file_meta = FileMetaDataset()
    entry.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    entry.file_meta.MediaStorageSOPClassUID = UID("1.2.276.0.7230010.3.1.0.1")
    entry.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dcmwrite(lists / "one.wl", entry, enforce_file_format=True)
    server = reserved_port()
    with (
        serving([program("wlmscpfs"), "-dfr", "-dfp", tmp_path, server], tmp_path, server),
        RecordingProxy(server, CT_IP, RIS_IP) as proxy,
    ):
        keys = ("PatientName", "ScheduledProcedureStepSequence[0].Modality=CT")
        wanted = [part for key in keys for part in ("-k", key)]
        title = ("-k", "ScheduledProcedureStepSequence[0].ScheduledStationAETitle=CT_1")
        run(program("findscu"), "-W", "-aet", "CT_1", "-aec", "RIS", *wanted, *title, "localhost", proxy.port)
    facts = heard(proxy)
    assert {
        ("dicom.role", "worklist_scu"),
        ("dicom.modality", "CT"),
        ("dicom.scheduled_station_ae_title", "CT_1"),
    } <= stated(facts, CT_IP)
    answers = stated(facts, RIS_IP)
    assert {("dicom.role", "worklist_scp"), ("dicom.patient_data", "yes")} <= answers
    no_secret(answers | stated(facts, CT_IP))
    assert concluded(facts)[RIS_IP].category == "mwl_ris"


def orthanc_configuration(folder: Path, dicom: int, http: int, **more: object) -> Path:
    path = folder / "orthanc.json"
    settings = {
        "Name": "Router",
        "DicomAet": "ROUTER",
        "DicomPort": dicom,
        "HttpPort": http,
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "Plugins": [],
        "AuthenticationEnabled": False,
    }
    path.write_text(json.dumps(settings | more))
    return path


def _ask(port: int, path: str, body: bytes | None = None, **headers: str) -> bytes:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, named)
    with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
        content: bytes = answer.read()
    return content


def test_orthanc_that_forwards_images_of_two_makers_is_none_of_them(tmp_path: Path) -> None:
    ct, mr = image(tmp_path / "ct.dcm", CT, **SIEMENS_CT), image(tmp_path / "mr.dcm", MR, **GE_MR)
    dicom, http, target, inbox = reserved_port(), reserved_port(), reserved_port(), tmp_path / "in"
    inbox.mkdir()
    with ExitStack() as stack:
        stack.enter_context(serving([program("storescp"), "-od", inbox, target], tmp_path, target))
        forwarded = stack.enter_context(RecordingProxy(target, PACS_IP, VIEWER_IP))
        modalities = {"dest": ["DEST", "127.0.0.1", forwarded.port]}
        config = orthanc_configuration(tmp_path, dicom, http, DicomModalities=modalities)
        stack.enter_context(serving([program("Orthanc"), config], tmp_path, dicom, http, cwd=tmp_path))
        from_ct = stack.enter_context(RecordingProxy(dicom, CT_IP, PACS_IP))
        from_mr = stack.enter_context(RecordingProxy(dicom, MR_IP, PACS_IP))
        rest = stack.enter_context(RecordingProxy(http, VIEWER_IP, PACS_IP, 8042))
        run(program("storescu"), "-aet", "CT_1", "-aec", "ROUTER", "localhost", from_ct.port, ct)
        run(program("storescu"), "-aet", "MR_1", "-aec", "ROUTER", "localhost", from_mr.port, mr)
        instances = json.loads(_ask(rest.port, "/instances"))
        _ask(rest.port, "/modalities/dest/store", json.dumps(instances).encode())
        assert b"Orthanc" in _ask(rest.port, "/app/explorer.html")
        _ask(rest.port, "/patients?expand")
    facts = heard(from_ct, from_mr, forwarded, rest)
    no_secret({known for ip in (CT_IP, MR_IP, PACS_IP, VIEWER_IP) for known in stated(facts, ip)})
    router = stated(facts, PACS_IP)
    assert len(instances) == len(list(inbox.iterdir())) == 2, "both images were kept and forwarded"
    assert {("dicom.ae_title", "ROUTER"), ("dicom.role", "storage_scu")} <= router
    # How many associations it opens is Orthanc's own affair; its images give it away in either case.
    if len(forwarded.conversations) == 1:
        assert ("dicom.role", "storage_forwarder") in router, "two makers on one association"
    else:
        assert {("dicom.modality", "CT"), ("dicom.modality", "MR")} <= router, "one maker on each"
    found = concluded(facts)
    assert found[PACS_IP].category == "pacs"
    assert found[PACS_IP].model not in ("SOMATOM Force", "SIGNA Premier")
    assert (found[CT_IP].category, found[CT_IP].vendor) == ("ct", "Siemens Healthineers")
    assert (found[MR_IP].category, found[MR_IP].vendor, found[MR_IP].model) == (
        "mri",
        "GE HealthCare",
        "SIGNA Premier",
    )
    alone = concluded(heard(forwarded))[PACS_IP]
    assert alone.category not in ("ct", "mri"), "not even where only what it sends is heard"
    assert alone.serial is None


def test_dicomweb_of_orthanc(tmp_path: Path) -> None:
    plugin = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
    if not plugin.exists():
        pytest.skip("the DICOMweb plugin of Orthanc is not installed")
    ct = image(tmp_path / "ct.dcm", CT, **SIEMENS_CT)
    study = dcmread(ct).StudyInstanceUID
    dicom, http = reserved_port(), reserved_port()
    config = orthanc_configuration(tmp_path, dicom, http, Plugins=[str(plugin)])
    multipart = 'multipart/related; type="application/dicom"'
    found_as = "application/dicom+json"
    with ExitStack() as stack:
        stack.enter_context(serving([program("Orthanc"), config], tmp_path, dicom, http, cwd=tmp_path))
        from_ct = stack.enter_context(RecordingProxy(http, CT_IP, PACS_IP, 8042))
        from_viewer = stack.enter_context(RecordingProxy(http, VIEWER_IP, PACS_IP, 8042))
        part = b"--B\r\nContent-Type: application/dicom\r\n\r\n" + ct.read_bytes() + b"\r\n--B--\r\n"
        stored = f"{multipart}; boundary=B"
        _ask(from_ct.port, "/dicom-web/studies", part, Content_Type=stored, Accept=found_as)
        search = "/dicom-web/studies?PatientName=Doe*&ModalitiesInStudy=CT"
        assert json.loads(_ask(from_viewer.port, search, Accept=found_as))
        assert b"DICM" in _ask(from_viewer.port, f"/dicom-web/studies/{study}", Accept=multipart)
    facts = heard(from_ct, from_viewer)
    no_secret({known for ip in (CT_IP, PACS_IP, VIEWER_IP) for known in stated(facts, ip)})
    assert not [f for f in facts if str(study) in f.value]
    assert {
        ("dicomweb.role", "stow_client"),
        ("dicomweb.source_manufacturer", "Siemens Healthineers"),
        ("dicomweb.source_modality", "CT"),
        ("dicomweb.patient_data", "yes"),
    } <= stated(facts, CT_IP)
    assert {
        ("dicomweb.role", "qido_client"),
        ("dicomweb.role", "wado_client"),
        ("dicomweb.modality", "CT"),
    } <= stated(facts, VIEWER_IP)
    assert {
        ("dicomweb.role", "stow_server"),
        ("dicomweb.role", "qido_server"),
        ("dicomweb.role", "wado_server"),
        ("dicomweb.base_path", "/dicom-web"),
        ("dicomweb.patient_data", "yes"),
    } <= stated(facts, PACS_IP)
    assert concluded(facts)[PACS_IP].category != "ct"


def test_performed_step_and_commitment_of_pynetdicom() -> None:
    started, ended = Dataset(), Dataset()
    started.PatientName, started.PatientID = PATIENT[:2]
    started.Modality, started.PerformedStationAETitle, started.PerformedStationName = (
        "CT",
        "CT_1",
        "CT_ROOM_2",
    )
    started.PerformedLocation, started.PerformedProcedureStepStatus = "Radiology 1", "IN PROGRESS"
    ended.PerformedProcedureStepStatus = "COMPLETED"
    series = []
    for number in (2, 3):
        one = Dataset()
        one.SeriesInstanceUID, one.OperatorsName = generate_uid(), "Operator^Otto"
        one.ReferencedImageSequence = Items([Dataset() for _ in range(number)])
        for referenced in one.ReferencedImageSequence:
            referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = UID(CT), generate_uid()
        series.append(one)
    ended.PerformedSeriesSequence = Items(series)
    commit = Dataset()
    commit.TransactionUID = generate_uid()
    commit.ReferencedSOPSequence = Items(list(series[0].ReferencedImageSequence))

    server = AE("RIS")
    server.add_supported_context(UID(MPPS))
    server.add_supported_context(UID(COMMITMENT), scu_role=True, scp_role=True)
    step = generate_uid()
    handlers: list[Any] = [
        (evt.EVT_N_CREATE, lambda event: (0x0000, event.attribute_list)),
        (evt.EVT_N_SET, lambda event: (0x0110, None) if event.message_id == 9 else (0x0000, Dataset())),
        (evt.EVT_N_ACTION, lambda event: (0x0000, None)),
    ]
    listening = server.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert listening is not None
    try:
        with RecordingProxy(listening.server_address[1], CT_IP, RIS_IP) as proxy:
            ae = AE("CT_1")
            ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = PATIENCE
            ae.add_requested_context(UID(MPPS))
            ae.add_requested_context(UID(COMMITMENT))
            ae.add_requested_context(UID(MR))
            association = ae.associate("127.0.0.1", proxy.port, ae_title="RIS")
            assert association.is_established
            assert association.send_n_create(started, UID(MPPS), step)[0].Status == 0
            assert association.send_n_set(ended, UID(MPPS), step)[0].Status == 0
            assert association.send_n_set(ended, UID(MPPS), step, msg_id=9)[0].Status == 0x0110
            assert association.send_n_action(commit, 1, UID(COMMITMENT), COMMITMENT_INSTANCE)[0].Status == 0
            association.release()
    finally:
        listening.shutdown()
    facts = heard(proxy)
    modality, ris = stated(facts, CT_IP), stated(facts, RIS_IP)
    no_secret(modality | ris)
    assert not [value for _, value in modality if "Otto" in value]
    assert {
        ("dicom.exam_started", "1970-01-01T00:00Z CT"),
        ("dicom.exam_ended", "1970-01-01T00:00Z completed series=2 images=5"),
        ("dicom.performed_station_ae_title", "CT_1"),
        ("dicom.performed_location", "Radiology 1"),
        ("dicom.storage_commitment", "requested"),
        ("dicom.role", "mpps_scu"),
        ("dicom.role", "storage_commitment_scu"),
        ("dicom.command", "N-CREATE"),
        ("dicom.command", "N-SET"),
        ("dicom.command", "N-ACTION"),
    } <= modality
    assert {
        ("dicom.status", "N-SET: processing failure (0x0110)"),
        ("dicom.context_refused", "MR Image Storage: abstract syntax not supported"),
        ("dicom.role", "mpps_scp"),
    } <= ris
    assert concluded(facts)[CT_IP].category == "ct"


def test_gateway_and_pump_over_mllp_of_the_hl7_package() -> None:
    def observation(sender: str, *pumps: str) -> str:
        lines = [rf"MSH|^~\&|{sender}|ICU|EHR|HOSP|20260102||ORU^R01^ORU_R01|7|P|2.6", "PID|||77||Doe^Jane"]
        for pump in pumps:
            lines += [
                "OBR|1|||69986^MDC_DEV_PUMP_INFUS_MDS^MDC",
                f"OBX|1||69986^MDC_DEV_PUMP_INFUS_MDS^MDC|1|||||||X|||||||{pump}",
                "OBX|2|NM|67996^MDC_ATTR_VAL_BATT_CHARGE^MDC|1.1|64|262688^MDC_DIM_PERCENT^MDC",
            ]
        return "\r".join(lines) + "\r"

    served: list[asyncio.Task[None] | None] = []

    async def serve(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        served.append(asyncio.current_task())
        while not reader.at_eof():
            try:
                message = await reader.readmessage()
            except asyncio.IncompleteReadError:
                break
            writer.writemessage(message.create_ack(application="EHR", facility="HOSP"))
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def talk(port: int, *messages: str) -> None:
        reader, writer = await open_hl7_connection("127.0.0.1", port)
        for message in messages:
            writer.writemessage(hl7.parse(message))
            await writer.drain()
            await reader.readmessage()
        writer.close()
        await writer.wait_closed()

    async def both() -> list[RecordingProxy]:
        server = await start_hl7_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            proxies = [
                RecordingProxy(port, "10.1.0.51", "10.1.0.61", 2575),
                RecordingProxy(port, "10.1.0.52", "10.1.0.61", 6000),
            ]
            await talk(proxies[0].port, observation("GATEWAY", "P1^Space", "P2^Space"))
            await talk(proxies[1].port, *2 * [observation("PUMP", "SN-7^Infusomat Space")])
            await asyncio.gather(*filter(None, served))
        return proxies

    proxies = asyncio.run(both())
    for proxy in proxies:
        proxy.__exit__()
    facts = heard(*proxies)
    no_secret({known for n in (51, 52, 61) for known in stated(facts, f"10.1.0.{n}")})
    assert {("hl7.role", "gateway"), ("hl7.source_battery_percent", "P2 60")} <= stated(facts, "10.1.0.51")
    assert {("hl7.ack_code", "AA"), ("hl7.sending_application", "EHR")} <= stated(facts, "10.1.0.61")
    assert any(field == "hl7.ack_latency_ms" for field, _ in stated(facts, "10.1.0.61"))
    found = concluded(facts)
    assert found["10.1.0.51"].category == "device_gateway"
    assert (found["10.1.0.52"].category, found["10.1.0.52"].vendor) == ("infusion_pump", "B. Braun")
    assert {(b.device, b.equipment, b.percent) for b in batteries(found.values())} == {
        ("10.1.0.51", "P1", 60),
        ("10.1.0.51", "P2", 60),
        ("10.1.0.52", "SN-7", 60),
    }
    names = {title.name: title for title in registry_of(found.values()).titles}
    assert [use.device for use in names["GATEWAY"].holders] == ["10.1.0.51"]
    assert "ICU" in names["PUMP"].facilities
