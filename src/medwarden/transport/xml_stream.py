"""A conversation in XML over one connection: a command out, one element back (Greenbone speaks so).

Over TLS or a Unix socket. Answers end with their outermost element, are bounded in size and time, may not
declare entities, and go to a file as they come.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from xml.parsers import expat

from medwarden.kernel.errors import ConfigurationError, MalformedInput, RemoteServiceError, ResourceError
from medwarden.transport.http import MEBI, Limits
from medwarden.transport.xml_pieces import XmlPieces

_PIECE = 1 << 16
_WRITE = "write tls://host:9390 or unix:///run/gvmd/gvmd.sock"
_MOST_DEPTH = 64
_LONGEST_TAG = 1 << 16
"""Bytes; a peer may send them one by one."""


class XmlStream:
    """One connection to ``address``: ``tls://host:port`` or ``unix:///path/of/socket``.

    ``authorities`` is a file of CA certificates, ``fingerprint`` the SHA-256 of the one certificate that is
    believed instead. ``read_s`` is how many seconds a silence may last, ``now`` a clock given by tests.
    """

    def __init__(
        self,
        address: str,
        *,
        authorities: Path | None = None,
        fingerprint: str = "",
        read_s: float = 120.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect.

        Raises ConfigurationError for another kind of address, RemoteServiceError where nobody answers there
        or the certificate does not hold.
        """
        self._address = address
        self._now = now
        self._socket = self._connected(authorities, fingerprint, read_s)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def ask(self, command: bytes, target: Path, limits: Limits) -> None:
        """Say ``command`` and write the element that comes back to ``target``.

        Raises RemoteServiceError where it is broken, cut off, too large or too slow.
        """
        begun, size, answer = self._now(), 0, _Answer()
        try:
            self._socket.sendall(command)
            with target.open("wb") as out:
                while not answer.whole:
                    piece = self._socket.recv(_PIECE)
                    if not piece:
                        raise self._failed("the connection ended in the middle of an answer")
                    size += len(piece)
                    if size > limits.most_bytes:
                        raise self._failed(
                            f"an answer is larger than the {limits.most_bytes // MEBI} MiB it may be"
                        )
                    if self._now() - begun > limits.most_seconds:
                        raise self._failed(f"an answer took longer than {limits.most_seconds:.0f} seconds")
                    answer.feed(piece)
                    self._keep(out.write, piece)
        except expat.ExpatError as error:
            raise self._failed(f"what it says is no XML ({expat.ErrorString(error.code)})") from error
        except TimeoutError as error:
            raise self._failed("it fell silent in the middle of an answer") from error
        except OSError as error:
            raise self._failed(error.strerror or str(error)) from error
        if answer.refused:
            raise self._failed(answer.refused)

    @staticmethod
    def _keep(write: Callable[[bytes], int], piece: bytes) -> None:
        try:
            write(piece)
        except OSError as error:
            raise ResourceError(f"an answer cannot be kept: {error.strerror or error}") from error

    def _connected(self, authorities: Path | None, fingerprint: str, read_s: float) -> socket.socket:
        try:
            parts = urlsplit(self._address)
            if parts.scheme == "unix" and parts.path:
                plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                plain.settimeout(read_s)
                try:
                    plain.connect(parts.path)
                except OSError:
                    plain.close()
                    raise
                return plain
            if parts.scheme != "tls" or not parts.hostname or not parts.port:
                raise ConfigurationError(f"{self._address[:80]}: {_WRITE}")
            return self._over_tls(parts.hostname, parts.port, authorities, fingerprint, read_s)
        except ssl.SSLCertVerificationError as error:
            raise self._failed(
                f"its certificate does not hold ({error.verify_message}): name the authority that signed it,"
                " or pin its fingerprint"
            ) from error
        except OSError as error:
            raise self._failed(error.strerror or str(error)) from error
        except ValueError as error:  # a name that no host can have, a port that is none
            raise ConfigurationError(f"{self._address[:80]}: {_WRITE}") from error

    def _over_tls(
        self, host: str, port: int, authorities: Path | None, fingerprint: str, read_s: float
    ) -> socket.socket:
        context = ssl.create_default_context(cafile=None if authorities is None else str(authorities))
        if fingerprint:  # checked below in place of chain and name
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection((host, port), timeout=read_s)
        try:
            secure = context.wrap_socket(plain, server_hostname=host)
        except OSError:
            plain.close()
            raise
        shown = hashlib.sha256(secure.getpeercert(binary_form=True) or b"").hexdigest()
        if fingerprint and shown != fingerprint.replace(":", "").lower():
            secure.close()
            raise self._failed(
                "its certificate is not the pinned one: either somebody stands in between, or it was renewed"
                " and its new fingerprint has to be pinned"
            )
        return secure

    def _failed(self, why: str) -> RemoteServiceError:
        return RemoteServiceError(f"{self._address} cannot be asked: {why}")


class _Answer:
    """Tells where one element ends, without keeping any of it."""

    def __init__(self) -> None:
        self._depth = 0
        self.whole = False
        self.refused = ""
        self._parser = expat.ParserCreate()
        if hasattr(self._parser, "SetReparseDeferralEnabled"):
            self._parser.SetReparseDeferralEnabled(False)  # the end must be seen when it comes, not later
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = self._refuse
        self._parser.ExternalEntityRefHandler = self._refuse
        self._pieces = XmlPieces(self._parser, "an answer", _LONGEST_TAG)

    def feed(self, piece: bytes) -> None:
        try:
            self._pieces.feed(piece)
        except expat.ExpatError:
            if not self.whole:  # what follows the element is for who reads it to judge
                raise
        except MalformedInput as error:
            if not self.whole:
                self.refused, self.whole = error.reason, True

    def _start(self, _tag: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            self._refuse()

    def _end(self, _tag: str) -> None:
        self._depth -= 1
        self.whole = self.whole or self._depth == 0

    def _refuse(self, *_: object) -> int:
        self.refused, self.whole = "an answer declares entities or is nested without end", True
        return 0
