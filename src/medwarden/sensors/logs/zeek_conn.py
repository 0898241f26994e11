"""Zeek's conn.log to flows.

Zeek manual, "conn.log", and ``base/protocols/conn/main.zeek``: the originator is the client, the responder
the server (Zeek has turned round what it saw the wrong way, ``^`` in ``history``). ``orig_l2_addr``,
``resp_l2_addr`` and ``vlan`` are there where policy/protocols/conn/{mac,vlan}-logging is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from medwarden.sensors.logs.gathering import MOST_NS, flow_table, mac_or_none
from medwarden.sensors.logs.times import Nanoseconds
from medwarden.sensors.logs.zeek_rows import Reject, Rows, canonical, drop_unsound, numbers, texts

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
    client, client_sound = canonical(texts(rows, "id.orig_h"))
    server, server_sound = canonical(texts(rows, "id.resp_h"))
    if client_sound is not None or server_sound is not None:
        whole = [True] * len(rows)
        sound = [a and b for a, b in zip(client_sound or whole, server_sound or whole, strict=True)]
        drop_unsound(rows, sound, "no sound address", reject)
        times = times[np.array(sound, bool)]
        client = [ip for ip, kept in zip(client, sound, strict=True) if kept]
        server = [ip for ip, kept in zip(server, sound, strict=True) if kept]
    count = len(rows)
    protocols = _protocols(rows, client)
    ported = np.isin(protocols, (6, 17, 132))
    server_port = np.where(ported, numbers(rows, "id.resp_p"), 0)
    flags = np.array([flags_of(text or "") for text in texts(rows, "history")], np.int16).reshape(count, 2)
    flags[protocols != _TCP] = 0
    services = zip(texts(rows, "service"), server_port.tolist(), strict=True)
    ends = zip(texts(rows, "conn_state"), texts(rows, "proto"), strict=True)
    return flow_table(
        count,
        {
            "flow_id": pa.array(np.arange(first_id, first_id + count)),
            "start_ns": pa.array(times),
            "end_ns": pa.array(times + _durations(rows, times)),
            "client_mac": _macs(rows, "orig_l2_addr"),
            "server_mac": _macs(rows, "resp_l2_addr"),
            "client_ip": client,
            "server_ip": server,
            "client_port": pa.array(np.where(ported, numbers(rows, "id.orig_p"), 0), pa.int32()),
            "server_port": pa.array(server_port, pa.int32()),
            "ip_protocol": pa.array(protocols, pa.int16()),
            "vlan": pa.array(rows.columns["vlan"], pa.int32()),
            "packets_out": numbers(rows, "orig_pkts"),
            "packets_in": numbers(rows, "resp_pkts"),
            "bytes_out": _either(rows, "orig_ip_bytes", "orig_bytes"),
            "bytes_in": _either(rows, "resp_ip_bytes", "resp_bytes"),
            "payload_out": numbers(rows, "orig_bytes"),
            "payload_in": numbers(rows, "resp_bytes"),
            "tcp_flags_out": pa.array(flags[:, 0]),
            "tcp_flags_in": pa.array(flags[:, 1]),
            "end_reason": [_ENDS.get(state or "", "idle") if p == "tcp" else "idle" for state, p in ends],
            "application": [application(name, port) if name else None for name, port in services],
        },
    )


def _protocols(rows: Rows, client: Sequence[str | None]) -> npt.NDArray[np.int16]:
    names = texts(rows, "proto")
    numbered = rows.columns["ip_proto"]
    found = [_PROTOCOLS.get(name or "") for name in names]
    if None in found or _ICMP in found:
        for at, number in enumerate(found):
            if number is None:
                told = numbered[at]
                found[at] = told if isinstance(told, int) and 0 <= told < 255 else _UNKNOWN
            elif number == _ICMP and ":" in (client[at] or ""):
                found[at] = _ICMP6
    return np.array(found, np.int16)


def _durations(rows: Rows, times: Nanoseconds) -> Nanoseconds:
    seconds = pc.fill_null(pa.array(rows.columns["duration"], pa.float64()), 0.0).to_numpy()
    micros = np.rint(np.clip(seconds, 0, 1e9) * 1e6).astype(np.int64)
    room: Nanoseconds = (MOST_NS - times) // 1000
    lasted: Nanoseconds = np.minimum(micros, room) * 1000
    return lasted


def _either(rows: Rows, wanted: str, instead: str) -> pa.Array:
    """Return IP bytes, or payload where Zeek did not count them."""
    given = pa.array(rows.columns[wanted], pa.int64())
    return pc.coalesce(given, numbers(rows, instead)) if given.null_count else given


def _macs(rows: Rows, name: str) -> Sequence[str | None]:
    column = texts(rows, name)
    forms = {text: None if text is None else mac_or_none(text) for text in set(column)}
    return [forms[text] for text in column]
