"""What a connector has at hand when it asks a scanner: questions, a folder, and where it stopped last."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

import msgspec

from medwarden.kernel.errors import RemoteServiceError
from medwarden.transport.http import MEBI, DownloadFailed, HttpSession, Limits
from medwarden.transport.kept import Kept
from medwarden.transport.pace import Pace

_T = TypeVar("_T")
_SMALL = Limits(most_bytes=64 * MEBI, most_seconds=600.0)
REPORT = Limits(most_bytes=2048 * MEBI, most_seconds=4 * 3600.0)
"""What a report may cost: no scanner of one hospital writes more."""
_FIRST_PAUSE_S = 2.0
_LONGEST_PAUSE_S = 30.0
_LONGEST_WAIT_S = 2 * 3600.0

Progress = Callable[[int, int, str], None]
"""How far a pull is: done, of how many (0: not known), doing what."""


class ConnectorManifest(msgspec.Struct, frozen=True):
    """How a connector declares itself.

    ``scanner`` is the product as in :data:`medwarden.model.scan.SCANNERS`; ``address`` where it usually
    answers; ``account`` and ``secret`` what the two halves of its credentials are called there; ``chosen``
    what can be chosen among (empty: everything is asked for); ``reference`` the published description.
    """

    name: str
    title: str
    scanner: str
    reference: str
    address: str
    account: str
    secret: str
    chosen: str = ""
    schemes: tuple[str, ...] = ("https",)


class Credentials(msgspec.Struct, frozen=True):
    """What a scanner knows us by. Neither half is ever written to a message or a log."""

    account: str
    secret: str

    def __repr__(self) -> str:
        return "Credentials(...)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return []

    def basic(self) -> dict[str, str]:
        """Return the header of basic authentication (RFC 7617)."""
        pair = base64.b64encode(f"{self.account}:{self.secret}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}


class Brought(msgspec.Struct, frozen=True):
    """A report that came: the file, and what people call it.

    ``alone`` tells that others may be taken in where this one cannot be read.
    """

    path: Path
    name: str
    alone: bool = False


class Stream(Protocol):
    """A conversation in XML over one connection (:class:`medwarden.transport.xml_stream.XmlStream`)."""

    def ask(self, command: bytes, target: Path, limits: Limits) -> None:
        """Say ``command`` and write the element that comes back to ``target``."""
        ...

    def close(self) -> None:
        """End the conversation."""
        ...


class Asked(msgspec.Struct, frozen=True):
    """Whom a desk asks: the address before the API's paths, what is chosen there, what we are known by."""

    title: str
    address: str
    credentials: Credentials
    chosen: tuple[str, ...] = ()


class Desk:
    """One pull from one scanner.

    ``state`` is what the connector remembers from pull to pull; it is kept as it stands each time a report
    that was handed on has been taken in, and at the end. ``failures`` are sentences on reports that did not
    come while others did. ``open_stream`` connects to a scanner that speaks XML over one connection.
    """

    def __init__(
        self,
        asked: Asked,
        session: HttpSession,
        folder: Path,
        kept: Kept,
        state: Mapping[str, str],
        *,
        now_s: float,
        progress: Progress | None = None,
        open_stream: Callable[[str], Stream] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        limits: Limits | None = None,
    ) -> None:
        self.credentials = asked.credentials
        self.chosen = asked.chosen
        self.address = asked.address.rstrip("/")
        self.title = asked.title
        self.folder = folder
        self.kept = kept
        self.state = dict(state)
        self.now_s = now_s
        self.failures: list[str] = []
        self.open_stream = open_stream
        self._session = session
        self._progress = progress
        self._sleep = sleep
        self._ceiling = limits

    def tell(self, done: int, total: int, what: str) -> None:
        """Say how far the pull is."""
        if self._progress is not None:
            self._progress(done, total, what)

    def answer(
        self,
        path: str,
        kind: type[_T],
        headers: Mapping[str, str],
        *,
        body: bytes | None = None,
        pace: Pace | None = None,
    ) -> _T:
        """Return a short answer in JSON. Raises RemoteServiceError where it is not of the published form."""
        came = self.file(path, headers, body=body, pace=pace, limits=_SMALL)
        try:
            return msgspec.json.decode(came.read_bytes(), type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self.otherwise(f"{path.partition('?')[0]}: {str(error)[:160]}") from error
        finally:
            came.unlink(missing_ok=True)

    def file(
        self,
        path: str,
        headers: Mapping[str, str],
        *,
        body: bytes | None = None,
        pace: Pace | None = None,
        limits: Limits = REPORT,
        keep: str = "",
    ) -> Path:
        """Download what stands at ``path`` of the scanner.

        ``keep`` names it for the next pull, which then does not ask for it again should this one fail.
        Raises RemoteServiceError, :class:`DownloadFailed` with its status where the scanner refuses.
        """
        target = self.folder / hashlib.sha256((keep or path).encode()).hexdigest()[:32]
        if keep and self.kept.restore(keep, target):
            return target
        try:
            came = self._session.fetch(
                self.address + path,
                target,
                headers=headers,
                body=body,
                limits=self.bounded(limits),
                pace=pace,
                partial=self.kept.partial(keep) if keep else None,
            )
        except DownloadFailed as error:
            raise self._refused(error) from error
        if not came.fresh:
            raise self.otherwise("it says that nothing changed, which it was not asked")
        if keep:
            self.kept.store(keep, target)
        return target

    def bounded(self, wanted: Limits) -> Limits:
        """Return the bounds of a file, never beyond those of the desk."""
        if self._ceiling is None:
            return wanted
        return Limits(
            min(wanted.most_bytes, self._ceiling.most_bytes),
            min(wanted.most_seconds, self._ceiling.most_seconds),
        )

    def until(self, ready: Callable[[], bool], what: str) -> None:
        """Ask again and again, with growing pauses, until something is ready.

        Raises RemoteServiceError where it takes longer than two hours.
        """
        pause, waited = _FIRST_PAUSE_S, 0.0
        while not ready():
            if waited >= _LONGEST_WAIT_S:
                raise RemoteServiceError(
                    f"{self.title} was not ready with {what} in {_LONGEST_WAIT_S / 3600:.0f} hours: "
                    "the next pull asks again"
                )
            self._sleep(pause)
            waited += pause
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)

    def wanted(self, *names: str) -> bool:
        """Tell whether something that goes by these names was chosen; all is where nothing was."""
        return not self.chosen or any(name in self.chosen for name in names)

    def otherwise(self, what: str) -> RemoteServiceError:
        """Return the error of an answer that is not of the published form."""
        return RemoteServiceError(
            f"{self.title} answers otherwise than its maker publishes ({what}): nothing of it was taken in"
        )

    def _refused(self, error: DownloadFailed) -> DownloadFailed:
        words = {
            401: "does not accept these credentials: give them anew, as a new key of an account that lives",
            403: "knows the account, but does not let it read this: give it the right to see scans",
        }
        said = words.get(error.status)
        if said is None:
            return error
        return DownloadFailed(f"{self.title} at {self.address} {said}", error.status)


class ScannerConnector(Protocol):
    """One scanner's interface: brings what is new there as files."""

    manifest: ClassVar[ConnectorManifest]

    @staticmethod
    def pull(desk: Desk) -> Iterator[Brought]:
        """Yield what is new since ``desk.state``. Raises RemoteServiceError where the scanner fails."""
        ...
