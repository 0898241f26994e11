"""Kerberos 5: realms, machine accounts and the services machines ask for; people are never named.

RFC 4120 sections 5.2.2 (PrincipalName), 5.2.5 (HostAddress), 5.4.1 (KDC-REQ), 5.4.2 (KDC-REP), 5.9.1
(KRB-ERROR), 7.2.2 (TCP framing). A machine account ends in ``$`` ([MS-KILE] 3.1.5.6.1.1) or is a host
principal.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.ber import OCTET_STRING, SEQUENCE, Tlv, children, expect, read_integer, read_tlv
from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_MESSAGE_LIMIT = 65536
_REQUESTS, _REPLIES, _ERROR = (0x6A, 0x6C), (0x6B, 0x6D), 0x7E
_NETBIOS_ADDRESS = 20
_ENCRYPTION = {
    1: "des-cbc-crc", 3: "des-cbc-md5", 16: "des3-cbc-sha1", 17: "aes128-cts", 18: "aes256-cts",
    19: "aes128-cts-sha256", 20: "aes256-cts-sha384", 23: "rc4-hmac", 24: "rc4-hmac-exp",
}  # fmt: skip


class KerberosDissector(Connection):
    """Read requests, replies and errors of a key distribution centre."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="kerberos",
        title="Kerberos 5",
        transports=(Transport.TCP, Transport.UDP),
        reference="RFC 4120, [MS-KILE]",
        ports=(88,),
        stream_bytes=32768,
        fields=(
            "kerberos.realm", "kerberos.host", "kerberos.service", "kerberos.netbios_address",
            "kerberos.encryption_types", "kerberos.role",
        ),
    )  # fmt: skip

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with a message, with or without its length before it."""
        kinds = _REQUESTS if from_client else (*_REPLIES, _ERROR)
        return payload[:1] in [bytes((k,)) for k in kinds] or (
            len(payload) > 5 and payload[0] == 0 and payload[4] in kinds
        )

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the messages of one direction, each preceded by its length."""
        while len(inbox.data) >= 4:
            length = int.from_bytes(inbox.data[:4], "big")
            if length >> 31:
                raise inbox.malformed("a length with its reserved bit set")
            if length > _MESSAGE_LIMIT:
                inbox.discard(4 + length)
                continue
            message = inbox.take(4 + length)
            if message is None:
                return
            self.datagram(message[4:], from_client)

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one message."""
        message = read_tlv(payload, 0, len(payload), "kerberos")
        if message.tag not in (*_REQUESTS, *_REPLIES, _ERROR):
            return
        body = expect(payload, message.start, message.end, SEQUENCE, "kerberos")
        parts = _parts(payload, body)
        if message.tag in _REQUESTS:
            if not from_client:
                raise self.malformed("a request by the side of the key distribution centre")
            self.said("kerberos.role", "client")
            if 0xA4 in parts:
                inner = expect(payload, parts[0xA4].start, parts[0xA4].end, SEQUENCE, "kerberos")
                self._request(payload, _parts(payload, inner))
            return
        self.said("kerberos.role", "kdc")
        if message.tag in _REPLIES:
            self._answer(payload, parts, realm=0xA3, client=0xA4)
        else:
            self._answer(payload, parts, realm=0xA9, client=0xA8)

    def _request(self, data: bytes, parts: dict[int, Tlv]) -> None:
        if 0xA2 in parts:
            self.said("kerberos.realm", _string(data, parts[0xA2]))
        if 0xA1 in parts:
            self.said("kerberos.host", _machine(_names(data, parts[0xA1])))
        if 0xA3 in parts:
            names = _names(data, parts[0xA3])
            if len(names) >= 2 and names[0].lower() not in ("krbtgt", "kadmin"):
                self.said("kerberos.service", "/".join(names[:2]))
        if 0xA8 in parts:
            types = expect(data, parts[0xA8].start, parts[0xA8].end, SEQUENCE, "kerberos")
            numbers = [
                read_integer(data, t, "kerberos")
                for t in children(data, types.start, types.end, "kerberos", 16)
            ]
            listed = [_ENCRYPTION.get(number) or str(number) for number in numbers if number >= 0]
            self.said("kerberos.encryption_types", ", ".join(listed))
        if 0xA9 in parts:
            self._addresses(data, parts[0xA9])

    def _answer(self, data: bytes, parts: dict[int, Tlv], realm: int, client: int) -> None:
        if realm in parts:
            self.said("kerberos.realm", _string(data, parts[realm]))
        if client in parts:
            self.heard("kerberos.host", _machine(_names(data, parts[client])))

    def _addresses(self, data: bytes, element: Tlv) -> None:
        listed = expect(data, element.start, element.end, SEQUENCE, "kerberos")
        for address in children(data, listed.start, listed.end, "kerberos", 16):
            parts = _parts(data, address)
            if 0xA0 not in parts or 0xA1 not in parts:
                continue
            kind = read_tlv(data, parts[0xA0].start, parts[0xA0].end, "kerberos")
            if read_integer(data, kind, "kerberos") == _NETBIOS_ADDRESS:
                value = expect(data, parts[0xA1].start, parts[0xA1].end, OCTET_STRING, "kerberos")
                self.said("kerberos.netbios_address", printable(data[value.start : value.start + 15]))


def _parts(data: bytes, sequence: Tlv) -> dict[int, Tlv]:
    """Return the context-tagged elements of a SEQUENCE by tag, the first of each."""
    parts: dict[int, Tlv] = {}
    for element in children(data, sequence.start, sequence.end, "kerberos", 32):
        parts.setdefault(element.tag, element)
    return parts


def _string(data: bytes, element: Tlv) -> str:
    inner = read_tlv(data, element.start, element.end, "kerberos")
    return printable(data[inner.start : inner.end])


def _names(data: bytes, element: Tlv) -> list[str]:
    """Return the components of a PrincipalName (RFC 4120 section 5.2.2)."""
    principal = expect(data, element.start, element.end, SEQUENCE, "kerberos")
    parts = _parts(data, principal)
    if 0xA1 not in parts:
        return []
    listed = expect(data, parts[0xA1].start, parts[0xA1].end, SEQUENCE, "kerberos")
    return [printable(data[n.start : n.end]) for n in children(data, listed.start, listed.end, "kerberos", 8)]


def _machine(names: list[str]) -> str:
    """Return the machine a client principal names, or "" where it names a person or service account."""
    if len(names) == 1 and names[0].endswith("$"):
        return names[0].rstrip("$")
    if len(names) >= 2 and names[0].lower() == "host":
        return names[1]
    return ""


DISSECTOR = KerberosDissector
