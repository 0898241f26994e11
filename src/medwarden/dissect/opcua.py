"""OPC UA over TCP: applications on both ends and the security they use.

OPC 10000-6 section 7.1 (UACP: HEL, ACK, OPN, MSG), 5.2.2 (binary encoding), 6.7.2 (security header); OPC
10000-4 sections 5.4.4 (GetEndpoints), 5.6.2 (CreateSession), 7.2 (ApplicationDescription). Values, nodes
and user tokens are not read.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.dissect.x509 import facts_of_certificate
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import DissectorManifest, Transport

_KINDS = frozenset({b"HEL", b"ACK", b"ERR", b"OPN", b"CLO", b"MSG", b"RHE"})
_MESSAGE_LIMIT = 65536
_CREATE_SESSION_REQUEST, _GET_ENDPOINTS_RESPONSE = 461, 431
_CERTIFICATE_FIELDS = {
    "tls.certificate_subject": "opcua.certificate_subject",
    "tls.certificate_san": "opcua.certificate_san",
    "tls.certificate_not_after": "opcua.certificate_not_after",
}


class OpcuaDissector(Connection):
    """Read hellos, the opening of the channel, and unprotected descriptions of applications."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="opcua",
        title="OPC Unified Architecture",
        transports=(Transport.TCP,),
        reference="OPC 10000-4, OPC 10000-6",
        ports=(4840, 48010, 53530),
        starts=(b"HELF", b"ACKF"),
        stream_bytes=32768,
        fields=(
            "opcua.endpoint_url", "opcua.security_policy", "opcua.application_uri", "opcua.product_uri",
            "opcua.application_name", *_CERTIFICATE_FIELDS.values(),
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._plain = False

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with a hello or its acknowledgement."""
        return len(payload) >= 8 and payload[:4] == (b"HELF" if from_client else b"ACKF")

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the messages of one direction."""
        while len(inbox.data) >= 8 and not inbox.deaf:
            kind = bytes(inbox.data[:3])
            (size,) = struct.unpack_from("<I", inbox.data, 4)
            if kind not in _KINDS or size < 8:
                raise inbox.malformed("no OPC UA message")
            if size > _MESSAGE_LIMIT:
                inbox.discard(size)
                continue
            message = inbox.take(size)
            if message is None:
                return
            if kind == b"HEL" and from_client:
                url, _ = _string(message, 28)
                self.heard("opcua.endpoint_url", url)
            elif kind == b"OPN":
                self._open(message)
            elif kind == b"MSG" and self._plain and message[3:4] == b"F":
                self._service(message, from_client)

    def _open(self, message: bytes) -> None:
        policy, at = _string(message, 12)
        self.said("opcua.security_policy", policy.rpartition("#")[2])
        self._plain = policy.endswith("#None")
        certificate, _ = _bytes(message, at)
        if certificate:
            try:
                facts = facts_of_certificate(certificate, True)
            except MalformedInput as error:
                raise self.malformed(error.reason, at) from error
            self.said_all((_CERTIFICATE_FIELDS[f], v) for f, v in facts if f in _CERTIFICATE_FIELDS)

    def _service(self, message: bytes, from_client: bool) -> None:
        """Read a service message after channel, token, sequence and request number."""
        if message[24:26] != b"\x01\0":
            return
        (kind,) = struct.unpack_from("<H", message, 26)
        if kind == _CREATE_SESSION_REQUEST and from_client:
            at = _after_node_id(message, 28) + 16
            at = _bytes(message, at)[1] + 4
            self._application(message, _after_extension(message, at))
        elif kind == _GET_ENDPOINTS_RESPONSE and not from_client and message[44:45] == b"\0":
            at = 45
            (strings,) = struct.unpack_from("<i", message, at)
            at += 4
            for _ in range(max(min(strings, 64), 0)):
                at = _bytes(message, at)[1]
            at = _after_extension(message, at)
            (count,) = struct.unpack_from("<i", message, at)
            if count > 0:
                _, at = _string(message, at + 4)
                self._application(message, at)

    def _application(self, message: bytes, at: int) -> None:
        """Read an ApplicationDescription (OPC 10000-4 section 7.2)."""
        uri, at = _string(message, at)
        product, at = _string(message, at)
        mask = message[at]
        at += 1
        if mask & 1:
            _, at = _string(message, at)
        name = _string(message, at)[0] if mask & 2 else ""
        self.said("opcua.application_uri", uri)
        self.said("opcua.product_uri", product)
        self.said("opcua.application_name", name)


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from("<i", data, at)
    at += 4
    if length <= 0:
        return b"", at
    if at + length > len(data):
        raise IndexError("a string reaches beyond the message")
    return data[at : at + length], at + length


def _string(data: bytes, at: int) -> tuple[str, int]:
    octets, at = _bytes(data, at)
    return printable(octets), at


def _after_node_id(data: bytes, at: int) -> int:
    """Return the offset after a NodeId (OPC 10000-6 section 5.2.2.9)."""
    kind = data[at] & 0x3F
    if kind in (3, 5):
        return _bytes(data, at + 3)[1]
    sizes = {0: 2, 1: 4, 2: 7, 4: 19}
    if kind not in sizes:
        raise IndexError("no form of a NodeId")
    return at + sizes[kind]


def _after_extension(data: bytes, at: int) -> int:
    """Return the offset after an ExtensionObject (OPC 10000-6 section 5.2.2.15)."""
    at = _after_node_id(data, at)
    return _bytes(data, at + 1)[1] if data[at] else at + 1


DISSECTOR = OpcuaDissector
