"""The picture archive: takes what it is sent and answers queries (pynetdicom)."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification

from actors.invented import PATIENTS


def on_find(event: evt.Event) -> object:
    """Answer a study query with two studies."""
    del event
    for name, identifier, _, _ in PATIENTS[:2]:
        answer = Dataset()
        answer.QueryRetrieveLevel, answer.PatientName, answer.PatientID = "STUDY", name, identifier
        answer.StudyInstanceUID, answer.ModalitiesInStudy = "1.2.3.4", "CT"
        yield 0xFF00, answer


def main() -> None:
    """Serve on port 104."""
    entity = AE(ae_title="ARCHIVE")
    entity.implementation_version_name = "VNA_ARCHIVE_8"
    entity.supported_contexts = AllStoragePresentationContexts
    entity.add_supported_context(Verification)
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    handlers = [
        (evt.EVT_C_STORE, lambda _event: 0),
        (evt.EVT_C_ECHO, lambda _event: 0),
        (evt.EVT_C_FIND, on_find),
    ]
    entity.start_server(("0.0.0.0", 104), evt_handlers=handlers)


if __name__ == "__main__":
    main()
