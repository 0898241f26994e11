"""Which of Zeek's logs something is made of, and what each field says of whom.

Field names after the Zeek manual ("Log files") and the published ``#fields`` of the packages named at each
log. A user's name is never among them: accounts, mail addresses and cookies that carry one are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Annotated, Any, NamedTuple

import msgspec

from medwarden.model.log_source import Tells
from medwarden.sensors.logs import wording

Text = str
Number = int | float
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Vlan = Annotated[int, msgspec.Meta(ge=0, le=4095)]
Seconds = float
Time = float | str
Flag = bool
Names = list[str | None]
Form = Callable[[str], str | None]

ORIG, RESP, HOST, SOURCE = "orig", "resp", "host", "source"
"""Whose fact it is: the originator's, the responder's, that of the host or of the sender a record names."""


class Said(NamedTuple):
    """One field of a log as a fact."""

    column: str
    field: str
    whose: str
    form: Form | None = None


class Log(NamedTuple):
    """One of Zeek's logs: the columns that are read with their types, and the facts made of them.

    ``needed`` must be there in every record; ``signature`` are fields by which JSON records tell their log.
    """

    columns: Mapping[str, Any]  # type forms, as msgspec takes them
    said: tuple[Said, ...]
    tells: frozenset[Tells]
    needed: tuple[str, ...] = ("ts",)
    signature: frozenset[str] = frozenset()


ENDS: Mapping[str, Any] = {"ts": Time, "id.orig_h": Text, "id.resp_h": Text}
BOTH = ("ts", "id.orig_h", "id.resp_h")


def log_of(
    columns: Mapping[str, Any], *said: Said, tells: Collection[Tells] = (), signature: str = ""
) -> Log:
    """Return a log between two ends; ``signature`` names the telling fields, with blanks between them."""
    return Log({**ENDS, **columns}, said, frozenset(tells), BOTH, frozenset(signature.split()))


_CONN = Log(
    {
        **ENDS,
        "id.orig_p": Port,
        "id.resp_p": Port,
        "proto": Text,
        "service": Text,
        "duration": Seconds,
        "orig_bytes": Count,
        "resp_bytes": Count,
        "conn_state": Text,
        "history": Text,
        "orig_pkts": Count,
        "orig_ip_bytes": Count,
        "resp_pkts": Count,
        "resp_ip_bytes": Count,
        "orig_l2_addr": Text,
        "resp_l2_addr": Text,
        "vlan": Vlan,
        "ip_proto": Count,
    },
    (),
    frozenset({Tells.PEERS, Tells.VOLUME, Tells.SERVICES, Tells.APPLICATION}),
    ("ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto"),
    frozenset({"conn_state", "orig_pkts"}),
)

_DNS = log_of(
    {"id.resp_p": Port, "query": Text, "qtype_name": Text, "rcode_name": Text, "answers": Names},
    tells=(Tells.NAME, Tells.APPLICATION),
    signature="trans_id query",
)
DNS_FIELDS = (
    "dns.query", "dns.domain", "dns.role", "dns.name", "dns.resolved", "dns.nxdomain", "mdns.query",
    "mdns.host_name", "llmnr.query", "nbns.query",
)  # fmt: skip

_DHCP = Log(
    {
        "ts": Time,
        "client_addr": Text,
        "server_addr": Text,
        "mac": Text,
        "host_name": Text,
        "client_fqdn": Text,
        "domain": Text,
        "requested_addr": Text,
        "assigned_addr": Text,
        "lease_time": Number,
        "msg_types": Names,
        "client_software": Text,
        "circuit_id": Text,
        "agent_remote_id": Text,
    },
    (),
    frozenset({Tells.HARDWARE_ADDRESS, Tells.NAME, Tells.OPERATING_SYSTEM, Tells.LOCATION}),
    ("ts",),
    frozenset({"msg_types", "uids"}),
)
DHCP_FIELDS = (
    "dhcp.host_name", "dhcp.fqdn", "dhcp.domain_name", "dhcp.requested_address", "dhcp.address",
    "dhcp.lease_time", "dhcp.message_type", "dhcp.vendor_class", "dhcp.role", "dhcp.server_identifier",
    "dhcp.relay_agent_circuit_id", "dhcp.relay_agent_remote_id",
)  # fmt: skip

_HTTP = log_of(
    {
        "method": Text,
        "host": Text,
        "uri": Text,
        "user_agent": Text,
        "status_code": Number,
        "username": Text,
        "orig_mime_types": Names,
    },
    Said("user_agent", "http.user_agent", ORIG),
    Said("host", "http.host", ORIG),
    Said("method", "http.method", ORIG),
    Said("uri", "http.path", ORIG, wording.http_path),
    Said("uri", "http.login_form", ORIG, wording.login_form),
    Said("username", "http.auth_scheme", ORIG, lambda _name: "basic"),  # Zeek reads names of no other
    Said("orig_mime_types", "http.content_type", ORIG, wording.media_type),
    Said("status_code", "http.status", RESP),
    tells=(Tells.OPERATING_SYSTEM, Tells.MAKE_AND_MODEL, Tells.APPLICATION, Tells.CLEAR_TEXT),
    signature="status_code trans_depth",
)

_SSL = log_of(
    {
        "version": Text,
        "cipher": Text,
        "server_name": Text,
        "next_protocol": Text,
        "subject": Text,
        "issuer": Text,
        "validation_status": Text,
        "ja4": Text,
    },
    Said("server_name", "tls.sni", ORIG),
    Said("ja4", "tls.ja4", ORIG),
    Said("version", "tls.version", RESP, wording.tls_version),
    Said("cipher", "tls.cipher", RESP),
    Said("next_protocol", "tls.alpn", RESP),
    Said("subject", "tls.certificate_subject", RESP, wording.certificate_name),
    Said("issuer", "tls.certificate_issuer", RESP, wording.certificate_name),
    Said(
        "validation_status",
        "tls.certificate_self_signed",
        RESP,
        lambda status: "true" if status.lower().replace("-", " ") == "self signed certificate" else None,
    ),
    tells=(Tells.APPLICATION, Tells.NAME),
    signature="cipher established",
)

_ANYBODY = frozenset({"anonymous", "ftp"})
_LOGINS: dict[str, Log] = {
    "ssh": log_of(
        {"client": Text, "server": Text},
        Said("client", "ssh.identification", ORIG, wording.ssh_identification),
        Said("client", "ssh.protocol_version", ORIG, wording.ssh_protocol),
        Said("server", "ssh.identification", RESP, wording.ssh_identification),
        Said("server", "ssh.protocol_version", RESP, wording.ssh_protocol),
        tells=(Tells.OPERATING_SYSTEM,),
        signature="auth_attempts",
    ),
    "ntlm": log_of(
        {
            "hostname": Text,
            "domainname": Text,
            "server_nb_computer_name": Text,
            "server_dns_computer_name": Text,
        },
        Said("hostname", "ntlmssp.workstation", ORIG),
        Said("domainname", "ntlmssp.domain", ORIG),
        Said("server_nb_computer_name", "ntlmssp.computer", RESP),
        Said("server_dns_computer_name", "ntlmssp.dns_computer", RESP),
        tells=(Tells.NAME, Tells.MANAGEMENT),
        signature="hostname domainname",
    ),
    "kerberos": log_of(
        {"client": Text, "service": Text, "success": Flag, "error_msg": Text},
        Said("client", "kerberos.host", ORIG, wording.machine_of_principal),
        Said("client", "kerberos.realm", ORIG, wording.realm_of_principal),
        Said("service", "kerberos.service", ORIG, wording.service_principal),
        Said("success", "kerberos.role", RESP, lambda _yes: "kdc"),
        tells=(Tells.NAME, Tells.MANAGEMENT),
        signature="request_type service",
    ),
    "rdp": log_of(
        {"client_name": Text, "security_protocol": Text, "encryption_level": Text},
        Said("client_name", "rdp.client_name", ORIG),
        Said("security_protocol", "rdp.security", RESP, wording.rdp_security),
        Said("encryption_level", "rdp.encryption_level", RESP, str.lower),
        tells=(Tells.NAME,),
        signature="security_protocol",
    ),
    "ftp": log_of(
        {"user": Text},
        Said(
            "user",
            "ftp.login",
            ORIG,
            lambda user: None if user == "<unknown>" else "anonymous" if user in _ANYBODY else "clear-text",
        ),
        tells=(Tells.CLEAR_TEXT,),
        signature="command reply_code",
    ),
    "radius": Log(
        {**ENDS, "mac": Text, "framed_addr": Text},
        (Said("mac", "radius.role", ORIG, lambda _mac: "nas"),),
        frozenset({Tells.HARDWARE_ADDRESS}),
        BOTH,
        frozenset({"framed_addr", "connect_info"}),
    ),
}
_SERVICES: dict[str, Log] = {
    "smb_mapping": log_of(
        {"path": Text},
        Said("path", "smb.share", ORIG, wording.smb_share),
        tells=(Tells.APPLICATION,),
        signature="share_type",
    ),
    "sip": log_of(
        {"user_agent": Text, "method": Text},
        Said("user_agent", "sip.user_agent", ORIG),
        Said("method", "sip.method", ORIG),
        tells=(Tells.MAKE_AND_MODEL,),
        signature="call_id method",
    ),
    "snmp": log_of(
        {"version": Text, "community": Text, "display_string": Text, "get_responses": Count},
        Said("version", "snmp.version", ORIG),
        Said("community", "snmp.request_community", ORIG, wording.community),
        Said("display_string", "snmp.sys_descr", RESP),
        Said("get_responses", "snmp.role", RESP, lambda count: "agent" if count != "0" else None),
        tells=(Tells.MAKE_AND_MODEL, Tells.FIRMWARE, Tells.CLEAR_TEXT),
        signature="get_requests get_responses",
    ),
    "smtp": log_of(
        {"helo": Text}, Said("helo", "smtp.helo", ORIG), tells=(Tells.NAME,), signature="helo trans_depth"
    ),
    "mqtt_connect": log_of(
        {"proto_version": Text, "client_id": Text},
        Said("client_id", "mqtt.client_id", ORIG),
        Said("proto_version", "mqtt.version", ORIG),
        tells=(Tells.NAME,),
        signature="proto_name client_id",
    ),
    "ldap": log_of(
        {"opcode": Text},
        Said("opcode", "ldap.role", ORIG, lambda _code: "client"),
        Said("opcode", "ldap.role", RESP, lambda _code: "server"),
        tells=(Tells.MANAGEMENT,),
        signature="message_id opcode",
    ),
    "ntp": log_of(
        {"version": Number, "mode": Number, "stratum": Number},
        Said("version", "ntp.version", ORIG),
        Said("mode", "ntp.role", ORIG, {"3": "client", "4": "server"}.get),
        tells=(Tells.SERVICES,),
        signature="stratum ref_id",
    ),
    "known_certs": Log(
        {"ts": Time, "host": Text, "subject": Text, "issuer_subject": Text, "serial": Text},
        (
            Said("subject", "tls.certificate_subject", HOST, wording.certificate_name),
            Said("issuer_subject", "tls.certificate_issuer", HOST, wording.certificate_name),
            Said("serial", "tls.certificate_serial", HOST, str.lower),
        ),
        frozenset({Tells.NAME}),
        ("ts", "host"),
        frozenset({"issuer_subject"}),
    ),
    "software": Log(
        {"ts": Time, "host": Text, "software_type": Text, "unparsed_version": Text},
        (),
        frozenset({Tells.OPERATING_SYSTEM, Tells.APPLICATION}),
        ("ts", "host"),
        frozenset({"software_type"}),
    ),
    "known_hosts": Log(
        {"ts": Time, "host": Text},
        (Said("host", "zeek.known_host", HOST, lambda _ip: "yes"),),
        frozenset(),
        ("ts", "host"),
    ),
    "known_services": Log(
        {"ts": Time, "host": Text, "port_num": Port, "port_proto": Text},
        (),
        frozenset({Tells.SERVICES}),
        ("ts", "host"),
        frozenset({"port_num", "port_proto"}),
    ),
    "known_devices": Log(
        {"ts": Time, "mac": Text, "dhcp_host_name": Text},
        (),
        frozenset({Tells.HARDWARE_ADDRESS, Tells.NAME}),
        ("ts", "mac"),
        frozenset({"dhcp_host_name"}),
    ),
}
SOFTWARE_FIELDS: Mapping[str, tuple[str, Form | None]] = {
    "HTTP::BROWSER": ("http.user_agent", None),
    "HTTP::SERVER": ("http.server", None),
    "HTTP::APPSERVER": ("http.powered_by", None),
    "SSH::CLIENT": ("ssh.identification", wording.ssh_identification),
    "SSH::SERVER": ("ssh.identification", wording.ssh_identification),
    "FTP::CLIENT": ("ftp.client", None),
    "FTP::SERVER": ("ftp.banner", None),
    "DHCP::CLIENT": ("dhcp.vendor_class", None),
}
"""Kinds of software of software.log, and the field that says the same of a device."""

KNOWN_FIELDS = ("zeek.service", "zeek.radius_client", "dhcp.host_name")


@cache
def logs() -> Mapping[str, Log]:
    """Return all logs that something is made of, by their path."""
    from medwarden.sensors.logs.zeek_industrial import INDUSTRIAL

    return {
        "conn": _CONN, "dns": _DNS, "dhcp": _DHCP, "http": _HTTP, "ssl": _SSL, **_LOGINS, **_SERVICES,
        **INDUSTRIAL,
    }  # fmt: skip


SILENT = frozenset(
    {
        "analyzer", "analyzer_debug", "bacnet", "bacnet_device_control", "broker", "capture_loss", "cip",
        "cip_io", "cluster", "config", "conn_long", "cotp", "dce_rpc", "dnp3_control", "dnp3_objects", "dpd",
        "enip", "files", "intel", "irc", "kmip", "ldap_search", "loaded_scripts", "modbus_detailed",
        "modbus_mask_write_register", "modbus_read_write_multiple_registers", "modbus_register_change",
        "mqtt_publish", "mqtt_subscribe", "mysql", "notice", "notice_alarm", "ocsp", "opcua_binary",
        "packet_filter", "pe", "postgresql", "print", "profinet", "profinet_io_cm", "quic", "reassembly",
        "redis", "reporter", "s7comm_plus", "s7comm_read_szl", "s7comm_upload_download", "signatures",
        "smb_files", "socks", "stats", "syslog", "telemetry", "telemetry_histogram", "traceroute", "tunnel",
        "weird", "weird_stats", "websocket", "wireguard", "x509",
    }
)  # fmt: skip
"""Logs that are read and say nothing about devices that other logs would not say, or do not say whose."""


@cache
def _signatures() -> tuple[tuple[str, frozenset[str]], ...]:
    """Return the logs with the fields that tell them from others, the most particular first."""
    found = [(kind, log.signature) for kind, log in logs().items() if log.signature]
    return tuple(sorted(found, key=lambda item: (-len(item[1]), item[0])))


def kind_of_fields(fields: Collection[str]) -> str | None:
    """Return which log a record with these fields is of, or None."""
    if "ts" not in fields:
        return None
    present = set(fields)
    for kind, signature in _signatures():
        if signature <= present:
            return kind
    if present == {"ts", "host"}:
        return "known_hosts"
    return "unknown" if {"uid", "id.orig_h", "id.resp_h"} <= present else None
