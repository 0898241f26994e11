"""QUIC: the TLS ClientHello inside a client's Initial packets, which anybody on the path can open.

RFC 9000 section 17.2 (long headers), 16 (variable-length integers), 19.6 (CRYPTO frames); RFC 9001 section 5
(Initial keys and header protection); RFC 9369 (version 2). Initial packets are protected by keys that follow
from the client's first destination connection id, so reading them takes no secret.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections import OrderedDict
from typing import ClassVar, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from medwarden.dissect.connection import Connection
from medwarden.dissect.ja4 import ja4, parse_client_hello
from medwarden.dissect.tls_names import version_name
from medwarden.model.segment import DissectorManifest, Transport

_HELLO_LIMIT = 16384
_WAITING_HELLOS = 1024
_CLIENT_HELLO = 1


class _Version(NamedTuple):
    name: str
    salt: bytes
    label: bytes
    initial: int  # packet type bits of an Initial


_VERSIONS = {
    0x00000001: _Version("1", bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"), b"quic", 0),
    0x6B3343CF: _Version("2", bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"), b"quicv2", 1),
}


class InitialKeys(NamedTuple):
    """AEAD key, IV and header protection key of one side's Initial packets."""

    key: bytes
    iv: bytes
    header: bytes


class QuicDissector(Connection):
    """Open the Initial packets of clients.

    A hello that spans packets is put together by the connection id it was sent to; at most 1,024 unfinished
    hellos of at most 16 KiB wait.
    """

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="quic",
        title="QUIC",
        transports=(Transport.UDP,),
        reference="RFC 9000, RFC 9001, RFC 9369",
        ports=(443, 80, 784, 853, 8443),
        sniff=True,
        fields=("quic.version", "quic.sni", "quic.ja4", "quic.alpn", "quic.tls_versions"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._waiting: OrderedDict[bytes, dict[int, bytes]] = OrderedDict()

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with a long header of a known version."""
        del from_client
        return len(payload) >= 1200 and payload[0] & 0xC0 == 0xC0 and payload[1:5] in (
            b"\0\0\0\x01", b"\x6b\x33\x43\xcf",
        )  # fmt: skip

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read the packets of one datagram that come before the first with a short header."""
        at = 0
        while at + 7 <= len(payload) and payload[at] & 0x80:
            (number,) = struct.unpack_from(">I", payload, at + 1)
            version = _VERSIONS.get(number)
            if version is None:
                return
            at = self._packet(payload, at, version, from_client)

    def _packet(self, payload: bytes, start: int, version: _Version, from_client: bool) -> int:
        """Read the long-header packet at ``start`` and return where the next one begins."""
        at = start + 5
        destination = payload[at + 1 : at + 1 + payload[at]]
        at += 1 + payload[at]
        at += 1 + payload[at]
        kind = (payload[start] >> 4) & 3
        initial = kind == version.initial
        if kind == (version.initial + 3) % 4:  # Retry: no length, nothing after it
            return len(payload)
        if initial:
            length, at = _integer(payload, at)
            at += length
        length, at = _integer(payload, at)
        end = at + length
        if end > len(payload) or length < 20:
            raise self.malformed("a packet reaches beyond its datagram", at)
        if initial:
            self.said("quic.version", version.name)
            if from_client and len(destination) <= 20:
                plain = _unprotected(payload[start:end], at - start, initial_keys(destination, version))
                if plain is not None:  # else it was sent to the server's own id: not the first flight
                    self._frames(plain, destination)
        return end

    def _frames(self, plain: bytes, destination: bytes) -> None:
        pieces = self._waiting.pop(destination, {})
        at = 0
        while at < len(plain):
            kind = plain[at]
            if kind == 0:  # PADDING, of which there is much
                at = len(plain) - len(plain[at:].lstrip(b"\0"))
            elif kind == 1:  # PING
                at += 1
            elif kind in (2, 3):
                at = _after_ack(plain, at)
            elif kind == 6:
                offset, at = _integer(plain, at + 1)
                length, at = _integer(plain, at)
                if at + length > len(plain):
                    raise self.malformed("a CRYPTO frame reaches beyond its packet", at)
                if offset + length <= _HELLO_LIMIT and len(pieces) < 64:
                    pieces[offset] = plain[at : at + length]
                at += length
            else:
                break  # CONNECTION_CLOSE, or a frame that has no place in an Initial packet
        self._hello(pieces, destination)

    def _hello(self, pieces: dict[int, bytes], destination: bytes) -> None:
        stream = bytearray()
        for offset in sorted(pieces):
            if offset > len(stream):
                break
            stream[offset : offset + len(pieces[offset])] = pieces[offset]
        needed = 4 + int.from_bytes(stream[1:4], "big") if len(stream) >= 4 else 4
        if len(stream) < needed:
            if pieces and needed <= _HELLO_LIMIT:
                self._waiting[destination] = pieces
                if len(self._waiting) > _WAITING_HELLOS:
                    self._waiting.popitem(last=False)
            return
        if stream[0] != _CLIENT_HELLO:
            raise self.malformed("the handshake does not begin with a ClientHello")
        hello = parse_client_hello(bytes(stream[4:needed]))
        self.said("quic.ja4", ja4(hello, "q"))
        self.said("quic.sni", hello.server_name or "")
        self.said("quic.tls_versions", ", ".join(version_name(v) for v in sorted(set(hello.versions))[-8:]))
        for name in hello.alpn[:8]:
            self.said("quic.alpn", name.decode("latin-1"))


def initial_keys(destination: bytes, version: _Version) -> InitialKeys:
    """Return the keys of a client's Initial packets (RFC 9001 section 5.2, RFC 9369 section 3.3)."""
    secret = hmac.digest(version.salt, destination, "sha256")
    client = expand_label(secret, b"client in", 32)
    return InitialKeys(
        expand_label(client, version.label + b" key", 16),
        expand_label(client, version.label + b" iv", 12),
        expand_label(client, version.label + b" hp", 16),
    )


def expand_label(secret: bytes, label: bytes, length: int) -> bytes:
    """Return HKDF-Expand-Label of RFC 8446 section 7.1 with SHA-256 and an empty context, up to 32 bytes."""
    info = struct.pack(">HB", length, len(label) + 6) + b"tls13 " + label + b"\0"
    return hmac.new(secret, info + b"\x01", hashlib.sha256).digest()[:length]


def _unprotected(packet: bytes, number_at: int, keys: InitialKeys) -> bytes | None:
    """Return the frames of an Initial packet, or None where these are not its keys (RFC 9001 section 5.4)."""
    sample = packet[number_at + 4 : number_at + 20]
    # RFC 9001 section 5.4.3 prescribes AES-ECB of one block for the mask; nothing is kept secret by it.
    encryptor = Cipher(algorithms.AES(keys.header), modes.ECB()).encryptor()  # noqa: S305
    mask = encryptor.update(sample)
    first = packet[0] ^ (mask[0] & 0x0F)
    length = (first & 3) + 1
    number = bytes(a ^ b for a, b in zip(packet[number_at : number_at + length], mask[1:], strict=False))
    header = bytes((first,)) + packet[1:number_at] + number
    nonce = int.from_bytes(keys.iv, "big") ^ int.from_bytes(number, "big")
    try:
        return AESGCM(keys.key).decrypt(nonce.to_bytes(12, "big"), packet[number_at + length :], header)
    except InvalidTag:
        return None


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """Return the variable-length integer at ``at`` and the offset after it (RFC 9000 section 16)."""
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        raise IndexError("a variable-length integer reaches beyond the packet")
    value = int.from_bytes(data[at : at + size], "big") & ((1 << (8 * size - 2)) - 1)
    return value, at + size


def _after_ack(data: bytes, at: int) -> int:
    """Return the offset after the ACK frame at ``at`` (RFC 9000 section 19.3)."""
    kind = data[at]
    _, at = _integer(data, at + 1)
    _, at = _integer(data, at)
    ranges, at = _integer(data, at)
    _, at = _integer(data, at)
    for _ in range(2 * ranges + (3 if kind == 3 else 0)):
        _, at = _integer(data, at)
    return at


DISSECTOR = QuicDissector
