"""What Suricata's events say of devices."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medwarden.sensors.logs import eve_events as eve
from medwarden.sensors.logs import wording
from medwarden.sensors.logs.gathering import ip_or_none, mac_or_none
from medwarden.sensors.logs.zeek_facts import dns_facts

Statement = tuple[str | None, str | None, str, str | None]
"""MAC address, address, field, value."""

FIELDS = (
    "arp.ip", "dhcp.address", "dhcp.host_name", "dhcp.lease_time", "dhcp.message_type",
    "dhcp.requested_address", "dhcp.role", "dhcp.subnet_mask", "dhcp.vendor_class", "dns.domain", "dns.name",
    "dns.nxdomain", "dns.query", "dns.resolved", "dns.role", "dnp3.role", "enip.product_code",
    "enip.product_name", "enip.revision", "ftp.banner", "ftp.login", "http.auth_scheme", "http.content_type",
    "http.host", "http.login_form", "http.method", "http.path", "http.powered_by", "http.server",
    "http.status", "http.user_agent", "http.via", "kerberos.host", "kerberos.realm", "kerberos.role",
    "kerberos.service", "llmnr.query", "mdns.host_name", "mdns.query", "modbus.role", "mqtt.client_id",
    "mqtt.version", "nbns.query", "ntlmssp.domain", "ntlmssp.os_version", "ntlmssp.workstation", "quic.ja4",
    "quic.sni", "rdp.client_name", "rdp.security", "rfb.version", "sip.method", "smb.client_guid",
    "smb.dialect", "smb.native_lanman", "smb.native_os", "smb.server_guid", "smb.share", "smtp.helo",
    "snmp.community", "snmp.request_community", "snmp.role", "snmp.version", "ssh.identification",
    "ssh.protocol_version", "tls.alpn", "tls.certificate_issuer", "tls.certificate_not_after",
    "tls.certificate_san", "tls.certificate_self_signed", "tls.certificate_serial",
    "tls.certificate_subject", "tls.client_alpn", "tls.ja4", "tls.sni", "tls.version",
)  # fmt: skip

TELLING_PORTS = (53, 67, 88, 137, 161, 162, 5353, 5355)
"""The ports that make a difference to what an event says; all others are alike."""

_DNS_PORTS = frozenset({53, 5353, 5355, 137})
_BUILD = re.compile(r"(\d{1,9})\.(\d{1,9})(?:\.| build )(\d+)")
_DIALECTS = {
    "2.02": "SMB 2.0.2", "2.002": "SMB 2.0.2", "2.10": "SMB 2.1", "3.00": "SMB 3.0", "3.02": "SMB 3.0.2",
    "3.11": "SMB 3.1.1",
}  # fmt: skip
_SNMP_VERSIONS = {"1": "1", "2": "2c", "3": "3"}
_MQTT_VERSIONS = {3: "3.1", 4: "3.1.1", 5: "5.0"}
_FROM_AGENT = frozenset({"response", "report", "trap_v1", "trap_v2", "inform_request"})
_ANYBODY = frozenset({"anonymous", "ftp"})
_NOWHERE = frozenset({"0.0.0.0", "255.255.255.255", "::"})  # noqa: S104 - addresses that are none


def facts_of(event: eve.Event, client: str | None, server: str | None) -> Iterator[Statement]:
    """Yield what ``event`` says; ``client`` and ``server`` are its ends in canonical form."""
    match event:
        case eve.DnsEvent():
            yield from _dns(event, client, server)
        case eve.HttpEvent():
            yield from _http(event.http, client, server)
        case eve.TlsEvent():
            yield from _tls(event.tls, client, server)
        case eve.SshEvent():
            yield from _ssh(event.ssh, client, server)
        case eve.DhcpEvent():
            yield from _dhcp(event, client, server)
        case eve.SmbEvent():
            yield from _smb(event.smb, client, server)
        case eve.SnmpEvent():
            yield from _snmp(event, client, server)
        case eve.KerberosEvent():
            yield from _kerberos(event, client, server)
        case eve.FtpEvent():
            yield from _ftp(event.ftp, client, server)
        case eve.ArpEvent():
            mac, ip = mac_or_none(event.arp.src_mac or ""), _address(event.arp.src_ip)
            if mac and ip:
                yield mac, ip, "arp.ip", ip
        case _:
            yield from _others(event, client, server)


def _others(event: eve.Event, client: str | None, server: str | None) -> Iterator[Statement]:
    match event:
        case eve.QuicEvent():
            yield None, client, "quic.sni", event.quic.sni
            yield None, client, "quic.ja4", event.quic.ja4
        case eve.SipEvent():
            yield None, client, "sip.method", event.sip.method
        case eve.MqttEvent():
            if event.mqtt.connect is not None:
                version = event.mqtt.connect.protocol_version
                yield None, client, "mqtt.client_id", event.mqtt.connect.client_id
                yield None, client, "mqtt.version", _MQTT_VERSIONS.get(version or 0)
        case eve.RdpEvent():
            if event.rdp.client is not None:
                yield None, client, "rdp.client_name", event.rdp.client.client_name
            if event.rdp.event_type == "connect_response" and event.rdp.protocol:
                yield None, server, "rdp.security", wording.rdp_security(event.rdp.protocol)
        case eve.SmtpEvent():
            yield None, client, "smtp.helo", event.smtp.helo
        case eve.RfbEvent():
            version_of_server = event.rfb.server_protocol_version
            if version_of_server is not None:
                major, minor = version_of_server.major, version_of_server.minor
                yield None, server, "rfb.version", f"{_number(major)}.{_number(minor)}"
        case eve.EnipEvent():
            identity = event.enip.response.identity if event.enip.response else None
            if identity is not None:
                yield None, server, "enip.product_name", identity.product_name
                yield None, server, "enip.revision", identity.revision
                if identity.product_code is not None:
                    yield None, server, "enip.product_code", str(identity.product_code)


def _number(part: str | int) -> str:
    return str(part).lstrip("0") or "0"


def _dns(event: eve.DnsEvent, source: str | None, target: str | None) -> Iterator[Statement]:
    part = event.dns or event.mdns or event.llmnr
    if part is None:
        return
    client, server, port = source, target, event.dest_port
    if event.dest_port not in _DNS_PORTS and event.src_port in _DNS_PORTS:
        client, server, port = target, source, event.src_port
    answered = part.type in ("answer", "response")
    local = port in (5353, 5355, 137)
    if client is None or (answered and local and event.src_port != port and event.dest_port != port):
        return
    names = [(part.rrname, part.rrtype)] if part.rrname else []
    names += [(question.rrname, question.rrtype) for question in part.queries or () if question.rrname]
    answers = [part.rdata] if part.rdata else []
    answers += [r.rdata for r in part.answers or () if isinstance(r.rdata, str)]
    if local and not names:
        names = [(record.rrname, record.rrtype) for record in (part.answers or ())[:1]]
    for name, kind in names:
        for ip, field, value in dns_facts(
            client, server, port, name, kind, answers if answered else [], part.rcode, answered
        ):
            if not (answered and field in ("dns.query", "dns.domain")):
                yield None, ip, field, value


def _http(part: eve.HttpPart, client: str | None, server: str | None) -> Iterator[Statement]:
    url = part.url or ""
    yield None, client, "http.user_agent", part.http_user_agent
    yield None, client, "http.host", part.hostname
    yield None, client, "http.method", part.http_method
    yield None, client, "http.path", wording.http_path(url)
    yield None, client, "http.login_form", wording.login_form(url)
    if part.authorization:
        yield None, client, "http.auth_scheme", part.authorization.partition(" ")[0].lower()
    headers = {header.name.lower(): header.value for header in part.response_headers or ()}
    yield None, server, "http.server", part.server or headers.get("server")
    yield None, server, "http.powered_by", part.x_powered_by or headers.get("x-powered-by")
    yield None, server, "http.via", part.via
    if part.status:
        yield None, server, "http.status", str(part.status)
    if part.http_content_type:
        yield None, server, "http.content_type", wording.media_type(part.http_content_type)


def _tls(part: eve.TlsPart, client: str | None, server: str | None) -> Iterator[Statement]:
    yield None, client, "tls.sni", part.sni
    yield None, client, "tls.ja4", part.ja4
    for name in part.client_alpns or ():
        yield None, client, "tls.client_alpn", name
    for name in part.server_alpns or ():
        yield None, server, "tls.alpn", name
    if part.version:
        yield None, server, "tls.version", wording.tls_version(part.version)
    if part.subject:
        yield None, server, "tls.certificate_subject", wording.certificate_name(part.subject)
    if part.issuerdn:
        yield None, server, "tls.certificate_issuer", wording.certificate_name(part.issuerdn)
    if part.subject and part.subject == part.issuerdn:
        yield None, server, "tls.certificate_self_signed", "true"
    for name in part.subjectaltname or ():
        yield None, server, "tls.certificate_san", name
    if part.serial:
        serial = part.serial.replace(":", "").lower().lstrip("0")
        yield None, server, "tls.certificate_serial", serial
    if part.notafter:
        yield None, server, "tls.certificate_not_after", part.notafter.removesuffix("Z") + "Z"


def _ssh(part: eve.SshPart, client: str | None, server: str | None) -> Iterator[Statement]:
    for ip, side in ((client, part.client), (server, part.server)):
        if side is not None and side.software_version:
            version = side.proto_version or "2.0"
            yield None, ip, "ssh.identification", f"SSH-{version}-{side.software_version}"
            yield None, ip, "ssh.protocol_version", version


def _dhcp(event: eve.DhcpEvent, source: str | None, target: str | None) -> Iterator[Statement]:
    part = event.dhcp
    reply = part.type == "reply"
    if reply:
        server = source if event.src_port == 67 else target
        if part.dhcp_type in ("offer", "ack", "nak"):
            yield None, _address(server), "dhcp.role", "server"
    mac = mac_or_none(part.client_mac or "")
    granted = _address(part.assigned_ip) if part.dhcp_type == "ack" else None
    ip = granted or _address(part.client_ip)
    if mac is None and ip is None:
        return
    if granted and mac:
        yield mac, granted, "dhcp.address", granted
    yield mac, ip, "dhcp.host_name", part.hostname
    yield mac, ip, "dhcp.vendor_class", part.vendor_class_identifier
    yield mac, ip, "dhcp.requested_address", _address(part.requested_ip)
    if not reply:
        yield mac, ip, "dhcp.message_type", part.dhcp_type or None
    elif part.dhcp_type == "ack":
        yield mac, ip, "dhcp.subnet_mask", _address(part.subnet_mask)
        yield mac, ip, "dhcp.lease_time", str(part.lease_time) if part.lease_time else None


def _smb(part: eve.SmbPart, client: str | None, server: str | None) -> Iterator[Statement]:
    if part.dialect:
        yield None, server, "smb.dialect", _DIALECTS.get(part.dialect, part.dialect)
    if part.ntlmssp is not None:
        yield None, client, "ntlmssp.workstation", part.ntlmssp.host
        yield None, client, "ntlmssp.domain", part.ntlmssp.domain
        build = _BUILD.match(part.ntlmssp.version or "")
        if build:
            yield None, client, "ntlmssp.os_version", ".".join(build.groups())
    for ip, system in ((client, part.request), (server, part.response)):
        if system is not None:
            yield None, ip, "smb.native_os", system.native_os
            yield None, ip, "smb.native_lanman", system.native_lm
    yield None, client, "smb.client_guid", part.client_guid
    yield None, server, "smb.server_guid", part.server_guid
    if part.share:
        yield None, client, "smb.share", wording.smb_share(part.share)


def _snmp(event: eve.SnmpEvent, source: str | None, target: str | None) -> Iterator[Statement]:
    part = event.snmp
    manager, agent = (target, source) if event.src_port == 161 else (source, target)
    if event.dest_port == 162:
        manager, agent = target, source
    from_agent = part.pdu_type in _FROM_AGENT
    speaker = agent if from_agent else manager
    yield None, speaker, "snmp.role", "agent" if from_agent else "manager"
    yield None, speaker, "snmp.version", _SNMP_VERSIONS.get(str(part.version))
    if part.community:
        field = "snmp.community" if from_agent else "snmp.request_community"
        yield None, speaker, field, wording.community(part.community)


def _kerberos(event: eve.KerberosEvent, source: str | None, target: str | None) -> Iterator[Statement]:
    part = event.krb5
    client, kdc = (target, source) if event.src_port == 88 else (source, target)
    yield None, kdc, "kerberos.role", "kdc"
    yield None, client, "kerberos.realm", part.realm
    if part.cname:
        yield None, client, "kerberos.host", wording.machine_of_principal(part.cname)
    if part.sname:
        yield None, client, "kerberos.service", wording.service_principal(part.sname)


def _ftp(part: eve.FtpPart, client: str | None, server: str | None) -> Iterator[Statement]:
    if (part.command or "").upper() == "USER" and part.command_data:
        anybody = part.command_data.lower() in _ANYBODY
        yield None, client, "ftp.login", "anonymous" if anybody else "clear-text"
    elif not part.command and part.completion_code == ["220"] and part.reply:
        yield None, server, "ftp.banner", " ".join(line for line in part.reply if line)


def _address(text: str | None) -> str | None:
    ip = ip_or_none(text) if text else None
    return None if ip in _NOWHERE else ip
