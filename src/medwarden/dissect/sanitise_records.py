"""Take contents out of streams in records: TLS and SSH keep their handshakes, SMB its heads.

RFC 8446 section 5.1 and RFC 5246 (records), RFC 4253 section 4.2 and 6 (SSH), MS-SMB2 section 2.2 (heads).
"""

from __future__ import annotations

import struct

from medwarden.dissect.sanitise_draft import Draft

_CHANGE, _ALERT, _HANDSHAKE, _APPLICATION = 20, 21, 22, 23
_MOST_RECORD = 16_384 + 2_048
_SMB2 = b"\xfeSMB"


def is_tls(payload: bytes) -> bool:
    """Tell whether a stream opens with a TLS handshake record."""
    return len(payload) >= 6 and payload[0] == _HANDSHAKE and payload[1] == 3 and payload[2] <= 4


def clean_tls(draft: Draft) -> None:
    """Keep the handshake in the clear: hellos and certificates; what is encrypted becomes filler."""
    data, at, clear = draft.data, 0, True
    while len(data) - at >= 5:
        kind, major, minor, length = struct.unpack_from(">BBBH", data, at)
        if kind not in (_CHANGE, _ALERT, _HANDSHAKE, _APPLICATION) or major != 3 or minor > 4:
            return
        end = at + 5 + length
        if length > _MOST_RECORD or end > len(data):
            return
        draft.keep(at, at + 5)
        clear = clear and kind in (_HANDSHAKE, _ALERT)
        if clear or (kind == _CHANGE and length == 1):
            draft.keep(at + 5, end)
        else:
            draft.counts["encrypted record"] += 1
        at = end


def is_ssh(payload: bytes) -> bool:
    """Tell whether a stream opens with an SSH identification."""
    return payload.startswith(b"SSH-")


def clean_ssh(draft: Draft) -> None:
    """Keep the identification line and the first packet, which is the key exchange offer."""
    data = draft.data
    end = data.find(b"\n", 0, 256)
    if end < 0:
        return
    draft.keep(0, end + 1)
    start = end + 1
    if len(data) - start >= 6:
        length = int.from_bytes(data[start : start + 4], "big")
        if data[start + 5] == 20 and 16 <= length <= 35_000 and start + 4 + length <= len(data):
            draft.keep(start, start + 4 + length)
    draft.counts["encrypted record"] += 1


def is_smb(payload: bytes) -> bool:
    """Tell whether a stream opens with a framed SMB2 message."""
    return len(payload) >= 8 and payload[0] == 0 and payload[4:8] == _SMB2


def clean_smb(draft: Draft) -> None:
    """Keep frames and heads, and NEGOTIATE whole; shares, files and users are overwritten."""
    data, at = draft.data, 0
    while len(data) - at >= 4:
        length = int.from_bytes(data[at + 1 : at + 4], "big")
        if data[at] or (len(data) - at >= 8 and data[at + 4 : at + 8] != _SMB2) or length < 64:
            return
        start, end = at + 4, at + 4 + length
        if end > len(data):
            return
        draft.keep(at, start + 48)
        draft.put(start + 48, bytes(16))  # a signature over contents that are gone
        if data[start + 12 : start + 14] == b"\0\0" and data[start + 20 : start + 24] == bytes(4):
            draft.keep(start + 64, end)
        else:
            draft.counts["smb body"] += 1
        at = end
