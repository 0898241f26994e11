"""Take people out of HTTP/1: request line and a few headers stay, everything else is overwritten.

RFC 9110 and 9112. Of a path only what names a program stays (:mod:`medwarden.dissect.http_paths`); query
strings, cookies, credentials, unknown headers and all bodies are overwritten, FHIR, DICOMweb and forms
among them. Lengths and chunks stay, so that the messages keep their frames.
"""

from __future__ import annotations

import re

from medwarden.dissect.http_paths import public_path
from medwarden.dissect.sanitise_draft import Draft

_REQUEST = re.compile(rb"([A-Z]{3,10}) (\S*) (HTTP/1\.[01])\Z")
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\Z)")
_HEADER = re.compile(rb"([A-Za-z0-9-]{1,64}):[ \t]*")
_MOST_HEAD = 65_536
_KEPT = frozenset(
    b"accept accept-charset accept-encoding accept-language accept-ranges allow cache-control connection "
    b"content-encoding content-length content-type date expect expires keep-alive pragma public server te "
    b"transfer-encoding upgrade user-agent vary via host x-powered-by retry-after".split()
)
_SCHEMES = frozenset((b"authorization", b"proxy-authorization", b"www-authenticate", b"proxy-authenticate"))
_TYPE = re.compile(
    rb"[a-z0-9.+*-]{1,40}/[A-Za-z0-9.+*-]{1,80}(; ?charset=\"?[A-Za-z0-9-]{1,20}\"?)?", re.IGNORECASE
)
_HOST = re.compile(rb"[A-Za-z0-9.\-_:\[\]]{1,255}\Z")
_METHODS = frozenset(
    b"GET HEAD POST PUT DELETE OPTIONS PATCH CONNECT TRACE PROPFIND SUBSCRIBE NOTIFY".split()
)


def is_http(payload: bytes) -> bool:
    """Tell whether a stream opens with a request or a status line."""
    line = payload[:4096].partition(b"\r\n")[0]
    if _STATUS.match(line):
        return True
    request = _REQUEST.match(line)
    return request is not None and request[1] in _METHODS


def clean_http(client: Draft, server: Draft) -> None:
    """Write what may stay of both directions of one connection into their drafts."""
    methods: list[bytes] = []
    _Messages(client, methods, asks=True).walk()
    _Messages(server, methods, asks=False).walk()


class _Messages:
    """Walks the messages of one direction; what follows the first that is none stays filler."""

    def __init__(self, draft: Draft, methods: list[bytes], *, asks: bool) -> None:
        self._draft = draft
        self._methods = methods
        self._asks = asks
        self._answered = 0

    def walk(self) -> None:
        """Clean message after message."""
        at: int | None = 0
        while at is not None and at < len(self._draft.data):
            at = self._message(at)

    def _message(self, at: int) -> int | None:
        draft, data = self._draft, self._draft.data
        head = data.find(b"\r\n\r\n", at, at + _MOST_HEAD)
        if head < 0:
            return None
        end = data.find(b"\r\n", at)
        bodiless = self._first_line(at, end)
        if bodiless is None:
            return None
        draft.keep(end, end + 2)
        length: int | None = None
        chunked = False
        line = end + 2
        while line < head + 2:
            stop = data.find(b"\r\n", line)
            name, value = self._header(line, stop)
            draft.keep(stop, stop + 2)
            if name == b"content-length" and value.isdigit() and len(value) < 16:
                length = int(value)
            elif name == b"transfer-encoding":
                chunked = b"chunked" in value.lower()
            line = stop + 2
        draft.keep(head + 2, head + 4)
        body = head + 4
        if bodiless:
            return body
        if chunked:
            return self._chunks(body)
        if length is None:
            length = 0 if self._asks else len(data) - body
        if length:
            draft.counts["http body"] += 1
        return body + length

    def _first_line(self, at: int, end: int) -> bool | None:
        """Clean a request or status line; tell whether no body follows, None where it is neither."""
        draft, data = self._draft, self._draft.data
        line = data[at:end]
        if self._asks:
            request = _REQUEST.match(line)
            if request is None or request[1] not in _METHODS:
                return None
            self._methods.append(request[1])
            draft.keep(at, at + len(request[1]) + 1)
            draft.keep(end - 9, end)
            start = at + request.start(2)
            target = request[2]
            path = target.partition(b"?")[0]
            public = public_path(path.decode("latin-1")).encode("latin-1") if path.startswith(b"/") else b""
            kept = len(public) if path.startswith(public) else 0
            draft.keep(start, start + kept)
            if kept < len(target):
                draft.counts["http path or query"] += 1
            return False
        status = _STATUS.match(line)
        if status is None:
            return None
        draft.keep(at, at + status.end())
        method = self._methods[self._answered] if self._answered < len(self._methods) else b""
        interim = status[1].startswith(b"1")
        self._answered += not interim
        return interim or status[1] in (b"204", b"304") or method == b"HEAD"

    def _header(self, start: int, end: int) -> tuple[bytes, bytes]:
        draft = self._draft
        line = draft.data[start:end]
        match = _HEADER.match(line)
        if match is None:
            draft.fill(start, end, "http header")
            return b"", b""
        name, value = match[1].lower(), line[match.end() :]
        at = start + match.end()
        if name in _KEPT:
            draft.keep(start, at)
            if _harmless(name, value):
                draft.keep(at, end)
            else:
                draft.fill(at, end, "http header")
        elif name in _SCHEMES:
            draft.keep(start, at)
            scheme = re.match(rb"(Basic|Digest|Bearer|NTLM|Negotiate)( |\Z)", value)
            kept = scheme.end() if scheme else 0
            draft.keep(at, at + kept)
            draft.fill(at + kept, end, "http credentials")
        else:
            draft.keep(start + len(match[1]), start + len(match[1]) + 1)
            draft.fill(at, end, "http header")
        return name, value

    def _chunks(self, at: int) -> int | None:
        """Keep the sizes of chunks (RFC 9112 section 7.1); data, extensions and trailers are overwritten."""
        draft, data = self._draft, self._draft.data
        draft.counts["http body"] += 1
        while True:
            end = data.find(b"\r\n", at, at + 128)
            match = re.match(rb"[0-9A-Fa-f]{1,8}", data[at : max(end, at)])
            if end < 0 or match is None:
                return None
            draft.keep(at, at + match.end())
            draft.keep(end, end + 2)
            size = int(match.group(), 16)
            at = end + 2 + size
            if size == 0:
                break
            draft.keep(at, at + 2) if data[at : at + 2] == b"\r\n" else None
            at += 2
        while (end := data.find(b"\r\n", at)) > at:
            draft.keep(end, end + 2)
            at = end + 2
        if end < 0:
            return None
        draft.keep(end, end + 2)
        return end + 2


def _harmless(name: bytes, value: bytes) -> bool:
    if name == b"content-type":
        return _TYPE.fullmatch(value) is not None
    if name == b"host":
        return _HOST.match(value) is not None
    return len(value) <= 512 and all(0x20 <= byte < 0x7F for byte in value)
