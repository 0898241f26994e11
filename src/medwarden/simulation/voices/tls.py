"""TLS (RFC 5246, RFC 8446): hellos as the libraries of clients make them, certificates, and sealed records.

Cipher suites and extensions of each library are those that its releases offer by default, as published with
JA3 and JA4 collections; the keys and sealed contents are random.
"""

# ruff: noqa: E501 - tables are read by columns
from __future__ import annotations

import struct
from collections.abc import Sequence
from random import Random

import msgspec

_GREASE = tuple(0x0A0A + 0x1010 * i for i in range(16))
TLS12, TLS13 = 0x0303, 0x0304
VERSIONS = {0x0301: "TLSv10", 0x0302: "TLSv11", TLS12: "TLSv12", TLS13: "TLSv13"}


class Library(msgspec.Struct, frozen=True, kw_only=True):
    """What one TLS library offers. ``extensions`` are numbers in the order sent; 0 is the server name."""

    highest: int
    ciphers: tuple[int, ...]
    extensions: tuple[int, ...]
    groups: tuple[int, ...] = (29, 23, 24)
    signatures: tuple[int, ...] = (0x0804, 0x0401, 0x0403, 0x0501, 0x0503, 0x0201, 0x0203)
    alpn: tuple[str, ...] = ()
    grease: bool = False


_SCHANNEL = (
    0xC02C,
    0xC02B,
    0xC030,
    0xC02F,
    0xC024,
    0xC023,
    0xC028,
    0xC027,
    0xC00A,
    0xC009,
    0xC014,
    0xC013,
    0x9D,
    0x9C,
    0x3D,
    0x3C,
    0x35,
    0x2F,
    0x0A,
)
_OPENSSL10 = (
    0xC030,
    0xC02C,
    0xC028,
    0xC024,
    0xC014,
    0xC00A,
    0x9F,
    0x6B,
    0x39,
    0x9D,
    0x3D,
    0x35,
    0xC02F,
    0xC02B,
    0xC027,
    0xC023,
    0xC013,
    0xC009,
    0x9E,
    0x67,
    0x33,
    0x9C,
    0x3C,
    0x2F,
    0x0A,
    0xFF,
)
_OPENSSL11 = (
    0x1302,
    0x1303,
    0x1301,
    0xC02C,
    0xC030,
    0x9F,
    0xCCA9,
    0xCCA8,
    0xCCAA,
    0xC02B,
    0xC02F,
    0x9E,
    0xC024,
    0xC028,
    0x6B,
    0xC023,
    0xC027,
    0x67,
    0xC00A,
    0xC014,
    0x39,
    0xC009,
    0xC013,
    0x33,
    0x9D,
    0x9C,
    0x3D,
    0x3C,
    0x35,
    0x2F,
    0xFF,
)
_CHROME = (
    0x1301,
    0x1302,
    0x1303,
    0xC02B,
    0xC02F,
    0xC02C,
    0xC030,
    0xCCA9,
    0xCCA8,
    0xC013,
    0xC014,
    0x9C,
    0x9D,
    0x2F,
    0x35,
)
_APPLE = (
    0x1301,
    0x1302,
    0x1303,
    0xC02C,
    0xC02B,
    0xCCA9,
    0xC030,
    0xC02F,
    0xCCA8,
    0xC00A,
    0xC009,
    0xC014,
    0xC013,
    0x9D,
    0x9C,
    0x35,
    0x2F,
    0xC008,
    0xC012,
    0x0A,
)

LIBRARIES = {
    "schannel_xp": Library(highest=0x0301, ciphers=(0x04, 0x05, 0x0A, 0x09, 0x64, 0x62, 0x03, 0x06, 0x13, 0x12, 0x63), extensions=()),
    "schannel_7": Library(highest=TLS12, ciphers=(0xC028, 0xC027, 0xC014, 0xC013, 0x9F, 0x9E, 0x39, 0x33, 0x9D, 0x9C, 0x3D, 0x3C, 0x35, 0x2F, 0x0A), extensions=(0, 10, 11, 13, 23, 0xFF01)),
    "schannel_8": Library(highest=TLS12, ciphers=_SCHANNEL, extensions=(0, 5, 10, 11, 13, 35, 23, 0xFF01)),
    "schannel_10": Library(highest=TLS12, ciphers=_SCHANNEL, extensions=(0, 5, 10, 11, 13, 35, 16, 23, 0xFF01), alpn=("h2", "http/1.1")),
    "schannel_11": Library(highest=TLS13, ciphers=(0x1302, 0x1301, *_SCHANNEL), extensions=(0, 5, 10, 11, 13, 35, 16, 23, 43, 45, 51, 0xFF01), alpn=("h2", "http/1.1")),
    "openssl098": Library(highest=0x0301, ciphers=(0x39, 0x38, 0x35, 0x16, 0x13, 0x0A, 0x33, 0x32, 0x2F, 0x05, 0x04, 0x15, 0x12, 0x09, 0xFF), extensions=(35,)),
    "openssl101": Library(highest=TLS12, ciphers=_OPENSSL10, extensions=(0, 11, 10, 35, 13, 15), groups=(14, 13, 25, 11, 12, 24, 9, 10, 22, 23)),
    "openssl102": Library(highest=TLS12, ciphers=_OPENSSL10, extensions=(0, 11, 10, 35, 13), groups=(23, 25, 28, 27, 24, 26, 22)),
    "openssl111": Library(highest=TLS13, ciphers=_OPENSSL11, extensions=(0, 11, 10, 35, 22, 23, 13, 43, 45, 51), groups=(29, 23, 30, 25, 24)),
    "openssl3": Library(highest=TLS13, ciphers=_OPENSSL11, extensions=(0, 11, 10, 35, 16, 22, 23, 13, 43, 45, 51), groups=(29, 23, 30, 25, 24, 256), alpn=("h2", "http/1.1")),
    "mbedtls": Library(highest=TLS12, ciphers=(0xC02C, 0xC030, 0x9F, 0xC0AD, 0xC09F, 0xC024, 0xC028, 0x6B, 0xC02B, 0xC02F, 0x9E, 0x9D, 0x9C, 0x3D, 0x3C, 0x35, 0x2F, 0xFF), extensions=(0, 13, 10, 11, 22, 23), groups=(24, 23)),
    "java8": Library(highest=TLS12, ciphers=(0xC024, 0xC028, 0x3D, 0xC026, 0xC02A, 0x6B, 0x6A, 0xC00A, 0xC014, 0x35, 0xC005, 0xC00F, 0x39, 0x38, 0xC023, 0xC027, 0x3C, 0xC009, 0xC013, 0x2F, 0xC02C, 0xC02B, 0xC030, 0x9D, 0x9F, 0xC02F, 0x9C, 0x9E, 0xFF), extensions=(10, 11, 13, 23, 0), groups=(23, 24, 25, 9, 10, 11, 12, 13, 14, 22)),
    "chrome": Library(highest=TLS13, ciphers=_CHROME, extensions=(0, 23, 0xFF01, 10, 11, 35, 16, 5, 13, 18, 51, 45, 43, 27), alpn=("h2", "http/1.1"), grease=True, signatures=(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)),
    "android": Library(highest=TLS13, ciphers=_CHROME, extensions=(0, 23, 0xFF01, 10, 11, 35, 16, 5, 13, 51, 45, 43), alpn=("h2", "http/1.1"), signatures=(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201)),
    "apple": Library(highest=TLS13, ciphers=_APPLE, extensions=(0, 23, 0xFF01, 10, 11, 16, 5, 13, 18, 51, 45, 43), alpn=("h2", "http/1.1"), grease=True, groups=(29, 23, 24, 25), signatures=(0x0403, 0x0804, 0x0401, 0x0503, 0x0203, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201)),
}  # fmt: skip


def _record(kind: int, version: int, body: bytes) -> bytes:
    return struct.pack(">BHH", kind, version, len(body)) + body


def _handshake(kind: int, body: bytes) -> bytes:
    return struct.pack(">I", kind << 24 | len(body)) + body


def _words(values: Sequence[int]) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


def _counted(body: bytes, size: int = 2) -> bytes:
    return len(body).to_bytes(size, "big") + body


def _extension(rng: Random, library: Library, number: int, host: str, grease: int) -> bytes | None:
    groups = ((grease,) if library.grease else ()) + library.groups
    if number == 0:
        body = _counted(b"\0" + _counted(host.encode())) if host else None
    elif number == 10:
        body = _counted(_words(groups))
    elif number == 11:
        body = b"\1\0"
    elif number == 13:
        body = _counted(_words(library.signatures))
    elif number == 16:
        body = _counted(b"".join(_counted(name.encode(), 1) for name in library.alpn))
    elif number == 43:
        versions = ((grease,) if library.grease else ()) + (TLS13, TLS12)
        body = _counted(_words(versions), 1)
    elif number == 45:
        body = b"\1\1"
    elif number == 51:
        body = _counted(struct.pack(">HH", 29, 32) + rng.randbytes(32))
    elif number == 5:
        body = b"\1\0\0\0\0"
    elif number == 0xFF01:
        body = b"\0"
    elif number == 15:
        body = b"\1"
    elif number == 27:
        body = b"\2\0\2"
    else:
        body = b""
    return None if body is None else struct.pack(">HH", number, len(body)) + body


def client_hello(rng: Random, library: str, host: str) -> bytes:
    """Return the first record of a client; ``host`` is the server's name or empty."""
    offer = LIBRARIES[library]
    grease = rng.choice(_GREASE)
    ciphers = ((grease,) if offer.grease else ()) + offer.ciphers
    parts = [_extension(rng, offer, number, host, grease) for number in offer.extensions]
    extensions = b"".join(part for part in parts if part is not None)
    if offer.grease:
        extensions = struct.pack(">HH", grease, 0) + extensions
    session = rng.randbytes(32) if offer.highest == TLS13 else b""
    body = struct.pack(">H", min(offer.highest, TLS12)) + rng.randbytes(32) + _counted(session, 1)
    body += _counted(_words(ciphers)) + b"\1\0"
    if extensions:
        body += _counted(extensions)
    return _record(22, 0x0301, _handshake(1, body))


def agreed(library: str, newest: int = TLS13) -> tuple[int, int]:
    """Return version and cipher suite that a server up to ``newest`` takes from a library's offer."""
    offer = LIBRARIES[library]
    version = min(offer.highest, newest)
    if version == TLS13:
        return version, next(c for c in offer.ciphers if c >> 8 == 0x13)
    wanted = (0xC030, 0xC02F, 0xC028, 0xC014, 0x9D, 0x35, 0x39, 0x0A) if version == TLS12 else (0x35, 0x0A)
    return version, next((c for c in wanted if c in offer.ciphers), offer.ciphers[0])


def server_flight(rng: Random, library: str, certificates: Sequence[bytes], newest: int = TLS13) -> bytes:
    """Return what a server answers to a hello: its choice and, up to TLS 1.2, its certificates in clear."""
    version, cipher = agreed(library, newest)
    offer = LIBRARIES[library]
    if version == TLS13:
        extensions = (
            struct.pack(">HHH", 43, 2, TLS13) + struct.pack(">HHHH", 51, 36, 29, 32) + rng.randbytes(32)
        )
        body = struct.pack(">H", TLS12) + rng.randbytes(32) + _counted(rng.randbytes(32), 1)
        body += struct.pack(">HB", cipher, 0) + _counted(extensions)
        sealed = sum(map(len, certificates)) + 360
        return (
            _record(22, TLS12, _handshake(2, body)) + _record(20, TLS12, b"\1")
            + _record(23, TLS12, rng.randbytes(sealed))
        )  # fmt: skip
    extensions = b"" if not offer.extensions else struct.pack(">HHB", 0xFF01, 1, 0)
    body = struct.pack(">H", version) + rng.randbytes(32) + _counted(rng.randbytes(32), 1)
    body += struct.pack(">HB", cipher, 0) + (_counted(extensions) if extensions else b"")
    flight = _record(22, version, _handshake(2, body))
    chain = b"".join(_counted(one, 3) for one in certificates)
    flight += _record(22, version, _handshake(11, _counted(chain, 3)))
    if cipher >> 8 == 0xC0:
        point = b"\x03" + struct.pack(">H", 23) + _counted(b"\4" + rng.randbytes(64), 1)
        signature = (b"\4\1" if version == TLS12 else b"") + _counted(rng.randbytes(256))
        flight += _record(22, version, _handshake(12, point + signature))
    return flight + _record(22, version, _handshake(14, b""))


def client_finish(rng: Random, version: int, cipher: int) -> bytes:
    """Return the client's last words before data flow."""
    if version == TLS13:
        return _record(20, TLS12, b"\1") + _record(23, TLS12, rng.randbytes(53))
    key = _counted(b"\4" + rng.randbytes(64), 1) if cipher >> 8 == 0xC0 else _counted(rng.randbytes(256))
    return (
        _record(22, version, _handshake(16, key)) + _record(20, version, b"\1")
        + _record(22, version, rng.randbytes(40))
    )  # fmt: skip


def server_finish(rng: Random, version: int) -> bytes:
    """Return the server's last words before data flow; empty in TLS 1.3, where they came before."""
    if version == TLS13:
        return b""
    return _record(20, version, b"\1") + _record(22, version, rng.randbytes(40))


def sealed(rng: Random, version: int, size: int) -> bytes:
    """Return application data of ``size`` octets in records of at most 16 KiB."""
    version = min(version, TLS12)
    whole, rest = divmod(size + 24, 16_000)
    pieces = [16_000] * whole + ([rest] if rest else [])
    return b"".join(_record(23, version, rng.randbytes(piece)) for piece in pieces)


def farewell(rng: Random, version: int) -> bytes:
    """Return a sealed close_notify."""
    return _record(21 if version < TLS13 else 23, min(version, TLS12), rng.randbytes(26))
