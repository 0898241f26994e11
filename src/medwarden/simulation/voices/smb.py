"""SMB 1 and 2 over TCP (MS-CIFS, MS-SMB2) with NTLM in SPNEGO (MS-NLMP, RFC 4178)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from random import Random

from medwarden.simulation.voices.der import der, oid, sequence

_SPNEGO, _NTLM = "1.3.6.1.5.5.2", "1.3.6.1.4.1.311.2.2.10"
_FLAGS = 0xE2898215


def _wide(text: str) -> bytes:
    return text.encode("utf-16-le")


def _version(build: str) -> bytes:
    major, minor, number = (int(part) for part in (build or "6.1.0").split("."))
    return struct.pack("<BBHBBBB", major, minor, number, 0, 0, 0, 15)


def _buffer(data: bytes, at: int) -> bytes:
    return struct.pack("<HHI", len(data), len(data), at)


def ntlm_negotiate(build: str) -> bytes:
    """Return a NEGOTIATE message with the version of Windows."""
    return b"NTLMSSP\0" + struct.pack("<II", 1, _FLAGS) + bytes(16) + _version(build)


def ntlm_challenge(rng: Random, build: str, domain: str, computer: str, dns_domain: str) -> bytes:
    """Return a CHALLENGE message with the server's names."""
    target = _wide(domain)
    full = f"{computer.lower()}.{dns_domain}" if dns_domain else computer.lower()
    pairs = ((2, domain), (1, computer), (4, dns_domain or domain), (3, full))
    info = b"".join(
        struct.pack("<HH", kind, len(_wide(value))) + _wide(value) for kind, value in pairs
    ) + bytes(4)
    head = b"NTLMSSP\0" + struct.pack("<I", 2) + _buffer(target, 56)
    head += (
        struct.pack("<I", _FLAGS)
        + rng.randbytes(8)
        + bytes(8)
        + _buffer(info, 56 + len(target))
        + _version(build)
    )
    return head + target + info


def ntlm_authenticate(rng: Random, build: str, domain: str, user: str, workstation: str) -> bytes:
    """Return an AUTHENTICATE message; the responses are random octets of the right size."""
    parts = [
        rng.randbytes(24),
        rng.randbytes(180),
        _wide(domain),
        _wide(user),
        _wide(workstation),
        rng.randbytes(16),
    ]
    at, buffers = 88, []
    for part in parts:
        buffers.append(_buffer(part, at))
        at += len(part)
    head = b"NTLMSSP\0" + struct.pack("<I", 3) + b"".join(buffers) + struct.pack("<I", _FLAGS)
    return head + _version(build) + bytes(16) + b"".join(parts)


def _init(token: bytes) -> bytes:
    inner = sequence(der(0xA0, sequence(oid(_NTLM))), der(0xA2, der(4, token)))
    return der(0x60, oid(_SPNEGO), der(0xA0, inner))


def _target(token: bytes, state: int, mechanism: bool = False) -> bytes:
    parts = [der(0xA0, der(10, bytes((state,))))]
    if mechanism:
        parts.append(der(0xA1, oid(_NTLM)))
    if token:
        parts.append(der(0xA2, der(4, token)))
    return der(0xA1, sequence(*parts))


def _netbios(message: bytes) -> bytes:
    return struct.pack(">I", len(message)) + message


def _smb2(
    command: int, message: int, session: int, tree: int, body: bytes, *, reply: bool, status: int = 0
) -> bytes:
    head = struct.pack(
        "<4sHHIHHIIQIIQ16s",
        b"\xfeSMB",
        64,
        1,
        status,
        command,
        1,
        1 if reply else 0,
        0,
        message,
        0,
        tree,
        session,
        bytes(16),
    )
    return _netbios(head + body)


def negotiate2(rng: Random, guid: bytes, dialects: Sequence[int] = (0x0202, 0x0210, 0x0300, 0x0302)) -> bytes:
    """Return an SMB2 NEGOTIATE request."""
    del rng
    body = struct.pack("<HHHHI16sQ", 36, len(dialects), 1, 0, 0x7F, guid, 0)
    return _smb2(0, 0, 0, 0, body + struct.pack(f"<{len(dialects)}H", *dialects), reply=False)


def negotiated2(at: int, guid: bytes, dialect: int = 0x0302) -> bytes:
    """Return an SMB2 NEGOTIATE response."""
    token = der(0x60, oid(_SPNEGO), der(0xA0, sequence(der(0xA0, sequence(oid(_NTLM))))))
    filetime = at // 100 + 116_444_736_000_000_000
    body = struct.pack(
        "<HHHH16sIIIIQQHHI",
        65,
        1,
        dialect,
        0,
        guid,
        0x2F,
        1 << 20,
        1 << 20,
        1 << 20,
        filetime,
        0,
        128,
        len(token),
        0,
    )
    return _smb2(0, 0, 0, 0, body + token, reply=True)


def setup2(token: bytes, message: int, session: int = 0, *, first: bool) -> bytes:
    """Return an SMB2 SESSION_SETUP request with an NTLM message."""
    blob = _init(token) if first else _target(token, 1)
    body = struct.pack("<HBBIIHHQ", 25, 0, 1, 1, 0, 88, len(blob), 0) + blob
    return _smb2(1, message, session, 0, body, reply=False)


def set_up2(token: bytes, message: int, session: int, *, more: bool) -> bytes:
    """Return an SMB2 SESSION_SETUP response."""
    blob = _target(token, 1 if more else 0, more)
    body = struct.pack("<HHHH", 9, 0, 72, len(blob)) + blob
    return _smb2(1, message, session, 0, body, reply=True, status=0xC0000016 if more else 0)


def tree2(path: str, message: int, session: int) -> bytes:
    """Return an SMB2 TREE_CONNECT request for a share by its UNC path."""
    name = _wide(path)
    return _smb2(3, message, session, 0, struct.pack("<HHHH", 9, 0, 72, len(name)) + name, reply=False)


def treed2(message: int, session: int, tree: int, kind: int = 1) -> bytes:
    """Return an SMB2 TREE_CONNECT response; ``kind`` 1 is a disk, 2 a pipe."""
    body = struct.pack("<HBBIII", 16, kind, 0, 0x30, 0, 0x001F01FF)
    return _smb2(3, message, session, tree, body, reply=True)


def create2(name: str, message: int, session: int, tree: int) -> bytes:
    """Return an SMB2 CREATE request."""
    data = _wide(name)
    body = struct.pack(
        "<HBBIQQIIIIIHHII", 57, 0, 0, 2, 0, 0, 0x0012019F, 0x80, 7, 3, 0x40, 120, len(data), 0, 0
    )
    return _smb2(5, message, session, tree, body + (data or b"\0"), reply=False)


def created2(message: int, session: int, tree: int, at: int, size: int, handle: bytes) -> bytes:
    """Return an SMB2 CREATE response."""
    time = at // 100 + 116_444_736_000_000_000
    body = struct.pack(
        "<HBBIQQQQQQII", 89, 0, 0, 1, time, time, time, time, (size + 4095) & ~4095, size, 0x20, 0
    )
    return _smb2(5, message, session, tree, body + handle + struct.pack("<II", 0, 0), reply=True)


def read2(message: int, session: int, tree: int, handle: bytes, offset: int, size: int) -> bytes:
    """Return an SMB2 READ request."""
    body = struct.pack("<HBBIQ16sIIIHH", 49, 80, 0, size, offset, handle, 0, 0, 0, 0, 0) + b"\0"
    return _smb2(8, message, session, tree, body, reply=False)


def data2(message: int, session: int, tree: int, data: bytes) -> bytes:
    """Return an SMB2 READ response."""
    body = struct.pack("<HBBIII", 17, 80, 0, len(data), 0, 0)
    return _smb2(8, message, session, tree, body + data, reply=True)


def write2(message: int, session: int, tree: int, handle: bytes, offset: int, data: bytes) -> bytes:
    """Return an SMB2 WRITE request."""
    body = struct.pack("<HHIQ16sIIHHI", 49, 112, len(data), offset, handle, 0, 0, 0, 0, 0)
    return _smb2(9, message, session, tree, body + data, reply=False)


def written2(message: int, session: int, tree: int, size: int) -> bytes:
    """Return an SMB2 WRITE response."""
    return _smb2(9, message, session, tree, struct.pack("<HHIIHH", 17, 0, size, 0, 0, 0), reply=True)


def close2(message: int, session: int, tree: int, handle: bytes) -> bytes:
    """Return an SMB2 CLOSE request."""
    return _smb2(6, message, session, tree, struct.pack("<HHI16s", 24, 0, 0, handle), reply=False)


def closed2(message: int, session: int, tree: int) -> bytes:
    """Return an SMB2 CLOSE response."""
    return _smb2(6, message, session, tree, struct.pack("<HHI", 60, 0, 0) + bytes(52), reply=True)


def _smb1(command: int, mid: int, uid: int, body: bytes, *, reply: bool, status: int = 0) -> bytes:
    head = struct.pack(
        "<4sBIBHHQHHHHH",
        b"\xffSMB",
        command,
        status,
        0x98 if reply else 0x18,
        0xC807,
        0,
        0,
        0,
        0,
        0xFEFF,
        uid,
        mid,
    )
    return _netbios(head + body)


def negotiate1(mid: int = 0) -> bytes:
    """Return an SMB1 NEGOTIATE with the dialects of Windows XP."""
    names = (
        "PC NETWORK PROGRAM 1.0",
        "LANMAN1.0",
        "Windows for Workgroups 3.1a",
        "LM1.2X002",
        "LANMAN2.1",
        "NT LM 0.12",
    )
    data = b"".join(b"\2" + name.encode() + b"\0" for name in names)
    return _smb1(0x72, mid, 0, struct.pack("<BH", 0, len(data)) + data, reply=False)


def negotiated1(at: int, guid: bytes, mid: int = 0) -> bytes:
    """Return an SMB1 NEGOTIATE response with extended security."""
    time = at // 100 + 116_444_736_000_000_000
    words = struct.pack("<HBHHIIIIQhB", 5, 3, 50, 1, 16_644, 65_536, 0, 0x8000F3FD, time, 0, 0)
    return _smb1(0x72, mid, 0, bytes((17,)) + words + struct.pack("<H", len(guid)) + guid, reply=True)


def setup1(token: bytes, system: str, lanman: str, mid: int, uid: int, *, first: bool) -> bytes:
    """Return an SMB1 SESSION_SETUP_ANDX request that names the native operating system."""
    blob = _init(token) if first else _target(token, 1)
    words = struct.pack("<BBHHHHIHII", 0xFF, 0, 0, 4356, 10, 0, 0, len(blob), 0, 0xA00000D4)
    pad = b"\0" if (32 + 1 + 24 + 2 + len(blob)) & 1 else b""
    data = blob + pad + _wide(system) + b"\0\0" + _wide(lanman) + b"\0\0" + b"\0\0"
    return _smb1(0x73, mid, uid, bytes((12,)) + words + struct.pack("<H", len(data)) + data, reply=False)


def set_up1(token: bytes, system: str, lanman: str, mid: int, uid: int, *, more: bool) -> bytes:
    """Return an SMB1 SESSION_SETUP_ANDX response."""
    blob = _target(token, 1 if more else 0, more)
    words = struct.pack("<BBHHH", 0xFF, 0, 0, 0, len(blob))
    pad = b"\0" if (32 + 1 + 8 + 2 + len(blob)) & 1 else b""
    data = blob + pad + _wide(system) + b"\0\0" + _wide(lanman) + b"\0\0"
    status = 0xC0000016 if more else 0
    return _smb1(
        0x73, mid, uid, bytes((4,)) + words + struct.pack("<H", len(data)) + data, reply=True, status=status
    )
