"""IEEE 11073 SDC: discovery (20702), metadata exchange and subscription (20701), MDIB and reports (10207).

SOAP 1.2 with DPWS 1.1, WS-Discovery 1.1, WS-MetadataExchange and WS-Eventing; the documents hold to the
schemas of those standards. Codes follow IEEE 11073-10101.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

import msgspec

_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_WSA = "http://www.w3.org/2005/08/addressing"
_WSD = "http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01"
_DPWS = "http://docs.oasis-open.org/ws-dd/ns/dpws/2009/01"
_MDPWS = "http://standards.ieee.org/downloads/11073/11073-20702-2016"
_SDC = "http://standards.ieee.org/downloads/11073/11073-20701-2018"
_MSG = "http://standards.ieee.org/downloads/11073/11073-10207-2017/message"
_PM = "http://standards.ieee.org/downloads/11073/11073-10207-2017/participant"
_MEX = "http://schemas.xmlsoap.org/ws/2004/09/mex"
_WSE = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
GET = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"
GET_MDIB = f"{_SDC}/GetService/GetMdib"
SUBSCRIBE = f"{_WSE}/Subscribe"
REPORT = f"{_SDC}/StateEventService/EpisodicMetricReport"
_ANONYMOUS = f"{_WSA}/anonymous"
MULTICAST_TO = "urn:docs-oasis-open-org:ws-dd:ns:discovery:2009:01"

CODES = {"MDC_DEV_SYS_PT_VENT_MDS": 70001}
"""Device codes of IEEE 11073-10101; where a device has none here, the multi-parameter monitor is named."""

_MULTI = ("MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS", 69965)


class Provider(msgspec.Struct, frozen=True):
    """What a medical device tells of itself. ``kind`` is its device code by name."""

    uuid: str
    maker: str
    model: str
    name: str
    firmware: str
    serial: str
    kind: str
    facility: str
    unit: str
    bed: str
    address: str

    def code(self) -> tuple[str, int]:
        """Return name and number of the device code."""
        return (self.kind, CODES[self.kind]) if self.kind in CODES else _MULTI

    def scopes(self) -> str:
        """Return the discovery scopes: place, device type and participant key purpose (20701 clause 9)."""
        detail = f"{self.facility}%2F%2F%2F{self.unit}%2F%2F{self.bed}"
        place = (
            f"sdc.ctxt.loc:/sdc.ctxt.loc.detail/{detail}?fac={self.facility}&poc={self.unit}&bed={self.bed}"
        )
        return f"{place} sdc.cdc.type:///{self.code()[1]} sdc.mds.pkp:1.2.840.10004.20701.1.1"


def envelope(action: str, to: str, message: str, body: str, relates: str = "", extra: str = "") -> bytes:
    """Return a SOAP envelope; ``message`` and ``relates`` are message identifiers (UUIDs)."""
    related = f"<wsa:RelatesTo>urn:uuid:{relates}</wsa:RelatesTo>" if relates else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<s12:Envelope xmlns:s12="{_SOAP}" xmlns:wsa="{_WSA}">'
        f"<s12:Header><wsa:To>{escape(to)}</wsa:To><wsa:Action>{action}</wsa:Action>"
        f"<wsa:MessageID>urn:uuid:{message}</wsa:MessageID>{related}{extra}</s12:Header>"
        f"<s12:Body>{body}</s12:Body></s12:Envelope>"
    ).encode()


def _sequence(number: int) -> str:
    return f'<wsd:AppSequence xmlns:wsd="{_WSD}" InstanceId="1700000000" MessageNumber="{number}"/>'


def _endpoint(provider: Provider) -> str:
    return (
        f"<wsa:EndpointReference><wsa:Address>urn:uuid:{provider.uuid}</wsa:Address></wsa:EndpointReference>"
        f'<wsd:Types xmlns:dpws="{_DPWS}" xmlns:mdpws="{_MDPWS}">dpws:Device mdpws:MedicalDevice</wsd:Types>'
        f"<wsd:Scopes>{escape(provider.scopes())}</wsd:Scopes><wsd:XAddrs>{provider.address}</wsd:XAddrs>"
        "<wsd:MetadataVersion>1</wsd:MetadataVersion>"
    )


def hello(provider: Provider, message: str, number: int) -> bytes:
    """Return the multicast Hello of a device."""
    body = f'<wsd:Hello xmlns:wsd="{_WSD}">{_endpoint(provider)}</wsd:Hello>'
    return envelope(f"{_WSD}/Hello", MULTICAST_TO, message, body, extra=_sequence(number))


def probe(message: str, types: str = "dpws:Device mdpws:MedicalDevice") -> bytes:
    """Return a multicast Probe for devices of ``types``."""
    names = f'xmlns:dpws="{_DPWS}" xmlns:mdpws="{_MDPWS}" xmlns:dn="http://www.onvif.org/ver10/network/wsdl"'
    body = f'<wsd:Probe xmlns:wsd="{_WSD}"><wsd:Types {names}>{types}</wsd:Types></wsd:Probe>'
    return envelope(f"{_WSD}/Probe", MULTICAST_TO, message, body)


def probe_match(provider: Provider, message: str, relates: str, number: int) -> bytes:
    """Return the answer of a device to a Probe."""
    inner = f"<wsd:ProbeMatch>{_endpoint(provider)}</wsd:ProbeMatch>"
    body = f'<wsd:ProbeMatches xmlns:wsd="{_WSD}">{inner}</wsd:ProbeMatches>'
    return envelope(f"{_WSD}/ProbeMatches", _ANONYMOUS, message, body, relates, _sequence(number))


def onvif_match(uuid: str, message: str, relates: str, scopes: str, address: str) -> bytes:
    """Return the answer of a camera to a Probe (ONVIF core specification, 7.3)."""
    body = (
        f'<wsd:ProbeMatches xmlns:wsd="{_WSD}"><wsd:ProbeMatch><wsa:EndpointReference>'
        f"<wsa:Address>urn:uuid:{uuid}</wsa:Address></wsa:EndpointReference>"
        '<wsd:Types xmlns:dn="http://www.onvif.org/ver10/network/wsdl">dn:NetworkVideoTransmitter</wsd:Types>'
        f"<wsd:Scopes>{escape(scopes)}</wsd:Scopes><wsd:XAddrs>{address}</wsd:XAddrs>"
        "<wsd:MetadataVersion>1</wsd:MetadataVersion></wsd:ProbeMatch></wsd:ProbeMatches>"
    )
    return envelope(f"{_WSD}/ProbeMatches", _ANONYMOUS, message, body, relates, _sequence(1))


def get(provider: Provider, message: str) -> bytes:
    """Return the request for a device's metadata."""
    return envelope(GET, provider.address, message, "")


def metadata(provider: Provider, message: str, relates: str) -> bytes:
    """Return model, device and hosted services (DPWS 1.1 section 5)."""
    model = (
        f"<dpws:ThisModel><dpws:Manufacturer>{escape(provider.maker)}</dpws:Manufacturer>"
        f"<dpws:ModelName>{escape(provider.model)}</dpws:ModelName></dpws:ThisModel>"
    )
    device = (
        f"<dpws:ThisDevice><dpws:FriendlyName>{escape(provider.name)}</dpws:FriendlyName>"
        f"<dpws:FirmwareVersion>{escape(provider.firmware)}</dpws:FirmwareVersion>"
        f"<dpws:SerialNumber>{escape(provider.serial)}</dpws:SerialNumber></dpws:ThisDevice>"
    )
    host = (
        f'<dpws:Relationship Type="{_DPWS}/host"><dpws:Host><wsa:EndpointReference><wsa:Address>urn:uuid:'
        f'{provider.uuid}</wsa:Address></wsa:EndpointReference><dpws:Types xmlns:mdpws="{_MDPWS}">'
        "dpws:Device mdpws:MedicalDevice</dpws:Types></dpws:Host>"
    )
    for service in ("GetService", "StateEventService"):
        host += (
            "<dpws:Hosted><wsa:EndpointReference><wsa:Address>"
            f"{provider.address}/{service}</wsa:Address></wsa:EndpointReference>"
            f'<dpws:Types xmlns:sdc="{_SDC}">sdc:{service}</dpws:Types>'
            f"<dpws:ServiceId>{service}</dpws:ServiceId></dpws:Hosted>"
        )
    host += "</dpws:Relationship>"
    sections = (("ThisModel", model), ("ThisDevice", device), ("Relationship", host))
    body = f'<mex:Metadata xmlns:mex="{_MEX}" xmlns:dpws="{_DPWS}">' + "".join(
        f'<mex:MetadataSection Dialect="{_DPWS}/{name}">{content}</mex:MetadataSection>'
        for name, content in sections
    )
    return envelope(f"{GET}Response", _ANONYMOUS, message, body + "</mex:Metadata>", relates)


def get_mdib(provider: Provider, message: str) -> bytes:
    """Return the request for the whole MDIB."""
    body = f'<msg:GetMdib xmlns:msg="{_MSG}"/>'
    return envelope(GET_MDIB, f"{provider.address}/GetService", message, body)


def mdib(provider: Provider, message: str, relates: str, sequence: str) -> bytes:
    """Return the MDIB: one medical device system with a channel and one numeric metric (10207 clause 5)."""
    kind, code = provider.code()
    description = (
        '<pm:MdDescription DescriptionVersion="0"><pm:Mds Handle="mds0" DescriptorVersion="0">'
        f'<pm:Type Code="{code}" SymbolicCodeName="{kind}"/>'
        f"<pm:MetaData><pm:Manufacturer>{escape(provider.maker)}</pm:Manufacturer>"
        f"<pm:ModelName>{escape(provider.model)}</pm:ModelName>"
        f"<pm:SerialNumber>{escape(provider.serial)}</pm:SerialNumber></pm:MetaData>"
        '<pm:SystemContext Handle="sc0" DescriptorVersion="0"><pm:PatientContext Handle="pc0"/>'
        '<pm:LocationContext Handle="lc0"/></pm:SystemContext>'
        '<pm:Vmd Handle="vmd0"><pm:Channel Handle="ch0">'
        '<pm:Metric xsi:type="pm:NumericMetricDescriptor" Handle="rate" MetricCategory="Msrmt" '
        'MetricAvailability="Cont" Resolution="1"><pm:Type Code="151562"/><pm:Unit Code="264928"/>'
        "</pm:Metric></pm:Channel></pm:Vmd></pm:Mds></pm:MdDescription>"
    )
    states = "".join(
        f'<pm:State xsi:type="pm:{state}" DescriptorHandle="{handle}" StateVersion="0"/>'
        for state, handle in (
            ("MdsState", "mds0"),
            ("SystemContextState", "sc0"),
            ("VmdState", "vmd0"),
            ("ChannelState", "ch0"),
            ("NumericMetricState", "rate"),
        )
    ).replace(
        'DescriptorHandle="rate" StateVersion="0"',
        'DescriptorHandle="rate" StateVersion="0" ActivationState="On"',
    )
    version = f'MdibVersion="0" SequenceId="urn:uuid:{sequence}"'
    body = (
        f'<msg:GetMdibResponse xmlns:msg="{_MSG}" xmlns:pm="{_PM}" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" {version}>'
        f'<msg:Mdib {version}>{description}<pm:MdState StateVersion="0">{states}</pm:MdState></msg:Mdib>'
        "</msg:GetMdibResponse>"
    )
    return envelope(f"{GET_MDIB}Response", _ANONYMOUS, message, body, relates)


def subscribe(provider: Provider, message: str, notify: str) -> bytes:
    """Return a subscription to metric reports (WS-Eventing, DPWS action filter)."""
    body = (
        f'<wse:Subscribe xmlns:wse="{_WSE}"><wse:EndTo><wsa:Address>{notify}/end</wsa:Address></wse:EndTo>'
        f'<wse:Delivery Mode="{_WSE}/DeliveryModes/Push"><wse:NotifyTo><wsa:Address>{notify}</wsa:Address>'
        "</wse:NotifyTo></wse:Delivery><wse:Expires>PT1H</wse:Expires>"
        f'<wse:Filter Dialect="{_DPWS}/Action">{REPORT}</wse:Filter></wse:Subscribe>'
    )
    return envelope(SUBSCRIBE, f"{provider.address}/StateEventService", message, body)


def subscribed(provider: Provider, message: str, relates: str, ident: str) -> bytes:
    """Return the answer to a subscription."""
    body = (
        f'<wse:SubscribeResponse xmlns:wse="{_WSE}"><wse:SubscriptionManager><wsa:Address>'
        f"{provider.address}/StateEventService/{ident}</wsa:Address></wse:SubscriptionManager>"
        "<wse:Expires>PT1H</wse:Expires></wse:SubscribeResponse>"
    )
    return envelope(f"{SUBSCRIBE}Response", _ANONYMOUS, message, body, relates)


def metric_report(notify: str, message: str, sequence: str, version: int, at_ms: int, value: int) -> bytes:
    """Return an episodic metric report with one value."""
    body = (
        f'<msg:EpisodicMetricReport xmlns:msg="{_MSG}" xmlns:pm="{_PM}" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" MdibVersion="{version}" '
        f'SequenceId="urn:uuid:{sequence}"><msg:ReportPart><msg:SourceMds>mds0</msg:SourceMds>'
        '<msg:MetricState xsi:type="pm:NumericMetricState" DescriptorHandle="rate" '
        f'StateVersion="{version}" ActivationState="On"><pm:MetricValue DeterminationTime="{at_ms}" '
        f'Value="{value}"><pm:MetricQuality Validity="Vld"/></pm:MetricValue></msg:MetricState>'
        "</msg:ReportPart></msg:EpisodicMetricReport>"
    )
    return envelope(REPORT, notify, message, body)
