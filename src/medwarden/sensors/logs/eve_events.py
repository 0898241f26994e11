"""Events of Suricata as types: what is read of each, and nothing else.

Suricata user guide, "EVE JSON Format" of versions 4 to 8. Accounts, mail, file names and message texts are
not among the fields.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 62))]
Names = list[str | None]


class Part(msgspec.Struct, gc=False):
    """Base of everything inside an event."""


class Ether(Part):
    """Link addresses: of one packet, or all that a flow used."""

    src_mac: str | None = None
    dest_mac: str | None = None
    src_macs: Names | None = None
    dest_macs: Names | None = None

    def client(self) -> str | None:
        """Return the sender's address, None where there were several."""
        return self.src_mac or _only(self.src_macs)

    def server(self) -> str | None:
        """Return the receiver's address, None where there were several."""
        return self.dest_mac or _only(self.dest_macs)


def _only(addresses: Names | None) -> str | None:
    return addresses[0] if addresses and len(addresses) == 1 else None


class Event(msgspec.Struct, gc=False):
    """What all events have."""

    timestamp: str
    src_ip: str | None = None
    dest_ip: str | None = None
    src_port: Port = 0
    dest_port: Port = 0
    proto: str = ""
    vlan: list[int] | int | None = None
    ether: Ether | None = None


class FlowCounts(Part):
    """The ``flow`` object."""

    pkts_toserver: Count = 0
    pkts_toclient: Count = 0
    bytes_toserver: Count = 0
    bytes_toclient: Count = 0
    start: str | None = None
    end: str | None = None
    state: str = ""
    reason: str = ""


class TcpFlags(Part):
    """The ``tcp`` object: flags in hexadecimal."""

    tcp_flags: str = ""
    tcp_flags_ts: str = ""
    tcp_flags_tc: str = ""


class FlowEvent(Event):
    """One flow that ended."""

    flow: FlowCounts = msgspec.field(default_factory=FlowCounts)
    tcp: TcpFlags | None = None
    app_proto: str | None = None


class NetflowCounts(Part):
    """The ``netflow`` object."""

    pkts: Count = 0
    bytes: Count = 0
    start: str | None = None
    end: str | None = None
    min_ttl: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0


class NetflowEvent(Event):
    """One direction of a flow that ended; the other follows under the same ``flow_id``."""

    flow_id: int = 0
    netflow: NetflowCounts = msgspec.field(default_factory=NetflowCounts)
    tcp: TcpFlags | None = None
    app_proto: str | None = None


class DnsRecord(Part):
    """A question or a record of an answer."""

    rrname: str = ""
    rrtype: str = ""
    rdata: Any = None  # text, or an object for SOA, SRV and the like


class DnsPart(Part):
    """The ``dns`` object: version 1 has one event per record, 2 one per answer, 3 questions as a list."""

    type: str = ""
    rrname: str = ""
    rrtype: str = ""
    rcode: str = ""
    rdata: str | None = None
    answers: list[DnsRecord] | None = None
    queries: list[DnsRecord] | None = None


class DnsEvent(Event):
    """A question or an answer of DNS, mDNS or LLMNR."""

    dns: DnsPart | None = None
    mdns: DnsPart | None = None
    llmnr: DnsPart | None = None


class Header(Part):
    """A header of HTTP."""

    name: str = ""
    value: str = ""


class HttpPart(Part):
    """The ``http`` object, with the custom fields that name programs."""

    hostname: str | None = None
    url: str | None = None
    http_user_agent: str | None = None
    http_content_type: str | None = None
    http_method: str | None = None
    status: int | None = None
    server: str | None = None
    via: str | None = None
    x_powered_by: str | None = None
    authorization: str | None = None
    response_headers: list[Header] | None = None


class HttpEvent(Event):
    """A request and its response."""

    http: HttpPart = msgspec.field(default_factory=HttpPart)


class TlsPart(Part):
    """The ``tls`` object."""

    subject: str | None = None
    issuerdn: str | None = None
    serial: str | None = None
    notafter: str | None = None
    subjectaltname: Names | None = None
    sni: str | None = None
    version: str | None = None
    ja4: str | None = None
    client_alpns: Names | None = None
    server_alpns: Names | None = None


class TlsEvent(Event):
    """A handshake."""

    tls: TlsPart = msgspec.field(default_factory=TlsPart)


class QuicPart(Part):
    """The ``quic`` object."""

    sni: str | None = None
    ja4: str | None = None


class QuicEvent(Event):
    """A handshake of QUIC."""

    quic: QuicPart = msgspec.field(default_factory=QuicPart)


class SshSide(Part):
    """What one side of SSH says."""

    proto_version: str = ""
    software_version: str = ""


class SshPart(Part):
    """The ``ssh`` object."""

    client: SshSide | None = None
    server: SshSide | None = None


class SshEvent(Event):
    """A greeting of both sides."""

    ssh: SshPart = msgspec.field(default_factory=SshPart)


class DhcpPart(Part):
    """The ``dhcp`` object."""

    type: str = ""
    dhcp_type: str = ""
    client_mac: str | None = None
    assigned_ip: str | None = None
    client_ip: str | None = None
    hostname: str | None = None
    requested_ip: str | None = None
    lease_time: Count | None = None
    subnet_mask: str | None = None
    vendor_class_identifier: str | None = None


class DhcpEvent(Event):
    """A message of a client or a server."""

    dhcp: DhcpPart = msgspec.field(default_factory=DhcpPart)


class Ntlmssp(Part):
    """The ``ntlmssp`` object: machine and domain; the user is not read."""

    host: str | None = None
    domain: str | None = None
    version: str | None = None


class NativeSystem(Part):
    """What an SMB 1 session says of the system."""

    native_os: str | None = None
    native_lm: str | None = None


class SmbPart(Part):
    """The ``smb`` object."""

    dialect: str | None = None
    ntlmssp: Ntlmssp | None = None
    request: NativeSystem | None = None
    response: NativeSystem | None = None
    share: str | None = None
    client_guid: str | None = None
    server_guid: str | None = None


class SmbEvent(Event):
    """A transaction of SMB."""

    smb: SmbPart = msgspec.field(default_factory=SmbPart)


class KerberosPart(Part):
    """The ``krb5`` object."""

    msg_type: str = ""
    cname: str | None = None
    realm: str | None = None
    sname: str | None = None


class KerberosEvent(Event):
    """An answer of a key distribution centre."""

    krb5: KerberosPart = msgspec.field(default_factory=KerberosPart)


class SnmpPart(Part):
    """The ``snmp`` object."""

    version: int | str | None = None
    pdu_type: str = ""
    community: str | None = None


class SnmpEvent(Event):
    """A message of SNMP."""

    snmp: SnmpPart = msgspec.field(default_factory=SnmpPart)


class SipPart(Part):
    """The ``sip`` object."""

    method: str | None = None


class SipEvent(Event):
    """A request or a response."""

    sip: SipPart = msgspec.field(default_factory=SipPart)


class MqttConnect(Part):
    """A CONNECT of MQTT."""

    client_id: str | None = None
    protocol_version: int | None = None


class MqttPart(Part):
    """The ``mqtt`` object."""

    connect: MqttConnect | None = None


class MqttEvent(Event):
    """A transaction of MQTT."""

    mqtt: MqttPart = msgspec.field(default_factory=MqttPart)


class RdpClient(Part):
    """What a client says of itself."""

    client_name: str | None = None


class RdpPart(Part):
    """The ``rdp`` object."""

    event_type: str = ""
    protocol: str | None = None
    client: RdpClient | None = None


class RdpEvent(Event):
    """A step of the connection sequence."""

    rdp: RdpPart = msgspec.field(default_factory=RdpPart)


class FtpPart(Part):
    """The ``ftp`` object; of the data, only whether a log-in is anonymous."""

    command: str | None = None
    command_data: str | None = None
    reply: Names | None = None
    completion_code: Names | None = None


class FtpEvent(Event):
    """A command and its reply."""

    ftp: FtpPart = msgspec.field(default_factory=FtpPart)


class SmtpPart(Part):
    """The ``smtp`` object."""

    helo: str | None = None


class SmtpEvent(Event):
    """A mail transaction."""

    smtp: SmtpPart = msgspec.field(default_factory=SmtpPart)


class RfbVersion(Part):
    """A protocol version."""

    major: str | int = ""
    minor: str | int = ""


class RfbPart(Part):
    """The ``rfb`` object; the name of the desktop is not read."""

    server_protocol_version: RfbVersion | None = None


class RfbEvent(Event):
    """A session of VNC."""

    rfb: RfbPart = msgspec.field(default_factory=RfbPart)


class EnipIdentity(Part):
    """A CIP identity (Suricata 8)."""

    product_name: str | None = None
    product_code: str | int | None = None
    revision: str | None = None


class EnipResponse(Part):
    """A response of EtherNet/IP."""

    identity: EnipIdentity | None = None


class EnipPart(Part):
    """The ``enip`` object."""

    response: EnipResponse | None = None


class EnipEvent(Event):
    """A transaction of EtherNet/IP."""

    enip: EnipPart = msgspec.field(default_factory=EnipPart)


class ArpPart(Part):
    """The ``arp`` object (Suricata 8)."""

    src_mac: str | None = None
    src_ip: str | None = None


class ArpEvent(Event):
    """A message of ARP."""

    arp: ArpPart = msgspec.field(default_factory=ArpPart)
