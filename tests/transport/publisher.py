"""A publisher on loopback that answers each request as its script says, and remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


class Publisher:
    """The script and the requests; ``url`` is where it listens."""

    def __init__(self, script: list[Answer]) -> None:
        self.script = script
        self.asked: list[dict[str, str]] = []
        self.url = ""


@contextmanager
def publisher(*script: Answer) -> Iterator[Publisher]:
    """Serve a script, the last answer for ever; ends with the block."""
    told = Publisher(list(script))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told.asked.append(
                {name.lower(): value for name, value in self.headers.items()} | {"path": self.path}
            )
            answer = told.script.pop(0) if len(told.script) > 1 else told.script[0]
            answer(self)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: what was asked is in ``asked``."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def whole(body: bytes, **headers: str) -> Answer:
    """Return the whole file."""

    def answer(to: BaseHTTPRequestHandler) -> None:
        _head(to, 200, {"Content-Length": str(len(body)), **headers})
        to.wfile.write(body)

    return answer


def cut(body: bytes, at: int, **headers: str) -> Answer:
    """Promise the whole file and end the connection in the middle of it."""

    def answer(to: BaseHTTPRequestHandler) -> None:
        _head(to, 200, {"Content-Length": str(len(body)), **headers})
        to.wfile.write(body[:at])

    return answer


def rest(body: bytes, **headers: str) -> Answer:
    """Send the rest of the file from where the request asks."""

    def answer(to: BaseHTTPRequestHandler) -> None:
        start = int(to.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        part = body[start:]
        span = f"bytes {start}-{len(body) - 1}/{len(body)}"
        _head(to, 206, {"Content-Length": str(len(part)), "Content-Range": span, **headers})
        to.wfile.write(part)

    return answer


def status(code: int, **headers: str) -> Answer:
    """Answer with a status alone."""

    def answer(to: BaseHTTPRequestHandler) -> None:
        _head(to, code, {"Content-Length": "0", **headers})

    return answer


def endless(piece: bytes) -> Answer:
    """Send without end and without saying how much."""

    def answer(to: BaseHTTPRequestHandler) -> None:
        _head(to, 200, {"Connection": "close"})
        try:
            while True:
                to.wfile.write(piece)
        except OSError:
            return

    return answer


def _head(to: BaseHTTPRequestHandler, code: int, headers: dict[str, str]) -> None:
    to.send_response_only(code)
    for name, value in headers.items():
        to.send_header(name.replace("_", "-"), value)
    to.end_headers()
