"""ONC RPC: machines by the name in their calls, and the services (NFS, instruments) they use and offer.

RFC 5531 sections 9 (messages), 11 (records over TCP) and 14 (AUTH_SYS credentials); RFC 1833 (portmap), RFC
1813 (NFS); program numbers as assigned by IANA. Arguments and results are not read.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_CALL, _REPLY = 0, 1
_AUTH_SYS = 1
_RECORD_LIMIT = 4096
_LONGEST_NAME = 255
_PROGRAMS = {
    100000: "portmap", 100003: "nfs", 100004: "ypserv", 100005: "mountd", 100011: "rquotad",
    100021: "nlockmgr",
    100024: "status", 100227: "nfs_acl", 100300: "nisd", 150001: "pcnfsd", 390113: "legato",
    395183: "vxi-11", 395185: "vxi-11 interrupt", 536870914: "amd",
}  # fmt: skip
_REMEMBERED = 256


class SunrpcDissector(Connection):
    """Read heads of calls and whether they were accepted."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="sunrpc",
        title="ONC RPC",
        transports=(Transport.TCP, Transport.UDP),
        reference="RFC 5531, RFC 1833",
        ports=(111, 2049),
        volatile=((0, 4),),
        stream_bytes=8192,
        opening_tells=True,
        fields=("sunrpc.machine_name", "sunrpc.uses", "sunrpc.offers"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[bytes, str] = {}

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a call of version 2 to a known program, in a datagram or behind a record mark."""
        if not from_client:
            return False
        for at in (0, 4):
            if len(payload) < at + 24:
                continue
            kind, version, program = struct.unpack_from(">III", payload, at + 4)
            if kind == _CALL and version == 2 and program in _PROGRAMS:
                return not at or payload[0] & 0x80 != 0
        return False

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the records of one direction; of long ones only the beginning."""
        while len(inbox.data) >= 4:
            length = int.from_bytes(inbox.data[:4], "big") & 0x7FFFFFFF
            if length < 12:
                raise inbox.malformed("a record shorter than a message")
            here = min(length, _RECORD_LIMIT)
            if len(inbox.data) < 4 + here:
                return
            record = bytes(inbox.data[4 : 4 + here])
            inbox.discard(4 + length)
            self._message(record, from_client)

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one message; of answers nothing, as what was asked is not remembered."""
        self._message(payload, from_client)
        self._asked.clear()

    def _message(self, message: bytes, from_client: bool) -> None:
        (kind,) = struct.unpack_from(">I", message, 4)
        if kind == _REPLY and not from_client:
            name = self._asked.pop(message[:4], "")
            if name and len(message) >= 12 and message[8:12] == b"\0\0\0\0":
                self.said("sunrpc.offers", name)
        elif kind == _CALL and from_client:
            version, program, program_version = struct.unpack_from(">III", message, 8)
            if version != 2:
                raise self.malformed("no call of RPC version 2", 8)
            name = f"{_PROGRAMS.get(program) or program} {program_version}"
            self.said("sunrpc.uses", name)
            if len(self._asked) < _REMEMBERED:
                self._asked[message[:4]] = name
            self._credential(message)
        elif kind not in (_CALL, _REPLY):
            raise self.malformed("neither call nor reply", 4)

    def _credential(self, message: bytes) -> None:
        """Read the machine name of AUTH_SYS (RFC 5531 appendix A): a stamp, then the name."""
        flavour, length = struct.unpack_from(">II", message, 24)
        if flavour != _AUTH_SYS or length < 8:
            return
        (size,) = struct.unpack_from(">I", message, 36)
        if size > min(_LONGEST_NAME, length - 8) or 40 + size > len(message):
            raise self.malformed("a machine name reaches beyond its credential", 36)
        self.said("sunrpc.machine_name", printable(message[40 : 40 + size]))


DISSECTOR = SunrpcDissector
