"""Captures of real stacks: what tshark reads in them comes out as facts, and patients do not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from medwarden.dissect.observer import Observer
from medwarden.flowcore import CaptureReader, FlowCore, FlowCoreConfig
from medwarden.model.evidence import Evidence

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("MEDWARDEN_SHARED", ROOT.parent / "shared"))
MADE = SHARED / "captures" / "made"
DICOM = [MADE / "dicom_dcmtk_echo_store.pcap", MADE / "dicom_orthanc_find_move_http.pcap"]
HL7 = [MADE / "hl7_mllp.pcap", SHARED / "captures" / "proto" / "hl7x" / "nDPI__pcap_hl7.pcap"]

pytestmark = [
    pytest.mark.skipif(not MADE.is_dir(), reason=f"no captures at {MADE}"),
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed"),
]

Facts = set[tuple[str | None, str, str]]


@cache
def observed(path: Path) -> tuple[tuple[Evidence, ...], dict[str, int], frozenset[str]]:
    """Return facts, malformed counts and applications of a capture, through the real flow core."""
    observer = Observer(b"k" * 32)
    interest = observer.core_interest
    core = FlowCore(
        FlowCoreConfig(
            stream_ports=interest.stream_ports,
            stream_starts=interest.stream_starts,
            datagram_ports=interest.datagram_ports,
            ethertypes=interest.ethertypes,
        )
    )
    data = path.read_bytes()
    reader = CaptureReader(core, path.name)
    at = 0
    while at < len(data):
        at += reader.feed(data, at, final=True)
    core.take_flows(final=True)
    facts = [fact for segment in core.take_segments() for fact in observer.observe(segment)]
    return tuple(facts), dict(observer.malformed), frozenset(observer.applications().values())


def facts_of(path: Path) -> Facts:
    return {(fact.ip, fact.field, fact.value) for fact in observed(path)[0]}


def tshark(path: Path, *arguments: str) -> str:
    command = ["tshark", "-r", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def rows(path: Path, display: str, *fields: str) -> list[list[str]]:
    """Return the fields of the frames that match, each frame a list of texts."""
    wanted = [part for field in fields for part in ("-e", field)]
    output = tshark(path, "-Y", display, "-T", "fields", "-E", "occurrence=f", *wanted)
    return [line.split("\t") for line in output.splitlines()]


def elements(path: Path, name: str) -> set[str]:
    """Return the values of a DICOM element as tshark prints them."""
    text = tshark(path, "-d", "tcp.port==4242,dicom", "-V", "-Y", "dicom")
    found = re.findall(rf"^ *\(\w{{4}},\w{{4}}\) +\d+ {name} +\[\w\w\] (.*)$", text, re.MULTILINE)
    return {value.strip() for value in found} - {"<Empty>"}


def hl7_segments(path: Path) -> list[str]:
    """Return all segments of all messages as tshark splits them."""
    output = tshark(path, "-d", "tcp.port==6661,hl7", "-Y", "hl7", "-T", "fields", "-e", "hl7.segment")
    return [part.lstrip(",") for part in output.replace("\n", "").split("\\r") if part]


@pytest.mark.parametrize("path", DICOM, ids=lambda p: p.stem)
def test_associations_are_those_of_tshark(path: Path) -> None:
    facts = facts_of(path)
    asked = rows(
        path, "dicom.pdu.type == 1", "ip.src", "ip.dst", "dicom.assoc.ae.calling", "dicom.assoc.ae.called",
        "dicom.userinfo.uid", "dicom.userinfo.version",
    )  # fmt: skip
    assert asked
    for src, dst, calling, called, implementation, version in asked:
        assert (src, "dicom.ae_title", calling.strip()) in facts
        assert (dst, "dicom.called_ae_title", called.strip()) in facts
        assert (src, "dicom.implementation_class_uid", implementation) in facts
        assert (src, "dicom.implementation_version_name", version) in facts
    answered = rows(path, "dicom.pdu.type == 2", "ip.src", "dicom.assoc.ae.called", "dicom.userinfo.uid")
    assert answered
    for src, called, implementation in answered:
        assert (src, "dicom.ae_title", called.strip()) in facts
        assert (src, "dicom.implementation_class_uid", implementation) in facts


@pytest.mark.parametrize("path", DICOM, ids=lambda p: p.stem)
@pytest.mark.parametrize(
    ("name", "field"), [("Modality", "dicom.modality"), ("Station Name", "dicom.station_name")]
)
def test_equipment_is_that_of_tshark(path: Path, name: str, field: str) -> None:
    printed = elements(path, name)
    assert printed
    assert {value for _, found, value in facts_of(path) if found == field} == printed


@pytest.mark.parametrize("path", HL7, ids=lambda p: p.stem)
def test_message_headers_are_those_of_tshark(path: Path) -> None:
    headers = [line for line in hl7_segments(path) if line.startswith("MSH|")]
    assert headers
    told = {(field, value) for _, field, value in facts_of(path)}
    for header in headers:
        parts = header.split("|")
        assert ("hl7.sending_application", parts[2]) in told
        assert ("hl7.sending_facility", parts[3]) in told
        assert ("hl7.receiving_application", parts[4]) in told
        assert ("hl7.message_type", "^".join(parts[8].split("^")[:2])) in told


def test_provider_and_consumer_of_sdc_are_told() -> None:
    path = MADE / "sdc11073_provider_consumer.pcap"
    facts, malformed, applications = observed(path)
    told = {(fact.ip, fact.field, fact.value) for fact in facts}
    assert {
        ("10.77.0.2", "sdc.role", "provider"),
        ("10.77.0.10", "sdc.role", "consumer"),
        ("10.77.0.2", "sdc.manufacturer", "Draeger"),
        ("10.77.0.2", "sdc.model_name", "TestDevice"),
        ("10.77.0.2", "sdc.device_type", "MedicalDevice"),
    } <= told
    assert "sdc" in applications
    assert "sdc" not in malformed


@pytest.mark.parametrize("path", sorted(MADE.glob("*.pcap")), ids=lambda p: p.stem)
def test_no_patient_is_told_and_nothing_is_malformed(path: Path) -> None:
    names = elements(path, "Patient's Name")
    numbers = elements(path, "Patient ID")
    for segment in hl7_segments(path):
        fields = [*segment.split("|"), *[""] * 6]
        if fields[0] == "PID":
            numbers.add(fields[3].split("^")[0])
            names |= {part for part in fields[5].split("^") if part}
    if path in DICOM or path in HL7:
        assert names, "tshark sees patients here, otherwise this test shows nothing"
        assert numbers
    facts, malformed, _ = observed(path)
    for fact in facts:
        assert fact.value not in numbers, f"{fact.field} tells a patient"
        for name in names:
            assert name.casefold() not in fact.value.casefold(), f"{fact.field} tells a patient"
    assert not malformed
