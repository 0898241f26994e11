"""Record what real programs say to each other over the loopback, and conclude who they are."""

from __future__ import annotations

import logging
import socket
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.telling import tell
from tests.waiting import PATIENCE

from medwarden.dissect.observer import Observer
from medwarden.inventory.labelling import identify
from medwarden.model.device import Device
from medwarden.model.evidence import Evidence, LedgerEntry
from medwarden.model.segment import Segment, Transport

_log = logging.getLogger(__name__)
_SECOND = 1_000_000_000


class Piece(NamedTuple):
    """Some bytes of one side of a conversation."""

    from_client: bool
    data: bytes


class RecordingProxy:
    """Stand between clients and the server on ``target``; keep every conversation in order.

    ``client`` and ``server`` are the addresses that the two sides are given in the recording, since on
    the loopback all have the same.
    """

    def __init__(self, target: int, client: str, server: str, port: int = 104) -> None:
        self._target = target
        self.client, self.server, self.shown_port = client, server, port
        self.conversations: list[list[Piece]] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> RecordingProxy:
        return self

    def __exit__(self, *_: object) -> None:
        # Closing a socket does not wake a thread that waits in accept(); shutting it down does.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in list(self._threads):
            thread.join(PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._relay, args=(near,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _relay(self, near: socket.socket) -> None:
        pieces: list[Piece] = []
        with self._lock:
            self.conversations.append(pieces)
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:  # nobody there any more: the client is to see that
            near.close()
            return
        with near, far:
            back = threading.Thread(target=self._pump, args=(far, near, False, pieces), daemon=True)
            back.start()
            self._pump(near, far, True, pieces)
            back.join(PATIENCE)

    def _pump(
        self, source: socket.socket, sink: socket.socket, from_client: bool, pieces: list[Piece]
    ) -> None:
        try:
            while data := source.recv(65536):
                with self._lock:
                    pieces.append(Piece(from_client, data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError as error:
            _log.debug("connection closed: %s", error)

    def segments(self, first_flow: int) -> Iterator[Segment]:
        """Yield the recording as the flow core would hand it over."""
        for number, pieces in enumerate(self.conversations):
            offsets = {True: 0, False: 0}
            for moment, (from_client, data) in enumerate(pieces):
                ips = (self.client, self.server) if from_client else (self.server, self.client)
                ports = (50_000 + number, self.shown_port)
                source, target = ports if from_client else ports[::-1]
                for start in range(0, len(data), 1448):
                    piece = data[start : start + 1448]
                    yield Segment(
                        moment * _SECOND, first_flow + number, Transport.TCP, None, None, *ips,
                        source, target, None, from_client, piece, offsets[from_client],
                    )  # fmt: skip
                    offsets[from_client] += len(piece)


def heard(*proxies: RecordingProxy) -> list[Evidence]:
    """Return the facts of recordings, shown if the test fails; none may be malformed or a defect."""
    observer = Observer(b"k" * 32)
    facts = [
        fact
        for number, proxy in enumerate(proxies)
        for segment in proxy.segments(1 + 10_000 * number)
        for fact in observer.observe(segment)
    ]
    tell("heard", lambda: "\n".join(sorted({f"{fact.ip} {fact.field} = {fact.value}" for fact in facts})))
    assert not observer.malformed
    return facts


def concluded(facts: Iterable[Evidence]) -> dict[str, Device]:
    """Return what the inventory makes of facts, by address."""
    ledgers: dict[str, dict[tuple[str, str], LedgerEntry]] = defaultdict(dict)
    for fact in facts:
        assert fact.ip is not None
        key = fact.field, fact.value
        entry = LedgerEntry(fact.source, fact.field, fact.value, "sensor", fact.ts_ns, fact.ts_ns, 1)
        ledgers[fact.ip].setdefault(key, entry)
    return {
        ip: identify(Device(ip, "site", ips=(ip,), ledger=tuple(entries.values())))
        for ip, entries in ledgers.items()
    }


def stated(facts: Iterable[Evidence], ip: str) -> set[tuple[str, str]]:
    """Return field and value of what is known of one address."""
    return {(fact.field, fact.value) for fact in facts if fact.ip == ip}
