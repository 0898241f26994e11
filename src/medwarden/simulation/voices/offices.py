"""Printers, phones, cameras and log lines: IPP, PJL, SIP, RTSP, syslog, HTTP, SSH and RDP greetings."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from random import Random


def http_request(
    method: str, path: str, host: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> bytes:
    """Return an HTTP/1.1 request (RFC 9112)."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{key}: {value}" for key, value in (headers or {}).items() if value]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def http_response(
    status: str, server: str, kind: str, body: bytes, headers: Mapping[str, str] | None = None
) -> bytes:
    """Return an HTTP/1.1 response."""
    lines = [f"HTTP/1.1 {status}"]
    if server:
        lines.append(f"Server: {server}")
    lines += [f"{key}: {value}" for key, value in (headers or {}).items()]
    lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def html(title: str, rest: str = "") -> bytes:
    """Return a small page."""
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{rest}</body></html>".encode()


def pjl_info(model: str) -> tuple[bytes, bytes]:
    """Return the question for a printer's identity and its answer (HP PJL technical reference)."""
    ask = b"\x1b%-12345X@PJL INFO ID\r\n\x1b%-12345X"
    return ask, f'@PJL INFO ID\r\n"{model}"\r\n\x0c'.encode()


def pjl_job(name: str, size: int, rng: Random) -> bytes:
    """Return a small print job in the frame of PJL."""
    head = (
        f'\x1b%-12345X@PJL JOB NAME="{name}"\r\n@PJL SET DUPLEX=OFF\r\n@PJL ENTER LANGUAGE=PCL\r\n'.encode()
    )
    return (
        head
        + b"\x1bE"
        + rng.randbytes(size).replace(b"\x1b", b" ")
        + b"\x1bE\x1b%-12345X@PJL EOJ\r\n\x1b%-12345X"
    )


def zpl_label(text: str) -> bytes:
    """Return a label in ZPL."""
    return f"^XA^CF0,40^FO40,40^FD{text}^FS^BY2^FO40,110^BCN,80,Y,N,N^FD{text}^FS^XZ".encode()


def ipp_get_attributes(uri: str, request: int) -> bytes:
    """Return Get-Printer-Attributes (RFC 8011 section 4.2.5)."""

    def attribute(tag: int, name: str, value: str) -> bytes:
        return (
            struct.pack(">BH", tag, len(name))
            + name.encode()
            + struct.pack(">H", len(value))
            + value.encode()
        )

    body = attribute(0x47, "attributes-charset", "utf-8") + attribute(
        0x48, "attributes-natural-language", "en"
    )
    body += attribute(0x45, "printer-uri", uri) + attribute(
        0x44, "requested-attributes", "printer-make-and-model"
    )
    return struct.pack(">BBHI", 2, 0, 0x000B, request) + b"\x01" + body + b"\x03"


def ipp_attributes(make_and_model: str, request: int) -> bytes:
    """Return the answer with the printer's make and model."""

    def attribute(tag: int, name: str, value: str) -> bytes:
        return (
            struct.pack(">BH", tag, len(name))
            + name.encode()
            + struct.pack(">H", len(value))
            + value.encode()
        )

    body = b"\x01" + attribute(0x47, "attributes-charset", "utf-8")
    body += attribute(0x48, "attributes-natural-language", "en")
    body += b"\x04" + attribute(0x41, "printer-make-and-model", make_and_model)
    return struct.pack(">BBHI", 2, 0, 0, request) + body + b"\x03"


def sip_register(rng: Random, user: str, ip: str, server: str, agent: str, number: int) -> bytes:
    """Return a REGISTER (RFC 3261 section 10)."""
    branch, tag = rng.randbytes(6).hex(), rng.randbytes(4).hex()
    return (
        f"REGISTER sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {ip}:5060;branch=z9hG4bK{branch}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:{user}@{server}>;tag={tag}\r\nTo: <sip:{user}@{server}>\r\n"
        f"Call-ID: {rng.randbytes(8).hex()}@{ip}\r\nCSeq: {number} REGISTER\r\nUser-Agent: {agent}\r\n"
        f"Contact: <sip:{user}@{ip}:5060>\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def sip_reply(request: bytes, status: str, server: str) -> bytes:
    """Return a response that repeats the request's Via, From, To, Call-ID and CSeq."""
    kept = [
        line
        for line in request.decode().split("\r\n")
        if line.split(":")[0] in {"Via", "From", "To", "Call-ID", "CSeq"}
    ]
    return (
        "\r\n".join([f"SIP/2.0 {status}", *kept, f"Server: {server}", "Content-Length: 0"]) + "\r\n\r\n"
    ).encode()


def rtsp(method: str, url: str, number: int, agent: str) -> bytes:
    """Return an RTSP request (RFC 2326)."""
    return f"{method} {url} RTSP/1.0\r\nCSeq: {number}\r\nUser-Agent: {agent}\r\n\r\n".encode()


def rtsp_reply(number: int, server: str, extra: str = "", body: str = "") -> bytes:
    """Return a successful RTSP response."""
    length = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nServer: {server}\r\n{extra}{length}\r\n{body}".encode()


def interleaved(rng: Random, sequence: int, clock: int, size: int) -> bytes:
    """Return an RTP packet (RFC 3550) of payload type 96 interleaved in RTSP (RFC 2326 section 10.12)."""
    packet = struct.pack(">BBHII", 0x80, 96, sequence, clock & 0xFFFFFFFF, 0x1A2B3C4D) + rng.randbytes(size)
    return struct.pack(">BBH", 0x24, 0, len(packet)) + packet


def syslog(host: str, program: str, text: str, stamp: str, priority: int = 134) -> bytes:
    """Return a line of RFC 3164."""
    return f"<{priority}>{stamp} {host} {program}: {text}".encode()


def ssh_init(rng: Random) -> bytes:
    """Return a key exchange init packet (RFC 4253 section 7.1)."""
    lists = (
        "curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group14-sha256",
        "ssh-ed25519,rsa-sha2-256,ssh-rsa",
        "aes128-ctr,aes256-ctr",
        "aes128-ctr,aes256-ctr",
        "hmac-sha2-256",
        "hmac-sha2-256",
        "none",
        "none",
        "",
        "",
    )
    body = (
        b"\x14"
        + rng.randbytes(16)
        + b"".join(struct.pack(">I", len(one)) + one.encode() for one in lists)
        + bytes(5)
    )
    pad = 8 - (len(body) + 5) % 8 + (8 if (8 - (len(body) + 5) % 8) < 4 else 0)
    return struct.pack(">IB", len(body) + pad + 1, pad) + body + bytes(pad)


def rdp_request(user: str) -> bytes:
    """Return the X.224 connection request with the cookie of the client (MS-RDPBCGR 2.2.1.1)."""
    cookie = f"Cookie: mstshash={user}\r\n".encode() + struct.pack("<BBHI", 1, 0, 8, 3)
    x224 = bytes((6 + len(cookie), 0xE0, 0, 0, 0, 0, 0)) + cookie
    return struct.pack(">BBH", 3, 0, 4 + len(x224)) + x224


def rdp_confirm(protocol: int = 2) -> bytes:
    """Return the X.224 connection confirm that chooses the protocol (2: CredSSP)."""
    x224 = bytes((14, 0xD0, 0, 0, 0x12, 0x34, 0)) + struct.pack("<BBHI", 2, 0, 8, protocol)
    return struct.pack(">BBH", 3, 0, 4 + len(x224)) + x224
