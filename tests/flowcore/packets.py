"""Packets and capture files made by hand, byte by byte, after the standards they name."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Sequence

CLIENT_MAC = "02:00:00:00:00:0a"
SERVER_MAC = "02:00:00:00:00:0b"
CLIENT = "10.0.0.1"
SERVER = "10.0.0.2"
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
LINUX_SYN = b"\x02\x04\x05\xb4\x04\x02\x08\x0a\0\0\0\1\0\0\0\0\x01\x03\x03\x07"


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ethernet(
    payload: bytes,
    ethertype: int = 0x0800,
    src: str = CLIENT_MAC,
    dst: str = SERVER_MAC,
    tags: Sequence[tuple[int, int]] = (),
) -> bytes:
    """Frame with any number of (TPID, VLAN) tags, the outermost first."""
    shims = b"".join(struct.pack("!HH", tpid, vlan) for tpid, vlan in tags)
    return mac(dst) + mac(src) + shims + struct.pack("!H", ethertype) + payload


def ipv4(
    payload: bytes,
    protocol: int,
    src: str = CLIENT,
    dst: str = SERVER,
    *,
    ttl: int = 64,
    options: bytes = b"",
    total: int | None = None,
    ident: int = 1,
    fragment: int = 0,
) -> bytes:
    header = 20 + len(options)
    length = header + len(payload) if total is None else total
    fixed = struct.pack("!BBHHHBBH", 0x40 | header // 4, 0, length, ident, fragment, ttl, protocol, 0)
    return fixed + ipaddress.IPv4Address(src).packed + ipaddress.IPv4Address(dst).packed + options + payload


def ipv6(
    payload: bytes, following: int, src: str = "2001:db8::1", dst: str = "2001:db8::2", *, hop_limit: int = 64
) -> bytes:
    fixed = struct.pack("!IHBB", 6 << 28, len(payload), following, hop_limit)
    return fixed + ipaddress.IPv6Address(src).packed + ipaddress.IPv6Address(dst).packed + payload


def tcp(
    payload: bytes = b"",
    src: int = 40_000,
    dst: int = 80,
    *,
    seq: int = 0,
    ack: int = 0,
    flags: int = ACK,
    window: int = 64_240,
    options: bytes = b"",
) -> bytes:
    offset = (20 + len(options)) // 4 << 4
    return (
        struct.pack("!HHIIBBHHH", src, dst, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset, flags, window, 0, 0)
        + options
        + payload
    )


def udp(payload: bytes = b"", src: int = 40_000, dst: int = 53, *, length: int | None = None) -> bytes:
    return struct.pack("!HHHH", src, dst, 8 + len(payload) if length is None else length, 0) + payload


def tcp_frame(
    payload: bytes = b"",
    *,
    back: bool = False,
    client: str = CLIENT,
    server: str = SERVER,
    src: int = 40_000,
    dst: int = 80,
    seq: int = 0,
    ack: int = 0,
    flags: int = ACK,
    options: bytes = b"",
    ttl: int = 64,
) -> bytes:
    """Ethernet frame of a connection from ``client`` to ``server``; ``back`` for the answer."""
    if back:
        segment = tcp(payload, dst, src, seq=seq, ack=ack, flags=flags, options=options)
        return ethernet(ipv4(segment, 6, server, client, ttl=ttl), src=SERVER_MAC, dst=CLIENT_MAC)
    segment = tcp(payload, src, dst, seq=seq, ack=ack, flags=flags, options=options)
    return ethernet(ipv4(segment, 6, client, server, ttl=ttl))


def udp_frame(
    payload: bytes = b"x",
    *,
    back: bool = False,
    client: str = CLIENT,
    server: str = SERVER,
    src: int = 40_000,
    dst: int = 5000,
) -> bytes:
    if back:
        return ethernet(ipv4(udp(payload, dst, src), 17, server, client), src=SERVER_MAC, dst=CLIENT_MAC)
    return ethernet(ipv4(udp(payload, src, dst), 17, client, server))


def pcap(
    records: Iterable[tuple[int, bytes]],
    *,
    order: str = "<",
    magic: int = 0xA1B2C3D4,
    linktype: int = 1,
    cut: int | None = None,
) -> bytes:
    """pcap file of (nanoseconds, packet); ``magic`` chooses micro- or nanoseconds or Kuznetzov's."""
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65_535, linktype)]
    for ts, data in records:
        kept = data if cut is None else data[:cut]
        fraction = ts % SECOND if magic == 0xA1B23C4D else ts % SECOND // 1000
        out.append(struct.pack(order + "IIII", ts // SECOND, fraction, len(kept), len(data)))
        if magic == 0xA1B2CD34:
            out.append(struct.pack(order + "IHBB", 1, 0, 0, 0))
        out.append(kept)
    return b"".join(out)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(linktype: int = 1, options: bytes = b"", order: str = "<", snaplen: int = 0) -> bytes:
    return block(1, struct.pack(order + "HHI", linktype, 0, snaplen) + options, order)


def enhanced(ticks: int, data: bytes, which: int = 0, order: str = "<", wire: int | None = None) -> bytes:
    head = struct.pack(
        order + "IIIII",
        which,
        ticks >> 32,
        ticks & 0xFFFFFFFF,
        len(data),
        len(data) if wire is None else wire,
    )
    return block(6, head + data, order)
