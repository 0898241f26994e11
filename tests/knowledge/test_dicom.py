"""What DICOM identifiers say."""

from __future__ import annotations

import pytest

from medwarden.knowledge.dicom import (
    dicom_knowledge,
    kind_of_modalities,
    maker_of_uid,
    modality_of_storage,
    program_of,
    toolkit_of_uid,
)
from medwarden.knowledge.taxonomy import categories


@pytest.mark.parametrize(
    ("uid", "maker", "toolkit"),
    [
        ("1.2.840.113619.6.284", "GE HealthCare", None),
        ("1.3.12.2.1107.5.2", "Siemens Healthineers", None),
        ("1.3.46.670589.11.0.0.51.4.51.0", "Philips", None),
        ("1.2.276.0.7230010.3.0.3.6.0", None, "DCMTK"),
        ("2.16.840.1.114151.100.1.1", None, "MergeCOM"),
        ("1.2.826.0.1.3680043.9.3811.3.0.4", None, "pynetdicom"),
        ("1.2.3", None, None),
        ("1.2.840.1136190", None, None),
    ],
)
def test_roots(uid: str, maker: str | None, toolkit: str | None) -> None:
    assert maker_of_uid(uid) == maker
    assert toolkit_of_uid(uid) == toolkit


@pytest.mark.parametrize(
    ("modalities", "kind"),
    [
        ({"CT"}, "ct"),
        ({"CT", "SR", "PR"}, "ct"),
        ({"CT", "PT"}, "pet"),
        ({"CT", "MR"}, None),
        ({"SR", "OT"}, None),
        (set(), None),
        ({"RTPLAN", "RTDOSE"}, "rt_planning"),
    ],
)
def test_kinds_of_modalities(modalities: set[str], kind: str | None) -> None:
    assert kind_of_modalities(frozenset(modalities)) == kind


def test_storage_classes() -> None:
    assert modality_of_storage("CT Image Storage") == "CT"
    assert modality_of_storage("Digital Mammography X-Ray Image Storage - For Presentation") == "MG"
    assert modality_of_storage("Digital X-Ray Image Storage - For Presentation") == "DX"
    assert modality_of_storage("Secondary Capture Image Storage") is None


def test_programs() -> None:
    program = program_of("ORTHANC1.12.1")
    assert program is not None
    assert program.category == "pacs"
    assert program_of("OFFIS_DCMTK_367") is None


def test_every_category_exists() -> None:
    known = dicom_knowledge()
    named = {
        *known.modalities.values(),
        *(p.category for p in known.programs),
        *(t.category for t in known.together),
    }
    assert named <= categories().keys()
    assert set(known.storage.values()) <= known.modalities.keys()
