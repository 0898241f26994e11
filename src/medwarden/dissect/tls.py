"""TLS: names, versions, fingerprint and certificates from what is said before encryption begins.

Records RFC 8446 section 5.1 (and RFC 5246 section 6.2), ClientHello 4.1.2, ServerHello 4.1.3,
supported_versions 4.2.1, ALPN RFC 7301, server name RFC 6066 section 3, Certificate RFC 5246 section 7.4.2,
alerts section 7.2. A hello in the SSL 2.0 form is RFC 5246 appendix E.2. Certificates of TLS 1.3 are
encrypted and stay unseen.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import ClassVar

from medwarden.dissect import x509
from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.ja4 import ja4, parse_client_hello
from medwarden.dissect.tls_names import ALERTS, cipher_name, version_name
from medwarden.model.segment import DissectorManifest, Transport

_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA, _HEARTBEAT = range(20, 25)
_RECORD_LIMIT = 16384 + 2048
_HANDSHAKE_LIMIT = 65536
_CLIENT_HELLO, _SERVER_HELLO, _CERTIFICATE = 1, 2, 11
_SUPPORTED_VERSIONS, _ALPN = 43, 16
_HELLO_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


class TlsDissector(Connection):
    """Read the handshake of both sides up to the point where it is encrypted."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="tls",
        title="Transport Layer Security",
        transports=(Transport.TCP,),
        reference="RFC 8446, RFC 5246, RFC 6066, RFC 7301",
        ports=(
            443, 465, 563, 636, 853, 989, 990, 992, 993, 995, 2762, 3269, 4433, 5061, 5671, 5986, 6514, 8443,
            8883, 9443,
        ),
        starts=tuple(b"\x16\x03" + bytes((minor,)) for minor in range(5)),
        stream_bytes=24576,
        opening_tells=True,
        sniff=True,
        fields=(
            "tls.sni", "tls.ja4", "tls.version", "tls.client_versions", "tls.cipher", "tls.alpn",
            "tls.client_alpn", "tls.alert", *x509.FIELDS,
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._handshake = {True: bytearray(), False: bytearray()}
        self._to_skip = {True: 0, False: 0}
        self._hello_seen = False
        self._begun = {True: False, False: False}

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with a handshake record holding a hello, or an SSL 2.0 hello."""
        if len(payload) < 6:
            return False
        hello = _CLIENT_HELLO if from_client else _SERVER_HELLO
        if payload[0] == _HANDSHAKE:
            return payload[1] == 3 and payload[2] <= 4 and payload[5] == hello
        return from_client and _is_old_hello(payload) and len(payload) >= 11 and payload[10] % 16 == 0

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the records of one direction."""
        if not self._begun[from_client] and not self._begin(inbox, from_client):
            return
        data = inbox.data
        while len(data) >= 5 and not inbox.deaf:
            kind, version, length = struct.unpack_from(">BHH", data, 0)
            if not _CHANGE_CIPHER_SPEC <= kind <= _HEARTBEAT or version >> 8 != 3 or length > _RECORD_LIMIT:
                raise inbox.malformed("no TLS record")
            if kind in (_CHANGE_CIPHER_SPEC, _APPLICATION_DATA):
                inbox.close()  # everything further is encrypted
                return
            fragment = inbox.take(5 + length)
            if fragment is None:
                return
            if kind == _HANDSHAKE:
                self._fragment(fragment[5:], inbox, from_client)
            elif kind == _ALERT and length == 2:
                self._alert(fragment[5], fragment[6])
            data = inbox.data

    def _begin(self, inbox: Inbox, from_client: bool) -> bool:
        """Deal with a hello in the form of SSL 2.0 at the start of a direction."""
        data = inbox.data
        if data[0] & 0x80 and len(data) < 5:
            return False
        if data[0] & 0x80 and data[2] == _SERVER_HELLO + 2 and not from_client:
            self.said("tls.version", version_name(2))
            self.close()
            return False
        if from_client and _is_old_hello(data):
            hello = inbox.take(2 + ((data[0] & 0x7F) << 8 | data[1]))
            if hello is None:
                return False
            code = struct.unpack_from(">H", hello, 3)[0]
            self.said(
                "tls.client_versions",
                version_name(2) if code == 2 else f"{version_name(2)}, {version_name(code)}",
            )
        self._begun[from_client] = True
        return True

    def _alert(self, level: int, code: int) -> None:
        if level == 2:
            self.said("tls.alert", ALERTS.get(code) or str(code))

    def _fragment(self, fragment: bytes, inbox: Inbox, from_client: bool) -> None:
        """Add a piece of the handshake and read the messages that are complete."""
        skipped = min(self._to_skip[from_client], len(fragment))
        self._to_skip[from_client] -= skipped
        waiting = self._handshake[from_client]
        waiting += fragment[skipped:]
        while len(waiting) >= 4 and not inbox.deaf:
            kind = waiting[0]
            length = int.from_bytes(waiting[1:4], "big")
            if length > _HANDSHAKE_LIMIT:
                raise inbox.malformed("a handshake message of more than 64 KiB")
            if kind not in (_CLIENT_HELLO, _SERVER_HELLO, _CERTIFICATE):
                here = min(4 + length, len(waiting))
                self._to_skip[from_client] = 4 + length - here
                del waiting[:here]
                continue
            if len(waiting) < 4 + length:
                return
            body = bytes(waiting[4 : 4 + length])
            del waiting[: 4 + length]
            if kind == _CLIENT_HELLO and from_client:
                self._client_hello(body)
            elif kind == _SERVER_HELLO and not from_client:
                self._server_hello(body)
            elif kind == _CERTIFICATE:
                self._certificate(body, from_client)
            else:
                raise inbox.malformed("the hello of the other side")

    def _client_hello(self, body: bytes) -> None:
        if self._hello_seen:
            return  # the answer to a HelloRetryRequest repeats the first hello
        self._hello_seen = True
        self.said_all(_facts_of_client_hello(body))

    def _server_hello(self, body: bytes) -> None:
        (version,) = struct.unpack_from(">H", body, 0)
        retry = body[2:34] == _HELLO_RETRY
        at = 35 + body[34]
        (cipher,) = struct.unpack_from(">H", body, at)
        at += 3
        end = at + 2 + struct.unpack_from(">H", body, at)[0] if at + 2 <= len(body) else at
        at += 2
        if end > len(body):
            raise self.malformed("the extensions reach beyond the ServerHello", at)
        while at + 4 <= end:
            kind, length = struct.unpack_from(">HH", body, at)
            at += 4
            if kind == _SUPPORTED_VERSIONS and length == 2:
                (version,) = struct.unpack_from(">H", body, at)
            elif kind == _ALPN and length > 3:
                self.said("tls.alpn", body[at + 3 : at + min(length, 3 + body[at + 2])].decode("latin-1"))
            at += length
        self.said("tls.version", version_name(version))
        self.said("tls.cipher", cipher_name(cipher))
        if version >= 0x0304 and not retry:
            self.server.close()  # RFC 8446 section 2: all that follows a ServerHello of 1.3 is encrypted

    def _certificate(self, body: bytes, from_client: bool) -> None:
        """Read the end entity's certificate, the first of the list (RFC 5246 section 7.4.2)."""
        listed = int.from_bytes(body[:3], "big")
        if listed < 3 or len(body) < 6:
            return
        length = int.from_bytes(body[3:6], "big")
        der = body[6 : 6 + length]
        if len(der) < length:
            raise self.malformed("a certificate reaches beyond its list")
        self.said_all(x509.facts_of_certificate(der, of_server=not from_client))
        (self.client if from_client else self.server).close()


@lru_cache(maxsize=1024)
def _facts_of_client_hello(body: bytes) -> tuple[tuple[str, str], ...]:
    """Return what a ClientHello says; the same is read again where a conversation is followed anew."""
    hello = parse_client_hello(body)
    versions = hello.versions or (hello.legacy_version,)
    return (
        ("tls.ja4", ja4(hello)),
        ("tls.sni", hello.server_name or ""),
        ("tls.client_versions", ", ".join(version_name(v) for v in sorted(set(versions))[-8:])),
        *(("tls.client_alpn", name.decode("latin-1")) for name in hello.alpn[:8]),
    )


def _is_old_hello(data: bytes | bytearray) -> bool:
    """Tell whether ``data`` opens with a ClientHello in the form of SSL 2.0."""
    if len(data) < 5 or not data[0] & 0x80 or data[2] != _CLIENT_HELLO:
        return False
    return (data[3] == 3 and data[4] <= 3) or (data[3], data[4]) == (0, 2)


DISSECTOR = TlsDissector
