"""Suricata's EVE JSON: flow events and application layers, with the field names of its user guide."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from medwarden.simulation.ends import Session
from medwarden.simulation.logs import digest_of
from medwarden.simulation.logs.zeek import state_of

Row = dict[str, Any]

_APPLICATIONS = {
    "ssl": "tls",
    "krb_tcp": "krb5",
    "ldap_tcp": "ldap",
    "ntp": "ntp",
    "sip": "sip",
    "rtsp": "failed",
}
_VERSIONS = {"TLSv10": "TLSv1", "TLSv11": "TLS 1.1", "TLSv12": "TLS 1.2", "TLSv13": "TLS 1.3"}
_STATES = {
    "SF": "closed",
    "S0": "new",
    "REJ": "closed",
    "RSTO": "closed",
    "RSTR": "closed",
    "S1": "established",
}


def stamp(at: int) -> str:
    """Return a time as EVE writes it."""
    return datetime.fromtimestamp(at // 1000 / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+0000")


def rows(session: Session) -> Iterator[Row]:
    """Yield the events of one flow: applications first, then the flow when it has ended."""
    head: Row = {
        "flow_id": digest_of(session) & (1 << 51) - 1,
        "src_ip": session.near_ip,
        "src_port": session.near_port,
        "dest_ip": session.far_ip,
        "dest_port": session.far_port,
        "proto": {6: "TCP", 17: "UDP"}[session.protocol],
    }
    for log, at, fields in session.notes:
        for kind, event in _application(log, fields):
            yield {"timestamp": stamp(at), "event_type": kind} | head | {kind: event}
    flow: Row = {
        "pkts_toserver": session.packets[0],
        "pkts_toclient": session.packets[1],
        "bytes_toserver": session.octets[0] + 14 * session.packets[0],
        "bytes_toclient": session.octets[1] + 14 * session.packets[1],
        "start": stamp(session.start),
        "end": stamp(session.end),
        "age": (session.end - session.start) // 10**9,
        "state": _STATES[state_of(session)],
        "reason": "timeout",
        "alerted": False,
    }
    ended: Row = {"timestamp": stamp(session.end), "event_type": "flow"} | head
    if session.service:
        ended["app_proto"] = _APPLICATIONS.get(session.service, session.service)
    ended["flow"] = flow
    if session.protocol == 6:
        ended["tcp"] = {
            "tcp_flags_ts": f"{session.flags[0]:02x}",
            "tcp_flags_tc": f"{session.flags[1]:02x}",
            "syn": True,
        }
    ended["ether"] = {"src_macs": [session.near_mac]}
    yield ended


def _application(log: str, fields: Row) -> Iterator[tuple[str, Row]]:
    if log == "dns":
        asked = {"id": fields["trans_id"], "rrname": fields["query"], "rrtype": fields["qtype_name"]}
        yield "dns", {"version": 2, "type": "query", "tx_id": 0} | asked
        answers = [
            {"rrname": fields["query"], "rrtype": fields["qtype_name"], "ttl": 600, "rdata": value}
            for value in fields["answers"]
        ]
        rcode = {0: "NOERROR", 3: "NXDOMAIN"}.get(fields["rcode"], "SERVFAIL")
        yield "dns", {"version": 2, "type": "answer", "rcode": rcode, "answers": answers} | asked
    elif log == "http":
        yield (
            "http",
            {
                "hostname": fields["host"],
                "url": fields["uri"],
                "http_user_agent": fields["user_agent"],
                "http_method": fields["method"],
                "protocol": "HTTP/1.1",
                "status": fields["status_code"],
                "length": fields["response_body_len"],
            },
        )
    elif log == "ssl":
        event: Row = {"sni": fields["server_name"], "version": _VERSIONS[fields["version"]]}
        if fields["version"] != "TLSv13":
            owner = fields["owner"]
            event["subject"] = (f"O={owner}, " if owner else "") + f"CN={fields['subject']}"
        yield "tls", event
    elif log == "dhcp":
        yield from _lease(fields)
    elif log == "ssh":
        yield "ssh", {side: _software(fields[side]) for side in ("client", "server")}
    elif log == "ntlm":
        inner = {"domain": fields["domainname"], "user": fields["username"], "host": fields["hostname"]}
        yield "smb", {"command": "SMB2_COMMAND_SESSION_SETUP", "status": "STATUS_SUCCESS", "ntlmssp": inner}
    elif log == "kerberos":
        client, _, realm = fields["client"].partition("/")
        yield (
            "krb5",
            {"msg_type": "KRB_AS_REP" if fields["success"] else "KRB_ERROR", "cname": client, "realm": realm,
             "sname": fields["service"], "encryption": fields["cipher"], "weak_encryption": False},
        )  # fmt: skip


def _lease(fields: Row) -> Iterator[tuple[str, Row]]:
    yield (
        "dhcp",
        {
            "type": "request",
            "client_mac": fields["mac"],
            "assigned_ip": "0.0.0.0",  # noqa: S104 - what a request holds, not an address to listen on
            "requested_ip": fields["requested_addr"],
            "client_ip": "0.0.0.0",  # noqa: S104
            "dhcp_type": "request",
            "hostname": fields["host_name"],
            "params": fields["options_order"].split(","),
            "vendor_class_identifier": fields["vendor_class"],
        },
    )
    yield (
        "dhcp",
        {
            "type": "reply",
            "client_mac": fields["mac"],
            "assigned_ip": fields["assigned_addr"],
            "dhcp_type": "ack",
            "lease_time": int(fields["lease_time"]),
            "routers": [fields["gateway"]],
        },
    )


def _software(line: str) -> Row:
    _, version, software = line.split("-", 2)
    return {"proto_version": version, "software_version": software}
