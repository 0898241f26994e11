"""SMB 1, 2 and 3: dialect, signing, operating system and names of both sides, up to the end of the log-in.

Framing is RFC 1002 section 4.3 (port 139) and [MS-SMB2] section 2.1 (port 445). SMB 1: [MS-CIFS] 2.2.4.52
NEGOTIATE, 2.2.4.53 SESSION_SETUP_ANDX, [MS-SMB] 2.2.4.5 and 2.2.4.6 with extended security. SMB 2 and 3:
[MS-SMB2] 2.2.3 to 2.2.6. User names, files, and shares other than the well-known
are not told.
"""

from __future__ import annotations

import struct
import uuid
from typing import ClassVar

from medwarden.dissect import ntlmssp
from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.nbns import decode_name
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_MESSAGE_LIMIT = 65536
_SESSION_MESSAGE, _SESSION_REQUEST, _KEEP_ALIVE = 0x00, 0x81, 0x85
_NEGOTIATE_1, _SESSION_SETUP_1, _TREE_CONNECT_1 = 0x72, 0x73, 0x75
_WELL_KNOWN_SHARES = frozenset({"SYSVOL", "NETLOGON", "IPC$", "ADMIN$", "C$", "D$", "PRINT$"})
_NEGOTIATE_2, _SESSION_SETUP_2, _LOGOFF_2, _TREE_CONNECT_2 = range(4)
_UNICODE = 0x8000
_EXTENDED_SECURITY = 0x80000000
_DIALECTS_2 = {
    0x0202: "SMB 2.0.2",
    0x0210: "SMB 2.1",
    0x0300: "SMB 3.0",
    0x0302: "SMB 3.0.2",
    0x0311: "SMB 3.1.1",
}


class SmbDissector(Connection):
    """Read negotiation and session set-up of either generation."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="smb",
        title="Server Message Block",
        transports=(Transport.TCP,),
        reference="[MS-CIFS], [MS-SMB], [MS-SMB2], RFC 1002 section 4.3",
        ports=(139, 445),
        stream_bytes=32768,
        fields=(
            "smb.dialect", "smb.dialects", "smb.version", "smb.native_os", "smb.native_lanman", "smb.domain",
            "smb.server_name", "smb.server_guid", "smb.client_guid", "smb.signing", "smb.netbios_name",
            "smb.share",
            *ntlmssp.FIELDS,
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._offered: list[str] = []

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with an SMB message or a NetBIOS session request."""
        if payload[4:8] in (b"\xffSMB", b"\xfeSMB", b"\xfdSMB"):
            return payload[0] == _SESSION_MESSAGE
        return from_client and payload.startswith(b"\x81\x00\x00") and payload[4:5] == b"\x20"

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the messages of one direction."""
        while len(inbox.data) >= 4 and not inbox.deaf:
            kind = inbox.data[0]
            length = int.from_bytes(inbox.data[1:4], "big")
            if kind != _SESSION_MESSAGE and not _SESSION_REQUEST <= kind <= _KEEP_ALIVE:
                raise inbox.malformed("no NetBIOS session packet")
            if length > _MESSAGE_LIMIT:
                inbox.discard(4 + length)
                continue
            message = inbox.take(4 + length)
            if message is None:
                return
            if kind == _SESSION_MESSAGE:
                self._message(message[4:], inbox, from_client)
            elif kind == _SESSION_REQUEST:
                self._session_request(message[4:])

    def _session_request(self, names: bytes) -> None:
        """Read called and calling NetBIOS name (RFC 1002 section 4.3.2)."""
        for name, tell in ((names[1:33], self.heard), (names[35:67], self.said)):
            decoded = decode_name(name)
            if decoded is not None and not decoded[0].startswith("*"):
                tell("smb.netbios_name", decoded[0])

    def _message(self, message: bytes, inbox: Inbox, from_client: bool) -> None:
        protocol = message[:4]
        if protocol == b"\xfdSMB":
            self.close()  # [MS-SMB2] 2.2.41: encrypted from here on
        elif protocol == b"\xffSMB":
            self._message_1(message, from_client)
        elif protocol == b"\xfeSMB":
            at = 0
            for _ in range(16):  # a compounded request of more parts has no log-in in it
                (following,) = struct.unpack_from("<I", message, at + 20)
                self._message_2(message[at : at + following] if following else message[at:], from_client)
                at += following
                if not following or at >= len(message) or inbox.deaf:
                    break
        elif message:
            raise inbox.malformed("no SMB message")

    def _message_1(self, message: bytes, from_client: bool) -> None:
        command = message[4]
        flags2, words = struct.unpack_from("<H", message, 10)[0], message[32]
        at = 33 + 2 * words
        parameters = message[33:at]
        if command != _NEGOTIATE_1:
            self.said("smb.version", "1")  # a negotiation alone may still lead to SMB 2
        if command not in (_NEGOTIATE_1, _SESSION_SETUP_1, _TREE_CONNECT_1) or (
            not words and not from_client
        ):
            return
        (count,) = struct.unpack_from("<H", message, at)
        if at + 2 + count > len(message):
            raise self.malformed("the data of a message reach beyond it", at)
        data = message[at + 2 : at + 2 + count]
        unicode = bool(flags2 & _UNICODE)
        if command == _NEGOTIATE_1 and from_client:
            self._offered = [printable(name) for name in data.split(b"\0") if name[:1] == b"\x02"][:32]
            self._offered = [name.lstrip("\x02").strip() for name in self._offered]
            self.said("smb.dialects", ", ".join(self._offered))
        elif command == _TREE_CONNECT_1:
            if from_client and words == 4:
                (skip,) = struct.unpack_from("<H", parameters, 6)
                self._share(_strings(data, skip, at + 2, unicode, aligned=True)[0])
        elif command == _NEGOTIATE_1:
            self._negotiated_1(parameters, data, unicode)
        else:
            self._session_1(parameters, data, at + 2, unicode, from_client)

    def _negotiated_1(self, parameters: bytes, data: bytes, unicode: bool) -> None:
        (index,) = struct.unpack_from("<H", parameters)
        if index == 0xFFFF:
            return
        if index < len(self._offered):
            self.said("smb.dialect", self._offered[index])
        elif len(parameters) == 34:
            self.said("smb.dialect", "NT LM 0.12")  # the one dialect whose answer has 17 words
        if len(parameters) < 34:
            return
        mode = parameters[2]
        self.said("smb.signing", "required" if mode & 8 else "enabled" if mode & 4 else "disabled")
        (capabilities,) = struct.unpack_from("<I", parameters, 19)
        if capabilities & _EXTENDED_SECURITY:
            self._guid("smb.server_guid", data[:16])
            self.said_all(ntlmssp.facts_of_token(data[16:]))
            return
        names = _strings(data, parameters[33], parameters[33] if unicode else 0, unicode, aligned=False)
        for field, name in zip(("smb.domain", "smb.server_name"), names, strict=False):
            self.said(field, name)

    def _session_1(self, parameters: bytes, data: bytes, at: int, unicode: bool, from_client: bool) -> None:
        words = len(parameters) // 2
        fields = ["smb.native_os", "smb.native_lanman", "smb.domain"]
        skip = 0
        if (from_client and words == 12) or (not from_client and words == 4):
            (skip,) = struct.unpack_from("<H", parameters, 14 if from_client else 6)
            self.said_all(ntlmssp.facts_of_token(data[:skip]))
        elif from_client and words == 13:
            skip = sum(struct.unpack_from("<HH", parameters, 14))
            fields = ["", "smb.domain", *fields[:2]]  # the account name comes first and is passed over
        elif from_client and words == 10:
            (skip,) = struct.unpack_from("<H", parameters, 14)
            fields = ["", "smb.domain", *fields[:2]]
        elif words != 3:
            return
        names = _strings(data, skip, at, unicode, aligned=True)
        if from_client and words == 12:
            names = [name for name in names if name][:2]  # Windows before 6.0 puts an empty one in between
        for field, name in zip(fields, names, strict=False):
            if field and len(name) > 1:  # a lone character is a dot for "here" or an empty field
                self.said(field, name)

    def _message_2(self, message: bytes, from_client: bool) -> None:
        status, command = struct.unpack_from("<IH", message, 8)
        self.said("smb.version", "2")
        if command == _NEGOTIATE_2 and from_client:
            (count,) = struct.unpack_from("<H", message, 66)
            codes = struct.unpack_from(f"<{min(count, 32)}H", message, 100)
            self.said("smb.dialects", ", ".join(_DIALECTS_2.get(c, f"0x{c:04x}") for c in codes))
            self._guid("smb.client_guid", message[76:92])
        elif command == _NEGOTIATE_2 and not status:
            mode, code = struct.unpack_from("<HH", message, 66)
            if code in _DIALECTS_2:  # 0x02FF only announces a second negotiation
                self.said("smb.dialect", _DIALECTS_2[code])
                self.said("smb.signing", "required" if mode & 2 else "enabled")
            self._guid("smb.server_guid", message[72:88])
            self._token_2(message, 120)
        elif command == _SESSION_SETUP_2:
            self._token_2(message, 76 if from_client else 68)
        elif command == _TREE_CONNECT_2 and from_client:
            offset, length = struct.unpack_from("<HH", message, 68)
            self._share(message[offset : offset + length].decode("utf-16-le", "replace"))
        elif command > _TREE_CONNECT_2:
            self.client.close() if from_client else self.server.close()

    def _token_2(self, message: bytes, at: int) -> None:
        offset, length = struct.unpack_from("<HH", message, at) if len(message) >= at + 4 else (0, 0)
        self.said_all(ntlmssp.facts_of_token(message[offset : offset + length]))

    def _share(self, path: str) -> None:
        """Tell a share that every Windows network has; others may be named after people."""
        share = path.rstrip("\0").rpartition("\\")[2].upper()
        if share in _WELL_KNOWN_SHARES:
            self.said("smb.share", share)

    def _guid(self, field: str, octets: bytes) -> None:
        if len(octets) == 16 and any(octets):
            self.said(field, str(uuid.UUID(bytes_le=octets)))


def _strings(data: bytes, skip: int, at: int, unicode: bool, aligned: bool) -> list[str]:
    """Return the NUL-terminated strings of ``data`` from ``skip`` on.

    ``at`` is the offset of ``data`` in its message: Unicode strings are aligned to two bytes there
    ([MS-CIFS] 2.2.1.1.2).
    """
    if not unicode:
        return [printable(name) for name in data[skip:].split(b"\0")]
    if aligned and (at + skip) % 2:
        skip += 1
    rest = data[skip:]
    return rest[: len(rest) // 2 * 2].decode("utf-16-le", "replace").split("\0")


DISSECTOR = SmbDissector
