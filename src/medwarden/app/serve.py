"""The console as a process: uvicorn with TLS on one address, and clear words when it cannot listen."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from pathlib import Path

import uvicorn

from medwarden.app.certificate import console_certificate
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.store.open import open_store

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8443
APPLICATION = "medwarden.web.asgi:application"  # by name: pages are a floor above


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises ResourceError when the port is taken or may not be used."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ConfigurationError(f"{host} is no address of this machine: {error.strerror}") from error
    sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(address)
        sock.listen(256)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise ResourceError(
                f"port {port} on {host} is in use by another program: stop it or choose another with --port"
            ) from error
        if error.errno == errno.EACCES:
            raise ResourceError(
                f"port {port} needs rights this user has not: choose one above 1023"
            ) from error
        raise ResourceError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return sock


def serve(home: Path, host: str = DEFAULT_HOST, port: int = DEFAULT_PORT, *, tls: bool = True) -> None:
    """Serve the console until SIGTERM or SIGINT. Raises ResourceError or ConfigurationError at start."""
    sock = listen(host, port)
    with sock, open_store(home, writer=True, role="serve"):
        certificate, key = console_certificate(home) if tls else (None, None)
        server = uvicorn.Server(
            uvicorn.Config(
                APPLICATION,
                ssl_certfile=certificate,
                ssl_keyfile=str(key) if key else None,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=3,
                lifespan="off",
            )
        )
        _end_in_order(server)
        server.run(sockets=[sock])


def _end_in_order(server: uvicorn.Server) -> None:
    """Let SIGTERM and SIGINT end the server alone: uvicorn raises them once more when it has ended.

    That would kill the process before the store is closed and sealed.
    """

    def end(_number: int, _frame: object) -> None:
        server.should_exit = True

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
