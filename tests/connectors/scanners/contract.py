"""Contract servers: a scanner's interface on loopback that answers as published, or fails as it may."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

CASES = Path(__file__).parent / "cases"
SECRET = "SK-of-the-case"
ACCOUNT = "AK-of-the-case"

Fault = Callable[["Answering"], None]


def case_files(*connectors: str) -> list[Path]:
    """Return the cases, of some connectors or of all."""
    found = sorted(CASES.glob("*/*.case.json"))
    return [path for path in found if not connectors or path.parent.name in connectors]


@cache
def case_of(path: Path) -> dict[str, Any]:
    """Return a case."""
    case: dict[str, Any] = json.loads(path.read_text())
    assert case["note"] and case["origin"], "a case says what it shows and where it is from"
    return case


def body_of(case: Path, answer: dict[str, Any]) -> bytes:
    """Return the bytes of an answer of a case."""
    if "file" in answer:
        served: bytes = (case.parent / answer["file"]).read_bytes()
        return served
    said = str(answer["text"]) if "text" in answer else json.dumps(answer["json"])
    return said.encode()


class Contract:
    """What a server was asked, and how it is to fail: by the number of the request, or from one on."""

    def __init__(self, case: Path) -> None:
        self.path = case
        self.case = case_of(case)
        self.asked: list[str] = []
        self.faults: dict[int, Fault] = {}
        self.from_then_on: tuple[int, Fault] | None = None
        self.url = ""
        self.ended = threading.Event()
        self._given: dict[int, int] = {}

    def begin_anew(self) -> None:
        """Give the first answer of every route again."""
        self._given.clear()

    def fault(self) -> Fault | None:
        """Return how the request that was noted last is to fail."""
        number = len(self.asked) - 1
        if self.from_then_on is not None and number >= self.from_then_on[0]:
            return self.from_then_on[1]
        return self.faults.pop(number, None)

    def answer_to(self, ask: str, posted: dict[str, Any]) -> bytes | None:
        """Return what a request is answered with; None where the interface has no such thing."""
        fitting = [
            (len(route.get("body", {})), number, route)
            for number, route in enumerate(self.case["routes"])
            if route["ask"] == ask and _says(posted, route.get("body", {}))
        ]
        if not fitting:
            return None
        _, number, route = max(fitting, key=lambda each: each[:2])
        given = self._given.get(number, 0)
        self._given[number] = given + 1
        return body_of(self.path, route["answers"][min(given, len(route["answers"]) - 1)])


def _says(posted: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(posted.get(name) == value for name, value in wanted.items())


def posted(body: bytes) -> dict[str, Any]:
    """Return what was posted, as JSON or as a form."""
    if body.startswith(b"{"):
        said: dict[str, Any] = json.loads(body)
        return said
    return {name: ",".join(values) for name, values in parse_qs(body.decode()).items()}


class Answering(BaseHTTPRequestHandler):
    """Answers as the contract of its server says."""

    protocol_version = "HTTP/1.1"
    contract: Contract
    right: bytes = b""

    def do_GET(self) -> None:
        """Answer a question."""
        self._answer({})

    def do_POST(self) -> None:
        """Answer a question that was posted: JSON or a form."""
        self._answer(posted(self.rfile.read(int(self.headers.get("Content-Length", "0")))))

    def _answer(self, posted: dict[str, Any]) -> None:
        contract = self.contract
        ask = f"{self.command} {self.path}"
        contract.asked.append(ask)
        fault = contract.fault()
        if any(self.headers.get(name) != value for name, value in contract.case["headers"].items()):
            status(401)(self)
        elif fault is not None:
            # What would be right is looked up for faults that begin with it, but not counted as given.
            given = dict(contract._given)
            self.right = contract.answer_to(ask, posted) or b""
            contract._given = given
            fault(self)
        else:
            right = contract.answer_to(ask, posted)
            if right is None:
                status(404)(self)
            else:
                self.send(200, right)
        self.close_connection = True

    def send(self, code: int, body: bytes, length: int | None = None, **headers: str) -> None:
        """Send an answer, which may promise more than it brings."""
        self.send_response_only(code)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what was asked is in ``asked``."""


def status(code: int, **headers: str) -> Fault:
    """Answer with a status alone."""
    return lambda to: to.send(code, b"", None, **headers)


def cut(to: Answering) -> None:
    """Promise the whole answer and end the connection in the middle of it."""
    to.send(200, to.right[: len(to.right) // 2], length=len(to.right) + 1)


def silent(to: Answering) -> None:
    """Begin an answer and fall silent until the test ends."""
    to.send(200, b"", length=1000)
    to.contract.ended.wait()


def endless(to: Answering) -> None:
    """Send without end and without saying how much."""
    to.send_response_only(200)
    to.send_header("Connection", "close")
    to.end_headers()
    piece = b" " * 65536
    try:
        while not to.contract.ended.is_set():
            to.wfile.write(piece)
    except OSError:
        return


def other_schema(to: Answering) -> None:
    """Answer with what another version might say: well formed, and none of what is published."""
    if to.right.lstrip().startswith(b"<"):
        to.send(200, b'<?xml version="1.0"?><answer version="9"><items/></answer>')
    else:
        to.send(200, b'{"data": {"items": []}, "apiVersion": "9"}')


@contextmanager
def serving(case: Path, tls: ssl.SSLContext | None = None) -> Iterator[Contract]:
    """Serve a case until the block ends, over TLS where a context is given."""
    contract = Contract(case)
    handler = type("Handler", (Answering,), {"contract": contract})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = False
    if tls is not None:
        # The handshake is made by the thread that answers: one that fails does not hold the server up.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]  # a refused handshake is what is tested
    contract.url = f"{'https' if tls else 'http'}://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield contract
    finally:
        contract.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
