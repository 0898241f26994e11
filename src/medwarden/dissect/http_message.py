"""HTTP/1.x message framing, for everybody who reads what travels in it.

For reuse by dissectors of what travels in HTTP (SOAP of SDC, DICOMweb, FHIR)::

    client, server = http_pair(keep=lambda head: 65536)
    for event in client.feed(payload_of_the_client):
        ...  # HttpHead, then HttpBody when the body is complete or ``keep(head)`` bytes of it are there

:class:`HttpStream` reads one direction. ``keep(head)`` says how many bytes of the body to keep; 0 skips
the body without an event. A body is already free of its transfer coding (identity or chunked) but not of
its content coding: ask :meth:`HttpBody.content`. :meth:`HttpStream.partial` shows what has come of the
current body, for bodies that only the end of the connection ends. Both raise MalformedInput and nothing
else, hold at most :data:`HEAD_LIMIT` plus ``keep`` bytes, and do not care how the bytes were cut.

Framing is RFC 9112 (sections 2.2, 3, 5, 6.3, 7.1), fields RFC 9110 (7.2 Host, 10.1.5 User-Agent, 10.2.4
Server, 11.6 authentication).
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import msgspec

from medwarden.dissect.connection import Inbox
from medwarden.kernel.errors import MalformedInput

HEAD_LIMIT = 32768
"""Longest message head read, in bytes; servers in use answer 431 from 8 to 32 KiB on."""

_CHUNK_LINE_LIMIT = 512
_PENDING_LIMIT = 64
_FOR_EVER = 1 << 62
_INFLATED_LIMIT = 262144
METHODS = (
    b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS ", b"DELETE ", b"PATCH ", b"CONNECT ", b"TRACE ",
    b"PROPFIND ", b"NOTIFY ", b"SUBSCRIBE ", b"UNSUBSCRIBE ", b"M-POST ", b"REPORT ", b"MKCOL ", b"SEARCH ",
)  # fmt: skip
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


@lru_cache(maxsize=1024)
def _media_type(stated: str) -> str:
    return stated.partition(";")[0].strip().lower()


class HttpHead(msgspec.Struct, frozen=True):
    """Start line and header fields of one message.

    Names in ``headers`` are lower case; repeated fields are joined by ``", "`` (RFC 9110 section 5.3).
    For a response, ``method`` and ``target`` are those of the request it answers ("" if that was not seen).
    """

    from_client: bool
    version: str
    headers: dict[str, str]
    method: str
    target: str
    status: int = 0
    reason: str = ""

    @property
    def media_type(self) -> str:
        """Return the Content-Type without its parameters, in lower case."""
        return _media_type(self.headers.get("content-type", ""))

    @property
    def path(self) -> str:
        """Return the target without scheme, authority and query."""
        target = self.target.partition("?")[0]
        if "://" in target:
            target = "/" + target.partition("://")[2].partition("/")[2]
        return target


class HttpBody(msgspec.Struct, frozen=True):
    """The body of one message as far as it was kept; ``complete`` tells whether that is all of it."""

    head: HttpHead
    data: bytes
    complete: bool

    def content(self) -> bytes:
        """Return the body without gzip or deflate content coding, at most 256 KiB of it.

        What cannot be inflated is returned as far as it could (RFC 9110 section 8.4).
        """
        coding = self.head.headers.get("content-encoding", "").strip().lower()
        if coding not in ("gzip", "x-gzip", "deflate"):
            return self.data
        for window in (47, -15):  # gzip or zlib by its header, else raw deflate as some servers send it
            try:
                return zlib.decompressobj(window).decompress(self.data, _INFLATED_LIMIT)
            except zlib.error:
                continue
        return b""


HttpEvent = HttpHead | HttpBody


def _broken(events: list[HttpEvent], fault: MalformedInput) -> Iterator[HttpEvent]:
    yield from events
    raise fault


def http_pair(keep: Callable[[HttpHead], int]) -> tuple[HttpStream, HttpStream]:
    """Return the streams of client and server of one connection, the latter told of each request."""
    asked: deque[HttpHead] = deque()
    return HttpStream(True, asked, keep), HttpStream(False, asked, keep)


class HttpStream:
    """Messages of one direction of a connection, read as their bytes come in.

    ``inbox`` holds what is not read yet. ``tunnel`` turns true after a successful CONNECT or Upgrade: what
    follows is no HTTP and is ignored.
    """

    def __init__(self, from_client: bool, asked: deque[HttpHead], keep: Callable[[HttpHead], int]) -> None:
        self.from_client = from_client
        self.tunnel = False
        self._asked = asked
        self._keep = keep
        self.inbox = Inbox("http")
        self._events: list[HttpEvent] = []
        self._step: Callable[[], bool] = self._read_head
        self._scanned = 0
        self._head: HttpHead | None = None
        self._body = bytearray()
        self._wanted = 0
        self._remaining = 0

    def feed(self, data: bytes) -> Iterable[HttpEvent]:
        """Return the events that ``data`` completes; reading on after those before a fault raises it.

        The fault is a MalformedInput.
        """
        if self.tunnel:
            return ()
        self.inbox.add(data)
        return self.read()

    def read(self) -> Iterable[HttpEvent]:
        """Return the events of what was added to :attr:`inbox`, as :meth:`feed` does."""
        inbox = self.inbox
        fault: MalformedInput | None = None
        try:
            while inbox.data and self._step():
                pass
        except MalformedInput as error:
            fault = error
        events = self._events
        if events:
            self._events = []
        return events if fault is None else _broken(events, fault)

    def partial(self) -> tuple[HttpHead, bytearray] | None:
        """Return head and bytes so far of a body that is kept and still under way."""
        if self._head is None or not self._wanted:
            return None
        return self._head, self._body

    def _read_head(self) -> bool:
        data = self.inbox.data
        blank = 0
        while blank < len(data) and data[blank] in b"\r\n":
            blank += 1  # RFC 9112 section 2.2: empty lines before a start line are ignored
        if blank:
            self.inbox.discard(blank)
            self._scanned = 0
            return bool(data)
        end = self._end_of_head()
        if end is None:
            return False
        raw = self.inbox.take(end) or b""
        try:
            lines = raw.decode().split("\n")
        except UnicodeDecodeError:
            lines = raw.decode("latin-1").split("\n")
        head = self._request(lines) if self.from_client else self._response(lines)
        self._events.append(head)
        self._begin_body(head)
        return True

    def _end_of_head(self) -> int | None:
        data = self.inbox.data
        start = max(self._scanned - 3, 0)
        ends = [
            at + len(mark) for mark in (b"\n\r\n", b"\n\n") if (at := data.find(mark, start, HEAD_LIMIT)) >= 0
        ]
        if ends:
            self._scanned = 0
            return min(ends)
        if len(data) >= HEAD_LIMIT:
            raise self.inbox.malformed(f"the head does not end within {HEAD_LIMIT} bytes")
        self._check_start(data)
        self._scanned = len(data)
        return None

    def _check_start(self, data: bytearray) -> None:
        """Refuse at once what cannot become a start line, instead of waiting for its end."""
        if self.from_client:
            if not _TOKEN.issuperset(bytes(data[:24]).partition(b" ")[0].decode("latin-1")):
                raise self.inbox.malformed("no HTTP request line")
        elif not b"HTTP/1.".startswith(bytes(data[:7])):
            raise self.inbox.malformed("no HTTP/1.x status line")

    def _request(self, lines: list[str]) -> HttpHead:
        method, _, rest = lines[0].rstrip("\r").partition(" ")
        target, _, version = rest.rpartition(" ")
        if not method or not _TOKEN.issuperset(method) or not target or not version.startswith("HTTP/"):
            raise self.inbox.malformed("no HTTP request line")
        if method == "PRI":
            self._become_tunnel()  # RFC 9113 section 3.4: the connection preface of HTTP/2
        head = HttpHead(True, version, self._fields(lines), method, target.strip())
        if len(self._asked) < _PENDING_LIMIT:
            self._asked.append(head)
        return head

    def _response(self, lines: list[str]) -> HttpHead:
        version, _, rest = lines[0].rstrip("\r").partition(" ")
        code, _, reason = rest.strip().partition(" ")
        if not version.startswith("HTTP/1.") or len(code) != 3 or not code.isascii() or not code.isdigit():
            raise self.inbox.malformed("no HTTP/1.x status line")
        status = int(code)
        asked = self._asked[0] if self._asked else None
        if asked is not None and (status >= 200 or status == 101):
            self._asked.popleft()
        method, target = (asked.method, asked.target) if asked is not None else ("", "")
        return HttpHead(False, version, self._fields(lines), method, target, status, reason.strip())

    def _fields(self, lines: list[str]) -> dict[str, str]:
        fields: dict[str, str] = {}
        name = ""
        for line in lines[1:]:
            if line.isspace() or not line:
                name = ""
                continue
            if line[0] in " \t" and name:
                fields[name] += " " + line.strip()  # RFC 9112 section 5.2: obsolete folding
                continue
            name, colon, value = line.partition(":")
            name = name.strip().lower()
            if not colon:
                if name:
                    raise self.inbox.malformed("a header field has no colon")
                continue
            fields[name] = f"{fields[name]}, {value.strip()}" if name in fields else value.strip()
        return fields

    def _begin_body(self, head: HttpHead) -> None:
        """Choose the framing of the body by the rules of RFC 9112 section 6.3, in their order."""
        self._head, self._body, self._wanted = head, bytearray(), 0
        status = head.status
        if not self.from_client:
            if status == 101 or (head.method == "CONNECT" and 200 <= status < 300):
                self._become_tunnel()
                return
            if head.method == "HEAD" or 100 <= status < 200 or status in (204, 304):
                return
        self._wanted = self._keep(head)
        coding = head.headers.get("transfer-encoding", "").lower()
        if coding:
            if coding.endswith("chunked"):
                self._step = self._read_chunk_size
            elif self.from_client:
                raise self.inbox.malformed("a request with a transfer coding other than chunked")
            else:
                self._step = self._read_to_close
            return
        lengths = {part.strip() for part in head.headers.get("content-length", "").split(",")} - {""}
        if lengths:
            length = lengths.pop()
            if lengths or not length.isascii() or not length.isdigit() or len(length) > 18:
                raise self.inbox.malformed("the content length is no number")
            self._remaining = int(length)
            self._step = self._read_identity
            if not self._remaining:
                self._end_body()
        elif self.from_client:
            self._end_body()
        else:
            self._step = self._read_to_close

    def _become_tunnel(self) -> None:
        self.tunnel = True
        self.inbox.close()

    def _collect(self, most: int) -> int:
        """Take up to ``most`` body bytes from the inbox and return how many there were."""
        count = min(most, len(self.inbox.data))
        missing = self._wanted - len(self._body)
        if missing > 0:
            self._body += self.inbox.data[: min(count, missing)]
        self.inbox.discard(count)
        if 0 < missing <= count:
            self._finish_body(complete=False)
        return count

    def _finish_body(self, complete: bool) -> None:
        if self._wanted and self._head is not None and (self._body or complete):
            self._events.append(HttpBody(self._head, bytes(self._body), complete))
        self._wanted = 0
        self._body = bytearray()

    def _end_body(self) -> None:
        self._finish_body(complete=True)
        self._head = None
        self._step = self._read_head

    def _read_identity(self) -> bool:
        if self._wanted == self._remaining + len(self._body):
            self._wanted += 1  # exactly as much as wanted: complete, not cut
        self._remaining -= self._collect(self._remaining)
        if not self._wanted:
            self.inbox.discard(self._remaining)
            self._remaining = 0
        if not self._remaining:
            self._end_body()
        return True

    def _read_to_close(self) -> bool:
        self._collect(len(self.inbox.data))
        if not self._wanted:
            self.inbox.discard(_FOR_EVER)
        return True

    def _read_chunk_size(self) -> bool:
        line = self.inbox.line(_CHUNK_LINE_LIMIT)
        if line is None:
            return False
        size = line.partition(b";")[0].strip()
        if not size or len(size) > 15 or size.strip(b"0123456789abcdefABCDEF"):
            raise self.inbox.malformed("a chunk size is no hexadecimal number")
        self._remaining = int(size, 16)
        self._step = self._read_chunk if self._remaining else self._read_trailer
        return True

    def _read_chunk(self) -> bool:
        self._remaining -= self._collect(self._remaining)
        if not self._wanted:
            self.inbox.discard(self._remaining)
            self._remaining = 0
        if not self._remaining:
            self._step = self._read_chunk_end
        return True

    def _read_chunk_end(self) -> bool:
        line = self.inbox.line(3)
        if line is None:
            return False
        if line:
            raise self.inbox.malformed("a chunk is longer than its size")
        self._step = self._read_chunk_size
        return True

    def _read_trailer(self) -> bool:
        line = self.inbox.line(HEAD_LIMIT)
        if line is None:
            return False
        if not line:
            self._end_body()
        return True
