"""Zeek's conn.log to flows.

Zeek manual, "conn.log", and ``base/protocols/conn/main.zeek``: the originator is the client, the responder
the server (Zeek has turned round what it saw the wrong way, ``^`` in ``history``). ``orig_l2_addr``,
``resp_l2_addr`` and ``vlan`` are there where policy/protocols/conn/{mac,vlan}-logging is loaded.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from medwarden.sensors.logs.gathering import MOST_NS, flow_table, ip_or_none, mac_or_none
from medwarden.sensors.logs.text_columns import Words, chosen
from medwarden.sensors.logs.times import Nanoseconds
from medwarden.sensors.logs.zeek_rows import Reject, Rows, drop_unsound, numbers, told, words

_FIN, _SYN, _RST, _PSH, _ACK = 1, 2, 4, 8, 16
_FLAGS = {"s": _SYN, "h": _SYN | _ACK, "a": _ACK, "d": _PSH | _ACK, "f": _FIN | _ACK, "r": _RST}
_ENDS = {
    "SF": "fin",
    "REJ": "rst",
    "RSTO": "rst",
    "RSTR": "rst",
    "RSTOS0": "rst",
    "RSTRH": "rst",
}
_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "sctp": 132}
_TCP, _ICMP, _ICMP6, _UNKNOWN = 6, 1, 58, 255
_ABOUT_NAMES = {5353: "mdns", 5355: "llmnr", 137: "nbns"}
_SERVICES = {
    "ssl": "tls", "krb": "kerberos", "krb_tcp": "kerberos", "dce_rpc": "dcerpc", "ftp-data": "ftp",
    "s7comm": "s7", "s7comm_plus": "s7", "dnp3_tcp": "dnp3", "dnp3_udp": "dnp3", "ldap_tcp": "ldap",
    "ldap_udp": "ldap", "smtp_bdat": "smtp", "postgresql": "postgres", "opcua_binary": "opcua",
    "spicy_ldap_tcp": "ldap", "spicy_ldap_udp": "ldap", "spicy_opcua_binary": "opcua", "socks": "socks",
    "stun": "stun", "cotp": "cotp", "profinet_io_cm": "profinet", "bacnet": "bacnet", "websocket": "http",
    "spicy_wireguard": "wireguard", "spicy_openvpn_udp": "openvpn", "spicy_openvpn_tcp": "openvpn",
    "spicy_openvpn_udp_hmac_md5": "openvpn", "spicy_openvpn_tcp_hmac_md5": "openvpn",
    "spicy_tftp": "tftp", "spicy_ipsec_ike_udp": "ipsec", "spicy_ipsec_udp": "ipsec", "spicy_stun": "stun",
}  # fmt: skip
_CARRIERS = ("gssapi", "ntlm", "krb", "krb_tcp", "spnego", "ssl", "dce_rpc", "http")
"""Analyzers that name what another of the same connection carries, the least telling first."""


@lru_cache(maxsize=1 << 14)
def flags_of(history: str) -> tuple[int, int]:
    """Return the TCP flags that client and server showed, as ``history`` tells them."""
    out = back = 0
    for letter in history:
        flag = _FLAGS.get(letter.lower(), 0)
        if letter.isupper():
            out |= flag
        else:
            back |= flag
    return out, back


@lru_cache(maxsize=1 << 12)
def application(service: str, port: int) -> str | None:
    """Return our name for what Zeek recognised on a connection (``ssl``, ``gssapi,smb``), or None."""
    names = [name for name in service.lower().split(",") if name and not name.startswith("-")]
    if not names:
        return None
    if "ssl" in names and "http" in names:
        return "tls"  # decrypted by nobody: http is what a proxy said before the hello
    telling = [name for name in names if name not in _CARRIERS] or sorted(names, key=_CARRIERS.index)[::-1]
    name = telling[0]
    if name == "dns":
        return _ABOUT_NAMES.get(port, "dns")
    if name in ("gssapi", "spnego"):
        return None
    return _SERVICES.get(name, name)


def flows_of(rows: Rows, times: Nanoseconds, first_id: int, reject: Reject) -> pa.Table:
    """Return the flows of conn records; those without two addresses are rejected and taken out."""
    client, server = words(rows, "id.orig_h"), words(rows, "id.resp_h")
    if rows.plain is None and not (sound := _has_address(client) & _has_address(server)).all():
        drop_unsound(rows, sound.tolist(), "no sound address", reject)
        times = times[sound]
        client, server = words(rows, "id.orig_h"), words(rows, "id.resp_h")
    count = len(rows)
    names = words(rows, "proto")
    protocols = _protocols(rows, names, client)
    ported = np.isin(protocols, (6, 17, 132))
    server_port = np.where(ported, numbers(rows, "id.resp_p"), 0)
    flags_out, flags_in = _flags(rows, protocols)
    return flow_table(
        count,
        {
            "flow_id": pa.array(np.arange(first_id, first_id + count)),
            "start_ns": pa.array(times),
            "end_ns": pa.array(times + _durations(rows, times)),
            "client_mac": _macs(rows, "orig_l2_addr"),
            "server_mac": _macs(rows, "resp_l2_addr"),
            "client_ip": _addresses(client),
            "server_ip": _addresses(server),
            "client_port": pa.array(np.where(ported, numbers(rows, "id.orig_p"), 0), pa.int32()),
            "server_port": pa.array(server_port, pa.int32()),
            "ip_protocol": pa.array(protocols, pa.int16()),
            "vlan": told(rows, "vlan", pa.int32()),
            "packets_out": numbers(rows, "orig_pkts"),
            "packets_in": numbers(rows, "resp_pkts"),
            "bytes_out": _either(rows, "orig_ip_bytes", "orig_bytes"),
            "bytes_in": _either(rows, "resp_ip_bytes", "resp_bytes"),
            "payload_out": numbers(rows, "orig_bytes"),
            "payload_in": numbers(rows, "resp_bytes"),
            "tcp_flags_out": pa.array(flags_out, pa.int16()),
            "tcp_flags_in": pa.array(flags_in, pa.int16()),
            "end_reason": _end_reasons(rows, names),
            "application": _applications(rows, server_port),
        },
    )


def _has_address(column: Words) -> npt.NDArray[np.bool_]:
    return column.such(lambda text: text and ip_or_none(text))


def _addresses(column: Words) -> pa.Array:
    return column.reading([ip_or_none(text) if text else None for text in column.values])


def _protocols(rows: Rows, names: Words, client: Words) -> npt.NDArray[np.int64]:
    found = names.meaning([_PROTOCOLS.get(name or "", _UNKNOWN) for name in names.values])
    found[(found == _ICMP) & client.such(lambda ip: ip and ":" in ip)] = _ICMP6
    unknown = found == _UNKNOWN
    if unknown.any():
        numbered = told(rows, "ip_proto", pa.int64()).fill_null(_UNKNOWN).to_numpy()
        found = np.where(unknown, np.minimum(numbered, _UNKNOWN), found)
    return found


def _flags(rows: Rows, protocols: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], ...]:
    """Return the TCP flags of clients and of servers."""
    histories = words(rows, "history")
    flags = [flags_of(text or "") for text in histories.values]
    tcp = protocols == _TCP
    return tuple(np.where(tcp, histories.meaning([both[side] for both in flags]), 0) for side in (0, 1))


def _end_reasons(rows: Rows, names: Words) -> pa.Array:
    states = words(rows, "conn_state")
    reasons = [_ENDS.get(state or "", "idle") for state in states.values]
    tcp = names.such(lambda name: name == "tcp")
    return chosen([*reasons, "idle"], np.where(tcp, states.places, len(reasons)))


def _applications(rows: Rows, ports: npt.NDArray[np.int64]) -> pa.Array:
    """Return what connections carry; only of those that ask for names the port says more."""
    services = words(rows, "service")
    telling = (0, *_ABOUT_NAMES)
    found = [application(name, port) if name else None for name in services.values for port in telling]
    place = np.zeros(len(ports), np.int64)
    for number, port in enumerate(telling):
        place[ports == port] = number
    return chosen(found, services.places * len(telling) + place)


def _durations(rows: Rows, times: Nanoseconds) -> Nanoseconds:
    seconds = pc.fill_null(told(rows, "duration", pa.float64()), 0.0).to_numpy()
    micros = np.rint(np.clip(seconds, 0, 1e9) * 1e6).astype(np.int64)
    room: Nanoseconds = (MOST_NS - times) // 1000
    lasted: Nanoseconds = np.minimum(micros, room) * 1000
    return lasted


def _either(rows: Rows, wanted: str, instead: str) -> pa.Array:
    """Return IP bytes, or payload where Zeek did not count them."""
    given = told(rows, wanted, pa.int64())
    return pc.coalesce(given, numbers(rows, instead)) if given.null_count else given


def _macs(rows: Rows, name: str) -> pa.Array:
    column = words(rows, name)
    if not any(column.values):
        return pa.nulls(len(rows), pa.string())
    return column.reading([mac_or_none(text) if text else None for text in column.values])
