"""A TLS ClientHello: version, cipher and the certificate of a server, without completing the handshake.

RFC 5246 section 7.4 (TLS 1.2, whose certificate is readable). The hello offers TLS 1.2 at most; a server
that insists on 1.3 refuses in an alert, which is an answer, too. The connection is closed with an alert.
"""

from __future__ import annotations

import secrets
import struct
from typing import ClassVar

from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Transport
from medwarden.sensors.active.exchange import Exchange
from medwarden.sensors.active.prober import ProbeManifest, ProbeSetting

_HANDSHAKE, _ALERT = 22, 21
_CERTIFICATE, _HELLO_DONE = 11, 14
_MOST_RECORD = 16_384 + 2_048
# Forward secret and plain RSA, GCM and CBC: what medical devices of the last fifteen years can do.
_CIPHERS = (0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9, 0xC013, 0xC014, 0xC009, 0xC00A, 0x009C, 0x009D)
_CIPHERS_OLD = (0x002F, 0x0035, 0x000A)
_SIGNATURES = (0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0201, 0x0203)
_CANCELLED = bytes((_ALERT, 3, 3, 0, 2, 1, 90))  # warning, user_canceled


class TlsHello:
    """Greet a TLS server and hear its certificate."""

    manifest: ClassVar = ProbeManifest(
        name="tls_hello",
        title="TLS hello",
        transport=Transport.TCP,
        port=443,
        dissector="tls",
        reference="RFC 5246 section 7.4",
        asks="a ClientHello; the handshake is broken off after the certificate",
    )

    def missing(self, setting: ProbeSetting) -> str:
        """Need nothing."""
        del setting
        return ""

    def converse(self, line: Exchange, setting: ProbeSetting) -> None:
        """Send the hello, hear to the certificate or an alert, and say that no more is wanted."""
        del setting
        line.say(client_hello())
        line.hear(_is_told)
        line.say(_CANCELLED)


def client_hello() -> bytes:
    """Return a TLS 1.2 ClientHello record without a server name."""
    ciphers = struct.pack(f">{len(_CIPHERS) + len(_CIPHERS_OLD)}H", *_CIPHERS, *_CIPHERS_OLD)
    groups = struct.pack(">4H", 29, 23, 24, 25)
    signatures = struct.pack(f">{len(_SIGNATURES)}H", *_SIGNATURES)
    extensions = b"".join(
        (
            _extension(10, struct.pack(">H", len(groups)) + groups),
            _extension(11, b"\x01\x00"),
            _extension(13, struct.pack(">H", len(signatures)) + signatures),
            _extension(0xFF01, b"\x00"),
        )
    )
    body = (
        b"\x03\x03"
        + secrets.token_bytes(32)
        + b"\x00"
        + struct.pack(">H", len(ciphers))
        + ciphers
        + b"\x01\x00"
        + struct.pack(">H", len(extensions))
        + extensions
    )
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return struct.pack(">BHH", _HANDSHAKE, 0x0301, len(message)) + message


def _extension(number: int, body: bytes) -> bytes:
    return struct.pack(">HH", number, len(body)) + body


def _is_told(heard: bytes) -> bool:
    """Tell whether certificate, end of the server's hello, or an alert has come in whole."""
    at, messages = 0, b""
    while len(heard) - at >= 5:
        kind, major, _minor, length = struct.unpack_from(">BBBH", heard, at)
        if kind not in (_HANDSHAKE, _ALERT, 20, 23) or major != 3 or length > _MOST_RECORD:
            raise MalformedInput("tls_hello", "the answer is no TLS record", at)
        if len(heard) - at - 5 < length:
            break
        if kind != _HANDSHAKE:
            return True
        messages += heard[at + 5 : at + 5 + length]
        at += 5 + length
    if heard and heard[0] not in (_HANDSHAKE, _ALERT):
        raise MalformedInput("tls_hello", "the answer is no TLS record", 0)
    return _has_certificate(messages)


def _has_certificate(messages: bytes) -> bool:
    at = 0
    while len(messages) - at >= 4:
        length = int.from_bytes(messages[at + 1 : at + 4], "big")
        if len(messages) - at - 4 < length:
            return False
        if messages[at] in (_CERTIFICATE, _HELLO_DONE):
            return True
        at += 4 + length
    return False


PROBER = TlsHello
