"""HL7 v2 messages: what is told of applications and equipment, and that patients stay unsaid."""

from __future__ import annotations

import socket
import threading

import hl7.client
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.hl7v2 import Hl7v2
from medwarden.dissect.observer import Observer
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Told = set[tuple[str, str, str]]


def block(*segments: str, codec: str = "utf-8") -> bytes:
    return b"\x0b" + "".join(segment + "\r" for segment in segments).encode(codec) + b"\x1c\r"


def told(*pieces: tuple[bool, bytes], size: int = 1 << 20) -> Told:
    dissector = Hl7v2()
    found: Told = set()
    for from_client, data in pieces:
        ips = ("192.0.2.10", "192.0.2.20") if from_client else ("192.0.2.20", "192.0.2.10")
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            segment = Segment(1, 1, Transport.TCP, None, None, *ips, 1, 2575, None, from_client, piece)
            for fact in dissector.feed(segment):
                found.add((fact.field, fact.value, "client" if fact.ip == "192.0.2.10" else "server"))
    return found


OBSERVATION = block(
    r"MSH|^~\&|GW^0011223344556677^EUI-64|ICU|EHR|HOSP|20250101||ORU^R01^ORU_R01|1|P|2.6||||||UNICODE UTF-8",
    "SFT|ACME Medical^L|4.1.2|Gateway Suite",
    "PID|||PAT-48151^^^HOSP^MR||Doe^Jane||19600101|F",
    "PV1||I|ICU West^Room 7^Bed 3^HOSP",
    "OBR|1|||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC",
    "OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X|||||||"
    "MON-17^Carescape B650^0009FBFFFE123456^EUI-64",
    "PRT||AD||||||||PUMP-3^^0012210000000001^EUI-64~PUMP-4",
)
ACKNOWLEDGEMENT = block(r"MSH|^~\&|EHR|HOSP|GW|ICU|20250101||ACK^R01^ACK|2|P|2.6", "MSA|AA|1")


def test_observation_and_its_acknowledgement() -> None:
    assert told((True, OBSERVATION), (False, ACKNOWLEDGEMENT)) == {
        ("hl7.sending_application", "GW", "client"),
        ("hl7.sending_facility", "ICU", "client"),
        ("hl7.receiving_application", "EHR", "server"),
        ("hl7.receiving_facility", "HOSP", "server"),
        ("hl7.message_type", "ORU^R01", "client"),
        ("hl7.processing_id", "P", "client"),
        ("hl7.version", "2.6", "client"),
        ("hl7.software_vendor", "ACME Medical", "client"),
        ("hl7.software_version", "4.1.2", "client"),
        ("hl7.software_product", "Gateway Suite", "client"),
        ("hl7.patient_data", "yes", "client"),
        ("hl7.location", "ICU West", "client"),
        ("hl7.device", "MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS", "client"),
        ("hl7.equipment", "MON-17", "client"),
        ("hl7.equipment_namespace", "Carescape B650", "client"),
        ("hl7.equipment_uid", "0009fbfffe123456", "client"),
        ("hl7.equipment", "PUMP-3", "client"),
        ("hl7.equipment_uid", "0012210000000001", "client"),
        ("hl7.equipment", "PUMP-4", "client"),
        ("hl7.sending_application", "EHR", "server"),
        ("hl7.sending_facility", "HOSP", "server"),
        ("hl7.receiving_application", "GW", "client"),
        ("hl7.receiving_facility", "ICU", "client"),
        ("hl7.message_type", "ACK^R01", "server"),
        ("hl7.processing_id", "P", "server"),
        ("hl7.version", "2.6", "server"),
        ("hl7.ack_code", "AA", "server"),
    }


def test_message_cut_into_single_bytes_says_the_same() -> None:
    assert told((True, OBSERVATION), size=1) == told((True, OBSERVATION))


def test_other_separators_escapes_and_character_set() -> None:
    message = block(
        "MSH#*!/@#Ger/T/t/S/e#Stra\u00dfe/F/1#E#F#1##ORU*R01#1#P#2.5######8859/1", codec="latin-1"
    )
    facts = told((True, message))
    assert ("hl7.sending_application", "Ger@t*e", "client") in facts
    assert ("hl7.sending_facility", "Stra\u00dfe#1", "client") in facts
    assert ("hl7.message_type", "ORU^R01", "client") in facts


def test_universal_identifier_stands_in_for_a_missing_namespace() -> None:
    message = block(r"MSH|^~\&|^1.2.3.4^ISO|\"\"|||1||ADT^A01|1|P|2.5".replace('\\"', '"'))
    facts = told((True, message))
    assert ("hl7.sending_application", "1.2.3.4", "client") in facts
    assert not [fact for fact in facts if fact[0] == "hl7.sending_facility"], "the HL7 null is no name"


def test_location_is_told_by_those_who_measure_alone() -> None:
    admission = block(r"MSH|^~\&|HIS|H|A|B|1||ADT^A01|1|P|2.5", "PV1||I|Ward 5^12^2")
    assert not [fact for fact in told((True, admission)) if fact[0] == "hl7.location"]


def test_batch_headers_name_the_sender() -> None:
    batch = block(
        r"FHS|^~\&|LAB|H|EHR|H", r"BHS|^~\&|LAB|H|EHR|H", r"MSH|^~\&|ANALYSER|H|EHR|H|1||OUL^R22|1|P|2.5"
    )
    senders = {value for field, value, _ in told((True, batch)) if field == "hl7.sending_application"}
    assert senders == {"LAB", "ANALYSER"}


def test_empty_patient_segment_is_no_patient() -> None:
    message = block(r"MSH|^~\&|A|B|C|D|1||ORU^R01|1|P|2.5", 'PID|1||""||')
    assert not [fact for fact in told((True, message)) if fact[0] == "hl7.patient_data"]


@pytest.mark.parametrize("header", ["MSH", "MSH|", "MSH||", "MSHA^~\\&|", "MSH|^^~&|", "MSH|ABC|"])
def test_separators_that_separate_nothing_are_refused(header: str) -> None:
    with pytest.raises(MalformedInput, match="separators"):
        told((True, b"\x0b" + header.encode() + b"\r\x1c\r"))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (OBSERVATION, True),
        (b"\x0bMSH", True),
        (b"\x0bBHS|^~\\&|", True),
        (b"MSH|^~\\&|A|B", True),
        (b"\x0bMSHX", False),
        (b"\x0bABC|", False),
        (b"MSH is a word", False),
        (b"", False),
    ],
)
def test_recognition(payload: bytes, expected: bool) -> None:
    assert Hl7v2.recognises(payload, True) is expected


def test_real_mllp_client_on_an_odd_port() -> None:
    received = bytearray()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as peer:
            while not received.endswith(b"\x1c\r"):
                received.extend(peer.recv(4096))
            peer.sendall(ACKNOWLEDGEMENT)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    message = OBSERVATION[1:-2].decode()
    with hl7.client.MLLPClient("127.0.0.1", listener.getsockname()[1]) as client:
        reply = client.send_message(message)
    thread.join(10)
    observer = Observer(b"k" * 32)
    facts = []
    for from_client, data in ((True, bytes(received)), (False, bytes(reply))):
        ips = ("192.0.2.10", "192.0.2.20") if from_client else ("192.0.2.20", "192.0.2.10")
        ports = (50000, 12345) if from_client else (12345, 50000)
        segment = Segment(1, 1, Transport.TCP, None, None, *ips, *ports, None, from_client, data)
        facts += observer.observe(segment)
    assert observer.applications() == {1: "hl7"}
    assert {(f.field, f.value) for f in facts} >= {("hl7.sending_application", "GW"), ("hl7.ack_code", "AA")}


@given(
    st.lists(st.text(alphabet="MSHPIDOBX|^~\\&12.AB \r\u00e9", max_size=40), max_size=6), st.integers(1, 9)
)
def test_any_message_ends_in_facts_or_one_error_and_pieces_do_not_matter(lines: list[str], size: int) -> None:
    data = block(r"MSH|^~\&|A|B|C|D|1||ORU^R01|1|P|2.5", *lines)

    def outcome(step: int) -> Told | None:
        try:
            return told((True, data), size=step)
        except MalformedInput:
            return None

    assert outcome(size) == outcome(1 << 20)
