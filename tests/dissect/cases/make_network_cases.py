"""Write the cases of the network dissectors: bytes from scapy or by hand, facts always by hand.

Run from the root of the checkout: ``python tests/dissect/cases/make_network_cases.py``. Scapy builds what
it has layers for, so that bytes and dissector come from different hands; the rest is put together
here field by field after the standard named in ``origin``.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import (
    DUID_EN,
    DUID_LLT,
    VENDOR_CLASS_DATA,
    DHCP6_RelayForward,
    DHCP6_Reply,
    DHCP6_Solicit,
    DHCP6OptClientFQDN,
    DHCP6OptClientId,
    DHCP6OptClientLinkLayerAddr,
    DHCP6OptElapsedTime,
    DHCP6OptIA_NA,
    DHCP6OptIAAddress,
    DHCP6OptIfaceId,
    DHCP6OptOptReq,
    DHCP6OptRelayMsg,
    DHCP6OptServerId,
    DHCP6OptVendorClass,
)
from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRRHINFO, DNSRRSRV
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP
from scapy.layers.netbios import NBNSHeader, NBNSQueryRequest, NBNSRegistrationRequest
from scapy.layers.ntp import NTPHeader
from scapy.layers.snmp import SNMP, SNMPget, SNMPresponse, SNMPtrapv1, SNMPvarbind
from scapy.packet import Packet

CASES = Path(__file__).parent
SCAPY = "Built with scapy 2.8 layers"
MAC = "02:00:00:00:00:10"
Fact = tuple[str, str, str]


def said(who: str, *pairs: tuple[str, str]) -> list[Fact]:
    """Return facts of ``who``."""
    return [(field, value, who) for field, value in pairs]


def case(name: str, origin: str, note: str, payload: bytes | Packet, facts: list[Fact], **entry: Any) -> None:
    """Write one case of one payload; ``malformed`` and ``absent`` are taken out of ``entry``."""
    body: dict[str, Any] = {"note": note, "origin": origin}
    rest: dict[str, Any] = {key: entry.pop(key) for key in ("malformed", "absent") if key in entry}
    octets = bytes(payload).hex()
    entry["hex"] = [octets[i : i + 96] for i in range(0, len(octets), 96)]
    body |= {"segments": [entry], "facts": sorted(set(facts)), **rest}
    path = CASES / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n")


def frame(ethertype: int) -> dict[str, Any]:
    """Return the entry of an Ethernet segment."""
    return {"transport": "eth", "ethertype": ethertype}


def udp(port: int, **more: Any) -> dict[str, Any]:
    """Return the entry of a datagram."""
    return {"transport": "udp", "dst_port": port, **more}


def arp() -> None:
    """RFC 826 and RFC 5227."""
    request = ARP(op=1, hwsrc="02:00:00:00:00:77", psrc="192.0.2.77", pdst="192.0.2.1")
    case(
        "arp/request",
        SCAPY,
        "A request binds the sender it names, not the frame's.",
        request,
        said("192.0.2.77", ("arp.ip", "192.0.2.77")),
        **frame(0x0806),
    )
    announcement = ARP(op=1, hwsrc=MAC, psrc="192.0.2.10", pdst="192.0.2.10")
    case(
        "arp/announcement",
        SCAPY,
        "A gratuitous request binds; padding of the frame is no harm.",
        bytes(announcement) + bytes(18),
        said("192.0.2.10", ("arp.ip", "192.0.2.10")),
        **frame(0x0806),
    )
    case(
        "arp/probe",
        SCAPY,
        "A probe has no sender address yet and binds nothing.",
        ARP(op=1, hwsrc=MAC, psrc="0.0.0.0", pdst="192.0.2.10"),
        [],
        **frame(0x0806),
    )
    case(
        "arp/wrong_lengths",
        "Written by hand after RFC 826.",
        "Hardware length 8 contradicts Ethernet.",
        bytes.fromhex("0001080008040001") + bytes(24),
        [],
        malformed=True,
        **frame(0x0806),
    )


def ndp() -> None:
    """RFC 4861."""
    router, host, target = "fe80::1", "fe80::10", "fe80::20"
    advertisement = (
        IPv6(src=router, dst="ff02::1", hlim=255)
        / ICMPv6ND_RA(routerlifetime=1800)
        / ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:01")
        / ICMPv6NDOptPrefixInfo(prefix="2001:db8:7::", prefixlen=64)
    )
    facts = [("ndp.ip", router), ("ndp.router", "yes"), ("ndp.prefix", "2001:db8:7::/64")]
    case(
        "ndp/router_advertisement",
        SCAPY,
        "A router states its address, itself and its prefix.",
        advertisement,
        said(router, *facts),
        **frame(0x86DD),
    )
    advertised = IPv6(src=target, dst=host, hlim=255) / ICMPv6ND_NA(R=0, S=1, tgt=target)
    case(
        "ndp/advertisement",
        SCAPY,
        "An advertisement binds its target to the target link-layer address.",
        advertised / ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:20"),
        said(target, ("ndp.ip", target)),
        **frame(0x86DD),
    )
    case(
        "ndp/solicitation_without_ip_header",
        SCAPY,
        "The ICMPv6 message alone, with the addresses in the segment.",
        bytes(ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=MAC)),
        said("client", ("ndp.ip", host)),
        client_ip=host,
        server_ip=target,
        **frame(0x86DD),
    )
    case(
        "ndp/duplicate_address_detection",
        SCAPY,
        "A solicitation from :: asks whether an address is free and binds nothing.",
        IPv6(src="::", dst="ff02::1:ff00:20", hlim=255) / ICMPv6ND_NS(tgt=target),
        [],
        **frame(0x86DD),
    )
    case(
        "ndp/from_another_link",
        SCAPY,
        "A hop limit below 255 proves a forged advertisement (RFC 4861 11.2).",
        IPv6(src=target, dst=host, hlim=64)
        / ICMPv6ND_NA(tgt=target)
        / ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:66"),
        [],
        **frame(0x86DD),
    )
    empty = bytearray(bytes(advertised / ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:20")))
    empty[65] = 0
    case(
        "ndp/empty_option",
        SCAPY + ", option length set to 0 by hand.",
        "An option of length zero would never end.",
        bytes(empty),
        [],
        malformed=True,
        **frame(0x86DD),
    )


def dhcp() -> None:
    """RFC 2131 and RFC 2132."""
    pump = "02:09:fb:00:00:01"
    chaddr = bytes.fromhex(pump.replace(":", ""))
    options = [
        ("message-type", "request"),
        ("client_id", b"\x01" + chaddr),
        ("requested_addr", "192.0.2.50"),
        ("server_id", "192.0.2.1"),
        ("hostname", b"PUMP-4711"),
        ("vendor_class_id", b"udhcp 1.22.1"),
        ("max_dhcp_size", 576),
        ("param_req_list", [1, 3, 6, 12, 15, 28, 42]),
        (81, b"\x04\0\0\x09PUMP-4711\x04ward\x04test\0"),
        (82, b"\x01\x0bGi1/0/7:104\x02\x06\x00\x1e\xf6\x73\x59\x81"),
        "end",
    ]
    request = BOOTP(chaddr=chaddr, xid=7, ciaddr="0.0.0.0") / DHCP(options=options)
    facts = said(
        pump,
        ("dhcp.message_type", "request"),
        ("dhcp.options_order", "53,61,50,54,12,60,57,55,81,82"),
        ("dhcp.client_id", "1:0209fb000001"),
        ("dhcp.requested_address", "192.0.2.50"),
        ("dhcp.host_name", "PUMP-4711"),
        ("dhcp.vendor_class", "udhcp 1.22.1"),
        ("dhcp.max_message_size", "576"),
        ("dhcp.parameter_request_list", "1,3,6,12,15,28,42"),
        ("dhcp.fqdn", "PUMP-4711.ward.test"),
        ("dhcp.relay_agent_circuit_id", "Gi1/0/7:104"),
        ("dhcp.relay_agent_remote_id", "001ef6735981"),
        ("dhcp.relay_mac", "00:1e:f6:73:59:81"),
    )
    case(
        "dhcp/relayed_request",
        SCAPY,
        "Facts belong to chaddr, not to the relay that sent the frame.",
        request,
        facts,
        **udp(67),
    )
    windows = BOOTP(chaddr=chaddr, xid=8) / DHCP(
        options=[
            ("message-type", "discover"),
            ("client_id", bytes.fromhex("ff00000001000100012a2b2c2d0209fb000001")),
            (77, b"\x04iPXE\x03lab"),
            (93, b"\0\x07"),
            (97, b"\0" + bytes.fromhex("00112233445566778899aabbccddeeff")),
            (124, b"\0\0\x01\x37\x09\x08MSFT 5.0"),
            (12, b"STA"),
            (12, b"TION-9\0"),
            (52, b"\x01"),
            "end",
        ]
    )
    octets = bytearray(bytes(windows))
    octets[108:118] = b"\x3c\x07PXEClnt\xff"[:10]
    facts = said(
        pump,
        ("dhcp.message_type", "discover"),
        ("dhcp.options_order", "53,61,77,93,97,124,12,52"),
        ("dhcp.client_id", "255:00000001000100012a2b2c2d0209fb000001"),
        ("dhcp.duid", "000100012a2b2c2d0209fb000001"),
        ("dhcp.duid_type", "llt"),
        ("dhcp.duid_mac", pump),
        ("dhcp.user_class", "iPXE,lab"),
        ("dhcp.client_architecture", "7"),
        ("dhcp.machine_uuid", "00112233445566778899aabbccddeeff"),
        ("dhcp.vendor_identifying_class", "311:MSFT 5.0"),
        ("dhcp.host_name", "STATION-9"),
        ("dhcp.vendor_class", "PXEClnt"),
    )
    case(
        "dhcp/split_and_overloaded_options",
        SCAPY + ", file field overloaded by hand.",
        "Option 12 in two pieces (RFC 3396), option 60 in the file field (option 52), DUID as client ID.",
        bytes(octets),
        facts,
        **udp(67),
    )
    lease = [
        ("message-type", "ack"),
        ("server_id", "192.0.2.20"),
        ("lease_time", 3600),
        ("subnet_mask", "255.255.255.0"),
        ("router", "192.0.2.1", "192.0.2.2"),
        ("domain", b"ward.test\0"),
        "end",
    ]
    ack = BOOTP(op=2, chaddr=chaddr, yiaddr="192.0.2.50") / DHCP(options=lease)
    facts = said(
        "192.0.2.50",
        ("dhcp.address", "192.0.2.50"),
        ("dhcp.server_identifier", "192.0.2.20"),
        ("dhcp.lease_time", "3600"),
        ("dhcp.subnet_mask", "255.255.255.0"),
        ("dhcp.router", "192.0.2.1"),
        ("dhcp.domain_name", "ward.test"),
    )
    case(
        "dhcp/ack",
        SCAPY,
        "An ACK binds chaddr to yiaddr and shows the server.",
        ack,
        [*facts, *said("server", ("dhcp.role", "server"))],
        **udp(67, from_client=False, client_ip="255.255.255.255"),
    )
    case(
        "dhcp/ack_of_inform",
        SCAPY,
        "An ACK without yiaddr grants nothing.",
        BOOTP(op=2, chaddr=chaddr, ciaddr="192.0.2.51") / DHCP(options=[("message-type", "ack"), "end"]),
        said("server", ("dhcp.role", "server")),
        **udp(67, from_client=False),
    )
    broken = bytes(request)[:-60]
    case(
        "dhcp/option_overruns",
        SCAPY + ", cut by hand.",
        "The last option is longer than the datagram.",
        broken,
        [],
        malformed=True,
        **udp(67),
    )


def dhcpv6() -> None:
    """RFC 8415."""
    link_local, mac = "fe80::10", "02:09:fb:00:00:02"
    duid = DUID_LLT(timeval=0x2A2B2C2D, lladdr=mac)
    vendor = DHCP6OptVendorClass(enterprisenum=311, vcdata=[VENDOR_CLASS_DATA(data=b"MSFT 5.0")])
    solicit = (
        DHCP6_Solicit(trid=1)
        / DHCP6OptElapsedTime()
        / DHCP6OptClientId(duid=duid)
        / DHCP6OptIA_NA(iaid=1)
        / DHCP6OptClientFQDN(fqdn="ct2.ward.test.")
        / vendor
        / DHCP6OptOptReq(reqopts=[17, 23, 24, 39])
    )
    facts = [
        ("dhcpv6.message_type", "solicit"),
        ("dhcpv6.options_order", "8,1,3,39,16,6"),
        ("dhcpv6.duid", "000100012a2b2c2d0209fb000002"),
        ("dhcpv6.duid_type", "llt"),
        ("dhcpv6.duid_mac", mac),
        ("dhcpv6.fqdn", "ct2.ward.test"),
        ("dhcpv6.vendor_class", "311:MSFT 5.0"),
        ("dhcpv6.option_request", "17,23,24,39"),
    ]
    case(
        "dhcpv6/solicit",
        SCAPY,
        "A client names itself, its vendor and its wishes.",
        solicit,
        said("client", *facts),
        **udp(547, client_ip=link_local, server_ip="ff02::1:2"),
    )
    inner = DHCP6_Solicit(trid=2) / DHCP6OptClientId(duid=DUID_EN(enterprisenum=9, id=b"FOC1234"))
    relayed = (
        DHCP6_RelayForward(linkaddr="2001:db8::1", peeraddr=link_local)
        / DHCP6OptIfaceId(ifaceid=b"Gi1/0/8")
        / DHCP6OptClientLinkLayerAddr(lltype=1, clladdr=mac)
        / DHCP6OptRelayMsg(message=inner)
    )
    facts = [
        ("dhcpv6.message_type", "solicit"),
        ("dhcpv6.options_order", "1"),
        ("dhcpv6.duid", "000200000009" + b"FOC1234".hex()),
        ("dhcpv6.duid_type", "en"),
        ("dhcpv6.duid_enterprise", "9"),
        ("dhcpv6.relay_interface_id", "Gi1/0/8"),
    ]
    case(
        "dhcpv6/relayed",
        SCAPY,
        "A relay tells the client's address, MAC and port.",
        relayed,
        said(link_local, *facts),
        **udp(547, client_ip="2001:db8::1", server_ip="2001:db8::2"),
    )
    reply = (
        DHCP6_Reply(trid=1)
        / DHCP6OptClientId(duid=duid)
        / DHCP6OptServerId(duid=DUID_EN(enterprisenum=311, id=b"srv"))
        / DHCP6OptIA_NA(iaid=1, ianaopts=[DHCP6OptIAAddress(addr="2001:db8::50")])
    )
    granted = [("dhcpv6.address", "2001:db8::50"), ("dhcpv6.duid", "000100012a2b2c2d0209fb000002")]
    case(
        "dhcpv6/reply",
        SCAPY,
        "A reply binds an address to the DUID and shows the server.",
        reply,
        [*said("2001:db8::50", *granted), *said("server", ("dhcpv6.role", "server"))],
        **udp(547, from_client=False, client_ip=link_local, server_ip="fe80::20"),
    )
    case(
        "dhcpv6/option_overruns",
        "Written by hand after RFC 8415 21.1.",
        "Option 1 claims 255 octets.",
        bytes.fromhex("01000001000100ff0001"),
        [],
        malformed=True,
        **udp(547),
    )


def dns() -> None:
    """RFC 1035."""
    query = DNS(id=1, rd=1, qd=DNSQR(qname="Update.Vendor-X.co.uk"))
    case(
        "dns/query",
        SCAPY,
        "A query, in lower case, with the domain that somebody registered.",
        query,
        said("client", ("dns.query", "update.vendor-x.co.uk"), ("dns.domain", "vendor-x.co.uk")),
        **udp(53),
    )
    answer = DNS(
        id=1,
        qr=1,
        qd=DNSQR(qname="pacs.ward.test"),
        an=[
            DNSRR(rrname="pacs.ward.test", type="CNAME", rdata="a7.ward.test"),
            DNSRR(rrname="a7.ward.test", type="A", rdata="10.1.2.3"),
            DNSRR(rrname="a7.ward.test", type="A", rdata="198.51.100.7"),
            DNSRR(rrname="a7.ward.test", type="AAAA", rdata="fd00::7"),
            DNSRR(rrname="a7.ward.test", type="A", rdata="127.0.0.1"),
            DNSRR(rrname="a7.ward.test", type="A", rdata="0.0.0.0"),
        ],
    )
    case(
        "dns/answer",
        SCAPY,
        "Internal addresses bear the name that was asked for; public ones the client got to know.",
        answer,
        [
            ("dns.role", "server", "server"),
            ("dns.name", "pacs.ward.test", "10.1.2.3"),
            ("dns.name", "pacs.ward.test", "fd00::7"),
            ("dns.resolved", "pacs.ward.test=198.51.100.7", "client"),
        ],
        **udp(53, from_client=False),
    )
    reverse = DNS(
        qr=1,
        qd=DNSQR(qname="3.2.1.10.in-addr.arpa", qtype="PTR"),
        an=DNSRR(rrname="3.2.1.10.in-addr.arpa", type="PTR", rdata="ct1.ward.test"),
    )
    case(
        "dns/reverse",
        SCAPY,
        "A pointer of an internal address names it.",
        reverse,
        [("dns.role", "server", "server"), ("dns.name", "ct1.ward.test", "10.1.2.3")],
        **udp(53, from_client=False),
    )
    missing = DNS(id=9, qr=1, rcode=3, qd=DNSQR(qname="wpad.ward.test"))
    case(
        "dns/nxdomain",
        SCAPY,
        "A name that does not exist is a fact about who asked.",
        missing,
        [("dns.role", "server", "server"), ("dns.nxdomain", "wpad.ward.test", "client")],
        **udp(53, from_client=False),
    )
    length = struct.pack("!H", len(bytes(query)))
    stream = [
        {"dst_port": 53, "hex": (length + bytes(query) + length + bytes(query)[:9]).hex()},
        {"dst_port": 53, "hex": bytes(query)[9:].hex()},
        {
            "dst_port": 53,
            "from_client": False,
            "hex": (struct.pack("!H", len(missing)) + bytes(missing)).hex(),
        },
    ]
    body = {
        "note": "Two queries and a response over TCP, cut in the middle of a message.",
        "origin": SCAPY + ", framed after RFC 1035 4.2.2.",
        "segments": stream,
        "facts": [
            ("dns.query", "update.vendor-x.co.uk", "client"),
            ("dns.domain", "vendor-x.co.uk", "client"),
            ("dns.role", "server", "server"),
            ("dns.nxdomain", "wpad.ward.test", "client"),
        ],
    }
    (CASES / "dns" / "stream.json").write_text(json.dumps(body, indent=2) + "\n")
    loop = bytes.fromhex("000100000001000000000000c00c00010001")
    case(
        "dns/pointer_loop",
        "Written by hand after RFC 1035 4.1.4.",
        "A compression pointer that points at itself.",
        loop,
        [],
        malformed=True,
        **udp(53),
    )


def mdns() -> None:
    """RFC 6762 and RFC 6763."""
    instance = "Lab Printer (2)._ipp._tcp.local"
    response = DNS(
        qr=1,
        aa=1,
        qd=[],
        an=[
            DNSRR(rrname="_ipp._tcp.local", type="PTR", ttl=4500, rdata=instance),
            DNSRR(rrname="_universal._sub._ipp._tcp.local", type="PTR", ttl=4500, rdata=instance),
            DNSRR(rrname="_services._dns-sd._udp.local", type="PTR", ttl=4500, rdata="_http._tcp.local"),
        ],
        ar=[
            DNSRRSRV(rrname=instance, ttl=120, port=631, target="LAB-PRN.local"),
            DNSRR(
                rrname=instance,
                type="TXT",
                ttl=4500,
                rdata=[
                    b"txtvers=1",
                    b"ty=Acme LaserJet 400",
                    b"usb_MFG=Acme",
                    b"usb_MDL=LJ400",
                    b"note=Ward 3",
                ],
            ),
            DNSRR(rrname="LAB-PRN.local", type="A", ttl=120, rdata="192.0.2.10"),
            DNSRRHINFO(rrname="LAB-PRN.local", ttl=120, cpu="ARMV7L", os="LINUX"),
            DNSRR(rrname="_gone._tcp.local", type="PTR", ttl=0, rdata="Old._gone._tcp.local"),
        ],
    )
    facts = [
        ("mdns.service", "_ipp._tcp"),
        ("mdns.service", "_http._tcp"),
        ("mdns.subtype", "_universal"),
        ("mdns.instance", "Lab Printer (2)"),
        ("mdns.host_name", "LAB-PRN"),
        ("mdns.txt.ty", "Acme LaserJet 400"),
        ("mdns.txt.usb_mfg", "Acme"),
        ("mdns.txt.usb_mdl", "LJ400"),
        ("mdns.txt.note", "Ward 3"),
        ("mdns.cpu", "ARMV7L"),
        ("mdns.os", "LINUX"),
    ]
    group = {"src_port": 5353, "server_ip": "224.0.0.251", "server_mac": "01:00:5e:00:00:fb"}
    case(
        "mdns/printer",
        SCAPY,
        "A printer announces services, names and make; the goodbye (ttl 0) is no service.",
        response,
        said("client", *facts),
        **udp(5353, **group),
    )
    case(
        "mdns/reflected",
        SCAPY,
        "A reflector repeats a printer of another network: facts go to the printer's address.",
        response,
        said("192.0.2.10", *facts),
        **udp(5353, **group, client_ip="192.0.2.254"),
    )
    query = DNS(
        qr=0,
        qd=[DNSQR(qname="_dicom._tcp.local", qtype="PTR"), DNSQR(qname="viewer.local", qtype="ALL")],
        an=[DNSRR(rrname="_dicom._tcp.local", type="PTR", ttl=4500, rdata="PACS._dicom._tcp.local")],
        ns=[DNSRR(rrname="viewer.local", type="A", ttl=120, rdata="192.0.2.10")],
    )
    facts = [("mdns.query", "_dicom._tcp"), ("mdns.query", "viewer"), ("mdns.host_name", "viewer")]
    case(
        "mdns/probe",
        SCAPY,
        "A probe claims its own name; the known answer was said by another host.",
        query,
        said("client", *facts),
        absent=["PACS"],
        **udp(5353, **group),
    )


def llmnr() -> None:
    """RFC 4795."""
    case(
        "llmnr/query",
        SCAPY + " (LLMNR shares the DNS format).",
        "A host asks for a name.",
        DNS(qd=DNSQR(qname="WPAD", qtype="A"), rd=0),
        said("client", ("llmnr.query", "wpad")),
        **udp(5355),
    )
    case(
        "llmnr/uniqueness",
        SCAPY + " (LLMNR shares the DNS format).",
        "A host checks that its own name is unique.",
        DNS(qd=DNSQR(qname="CT-CONSOLE", qtype="ALL"), rd=0),
        said("client", ("llmnr.host_name", "ct-console")),
        **udp(5355),
    )
    answer = DNS(qr=1, rd=0, qd=DNSQR(qname="CT1"), an=DNSRR(rrname="CT1", type="A", rdata="192.0.2.20"))
    case(
        "llmnr/response",
        SCAPY + " (LLMNR shares the DNS format).",
        "A responder owns the name.",
        answer,
        said("server", ("llmnr.host_name", "ct1")),
        **udp(5355, from_client=False),
    )
    case(
        "llmnr/two_questions",
        SCAPY,
        "LLMNR asks one question a message.",
        DNS(qd=[DNSQR(qname="A"), DNSQR(qname="B")], rd=0),
        [],
        malformed=True,
        **udp(5355),
    )


def encoded(name: str, suffix: int, pad: bytes = b" ") -> bytes:
    """Return a NetBIOS name in first-level encoding (RFC 1001 14.1) without scope."""
    octets = name.encode("ascii").ljust(15, pad) + bytes([suffix])
    return b"\x20" + b"".join(bytes([0x41 + (o >> 4), 0x41 + (o & 15)]) for o in octets) + b"\0"


def nbns() -> None:
    """RFC 1002."""
    registration = NBNSHeader(NAME_TRN_ID=1, OPCODE=5) / NBNSRegistrationRequest(
        QUESTION_NAME=b"US-SCAN7", SUFFIX=0x4341, NB_ADDRESS="192.0.2.10", TTL=300000
    )
    case(
        "nbns/registration",
        SCAPY,
        "A host claims its server name.",
        registration,
        said("client", ("nbns.name", "US-SCAN7"), ("nbns.role", "server")),
        **udp(137, src_port=137),
    )
    query = NBNSHeader(NAME_TRN_ID=2) / NBNSQueryRequest(QUESTION_NAME=b"PACS", SUFFIX=0x4341)
    case(
        "nbns/query",
        SCAPY,
        "A host asks for a name.",
        query,
        said("client", ("nbns.query", "PACS")),
        **udp(137, src_port=137),
    )
    rows = [("DC01", 0x00, 0x0400), ("HOSPITAL", 0x00, 0x8400), ("HOSPITAL", 0x1C, 0x8400)]
    rows += [("DC01", 0x20, 0x0400), ("MILLER", 0x03, 0x0400)]
    table = b"".join(n.encode().ljust(15) + struct.pack("!BH", s, f) for n, s, f in rows)
    data = bytes([len(rows)]) + table + bytes.fromhex("020000000020") + bytes(40)
    status = struct.pack("!HHHHHH", 3, 0x8400, 0, 1, 0, 0) + encoded("*", 0, b"\0")
    status += struct.pack("!HHIH", 0x21, 1, 0, len(data)) + data
    facts = [
        ("nbns.name", "DC01"),
        ("nbns.domain", "HOSPITAL"),
        ("nbns.role", "workstation"),
        ("nbns.role", "server"),
        ("nbns.role", "domain_controller"),
        ("nbns.unit_id", "02:00:00:00:00:20"),
    ]
    case(
        "nbns/node_status",
        "Written by hand after RFC 1002 4.2.18.",
        "The name table of a domain controller; the messenger name of a person stays out.",
        status,
        said("server", *facts),
        absent=["MILLER"],
        **udp(137, from_client=False),
    )
    answer = struct.pack("!HHHHHH", 4, 0x8580, 0, 1, 0, 0) + encoded("PACS", 0x20)
    answer += struct.pack("!HHIH", 0x20, 1, 300, 6) + bytes.fromhex("6000c0000263")
    case(
        "nbns/answer_of_name_server",
        "Written by hand after RFC 1002 4.2.13.",
        "A name server answers for the owner of the address.",
        answer,
        said("192.0.2.99", ("nbns.name", "PACS"), ("nbns.role", "server")),
        **udp(137, from_client=False),
    )


def browser() -> None:
    """RFC 1002 and [MS-BRWS]."""

    def announcement(command: int, name: bytes, kinds: int, comment: bytes, group: str) -> bytes:
        body = struct.pack("<BBI", command, 3, 720000) + name.ljust(16, b"\0")
        body += struct.pack("<BBIBBH", 6, 1, kinds, 15, 1, 0xAA55) + comment + b"\0"
        slot = b"\\MAILSLOT\\BROWSE\0"
        words = struct.pack(
            "<HHHHBBHIHHHHHBB", 0, len(body), 0, 0, 0, 0, 0, 1000, 0, 0, 0, len(body), 86, 3, 0
        )
        smb = b"\xffSMB\x25" + bytes(27) + b"\x11" + words + struct.pack("<HHH", 1, 1, 2)
        smb += struct.pack("<H", len(slot) + len(body)) + slot + body
        names = encoded("US-SCAN7", 0x00) + encoded(group, 0x1D)
        head = struct.pack("!BBH4sHHH", 0x11, 0x0A, 1, bytes([192, 0, 2, 10]), 138, len(names + smb), 0)
        return head + names + smb

    facts = [
        ("browser.name", "US-SCAN7"),
        ("browser.host_name", "US-SCAN7"),
        ("browser.domain", "WORKGROUP"),
        ("browser.os_version", "6.1"),
        ("browser.comment", "Ultrasound room 2"),
        ("browser.role", "workstation"),
        ("browser.role", "server"),
    ]
    case(
        "browser/host_announcement",
        "Written by hand after [MS-BRWS] 2.2.1 and RFC 1002 4.4.",
        "A host announces name, version and comment.",
        announcement(1, b"US-SCAN7", 0x1003, b"Ultrasound room 2", "WORKGROUP"),
        said("client", *facts),
        **udp(138, src_port=138, server_ip="192.0.2.255"),
    )
    facts = [
        ("browser.name", "US-SCAN7"),
        ("browser.domain", "RADIOLOGY"),
        ("browser.host_name", "US-SCAN7"),
        ("browser.role", "master_browser"),
    ]
    case(
        "browser/domain_announcement",
        "Written by hand after [MS-BRWS] 2.2.3.",
        "A master browser announces its domain.",
        announcement(12, b"RADIOLOGY", 0x80001000, b"US-SCAN7", "WORKGROUP"),
        said("client", *facts),
        **udp(138, src_port=138, server_ip="192.0.2.255"),
    )


def ssdp() -> None:
    """UPnP Device Architecture 2.0."""
    origin = "Written by hand after UPnP Device Architecture 2.0, section 1."
    notify = (
        b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nCACHE-CONTROL: max-age=100\r\n"
        b"LOCATION: http://192.0.2.10:80/description.xml\r\nSERVER: Linux/3.14 UPnP/1.0 Bridge/1.9\r\n"
        b"NTS: ssdp:alive\r\nhue-bridgeid: 001788FFFE000001\r\nNT: upnp:rootdevice\r\n"
        b"USN: uuid:2f402f80-da50-11e1-9b23-001788000001::upnp:rootdevice\r\n\r\n"
    )
    facts = [
        ("ssdp.location", "http://192.0.2.10:80/description.xml"),
        ("ssdp.server", "Linux/3.14 UPnP/1.0 Bridge/1.9"),
        ("ssdp.hue_bridgeid", "001788FFFE000001"),
        ("ssdp.nt", "upnp:rootdevice"),
        ("ssdp.usn", "uuid:2f402f80-da50-11e1-9b23-001788000001::upnp:rootdevice"),
    ]
    group = {"server_ip": "239.255.255.250"}
    case(
        "ssdp/notify",
        origin,
        "A device announces itself.",
        notify,
        said("client", *facts),
        **udp(1900, **group),
    )
    search = (
        b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\n'
        b"ST: urn:dial-multiscreen-org:service:dial:1\r\nUSER-AGENT: Browser/99 Windows\r\n\r\n"
    )
    facts = [
        ("ssdp.search", "urn:dial-multiscreen-org:service:dial:1"),
        ("ssdp.user_agent", "Browser/99 Windows"),
    ]
    case(
        "ssdp/search",
        origin,
        "What is looked for is not what the searcher is.",
        search,
        said("client", *facts),
        **udp(1900, **group),
    )
    response = (
        b"HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:Basic:1\r\nSERVER: X/1\r\nEXT:\r\n"
        b"USN: uuid:1::urn:schemas-upnp-org:device:Basic:1\r\n\r\n"
    )
    facts = [
        ("ssdp.st", "urn:schemas-upnp-org:device:Basic:1"),
        ("ssdp.server", "X/1"),
        ("ssdp.usn", "uuid:1::urn:schemas-upnp-org:device:Basic:1"),
    ]
    case(
        "ssdp/response_from_another_port",
        origin,
        "A response between two ports that are not 1900 is recognised by its headers.",
        response,
        said("client", *facts),
        **udp(50001, src_port=49160),
    )


def ws_discovery() -> None:
    """WS-Discovery 1.1."""
    origin = "Written by hand after OASIS WS-Discovery 1.1 section 5 and IEEE 11073-20702."
    envelope = """<?xml version="1.0" encoding="UTF-8"?>
<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing"
 xmlns:d="http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01"
 xmlns:x="http://docs.oasis-open.org/ws-dd/ns/dpws/2009/01"
 xmlns:m="http://standards.ieee.org/downloads/11073/11073-20702-2016"><e:Header><a:Action>A</a:Action></e:Header>
<e:Body>{}</e:Body></e:Envelope>"""
    hello = """<d:Hello><a:EndpointReference><a:Address>urn:uuid:7c</a:Address></a:EndpointReference>
<d:Types>x:Device m:MedicalDevice</d:Types>
<d:Scopes>sdc.ctxt.loc:/sdc.ctxt.loc.detail/HOSP%2FICU%2FBed4?fac=HOSP sdc.mds.pkp:1.2.840.10004.20701.1.1
 sdc.ctxt.pat:/hospital/PAT4711</d:Scopes>
<d:XAddrs>https://192.0.2.10:6464/7c</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:Hello>"""
    facts = [
        ("wsd.endpoint", "urn:uuid:7c"),
        ("wsd.types", "dpws:Device mdpws:MedicalDevice"),
        ("wsd.scopes", "sdc.ctxt.loc:/sdc.ctxt.loc.detail/HOSP%2FICU%2FBed4?fac=HOSP"),
        ("wsd.scopes", "sdc.mds.pkp:1.2.840.10004.20701.1.1"),
        ("wsd.xaddrs", "https://192.0.2.10:6464/7c"),
    ]
    document = envelope.format(hello).encode()
    case(
        "wsd/hello",
        origin,
        "A medical device says hello; the scope that names a patient stays out.",
        document,
        said("client", *facts),
        absent=["PAT4711"],
        **udp(3702, server_ip="239.255.255.250"),
    )
    case(
        "wsd/proxy",
        origin,
        "A discovery proxy speaks for the device at another address.",
        document,
        said("192.0.2.10", *facts),
        absent=["PAT4711"],
        **udp(3702, client_ip="192.0.2.99"),
    )
    probe = envelope.format("<d:Probe><d:Types>x:Device</d:Types></d:Probe>").encode()
    case(
        "wsd/probe",
        origin,
        "What is probed for is not what the client is.",
        probe,
        said("client", ("wsd.probe", "dpws:Device")),
        **udp(3702, server_ip="239.255.255.250"),
    )
    bomb = b'<?xml version="1.0"?><!DOCTYPE e [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;">]><e>&b;</e>'
    case(
        "wsd/entities",
        "Written by hand.",
        "A document type declaration is refused before anything expands.",
        bomb,
        [],
        malformed=True,
        **udp(3702),
    )


def tlv(kind: int, value: bytes) -> bytes:
    """Return an LLDP TLV."""
    return struct.pack("!H", kind << 9 | len(value)) + value


def lldp() -> None:
    """IEEE 802.1AB and ANSI/TIA-1057."""
    med = b"\x00\x12\xbb"
    octets = (
        tlv(1, b"\x04\x02\x00\x00\x00\x00\x10")
        + tlv(2, b"\x05Gi1/0/24")
        + tlv(3, b"\0\x78")
        + tlv(4, b"uplink")
        + tlv(5, b"ward3-gw")
        + tlv(6, b"Acme Gateway 9, release 4.2\r\nbuild 7")
        + tlv(7, b"\x00\x14\x00\x10")
        + tlv(8, b"\x05\x01\xc0\x00\x02\x63\x02\x00\x00\x00\x01\x00")
        + tlv(127, b"\x00\x80\xc2\x01\x00\x68")
        + tlv(127, b"\x00\x80\xc2\x03\x00\x68\x07medical")
        + tlv(127, med + b"\x01\x00\x33\x03")
        + b"".join(
            tlv(127, med + bytes([subtype]) + text)
            for subtype, text in enumerate((b"H1", b"F2", b"S3", b"SN4", b"Acme", b"GW-9", b"A-7"), 5)
        )
        + tlv(0, b"")
    )
    facts = [
        ("lldp.chassis_id", "02:00:00:00:00:10"),
        ("lldp.port_id", "Gi1/0/24"),
        ("lldp.port_description", "uplink"),
        ("lldp.system_name", "ward3-gw"),
        ("lldp.system_description", "Acme Gateway 9, release 4.2  build 7"),
        ("lldp.capabilities", "router"),
        ("lldp.management_address", "192.0.2.99"),
        ("lldp.vlan", "104"),
        ("lldp.vlan_name", "medical"),
        ("lldp.med_class", "endpoint_class_3"),
        ("lldp.hardware_revision", "H1"),
        ("lldp.firmware", "F2"),
        ("lldp.software", "S3"),
        ("lldp.serial", "SN4"),
        ("lldp.manufacturer", "Acme"),
        ("lldp.model", "GW-9"),
        ("lldp.asset_id", "A-7"),
    ]
    origin = "Written by hand after IEEE 802.1AB-2016 clause 8 and ANSI/TIA-1057 clause 10."
    case("lldp/inventory", origin, "Every TLV that is read.", octets, said("client", *facts), **frame(0x88CC))
    case(
        "lldp/overrun",
        origin,
        "The facts before a TLV that overruns the frame still count.",
        tlv(1, b"\x07chassis") + tlv(5, b"name")[:-2],
        said("client", ("lldp.chassis_id", "chassis")),
        malformed=True,
        **frame(0x88CC),
    )


def cdp() -> None:
    """Cisco Discovery Protocol."""

    def item(kind: int, value: bytes) -> bytes:
        return struct.pack("!HH", kind, len(value) + 4) + value

    address = struct.pack("!I", 2) + bytes.fromhex("0101cc0004c0000263")
    address += bytes.fromhex("0208aaaa0300000086dd001020010db8000000000000000000000063")
    octets = (
        bytes.fromhex("02b40000")
        + item(1, b"SEP020000000010")
        + item(2, address)
        + item(3, b"Port 1")
        + item(4, struct.pack("!I", 0x490))
        + item(5, b"SIP88xx.12-8-1")
        + item(6, b"Cisco IP Phone 8841")
        + item(0x0A, b"\0\x68")
    )
    facts = [
        ("cdp.device_id", "SEP020000000010"),
        ("cdp.address", "192.0.2.99"),
        ("cdp.address", "2001:db8::63"),
        ("cdp.port_id", "Port 1"),
        ("cdp.capabilities", "host,phone,two_port_mac_relay"),
        ("cdp.version", "SIP88xx.12-8-1"),
        ("cdp.platform", "Cisco IP Phone 8841"),
        ("cdp.native_vlan", "104"),
    ]
    origin = "Written by hand after the CDP packet formats of the IOS configuration guide."
    case("cdp/phone", origin, "A telephone says what it is.", octets, said("client", *facts), **frame(0x2000))
    case(
        "cdp/empty_tlv",
        origin,
        "A TLV shorter than its own header.",
        bytes.fromhex("02b40000000100020000"),
        [],
        malformed=True,
        **frame(0x2000),
    )


def ntp() -> None:
    """RFC 5905 and RFC 9327."""
    case(
        "ntp/client",
        SCAPY,
        "A client asks.",
        NTPHeader(version=4, mode=3),
        said("client", ("ntp.role", "client"), ("ntp.version", "4")),
        **udp(123),
    )
    facts = [("ntp.role", "server"), ("ntp.version", "4"), ("ntp.stratum", "1"), ("ntp.reference_id", "GPS")]
    server = NTPHeader(version=4, mode=4, stratum=1, ref_id=b"GPS\0")
    case(
        "ntp/server", SCAPY, "A clock answers.", server, said("server", *facts), **udp(123, from_client=False)
    )
    text = b'version="ntpd 4.2.8p15@1.3728-o", processor="x86_64",\r\nsystem="Linux/5.10", leap=0'
    control = struct.pack("!BBHHHHH", 0x16, 0x82, 1, 0x0615, 0, 0, len(text)) + text
    facts = [
        ("ntp.role", "server"),
        ("ntp.daemon", "ntpd 4.2.8p15@1.3728-o"),
        ("ntp.processor", "x86_64"),
        ("ntp.system", "Linux/5.10"),
    ]
    case(
        "ntp/control",
        "Written by hand after RFC 9327 section 2.",
        "A daemon tells its variables.",
        control,
        said("server", *facts),
        **udp(123, from_client=False),
    )


def syslog() -> None:
    """RFC 5424, RFC 3164 and RFC 6587."""
    old = b"<38>Oct 11 22:14:15 ct1-console sshd[4721]: Accepted for DOE^JOHN"
    facts = [("syslog.format", "rfc3164"), ("syslog.host_name", "ct1-console"), ("syslog.app_name", "sshd")]
    case(
        "syslog/rfc3164",
        "Written by hand after RFC 3164 section 5.4.",
        "Names come out, the message does not.",
        old,
        said("client", *facts),
        absent=["DOE"],
        **udp(514),
    )
    new = b"<165>1 2026-10-11T22:14:15.003Z gw.ward.test monitor 77 ID47 - PID 4711 DOE"
    facts = [
        ("syslog.format", "rfc5424"),
        ("syslog.host_name", "gw.ward.test"),
        ("syslog.app_name", "monitor"),
    ]
    case(
        "syslog/rfc5424",
        "Written by hand after RFC 5424 section 6.5.",
        "Names come out, the message does not.",
        new,
        said("client", *facts),
        absent=["DOE"],
        **udp(514),
    )
    relayed = b"<13>Oct 11 22:14:15 192.0.2.77 app: DOE^JOHN admitted"
    case(
        "syslog/relayed",
        "Written by hand after RFC 3164 section 4.1.2.",
        "A host name that is another address is about that address.",
        relayed,
        [
            ("syslog.format", "rfc3164", "client"),
            ("syslog.app_name", "app", "client"),
            ("syslog.host_name", "192.0.2.77", "192.0.2.77"),
        ],
        absent=["DOE"],
        **udp(514),
    )
    case(
        "syslog/no_time",
        "Written by hand.",
        "Without a time stamp no word can be trusted to be a name.",
        b"<13>DOE JOHN admitted: ward 3",
        said("client", ("syslog.format", "rfc3164")),
        absent=["DOE", "JOHN"],
        **udp(514),
    )
    counted = b"%d %b%d %b" % (len(new), new, len(old), old)
    case(
        "syslog/counted_stream",
        "Written by hand after RFC 6587 section 3.4.1.",
        "Two messages in one stream, each after its length.",
        counted,
        said(
            "client",
            ("syslog.format", "rfc5424"),
            ("syslog.host_name", "gw.ward.test"),
            ("syslog.app_name", "monitor"),
            ("syslog.format", "rfc3164"),
            ("syslog.host_name", "ct1-console"),
            ("syslog.app_name", "sshd"),
        ),
        absent=["DOE"],
        transport="tcp",
        dst_port=601,
    )
    case(
        "syslog/line_stream",
        "Written by hand after RFC 6587 section 3.4.2.",
        "A line feed ends a message.",
        old + b"\n" + old + b"\n<13>Oct 1",
        said(
            "client",
            ("syslog.format", "rfc3164"),
            ("syslog.host_name", "ct1-console"),
            ("syslog.app_name", "sshd"),
        ),
        absent=["DOE"],
        transport="tcp",
        dst_port=601,
    )


def ber(tag: int, *parts: bytes) -> bytes:
    """Return a BER element with a short or two-octet length."""
    body = b"".join(parts)
    length = bytes([len(body)]) if len(body) < 128 else b"\x82" + struct.pack("!H", len(body))
    return bytes([tag]) + length + body


def snmp() -> None:
    """RFC 3416, RFC 1157 and RFC 3412."""
    get = SNMP(
        version="v2c", community="private", PDU=SNMPget(varbindlist=[SNMPvarbind(oid="1.3.6.1.2.1.1.1.0")])
    )
    facts = [("snmp.version", "2c"), ("snmp.role", "manager"), ("snmp.request_community", "private")]
    case("snmp/get", SCAPY, "A manager tries a default community.", get, said("client", *facts), **udp(161))
    objects: list[tuple[str, str | bytes, str]] = [
        ("1.3.6.1.2.1.1.1.0", b"Acme LaserJet 400, ROM 7\r\n", "snmp.sys_descr"),
        ("1.3.6.1.2.1.1.5.0", b"LAB-PRN", "snmp.sys_name"),
        ("1.3.6.1.2.1.1.6.0", b"Ward 3", "snmp.sys_location"),
        ("1.3.6.1.2.1.47.1.1.1.1.11.1", b"SN123", "snmp.entity_serial"),
        ("1.3.6.1.2.1.47.1.1.1.1.13.1", b"LJ400", "snmp.entity_model"),
        ("1.3.6.1.2.1.25.3.2.1.3.1", b"Acme LaserJet 400 M401n", "snmp.hr_device_descr"),
        ("1.3.6.1.2.1.43.5.1.1.17.1", b"PHGFD00001", "snmp.printer_serial"),
        ("1.3.6.1.2.1.1.4.0", b"Dr. Miller, phone 4711", ""),
    ]
    answer = SNMP(
        version="v2c",
        community="public",
        PDU=SNMPresponse(varbindlist=[SNMPvarbind(oid=oid, value=value) for oid, value, _ in objects]),
    )
    facts = [
        (field, bytes(value).decode().strip())
        for _, value, field in objects
        if field and isinstance(value, bytes)
    ]
    facts += [("snmp.version", "2c"), ("snmp.role", "agent"), ("snmp.community", "public")]
    case(
        "snmp/response",
        SCAPY,
        "An agent with the public community tells what it is; sysContact names staff and stays out.",
        answer,
        said("server", *facts),
        absent=["Miller"],
        **udp(161, from_client=False),
    )
    trap = SNMP(
        version="v1",
        community="s3cret",
        PDU=SNMPtrapv1(
            enterprise="1.3.6.1.4.1.318.1.3.27",
            agent_addr="192.0.2.77",
            generic_trap=6,
            time_stamp=77,
            varbindlist=[SNMPvarbind(oid="1.3.6.1.2.1.1.5.0", value=b"UPS-OR2")],
        ),
    )
    facts = [
        ("snmp.role", "agent"),
        ("snmp.community", "set"),
        ("snmp.trap_enterprise", "1.3.6.1.4.1.318.1.3.27"),
        ("snmp.sys_name", "UPS-OR2"),
    ]
    case(
        "snmp/trap_v1",
        SCAPY,
        "A v1 trap is about the agent address it names; a community of one's own stays unsaid.",
        trap,
        [*said("192.0.2.77", *facts), ("snmp.version", "1", "client")],
        absent=["s3cret"],
        **udp(162),
    )
    engine = bytes.fromhex("8000000903020000000020")
    usm = ber(0x30, ber(4, engine), ber(2, b"\1"), ber(2, b"\2"), ber(4, b"user"), ber(4), ber(4))
    pdu = ber(
        0xA2,
        ber(2, b"\7"),
        ber(2, b"\0"),
        ber(2, b"\0"),
        ber(0x30, ber(0x30, ber(6, bytes.fromhex("2b06010201010500")), ber(4, b"core-sw"))),
    )
    header = ber(0x30, ber(2, b"\7"), ber(2, b"\x05\xdc"), ber(4, b"\1"), ber(2, b"\3"))
    message = ber(0x30, ber(2, b"\3"), header, ber(4, usm), ber(0x30, ber(4, engine), ber(4), pdu))
    facts = [
        ("snmp.version", "3"),
        ("snmp.security_level", "authNoPriv"),
        ("snmp.engine_id", "8000000903020000000020"),
        ("snmp.engine_enterprise", "9"),
        ("snmp.engine_mac", "02:00:00:00:00:20"),
        ("snmp.role", "agent"),
        ("snmp.sys_name", "core-sw"),
    ]
    case(
        "snmp/version_3",
        "Written by hand after RFC 3412 section 6 and RFC 3414 section 2.4.",
        "An authenticated response that is not encrypted.",
        message,
        said("server", *facts),
        absent=["user"],
        **udp(161, from_client=False),
    )
    case(
        "snmp/overrun",
        "Written by hand.",
        "The sequence claims more than the datagram holds.",
        bytes.fromhex("3082ffff020101"),
        [],
        malformed=True,
        **udp(161),
    )


def eapol() -> None:
    """IEEE 802.1X and RFC 3748."""

    def response(method: int, body: bytes) -> bytes:
        eap = struct.pack("!BBHB", 2, 1, 5 + len(body), method) + body
        return struct.pack("!BBH", 1, 0, len(eap)) + eap

    origin = "Written by hand after IEEE 802.1X-2020 clause 11 and RFC 3748 section 4."
    role = ("eapol.role", "supplicant")
    machine = response(1, b"host/ct1.ward.test")
    facts = [role, ("eapol.identity", "host/ct1.ward.test"), ("eapol.machine", "ct1.ward.test")]
    user = ("eapol.user", "user-42kng46xz15n0epy")
    case("eapol/machine", origin, "A machine names itself.", machine, said("client", *facts), **frame(0x888E))
    for name, identity, public in (
        ("realm", b"miller@ward.test", "@ward.test"),
        ("domain", b"WARD\\miller", "WARD\\"),
    ):
        case(
            f"eapol/person_{name}",
            origin,
            "Of a person only realm or domain is kept.",
            response(1, identity),
            said("client", role, user, ("eapol.identity", public)),
            absent=["miller"],
            **frame(0x888E),
        )
    case(
        "eapol/person",
        origin,
        "Of a bare user name there is a token.",
        response(1, b"miller"),
        said("client", role, user),
        absent=["miller"],
        **frame(0x888E),
    )
    case(
        "eapol/method",
        origin,
        "The supplicant answers with EAP-TLS.",
        response(13, b"\x00"),
        said("client", role, ("eapol.method", "tls")),
        **frame(0x888E),
    )


def pjl() -> None:
    """HP PJL Technical Reference Manual."""
    ask = b"\x1b%-12345X@PJL INFO ID\r\n@PJL INFO PRODINFO\r\n\x1b%-12345X"
    answer = (
        b'@PJL INFO ID\r\n"Acme LaserJet 400"\r\n\x0c'
        b'@PJL INFO PRODINFO\r\nProductName = "Acme LaserJet 400"\r\n'
        b'SerialNumber = "PHGFD00001"\r\nFirmwareDateCode = "20260101 07.1"\r\nPageCount = 77\r\n\x0c'
    )
    body = {
        "note": "A printer answers who it is; the job stays unread.",
        "origin": "Written by hand after the HP PJL Technical Reference Manual, chapter 6.",
        "segments": [
            {"dst_port": 9100, "text": ask.decode("latin-1")},
            {"dst_port": 9100, "from_client": False, "text": answer.decode("latin-1")},
            {"dst_port": 9100, "text": '@PJL JOB NAME = "Report DOE^JOHN"\r\n'},
        ],
        "facts": [
            ("pjl.info_id", "Acme LaserJet 400", "server"),
            ("pjl.model", "Acme LaserJet 400", "server"),
            ("pjl.serial_number", "PHGFD00001", "server"),
            ("pjl.firmware", "20260101 07.1", "server"),
        ],
        "absent": ["DOE"],
    }
    (CASES / "pjl").mkdir(exist_ok=True)
    (CASES / "pjl" / "info.json").write_text(json.dumps(body, indent=2) + "\n")


if __name__ == "__main__":
    (CASES / "dns").mkdir(exist_ok=True)
    for write in (
        arp, ndp, dhcp, dhcpv6, dns, mdns, llmnr, nbns, browser, ssdp, ws_discovery, lldp, cdp, ntp, syslog,
        snmp, eapol, pjl,
    ):  # fmt: skip
        write()
