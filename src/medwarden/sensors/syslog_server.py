"""Receive syslog over TCP and TLS: RFC 6587 and RFC 5425. Over UDP a DatagramServer does (RFC 5426).

One thread with an event loop of its own. A sender that is too fast is not read for a while, so that TCP
makes it wait. Connections are bounded; one that keeps a message unfinished for too long is closed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.sensors.reception import Reception
from medwarden.sensors.syslog_framing import SyslogFraming

MOST_CONNECTIONS = 512
MOST_CONNECTIONS_OF_ONE = 64
UNFINISHED_S = 60.0
"""How long a message may stay unfinished, and a handshake take a sixth of it."""
IDLE_S = 3600.0
_READ = 1 << 16
_BACKLOG = 128
_PAUSE_S = 0.2
_END_S = 5.0


def server_context(certificate: Path, key: Path | None = None, clients: Path | None = None) -> ssl.SSLContext:
    """Return the TLS setting of a server: its certificate, and with ``clients`` who vouches for senders.

    TLS 1.2 and newer (RFC 9662). Raises ConfigurationError where a file cannot be read or does not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
        if clients is not None:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"{certificate}: no certificate and key for TLS ({error})") from error
    return context


class StreamFraming(Protocol):
    """How messages are cut out of one connection's stream."""

    faults: list[str]

    @property
    def partial(self) -> bool:
        """Tell whether a message has begun and not ended."""
        ...

    def push(self, octets: bytes) -> list[bytes]:
        """Return the messages that ended with ``octets``."""
        ...

    def finish(self) -> list[bytes]:
        """Return what the end of the connection ended."""
        ...


class SyslogServer:
    """Hands messages that arrive at ``host``:``port`` to ``reception`` from :meth:`start` on.

    ``framing`` cuts a connection's stream into messages; IPFIX over TCP (RFC 7011 10.4) brings its own.

    Raises ResourceError where the port cannot be had. Port 0 takes any free one; :attr:`address` says
    which.
    """

    def __init__(
        self,
        host: str,
        port: int,
        reception: Reception,
        *,
        tls: ssl.SSLContext | None = None,
        framing: Callable[[], StreamFraming] = SyslogFraming,
        clock: Clock = wall_clock,
        most_connections: int = MOST_CONNECTIONS,
        unfinished_s: float = UNFINISHED_S,
    ) -> None:
        self.reception = reception
        self.refused = 0  # connections beyond the bound
        self.broken = 0  # handshakes and connections that failed
        self.error: BaseException | None = None
        self._tls = tls
        self._framing = framing
        self._clock = clock
        self._most = most_connections
        self._unfinished_s = unfinished_s
        self._of: dict[str, int] = {}
        self._readers: dict[asyncio.Task[None], asyncio.StreamReader] = {}
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen(_BACKLOG)  # who connects before start() waits
            self._server = self._loop.run_until_complete(self._listen(listening))
        except OSError as error:
            listening.close()
            self._loop.close()
            raise ResourceError(f"tcp {host}:{port} cannot be listened on ({error.strerror})") from error
        bound = self._server.sockets[0].getsockname()
        self.address: tuple[str, int] = (bound[0], bound[1])
        self._thread = threading.Thread(target=self._run, name=f"syslog-{self.address[1]}", daemon=True)

    async def _listen(self, listening: socket.socket) -> asyncio.Server:
        handshake = self._unfinished_s / 6 if self._tls is not None else None
        return await asyncio.start_server(
            self._connection,
            sock=listening,
            ssl=self._tls,
            limit=_READ,
            backlog=_BACKLOG,
            ssl_handshake_timeout=handshake,
            ssl_shutdown_timeout=handshake,
            start_serving=False,
        )

    def start(self) -> None:
        """Begin to accept connections."""
        self._thread.start()

    def stop(self) -> None:
        """Accept nothing more, take what has arrived, and end the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join()
        elif not self._loop.is_closed():
            self._server.close()
            self._loop.run_until_complete(self._server.wait_closed())
            self._loop.close()

    def _run(self) -> None:
        try:
            self._loop.set_exception_handler(self._count_broken)
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001 - kept for whoever asks: the thread cannot raise it
            self.error = error
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        await self._server.start_serving()
        await self._ended.wait()
        self._server.close()
        for reader in self._readers.values():
            reader.feed_eof()  # what has arrived is still taken
        if self._readers:
            await asyncio.wait(set(self._readers), timeout=_END_S)
        late = asyncio.all_tasks() - {asyncio.current_task()}
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed in the next round of the loop

    def _count_broken(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Count what went wrong on a peer's side; a defect of ours ends the server in words."""
        error = context.get("exception")
        if error is None or isinstance(error, OSError | ssl.SSLError | asyncio.CancelledError):
            self.broken += 1
        elif isinstance(error, BaseException):
            self.error = error
            self._ended.set()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        sender = str(peer[0]) if peer else "unknown"
        task = asyncio.current_task()
        assert task is not None
        if len(self._readers) >= self._most or self._of.get(sender, 0) >= MOST_CONNECTIONS_OF_ONE:
            self.refused += 1
            writer.transport.abort()
            return
        self._readers[task] = reader
        self._of[sender] = self._of.get(sender, 0) + 1
        try:
            await self._read(reader, sender)
        finally:
            del self._readers[task]
            self._of[sender] -= 1
            if not self._of[sender]:
                del self._of[sender]
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader, sender: str) -> None:
        """Read one connection to its end; a message unfinished for too long ends it."""
        framing = self._framing()
        begun: float | None = None
        loop = asyncio.get_running_loop()
        try:
            while True:
                while self.reception.full and not self._ended.is_set():
                    await asyncio.sleep(_PAUSE_S)  # TCP makes the sender wait
                patience = IDLE_S if begun is None else begun + self._unfinished_s - loop.time()
                octets = await asyncio.wait_for(reader.read(_READ), max(patience, 0.001))
                if not octets:
                    self._hand_on(framing, framing.finish(), sender)
                    return
                messages = framing.push(octets)
                self._hand_on(framing, messages, sender)
                if getattr(framing, "lost", False):
                    return
                if not framing.partial:
                    begun = None
                elif messages or begun is None:
                    begun = loop.time()
        except TimeoutError:
            if framing.partial:
                fault = f"{sender}: a message was not finished within {self._unfinished_s:.0f} s"
                self.reception.reject("message not finished in time", fault)
        except (ConnectionError, ssl.SSLError):
            self.broken += 1
            if framing.partial:
                self.reception.reject("connection broke within a message", f"{sender}: connection broke")

    def _hand_on(self, framing: StreamFraming, messages: list[bytes], sender: str) -> None:
        now = self._clock()
        for message in messages:
            self.reception.receive(sender, message, now)
        for fault in framing.faults:
            self.reception.reject(fault, f"{sender}: {fault}")
        framing.faults.clear()
