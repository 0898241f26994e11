"""The syntax of HL7 version 2: separators, escapes, character sets and the data types that name things.

HL7 v2.5.1 to v2.9 chapter 2: 2.5.4 (MSH-1, MSH-2), 2.7 (escapes), 2.15 (MSH-18, table 0211); chapter 2A (data
types EI, HD, PL).
"""

from __future__ import annotations

import re

import msgspec

from medwarden.dissect.connection import Inbox
from medwarden.dissect.octets import printable
from medwarden.kernel.errors import MalformedInput

MAX_FIELDS = 32
MAX_PLACE = 32
"""Longest name of a unit, room or bed, in characters; HL7 v2.5.1 gives each component 20."""

# HL7 table 0211 -> Python codec.
_CHARACTER_SETS = {
    "ASCII": "latin-1",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UNICODE UTF-16": "",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5",
    "KS X 1001": "euc_kr",
    "ISO IR87": "iso2022_jp",
    "ISO IR14": "shift_jis",
}
# A visit or record number has at least so many digits; no ward, room or bed has.
_LIKE_A_NUMBER = re.compile(r"[0-9]{5}|[\^&~|]")
_EUI64 = re.compile(r"[0-9A-Fa-f]{16}\Z")


class Message(msgspec.Struct):
    """The characters a message is cut by (MSH-1, MSH-2) and its character set (MSH-18)."""

    field: bytes
    component: bytes
    repetition: bytes = b"~"
    escape: bytes = b"\\"
    subcomponent: bytes = b"&"
    codec: str = ""

    def fields(self, segment: bytes) -> list[bytes]:
        """Cut a segment into its fields, the segment's name first; what follows the last is one."""
        return segment.split(self.field, MAX_FIELDS)

    def repetitions(self, value: bytes) -> list[bytes]:
        """Cut a field into its first eight repetitions."""
        return value.split(self.repetition, 8)[:8]

    def components(self, value: bytes) -> list[str]:
        """Cut a repetition into components as text."""
        return [self.text(part) for part in value.split(self.component, 16)[:16]]

    def first(self, value: bytes) -> str:
        """Return the first component of the first repetition."""
        return self.components(value.split(self.repetition, 1)[0])[0]

    def designator(self, value: bytes) -> str:
        """Return a hierarchic designator (HD) by its namespace, or else its universal identifier."""
        parts = self.components(value)
        return parts[0] or (parts[1] if len(parts) > 1 else "")

    def text(self, part: bytes) -> str:
        """Return the first subcomponent as text, escapes undone (2.7), the HL7 null as nothing."""
        part = part[:2048].split(self.subcomponent, 1)[0]
        if part == b'""':
            return ""
        escape = self.escape
        if escape in part:
            for letter, character in (
                (b"F", self.field),
                (b"S", self.component),
                (b"T", self.subcomponent),
                (b"R", self.repetition),
            ):
                part = part.replace(escape + letter + escape, character)
            part = part.replace(escape + b"E" + escape, escape)
        if self.codec:
            try:
                return printable(part.decode(self.codec).encode())
            except UnicodeError:
                return printable(part)
        return printable(part)

    def place(self, value: bytes) -> list[str]:
        """Return unit, room and bed of a person location (PL), "" for one left out, as far as each is clear.

        A visit number may stand there by mistake of a sender: what looks like one ends the place, and so
        does what cannot be read because the character set is not said.
        """
        found: list[str] = []
        for part in self.components(value.split(self.repetition, 1)[0])[:3]:
            clear = len(part) <= MAX_PLACE and not _LIKE_A_NUMBER.search(part)
            if not clear or not (self.codec or part.isascii()):
                break
            found.append(part)
        while found and not found[-1]:
            found.pop()
        return found


class EntityIdentifier(msgspec.Struct, frozen=True):
    """An entity identifier (EI): ``uid`` is its EUI-64 in lower case, where it is one."""

    identifier: str
    namespace: str
    uid: str


def entity(value: bytes, message: Message) -> EntityIdentifier:
    """Read one repetition of data type EI; the universal identifier stands in for a missing identifier."""
    parts = [*message.components(value), "", "", "", ""]
    return EntityIdentifier(parts[0] or parts[2], parts[1], eui64(parts[2]))


def eui64(value: str) -> str:
    """Return an EUI-64 in lower case, "" for anything else (IHE DEV TF-2 appendix for MSH-3 and OBX-18)."""
    plain = value.replace("-", "").replace(":", "")
    return plain.lower() if _EUI64.match(plain) else ""


def at(fields: list[bytes], index: int) -> bytes:
    """Return a field, empty where the segment ends before it."""
    return fields[index] if index < len(fields) else b""


def read_separators(segment: bytes, inbox: Inbox) -> Message:
    """Read MSH-1 and MSH-2 (2.5.4); raises MalformedInput when they cannot separate anything."""
    field = segment[3:4]
    encoding = segment[4:10].split(field, 1)[0] if field else b""
    used = field + encoding
    if not encoding or used.isspace() or len(set(used)) != len(used) or any(_is_text(c) for c in used):
        raise MalformedInput("hl7", "MSH-1 and MSH-2 do not give separators", inbox.offset)
    defaults = b"^~\\&"
    component, repetition, escape, subcomponent = (
        encoding[i : i + 1] or defaults[i : i + 1] for i in range(4)
    )
    return Message(field, component, repetition, escape, subcomponent)


def _is_text(octet: int) -> bool:
    return chr(octet).isalnum() or octet < 0x20


def codec_of(name: str) -> str:
    """Return the Python codec of a character set of table 0211, "" for unknown ones."""
    name = name.upper()
    if name.startswith("8859/") and name[5:].isdigit() and 1 <= int(name[5:]) <= 15 and name != "8859/12":
        return f"iso8859-{int(name[5:])}"
    return _CHARACTER_SETS.get(name, "")


def is_character_set(name: str) -> bool:
    """Tell whether table 0211 knows ``name``."""
    return bool(codec_of(name)) or name.upper() in _CHARACTER_SETS
