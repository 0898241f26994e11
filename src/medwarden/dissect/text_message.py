"""Messages of a start line, header fields and a body of stated length, as SIP and RTSP share them.

RFC 3261 section 7, RFC 7826 section 5. HTTP has framings of its own and is read by
:mod:`medwarden.dissect.http_message`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from medwarden.dissect.connection import Inbox
from medwarden.kernel.errors import MalformedInput

HEAD_LIMIT = 8192


class TextHead(msgspec.Struct, frozen=True):
    """A start line and the header fields by lower-case name; of a repeated field the first."""

    start: str
    fields: dict[str, str]

    def length(self, source: str) -> int:
        """Return the stated length of the body; raises MalformedInput where it is no number."""
        stated = self.fields.get("content-length", "0").strip() or "0"
        if not stated.isascii() or not stated.isdigit() or len(stated) > 9:
            raise MalformedInput(source, "the content length is no number")
        return int(stated)


def take_head(inbox: Inbox, compact: Mapping[str, str]) -> TextHead | None:
    """Remove the next head from ``inbox``, or return None while it is incomplete.

    ``compact`` maps one-letter names to full ones. Raises MalformedInput when no head ends within 8 KiB.
    """
    ends = [e + len(m) for m in (b"\r\n\r\n", b"\n\n") if (e := inbox.data.find(m, 0, HEAD_LIMIT)) >= 0]
    if not ends:
        if len(inbox.data) >= HEAD_LIMIT:
            raise inbox.malformed("the head does not end within 8 KiB")
        return None
    return parse_head(inbox.take(min(ends)) or b"", compact)


def parse_head(head: bytes, compact: Mapping[str, str]) -> TextHead:
    """Read a head; lines without a colon are passed over."""
    lines = head.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            name = name.strip().lower()
            fields.setdefault(compact.get(name, name), value.strip())
    return TextHead(lines[0].strip(), fields)
