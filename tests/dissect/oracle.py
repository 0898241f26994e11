"""What tshark and we both know: which fields say the same, and how to read them.

A row of ``COMPARED`` names our fields, tshark's for the same, and how either is brought to one form. The
differences that stay are in ``oracle_differences``. This tshark has no JA4: it is made here from what tshark
shows of a ClientHello.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.dissect.oracle_differences import OURS, THEIRS, explained

from medwarden.dissect.dcerpc import INTERFACES
from medwarden.dissect.mdns import split_service
from medwarden.dissect.observer import Observer
from medwarden.dissect.tls_names import CIPHER_SUITES
from medwarden.flowcore import CaptureReader, FlowCore, FlowCoreConfig

Values = dict[str, set[str]]
Packet = dict[str, list[str]]


def as_it_is(text: str) -> str:
    return text


def always(packet: Packet) -> bool:
    del packet
    return True


class Compared(NamedTuple):
    """Fields of ours and of tshark's that say the same; ``within``: we tell a part of what tshark shows."""

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    read: Callable[[str], str] = as_it_is
    when: Callable[[Packet], bool] = always
    own: Callable[[str], str] = as_it_is
    within: bool = False
    derived: Callable[[Packet], Iterable[str]] | None = None


def netbios(text: str) -> str:
    """Return the name in ``CX_0D7560<00> (Workstation/Redirector)``; groups and wildcards have none."""
    name, _, kind = text.partition("<")
    return name.strip() if kind[:2] in ("00", "20") and "(" in kind else ""


def asked(text: str) -> str:
    """Return a question in one form: services without a domain, hosts without ``.local``, in lower case."""
    service, _ = split_service(tuple(label.encode() for label in text.split(".")))
    if service:
        return service
    return text.removesuffix(".local").rstrip(".").lower()


def interface(text: str) -> str:
    return INTERFACES.get(text, text)


def rfb_version(text: str) -> str:
    return ".".join(str(int(part)) for part in text.split("."))


def plain_hex(text: str) -> str:
    return text.replace(":", "").lower()


def number(text: str) -> str:
    return plain_hex(text).lstrip("0")


def no_root(text: str) -> str:
    return text.rstrip(".")


def no_zero(text: str) -> str:
    return "" if text in ("0.0.0.0", "00000000", "255", "::") else text


def media_type(text: str) -> str:
    return text.partition(";")[0].strip().lower()


def behind(separator: str) -> Callable[[str], str]:
    return lambda text: text.partition(separator)[2] or text


def of(table: dict[str, str]) -> Callable[[str], str]:
    return lambda text: table.get(text, text)


def cipher(text: str) -> str:
    return CIPHER_SUITES.get(int(text, 16), text)


def is_text(text: str) -> str:
    return bytes.fromhex(plain_hex(text)).decode("latin-1")


def first(field: str, *values: str) -> Callable[[Packet], bool]:
    return lambda packet: packet.get(field, [""])[0] in values


def object_asked(name: str) -> Callable[[Packet], bool]:
    return lambda packet: packet.get("snmp.name") == [name]


def on_port(port: str) -> Callable[[Packet], bool]:
    return lambda packet: port in packet.get("udp.srcport", []) + packet.get("udp.dstport", [])


def advertised(packet: Packet) -> bool:
    return on_port("1900")(packet)


def same_pid(text: str) -> str:
    """Return an SMB 1 server GUID, which tshark shows byte by byte, as MS-DTYP 2.3.4 writes it."""
    raw = bytes.fromhex(text.replace("-", ""))
    mixed = raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]
    digits = mixed.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def reference(text: str) -> str:
    """Return a reference id that is an address; those of stratum 1 are letters (RFC 5905 7.3)."""
    raw = bytes.fromhex(text)
    if all(0x20 < octet < 0x7F or not octet for octet in raw):
        return raw.rstrip(b"\0").decode()
    return ".".join(map(str, raw))


_GREASE = frozenset(0x0A0A + 0x1010 * at for at in range(16))
_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 2: "s2"}


def ja4(packet: Packet) -> Iterable[str]:
    """Yield JA4 of the one ClientHello of a packet, made of what tshark shows of it."""
    if packet.get("tls.handshake.type") != ["1"] or "tls.handshake.ciphersuite" not in packet:
        return

    def numbers(field: str) -> list[int]:
        return [n for n in (int(text, 0) for text in packet.get(field, ())) if n not in _GREASE]

    extensions, ciphers = numbers("tls.handshake.extension.type"), numbers("tls.handshake.ciphersuite")
    if {34, 50} & set(extensions):
        return  # these hold further algorithms, which tshark shows in the same field
    offered = numbers("tls.handshake.extensions.supported_version") or numbers("tls.handshake.version")
    protocols = packet.get("tls.handshake.extensions_alpn_str", [""])[0]
    mark = protocols[:1] + protocols[-1:] if protocols else "00"
    kind = "q" if "quic.version" in packet else "t"
    named = "d" if 0 in extensions else "i"
    counts = f"{min(len(ciphers), 99):02d}{min(len(extensions), 99):02d}"
    algorithms = ",".join(f"{n:04x}" for n in numbers("tls.handshake.sig_hash_alg"))
    listed = ",".join(sorted(f"{n:04x}" for n in extensions if n not in (0, 16)))
    hashed = listed + ("_" + algorithms if listed and algorithms else "")
    parts = (",".join(sorted(f"{n:04x}" for n in ciphers)), hashed)
    digests = [hashlib.sha256(p.encode()).hexdigest()[:12] if p else "0" * 12 for p in parts]
    yield f"{kind}{_VERSIONS.get(max(offered), '00')}{named}{counts}{mark}_" + "_".join(digests)


_JA4_FIELDS = (
    "tls.handshake.type", "tls.handshake.ciphersuite", "tls.handshake.extension.type",
    "tls.handshake.version",
    "tls.handshake.extensions.supported_version", "tls.handshake.extensions_alpn_str", "quic.version",
    "tls.handshake.sig_hash_alg",
)  # fmt: skip
_WHEN_FIELDS = (
    "udp.srcport", "udp.dstport", "dns.flags.response", "dns.flags.rcode", "dns.resp.type", "snmp.name",
    "ftp.response.code", "smtp.response.code", "smtp.req.command", "dhcp.option.dhcp",
    "bacapp.unconfirmed_service", "tls.handshake.type", "dhcpv6.msgtype",
)  # fmt: skip
_BEHIND = "bacnet.routed_device"  # of which the vendor id is compared
_TLS = {
    "0x0300": "SSL 3.0",
    "0x0301": "TLS 1.0",
    "0x0302": "TLS 1.1",
    "0x0303": "TLS 1.2",
    "0x0304": "TLS 1.3",
}
_MODBUS = {
    "1": "read coils", "2": "read discrete inputs", "3": "read holding registers",
    "4": "read input registers",
    "5": "write single coil", "6": "write single register", "15": "write multiple coils",
    "16": "write multiple registers", "43": "encapsulated interface transport",
}  # fmt: skip
_ACK = first("dhcp.option.dhcp", "5")
_FROM_CLIENT = first("dhcp.option.dhcp", "1", "3", "8")
_SERVER_HELLO = first("tls.handshake.type", "2")

COMPARED: tuple[Compared, ...] = (
    Compared(("http.user_agent", "ssdp.user_agent"), ("http.user_agent",)),
    Compared(("http.server", "ssdp.server"), ("http.server",)),
    Compared(("http.host",), ("http.host",)),
    Compared(("http.method",), ("http.request.method",), when=lambda p: not advertised(p)),
    Compared(("http.status",), ("http.response.code",), when=lambda p: not advertised(p)),
    Compared(("http.content_type",), ("http.content_type",), media_type),
    Compared(("ssdp.location",), ("http.location",), when=advertised),
    Compared(
        ("tls.sni", "quic.sni", "dtls.sni"),
        ("tls.handshake.extensions_server_name", "dtls.handshake.extensions_server_name"),
        str.lower,
    ),
    Compared(("tls.ja4", "quic.ja4"), _JA4_FIELDS, derived=ja4),
    Compared(
        ("tls.client_alpn", "quic.alpn", "tls.alpn"),
        ("tls.handshake.extensions_alpn_str",),
        own=as_it_is,
    ),
    Compared(("tls.cipher",), ("tls.handshake.ciphersuite",), cipher, _SERVER_HELLO),
    Compared(
        ("tls.version",),
        ("tls.handshake.version", "tls.handshake.extensions.supported_version"),
        of(_TLS),
        _SERVER_HELLO,
        within=True,
    ),
    Compared(("tls.certificate_serial",), ("x509af.serialNumber",), number, own=number, within=True),
    Compared(("tls.certificate_san",), ("x509ce.dNSName",), str.lower, own=str.lower, within=True),
    Compared(("quic.version",), ("quic.version",), lambda text: str(int(text, 16))),
    Compared(("dhcp.host_name",), ("dhcp.option.hostname",)),
    Compared(("dhcp.vendor_class",), ("dhcp.option.vendor_class_id",)),
    Compared(("dhcp.fqdn",), ("dhcp.fqdn.name",), no_root),
    Compared(("dhcp.requested_address",), ("dhcp.option.requested_ip_address",), no_zero),
    Compared(("dhcp.max_message_size",), ("dhcp.option.dhcp_max_message_size",)),
    Compared(("dhcp.address",), ("dhcp.ip.your",), no_zero, _ACK),
    Compared(("dhcp.server_identifier",), ("dhcp.option.dhcp_server_id",), no_zero, _ACK),
    Compared(("dhcp.router",), ("dhcp.option.router",), no_zero, _ACK),
    Compared(("dhcp.subnet_mask",), ("dhcp.option.subnet_mask",), when=_ACK),
    Compared(("dhcp.domain_name",), ("dhcp.option.domain_name",), when=_ACK),
    Compared(("dhcp.lease_time",), ("dhcp.option.ip_address_lease_time",), when=_ACK),
    Compared(("dhcp.boot_file",), ("dhcp.file",), when=_ACK),
    Compared(
        ("dhcp.parameter_request_list",),
        ("dhcp.option.request_list_item",),
        derived=lambda p: [",".join(p.get("dhcp.option.request_list_item", []))],
        when=_FROM_CLIENT,
    ),
    Compared(("dhcpv6.fqdn",), ("dhcpv6.client_domain",), no_root, own=no_root),
    Compared(("dhcpv6.duid",), ("dhcpv6.duid.bytes",), plain_hex, own=plain_hex, within=True),
    Compared(("dhcpv6.duid_enterprise",), ("dhcpv6.duiden.enterprise",)),
    Compared(("dhcpv6.vendor_class",), ("dhcpv6.vendorclass.data",), own=behind(":")),
    Compared(("dhcpv6.address",), ("dhcpv6.iaaddr.ip",), when=first("dhcpv6.msgtype", "7")),
    Compared(("dns.resolved",), ("dns.a", "dns.aaaa"), own=lambda text: text.rpartition("=")[2], within=True),
    Compared(("dns.nxdomain",), ("dns.qry.name",), str.lower, first("dns.flags.rcode", "3"), str.lower),
    Compared(
        ("dns.query", "mdns.query", "llmnr.query", "llmnr.host_name", "mdns.host_name", "mdns.service"),
        ("dns.qry.name",),
        asked,
        first("dns.flags.response", "0", "False"),  # the question is repeated in its answer
        asked,
    ),
    Compared(
        (
            "mdns.txt.model",
            "mdns.txt.deviceid",
            "mdns.txt.fv",
            "mdns.txt.id",
            "mdns.txt.srcvers",
            "mdns.txt.osxvers",
        ),
        ("dns.txt",),
        lambda text: (
            text.partition("=")[2]
            if text.partition("=")[0].lower() in ("model", "deviceid", "fv", "id", "srcvers", "osxvers")
            else ""
        ),
        on_port("5353"),
    ),
    Compared(("nbns.name",), ("nbns.name",), netbios),
    Compared(("ssh.identification",), ("ssh.protocol",)),
    Compared(("smb.native_os",), ("smb.native_os",)),
    Compared(("smb.native_lanman",), ("smb.native_lanman",)),
    Compared(("smb.client_guid",), ("smb2.client_guid",)),
    Compared(
        ("smb.server_guid",),
        ("smb2.server_guid", "smb.server_guid"),
        own=str.lower,
        within=False,
        derived=lambda p: [*p.get("smb2.server_guid", []), *map(same_pid, p.get("smb.server_guid", []))],
    ),
    Compared(("ntlmssp.computer",), ("ntlmssp.challenge.target_info.nb_computer_name",)),
    Compared(("ntlmssp.dns_computer",), ("ntlmssp.challenge.target_info.dns_computer_name",)),
    Compared(("ntlmssp.dns_domain",), ("ntlmssp.challenge.target_info.dns_domain_name",)),
    Compared(("ntlmssp.domain",), ("ntlmssp.challenge.target_info.nb_domain_name",)),
    Compared(
        ("ntlmssp.workstation",),
        ("ntlmssp.auth.hostname", "ntlmssp.negotiate.callingworkstation"),
        lambda text: "" if text == "NULL" else text,
    ),
    Compared(("lldp.system_name",), ("lldp.tlv.system.name",)),
    Compared(("lldp.system_description",), ("lldp.tlv.system.desc",)),
    Compared(
        ("lldp.chassis_id",),
        ("lldp.chassis.id.mac", "lldp.chassis.id.ip4", "lldp.chassis.id"),
        own=plain_hex,
        derived=lambda p: [
            plain_hex(t) if "lldp.chassis.id.mac" in p else is_text(t)
            for t in p.get("lldp.chassis.id.mac", p.get("lldp.chassis.id", []))
        ],
    ),
    Compared(("lldp.port_id",), ("lldp.port.id.mac", "lldp.port.id")),
    Compared(("lldp.management_address",), ("lldp.mgn.addr.ip4", "lldp.mgn.addr.ip6")),
    Compared(("lldp.manufacturer",), ("lldp.media.manufacturer",)),
    Compared(("lldp.model",), ("lldp.media.model",)),
    Compared(("lldp.serial",), ("lldp.media.sn",)),
    Compared(("lldp.firmware",), ("lldp.media.firmware",)),
    Compared(("cdp.device_id",), ("cdp.deviceid",)),
    Compared(("cdp.platform",), ("cdp.platform",)),
    Compared(("cdp.port_id",), ("cdp.portid",)),
    Compared(("cdp.native_vlan",), ("cdp.native_vlan",)),
    Compared(("cdp.vtp_domain",), ("cdp.vtp_management_domain",)),
    Compared(("cdp.address", "cdp.management_address"), ("cdp.nrgyz.ip_address",), no_zero),
    Compared(
        ("cdp.version",),
        ("cdp.software_version",),
        derived=lambda p: [" ".join(" ".join(p.get("cdp.software_version", [])).split())],
    ),
    Compared(("enip.product_name",), ("enip.lir.name",)),
    Compared(("bacnet.vendor_id", _BEHIND), ("bacapp.vendor_identifier",)),
    Compared(("bacnet.object_name",), ("bacapp.object_name",), within=True),
    Compared(("modbus.unit_id",), ("mbtcp.unit_id",), no_zero),
    Compared(("modbus.function",), ("modbus.func_code",), of(_MODBUS)),
    Compared(
        tuple(f"modbus.{name}" for name in ("vendor_name", "product_code", "revision", "product_name")),
        ("modbus.object_str_value",),
    ),
    Compared(("sip.user_agent",), ("sip.User-Agent",)),
    Compared(("sip.server",), ("sip.Server",)),
    Compared(("sip.method",), ("sip.Method",)),
    Compared(("sip.auth_scheme",), ("sip.auth.scheme",), str.lower, own=str.lower),
    Compared(("mqtt.client_id",), ("mqtt.clientid",)),
    Compared(("mqtt.version",), ("mqtt.ver",), of({"3": "3.1", "4": "3.1.1", "5": "5.0"})),
    Compared(("radius.nas_identifier",), ("radius.NAS_Identifier",)),
    Compared(("radius.nas",), ("radius.NAS_IP_Address",)),
    Compared(("radius.nas_port",), ("radius.NAS_Port",)),
    Compared(
        ("radius.called_station",),
        ("radius.Called_Station_Id",),
        lambda t: plain_hex(t.replace("-", "")),
        own=plain_hex,
    ),
    Compared(("snmp.sys_descr",), ("snmp.value.octets",), is_text, object_asked("1.3.6.1.2.1.1.1.0")),
    Compared(("snmp.sys_name",), ("snmp.value.octets",), is_text, object_asked("1.3.6.1.2.1.1.5.0")),
    Compared(("snmp.sys_location",), ("snmp.value.octets",), is_text, object_asked("1.3.6.1.2.1.1.6.0")),
    Compared(("snmp.community",), ("snmp.community",)),
    Compared(("snmp.engine_id",), ("snmp.msgAuthoritativeEngineID",), plain_hex),
    Compared(("dcerpc.uses",), ("dcerpc.cn_bind_to_uuid",), interface),
    Compared(("dnp3.address",), ("dnp3.src",)),
    Compared(("stp.bridge",), ("stp.bridge.hw",)),
    Compared(("stp.root",), ("stp.root.hw",)),
    Compared(("stp.version",), ("stp.version",), of({"0": "STP", "2": "RSTP", "3": "MSTP", "4": "SPT"})),
    Compared(("arp.ip",), ("arp.src.proto_ipv4",), no_zero),
    Compared(("sunrpc.machine_name",), ("rpc.auth.machinename",)),
    Compared(("rdp.client_name",), ("rdp.client.name",)),
    Compared(("rdp.client_build",), ("rdp.client.build",)),
    Compared(("syslog.host_name",), ("syslog.hostname",)),
    Compared(("syslog.app_name",), ("syslog.appname",)),
    Compared(("browser.host_name",), ("browser.server",)),
    Compared(("browser.comment",), ("browser.comment",)),
    Compared(("rfb.version",), ("vnc.server_proto_ver", "vnc.client_proto_ver"), rfb_version),
    Compared(("ntp.stratum",), ("ntp.stratum",), lambda text: "" if text in ("0", "16") else text),
    Compared(("ntp.version",), ("ntp.flags.vn",)),
    Compared(("ntp.reference_id",), ("ntp.refid",), reference, within=True),
    Compared(("kerberos.realm",), ("kerberos.realm", "kerberos.crealm"), str.upper, own=str.upper),
    Compared(
        ("kerberos.netbios_address",), ("kerberos.addr_nb",), lambda text: text.partition("<")[0].strip()
    ),
    Compared(("ftp.banner",), ("ftp.response.arg",), when=first("ftp.response.code", "220")),
    Compared(("smtp.banner",), ("smtp.rsp.parameter",), when=first("smtp.response.code", "220")),
    Compared(("smtp.helo",), ("smtp.req.parameter",), when=first("smtp.req.command", "EHLO", "HELO")),
    Compared(("tftp.file",), ("tftp.source_file",), within=True),
)


@cache
def known_to_tshark() -> frozenset[str]:
    listed = subprocess.run(["tshark", "-G", "fields"], capture_output=True, text=True, check=True).stdout
    return frozenset(line.split("\t")[2] for line in listed.splitlines() if line.startswith("F"))


@cache
def wanted() -> tuple[str, ...]:
    """Return all fields that tshark is asked for."""
    fields = (*_WHEN_FIELDS, *(field for row in COMPARED for field in row.theirs))
    return tuple(field for field in dict.fromkeys(fields) if field in known_to_tshark())


def packets(path: Path) -> list[Packet]:
    """Return the fields of every packet of a capture as tshark shows them."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=a"]
    command += ["-E", "aggregator=\x1f", "-E", "separator=\x1e"]
    output = subprocess.run(
        [*command, *(part for field in wanted() for part in ("-e", field))],
        capture_output=True, check=False, timeout=300,
    ).stdout.decode("utf-8", "backslashreplace")  # fmt: skip
    found = []
    for line in output.split("\n"):
        texts = zip(wanted(), line.split("\x1e"), strict=False)
        found.append({field: text.split("\x1f") for field, text in texts if text})
    return found


def told(path: Path) -> Values:
    """Return all values by field that the dissectors tell of a capture."""
    observer = Observer(b"k" * 32)
    interest = observer.core_interest
    core = FlowCore(
        FlowCoreConfig(
            stream_ports=interest.stream_ports,
            stream_starts=interest.stream_starts,
            datagram_ports=interest.datagram_ports,
            ethertypes=interest.ethertypes,
            datagram_packets=65_534,  # of a tunnel the product reads the first 64 of each direction
        )
    )
    data, at = path.read_bytes(), 0
    reader = CaptureReader(core, path.name)
    while at < len(data):
        at += reader.feed(data, at, final=True)
    core.take_flows(final=True)
    values: Values = defaultdict(set)
    for segment in core.take_segments():
        for fact in observer.observe(segment):
            name, colon, vendor = fact.value.partition(" vendor id: ")
            if fact.field != _BEHIND:
                values[fact.field].add(fact.value)
            elif colon and name:
                values[_BEHIND].add(vendor)
    return values


def shown(row: Compared, seen: Iterable[Packet]) -> set[str]:
    """Return what tshark shows for a row, in our form."""
    texts: set[str] = set()
    for packet in seen:
        if not any(field in packet for field in row.theirs) or not row.when(packet):
            continue
        if row.derived is not None:
            texts.update(row.derived(packet))
        else:
            texts.update(row.read(text) for field in row.theirs for text in packet.get(field, ()))
    return {" ".join(text.split()) for text in texts} - {""}


def compare(row: Compared, ours: Values, seen: Iterable[Packet]) -> tuple[int, list[tuple[str, str]]]:
    """Return how many values of a row agree, and those without a reason, each with its side."""
    mine = {" ".join(row.own(value).split()) for field in row.ours for value in ours.get(field, ())} - {""}
    other = shown(row, seen)
    apart = [(OURS, value) for value in sorted(mine - other)]
    if not row.within:
        apart += [(THEIRS, value) for value in sorted(other - mine)]
    return len(mine & other), [(side, v) for side, v in apart if not explained(side, row.ours[0], v)]
