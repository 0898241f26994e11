"""SDC and DPWS over HTTP: metadata, MDIB, roles; hostile XML; sdc11073's own messages."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.observer import Observer
from medwarden.dissect.sdc import Sdc
from medwarden.dissect.sdc_message import MAX_ELEMENTS, read_soap
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Told = set[tuple[str, str, str]]
S12 = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
DPWS = "http://docs.oasis-open.org/ws-dd/ns/dpws/2009/01"
PM = "http://standards.ieee.org/downloads/11073/11073-10207-2017/participant"
MSG = "http://standards.ieee.org/downloads/11073/11073-10207-2017/message"
ACTIONS = "http://standards.ieee.org/downloads/11073/11073-20701-2018"

METADATA = f"""<dpws:ThisModel><dpws:Manufacturer>ACME</dpws:Manufacturer><dpws:ModelName xml:lang="en">Vent 5
</dpws:ModelName><dpws:ModelNumber>5.1</dpws:ModelNumber></dpws:ThisModel><dpws:ThisDevice>
<dpws:FriendlyName>Vent at OR 3</dpws:FriendlyName><dpws:FirmwareVersion>2.04</dpws:FirmwareVersion>
<dpws:SerialNumber>ASKB-0042</dpws:SerialNumber></dpws:ThisDevice><dpws:Relationship><dpws:Host>
<dpws:Types>dpws:Device mdpws:MedicalDevice</dpws:Types></dpws:Host><dpws:Hosted><dpws:Types>sdc:GetService
</dpws:Types></dpws:Hosted></dpws:Relationship><!-- {DPWS} -->"""

MDIB = f"""<m:GetMdibResponse xmlns:m="{MSG}" xmlns:p="{PM}"><m:Mdib><p:MdDescription><p:Mds Handle="mds0">
<p:Type Code="70001"><p:ConceptDescription Lang="en">Ventilator</p:ConceptDescription></p:Type>
<p:MetaData><p:Udi><p:DeviceIdentifier>00812345678901</p:DeviceIdentifier></p:Udi>
<p:Manufacturer>ACME</p:Manufacturer><p:ModelName>Vent 5</p:ModelName>
<p:SerialNumber>ASKB-0042</p:SerialNumber></p:MetaData>
<p:ProductionSpecification><p:SpecType Code="531975"/><p:ProductionSpec>SW 7.1</p:ProductionSpec>
</p:ProductionSpecification>
<p:ProductionSpecification><p:SpecType Code="99"/><p:ProductionSpec>odd</p:ProductionSpec>
</p:ProductionSpecification>
<p:Vmd Handle="vmd0"><p:Type Code="70002"/></p:Vmd></p:Mds></p:MdDescription><p:MdState>
<p:State DescriptorHandle="pat"><p:CoreData><p:Givenname>Jane</p:Givenname><p:Familyname>Doe</p:Familyname>
<p:DateOfBirth>1961-02-03</p:DateOfBirth></p:CoreData></p:State><p:ContextState DescriptorHandle="loc">
<p:LocationDetail PoC="OR 3" Room="12" Bed="2"/></p:ContextState></p:MdState></m:Mdib></m:GetMdibResponse>"""


def envelope(action: str, body: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{S12}" xmlns:a="{WSA}" '
        f'xmlns:dpws="{DPWS}">'
        f"<s:Header><a:Action>{action}</a:Action></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def request(body: bytes, path: str = "/device/Get") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 192.0.2.20:6464\r\n"
    head += "Content-Type: application/soap+xml; charset=utf-8\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def response(body: bytes, squeezed: bool = False) -> bytes:
    coding = "Content-Encoding: gzip\r\n" if squeezed else ""
    body = gzip.compress(body, mtime=0) if squeezed else body
    head = f"HTTP/1.1 200 OK\r\nServer: SDC/1\r\nContent-Type: application/soap+xml\r\n{coding}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def told(*pieces: tuple[bool, bytes], size: int = 1 << 20) -> tuple[Told, str]:
    dissector = Sdc()
    found: Told = set()
    for from_client, data in pieces:
        ips = ("192.0.2.10", "192.0.2.20") if from_client else ("192.0.2.20", "192.0.2.10")
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            segment = Segment(1, 1, Transport.TCP, None, None, *ips, 1, 6464, None, from_client, piece)
            for fact in dissector.feed(segment):
                found.add((fact.field, fact.value, "client" if fact.ip == "192.0.2.10" else "server"))
    return found, dissector.application


GET_MDIB = request(envelope(f"{ACTIONS}/GetService/GetMdib", f'<m:GetMdib xmlns:m="{MSG}"/>'))
MDIB_RESPONSE = envelope(f"{ACTIONS}/GetService/GetMdibResponse", MDIB)


def sdc(facts: Told) -> Told:
    return {fact for fact in facts if fact[0].startswith("sdc.")}


def test_metadata_of_a_medical_device() -> None:
    facts, application = told((False, response(envelope("urn:GetResponse", METADATA), squeezed=True)))
    assert application == "sdc"
    assert sdc(facts) == {
        ("sdc.manufacturer", "ACME", "server"),
        ("sdc.model_name", "Vent 5", "server"),
        ("sdc.model_number", "5.1", "server"),
        ("sdc.friendly_name", "Vent at OR 3", "server"),
        ("sdc.firmware_version", "2.04", "server"),
        ("sdc.serial_number", "ASKB-0042", "server"),
        ("sdc.device_type", "Device", "server"),
        ("sdc.device_type", "MedicalDevice", "server"),
        ("sdc.service", "GetService", "server"),
        ("sdc.role", "provider", "server"),
    }
    assert ("http.server", "SDC/1", "server") in facts


def test_mdib_tells_the_system_and_not_the_patient() -> None:
    facts, _ = told((True, GET_MDIB), (False, response(MDIB_RESPONSE)))
    assert sdc(facts) == {
        ("sdc.role", "consumer", "client"),
        ("sdc.role", "provider", "server"),
        ("sdc.mds_type", "MDC_DEV_SYS_PT_VENT_MDS", "server"),
        ("sdc.mds_description", "Ventilator", "server"),
        ("sdc.vmd_type", "70002", "server"),
        ("sdc.room", "12", "server"),
        ("sdc.bed", "2", "server"),
        ("sdc.manufacturer", "ACME", "server"),
        ("sdc.model_name", "Vent 5", "server"),
        ("sdc.serial_number", "ASKB-0042", "server"),
        ("sdc.udi_di", "00812345678901", "server"),
        ("sdc.software_version", "SW 7.1", "server"),
        ("sdc.production_specification", "99 odd", "server"),
        ("sdc.location", "OR 3", "server"),
        ("sdc.patient_data", "yes", "server"),
    }
    assert not [fact for fact in facts if any(word in fact[1] for word in ("Jane", "Doe", "1961"))]


@pytest.mark.parametrize("size", [1, 100])
def test_pieces_do_not_matter(size: int) -> None:
    pieces = ((True, GET_MDIB), (False, response(MDIB_RESPONSE, squeezed=True)))
    assert told(*pieces, size=size) == told(*pieces)


def test_report_comes_from_the_provider_and_operation_from_the_consumer() -> None:
    report = request(envelope(f"{ACTIONS}/StateEventService/EpisodicMetricReport", ""))
    facts, _ = told((True, report))
    assert ("sdc.role", "provider", "client") in facts
    assert ("sdc.reports", "EpisodicMetricReport", "client") in facts
    command = request(envelope(f"{ACTIONS}/SetService/SetValue", f'<m:SetValue xmlns:m="{MSG}"/>'))
    facts, _ = told((True, command))
    assert {("sdc.role", "consumer", "client"), ("sdc.operation", "SetValue", "client")} <= facts


STATES = f"""<m:EpisodicAlertReport xmlns:m="{MSG}" xmlns:p="{PM}"
xmlns:x="http://www.w3.org/2001/XMLSchema-instance"><m:ReportPart>
<m:AlertState x:type="p:LimitAlertConditionState" DescriptorHandle="ac0" Presence="true"/>
<m:AlertState x:type="p:AlertConditionState" DescriptorHandle="ac1" Presence="false"/>
<m:ComponentState x:type="p:MdsState" DescriptorHandle="mds0" OperatingMode="Nml" ActivationState="On"/>
<m:ComponentState x:type="p:BatteryState" DescriptorHandle="b0" ChargeStatus="DisChB">
<p:CapacityFullCharge MeasuredValue="4000"/><p:CapacityRemaining MeasuredValue="2370"/></m:ComponentState>
<m:ContextState x:type="p:PatientContextState" DescriptorHandle="pat" ContextAssociation="Assoc">
<p:CoreData><p:Givenname>Jane</p:Givenname></p:CoreData></m:ContextState>
<m:ContextState x:type="p:LocationContextState" DescriptorHandle="loc" ContextAssociation="Assoc">
<p:LocationDetail Facility="HOSP1" Building="B" Floor="3" PoC="ICU" Room="312" Bed="4"/></m:ContextState>
</m:ReportPart></m:EpisodicAlertReport>"""


def test_states_tell_place_and_use_and_not_the_patient() -> None:
    facts, _ = told((True, request(envelope(f"{ACTIONS}/StateEventService/EpisodicAlertReport", STATES))))
    assert sdc(facts) == {
        ("sdc.role", "provider", "client"),
        ("sdc.reports", "EpisodicAlertReport", "client"),
        ("sdc.active_alarm", "yes", "client"),
        ("sdc.operating_mode", "normal", "client"),
        ("sdc.activation_state", "on", "client"),
        ("sdc.battery", "discharging", "client"),
        ("sdc.battery_percent", "60", "client"),
        ("sdc.patient_state", "associated", "client"),
        ("sdc.patient_data", "yes", "client"),
        ("sdc.facility", "HOSP1", "client"),
        ("sdc.building", "B", "client"),
        ("sdc.floor", "3", "client"),
        ("sdc.location", "ICU", "client"),
        ("sdc.room", "312", "client"),
        ("sdc.bed", "4", "client"),
    }


def test_subscription_makes_its_sender_a_consumer() -> None:
    filtered = (
        '<e:Subscribe xmlns:e="http://schemas.xmlsoap.org/ws/2004/08/eventing"><e:Filter Dialect="urn:x">'
        f"{ACTIONS}/StateEventService/EpisodicAlertReport {ACTIONS}/WaveformService/WaveformStream urn:other"
        "</e:Filter></e:Subscribe>"
    )
    action = "http://schemas.xmlsoap.org/ws/2004/08/eventing/Subscribe"
    facts, application = told((True, request(envelope(action, filtered))))
    assert application == "sdc"
    assert sdc(facts) == {
        ("sdc.role", "consumer", "client"),
        ("sdc.subscribes", "EpisodicAlertReport", "client"),
        ("sdc.subscribes", "WaveformStream", "client"),
    }


def test_gateway_describes_several_systems_and_codes_of_others_stay_codes() -> None:
    systems = "".join(
        f'<p:Mds Handle="m{n}"><p:Type Code="70001" CodingSystem="{system}"/></p:Mds>'
        for n, system in enumerate(("urn:oid:1.3.111.2.11073.10101.1", "urn:oid:9.9"))
    )
    body = f'<p:MdDescription xmlns:p="{PM}">{systems}</p:MdDescription>'
    facts, _ = told((False, response(envelope("x", body))))
    assert sdc(facts) == {
        ("sdc.role", "provider", "server"),
        ("sdc.mds_type", "MDC_DEV_SYS_PT_VENT_MDS", "server"),
        ("sdc.mds_type", "70001", "server"),
        ("sdc.mds_count", "2", "server"),
    }


def test_plain_device_profile_is_no_medical_device() -> None:
    body = "<dpws:ThisModel><dpws:Manufacturer>PrintCo</dpws:Manufacturer></dpws:ThisModel>"
    facts, application = told((False, response(envelope("urn:GetResponse", body))))
    assert application == "http"
    assert ("dpws.manufacturer", "PrintCo", "server") in facts
    assert not sdc(facts)


def test_long_mdib_is_read_as_far_as_it_is_kept() -> None:
    padding = "".join(f'<p:Vmd Handle="v{at}"><p:Type Code="1"/></p:Vmd>' for at in range(8000))
    long = MDIB.replace('<p:Vmd Handle="vmd0">', padding + '<p:Vmd Handle="vmd0">')
    facts, _ = told((False, response(envelope("x", long))))
    assert ("sdc.model_name", "Vent 5", "server") in facts


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "document type"),
        (b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://192.0.2.1/x.dtd"><a/>', "document type"),
        (b"<a>" * 100, "deeply"),
        (b"<a>" + b"<b/>" * (MAX_ELEMENTS + 1) + b"</a>", "too many"),
        (b"<a></b>", "mismatched"),
        (b"not xml", "XML"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', ""),
        (b"<a>", "no element|unclosed"),
    ],
)
def test_hostile_xml_is_refused(document: bytes, reason: str) -> None:
    if not reason:
        # The name of an encoding is never looked up: the document is read as UTF-8.
        assert read_soap(document, True).facts == []
        return
    with pytest.raises(MalformedInput, match=reason):
        read_soap(document, True)


@given(st.binary(max_size=300), st.booleans())
def test_any_document_ends_in_a_message_or_one_error(document: bytes, complete: bool) -> None:
    try:
        message = read_soap(document, complete)
    except MalformedInput:
        return
    assert len(message.facts) <= 256


def test_soap_request_is_recognised_and_others_are_left_to_http() -> None:
    assert Sdc.recognises(GET_MDIB, True)
    assert Sdc.recognises(GET_MDIB.split(b"\r\n\r\n")[0] + b"\r\n\r\n", True)
    assert not Sdc.recognises(b"POST / HTTP/1.1\r\nContent-Type: text/xml\r\n\r\n", True)
    assert not Sdc.recognises(b"GET / HTTP/1.1\r\n\r\n", True)
    observer = Observer(b"k" * 32)
    for flow, payload in enumerate((GET_MDIB, request(b"<x/>"), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")):
        ends = (None, None, "192.0.2.1", "192.0.2.2", 50000, 6464)
        observer.observe(Segment(1, flow, Transport.TCP, *ends, None, True, payload))
    assert observer.applications() == {0: "sdc", 1: "http", 2: "http"}
