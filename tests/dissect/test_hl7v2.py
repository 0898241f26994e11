"""HL7 v2 messages: what is told of applications and equipment, and that patients stay unsaid."""

from __future__ import annotations

import socket
import threading

import hl7.client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.waiting import PATIENCE

from medwarden.dissect.hl7v2 import Hl7v2
from medwarden.dissect.observer import Observer
from medwarden.dissect.phi import Tokeniser
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
        ("hl7.character_set", "UNICODE UTF-8", "client"),
        ("hl7.transaction", "PCD-01 communicate device data", "client"),
        ("hl7.orders", "<=1", "client"),
        ("hl7.observations", "<=1", "client"),
        ("hl7.role", "gateway", "client"),
        ("hl7.source_kind", "MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS", "client"),
        ("hl7.source_id", "MON-17", "client"),
        ("hl7.source_model", "Carescape B650", "client"),
        ("hl7.source_uid", "0009fbfffe123456", "client"),
        ("hl7.source_id", "PUMP-3", "client"),
        ("hl7.source_uid", "0012210000000001", "client"),
        ("hl7.source_id", "PUMP-4", "client"),
        ("hl7.sending_application", "EHR", "server"),
        ("hl7.sending_facility", "HOSP", "server"),
        ("hl7.receiving_application", "GW", "client"),
        ("hl7.receiving_facility", "ICU", "client"),
        ("hl7.message_type", "ACK^R01", "server"),
        ("hl7.processing_id", "P", "server"),
        ("hl7.version", "2.6", "server"),
        ("hl7.ack_code", "AA", "server"),
        ("hl7.ack_latency_ms", "<=1", "server"),
    }


HEAD = r"MSH|^~\&|{}|ICU|EHR|HOSP|20250101||{}|1|P|2.6"
PUMP = "OBX|1||69986^MDC_DEV_PUMP_INFUS_MDS^MDC|1.0.0.0|||||||X|||||||{}"


def test_device_that_speaks_for_itself_is_told_as_the_sender() -> None:
    by_uid = block(
        HEAD.format("PUMP^0012210000000001^EUI-64", "ORU^R01^ORU_R01"),
        PUMP.format("SN-4711^Alaris 8015^0012210000000001^EUI-64"),
        "OBX|2|NM|67996^MDC_ATTR_VAL_BATT_CHARGE^MDC|1.0.0.1|87|262688^MDC_DIM_PERCENT^MDC",
        "OBX|3|CWE|67925^MDC_ATTR_POWER_STAT^MDC|1.0.0.2|onBattery",
    )
    facts = told((True, by_uid))
    assert {
        ("hl7.equipment", "SN-4711", "client"),
        ("hl7.equipment_namespace", "Alaris 8015", "client"),
        ("hl7.equipment_uid", "0012210000000001", "client"),
        ("hl7.device", "MDC_DEV_PUMP_INFUS_MDS", "client"),
        ("hl7.battery_percent", "80", "client"),
        ("hl7.power", "battery", "client"),
    } <= facts
    assert not [f for f in facts if f[0].startswith("hl7.source_") or f[0] == "hl7.role"]
    by_name = block(HEAD.format("Evita-1", "ORU^R01"), PUMP.format("EVITA-1"))
    assert ("hl7.equipment", "EVITA-1", "client") in told((True, by_name))


def test_one_piece_of_equipment_that_is_not_the_sender_is_its_source() -> None:
    message = block(HEAD.format("MON", "ORU^R01"), "PV1||I|ICU^7^2", PUMP.format("N17-0042^Mindray N17"))
    facts = told((True, message))
    assert {
        ("hl7.source_id", "N17-0042", "client"),
        ("hl7.source_model", "Mindray N17", "client"),
        ("hl7.source_kind", "MDC_DEV_PUMP_INFUS_MDS", "client"),
        ("hl7.source_location", "N17-0042 at ICU/7/2", "client"),
        ("hl7.location", "ICU", "client"),
    } <= facts
    assert not [f for f in facts if f[0] in ("hl7.role", "hl7.equipment", "hl7.device")]


def test_sender_whose_own_number_differs_is_a_gateway() -> None:
    message = block(HEAD.format("GW^00AA^x~", "ORU^R01"), PUMP.format("P1^^0012210000000001^EUI-64"))
    assert not [f for f in told((True, message)) if f[0] == "hl7.role"]
    message = block(
        HEAD.format("GW^0099990000000001^EUI-64", "ORU^R01"), PUMP.format("P1^^0012210000000001^EUI-64")
    )
    assert ("hl7.role", "gateway", "client") in told((True, message))


def test_gateway_over_several_messages_tells_each_battery_with_its_pump() -> None:
    messages = [
        block(
            HEAD.format("GW", "ORU^R01"),
            PUMP.format(f"P{n}"),
            f"OBX|2|NM|x^MDC_ATTR_VAL_BATT_CHARGE^MDC|1|{30 * n + 5}|262688^MDC_DIM_PERCENT^MDC",
        )
        for n in (1, 2)
    ]
    facts = told((True, b"".join(messages)))
    assert {
        ("hl7.source_battery_percent", "P1 30", "client"),
        ("hl7.source_battery_percent", "P2 60", "client"),
        ("hl7.role", "gateway", "client"),
    } <= facts


@pytest.mark.parametrize("value", ["101", "-5", "full", "1e2", "9" * 400])
def test_battery_that_is_no_percentage_is_not_told(value: str) -> None:
    message = block(
        HEAD.format("P", "ORU^R01"), PUMP.format("P"), f"OBX|2|NM|x^MDC_ATTR_VAL_BATT_CHARGE|1|{value}|"
    )
    assert not [f for f in told((True, message)) if "battery" in f[0]]


def test_participation_tells_serial_number_type_and_place_of_a_device() -> None:
    message = block(
        HEAD.format("GW", "ORU^R40"),
        "PRT|1|AD||EQUIP|||||OR 2^12^1|PUMP-9^Infusomat^^||||||(01)04046963123456||||SN-88123||"
        "LVP^Volumetric pump",
        "OBX|1|CWE|x^MDC_EVT_ALARM^MDC||0^MDC_EVT_PUMP_DELIV_STOP^MDC",
    )
    assert {
        ("hl7.source_id", "PUMP-9", "client"),
        ("hl7.source_serial", "SN-88123", "client"),
        ("hl7.source_udi", "(01)04046963123456", "client"),
        ("hl7.source_type", "Volumetric pump", "client"),
        ("hl7.source_location", "PUMP-9 at OR 2/12/1", "client"),
        ("hl7.transaction", "PCD-04 report alert", "client"),
        ("hl7.event", "MDC_EVT_ALARM", "client"),
        ("hl7.event", "MDC_EVT_PUMP_DELIV_STOP", "client"),
    } <= told((True, message))


def test_visit_number_in_the_place_of_a_room_is_not_told() -> None:
    message = block(HEAD.format("MON", "ORU^R01"), "PV1||I|ICU^4711471147^2", PUMP.format("M1"))
    facts = told((True, message))
    assert ("hl7.source_location", "M1 at ICU", "client") in facts
    assert not [f for f in facts if "4711" in f[1]]
    roomless = block(HEAD.format("MON", "ORU^R01"), "PV1||I|ICU^^2^^", PUMP.format("M1"))
    assert ("hl7.source_location", "M1 at ICU/-/2", "client") in told((True, roomless))


def test_infusion_order_and_its_administration() -> None:
    order = block(
        HEAD.format("BCMA", "RGV^O15"),
        "PID|1||77",
        "ORC|RE|x",
        "RXG|1",
        "RXA|0|1|20250101",
        "RXA|0|2|20250101",
    )
    assert {
        ("hl7.transaction", "PCD-03 communicate infusion order", "client"),
        ("hl7.order_control", "RE", "client"),
        ("hl7.administrations", "<=2", "client"),
    } <= told((True, order))


def test_header_tells_acknowledgement_conditions_profile_and_sequence() -> None:
    head = r"MSH|^~\&|A|B|C|D|1||ORU^R01|77|P|2.6|4||AL|NE|||||IHE_PCD_001^IHE PCD^1.3.6^ISO"
    assert {
        ("hl7.sequence_numbers", "yes", "client"),
        ("hl7.accept_acknowledgement", "AL", "client"),
        ("hl7.application_acknowledgement", "NE", "client"),
        ("hl7.profile", "IHE_PCD_001", "client"),
    } <= told((True, block(head)))


@pytest.mark.parametrize(
    ("milliseconds", "step"), [(0, "<=1"), (7, "<=10"), (1_500, "<=2000"), (90_000, ">60000")]
)
def test_latency_is_told_in_steps(milliseconds: int, step: str) -> None:
    dissector = Hl7v2()
    found = set()
    for number, (is_client, data) in enumerate(((True, OBSERVATION), (False, ACKNOWLEDGEMENT))):
        ips = ("192.0.2.10", "192.0.2.20") if is_client else ("192.0.2.20", "192.0.2.10")
        at = 1_000_000_000 + number * milliseconds * 1_000_000
        segment = Segment(at, 1, Transport.TCP, None, None, *ips, 1, 2575, None, is_client, data)
        found |= {(f.field, f.value) for f in dissector.feed(segment)}
    assert ("hl7.ack_latency_ms", step) in found


def test_implant_of_a_patient_is_told_by_its_model_alone() -> None:
    message = block(
        HEAD.format("HOMEMON", "ORU^R01"),
        "PRT|1|AD||EQUIP||||||PACE-55501^Azure XT^0012210000000009^EUI-64||||||0123||||PACE-55501",
        "OBX|1|ST|720897^MDC_IDC_DEV_SERIAL_NUMBER^MDC||PACE-55501|||||||||||||PACE-55501^Azure XT",
    )
    facts = told((True, message))
    assert ("hl7.source_model", "Azure XT", "client") in facts
    assert not [f for f in facts if "55501" in f[1] or f[0] in ("hl7.source_uid", "hl7.source_udi")]


def test_operator_of_an_event_is_a_token() -> None:
    dissector = Hl7v2()
    dissector.tokeniser = Tokeniser(b"0123456789abcdef")
    data = block(HEAD.format("HIS", "ADT^A01"), "EVN|A01|20250101||x|NURSE7^Otto^Olga||Ward 4^^^")
    segment = Segment(1, 1, Transport.TCP, None, None, "192.0.2.1", "192.0.2.2", 1, 2575, None, True, data)
    facts = {f.field: f.value for f in dissector.feed(segment)}
    assert facts["hl7.operator"].startswith("operator-")
    assert facts["hl7.event_facility"] == "Ward 4"
    assert not [value for value in facts.values() if "Otto" in value or "NURSE7" in value]


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
    assert {("hl7.batch", "file", "client"), ("hl7.batch", "batch", "client")} <= told((True, batch))


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
    thread.join(PATIENCE)
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
