"""A contract server of the Greenbone Management Protocol, over TLS or a Unix socket."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from xml.etree import ElementTree

from tests.connectors.scanners.contract import ACCOUNT, SECRET, body_of, case_of

GmpFault = Callable[["Manager", socket.socket, bytes], None]
_COMMAND = re.compile(rb"<([a-z_]+)[\s>/]")


class Manager:
    """What a manager was told, and how it is to fail: by the number of the command."""

    def __init__(self, case: Path) -> None:
        self.path = case
        self.asked: list[str] = []
        self.commands: list[str] = []
        self.faults: dict[int, GmpFault] = {}
        self.address = ""
        self.ended = threading.Event()

    def converse(self, connection: socket.socket) -> None:
        """Answer commands until the other side leaves; without authentication nothing else is answered."""
        known = False
        told = b""
        while piece := connection.recv(65536):
            told += piece
            with suppress(ElementTree.ParseError):
                element = ElementTree.fromstring(told)
                self.commands.append(told.decode())
                told = b""
                known = self._answer(connection, element, known)

    def _answer(self, connection: socket.socket, element: ElementTree.Element, known: bool) -> bool:
        name = element.tag
        self.asked.append(name)
        fault = self.faults.pop(len(self.asked) - 1, None)
        route = next(route for route in case_of(self.path)["routes"] if route["ask"] == name)
        right = body_of(self.path, route["answers"][0])
        if fault is not None:
            fault(self, connection, right)
        elif name == "authenticate":
            known = (
                element.findtext("credentials/username") == ACCOUNT
                and element.findtext("credentials/password") == SECRET
            )
            connection.sendall(right if known else refusal(name, 400, "Authentication failed"))
        else:
            connection.sendall(right if known else refusal(name, 400, "First command must be AUTHENTICATE"))
        return known


def refusal(name: str, code: int, words: str) -> bytes:
    """Return the answer to a command that is refused."""
    return f'<{name}_response status="{code}" status_text="{words}"/>'.encode()


@contextmanager
def managing(case: Path, folder: Path, tls: ssl.SSLContext | None = None) -> Iterator[Manager]:
    """Serve a case until the block ends: over TLS where a context is given, else at a Unix socket."""
    manager = Manager(case)
    if tls is None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(folder / "gvmd.sock"))
        manager.address = f"unix://{folder / 'gvmd.sock'}"
    else:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind(("127.0.0.1", 0))
        manager.address = f"tls://localhost:{listener.getsockname()[1]}"
    listener.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):  # a refused handshake is what is tested
                if tls is None:
                    manager.converse(connection)
                else:
                    with tls.wrap_socket(connection, server_side=True) as secure:
                        manager.converse(secure)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield manager
    finally:
        manager.ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
