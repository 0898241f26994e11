"""ASTM frames and header records of laboratory instruments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.astm import MAX_FRAME_BYTES, MAX_REJECTED, Astm
from medwarden.dissect.observer import Observer
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Told = set[tuple[str, str, str]]


def frame(number: int, text: str, last: bool = True) -> bytes:
    body = f"{number}{text}".encode("latin-1") + (b"\x03" if last else b"\x17")
    return b"\x02" + body + b"%02X\r\n" % (sum(body) & 0xFF)


HEADER = "H|\\^&|||AU680^Beckman^SN-77^2.1|||||LIS^HOST||P|LIS2-A2|20250101\r"
SESSION = (
    (True, b"\x05"),
    (False, b"\x06"),
    (True, frame(1, HEADER)),
    (False, b"\x06"),
    (True, frame(2, "P|1||PAT-1||Doe^Jane||19610203|F\r")),
    (False, b"\x06"),
    (True, frame(3, "O|1|S-1||^^^GLU\rR|1|^^^GLU|5.4\rL|1|N\r")),
    (False, b"\x06"),
    (True, b"\x04"),
)
OF_HEADER = {
    ("astm.sender", "AU680^Beckman^SN-77^2.1", "client"),
    ("astm.receiver", "LIS^HOST", "client"),
    ("astm.processing_id", "P", "client"),
    ("astm.version", "LIS2-A2", "client"),
    ("astm.framing", "e1381", "client"),
}
SAID = OF_HEADER | {
    ("astm.record", "order", "client"),
    ("astm.record", "result", "client"),
    ("astm.termination", "N", "client"),
    ("astm.patient_data", "yes", "client"),
    ("astm.role", "analyser", "client"),
    ("astm.role", "host", "server"),
}


def segment(from_client: bool, data: bytes, offset: int = 0) -> Segment:
    ips = ("192.0.2.10", "192.0.2.20") if from_client else ("192.0.2.20", "192.0.2.10")
    ports = (50000, 5000) if from_client else (5000, 50000)
    return Segment(1, 1, Transport.TCP, None, None, *ips, *ports, None, from_client, data, offset)


def told(*pieces: tuple[bool, bytes], size: int = 1 << 20) -> Told:
    dissector = Astm()
    found: Told = set()
    for from_client, data in pieces:
        for start in range(0, len(data), size):
            for fact in dissector.feed(segment(from_client, data[start : start + size])):
                found.add((fact.field, fact.value, "client" if fact.ip == "192.0.2.10" else "server"))
    return found


@pytest.mark.parametrize("size", [1, 5, 1 << 20])
def test_session_tells_its_header(size: int) -> None:
    assert told(*SESSION, size=size) == SAID


def test_header_over_two_frames() -> None:
    first, second = frame(1, HEADER[:20], last=False), frame(2, HEADER[20:])
    assert told((True, b"\x05" + first + second)) >= OF_HEADER


def test_other_delimiters_and_an_empty_patient() -> None:
    records = frame(1, "H!~@&!!!Analyser@One!!!!!!!T!1394-97!\r") + frame(2, "P!1\r")
    assert told((True, b"\x05" + records)) == {
        ("astm.sender", "Analyser^One", "client"),
        ("astm.processing_id", "T", "client"),
        ("astm.version", "1394-97", "client"),
        ("astm.framing", "e1381", "client"),
    }


def test_bare_records_name_the_instrument_of_a_result() -> None:
    result = "R|1|^^^GLU|5.4|mmol/L||N||F||OPERATOR-7|20250101|20250101|XN-1000^SN 4711\r\n"
    facts = told((True, (HEADER + "\nP|1\r\n" + result + "L|1|Q\r").encode()))
    assert facts == (OF_HEADER - {("astm.framing", "e1381", "client")}) | {
        ("astm.framing", "none", "client"),
        ("astm.record", "result", "client"),
        ("astm.instrument", "XN-1000^SN 4711", "client"),
        ("astm.role", "analyser", "client"),
        ("astm.role", "host", "server"),
        ("astm.termination", "Q", "client"),
    }


def test_refused_frame_is_sent_again_and_read_once() -> None:
    good, patient = frame(1, HEADER), frame(2, "P|1||PAT-1\r")
    facts = told(
        (True, b"\x05"),
        (False, b"\x06"),
        (True, good.replace(b"AU680", b"AU681")),
        (False, b"\x15"),
        (True, good),
        (False, b"\x06"),
        (True, good + patient),
    )
    assert facts == OF_HEADER | {
        ("astm.transmission", "corrupt", "client"),
        ("astm.transmission", "refused", "server"),
        ("astm.transmission", "repeated", "client"),
        ("astm.patient_data", "yes", "client"),
    }


def test_lost_frame_leaves_no_half_record() -> None:
    facts = told((True, b"\x05" + frame(1, HEADER + "P|1||DOE^", last=False) + frame(3, "H|\\^&|||odd\r")))
    assert ("astm.sender", "odd", "client") in facts
    assert not [fact for fact in facts if "DOE" in fact[1]]


def test_host_asks_and_a_password_is_told_as_such_alone() -> None:
    header = "H|\\^&||s3cret|HOST\r"
    facts = told((True, b"\x05" + frame(1, header) + frame(2, "Q|1|^SAMPLE-1||ALL\rL|1|N\r") + b"\x04"))
    assert ("astm.password", "in clear", "client") in facts
    assert ("astm.record", "request", "client") in facts
    assert not [fact for fact in facts if "s3cret" in fact[1] or fact[0] == "astm.role"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x05hello", "between frames"),
        (frame(1, HEADER).replace(b"AU680", b"AU681") * MAX_REJECTED, "checksum"),
        (b"\x02" + b"9x\x03" + b"00\r\n", "without number"),
        (frame(1, HEADER)[:-2] + b"xx", "not ended by CR LF"),
        (b"\x021" + b"x" * (MAX_FRAME_BYTES + 10), "longer than"),
        (b"H|" + b"x" * MAX_FRAME_BYTES, "a record longer than"),
    ],
)
def test_broken_framing_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        told((True, data))


def test_observer_finds_it_although_the_first_byte_is_only_an_enquiry() -> None:
    observer = Observer(b"k" * 32)
    offsets = {True: 0, False: 0}
    facts = []
    for from_client, data in SESSION:
        facts += observer.observe(segment(from_client, data, offsets[from_client]))
        offsets[from_client] += len(data)
    assert observer.applications() == {1: "astm"}
    assert ("astm.sender", "AU680^Beckman^SN-77^2.1") in {(f.field, f.value) for f in facts}


@given(
    st.lists(
        st.sampled_from([b"\x05", b"\x06", frame(1, HEADER), frame(2, "P|1|x\r"), b"\x02", b"1H|", b"\x03"])
    ),
    st.integers(1, 30),
)  # fmt: skip
def test_pieces_do_not_matter(parts: list[bytes], size: int) -> None:
    def outcome(step: int) -> Told | None:
        try:
            return told((True, b"".join(parts)), size=step)
        except MalformedInput:
            return None

    assert outcome(size) == outcome(1 << 20)
