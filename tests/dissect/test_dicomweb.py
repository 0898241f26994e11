"""DICOMweb over HTTP: services, roles, modalities; no UID and no name out of targets or bodies."""

from __future__ import annotations

import pytest
from tests.dissect.test_fhir import Told, request, response, segments

from medwarden.dissect.dicomweb import DicomWeb
from medwarden.dissect.observer import Observer

DICOM_JSON = "Accept: application/dicom+json"


def told(*pieces: tuple[bool, bytes], port: int = 8042) -> Told:
    observer = Observer(b"k" * 32)
    facts = [fact for s in segments(*pieces, port=port) for fact in observer.observe(s)]
    assert observer.applications() == {1: "dicomweb"}
    return {(f.field, f.value, "client" if f.ip == "192.0.2.10" else "server") for f in facts}


@pytest.mark.parametrize(
    ("line", "role"),
    [
        ("GET /dicom-web/studies?PatientName=Roe", "qido"),
        ("GET /rs/studies/1.2.840.1/series", "qido"),
        ("GET /dicomweb/studies/1.2.840.1", "wado"),
        ("GET /dicom-web/studies/1.2.840.1/series/1.2.840.2/instances/1.2.840.3/frames/1", "wado"),
        ("POST /wado-rs/studies", "stow"),
        ("POST /dicom-web/studies/1.2.840.1", "stow"),
        ("POST /dicom-web/workitems", "ups"),
        ("GET /wado?requestType=WADO&studyUID=1.2.840.1&objectUID=1.2.3", "wado_uri"),
    ],
)
def test_services(line: str, role: str) -> None:
    facts = told((True, request(line)))
    assert ("dicomweb.role", f"{role}_client", "client") in facts
    assert not [f for f in facts if "Roe" in f[1] or "1.2" in f[1]]


def test_base_path_is_told_where_it_names_a_program() -> None:
    assert ("dicomweb.base_path", "/dicom-web", "server") in told((True, request("GET /dicom-web/studies")))
    odd = told((True, request("GET /doe-jane/studies", DICOM_JSON)))
    assert not [f for f in odd if "jane" in f[1]]


@pytest.mark.parametrize("key", ["Modality", "ModalitiesInStudy", "00080060"])
def test_only_defined_modalities_of_a_query_are_told(key: str) -> None:
    facts = told((True, request(f"GET /dicom-web/studies?{key}=CT,ROE&PatientID=MR", DICOM_JSON)))
    assert {f[1] for f in facts if f[0] == "dicomweb.modality"} == {"CT"}


def test_refused_store_makes_no_server() -> None:
    refusal = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n"
    facts = told((True, request("POST /dicom-web/studies")), (False, refusal))
    assert not [f for f in facts if f[2] == "server" and f[0] == "dicomweb.role"]


def test_answer_alone_tells_a_server() -> None:
    answer = response(b"[]", "Content-Type: application/dicom+json", "Server: dcm4che")
    facts = told((False, answer), port=9000)
    assert {("dicomweb.role", "server", "server"), ("http.server", "dcm4che", "server")} <= facts


@pytest.mark.parametrize(
    "body", [b"[]", b'[{"00100010":{"vr":"PN"}}]', b'[{"00100020":{"vr":"LO","Value":[""]}}]']
)
def test_empty_names_are_no_patients(body: bytes) -> None:
    answer = response(body, "Content-Type: application/dicom+json")
    facts = told((True, request("GET /dicom-web/studies")), (False, answer))
    assert not [f for f in facts if f[0] == "dicomweb.patient_data"]


@pytest.mark.parametrize(
    "noise", [b"", b"DICM", bytes(128) + b"DICM", bytes(128) + b"DICM\x02\x00\x00\x00UL\x04\x00"]
)
def test_body_that_is_no_instance_is_passed_over(noise: bytes) -> None:
    store = request(
        "POST /dicom-web/studies", 'Content-Type: multipart/related; type="application/dicom"', body=noise
    )
    assert not [f for f in told((True, store)) if f[0].startswith("dicomweb.source")]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /studies HTTP/1.1\r\n\r\n",
        b"GET /university/studies/2024 HTTP/1.1\r\n\r\n",
        b"GET /tv/series/12 HTTP/1.1\r\nAccept: text/html\r\n\r\n",
        b"GET /rs/studies\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\napplication/dicom",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/dicomposer\r\n\r\n",
    ],
)
def test_what_is_no_dicomweb_is_not_recognised(payload: bytes) -> None:
    assert not DicomWeb.recognises(payload, True)
    assert not DicomWeb.recognises(payload, False)
