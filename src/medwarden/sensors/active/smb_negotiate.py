"""An SMB2 NEGOTIATE: dialect, server GUID, signing, clock and the mechanisms of log-in, without logging in.

MS-SMB2 sections 2.2.3 and 2.2.4, MS-SMB2 2.1 (framing on port 445). Dialects up to 3.0.2, so that the
request needs no negotiate contexts.
"""

from __future__ import annotations

import secrets
import struct
from typing import ClassVar

from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Transport
from medwarden.sensors.active.exchange import Exchange
from medwarden.sensors.active.prober import ProbeManifest, ProbeSetting

_DIALECTS = (0x0202, 0x0210, 0x0300, 0x0302)
_MOST_ANSWER = 16_384


class SmbNegotiate:
    """Ask a file server which dialect it speaks."""

    manifest: ClassVar = ProbeManifest(
        name="smb_negotiate",
        title="SMB2 NEGOTIATE",
        transport=Transport.TCP,
        port=445,
        dissector="smb",
        reference="MS-SMB2 sections 2.2.3, 2.2.4",
        asks="one SMB2 NEGOTIATE; no log-in",
    )

    def missing(self, setting: ProbeSetting) -> str:
        """Need nothing."""
        del setting
        return ""

    def converse(self, line: Exchange, setting: ProbeSetting) -> None:
        """Send the request and hear one message."""
        del setting
        line.say(negotiate())
        line.hear(_is_whole)


def negotiate() -> bytes:
    """Return a NEGOTIATE request with its NetBIOS frame."""
    header = b"\xfeSMB" + struct.pack("<HHIHHIIQIIQ16s", 64, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, b"")
    body = struct.pack("<HHHHI16sQ", 36, len(_DIALECTS), 1, 0, 0, secrets.token_bytes(16), 0)
    body += struct.pack(f"<{len(_DIALECTS)}H", *_DIALECTS)
    message = header + body
    return struct.pack(">I", len(message)) + message


def _is_whole(heard: bytes) -> bool:
    if len(heard) < 8:
        return False
    length = int.from_bytes(heard[1:4], "big")
    if heard[0] or heard[4:8] not in (b"\xfeSMB", b"\xffSMB") or not 36 <= length <= _MOST_ANSWER:
        raise MalformedInput("smb_negotiate", "the answer is no SMB message", 0)
    return len(heard) >= 4 + length


PROBER = SmbNegotiate
