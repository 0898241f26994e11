"""POCT1-A greetings of point-of-care devices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.poct1a import MAX_TAG_BYTES, Poct1A
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Told = set[tuple[str, str, str]]
HELLO = b"""<?xml version="1.0" encoding="utf-8"?>
<HEL.R01><HDR><HDR.control_id V="1"/><HDR.version_id V="POCT1"/></HDR><DEV>
<DEV.device_id V="00-0C-1E-00-00-01"/>
<DEV.vendor_id V="ACME"/><DEV.model_id V="Glu &amp; Ket 2"/><DEV.serial_id V='SN-9'/>
<DEV.manufacturer_name V="ACME Inc"/>
<DEV.hw_version V="1"/><DEV.sw_version V="3.0.1"/><DEV.device_name V="Meter"/><DCP/></DEV></HEL.R01>"""
RESULT = b"""<OBS.R01><SVC><PT><PT.patient_id V="PAT-1"/><PT.name V="Doe Jane"/></PT>
<OPR><OPR.operator_id V="OP-7"/></OPR></SVC></OBS.R01>"""


def told(*pieces: tuple[bool, bytes], size: int = 1 << 20) -> Told:
    dissector = Poct1A()
    found: Told = set()
    for from_client, data in pieces:
        ips = ("192.0.2.10", "192.0.2.20") if from_client else ("192.0.2.20", "192.0.2.10")
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            segment = Segment(1, 1, Transport.TCP, None, None, *ips, 50000, 3000, None, from_client, piece)
            for fact in dissector.feed(segment):
                found.add((fact.field, fact.value, "client" if fact.ip == "192.0.2.10" else "server"))
    return found


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_greeting_and_result(size: int) -> None:
    assert told((True, HELLO + RESULT), size=size) == {
        ("poct1a.role", "device", "client"),
        ("poct1a.role", "data_manager", "server"),
        ("poct1a.version", "POCT1", "client"),
        ("poct1a.device_id", "00-0C-1E-00-00-01", "client"),
        ("poct1a.vendor_id", "ACME", "client"),
        ("poct1a.model_id", "Glu & Ket 2", "client"),
        ("poct1a.serial_number", "SN-9", "client"),
        ("poct1a.manufacturer", "ACME Inc", "client"),
        ("poct1a.hardware_version", "1", "client"),
        ("poct1a.software_version", "3.0.1", "client"),
        ("poct1a.device_name", "Meter", "client"),
        ("poct1a.patient_data", "yes", "client"),
    }


SESSION = (
    (True, b'<HEL.R01><DEV><DEV.device_name V="Sofia"/></DEV><DSC><DSC.connection_profile_cd V="CS"/>'),
    (True, b'<DSC.topics_supported_cd V="DTV"/><DSC.topics_supported_cd V="OP_LST_I"/></DSC></HEL.R01>'),
    (True, b'<DST.R01><DST><DST.new_observations_qty V="1"/><DST.condition_cd V="R"/></DST></DST.R01>'),
    (False, b'<DTV.R01><DTV><DTV.command_cd V="START_CONTINUOUS"/></DTV></DTV.R01>'),
    (False, b'<OPL.R01><OPR><OPR.operator_id V="5047"/><OPR.name V="Otto Ops"/></OPR></OPL.R01>'),
    (True, b'<OBS.R01><SVC><SVC.role_cd V="OBS"/><PT><PT.patient_id V="Y B1232"/>'),
    (True, b'<OBS><OBS.observation_id SN="LN" V="41653-7"/><OBS.value V="5.1"/></OBS></PT>'),
    (True, b'<RGT><RGT.name V="Glucose strip"/></RGT></SVC></OBS.R01><END.R01><TRM.reason_cd V="USR"/>'),
)


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_session_tells_what_the_device_does_and_never_for_whom(size: int) -> None:
    facts = told(*SESSION, size=size)
    assert facts == {
        ("poct1a.role", "device", "client"),
        ("poct1a.role", "data_manager", "server"),
        ("poct1a.device_name", "Sofia", "client"),
        ("poct1a.connection_profile", "CS", "client"),
        ("poct1a.topic", "DTV", "client"),
        ("poct1a.topic", "OP_LST_I", "client"),
        ("poct1a.condition", "R", "client"),
        ("poct1a.command", "START_CONTINUOUS", "server"),
        ("poct1a.observation_role", "OBS", "client"),
        ("poct1a.observation", "41653-7", "client"),
        ("poct1a.reagent", "Glucose strip", "client"),
        ("poct1a.termination", "USR", "client"),
        ("poct1a.patient_data", "yes", "client"),
    }


def test_patient_list_is_told_as_such_alone() -> None:
    names = b'<PTL.R01><PT><PT.patient_id V="77"/><PT.name V="Doe^Jane"/></PT></PTL.R01>'
    assert told((False, names)) == {
        ("poct1a.role", "data_manager", "server"),
        ("poct1a.role", "device", "client"),
        ("poct1a.patient_data", "yes", "server"),
    }


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<HEL.R01><DEV.model_id V='" + b"x" * MAX_TAG_BYTES, "longer than"),
        (b"<!DOCTYPE x>", "document type"),
    ],
)
def test_hostile_messages_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        told((True, data))


def test_recognition() -> None:
    assert Poct1A.recognises(HELLO, True)
    assert Poct1A.recognises(b"<OBS.R01>", True)
    assert not Poct1A.recognises(b"<?xml version='1.0'?><html>", True)
    assert not Poct1A.recognises(b"", True)


@given(
    st.lists(st.sampled_from([HELLO, RESULT, b"<", b">", b"<a", b"V='", b"\n", b"<HEL.R01"])),
    st.integers(1, 20),
)
def test_pieces_do_not_matter(parts: list[bytes], size: int) -> None:
    def outcome(step: int) -> Told | None:
        try:
            return told((True, b"".join(parts)), size=step)
        except MalformedInput:
            return None

    assert outcome(size) == outcome(1 << 20)
