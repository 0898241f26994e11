"""A modality: asks the worklist, makes images (pydicom), reports the step and stores to the archive."""

from __future__ import annotations

import datetime
import sys
import time

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ModalityPerformedProcedureStep,
    ModalityWorklistInformationFind,
    MRImageStorage,
    UltrasoundImageStorage,
    Verification,
)

from actors.invented import PATIENTS

KINDS = {
    # modality, SOP class, AE title, manufacturer, model, station, software, serial, UID root, version name
    "ct": ("CT", CTImageStorage, "CT_SOMATOM", "SIEMENS", "SOMATOM go.Top", "CT01WARD", "syngo CT VA40A", "118207", "1.3.12.2.1107.5.1.7.118207", "SIEMENS_S7VA40A"),
    "mr": ("MR", MRImageStorage, "MR_INGENIA", "Philips Medical Systems", "Ingenia", "MR02WARD", "5.7.1", "71423", "1.3.46.670589.11.71423", "PHILIPS MR 57.1"),
    "ultrasound": ("US", UltrasoundImageStorage, "LOGIQE10", "GE Healthcare", "LOGIQE10", "US-WARD3", "R3.1.2", "LE1042", "1.2.840.113619.6.411", "LOGIQE10_3"),
    "xray": ("DX", DigitalXRayImageStorageForPresentation, "DX_MOBILE", "Carestream Health", "DRX-Revolution", "DX-MOB-1", "6.1.25.0", "3381", "1.2.840.113564.3.1.64", "CSH_6.1"),
}  # fmt: skip


def image(kind: str, number: int, patient: tuple[str, str, str, str], study: str) -> Dataset:
    """Return one small image of the modality with the head a real one has."""
    modality, sop_class, _, maker, model, station, software, serial, root, _ = KINDS[kind]
    name, identifier, born, sex = patient
    now = datetime.datetime.now(datetime.UTC)
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = sop_class
    made.SOPInstanceUID = generate_uid(prefix=f"{root[:30].rstrip('.')}.")
    made.StudyDate = made.ContentDate = now.strftime("%Y%m%d")
    made.StudyTime = made.ContentTime = now.strftime("%H%M%S")
    made.AccessionNumber = f"ACC{number:06d}"
    made.Modality, made.Manufacturer = modality, maker
    made.InstitutionName = "Example General Hospital"
    made.ReferringPhysicianName = "Nebelkraehe^Ottokar"
    made.StationName, made.StudyDescription = station, "Routine"
    made.InstitutionalDepartmentName = "Radiology"
    made.ManufacturerModelName = model
    made.OperatorsName = "Sperlingsgasse^Tekla"
    made.PatientName, made.PatientID, made.PatientBirthDate, made.PatientSex = name, identifier, born, sex
    made.BodyPartExamined = "CHEST"
    made.DeviceSerialNumber, made.SoftwareVersions = serial, software
    made.StudyInstanceUID, made.SeriesInstanceUID = study, f"{study}.1"
    made.InstanceNumber = str(number)
    made.Rows = made.Columns = 64
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation = 15, 0
    made.PixelData = bytes(64 * 64 * 2)
    return made


def ask_worklist(entity: AE) -> None:
    """Ask the RIS for today's examinations (PS3.4 annex K)."""
    with_ris = entity.associate("10.20.0.11", 11112, ae_title="RIS_MWL")
    if with_ris.is_established:
        query = Dataset()
        query.PatientName = query.PatientID = query.AccessionNumber = ""
        step = Dataset()
        step.Modality, step.ScheduledStationAETitle = "", ""
        query.ScheduledProcedureStepSequence = [step]
        list(with_ris.send_c_find(query, ModalityWorklistInformationFind))
        with_ris.release()


def report_step(entity: AE, kind: str, patient: tuple[str, str, str, str], study: str) -> None:
    """Open a performed procedure step at the RIS (PS3.4 annex F)."""
    with_ris = entity.associate("10.20.0.11", 11112, ae_title="RIS_MWL")
    if with_ris.is_established:
        step = Dataset()
        step.PatientName, step.PatientID = patient[0], patient[1]
        step.PerformedStationAETitle, step.PerformedStationName = KINDS[kind][2], KINDS[kind][5]
        step.PerformedProcedureStepID, step.PerformedProcedureStepStatus = "PPS1", "IN PROGRESS"
        step.Modality, step.StudyID = KINDS[kind][0], "1"
        with_ris.send_n_create(step, ModalityPerformedProcedureStep, generate_uid())
        with_ris.release()
    del study


def main(kind: str) -> None:
    """Do three examinations."""
    _, sop_class, title, *_, root, version = KINDS[kind]
    entity = AE(ae_title=title)
    entity.implementation_class_uid, entity.implementation_version_name = root, version
    for context in (Verification, sop_class, ComputedRadiographyImageStorage):
        entity.add_requested_context(context)
    entity.add_requested_context(ModalityWorklistInformationFind)
    entity.add_requested_context(ModalityPerformedProcedureStep)
    for examination in range(3):
        patient = PATIENTS[(examination + len(kind)) % len(PATIENTS)]
        study = generate_uid(prefix=f"{root[:30].rstrip('.')}.")
        ask_worklist(entity)
        report_step(entity, kind, patient, study)
        archive = entity.associate("10.20.0.10", 104, ae_title="ARCHIVE")
        if archive.is_established:
            archive.send_c_echo()
            for number in range(1, 7):
                archive.send_c_store(image(kind, number, patient, study))
            archive.release()
        time.sleep(14)


if __name__ == "__main__":
    main(sys.argv[1])
