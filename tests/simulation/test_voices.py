"""What devices say is read by the stacks it is meant for."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from io import BytesIO
from random import Random

import hl7 as hl7_reader
import pydicom
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom import pdu as dicom_pdu
from sdc11073.definitions_sdc import SdcV1Definitions
from sdc11073.loghelper import get_logger_adapter
from sdc11073.pysoap.msgreader import MessageReader

from medwarden.simulation.patients import invent, staff
from medwarden.simulation.voices import bedside, dicom, hl7, plant, sdc
from medwarden.simulation.voices.der import certificate

UUID = "5f397c48-7064-445e-a24d-bd0cec13790b"


def test_pynetdicom_reads_association_requests_and_answers() -> None:
    contexts = [(1, dicom.VERIFICATION, (dicom.IMPLICIT_LE,)), (3, dicom.STORAGE["CT"], (dicom.EXPLICIT_LE,))]
    asked = dicom_pdu.A_ASSOCIATE_RQ()
    asked.decode(dicom.associate_rq("PACS", "CT01", contexts, "1.2.3", "CT_1", 16_384))
    assert (asked.called_ae_title.strip(), asked.calling_ae_title.strip()) == ("PACS", "CT01")
    assert [str(c.abstract_syntax) for c in asked.presentation_context] == [contexts[0][1], contexts[1][1]]
    taken = dicom_pdu.A_ASSOCIATE_AC()
    taken.decode(dicom.associate_ac("PACS", "CT01", contexts, "1.2.4", "PACS_1"))
    assert [c.result for c in taken.presentation_context] == [0, 0]
    refused = dicom_pdu.A_ASSOCIATE_RJ()
    refused.decode(dicom.associate_rj())
    assert refused.reason_diagnostic == 7


@given(st.binary(max_size=50_000), st.booleans())
def test_data_is_cut_into_values_that_come_together_again(octets: bytes, command: bool) -> None:
    stream, whole = dicom.p_data(3, command, octets or b"\0"), b""
    while stream:
        size = 6 + int.from_bytes(stream[2:6], "big")
        piece = dicom_pdu.P_DATA_TF()
        piece.decode(stream[:size])
        assert size <= dicom.MAX_PDU + 6
        for item in piece.presentation_data_value_items:
            assert item.presentation_context_id == 3
            whole += (item.presentation_data_value or b"")[1:]
        stream = stream[size:]
    assert whole == (octets or b"\0")


def test_pydicom_reads_commands_and_data_sets() -> None:
    said = pydicom.filereader.read_dataset(
        BytesIO(dicom.store_rq(7, dicom.STORAGE["CT"], "1.2.3.4")), True, True
    )
    assert (said.CommandField, said.MessageID, said.AffectedSOPInstanceUID) == (1, 7, "1.2.3.4")
    assert said.CommandGroupLength == len(dicom.store_rq(7, dicom.STORAGE["CT"], "1.2.3.4")) - 12
    step = {0x00080060: ("CS", "CT"), 0x00400001: ("AE", "CT01")}
    octets = dicom.data_set({0x00100010: ("PN", "A^B"), 0x00400100: dicom.items(0x00400100, [step])})
    found = pydicom.filereader.read_dataset(BytesIO(octets), False, True)
    assert found.PatientName == "A^B"
    assert found.ScheduledProcedureStepSequence[0].ScheduledStationAETitle == "CT01"


def test_the_hl7_package_reads_messages_and_acknowledgements() -> None:
    patient = invent(1, 0, 20)[3]
    at = 1_772_434_800 * 10**9
    segments = [
        hl7.pid(patient.pid(), patient.account),
        hl7.pv1("A1^101^1", "I", staff(1, 3)[0], patient.account),
    ]
    text = hl7.message("ADT^A01", ("HIS", "H1"), ("ENGINE", "H1"), at, "42", segments)
    read = hl7_reader.parse(text)
    assert str(read.segment("MSH")[9]) == "ADT^A01"
    assert str(read.segment("PID")[5]) == patient.name
    assert str(read.segment("PID")[18]) == patient.account
    reply = hl7_reader.parse(hl7.acknowledgement("ADT^A01", ("ENGINE", "H1"), ("HIS", "H1"), at, "42"))
    assert [str(field) for field in reply.segment("MSA")][1:] == ["AA", "42"]
    assert hl7.frame(text)[:1] + hl7.frame(text)[-2:] == b"\x0b\x1c\r"


def test_sdc11073_accepts_every_message_by_schema() -> None:
    reader = MessageReader(SdcV1Definitions, None, get_logger_adapter("test"), validate=True)
    told = sdc.Provider(
        UUID, "Draeger", "Evita V800", "Evita & co", "2.1", "S1", "MDC_DEV_SYS_PT_VENT_MDS", "H1", "A1", "7",
        "http://10.0.0.1:6464/x",
    )  # fmt: skip
    said = (
        sdc.hello(told, UUID, 1), sdc.probe(UUID), sdc.probe_match(told, UUID, UUID, 2), sdc.get(told, UUID),
        sdc.metadata(told, UUID, UUID), sdc.get_mdib(told, UUID), sdc.mdib(told, UUID, UUID, UUID),
        sdc.subscribe(told, UUID, "http://10.0.0.2:1/x"), sdc.subscribed(told, UUID, UUID, "1"),
        sdc.metric_report("http://10.0.0.2:1/x", UUID, UUID, 3, 1, 12),
        sdc.onvif_match(UUID, UUID, UUID, "onvif://www.onvif.org/name/X", "http://10.0.0.3/onvif"),
    )  # fmt: skip
    assert all(reader.read_received_message(octets).action for octets in said)


def test_bacpypes3_reads_who_a_controller_is() -> None:
    apdu, bvll, npdu, pdu = (
        importlib.import_module(f"bacpypes3.{name}") for name in ("apdu", "ipv4.bvll", "npdu", "pdu")
    )
    link = bvll.LPDU.decode(pdu.PDU(plant.i_am(1042, 7)))
    network = npdu.NPDU.decode(pdu.PDU(link.pduData))
    heard = apdu.IAmRequest.decode(apdu.APDU.decode(pdu.PDU(network.pduData)))
    assert heard.iAmDeviceIdentifier[1] == 1042
    assert heard.vendorID == 7


def test_cryptography_reads_certificates() -> None:
    valid = (datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    octets = certificate(Random(1), [("O", "X"), ("CN", "a.example")], [("CN", "CA")], valid, ["a.example"])
    read = x509.load_der_x509_certificate(octets)
    assert read.subject.rfc4514_string() == "CN=a.example,O=X"
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example"]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80), st.integers(1, 50))
def test_frames_of_the_laboratory_carry_their_checksum(record: str, number: int) -> None:
    frame = bedside.astm_frame(number, record)
    assert frame[0] == 2 and frame[-2:] == b"\r\n"
    assert sum(frame[1:-4]) & 0xFF == int(frame[-4:-2], 16)
