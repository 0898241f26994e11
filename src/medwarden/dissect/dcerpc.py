"""DCE/RPC over TCP: which Windows services a host asks for and offers, and the names in its log-in.

The Open Group C706 chapter 12 (PDU encodings) and appendices L and O (towers, endpoint mapper); [MS-RPCE]
2.2.2 (security trailer). Interface identifiers are those of [MS-DRSR], [MS-NRPC], [MS-SAMR], [MS-RPRN] and
the other open specifications of their services. Of calls nothing is read but answers of the endpoint
mapper.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable
from functools import lru_cache
from typing import ClassVar

from medwarden.dissect import ntlmssp
from medwarden.dissect.connection import Connection, Inbox
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

_RESPONSE, _BIND, _BIND_ACK, _BIND_NAK, _ALTER, _ALTER_ACK, _AUTH3 = 2, 11, 12, 13, 14, 15, 16
_KINDS = frozenset({0, 2, 3, 11, 12, 13, 14, 15, 16, 17, 18, 19})
_HEADER = 16
_CALL = b"\x05\0\0"
_FRAGMENT_LIMIT = 16384
_MOST_CONTEXTS, _MOST_TOWERS = 32, 64
_SECURED = frozenset({9, 10, 16})  # SPNEGO, NTLM, Kerberos
_PORTS = {0x07: "tcp", 0x08: "udp", 0x1F: "http"}
INTERFACES = {
    "e1af8308-5d1f-11c9-91a4-08002b14a0fa": "epmapper",
    "e3514235-4b06-11d1-ab04-00c04fc2dcd2": "drsuapi",
    "12345678-1234-abcd-ef00-01234567cffb": "netlogon",
    "12345778-1234-abcd-ef00-0123456789ab": "lsarpc",
    "12345778-1234-abcd-ef00-0123456789ac": "samr",
    "12345678-1234-abcd-ef00-0123456789ab": "spoolss",
    "76f03f96-cdfd-44fc-a22c-64950a001209": "iremotewinspool",
    "367abb81-9844-35f1-ad32-98f038001003": "svcctl",
    "338cd001-2244-31f1-aaaa-900038001003": "winreg",
    "1ff70682-0a51-30e8-076d-740be8cee98b": "atsvc",
    "378e52b0-c0a9-11cf-822d-00aa0051e40f": "sasec",
    "86d35949-83c9-4044-b424-db363231fd0c": "itaskschedulerservice",
    "4b324fc8-1670-01d3-1278-5a47bf6ee188": "srvsvc",
    "6bffd098-a112-3610-9833-46c3f87e345a": "wkssvc",
    "82273fdc-e32a-18c3-3f78-827929dc23ea": "eventlog",
    "f6beaff7-1e19-4fbb-9f8f-b89e2018337c": "eventlog6",
    "50abc2a4-574d-40b3-9d66-ee4fd5fba076": "dnsserver",
    "6bffd098-a112-3610-9833-012892020162": "browser",
    "5b821720-f63b-11d0-aad2-00c04fc324db": "dhcpsrv2",
    "afa8bd80-7d8a-11c9-bef4-08002b102989": "mgmt",
    "99fcfec4-5260-101b-bbcb-00aa0021347a": "ioxidresolver",
    "000001a0-0000-0000-c000-000000000046": "isystemactivator",
    "4d9f4ab8-7d1c-11cf-861e-0020af6e7c57": "iactivation",
    "00000143-0000-0000-c000-000000000046": "iremunknown2",
    "00000131-0000-0000-c000-000000000046": "iremunknown",
    "9556dc99-828c-11cf-a37e-00aa003240c7": "iwbemservices",
    "f309ad18-d86a-11d0-a075-00c04fb68820": "iwbemlevel1login",
    "ccd8c074-d0e5-4a40-92b4-d074faa6ba28": "witness",
    "897e2e5f-93f3-4376-9c9c-fd2277495c27": "frstrans",
    "f5cc59b4-4264-101a-8c59-08002b2f8426": "frsrpc",
    "4fc742e0-4a10-11cf-8273-00aa004ae673": "netdfs",
    "c681d488-d850-11d0-8c52-00c04fd90f7e": "efsrpc",
    "df1941c5-fe89-4e79-bf10-463657acf44d": "efsrpc",
    "3919286a-b10c-11d0-9ba8-00c04fd92ef5": "dssetup",
    "8fb6d884-2388-11d0-8c35-00c04fda2795": "w32time",
    "5ca4a760-ebb1-11cf-8611-00a0245420ed": "termsrv",
    "45f52c28-7f9f-101a-b52b-08002b2efabe": "winspipe",
    "91ae6020-9e3c-11cf-8d7c-00aa00c091be": "icertpassage",
    "f5cc5a18-4264-101a-8c59-08002b2f8426": "nspi",
    "a4f1db00-ca47-1067-b31f-00dd010662da": "emsmdb",
    "1544f5e0-613c-11d1-93df-00c04fd7bd09": "rfri",
    "2f5f6520-ca46-1067-b319-00dd010662da": "tapsrv",
    "2f5f3220-c126-1076-b549-074d078619da": "nddeapi",
    "17fdd703-1827-4e34-79d4-24a55c53bb37": "msgsvc",
    "5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc": "msgsvcsend",
    "a8e0653c-2744-4389-a61d-7373df8b2292": "fileservervssagent",
    "894de0c0-0d55-11d3-a322-00c04fa321a1": "initshutdown",
    "fdb3a030-065f-11d1-bb9b-00a024ea5525": "qmcomm",
    "76209fe5-9049-4336-ba84-632d907cb154": "qm2qm",
    "41208ee0-e970-11d1-9b9e-00e02c064c39": "qmmgmt",
}
"""Interface identifiers by the name their services go under."""


class DcerpcDissector(Connection):
    """Read binds and their answers, endpoint maps, and the tokens of the log-in."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="dcerpc",
        title="DCE/RPC over TCP",
        transports=(Transport.TCP,),
        reference="The Open Group C706, [MS-RPCE]",
        ports=(135, 593),
        starts=(b"\x05\x00\x0b", b"\x05\x01\x0b"),
        stream_bytes=16384,
        fields=("dcerpc.uses", "dcerpc.offers", "dcerpc.endpoint", *ntlmssp.FIELDS),
    )

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[int, str] = {}
        self._waiting: list[str] = []

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with a bind of the client or its answer."""
        if len(payload) < _HEADER or payload[0] != 5 or payload[1] > 1 or payload[4] not in (0x10, 0):
            return False
        if from_client:
            return payload[2] == _BIND and (len(payload) < 25 or 0 < payload[24] <= _MOST_CONTEXTS)
        return payload[2] in (_BIND_ACK, _BIND_NAK)

    def feed(self, segment: Segment) -> Iterable[Evidence]:
        """Return the facts of a segment; one that is a whole call, as nine of ten are, is not looked into."""
        payload = segment.payload
        if payload[:3] == _CALL and int.from_bytes(payload[8:10], "little") == len(payload) >= _HEADER:
            inbox = self.client if segment.from_client else self.server
            if inbox.at_rest and payload[4] & 0x10 and not segment.gap:
                inbox.offset += len(payload)
                return []
        return super().feed(segment)

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the fragments of one direction."""
        while len(inbox.data) >= _HEADER and not inbox.deaf:
            version, minor, kind, flags, order = inbox.data[:5]
            if version != 5 or minor > 1 or kind not in _KINDS:
                raise inbox.malformed("no connection-oriented PDU")
            end = "<" if order & 0x10 else ">"
            length, secured = struct.unpack_from(f"{end}HH", inbox.data, 8)
            if length < _HEADER:
                raise inbox.malformed("a fragment shorter than its header")
            wanted = kind in (_BIND, _BIND_ACK, _ALTER, _ALTER_ACK, _AUTH3, _RESPONSE)
            if length > _FRAGMENT_LIMIT or not wanted:
                inbox.discard(length)
                continue
            pdu = inbox.take(length)
            if pdu is None:
                return
            if secured:
                self._token(pdu, secured)
            if kind in (_BIND, _ALTER) and from_client:
                self._bind(pdu, end)
            elif kind in (_BIND_ACK, _ALTER_ACK) and not from_client:
                self._bound(pdu, end)
            elif kind == _RESPONSE and not from_client and flags & 3 == 3 and not secured:
                self._mapped(pdu, end)

    def _token(self, pdu: bytes, length: int) -> None:
        """Read the token behind the security trailer (eight octets before it, [MS-RPCE] 2.2.2.11)."""
        at = len(pdu) - length
        if at < _HEADER + 8:
            raise self.malformed("a security trailer reaches into the header")
        if pdu[at - 8] in _SECURED:
            self.said_all(ntlmssp.facts_of_token(pdu[at:]))

    def _bind(self, pdu: bytes, end: str) -> None:
        at = 28
        self._waiting = []
        for _ in range(min(pdu[24], _MOST_CONTEXTS)):
            context, transfers = struct.unpack_from(f"{end}HB", pdu, at)
            name = _interface(pdu[at + 4 : at + 20], end)
            if context in self._asked or len(self._asked) < _MOST_CONTEXTS:
                self._asked[context] = name
            self._waiting.append(name)
            self.said("dcerpc.uses", name)
            at += 24 + 20 * transfers

    def _bound(self, pdu: bytes, end: str) -> None:
        """Match the results, which come in the order of the contexts asked for, with what was asked."""
        (address,) = struct.unpack_from(f"{end}H", pdu, 24)
        at = (26 + address + 3) // 4 * 4
        for index, name in enumerate(self._waiting[: pdu[at]]):
            (result,) = struct.unpack_from(f"{end}H", pdu, at + 4 + 24 * index)
            if result == 0:
                self.said("dcerpc.offers", name)

    def _mapped(self, pdu: bytes, end: str) -> None:
        """Read the towers of an ept_map answer (C706 appendix O), where 32-bit NDR was agreed on."""
        (context,) = struct.unpack_from(f"{end}H", pdu, 20)
        if self._asked.get(context) != "epmapper" or len(pdu) < 24 + 40:
            return
        count, most, offset, actual = struct.unpack_from(f"{end}4I", pdu, 24 + 20)
        if not 0 < actual <= min(most, _MOST_TOWERS) or actual != count or offset:
            return
        at = 24 + 36 + 4 * actual
        for _ in range(actual):
            size, length = struct.unpack_from(f"{end}II", pdu, at)
            if size != length or at + 8 + length > len(pdu):
                return  # some other answer of the mapper
            self._tower(pdu[at + 8 : at + 8 + length])
            at += 8 + (length + 3) // 4 * 4

    def _tower(self, tower: bytes) -> None:
        """Read the interface and port of one tower (C706 appendix L): little endian, ports big endian."""
        (floors,) = struct.unpack_from("<H", tower)
        at, name = 2, ""
        for number in range(min(floors, 8)):
            (left,) = struct.unpack_from("<H", tower, at)
            protocol = tower[at + 2 : at + 2 + left]
            at += 2 + left
            (right,) = struct.unpack_from("<H", tower, at)
            value = tower[at + 2 : at + 2 + right]
            at += 2 + right
            if number == 0 and left >= 17 and protocol[0] == 0x0D:
                name = _interface(protocol[1:17], "<")
            elif name and protocol[:1] and protocol[0] in _PORTS and len(value) == 2:
                port = int.from_bytes(value, "big")
                self.said("dcerpc.endpoint", f"{name} {_PORTS[protocol[0]]}/{port}")


@lru_cache(maxsize=1024)
def _interface(octets: bytes, end: str) -> str:
    if len(octets) < 16:
        raise IndexError("an interface identifier is cut short")
    identifier = str(uuid.UUID(bytes_le=octets) if end == "<" else uuid.UUID(bytes=octets))
    return INTERFACES.get(identifier, identifier)


DISSECTOR = DcerpcDissector
