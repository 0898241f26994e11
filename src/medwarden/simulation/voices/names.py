"""NetBIOS names (RFC 1001, 1002), the browser over them, and SSDP (UPnP)."""

from __future__ import annotations

import struct


def netbios_name(text: str, suffix: int) -> bytes:
    """Return a first-level encoded NetBIOS name (RFC 1001 section 14.1)."""
    padded = text.upper()[:15].ljust(15).encode() + bytes((suffix,))
    encoded = b"".join(bytes((0x41 + (octet >> 4), 0x41 + (octet & 15))) for octet in padded)
    return b"\x20" + encoded + b"\0"


def name_query(ident: int, text: str, suffix: int = 0x20) -> bytes:
    """Return a broadcast name query request."""
    return struct.pack(">HHHHHH", ident, 0x0110, 1, 0, 0, 0) + netbios_name(text, suffix) + b"\0\x20\0\x01"


def registration(ident: int, text: str, suffix: int, ip: int) -> bytes:
    """Return a broadcast name registration request (RFC 1002 section 4.2.2)."""
    head = struct.pack(">HHHHHH", ident, 0x2910, 1, 0, 0, 1)
    body = netbios_name(text, suffix) + b"\0\x20\0\x01" + b"\xc0\x0c\0\x20\0\x01"
    return head + body + struct.pack(">IHH", 300_000, 6, 0) + ip.to_bytes(4, "big")


def host_announcement(
    ident: int, host: str, group: str, ip: int, version: tuple[int, int], server: bool
) -> bytes:
    """Return a NetBIOS datagram with a host announcement of the browser protocol (MS-BRWS 2.2.1)."""
    kind = 0x0000_9003 if server else 0x0000_1003
    frame = (
        struct.pack("<BBI16sBBIHH", 1, 0, 720_000, host.upper()[:15].encode(), *version, kind, 271, 0xAA55)
        + b"\0"
    )
    slot = b"\\MAILSLOT\\BROWSE\0"
    words = struct.pack("<HHHHBBHIHHHHHBB", 0, len(frame), 0, 0, 0, 0, 0, 1000, 0, 0, 0, len(frame), 0, 3, 0)
    words += struct.pack("<HHH", 1, 1, 2)
    body_at = 32 + 1 + len(words) + 2 + len(slot)
    words = struct.pack(
        "<HHHHBBHIHHHHHBB", 0, len(frame), 0, 0, 0, 0, 0, 1000, 0, 0, 0, len(frame), body_at, 3, 0
    )
    words += struct.pack("<HHH", 1, 1, 2)
    smb = (
        b"\xffSMB\x25"
        + bytes(27)
        + bytes((17,))
        + words
        + struct.pack("<H", len(slot) + len(frame))
        + slot
        + frame
    )
    names = netbios_name(host, 0x00) + netbios_name(group, 0x1D)
    head = struct.pack(">BBHIHHH", 0x11, 0x0A, ident, ip, 138, len(names) + len(smb), 0)
    return head + names + smb


def ssdp_notify(
    ip: str, server: str, kind: str, uuid: str, location: str = "/description.xml", port: int = 80
) -> bytes:
    """Return a NOTIFY ssdp:alive."""
    return (
        "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nCACHE-CONTROL: max-age=1800\r\n"
        f"LOCATION: http://{ip}:{port}{location}\r\nSERVER: {server}\r\nNTS: ssdp:alive\r\n"
        f"NT: {kind}\r\nUSN: uuid:{uuid}::{kind}\r\n\r\n"
    ).encode()


def ssdp_search(target: str, agent: str = "") -> bytes:
    """Return an M-SEARCH."""
    line = f"USER-AGENT: {agent}\r\n" if agent else ""
    return (
        'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 3\r\n'
        f"ST: {target}\r\n{line}\r\n"
    ).encode()


def upnp_description(facts: dict[str, str], uuid: str) -> bytes:
    """Return a UPnP device description; ``facts`` holds the device's elements by their names."""
    inner = "".join(f"<{key}>{value}</{key}>" for key, value in facts.items())
    return (
        '<?xml version="1.0"?>\n<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major>'
        f"<minor>0</minor></specVersion><device>{inner}<UDN>uuid:{uuid}</UDN></device></root>"
    ).encode()
