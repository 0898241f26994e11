"""A reading workstation: looks for studies in the archive, checks peers with dcmtk's echoscu."""

from __future__ import annotations

import socket
import subprocess
import time

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

if __name__ == "__main__":
    entity = AE(ae_title="READ_WS1")
    entity.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    for _ in range(5):
        socket.gethostbyname("localhost")
        subprocess.run(
            ["echoscu", "-aet", "READ_WS1", "-aec", "ARCHIVE", "10.20.0.10", "104"], check=False, timeout=10
        )
        archive = entity.associate("10.20.0.10", 104, ae_title="ARCHIVE")
        if archive.is_established:
            query = Dataset()
            query.QueryRetrieveLevel, query.PatientName, query.ModalitiesInStudy = "STUDY", "*", ""
            list(archive.send_c_find(query, StudyRootQueryRetrieveInformationModelFind))
            archive.release()
        time.sleep(11)
