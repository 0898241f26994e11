"""LDAP and CLDAP: domains, domain controllers, and whether a password crosses in clear.

RFC 4511 sections 4.1.1 (message), 4.2 (bind), 4.5 (search), 4.14 (StartTLS); [MS-ADTS] 3.1.1.3.2 (root DSE)
and 6.3 (the LDAP ping and NETLOGON_SAM_LOGON_RESPONSE_EX, 6.3.1.9). Entries other than the root DSE are not
read, of bind names only the domain.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect import ntlmssp
from medwarden.dissect.ber import SEQUENCE, Tlv, children, expect, message_length, read_integer, read_tlv
from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.dissect.tls import TlsDissector
from medwarden.model.segment import DissectorManifest, Transport

_MESSAGE_LIMIT = 65536
_BIND_REQUEST, _BIND_RESPONSE, _SEARCH, _ENTRY = 0x60, 0x61, 0x63, 0x64
_EXTENDED_REQUEST, _EXTENDED_RESPONSE = 0x77, 0x78
_SIMPLE, _SASL, _SERVER_CREDENTIALS = 0x80, 0xA3, 0x87
_AND, _EQUALITY = 0xA0, 0xA3
_START_TLS = b"1.3.6.1.4.1.1466.20037"
_NETLOGON_RESPONSE_EX = 23
_ROOT_FIELDS = {
    b"dnshostname": "ldap.dns_host_name",
    b"vendorname": "ldap.vendor_name",
    b"vendorversion": "ldap.vendor_version",
}
_ASKED_FIELDS = {b"host": "ldap.host", b"dnsdomain": "ldap.domain"}
_MOST_LABELS = 64


class LdapDissector(Connection):
    """Read binds, the root DSE and LDAP pings."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="ldap",
        title="Lightweight Directory Access Protocol",
        transports=(Transport.TCP, Transport.UDP),
        reference="RFC 4511, [MS-ADTS]",
        ports=(389, 3268),
        stream_bytes=32768,
        fields=(
            "ldap.bind", "ldap.domain", "ldap.host", "ldap.dns_host_name", "ldap.netbios_computer",
            "ldap.netbios_domain", "ldap.site", "ldap.client_site", "ldap.vendor_name", "ldap.vendor_version",
            "ldap.role", *ntlmssp.FIELDS, *TlsDissector.manifest.fields,
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._start_tls = False
        self._sasl = False

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with an LDAP message."""
        if len(payload) < 8 or payload[0] != SEQUENCE:
            return False
        at = 2 + (payload[1] & 0x7F if payload[1] & 0x80 else 0)
        operation = at + 2 + (payload[at + 1] if at + 1 < len(payload) else 99)
        if operation >= len(payload) or payload[at] != 2 or payload[at + 1] > 4:
            return False
        kinds = (0x60, 0x42, 0x63, 0x77) if from_client else (0x61, 0x64, 0x65, 0x73, 0x78)
        return payload[operation] in kinds

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the messages of one direction."""
        while inbox.data and not inbox.deaf and self._inner is None:
            if inbox.data[0] != SEQUENCE:
                if self._sasl:  # RFC 4422 section 3.7: wrapped by the security layer that was agreed on
                    self.close()
                    return
                raise inbox.malformed("no LDAP message")
            length = message_length(bytes(inbox.data[:8]), "ldap")
            if length is None:
                return
            if length > _MESSAGE_LIMIT:
                inbox.discard(length)
                continue
            message = inbox.take(length)
            if message is None:
                return
            self.datagram(message, from_client)

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one message."""
        message = expect(payload, 0, len(payload), SEQUENCE, "ldap")
        number = expect(payload, message.start, message.end, 2, "ldap")
        operation = read_tlv(payload, number.end, message.end, "ldap")
        self.said("ldap.role", "client" if from_client else "server")
        if from_client:
            if operation.tag == _BIND_REQUEST:
                self._bind(payload, operation)
            elif operation.tag == _SEARCH:
                self._search(payload, operation)
            elif operation.tag == _EXTENDED_REQUEST:
                self._start_tls = _START_TLS in payload[operation.start : operation.end]
        elif operation.tag == _BIND_RESPONSE:
            for element in children(payload, operation.start, operation.end, "ldap", 16):
                if element.tag == _SERVER_CREDENTIALS:
                    self.said_all(ntlmssp.facts_of_token(payload[element.start : element.end]))
        elif operation.tag == _ENTRY:
            self._entry(payload, operation)
        elif operation.tag == _EXTENDED_RESPONSE and self._start_tls:
            code = read_tlv(payload, operation.start, operation.end, "ldap")
            if read_integer(payload, code, "ldap") == 0:
                self.become(TlsDissector())

    def _bind(self, data: bytes, operation: Tlv) -> None:
        version = read_tlv(data, operation.start, operation.end, "ldap")
        name = read_tlv(data, version.end, operation.end, "ldap")
        how = read_tlv(data, name.end, operation.end, "ldap")
        self.said("ldap.domain", _domain(data[name.start : name.end]))
        if how.tag == _SIMPLE:
            self.said("ldap.bind", "simple" if how.end > how.start else "anonymous")
        elif how.tag == _SASL:
            self._sasl = True
            mechanism = read_tlv(data, how.start, how.end, "ldap")
            self.said("ldap.bind", "sasl " + printable(data[mechanism.start : mechanism.end]))
            self.said_all(ntlmssp.facts_of_token(data[mechanism.end : how.end]))
        else:  # [MS-ADTS] 5.1.1.1.3: NTLM by choices of its own
            self.said_all(ntlmssp.facts_of_token(data[how.start : how.end]))

    def _search(self, data: bytes, operation: Tlv) -> None:
        """Read what an LDAP ping asks for ([MS-ADTS] 6.3.3); other searches are passed over."""
        base = read_tlv(data, operation.start, operation.end, "ldap")
        if base.end > base.start:
            self.said("ldap.domain", _domain(data[base.start : base.end]))
            return
        for element in children(data, base.end, operation.end, "ldap", 16):
            if element.tag == _AND:
                for term in children(data, element.start, element.end, "ldap", 16):
                    self._term(data, term)

    def _term(self, data: bytes, term: Tlv) -> None:
        if term.tag != _EQUALITY:
            return
        name = read_tlv(data, term.start, term.end, "ldap")
        value = read_tlv(data, name.end, term.end, "ldap")
        field = _ASKED_FIELDS.get(data[name.start : name.end].lower())
        if field is not None:
            self.said(field, printable(data[value.start : value.end]).rstrip("."))

    def _entry(self, data: bytes, operation: Tlv) -> None:
        name = read_tlv(data, operation.start, operation.end, "ldap")
        if name.end > name.start:
            return
        listed = expect(data, name.end, operation.end, SEQUENCE, "ldap")
        for attribute in children(data, listed.start, listed.end, "ldap", 64):
            kind = read_tlv(data, attribute.start, attribute.end, "ldap")
            values = read_tlv(data, kind.end, attribute.end, "ldap")
            first = next(children(data, values.start, values.end, "ldap", 1), None)
            if first is None:
                continue
            key, value = data[kind.start : kind.end].lower(), data[first.start : first.end]
            if key in _ROOT_FIELDS:
                self.said(_ROOT_FIELDS[key], printable(value))
            elif key == b"defaultnamingcontext":
                self.said("ldap.domain", _domain(value))
            elif key == b"netlogon":
                self._netlogon(value)

    def _netlogon(self, value: bytes) -> None:
        """Read NETLOGON_SAM_LOGON_RESPONSE_EX ([MS-ADTS] 6.3.1.9) but for the user it answers about."""
        (code,) = struct.unpack_from("<H", value)
        if code != _NETLOGON_RESPONSE_EX:
            return
        at = 24
        names = []
        for _ in range(8):
            name, at = _compressed_name(value, at)
            names.append(name)
        self.said("ldap.domain", names[1])
        self.said("ldap.dns_host_name", names[2])
        self.said("ldap.netbios_domain", names[3])
        self.said("ldap.netbios_computer", names[4].strip("\\"))
        self.said("ldap.site", names[6])
        self.heard("ldap.client_site", names[7])


def _domain(name: bytes) -> str:
    """Return the DNS domain that the DC parts of a distinguished name spell (RFC 2247), "" without any."""
    parts = [part.strip() for part in printable(name).split(",")]
    return ".".join(part[3:] for part in parts if part[:3].lower() == "dc=").lower()


def _compressed_name(data: bytes, at: int) -> tuple[str, int]:
    """Return the RFC 1035 section 4.1.4 name at ``at`` and the offset after it."""
    labels: list[str] = []
    after = -1
    for _ in range(_MOST_LABELS):
        length = data[at]
        if length >= 0xC0:
            after = at + 2 if after < 0 else after
            at = (length & 0x3F) << 8 | data[at + 1]
        elif length == 0:
            return ".".join(labels), at + 1 if after < 0 else after
        else:
            if at + 1 + length > len(data):
                raise IndexError("a label reaches beyond the message")
            labels.append(printable(data[at + 1 : at + 1 + length]))
            at += 1 + length
    raise IndexError("a name of more labels than one can have")


DISSECTOR = LdapDissector
