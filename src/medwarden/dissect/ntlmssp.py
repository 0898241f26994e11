"""NTLM messages inside HTTP, SMB, RDP, LDAP and RPC: names and version of both machines, never of people.

[MS-NLMP] sections 2.2.1.1 NEGOTIATE, 2.2.1.2 CHALLENGE, 2.2.1.3 AUTHENTICATE, 2.2.2.1 AV_PAIR, 2.2.2.10
VERSION. A user name (UserName of AUTHENTICATE) and all responses are left where they are.
"""

from __future__ import annotations

import struct

from medwarden.kernel.errors import MalformedInput

SIGNATURE = b"NTLMSSP\0"

FIELDS = (
    "ntlmssp.workstation",
    "ntlmssp.domain",
    "ntlmssp.computer",
    "ntlmssp.dns_computer",
    "ntlmssp.dns_domain",
    "ntlmssp.os_version",
)

_UNICODE = 0x00000001
_VERSION = 0x02000000
_AV_FIELDS = {1: FIELDS[2], 2: FIELDS[1], 3: FIELDS[3], 4: FIELDS[4]}


def facts_of_token(token: bytes) -> list[tuple[str, str]]:
    """Return the facts its sender states in an NTLM message, bare or wrapped in SPNEGO.

    A token that carries no NTLM message gives no facts. Raises MalformedInput where a field of the
    message reaches beyond its end.
    """
    start = token.find(SIGNATURE)
    if start < 0:
        return []
    message = token[start:]
    try:
        (kind,) = struct.unpack_from("<I", message, 8)
        if kind == 1:
            return _negotiate(message)
        if kind == 2:
            return _challenge(message)
        if kind == 3:
            return _authenticate(message)
    except struct.error as error:
        raise MalformedInput("ntlmssp", "a message ends within a field", start) from error
    raise MalformedInput("ntlmssp", f"no message of type {kind} exists", start + 8)


def _negotiate(message: bytes) -> list[tuple[str, str]]:
    (flags,) = struct.unpack_from("<I", message, 12)
    facts = []
    if len(message) >= 32:  # the payload fields are absent in messages of older clients
        facts = [
            ("ntlmssp.domain", _named(message, 16, unicode=False)),
            ("ntlmssp.workstation", _named(message, 24, unicode=False)),
        ]
        facts += _version(message, 32, flags)
    return [fact for fact in facts if fact[1]]


def _challenge(message: bytes) -> list[tuple[str, str]]:
    (flags,) = struct.unpack_from("<I", message, 20)
    facts = _version(message, 48, flags) if len(message) >= 56 else []
    info = _field(message, 40) if len(message) >= 48 else b""
    at = 0
    while at + 4 <= len(info):
        kind, length = struct.unpack_from("<HH", info, at)
        if kind == 0:
            break
        value = info[at + 4 : at + 4 + length]
        if len(value) < length:
            raise MalformedInput("ntlmssp", "a target information pair reaches beyond the list")
        if kind in _AV_FIELDS:
            facts.append((_AV_FIELDS[kind], value.decode("utf-16-le", "replace")))
        at += 4 + length
    if not info:
        facts.append(("ntlmssp.domain", _named(message, 12, bool(flags & _UNICODE))))
    return [fact for fact in facts if fact[1]]


def _authenticate(message: bytes) -> list[tuple[str, str]]:
    flags = struct.unpack_from("<I", message, 60)[0] if len(message) >= 64 else _UNICODE
    unicode = bool(flags & _UNICODE)
    facts = [
        ("ntlmssp.domain", _named(message, 28, unicode)),
        ("ntlmssp.workstation", _named(message, 44, unicode)),
    ]
    payload = min(
        (o for o in (struct.unpack_from("<I", message, at + 4)[0] for at in (28, 36, 44)) if o), default=0
    )
    if payload >= 72:
        facts += _version(message, 64, flags)
    return [fact for fact in facts if fact[1]]


def _field(message: bytes, at: int) -> bytes:
    length, _, offset = struct.unpack_from("<HHI", message, at)
    value = message[offset : offset + length]
    if len(value) < length:
        raise MalformedInput("ntlmssp", "a field reaches beyond the message", at)
    return value


def _named(message: bytes, at: int, unicode: bool) -> str:
    return _field(message, at).decode("utf-16-le" if unicode else "latin-1", "replace").strip("\0 ")


def _version(message: bytes, at: int, flags: int) -> list[tuple[str, str]]:
    if not flags & _VERSION:
        return []
    major, minor, build = struct.unpack_from("<BBH", message, at)
    return [("ntlmssp.os_version", f"{major}.{minor}.{build}")] if major else []
