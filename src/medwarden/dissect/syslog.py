"""Syslog: host and application names of log senders, never what they log.

RFC 5424 section 6 and the older form of RFC 3164 section 4.1, over UDP (RFC 5426) and TCP (RFC 6587,
counted octets or lines). Message bodies may hold patient data: nothing behind the tag is read. A
host name that is an address other than the sender's comes from a relay and is attributed to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import ClassVar

from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "syslog"

_MONTHS = frozenset(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split())
_HOST = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:")
_TAG = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/%")
_NIL = b"-"
_HEAD = 512  # the header of a message ends before
_MAX_STREAM_MESSAGE = 64 * 1024
_STREAM_BYTES = 64 * 1024


class Syslog:
    """State the names in the header of log messages."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="Syslog",
        transports=(Transport.UDP, Transport.TCP),
        reference="RFC 5424, RFC 3164",
        ports=(514, 601),
        stream_bytes=_STREAM_BYTES,
        fields=("syslog.host_name", "syslog.app_name", "syslog.format"),
    )

    def __init__(self) -> None:
        # Only TCP streams use them.
        self._pending = bytearray()
        self._lost = False

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether ``payload`` starts with a priority, perhaps after a count of octets."""
        if not from_client:
            return False
        count, _, rest = payload[:12].partition(b" ")
        return _priority(payload) > 0 or (count.isdigit() and _priority(rest) > 0)

    def feed(self, segment: Segment) -> Iterable[Evidence]:
        """Return the names of one datagram, or of the messages a stream has completed.

        Raises MalformedInput when a message has no priority or a stream no frame.
        """
        if segment.transport is not Transport.TCP:
            return facts_of_header(segment, segment.payload[:_HEAD])
        return self._feed_stream(segment) if segment.from_client else []

    def _feed_stream(self, segment: Segment) -> Iterable[Evidence]:
        if segment.gap:
            self._lost = True
        if self._lost:
            return
        pending = self._pending
        searched = len(pending)  # a line that is still open was looked through before
        pending += segment.payload
        start = 0
        while start < len(pending):
            if pending[start] in b"\r\n\0":  # what separates messages, however often
                start += 1
                continue
            if 0x31 <= pending[start] <= 0x39:  # RFC 6587 3.4.1: octet counting
                space = pending.find(b" ", start, start + 7)
                if space < 0:
                    if len(pending) - start < 7:
                        break
                    raise MalformedInput(SOURCE, "octet count has no end", start)
                count = bytes(pending[start:space])
                if not count.isdigit() or int(count) > _MAX_STREAM_MESSAGE:
                    raise MalformedInput(SOURCE, "octet count is no number or too large", start)
                begin, end = space + 1, space + 1 + int(count)
                behind = end
            else:  # RFC 6587 3.4.2: a line feed ends a message
                begin = start
                end = pending.find(b"\n", max(start, searched))
                if end < 0 and len(pending) - start <= _MAX_STREAM_MESSAGE:
                    break
                if end < 0:
                    raise MalformedInput(SOURCE, "message has no end", start)
                behind = end + 1
            if behind > len(pending):
                break
            yield from facts_of_header(segment, bytes(pending[begin : min(end, begin + _HEAD)]).rstrip(b"\r"))
            start = behind
        del pending[:start]


def facts_of_header(segment: Segment, head: bytes) -> list[Evidence]:
    """Return the facts of a message that starts with ``head``; raises MalformedInput if it is none."""
    start = _priority(head)
    if start <= 0:
        raise MalformedInput(SOURCE, "message does not start with a priority", 0)
    if head[start : start + 2] == b"1 ":
        parts = head[start + 2 :].split(b" ", 3)
        if len(parts) < 4:
            raise MalformedInput(SOURCE, "header of RFC 5424 is cut short", start)
        host, app, form = _word(parts[1], _HOST, 255), _word(parts[2], _TAG, 48), "rfc5424"
    else:
        host, app = _old_header(head[start:])
        form = "rfc3164"
    facts = [segment.said("syslog.format", form, SOURCE)]
    if host:
        facts.append(_named(segment, host))
    if app:
        facts.append(segment.said("syslog.app_name", app, SOURCE))
    return facts


def _priority(head: bytes) -> int:
    """Return the offset behind ``<PRI>`` (0 to 191), or 0 if there is none."""
    end = head.find(b">", 1, 5)
    digits = head[1:end] if end > 1 and head[:1] == b"<" else b""
    return end + 1 if digits.isdigit() and int(digits) <= 191 else 0


def _word(octets: bytes, allowed: frozenset[int], most: int) -> str:
    """Return a header field, or "" when it is nil, too long or holds anything unusual."""
    if octets == _NIL or not 0 < len(octets) <= most or not allowed.issuperset(octets):
        return ""
    return octets.decode("ascii")


def _old_header(head: bytes) -> tuple[str, str]:
    """Return host name and tag of an RFC 3164 header, "" for what is not where it belongs.

    Without a time stamp in its place nothing is trusted: the words could be anything.
    """
    words = head[:256].split()
    if len(words) >= 4 and words[0] in _MONTHS and words[1].isdigit() and words[2][2:3] == b":":
        rest = words[3:]
    elif words and _is_iso_time(words[0]):
        rest = words[1:]
    else:
        return "", ""
    if not rest or rest[0].endswith(b":") or b"[" in rest[0]:
        return "", _tag(rest[0]) if rest else ""  # the host name was left out
    host, tag = _word(rest[0], _HOST, 255), _tag(rest[1]) if len(rest) > 1 else ""
    # Senders that skip the header begin with their message: a bare word could be anybody's name.
    if host and (tag or any(c in "0123456789.-_" for c in host)):
        return host, tag
    return "", ""


def _is_iso_time(word: bytes) -> bool:
    return len(word) >= 19 and word[4:5] == b"-" and word[10:11] == b"T" and word[:4].isdigit()


def _tag(word: bytes) -> str:
    """Return a tag that ends as RFC 3164 5.3 has it: a colon, or a process in brackets."""
    name, bracket, _ = word.partition(b"[")
    if not bracket:
        if not word.endswith(b":"):
            return ""
        name = word[:-1]
        if name.isalpha() and name[:1].isupper():
            return ""  # a surname before a colon looks the same
    return _word(name, _TAG, 48)


def _named(segment: Segment, host: str) -> Evidence:
    try:
        address = str(ip_address(host))
    except ValueError:
        return segment.said("syslog.host_name", host, SOURCE)
    mac = segment.src_mac if address == segment.src_ip else None
    return Evidence(segment.ts_ns, mac, address, segment.vlan, "syslog.host_name", address, SOURCE)


DISSECTOR = Syslog
