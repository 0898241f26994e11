"""JA4, the fingerprint of a TLS client: what its ClientHello offers, in a form that survives reordering.

Written from the description published by FoxIO ("JA4: TLS Client Fingerprinting", BSD 3-Clause), which is
the one member of that family with a free licence; the others are not implemented. A fingerprint reads
``a_b_c``:

``a`` carrier (``t`` TCP, ``q`` QUIC, ``d`` DTLS), highest version offered, ``d`` when a server name is
given else ``i``, two digits each for the number of cipher suites and of extensions, first and last
character of the first ALPN;

``b`` first 12 hexadecimal digits of SHA-256 over the sorted cipher suites;

``c`` the same over the sorted extensions without server name and ALPN, then the signature algorithms as
sent.

GREASE values (RFC 8701) are left out everywhere.
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache

import msgspec

from medwarden.kernel.errors import MalformedInput

_GREASE = frozenset(0x0A0A + 0x1010 * i for i in range(16))
_SERVER_NAME, _SIGNATURE_ALGORITHMS, _ALPN, _SUPPORTED_VERSIONS = 0, 13, 16, 43
_VERSION_CODES = {
    0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2",
    0xFEFF: "d1", 0xFEFD: "d2", 0xFEFC: "d3",
}  # fmt: skip
_NOTHING_HASHED = "000000000000"


class ClientHello(msgspec.Struct, frozen=True):
    """What a client offers (RFC 8446 section 4.1.2); GREASE values are already left out."""

    legacy_version: int
    ciphers: tuple[int, ...]
    extensions: tuple[int, ...]  # in the order sent
    server_name: str | None
    alpn: tuple[bytes, ...]
    versions: tuple[int, ...]  # supported_versions, empty where that is not sent
    signature_algorithms: tuple[int, ...]

    @property
    def highest_version(self) -> int:
        """Return the highest version offered."""
        return max(self.versions, default=self.legacy_version)


def parse_client_hello(body: bytes) -> ClientHello:
    """Read a ClientHello without its four-byte handshake header.

    Raises MalformedInput where a length reaches beyond the message.
    """
    try:
        return _parse(body)
    except (struct.error, IndexError) as error:
        raise MalformedInput("tls", "the ClientHello ends within a field") from error


def _parse(body: bytes) -> ClientHello:
    (legacy_version,) = struct.unpack_from(">H", body, 0)
    at = 34
    at += 1 + body[at]  # session id
    (length,) = struct.unpack_from(">H", body, at)
    ciphers = _numbers(body, at + 2, length)
    at += 2 + length
    at += 1 + body[at]  # compression methods
    extensions: list[int] = []
    server_name: str | None = None
    alpn: tuple[bytes, ...] = ()
    versions: tuple[int, ...] = ()
    algorithms: tuple[int, ...] = ()
    if at < len(body):
        end = at + 2 + struct.unpack_from(">H", body, at)[0]
        at += 2
        if end > len(body):
            raise MalformedInput("tls", "the extensions reach beyond the ClientHello", at)
        while at < end:
            kind, length = struct.unpack_from(">HH", body, at)
            at += 4
            if at + length > end:
                raise MalformedInput("tls", "an extension reaches beyond the ClientHello", at)
            if kind not in _GREASE:
                extensions.append(kind)
            if kind == _SERVER_NAME and length > 5:
                server_name = _server_name(body, at, at + length)
            elif kind == _ALPN and length > 2:
                alpn = _protocols(body, at + 2, at + length)
            elif kind == _SUPPORTED_VERSIONS and length > 1:
                versions = _numbers(body, at + 1, body[at])
            elif kind == _SIGNATURE_ALGORITHMS and length > 2:
                algorithms = _numbers(body, at + 2, struct.unpack_from(">H", body, at)[0])
            at += length
    return ClientHello(legacy_version, ciphers, tuple(extensions), server_name, alpn, versions, algorithms)


def _numbers(body: bytes, at: int, length: int) -> tuple[int, ...]:
    numbers = struct.unpack_from(f">{length // 2}H", body, at)
    return tuple([n for n in numbers if n not in _GREASE])


def _server_name(body: bytes, at: int, end: int) -> str | None:
    """Read the host name of RFC 6066 section 3 (a list in which only type 0 was ever defined)."""
    kind, length = struct.unpack_from(">BH", body, at + 2)
    if kind != 0 or at + 5 + length > end:
        return None
    return body[at + 5 : at + 5 + length].decode("ascii", "replace").rstrip("\0").lower() or None


def _protocols(body: bytes, at: int, end: int) -> tuple[bytes, ...]:
    names = []
    while at < end:
        length = body[at]
        if at + 1 + length > end:
            raise MalformedInput("tls", "a protocol name reaches beyond its extension", at)
        names.append(body[at + 1 : at + 1 + length])
        at += 1 + length
    return tuple(names)


def ja4(hello: ClientHello, carrier: str = "t") -> str:
    """Return the JA4 fingerprint of ``hello``; ``carrier`` is ``t`` (TCP), ``q`` (QUIC) or ``d`` (DTLS)."""
    # Codes of DTLS versions are the complements of their numbers: the newest is the smallest.
    newest = min(hello.versions, default=hello.legacy_version) if carrier == "d" else hello.highest_version
    alpn = _alpn_marks(hello.alpn[0]) if hello.alpn and hello.alpn[0] else "00"
    a = (
        f"{carrier}{_VERSION_CODES.get(newest, '00')}"
        f"{'d' if _SERVER_NAME in hello.extensions else 'i'}"
        f"{min(len(hello.ciphers), 99):02d}{min(len(hello.extensions), 99):02d}{alpn}"
    )
    c = _listed(tuple([e for e in hello.extensions if e not in (_SERVER_NAME, _ALPN)]))
    if c and hello.signature_algorithms:
        c += "_" + ",".join(f"{s:04x}" for s in hello.signature_algorithms)
    return f"{a}_{_digest(_listed(hello.ciphers))}_{_digest(c)}"


@lru_cache(maxsize=4096)
def _listed(numbers: tuple[int, ...]) -> str:
    return ",".join(sorted([f"{number:04x}" for number in numbers]))


def _alpn_marks(name: bytes) -> str:
    """Return first and last character, or hexadecimal digit where they are no letters or digits."""
    first, last = name[:1], name[-1:]
    if first.isalnum() and last.isalnum():
        return (first + last).decode("ascii")
    digits = name.hex()
    return digits[0] + digits[-1]


@lru_cache(maxsize=4096)
def _digest(listed: str) -> str:
    if not listed:
        return _NOTHING_HASHED
    return hashlib.sha256(listed.encode()).hexdigest()[:12]
