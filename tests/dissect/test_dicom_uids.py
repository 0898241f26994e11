"""The names of unique identifiers against the registry as pydicom carries it."""

from __future__ import annotations

import pytest
from pydicom._uid_dict import UID_dictionary

from medwarden.dissect.dicom_uids import DEFLATED, ROOT, SOP_CLASSES, TRANSFER_SYNTAXES, service


def test_names_are_those_of_the_registry() -> None:
    registered = {
        uid: name.replace("–", "-").strip()
        for uid, (name, kind, *_) in UID_dictionary.items()
        if kind in ("SOP Class", "Meta SOP Class") and name.strip()
    }
    assert registered == SOP_CLASSES


def test_transfer_syntaxes_are_those_of_the_registry() -> None:
    registered = {uid: name for uid, (name, kind, *_) in UID_dictionary.items() if kind == "Transfer Syntax"}
    plain = {uid: name.replace("–", "-").strip() for uid, name in registered.items()}
    # pynetdicom knows some that came later than the registry of pydicom, and adds them when imported.
    assert plain.items() <= TRANSFER_SYNTAXES.items()
    later = {TRANSFER_SYNTAXES[uid] for uid in TRANSFER_SYNTAXES.keys() - plain.keys()}
    assert all(name == "Deflated Image Frame Compression" or name.startswith("JPEG XL") for name in later)
    assert all("Deflate" in TRANSFER_SYNTAXES[uid] for uid in DEFLATED)


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        ("1.1", "echo"),
        ("5.1.4.1.1.2", "storage"),
        ("5.1.4.1.1.88.22", "storage"),
        ("5.1.4.1.2.2.1", "query"),
        ("5.1.4.1.2.2.2", "move"),
        ("5.1.4.1.2.1.3", "get"),
        ("5.1.4.31", "worklist"),
        ("3.1.2.3.3", "mpps"),
        ("1.20.1", "storage_commitment"),
        ("5.1.1.9", "print"),
        ("5.1.1.27", "storage"),
        ("5.1.4.34.6.1", "unified_procedure_step"),
        ("5.1.4.38.2", "query"),
    ],
)
def test_service_of_a_class(suffix: str, expected: str) -> None:
    assert service(ROOT + suffix) == expected


def test_private_and_unknown_classes_have_no_service() -> None:
    assert service("1.2.840.113619.4.26") is None
    assert service(ROOT + "99.1") is None


def test_nearly_every_registered_class_has_a_service() -> None:
    assert len([uid for uid in SOP_CLASSES if service(uid) is None]) <= 6
