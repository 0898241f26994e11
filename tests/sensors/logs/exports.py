"""Export packets made by hand: what exporters would send, one function for each form."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

SECONDS = 1_700_000_000
UPTIME = 1_000_000
SETTING_KEY = b"k" * 32


def ip4(text: str) -> bytes:
    return socket.inet_aton(text)


def record5(
    source: str,
    destination: str,
    ports: tuple[int, int],
    *,
    octets: int = 1000,
    packets: int = 10,
    flags: int = 0x1B,
) -> bytes:
    return struct.pack(
        "!4s4s4sHHIIIIHHxBBBHHBBxx", ip4(source), ip4(destination), ip4("0.0.0.0"), 1, 2, packets, octets,
        UPTIME - 5000, UPTIME - 1000, ports[0], ports[1], flags, 6, 0, 0, 0, 0, 0,
    )  # fmt: skip


def netflow5(records: Sequence[bytes], sequence: int = 0, sampling: int = 0, uptime: int = UPTIME) -> bytes:
    head = struct.pack("!HHIIIIBBH", 5, len(records), uptime, SECONDS, 0, sequence, 0, 0, sampling)
    return head + b"".join(records)


def set_of(number: int, body: bytes) -> bytes:
    body += b"\0" * (-len(body) % 4)
    return struct.pack("!HH", number, 4 + len(body)) + body


def template9(number: int, fields: Sequence[tuple[int, int]]) -> bytes:
    return set_of(
        0, struct.pack("!HH", number, len(fields)) + b"".join(struct.pack("!HH", *field) for field in fields)
    )


def netflow9(sets: Sequence[bytes], sequence: int = 0, domain: int = 7) -> bytes:
    return struct.pack("!HHIIII", 9, len(sets), UPTIME, SECONDS, sequence, domain) + b"".join(sets)


def ipfix(sets: Sequence[bytes], sequence: int = 0, domain: int = 7) -> bytes:
    body = b"".join(sets)
    return struct.pack("!HHIII", 10, 16 + len(body), SECONDS, sequence, domain) + body


def template10(number: int, fields: Sequence[tuple[int, int] | tuple[int, int, int]], kind: int = 2) -> bytes:
    """Return a template set; a field of three is (element, length, enterprise)."""
    body = struct.pack("!HH", number, len(fields))
    for field in fields:
        if len(field) == 3:
            body += struct.pack("!HHI", field[0] | 0x8000, field[1], field[2])
        else:
            body += struct.pack("!HH", *field)
    return set_of(kind, body)


FIELDS = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (1, 4), (2, 4), (22, 4), (21, 4))


def row(
    source: str, destination: str, ports: tuple[int, int], octets: int = 1000, packets: int = 10
) -> bytes:
    return (
        ip4(source)
        + ip4(destination)
        + struct.pack("!HHBBIIII", *ports, 6, 0x1B, octets, packets, UPTIME - 5000, UPTIME - 1000)
    )


def ethernet(source: str, destination: str, ports: tuple[int, int], vlan: int | None = None) -> bytes:
    tcp = struct.pack("!HHIIBBHHH", *ports, 0, 0, 0x50, 0x18, 0, 0, 0)
    packet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1400, 0, 0, 64, 6, 0, ip4(source), ip4(destination)) + tcp
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return bytes.fromhex("00112233445500aabbccddee") + tag + b"\x08\x00" + packet


def sflow(frames: Sequence[bytes], rate: int = 512, sequence: int = 1) -> bytes:
    samples = b""
    for frame in frames:
        padded = frame + b"\0" * (-len(frame) % 4)
        raw = struct.pack("!IIII", 1, 1414, 4, len(frame)) + padded
        flow = struct.pack("!II", 1, len(raw)) + raw
        body = struct.pack("!IIIIIIII", 1, 1, rate, rate, 0, 1, 2, 1) + flow
        samples += struct.pack("!II", 1, len(body)) + body
    return struct.pack("!II4sIIII", 5, 1, ip4("10.0.0.9"), 0, sequence, UPTIME, len(frames)) + samples


def port_counters(
    index: int,
    *,
    speed: int = 10**9,
    status: int = 3,
    octets: tuple[int, int] = (0, 0),
    errors: tuple[int, int, int, int] = (0, 0, 0, 0),
    direction: int = 1,
) -> bytes:
    """Return generic counters of a port; errors are discards and errors in, then out."""
    received = (octets[0], 100, 10, 1, errors[0], errors[1], 0)
    sent = (octets[1], 100, 10, 1, errors[2], errors[3], 0)
    body = struct.pack("!IIQIIQ6IQ6I", index, 6, speed, direction, status, *received, *sent)
    return struct.pack("!II", 1, len(body)) + body


def ethernet_port(**counted: int) -> bytes:
    """Return the counters of an Ethernet port: ``fcs``, ``late`` and ``single`` collisions, ``symbol``."""
    places = {"fcs": 1, "single": 2, "late": 6, "symbol": 12}
    numbers = [0] * 13
    for name, number in counted.items():
        numbers[places[name]] = number
    return struct.pack("!II13I", 2, 52, *numbers)


def sflow_counters(
    ports: Sequence[tuple[int, Sequence[bytes]]], uptime: int = UPTIME, sequence: int = 1, wide: bool = False
) -> bytes:
    """Return a datagram with a counter sample for each port, in the expanded form with ``wide``."""
    samples = b""
    for index, records in ports:
        source = struct.pack("!II", 0, index) if wide else struct.pack("!I", index)
        body = struct.pack("!I", 1) + source + struct.pack("!I", len(records)) + b"".join(records)
        samples += struct.pack("!II", 4 if wide else 2, len(body)) + body
    return struct.pack("!II4sIIII", 5, 1, ip4("10.0.0.9"), 0, sequence, uptime, len(ports)) + samples
