"""Zeek's logs in JSON, with the field names of its script reference (MAC logging switched on)."""

# ruff: noqa: E501 - tables are read by columns
from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from medwarden.simulation.ends import Session
from medwarden.simulation.logs import PROTOCOLS, unique_id

Row = dict[str, Any]

_RCODES = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}
_CIPHERS = {
    0x1301: "TLS_AES_128_GCM_SHA256", 0x1302: "TLS_AES_256_GCM_SHA384", 0xC030: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    0xC02F: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xC028: "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
    0xC014: "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 0x9D: "TLS_RSA_WITH_AES_256_GCM_SHA384",
    0x35: "TLS_RSA_WITH_AES_256_CBC_SHA", 0x39: "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", 0x0A: "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
}  # fmt: skip
_SERVICES = {"krb_tcp": "krb_tcp", "smb": "gssapi,smb,ntlm", "ntp": "ntp"}


def _time(at: int) -> float:
    return at // 1000 / 1e6


def state_of(session: Session) -> str:
    """Return the connection state in Zeek's terms."""
    if session.protocol != 6:
        return "SF" if session.packets[1] else "S0"
    heard = session.history
    if "h" not in heard:
        return "REJ" if "r" in heard else "S0"
    if "R" in heard:
        return "RSTO"
    if "r" in heard:
        return "RSTR"
    return "SF" if "F" in heard and "f" in heard else "S1"


def _inner(ip: str) -> bool:
    return ipaddress.ip_address(ip).is_private


def rows(session: Session) -> Iterator[tuple[str, Row]]:
    """Yield log name and row for everything Zeek would write about a flow."""
    uid = unique_id(session)
    ids: Row = {
        "uid": uid,
        "id.orig_h": session.near_ip,
        "id.orig_p": session.near_port,
        "id.resp_h": session.far_ip,
        "id.resp_p": session.far_port,
    }
    proto = PROTOCOLS[session.protocol]
    conn: Row = {"ts": _time(session.start)} | ids | {"proto": proto}
    if session.service:
        conn["service"] = _SERVICES.get(session.service, session.service)
    conn |= {
        "duration": _time(session.end - session.start),
        "orig_bytes": session.payload[0],
        "resp_bytes": session.payload[1],
        "conn_state": state_of(session),
        "local_orig": _inner(session.near_ip),
        "local_resp": _inner(session.far_ip),
        "missed_bytes": 0,
        "history": session.history,
        "orig_pkts": session.packets[0],
        "orig_ip_bytes": session.octets[0],
        "resp_pkts": session.packets[1],
        "resp_ip_bytes": session.octets[1],
        "orig_l2_addr": session.near_mac,
    }
    if session.far_mac:
        conn["resp_l2_addr"] = session.far_mac
    yield "conn", conn
    for log, at, fields in session.notes:
        yield from _application(log, {"ts": _time(at)} | ids, fields, uid, proto)


def _application(log: str, head: Row, fields: Row, uid: str, proto: str) -> Iterator[tuple[str, Row]]:
    if log == "dns":
        answers = fields["answers"]
        row = {"proto": proto, **fields, "qclass_name": "C_INTERNET", "rcode_name": _RCODES[fields["rcode"]]}
        row |= {"AA": False, "TC": False, "RD": True, "RA": True, "Z": 0, "rejected": False}
        row |= {"TTLs": [600.0] * len(answers)} if answers else {}
        if not answers:
            del row["answers"]
        yield log, head | row
    elif log == "ssl":
        row = {
            "version": fields["version"],
            "cipher": _CIPHERS.get(fields["cipher_code"], f"unknown-{fields['cipher_code']}"),
            "server_name": fields["server_name"],
            "resumed": False,
            "established": True,
        }
        if fields["version"] != "TLSv13":
            owner = fields["owner"]
            row["subject"] = f"CN={fields['subject']}" + (f",O={owner}" if owner else "")
        yield log, head | row
    elif log == "dhcp":
        kept = ("mac", "host_name", "domain", "requested_addr", "assigned_addr", "lease_time", "msg_types")
        row = {
            "ts": head["ts"],
            "uids": [uid],
            "client_addr": fields["client_addr"],
            "server_addr": fields["server_addr"],
        }
        yield log, row | {name: fields[name] for name in kept if fields[name]}
    elif log == "http":
        yield log, head | {name: value for name, value in fields.items() if name != "server"} | {"tags": []}
        yield from _software(head, fields)
    else:
        yield log, head | fields


def _software(head: Row, fields: Row) -> Iterator[tuple[str, Row]]:
    """Yield what the software framework notes of an exchange over HTTP (protocols/http/software)."""
    if fields.get("server"):
        said = {"host": head["id.resp_h"], "host_p": head["id.resp_p"], "software_type": "HTTP::SERVER"}
        yield "software", {"ts": head["ts"], **said, "unparsed_version": fields["server"]}
