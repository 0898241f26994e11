"""Write the cases of building and IT protocols: bytes from scapy or by hand, facts always by hand.

Run from the root of the checkout: ``python tests/dissect/cases/make_building_cases.py``. Scapy builds what it
has layers for, so that bytes and dissector come from different hands; the rest is put together here field by
field after the source named in ``origin``.
"""

from __future__ import annotations

import json
import struct
import uuid
from pathlib import Path
from typing import Any

from scapy.contrib.coap import CoAP
from scapy.contrib.knx import HPAI, KNX, DIBDeviceInfo, KNXSearchResponse
from scapy.layers.dcerpc import (
    DceRpc5,
    DceRpc5AbstractSyntax,
    DceRpc5Bind,
    DceRpc5BindAck,
    DceRpc5Context,
    DceRpc5PortAny,
    DceRpc5Response,
    DceRpc5Result,
    DceRpc5TransferSyntax,
)
from scapy.layers.hsrp import HSRP
from scapy.layers.isakmp import ISAKMP, ISAKMP_payload_VendorID
from scapy.layers.l2 import LLC, STP
from scapy.layers.radius import Radius, RadiusAttr_Vendor_Specific, RadiusAttribute
from scapy.layers.tftp import TFTP, TFTP_RRQ
from scapy.packet import Packet

CASES = Path(__file__).parent
SCAPY = "Built with scapy 2.8 layers"
EPM = "e1af8308-5d1f-11c9-91a4-08002b14a0fa"
DRSUAPI = "e3514235-4b06-11d1-ab04-00c04fc2dcd2"
NDR = "8a885d04-1ceb-11c9-9fe8-08002b104860"
Fact = tuple[str, str, str]


def said(who: str, *pairs: tuple[str, str]) -> list[Fact]:
    """Return facts of ``who``."""
    return [(field, value, who) for field, value in pairs]


def segment(payload: bytes | Packet | str, from_client: bool = True, **entry: Any) -> dict[str, Any]:
    """Return one segment; text is written as text."""
    if not from_client:
        entry["from_client"] = False
    if isinstance(payload, str):
        return {**entry, "text": payload}
    octets = bytes(payload).hex()
    return {**entry, "hex": [octets[i : i + 96] for i in range(0, len(octets), 96)]}


def case(
    name: str, origin: str, note: str, segments: list[dict[str, Any]], facts: list[Fact], **rest: Any
) -> None:
    """Write one case; ``rest`` are ``malformed`` and ``absent``."""
    body = {"note": note, "origin": origin, "segments": segments, "facts": sorted(set(facts)), **rest}
    path = CASES / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n")


def udp(port: int, **more: Any) -> dict[str, Any]:
    """Return the entry of a datagram."""
    return {"transport": "udp", "dst_port": port, **more}


def tcp(port: int) -> dict[str, Any]:
    """Return the entry of a segment of a stream."""
    return {"dst_port": port}


def radius() -> None:
    """Write cases of RADIUS."""
    overheard = b"dhcp-option=" + struct.pack(">HH", 12, 9) + b"pump-0815"
    request = Radius(
        code=1,
        id=7,
        authenticator=b"a" * 16,
        attributes=[
            RadiusAttribute(type=1, value=b"host/xray3.hospital.example"),
            RadiusAttribute(type=4, value=bytes((10, 20, 0, 2))),
            RadiusAttribute(type=32, value=b"sw-radiology-1"),
            RadiusAttribute(type=61, value=b"\0\0\0\x0f"),
            RadiusAttribute(type=87, value=b"GigabitEthernet1/0/7"),
            RadiusAttribute(type=31, value=b"02-00-5E-10-20-30"),
            RadiusAttr_Vendor_Specific(vendor_id=9, vendor_type=1, value=overheard),
        ],
    )
    device = "02:00:5e:10:20:30"
    case(
        "radius/request_of_a_machine",
        SCAPY + "; Cisco AV pair by hand",
        "A switch asks for a machine: where it hangs, its name, and what the switch overheard of it.",
        [segment(request, **udp(1812))],
        [
            *said("10.20.0.2", ("radius.role", "nas"), ("radius.nas_identifier", "sw-radiology-1")),
            *said(
                device,
                ("radius.nas", "sw-radiology-1"),
                ("radius.nas_port_type", "ethernet"),
                ("radius.nas_port_id", "GigabitEthernet1/0/7"),
                ("radius.machine", "xray3.hospital.example"),
                ("dhcp.host_name", "pump-0815"),
            ),
        ],
    )
    wireless = Radius(
        code=4,
        id=8,
        authenticator=b"b" * 16,
        attributes=[
            RadiusAttribute(type=1, value=b"jane.doe@hospital.example"),
            RadiusAttribute(type=61, value=b"\0\0\0\x13"),
            RadiusAttribute(type=31, value=b"0200.5e10.2031"),
            RadiusAttribute(type=30, value=b"02-11-22-33-44-50:Clinic-IoT"),
            RadiusAttribute(type=8, value=bytes((10, 30, 0, 77))),
            RadiusAttribute(type=40, value=b"\0\0\0\x01"),
        ],
    )
    address = "10.30.0.77"
    case(
        "radius/accounting_of_a_person",
        SCAPY,
        "A session over Wi-Fi: radio, network and address of the device; the person only as a token.",
        [segment(wireless, **udp(1813))],
        [
            *said("client", ("radius.role", "nas")),
            *said(
                address,
                ("radius.nas", "192.0.2.10"),
                ("radius.nas_port_type", "802.11"),
                ("radius.session", "start"),
                ("radius.access_point", "02:11:22:33:44:50"),
                ("radius.ssid", "Clinic-IoT"),
                ("radius.address", address),
                ("radius.realm", "hospital.example"),
                ("radius.user", "user-g9xfwhp5jjc4qn0a"),
            ),
        ],
        absent=["jane", "doe"],
    )
    case(
        "radius/attribute_overruns",
        "Made by hand after RFC 2865 section 5",
        "An attribute longer than its packet.",
        [segment(b"\x01\x01\0\x18" + b"c" * 16 + b"\x01\x09ab", **udp(1812))],
        [],
        malformed=True,
    )


def dcerpc() -> None:
    """Write cases of DCE/RPC."""

    def context(number: int, interface: str, version: int) -> Packet:
        return DceRpc5Context(
            cont_id=number,
            abstract_syntax=DceRpc5AbstractSyntax(if_uuid=uuid.UUID(interface), if_version=version),
            transfer_syntaxes=[DceRpc5TransferSyntax(if_uuid=uuid.UUID(NDR), if_version=2)],
        )

    def wrapped(kind: int, body: Packet) -> bytes:
        return bytes(DceRpc5(ptype=kind, pfc_flags=3, call_id=2) / body)

    accepted = DceRpc5Result(result=0, transfer_syntax=DceRpc5TransferSyntax(if_uuid=uuid.UUID(NDR)))
    refused = DceRpc5Result(result=2, reason=1)
    bind = wrapped(11, DceRpc5Bind(context_elem=[context(0, EPM, 3)]))
    ack = wrapped(12, DceRpc5BindAck(sec_addr=DceRpc5PortAny(port_spec=b"135\0"), results=[accepted]))
    floors = (
        b"\x0d" + uuid.UUID(DRSUAPI).bytes_le + b"\x04\0",
        b"\0\0",
        b"\x0d" + uuid.UUID(NDR).bytes_le + b"\x02\0",
        b"\0\0",
        b"\x0b",
        b"\0\0",
        b"\x07",
        struct.pack(">H", 49667),
        b"\x09",
        bytes((10, 0, 0, 5)),
    )
    tower = struct.pack("<H", 5) + b"".join(struct.pack("<H", len(part)) + part for part in floors)
    towers = struct.pack("<III", len(tower), len(tower), 0)[:8] + tower + b"\0" * (-len(tower) % 4)
    stub = b"\0" * 20 + struct.pack("<5I", 1, 4, 0, 1, 3) + towers + struct.pack("<I", 0)
    answer = wrapped(2, DceRpc5Response(cont_id=0, alloc_hint=len(stub)) / stub)
    case(
        "dcerpc/endpoint_map",
        SCAPY + "; the tower by hand after C706 appendix L",
        "A client asks the endpoint mapper of a domain controller where its replication service is.",
        [
            segment(bind, **tcp(135)),
            segment(ack, from_client=False, **tcp(135)),
            segment(answer, from_client=False, **tcp(135)),
        ],
        [
            *said("client", ("dcerpc.uses", "epmapper")),
            *said("server", ("dcerpc.offers", "epmapper"), ("dcerpc.endpoint", "drsuapi tcp/49667")),
        ],
    )
    other = "11111111-2222-3333-4444-555555555555"
    two = wrapped(11, DceRpc5Bind(context_elem=[context(0, DRSUAPI, 4), context(1, other, 1)]))
    half = wrapped(
        12, DceRpc5BindAck(sec_addr=DceRpc5PortAny(port_spec=b"49667\0"), results=[accepted, refused])
    )
    case(
        "dcerpc/one_of_two_interfaces",
        SCAPY,
        "On a port of no name: two interfaces are asked for, one is offered.",
        [segment(two, **tcp(49667)), segment(half, from_client=False, **tcp(49667))],
        [
            *said("client", ("dcerpc.uses", "drsuapi"), ("dcerpc.uses", other)),
            *said("server", ("dcerpc.offers", "drsuapi")),
        ],
    )


def knx() -> None:
    """Write cases of KNXnet/IP."""
    device = DIBDeviceInfo(
        knx_medium=2,
        device_status=0,
        knx_address="1.1.0",
        project_installation_identifier=0,
        device_serial_number=0x00C501020304,
        device_multicast_address="224.0.23.12",
        device_mac_address="00:24:6d:01:02:03",
        device_friendly_name=b"KNX IP Router ward 3",
    )
    families = b"\x06\x02\x02\x01\x05\x01"  # scapy reads this block and cannot write it
    answer = KNX() / KNXSearchResponse(
        control_endpoint=HPAI(ip_address="192.0.2.20", port=3671),
        device_info=device,
    )
    payload = bytearray(bytes(answer)[: 6 + 8 + 54] + families)
    payload[2:4] = b"\x02\x02"
    payload[4:6] = struct.pack(">H", len(payload))
    request = b"\x06\x10\x02\x01\x00\x0e\x08\x01" + bytes((192, 0, 2, 10)) + b"\xc0\x00"
    case(
        "knx/search",
        SCAPY,
        "A gateway answers a search with its name, serial number, medium and services.",
        [
            segment(request, **udp(3671)),
            segment(bytes(payload), from_client=False, **udp(3671)),
        ],
        [
            *said("client", ("knx.role", "client")),
            *said(
                "server",
                ("knx.role", "server"),
                ("knx.medium", "TP1"),
                ("knx.address", "1.1.0"),
                ("knx.serial_number", "00c501020304"),
                ("knx.manufacturer_id", "197"),
                ("knx.mac", "00:24:6d:01:02:03"),
                ("knx.friendly_name", "KNX IP Router ward 3"),
                ("knx.services", "core, routing"),
            ),
        ],
    )


def fox() -> None:
    """Write cases of Niagara Fox."""
    hello = (
        "fox a 1 -1 fox hello\n{\nfox.version=s:1.0\nid=i:7\nhostName=s:BMS-WS1\nhostAddress=s:192.0.2.10\n"
        "app.name=s:Workbench\napp.version=s:4.10.0.154\nvm.name=s:Java HotSpot(TM) 64-Bit Server VM\n"
        "vm.version=s:25.202-b08\nos.name=s:Windows 10\nos.version=s:10.0\nlang=s:en\n};;\n"
    )
    answer = (
        "fox a 0 -1 fox hello\n{\nfox.version=s:1.0\nid=i:9\n"
        "hostName=s:192.0.2.20\nhostAddress=s:192.0.2.20\n"
        "app.name=s:Station\napp.version=s:3.8.38\nvm.name=s:Java HotSpot(TM) Client VM\n"
        "vm.version=s:1.5.0_34\n"
        "os.name=s:QNX\nos.version=s:6.4.1\nstation.name=s:OR_AirHandling\nlang=s:en\n"
        "timeZone=s:Europe/Berlin;3600000;3600000;02:00:00.000,wall,march\nhostId=s:Qnx-NPM6E-0000-1234-5678\n"
        "vmUuid=s:11e98b97-b656-1c50-0000-00000000ba7c\nbrandId=s:vykon\n"
        'sysInfo=o:bog 61[<bog version="1.0">\n};;\n'
    )
    case(
        "fox/hello",
        "Made by hand after public captures of Niagara stations",
        "A workbench calls a station, which says what and where it is.",
        [segment(hello, **tcp(1911)), segment(answer, from_client=False, **tcp(1911))],
        [
            *said(
                "client",
                ("fox.role", "client"),
                ("fox.protocol_version", "1.0"),
                ("fox.host_name", "BMS-WS1"),
                ("fox.application", "Workbench"),
                ("fox.version", "4.10.0.154"),
                ("fox.vm_name", "Java HotSpot(TM) 64-Bit Server VM"),
                ("fox.vm_version", "25.202-b08"),
                ("fox.os_name", "Windows 10"),
                ("fox.os_version", "10.0"),
            ),
            *said(
                "server",
                ("fox.role", "station"),
                ("fox.protocol_version", "1.0"),
                ("fox.host_name", "192.0.2.20"),
                ("fox.application", "Station"),
                ("fox.version", "3.8.38"),
                ("fox.vm_name", "Java HotSpot(TM) Client VM"),
                ("fox.vm_version", "1.5.0_34"),
                ("fox.os_name", "QNX"),
                ("fox.os_version", "6.4.1"),
                ("fox.station_name", "OR_AirHandling"),
                ("fox.time_zone", "Europe/Berlin"),
                ("fox.host_id", "Qnx-NPM6E-0000-1234-5678"),
                ("fox.brand", "vykon"),
                ("fox.system", 'bog 61[<bog version="1.0">'),
            ),
        ],
    )


def sccp() -> None:
    """Write cases of SCCP."""

    def message(kind: int, body: bytes) -> bytes:
        return struct.pack("<III", len(body) + 4, 0, kind) + body

    register = message(
        1,
        b"SEP0004F2AABBCC\0" + struct.pack("<II", 0, 0) + bytes((192, 0, 2, 10)) + struct.pack("<II", 437, 5),
    )
    alarm = message(
        0x20,
        struct.pack("<I", 2)
        + b"25: Name=SEP0004F2AABBCC Load=SCCP75.9-4-2SR1S Last=Initialized\0"
        + b"\0" * 20,
    )
    acknowledged = message(0x81, struct.pack("<I6sHI4s", 30, b"D.M.Y\0", 0, 60, b"\x05\0\0\0"))
    case(
        "sccp/register",
        "Made by hand after public descriptions of the protocol",
        "A telephone names its software load and registers.",
        [
            segment(alarm + register, **tcp(2000)),
            segment(acknowledged, from_client=False, **tcp(2000)),
        ],
        [
            *said(
                "client",
                ("sccp.role", "telephone"),
                ("sccp.device_name", "SEP0004F2AABBCC"),
                ("sccp.device_type", "437"),
                ("sccp.model", "7975"),
                ("sccp.load", "SCCP75.9-4-2SR1S"),
                ("sccp.address", "192.0.2.10"),
            ),
            *said("server", ("sccp.role", "call manager")),
        ],
    )


def coap() -> None:
    """Write cases of CoAP."""
    ask = CoAP(
        type=0, code=1, msg_id=1, token=b"tk", options=[("Uri-Path", b".well-known"), ("Uri-Path", b"core")]
    )
    links = (
        b'</.well-known/core>;ct=40,</sensors/temp>;rt="temperature-c";if="sensor",'
        b'</light>;rt="oic.r.light core.rd";if="oic.if.a"'
    )
    answer = (
        CoAP(type=2, code=69, msg_id=1, token=b"tk", options=[("Content-Format", b"\x28")], paymark=b"\xff")
        / links
    )
    case(
        "coap/well_known_core",
        SCAPY,
        "A thermometer lists its resources.",
        [segment(ask, **udp(5683)), segment(answer, from_client=False, **udp(5683))],
        [
            *said("client", ("coap.role", "client")),
            *said(
                "server",
                ("coap.role", "server"),
                ("coap.resource", "/sensors/temp"),
                ("coap.resource", "/light"),
                ("coap.resource_type", "temperature-c"),
                ("coap.resource_type", "oic.r.light"),
                ("coap.resource_type", "core.rd"),
                ("coap.interface", "sensor"),
                ("coap.interface", "oic.if.a"),
            ),
        ],
    )
    options = [
        ("Uri-Host", b"lwm2m.hospital.example"),
        ("Uri-Path", b"rd"),
        ("Uri-Query", b"ep=fridge-blood-2"),
        ("Uri-Query", b"lt=300"),
        ("Uri-Query", b"lwm2m=1.0"),
    ]
    register = CoAP(type=0, code=2, msg_id=9, options=options)
    case(
        "coap/registration",
        SCAPY,
        "A device registers with its manager under its name.",
        [segment(register, **udp(5683))],
        [
            *said(
                "client",
                ("coap.role", "client"),
                ("coap.endpoint_name", "fridge-blood-2"),
                ("coap.registration", "LwM2M 1.0"),
            ),
            *said("server", ("coap.host", "lwm2m.hospital.example")),
        ],
    )
    case(
        "coap/reserved_length",
        "Made by hand after RFC 7252 section 3.1",
        "An option with nibble 15.",
        [segment(b"\x40\x01\0\x01\xf1a", **udp(5683))],
        said("client"),
        malformed=True,
    )


def rfb() -> None:
    """Write cases of RFB."""
    case(
        "rfb/password",
        "Made by hand after RFC 6143",
        "A server of today offers a password or nothing.",
        [
            segment("RFB 003.008\n", from_client=False, **tcp(5900)),
            segment("RFB 003.008\n", **tcp(5900)),
            segment(b"\x02\x01\x02", from_client=False, **tcp(5900)),
        ],
        [
            *said(
                "server",
                ("rfb.role", "server"),
                ("rfb.version", "3.8"),
                ("rfb.security", "none"),
                ("rfb.security", "password"),
            ),
            *said("client", ("rfb.role", "viewer"), ("rfb.version", "3.8")),
        ],
    )
    case(
        "rfb/version_3_3",
        "Made by hand after RFC 6143 section 7.1.2",
        "An old viewer is told the one kind.",
        [
            segment("RFB 003.889\n", from_client=False, **tcp(5901)),
            segment("RFB 003.003\n", **tcp(5901)),
            segment(b"\0\0\0\x02", from_client=False, **tcp(5901)),
        ],
        [
            *said(
                "server",
                ("rfb.role", "server"),
                ("rfb.version", "3.889"),
                ("rfb.security", "password"),
            ),
            *said("client", ("rfb.role", "viewer"), ("rfb.version", "3.3")),
        ],
    )


def vpn() -> None:
    """Write cases of IKE, WireGuard, OpenVPN and TeamViewer."""
    forti = bytes.fromhex("8299031757a36082c6a621de00050000")
    main = (
        ISAKMP(init_cookie=b"12345678", exch_type=2, next_payload=13)
        / ISAKMP_payload_VendorID(next_payload=13, VendorID=forti)
        / ISAKMP_payload_VendorID(VendorID=bytes.fromhex("afcad71368a1f1c96b8696fc77570100"))
    )
    case(
        "ike/version_1_main_mode",
        SCAPY,
        "A firewall opens version 1; its vendor id names its maker.",
        [segment(main, **udp(500))],
        said(
            "client",
            ("ike.version", "1"),
            ("ike.mode", "main"),
            ("ike.role", "initiator"),
            ("ike.vendor", "Fortinet"),
        ),
    )
    vendor = struct.pack(">BBH", 0, 0, 4 + 19) + b"CISCO-DELETE-REASON"
    version_2 = (
        b"\x11" * 8 + b"\x22" * 8 + struct.pack(">BBBBII", 43, 0x20, 34, 0x20, 0, 28 + len(vendor)) + vendor
    )
    case(
        "ike/version_2_answer_behind_nat",
        "Made by hand after RFC 7296 and RFC 3948",
        "A gateway answers on port 4500.",
        [segment(b"\0\0\0\0" + version_2, from_client=False, **udp(4500))],
        said(
            "server",
            ("ike.version", "2"),
            ("ike.mode", "init"),
            ("ike.role", "responder"),
            ("ike.vendor", "Cisco"),
        ),
    )
    case(
        "wireguard/handshake",
        "Made by hand after the white paper, section 5.4",
        "A handshake and data.",
        [
            segment(b"\x01\0\0\0" + b"k" * 144, **udp(51820)),
            segment(b"\x02\0\0\0" + b"k" * 88, from_client=False, **udp(51820)),
        ],
        [("wireguard.role", "initiator", "client"), ("wireguard.role", "responder", "server")],
    )
    case(
        "wireguard/data",
        "Made by hand after the white paper, section 5.4",
        "A tunnel that was there before.",
        [segment(b"\x04\0\0\0abcd" + b"\x07" + b"\0" * 7 + b"k" * 32, **udp(41194))],
        [("wireguard.role", "peer", "client")],
    )
    case(
        "openvpn/reset",
        "Made by hand after the OpenVPN wire protocol, section 3",
        "Both sides begin over UDP.",
        [
            segment(b"\x38" + b"s" * 8 + b"\0" * 5, **udp(1194)),
            segment(
                b"\x40" + b"t" * 8 + b"\x01\0\0\0\0" + b"s" * 8 + b"\0" * 4, from_client=False, **udp(1194)
            ),
        ],
        [
            *said("client", ("openvpn.role", "client"), ("openvpn.wrapped", "no")),
            *said("server", ("openvpn.role", "server")),
        ],
    )
    case(
        "openvpn/over_tcp",
        "Made by hand after the OpenVPN wire protocol, section 3",
        "A key wraps the client's.",
        [segment(b"\0\x36\x38" + b"s" * 53, **tcp(1194))],
        said("client", ("openvpn.role", "client"), ("openvpn.wrapped", "yes")),
    )
    case(
        "teamviewer/hello",
        "Made by hand after public captures",
        "Both sides begin.",
        [
            segment(b"\x17\x24\x0a\x20\0\0\0\0\0", **tcp(5938)),
            segment(b"\x17\x24\x0a\x20\0\0\0\0\0", from_client=False, **tcp(5938)),
        ],
        [("teamviewer.role", "client", "client"), ("teamviewer.role", "server", "server")],
    )


def dtls() -> None:
    """Write cases of DTLS."""
    extensions = (
        struct.pack(">HHHBH", 0, 20, 18, 0, 15)
        + b"vpn.example.org"
        + struct.pack(">HHH4s", 10, 6, 4, b"\0\x1d\0\x17")
        + struct.pack(">HHH4s", 13, 6, 4, b"\x04\x03\x08\x04")
    )
    hello = (
        b"\xfe\xfd"
        + b"r" * 32
        + b"\0"
        + b"\x04cook"
        + b"\0\x04\xc0\x2b\xc0\x2f"
        + b"\x01\0"
        + struct.pack(">H", len(extensions))
        + extensions
    )

    def record(kind: int, body: bytes) -> bytes:
        size = len(body).to_bytes(3, "big")
        message = bytes((kind,)) + size + b"\0\0" + b"\0\0\0" + size + body
        return b"\x16\xfe\xfd\0\0" + b"\0" * 6 + struct.pack(">H", len(message)) + message

    answer = b"\xfe\xfd" + b"q" * 32 + b"\0" + b"\xc0\x2b\0" + b"\0\0"
    case(
        "dtls/hello",
        "Made by hand after RFC 6347 section 4.2",
        "A client with a cookie and its server.",
        [
            segment(record(1, hello), **udp(443)),
            segment(record(2, answer), from_client=False, **udp(443)),
        ],
        [
            *said(
                "client",
                ("dtls.sni", "vpn.example.org"),
                ("dtls.client_versions", "DTLS 1.2"),
                ("dtls.ja4", "dd2d020300_b6f57f3be927_4e0be11b965e"),
            ),
            *said(
                "server",
                ("dtls.version", "DTLS 1.2"),
                ("dtls.cipher", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
            ),
        ],
    )


def discoveries() -> None:
    """Write cases of makers' own discovery protocols."""

    def elements(layout: str, *pairs: tuple[int, bytes]) -> bytes:
        return b"".join(struct.pack(layout, kind, len(value)) + value for kind, value in pairs)

    mikrotik = b"\0\0\0\x07" + elements(
        ">HH",
        (1, b"\x02\x00\x5e\x00\x00\x01"),
        (5, b"core-gw"),
        (7, b"6.48.6 (long-term)"),
        (8, b"MikroTik"),
        (10, b"\x10\0\0\0"),
        (11, b"AB12-CD34"),
        (12, b"CCR1009-7G-1C"),
        (16, b"ether1"),
        (17, bytes((192, 0, 2, 10))),
    )
    case(
        "mndp/announcement",
        "Made by hand after public descriptions",
        "A router announces itself.",
        [segment(mikrotik, **udp(5678))],
        said(
            "client",
            ("mndp.mac", "02:00:5e:00:00:01"),
            ("mndp.identity", "core-gw"),
            ("mndp.version", "6.48.6 (long-term)"),
            ("mndp.platform", "MikroTik"),
            ("mndp.software_id", "AB12-CD34"),
            ("mndp.board", "CCR1009-7G-1C"),
            ("mndp.interface", "ether1"),
            ("mndp.address", "192.0.2.10"),
        ),
    )
    body = elements(
        ">BH",
        (2, b"\x02\x00\x5e\x00\x00\x02" + bytes((192, 0, 2, 20))),
        (3, b"BZ.mt7621.v6.0.21"),
        (0x0B, b"ap-ward-3"),
        (0x0C, b"U7PG2"),
        (0x0D, b"Clinic"),
        (0x14, b"UAP-AC-Pro-Gen2"),
    )
    case(
        "ubnt/answer",
        "Made by hand after public descriptions",
        "An access point answers a search.",
        [
            segment(b"\x01\0\0\0", **udp(10001)),
            segment(b"\x01\0" + struct.pack(">H", len(body)) + body, from_client=False, **udp(10001)),
        ],
        said(
            "server",
            ("ubnt.mac", "02:00:5e:00:00:02"),
            ("ubnt.address", "192.0.2.20"),
            ("ubnt.firmware", "BZ.mt7621.v6.0.21"),
            ("ubnt.host_name", "ap-ward-3"),
            ("ubnt.platform", "U7PG2"),
            ("ubnt.ssid", "Clinic"),
            ("ubnt.model", "UAP-AC-Pro-Gen2"),
        ),
    )
    found = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ProbeMatch><Uuid>A1</Uuid><Types>inquiry</Types>'
        "<DeviceType>135810</DeviceType><DeviceDescription>DS-2CD2143G0-I</DeviceDescription>"
        "<DeviceSN>DS-2CD2143G0-I20190101AAWRC12345678</DeviceSN><CommandPort>8000</CommandPort>"
        "<MAC>c0-56-e3-01-02-03</MAC><IPv4Address>192.0.2.20</IPv4Address>"
        "<SoftwareVersion>V5.5.82build 190220</SoftwareVersion><DSPVersion>V7.3 build 190220</DSPVersion>"
        "<Activated>true</Activated></ProbeMatch>"
    )
    case(
        "sadp/answer",
        "Made by hand after public descriptions",
        "A camera answers its maker's search.",
        [segment(found, from_client=False, **udp(37020))],
        said(
            "server",
            ("sadp.model", "DS-2CD2143G0-I"),
            ("sadp.device_type", "135810"),
            ("sadp.mac", "c0:56:e3:01:02:03"),
            ("sadp.serial_number", "DS-2CD2143G0-I20190101AAWRC12345678"),
            ("sadp.address", "192.0.2.20"),
            ("sadp.firmware", "V5.5.82build 190220"),
            ("sadp.dsp_version", "V7.3 build 190220"),
            ("sadp.activated", "true"),
        ),
    )


def services() -> None:
    """Write cases of ONC RPC and TFTP."""
    name = b"nas-client-7"
    credential = struct.pack(">II", 99, len(name)) + name + struct.pack(">III", 0, 0, 0)
    call = (
        struct.pack(">IIIIIIII", 5, 0, 2, 100003, 3, 0, 1, len(credential))
        + credential
        + struct.pack(">II", 0, 0)
    )
    reply = struct.pack(">IIIIII", 5, 1, 0, 0, 0, 0)
    case(
        "sunrpc/nfs_over_tcp",
        "Made by hand after RFC 5531",
        "A machine that mounts a share names itself.",
        [
            segment(struct.pack(">I", 0x80000000 | len(call)) + call, **tcp(2049)),
            segment(struct.pack(">I", 0x80000000 | len(reply)) + reply, from_client=False, **tcp(2049)),
        ],
        [
            *said("client", ("sunrpc.machine_name", "nas-client-7"), ("sunrpc.uses", "nfs 3")),
            *said("server", ("sunrpc.offers", "nfs 3")),
        ],
    )
    null = struct.pack(">IIIIIIIIII", 6, 0, 2, 100000, 2, 0, 0, 0, 0, 0)
    case(
        "sunrpc/portmap_over_udp",
        "Made by hand after RFC 1833",
        "A call without a name.",
        [segment(null, **udp(111))],
        said("client", ("sunrpc.uses", "portmap 2")),
    )
    for what, file, facts in (
        (
            "cisco_telephone",
            b"SEP0004F2AABBCC.cnf.xml",
            (("tftp.device_name", "SEP0004F2AABBCC"),),
        ),
        ("own_address", b"0004f2aabbcc.cfg", (("tftp.mac", "00:04:f2:aa:bb:cc"),)),
        ("boot_image", b"pxelinux.0", (("tftp.file", "pxelinux.0"),)),
        ("a_name_that_is_kept", b"report Doe Jane.txt", ()),
    ):
        request = TFTP() / TFTP_RRQ(filename=file, mode=b"octet")
        case(
            f"tftp/{what}",
            SCAPY,
            "What a device asks for tells what it is, where the name is a device's.",
            [segment(request, **udp(69))],
            said("client", ("tftp.request", "read"), *facts),
            absent=["Doe"],
        )


def network() -> None:
    """Write cases of HSRP and the spanning tree."""
    case(
        "hsrp/active",
        SCAPY,
        "The router that holds the shared address.",
        [segment(HSRP(state=16, group=7, virtualIP="192.0.2.1"), **udp(1985))],
        said("client", ("hsrp.state", "active"), ("hsrp.group", "7"), ("hsrp.virtual_address", "192.0.2.1")),
    )
    element = (
        bytes((1, 40, 2, 0, 5, 4))
        + struct.pack(">H", 300)
        + b"\x02\x00\x5e\x00\x00\x09"
        + struct.pack(">III", 100, 3000, 10000)
        + bytes((192, 0, 2, 1))
        + b"\0" * 12
    )
    case(
        "hsrp/version_2",
        "Made by hand after the IOS configuration guide",
        "The router that waits.",
        [segment(element, **udp(1985))],
        said(
            "client",
            ("hsrp.state", "standby"),
            ("hsrp.group", "300"),
            ("hsrp.mac", "02:00:5e:00:00:09"),
            ("hsrp.virtual_address", "192.0.2.1"),
        ),
    )
    tree = LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP(
        version=2,
        bpdutype=2,
        rootid=4096,
        rootmac="02:00:5e:00:00:01",
        pathcost=4,
        bridgeid=32768,
        bridgemac="02:00:5e:00:00:02",
    )
    eth: dict[str, Any] = {"transport": "eth", "ethertype": 0}
    case(
        "stp/rapid",
        SCAPY,
        "A switch below the root.",
        [segment(tree, **eth)],
        said(
            "client",
            ("stp.version", "RSTP"),
            ("stp.bridge", "02:00:5e:00:00:02"),
            ("stp.root", "02:00:5e:00:00:01"),
            ("stp.role", "bridge"),
        ),
    )
    case(
        "stp/cut",
        "Made by hand",
        "A configuration that ends too soon.",
        [segment(bytes(tree)[:20], **eth)],
        [],
        malformed=True,
    )


def plant() -> None:
    """Write cases of DNP3, IEC 60870-5-104 and H.323."""
    from medwarden.dissect.dnp3 import crc  # the check sum is proven against captures in test_dnp3.py

    def frame(control: int, target: int, source: int, body: bytes) -> bytes:
        head = b"\x05\x64" + struct.pack("<BBHH", 5 + len(body), control, target, source)
        out = head + crc(head).to_bytes(2, "little")
        for at in range(0, len(body), 16):
            block = body[at : at + 16]
            out += block + crc(block).to_bytes(2, "little")
        return out

    def attribute(variation: int, text: bytes) -> bytes:
        return bytes((0, variation, 0, 0, 0, 1, len(text))) + text

    ask = frame(0xC4, 10, 1, b"\xc0\xc0\x01\0\xfe\0\0\0")
    answer = frame(
        0x44,
        1,
        10,
        b"\xc0\xc0\x81\0\0"
        + attribute(252, b"ACME Power")
        + attribute(250, b"RTU-560")
        + attribute(248, b"SN0815"),
    )
    case(
        "dnp3/device_attributes",
        "Made by hand after IEEE 1815-2012",
        "A master asks an outstation what it is.",
        [segment(ask, **tcp(20000)), segment(answer, from_client=False, **tcp(20000))],
        [
            *said("client", ("dnp3.role", "master"), ("dnp3.address", "1")),
            *said(
                "server",
                ("dnp3.role", "outstation"),
                ("dnp3.address", "10"),
                ("dnp3.manufacturer", "ACME Power"),
                ("dnp3.product", "RTU-560"),
                ("dnp3.serial_number", "SN0815"),
            ),
        ],
    )
    case(
        "dnp3/wrong_check_sum",
        "Made by hand after IEEE 1815-2012",
        "A header whose check sum does not fit.",
        [segment(ask[:8] + b"\0\0" + ask[10:], **tcp(20000))],
        [],
        malformed=True,
    )
    start, confirmed = b"\x68\x04\x07\0\0\0", b"\x68\x04\x0b\0\0\0"
    measured = b"\x68\x0e\0\0\0\0" + bytes((1, 1, 3, 0)) + struct.pack("<H", 12) + b"\x01\0\0\x01"
    case(
        "iec104/start",
        "Made by hand after IEC 60870-5-104",
        "A control centre starts a station, which reports.",
        [segment(start, **tcp(2404)), segment(confirmed + measured, from_client=False, **tcp(2404))],
        [
            *said("client", ("iec104.role", "controlling station")),
            *said("server", ("iec104.role", "controlled station"), ("iec104.common_address", "12")),
        ],
    )
    setup = b"\x08\x02\x12\x34\x05\x04\x03\x88\x93\xa5\x28\x05Doe J\x7e\0\x04\x05\x20\0\0"
    call = b"\x03\0" + struct.pack(">H", 4 + len(setup)) + setup
    case(
        "h225/setup",
        "Made by hand after Q.931",
        "A terminal calls another; who calls stays untold.",
        [segment(call, **tcp(1720))],
        said("client", ("h225.role", "caller"), ("h225.message", "setup")),
        absent=["Doe"],
    )


def printers() -> None:
    """Write cases of printers: IPP in HTTP, ZPL and SGD, LPD."""

    def attribute(tag: int, name: bytes, value: bytes) -> bytes:
        return struct.pack(">BH", tag, len(name)) + name + struct.pack(">H", len(value)) + value

    answer = (
        b"\x02\x00\x00\x00\x00\x00\x00\x01\x01"
        + attribute(0x47, b"attributes-charset", b"utf-8")
        + b"\x04"
        + attribute(0x41, b"printer-make-and-model", b"HP LaserJet MFP E62665")
        + attribute(0x41, b"printer-location", b"Ward 3, nurses' station")
        + attribute(0x42, b"printer-name", b"prt-ward3")
        + attribute(0x41, b"printer-firmware-string-version", b"2411097_060503")
        + attribute(0x41, b"printer-device-id", b"MFG:HP;MDL:LaserJet MFP E62665;SN:CNB1234567;")
        + attribute(0x23, b"printer-state", b"\0\0\0\x03")
        + b"\x02"
        + attribute(0x42, b"job-originating-user-name", b"jane.doe")
        + b"\x03"
    )
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\nContent-Length: {len(answer)}\r\n\r\n"
    case(
        "http/ipp_printer_attributes",
        "Made by hand after RFC 8010 and PWG 5100.13",
        "A printer answers over IPP what it is and where; who prints stays untold.",
        [
            segment("POST /ipp/print HTTP/1.1\r\nHost: prt\r\nContent-Length: 0\r\n\r\n", **tcp(631)),
            segment(head.encode() + answer, from_client=False, **tcp(631)),
        ],
        [
            *said("client", ("http.method", "POST"), ("http.host", "prt"), ("http.path", "/ipp")),
            *said(
                "server",
                ("http.status", "200"),
                ("http.content_type", "application/ipp"),
                ("ipp.model", "HP LaserJet MFP E62665"),
                ("ipp.printer_location", "Ward 3, nurses' station"),
                ("ipp.name", "prt-ward3"),
                ("ipp.firmware", "2411097_060503"),
                ("ipp.device_id", "MFG:HP;MDL:LaserJet MFP E62665;SN:CNB1234567;"),
                ("ipp.serial_number", "CNB1234567"),
            ),
        ],
        absent=["doe"],
    )
    case(
        "zebra/identification",
        "Made by hand after the ZPL programming guide",
        "A label printer answers host identification and three variables.",
        [
            segment('~HI! U1 getvar "device.unique_id"\r\n! U1 getvar "media.speed"\r\n', **tcp(9100)),
            segment("\x02ZT410-203dpi,V75.20.01Z,8,2104KB\x03\r\n", from_client=False, **tcp(9100)),
            segment('! U1 getvar "device.friendly_name"\r\n', **tcp(9100)),
            segment('"18J174300000""4.0""LBL-LAB-2"', from_client=False, **tcp(9100)),
        ],
        said(
            "server",
            ("zebra.product_name", "ZT410-203dpi"),
            ("zebra.firmware", "V75.20.01Z"),
            ("zebra.dots_per_mm", "8"),
            ("zebra.language", "ZPL"),
            ("zebra.serial_number", "18J174300000"),
            ("zebra.friendly_name", "LBL-LAB-2"),
        ),
    )
    case(
        "zebra/label",
        "Made by hand after the ZPL programming guide",
        "A label with a name on it: only that the printer is sent ZPL is told.",
        [segment("^XA^FO50,50^FDDoe Jane 1970^FS^XZ", **tcp(9100))],
        [("zebra.language", "ZPL", "server")],
        absent=["Doe"],
    )
    control = "Hws-lab-7\nPjdoe\nJletter\n"
    case(
        "lpd/job",
        "Made by hand after RFC 1179",
        "A workstation prints: its name, the queue, and not who.",
        [
            segment(
                f"\x02ward3\n\x02{len(control)} cfA123ws-lab-7\n{control}\0\x034 dfA123ws-lab-7\nabcd\0",
                **tcp(515),
            ),
            segment("\0\0\0", from_client=False, **tcp(515)),
        ],
        [
            *said("client", ("lpd.role", "client"), ("lpd.host_name", "ws-lab-7")),
            *said("server", ("lpd.role", "printer"), ("lpd.queue", "ward3")),
        ],
        absent=["doe"],
    )


def cameras() -> None:
    """Write cases of cameras over HTTP."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:tt="http://www.onvif.org/ver10/schema"><env:Body>'
        "<tds:GetDeviceInformationResponse><tds:Manufacturer>AXIS</tds:Manufacturer><tds:Model>P3245-LVE</tds:Model>"
        "<tds:FirmwareVersion>10.12.114</tds:FirmwareVersion><tds:SerialNumber>ACCC8E010203</tds:SerialNumber>"
        "<tds:HardwareId>779</tds:HardwareId></tds:GetDeviceInformationResponse></env:Body></env:Envelope>"
    )
    scopes = (
        '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" '
        'xmlns:tds="http://www.onvif.org/ver10/device/wsdl"><e:Body><tds:GetScopesResponse><tds:Scopes>'
        "<tds:ScopeItem>onvif://www.onvif.org/location/ward%203</tds:ScopeItem></tds:Scopes><tds:Scopes>"
        "<tds:ScopeItem>onvif://www.onvif.org/name/AXIS%20P3245-LVE</tds:ScopeItem></tds:Scopes>"
        "</tds:GetScopesResponse></e:Body></e:Envelope>"
    )

    def answer(content: str) -> str:
        return (
            "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\n"
            f"Content-Length: {len(content)}\r\n\r\n{content}"
        )

    ask = "POST /onvif/device_service HTTP/1.1\r\nHost: cam\r\nContent-Length: 0\r\n\r\n"
    case(
        "http/onvif_device_information",
        "Made by hand after ONVIF Core Specification 8.1 and 8.4",
        "A camera answers what it is and where it hangs.",
        [
            segment(ask + ask, **tcp(80)),
            segment(answer(body) + answer(scopes), from_client=False, **tcp(80)),
        ],
        [
            *said(
                "client",
                ("http.method", "POST"),
                ("http.host", "cam"),
                ("http.path", "/onvif/device_service"),
            ),
            *said(
                "server",
                ("http.status", "200"),
                ("http.content_type", "application/soap+xml"),
                ("onvif.manufacturer", "AXIS"),
                ("onvif.model", "P3245-LVE"),
                ("onvif.firmware", "10.12.114"),
                ("onvif.serial_number", "ACCC8E010203"),
                ("onvif.hardware_id", "779"),
                ("onvif.location", "ward 3"),
                ("onvif.name", "AXIS P3245-LVE"),
            ),
        ],
    )


def bacnet() -> None:
    """Write cases of BACnet behind routers."""
    i_am = b"\x10\x00\xc4\x02\x00\x09\x61\x22\x01\xe0\x91\x03\x21\x18"
    npdu = b"\x01\x28\xff\xff\x00\x00\x03\x01\x6c\xff"
    payload = struct.pack(">BBH", 0x81, 0x0B, 4 + len(npdu) + len(i_am)) + npdu + i_am
    case(
        "bacnet/behind_a_router",
        "Made by hand after ASHRAE 135 clause 6.2",
        "A controller on MS/TP is told as what stands behind its router, not as the router.",
        [segment(payload, **udp(47808))],
        said(
            "client",
            ("bacnet.role", "router"),
            ("bacnet.routed_network", "3"),
            ("bacnet.routed_device", "3:6c device instance: 2401"),
            ("bacnet.routed_device", "3:6c vendor id: 24"),
        ),
    )


def dhcp() -> None:
    """Write cases of DHCP options that relays and home gateways send."""
    relay = b"\x01\x06\x00\x04\x00\x68\x01\x07" + b"\x02\x08\x00\x06\x00\x1e\xf6\x73\x59\x81"
    identity = struct.pack(">IB", 3561, 14) + b"\x02\x06SN0815\x03\x04CPE1"
    options = (
        b"\x63\x82\x53\x63\x35\x01\x01"
        + bytes((125, len(identity)))
        + identity
        + b"\x2b\x0a\x01\x08Mitel-69"
        + bytes((82, len(relay)))
        + relay
        + b"\xff"
    )
    fixed = (
        b"\x01\x01\x06\x01"
        + b"\0\0\0\x07"
        + b"\0" * 16
        + bytes((10, 1, 104, 1))
        + b"\x02\x09\xfb\x00\x00\x09"
    ).ljust(236, b"\0")
    case(
        "dhcp/relay_in_numbers",
        "Made by hand after RFC 3046, RFC 3925 and TR-069 annex F; the circuit id in Cisco's form",
        "A relay names VLAN, port and switch in numbers; a device its serial number.",
        [segment(fixed + options, **udp(67))],
        said(
            "02:09:fb:00:00:09",
            ("dhcp.message_type", "discover"),
            ("dhcp.options_order", "53,125,43,82"),
            ("dhcp.relay_address", "10.1.104.1"),
            ("dhcp.relay_agent_circuit_id", "000400680107"),
            ("dhcp.relay_agent_remote_id", "0006001ef6735981"),
            ("dhcp.relay_vlan", "104"),
            ("dhcp.relay_port", "1/7"),
            ("dhcp.relay_mac", "00:1e:f6:73:59:81"),
            ("dhcp.serial_number", "SN0815"),
            ("dhcp.product_class", "CPE1"),
            ("dhcp.vendor_specific", "Mitel-69"),
        ),
    )


def remote_desktop() -> None:
    """Write cases of RDP over UDP."""
    numbers = struct.pack(">IHH", 7, 1232, 1232)
    syn = struct.pack(">IHH", 0xFFFFFFFF, 64, 0x1801) + numbers + b"c" * 16 + b"\0" * 16 + b"\0\x01\x01\x01"
    answer = struct.pack(">IHH", 7, 64, 0x1005) + numbers + b"\0\x01\0\x02"
    case(
        "rdpudp/handshake",
        "Made by hand after [MS-RDPEUDP]",
        "A machine is asked for its desktop over UDP and answers.",
        [
            segment(syn.ljust(1232, b"\0"), **udp(3389)),
            segment(answer.ljust(1232, b"\0"), from_client=False, **udp(3389)),
        ],
        [
            *said("client", ("rdpudp.role", "client"), ("rdpudp.version", "3")),
            *said("server", ("rdpudp.role", "server"), ("rdpudp.version", "2")),
        ],
    )


def main() -> None:
    """Write all cases."""
    for write in (
        radius,
        dcerpc,
        knx,
        fox,
        sccp,
        coap,
        rfb,
        vpn,
        dtls,
        discoveries,
        services,
        network,
        plant,
        printers,
        cameras,
        bacnet,
        dhcp,
        remote_desktop,
    ):
        write()


if __name__ == "__main__":
    main()
