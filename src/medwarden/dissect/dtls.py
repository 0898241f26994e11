"""DTLS: names, versions and fingerprint of clients of VPNs, access points, CoAP and telephony.

RFC 6347 sections 4.1 (records) and 4.2 (handshake), RFC 9147; hello extensions as in TLS. A ClientHello in
several fragments is passed over, as are certificates, which seldom fit one datagram.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.dissect.ja4 import ja4, parse_client_hello
from medwarden.dissect.tls_names import cipher_name
from medwarden.model.segment import DissectorManifest, Transport

_HANDSHAKE = 22
_CLIENT_HELLO, _SERVER_HELLO, _HELLO_VERIFY = 1, 2, 3
_VERSIONS = {0xFEFF: "DTLS 1.0", 0xFEFD: "DTLS 1.2", 0xFEFC: "DTLS 1.3", 0x0100: "DTLS 0.9"}
_RECORD, _MESSAGE = 13, 12
_CAPWAP_PREAMBLE = b"\x01\0\0\0"  # RFC 5415 section 4.2
_SUPPORTED_VERSIONS = 43


class DtlsDissector(Connection):
    """Read the hellos of either side."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="dtls",
        title="Datagram Transport Layer Security",
        transports=(Transport.UDP,),
        reference="RFC 6347, RFC 9147",
        ports=(4433, 5246, 5684, 8884),
        starts=(b"\x16\xfe\xff", b"\x16\xfe\xfd", b"\x16\x01\x00\x00\x00"),
        fields=(
            "dtls.ja4", "dtls.sni", "dtls.version", "dtls.client_versions", "dtls.cipher", "dtls.client_alpn",
        ),
    )  # fmt: skip

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload is a handshake record of the first epoch that holds a hello."""
        del from_client
        if payload[:4] == _CAPWAP_PREAMBLE:
            payload = payload[4:]
        if len(payload) < _RECORD + _MESSAGE or payload[0] != _HANDSHAKE or payload[3:5] != b"\0\0":
            return False
        if int.from_bytes(payload[1:3], "big") not in _VERSIONS:
            return False
        length = int.from_bytes(payload[11:13], "big")
        return _RECORD + length <= len(payload) and _CLIENT_HELLO <= payload[13] <= _HELLO_VERIFY

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read the records of one datagram up to the first that is encrypted."""
        del from_client
        at = 4 if payload[:4] == _CAPWAP_PREAMBLE else 0
        if len(payload) < at + _RECORD:
            return
        while at + _RECORD <= len(payload):
            kind, version, epoch = struct.unpack_from(">BHH", payload, at)
            (length,) = struct.unpack_from(">H", payload, at + 11)
            if version not in _VERSIONS or at + _RECORD + length > len(payload):
                raise self.malformed("no DTLS record", at)
            if kind != _HANDSHAKE or epoch:
                return
            self._messages(payload[at + _RECORD : at + _RECORD + length])
            at += _RECORD + length

    def _messages(self, fragment: bytes) -> None:
        at = 0
        while at + _MESSAGE <= len(fragment):
            kind, length = fragment[at], int.from_bytes(fragment[at + 1 : at + 4], "big")
            start = int.from_bytes(fragment[at + 6 : at + 9], "big")
            size = int.from_bytes(fragment[at + 9 : at + 12], "big")
            body = fragment[at + _MESSAGE : at + _MESSAGE + size]
            if len(body) < size:
                raise self.malformed("a handshake message reaches beyond its record", at)
            if not start and size == length:
                if kind == _CLIENT_HELLO:
                    self._client_hello(body)
                elif kind == _SERVER_HELLO:
                    self._server_hello(body)
            at += _MESSAGE + size

    def _client_hello(self, body: bytes) -> None:
        """Read the hello without its cookie, which is all that TLS does not have (RFC 6347 4.2.1)."""
        at = 35 + body[34]
        hello = parse_client_hello(body[:at] + body[at + 1 + body[at] :])
        self.said("dtls.ja4", ja4(hello, "d"))
        self.said("dtls.sni", hello.server_name or "")
        versions = hello.versions or (hello.legacy_version,)
        names = [_VERSIONS.get(code) or f"0x{code:04x}" for code in sorted(set(versions), reverse=True)[:8]]
        self.said("dtls.client_versions", ", ".join(names))
        for name in hello.alpn[:8]:
            self.said("dtls.client_alpn", name.decode("latin-1"))

    def _server_hello(self, body: bytes) -> None:
        (version,) = struct.unpack_from(">H", body)
        at = 35 + body[34]
        (cipher,) = struct.unpack_from(">H", body, at)
        at += 3
        end = len(body)
        at += 2
        while at + 4 <= end:
            kind, length = struct.unpack_from(">HH", body, at)
            at += 4
            if kind == _SUPPORTED_VERSIONS and length == 2:
                (version,) = struct.unpack_from(">H", body, at)
            at += length
        self.said("dtls.version", _VERSIONS.get(version) or f"0x{version:04x}")
        self.said("dtls.cipher", cipher_name(cipher))


DISSECTOR = DtlsDissector
