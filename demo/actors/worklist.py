"""The radiology information system: modality worklist and performed procedure steps (pynetdicom)."""

from __future__ import annotations

import sys

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import ModalityPerformedProcedureStep, ModalityWorklistInformationFind, Verification

from actors.invented import PATIENTS


def on_find(event: evt.Event) -> object:
    """Answer with an examination for every patient."""
    del event
    for name, identifier, born, sex in PATIENTS:
        answer = Dataset()
        answer.PatientName, answer.PatientID, answer.PatientBirthDate, answer.PatientSex = (
            name,
            identifier,
            born,
            sex,
        )
        answer.AccessionNumber = "ACC1"
        step = Dataset()
        step.Modality, step.ScheduledStationAETitle = "CT", "CT_SOMATOM"
        answer.ScheduledProcedureStepSequence = [step]
        yield 0xFF00, answer


def main(_work: str) -> None:
    """Serve on port 11112."""
    entity = AE(ae_title="RIS_MWL")
    for context in (Verification, ModalityWorklistInformationFind, ModalityPerformedProcedureStep):
        entity.add_supported_context(context)
    handlers = [(evt.EVT_C_FIND, on_find), (evt.EVT_N_CREATE, lambda event: (0, event.attribute_list))]
    entity.start_server(("0.0.0.0", 11112), evt_handlers=handlers)


if __name__ == "__main__":
    main(sys.argv[1])
