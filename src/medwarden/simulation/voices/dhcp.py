"""DHCP (RFC 2131, 2132): messages with the option orders and class identifiers that clients are known for."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from medwarden.simulation.systems import System

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
_COOKIE = b"\x63\x82\x53\x63"


def _option(code: int, value: bytes) -> bytes:
    return bytes((code, len(value))) + value


def _message(
    op: int, xid: int, mac: bytes, addresses: tuple[int, int, int, int], flags: int, options: bytes
) -> bytes:
    head = struct.pack(">BBBBIHH4I", op, 1, 6, 0, xid, 0, flags, *addresses)
    body = head + mac + bytes(10) + bytes(64) + bytes(128) + _COOKIE + options + b"\xff"
    return body + bytes(max(0, 300 - len(body)))


def client_message(
    kind: int,
    system: System,
    mac: bytes,
    xid: int,
    name: str,
    *,
    ip: int = 0,
    wanted: int = 0,
    server: int = 0,
    vendor_class: str | None = None,
) -> bytes:
    """Return a DISCOVER, REQUEST, INFORM or RELEASE as ``system`` sends it.

    ``ip`` is the address already in use, ``wanted`` the one asked for (option 50), ``server`` the server
    chosen (option 54). Options stand in the system's order; those it is not known for stand before option 55.
    """
    label = name.encode()
    values: dict[int, bytes] = {
        53: bytes((kind,)),
        61: b"\x01" + mac,
        12: label,
        55: bytes(system.dhcp_asks),
        57: struct.pack(">H", 1500),
        51: struct.pack(">I", 7_776_000),
        60: (vendor_class if vendor_class is not None else system.dhcp_class).encode(),
    }
    extra: dict[int, bytes] = {}
    if wanted:
        extra[50] = wanted.to_bytes(4, "big")
    if server:
        extra[54] = server.to_bytes(4, "big")
    order = list(system.dhcp_order)
    if vendor_class and 60 not in order:
        order.append(60)
    for code in (50, 54):
        if code not in order:
            order.insert(order.index(55) if 55 in order else len(order), code)
    known = values | extra
    options = b"".join(_option(code, known[code]) for code in order if known.get(code))
    return _message(1, xid, mac, (ip, 0, 0, 0), 0, options)


def server_message(
    kind: int,
    mac: bytes,
    xid: int,
    given: int,
    server: int,
    facts: Mapping[str, int],
    domain: str,
    lease_s: int,
    ciaddr: int = 0,
    relay: int = 0,
    circuit: bytes = b"",
) -> bytes:
    """Return an OFFER or ACK; ``facts`` holds mask, router, dns and ntp as numbers."""
    options = _option(53, bytes((kind,))) + _option(54, server.to_bytes(4, "big"))
    options += _option(51, struct.pack(">I", lease_s)) + _option(58, struct.pack(">I", lease_s // 2))
    options += _option(59, struct.pack(">I", lease_s * 7 // 8)) + _option(1, facts["mask"].to_bytes(4, "big"))
    options += _option(3, facts["router"].to_bytes(4, "big")) + _option(6, facts["dns"].to_bytes(4, "big"))
    options += _option(15, domain.encode()) + _option(42, facts["ntp"].to_bytes(4, "big"))
    if circuit:
        options += _option(82, _option(1, circuit))
    return _message(2, xid, mac, (ciaddr, given, 0, relay), 0, options)
