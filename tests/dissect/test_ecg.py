"""Electrocardiograms as files: the recorder is told, the patient is not."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.ecg import LIMIT, Ecg
from medwarden.dissect.observer import Observer
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]
CLIENT = "client"


def tag(number: int, value: bytes) -> bytes:
    return struct.pack("<BH", number, len(value)) + value


IDENTITY = (
    struct.pack("<HHHBB", 1, 2, 77, 0, 5)
    + b"C350\0\0"
    + bytes((20, 0xD0, 0, 0, 1))
    + bytes(16)
    + b"\x05"
    + b"R1.2\0SN-0815\x001.40\0LIB3\0Exemplar ECG\0"
)


def scp(tags: bytes = tag(0, b"Doe\0") + tag(2, b"MRN-77\0") + tag(14, IDENTITY) + tag(255, b"")) -> bytes:
    first = b"\0\0" + struct.pack("<HI", 1, 16 + len(tags)) + b"\x14\x14" + bytes(6) + tags
    pointers = struct.pack("<HII", 0, 16 + 30, 7) + struct.pack("<HII", 1, len(first), 7 + 46)
    pointers += struct.pack("<HII", 6, 0, 0)
    head = b"\0\0" + struct.pack("<HI", 0, 46) + b"\x14\x14" + b"SCPECG" + pointers
    return b"\0\0" + struct.pack("<I", 6 + len(head) + len(first)) + head + first + bytes(400)


ISHNE = (b"ISHNE1.0" + bytes(20) + b"Jane".ljust(40, b"\0") + b"Doe".ljust(40, b"\0")).ljust(232, b"\0")
ISHNE += b"analog-tape H12+".ljust(40, b"\0") + bytes(200)
AECG = b"""<?xml version="1.0" encoding="UTF-8"?><AnnotatedECG xmlns="urn:hl7-org:v3">
<subject><name>Doe</name></subject><seriesAuthor><manufacturedSeriesDevice><id root="1.2" extension="SN-9"/>
<manufacturerModelName>ELI &amp; 350</manufacturerModelName><softwareName>2.1.0</softwareName>
</manufacturedSeriesDevice></seriesAuthor></AnnotatedECG>"""
MUSE = b"""<?xml version="1.0" encoding="ISO-8859-1"?><!DOCTYPE RestingECG SYSTEM "restecg.dtd"><RestingECG>
<MuseInfo><MuseVersion>9.0.9</MuseVersion></MuseInfo><PatientDemographics><PatientLastName>Doe</PatientLastName>
</PatientDemographics><TestDemographics><AcquisitionDevice>MAC55</AcquisitionDevice>
<AcquisitionSoftwareVersion>010A.1</AcquisitionSoftwareVersion></TestDemographics></RestingECG>"""
PHILIPS = b"""<?xml version="1.0" encoding="UTF-16"?><restingecgdata xmlns="http://www3.medical.philips.com">
<patient><name>Doe</name></patient><dataacquisition>
<machine machineid="US50713" detaildescription="TC70 SW A.07">
PageWriter TC70</machine></dataacquisition></restingecgdata>"""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            scp(),
            {
                ("ecg.format", "SCP-ECG"),
                ("ecg.device_id", "77"),
                ("ecg.model", "C350"),
                ("ecg.serial_number", "SN-0815"),
                ("ecg.software_version", "1.40"),
                ("ecg.manufacturer", "Exemplar ECG"),
            },
        ),
        (ISHNE, {("ecg.format", "ISHNE"), ("ecg.model", "analog-tape H12+")}),
        (
            AECG,
            {("ecg.format", "HL7 aECG"), ("ecg.model", "ELI & 350"), ("ecg.software_version", "2.1.0")},
        ),
        (
            MUSE,
            {
                ("ecg.format", "GE MUSE XML"),
                ("ecg.model", "MAC55"),
                ("ecg.software_version", "010A.1"),
                ("ecg.server_version", "9.0.9"),
            },
        ),
        (
            PHILIPS,
            {
                ("ecg.format", "Philips ECG XML"),
                ("ecg.device_id", "US50713"),
                ("ecg.model", "TC70 SW A.07"),
                ("ecg.model", "PageWriter TC70"),
            },
        ),
    ],
    ids=["scp", "ishne", "aecg", "muse", "philips"],
)
def test_recorder_and_never_the_patient(converse: Converse, data: bytes, said: set[tuple[str, str]]) -> None:
    facts = converse(Ecg, (CLIENT, data))
    assert facts == {(field, value, CLIENT) for field, value in said}
    observer = Observer(b"k" * 32)
    ends = (None, None, "192.0.2.1", "192.0.2.2", 50000, 51234)
    observer.observe(Segment(1, 1, Transport.TCP, *ends, None, True, data))
    assert observer.applications() == {1: "ecg"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (scp()[:10] + b"\xff\xff\0\0" + scp()[14:], "section 0"),
        (scp()[:38] + b"\xff\xff\xff\x7f" + scp()[42:], "section 1 of"),
        (scp(b"\x0e\xff\xff"), "longer than the section"),
        (b"<?xml version='1.0'?>" + b" " * 1100, "no root"),
    ],
)
def test_broken_files_are_refused(converse: Converse, data: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        converse(Ecg, (CLIENT, data))


def test_others_are_not_claimed_and_a_long_file_is_left(converse: Converse) -> None:
    for other in (b"", b"<html>", b"<?xml version='1.0'?><ECG>", b"\xff\xd8\xff\xe0" + bytes(60)):
        assert not Ecg.recognises(other, True)
    facts = converse(Ecg, (CLIENT, AECG[:60] + b" " * LIMIT + AECG[60:]))
    assert facts == {("ecg.format", "HL7 aECG", CLIENT)}


@given(st.sampled_from([scp(), ISHNE, AECG, MUSE, PHILIPS]), st.integers(0, 600), st.binary(max_size=4))
def test_damaged_files_end_in_facts_or_one_error(data: bytes, at: int, noise: bytes) -> None:
    ends = (None, None, "192.0.2.1", "192.0.2.2", 1, 51234)
    damaged = data[:at] + noise + data[at + len(noise) :]
    segment = Segment(1, 1, Transport.TCP, *ends, None, True, damaged)
    try:
        assert all(fact.field in Ecg.manifest.fields for fact in Ecg().feed(segment))
    except MalformedInput:
        return
