"""FHIR over HTTP: servers, clients and the devices spoken of; nothing of patients; hostile bodies."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.fhir import BODY_LIMIT, Fhir
from medwarden.dissect.fhir_resource import MAX_DEPTH, resources
from medwarden.dissect.observer import Observer
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Told = set[tuple[str, str, str]]


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    head = [f"{line} HTTP/1.1", "Host: x", *headers, *([f"Content-Length: {len(body)}"] if body else [])]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def response(body: bytes, *headers: str) -> bytes:
    head = ["HTTP/1.1 200 OK", *(headers or ("Content-Type: application/fhir+json",))]
    return "\r\n".join([*head, f"Content-Length: {len(body)}"]).encode() + b"\r\n\r\n" + body


def segments(*pieces: tuple[bool, bytes], port: int, size: int = 1 << 20) -> list[Segment]:
    found = []
    offsets = {True: 0, False: 0}
    for from_client, data in pieces:
        ips = ("192.0.2.10", "192.0.2.20") if from_client else ("192.0.2.20", "192.0.2.10")
        ports = (50000, port) if from_client else (port, 50000)
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            found.append(
                Segment(
                    1,
                    1,
                    Transport.TCP,
                    None,
                    None,
                    *ips,
                    *ports,
                    None,
                    from_client,
                    piece,
                    offsets[from_client],
                )
            )
            offsets[from_client] += len(piece)
    return found


def told(*pieces: tuple[bool, bytes], port: int = 8080, size: int = 1 << 20) -> Told:
    observer = Observer(b"k" * 32)
    facts = [fact for s in segments(*pieces, port=port, size=size) for fact in observer.observe(s)]
    assert observer.applications() == {1: "fhir"}
    return {(f.field, f.value, "client" if f.ip == "192.0.2.10" else "server") for f in facts}


SEARCH = request("GET /fhir/Device?patient=77", "Accept: application/fhir+json")
DEVICE = {"resourceType": "Device", "manufacturer": "ACME", "serialNumber": "SN1", "modelNumber": "P1"}


@pytest.mark.parametrize("port", [80, 8080, 8042, 9999])
@pytest.mark.parametrize("size", [100, 1 << 20])
def test_is_found_on_ports_of_http_and_any_other(port: int, size: int) -> None:
    facts = told((True, SEARCH), (False, response(json.dumps(DEVICE).encode())), port=port, size=size)
    assert {
        ("fhir.role", "client", "client"),
        ("fhir.role", "server", "server"),
        ("fhir.source_manufacturer", "ACME", "server"),
        ("fhir.source_model", "P1", "server"),
        ("fhir.source_serial", "SN1", "server"),
        ("http.method", "GET", "client"),
    } <= facts


def test_other_http_stays_http() -> None:
    observer = Observer(b"k" * 32)
    for segment in segments((True, request("GET /index.html")), port=80):
        observer.observe(segment)
    assert observer.applications() == {1: "http"}


def test_garbage_on_a_port_of_http_is_nobodys_but_http() -> None:
    observer = Observer(b"k" * 32)
    for segment in segments((True, b"\x00\x01garbage that is no request\r\n"), port=80):
        observer.observe(segment)
    assert not {"fhir", "dicomweb"} & set(observer.malformed)


def test_serial_number_of_a_patients_own_device_is_not_told() -> None:
    own = DEVICE | {"patient": {"reference": "Patient/1"}}
    facts = told((True, SEARCH), (False, response(json.dumps(own).encode())))
    assert ("fhir.source_model", "P1", "server") in facts
    assert ("fhir.patient_data", "yes", "server") in facts
    assert not [f for f in facts if f[0] == "fhir.source_serial"]


def test_serial_number_is_not_told_of_a_body_cut_before_the_patient_could_come() -> None:
    long = json.dumps(DEVICE | {"note": [{"text": "x" * BODY_LIMIT}], "patient": {"reference": "Patient/1"}})
    facts = told((True, SEARCH), (False, response(long.encode())))
    assert ("fhir.source_model", "P1", "server") in facts
    assert not [f for f in facts if f[0] == "fhir.source_serial"]


def test_long_bundle_is_read_as_far_as_it_is_kept() -> None:
    entry = {
        "resource": {"resourceType": "Observation", "device": {"reference": "DeviceMetric/1"}, "x": "y" * 400}
    }
    bundle = {"resourceType": "Bundle", "entry": [entry] * 200}
    facts = told((True, SEARCH), (False, response(json.dumps(bundle).encode())))
    assert ("fhir.observation_source", "DeviceMetric", "server") in facts


def test_compressed_answer_is_read() -> None:
    body = gzip.compress(json.dumps(DEVICE).encode())
    headers = ("Content-Type: application/fhir+json", "Content-Encoding: gzip")
    assert ("fhir.source_model", "P1", "server") in told((True, SEARCH), (False, response(body, *headers)))


def test_plain_json_is_read_where_fhir_was_asked_for() -> None:
    answer = response(json.dumps(DEVICE).encode(), "Content-Type: application/json")
    assert ("fhir.source_model", "P1", "server") in told((True, SEARCH), (False, answer))


@pytest.mark.parametrize(
    ("line", "interaction"),
    [
        ("GET /fhir/Patient/123", "read Patient"),
        ("GET /fhir/Patient?name=Roe", "search Patient"),
        ("POST /fhir/Patient/_search", "search Patient"),
        ("GET /fhir/Observation/1/_history/2", "history Observation"),
        ("POST /hapi/fhir/Observation", "create Observation"),
        ("PUT /fhir/Device/1", "update Device"),
        ("PATCH /fhir/Device/1", "patch Device"),
        ("DELETE /fhir/Device/1", "delete Device"),
        ("GET /fhir/Patient/1/$everything", "operation Patient"),
        ("GET /fhir/R4/metadata", "capabilities"),
        ("GET http://proxy.example/fhir/Device", "search Device"),
    ],
)
def test_interactions(line: str, interaction: str) -> None:
    facts = told((True, request(line)), port=9000)
    assert ("fhir.interaction", interaction, "client") in facts
    assert not [f for f in facts if "Roe" in f[1] or "123" in f[1]]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /fhir HTTP/1.1\r\n\r\n",
        b"GET /Patient/1 HTTP/1.1\r\nAccept: text/html\r\n\r\n",
        b"GET /blog/fhir-explained/Patients HTTP/1.1\r\n\r\n",
        b"POST /x HTTP/1.1\r\nContent-Type: application/json\r\n\r\nfhir application/fhir+json",
        b"fhir application/fhir+json",
    ],
)
def test_what_is_no_fhir_is_not_recognised(payload: bytes) -> None:
    assert not Fhir.recognises(payload, True)
    assert not Fhir.recognises(payload, False)


def test_xml_and_json_say_the_same() -> None:
    as_json = json.dumps(
        {
            "resourceType": "Device",
            "deviceName": [{"name": "A", "type": "model-name"}, {"name": "B", "type": "other"}],
            "udiCarrier": [{"deviceIdentifier": "1"}, {"deviceIdentifier": "2"}],
        }
    ).encode()
    as_xml = (
        b'<Device xmlns="http://hl7.org/fhir">'
        b'<deviceName><name value="A"/><type value="model-name"/></deviceName>'
        b'<deviceName><name value="B"/><type value="other"/></deviceName>'
        b'<udiCarrier><deviceIdentifier value="1"/></udiCarrier>'
        b'<udiCarrier><deviceIdentifier value="2"/></udiCarrier></Device>'
    )
    (one,), (other,) = resources(as_json, False, True), resources(as_xml, True, True)
    assert one.type == other.type == "Device"
    assert one.grouped("deviceName") == other.grouped("deviceName")
    assert one.texts("udiCarrier", "deviceIdentifier") == other.texts("udiCarrier", "deviceIdentifier")


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b'<!DOCTYPE a [<!ENTITY b "c">]><Device/>', "document type"),
        (b"<a>" * (MAX_DEPTH + 1), "deeper"),
        (b"<Device></Patient>", "XML"),
    ],
)
def test_hostile_xml_is_refused(document: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        resources(document, True, False)


@given(st.binary(max_size=120), st.booleans(), st.booleans())
def test_any_body_gives_resources_or_one_error(document: bytes, is_xml: bool, complete: bool) -> None:
    try:
        found = resources(document, is_xml, complete)
    except MalformedInput:
        return
    assert sum(len(resource.values) for resource in found) <= len(document)


def test_observer_never_takes_a_refinement_by_its_port_alone() -> None:
    observer = Observer(b"k" * 32, members=[Fhir])
    garbage = segments((True, b"\x00" * 64), (False, b"\x01" * 64), port=80)
    for segment in garbage:
        assert observer.observe(segment) == []
    assert not observer.malformed
    assert observer.applications() == {}


def test_bomb_of_gzip_is_bounded() -> None:
    bomb = gzip.compress(b'{"resourceType":"Device","manufacturer":"ACME","x":["' + b"a" * 80_000_000)
    assert len(bomb) > BODY_LIMIT, "of which only the beginning is kept"
    headers = ("Content-Type: application/fhir+json", "Content-Encoding: gzip")
    facts = told((True, SEARCH), (False, response(bomb, *headers)))
    assert ("fhir.source_manufacturer", "ACME", "server") in facts
