"""What a connector has at hand when it asks a scanner: questions, a folder, and where it stopped last."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec

from medwarden.connectors.scanners.spelling import pattern_of
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
_NAMING = re.compile(r"[a-z][a-z_-]{0,19}|[0-9]\.[0-9]")
"""Parts of a path that name an endpoint: words and versions. What else stands there, may be anybody's."""
_SHORTEST = 4
"""Letters of an account or secret; what is shorter stands in every sentence."""
_SHORTEST_KEY = 20
"""Letters from which an account is the first half of a key and no name that could be part of a word."""
_WORD_BEGINS = r"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt])|(?<=\\u[0-9A-Fa-f]{4}))"
_WORD_ENDS = r"(?!\w)"
_OF_ONE = frozenset({403, 404})
"""Refusals that concern one report and not the account."""

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

    def without(self, text: str) -> str:
        """Return a text without either half, however it is written: scanners repeat what they were told.

        An account that is short is left out where it is a word of its own: ``admin`` is none in
        ``administrator``. Clean before cutting: half a secret is not found.
        """
        written = {half: pattern_of(half) for half in (self.account, self.secret) if len(half) >= _SHORTEST}
        if self.account != self.secret and self.account in written and len(self.account) < _SHORTEST_KEY:
            written[self.account] = f"{_WORD_BEGINS}{written[self.account]}{_WORD_ENDS}"
        for header in self.basic().values():
            held = header.partition(" ")[2]
            written[held] = pattern_of(held)
        for half in sorted(written, key=len, reverse=True):
            text = re.sub(written[half], "…", text)
        return text

    def basic(self) -> dict[str, str]:
        """Return the header of basic authentication (RFC 7617)."""
        pair = base64.b64encode(f"{self.account}:{self.secret}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}


class Enough(DownloadFailed):
    """A pull brought as much as one may; what came is kept, and the next goes on from there."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)


class Allowance(msgspec.Struct, frozen=True):
    """What one pull may bring and take: bytes, reports, rows of them, seconds, and bytes it may hold at once.

    It bounds what a scanner that never ends can do. No hospital's comes near it, but for its first pull.
    """

    most_bytes: int = 16 << 30
    most_reports: int = 2000
    most_rows: int = 20_000_000
    most_seconds: float = 12 * 3600.0
    most_held: int = 64 << 30


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
    ``allowance`` bounds all that comes together; ``now`` is the clock by which it is measured.
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
        allowance: Allowance | None = None,
        now: Callable[[], float] = time.monotonic,
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
        self._allowance = allowance or Allowance()
        self._now = now
        self._begun = now()
        self._bytes = self._held = self._reports = self._rows = 0
        self._kept_as: dict[Path, str] = {}

    def may_go_on(self) -> None:
        """Raise :class:`Enough` where the pull brought or took as much as one may."""
        most = self._allowance
        reached = next(
            (
                words
                for words, there, bound in (
                    (f"{most.most_bytes // MEBI:,} MiB", self._bytes, most.most_bytes),
                    (f"{most.most_reports:,} reports", self._reports, most.most_reports),
                    (f"{most.most_rows:,} rows", self._rows, most.most_rows),
                    (f"{most.most_seconds / 3600:,.1f} hours", self._now() - self._begun, most.most_seconds),
                )
                if there >= bound
            ),
            "",
        )
        if reached:
            raise Enough(
                f"{self.title} has more than one pull may bring ({reached}): what came is taken in, and the"
                " next pull goes on from there"
            )

    def keep(self, name: str, path: Path) -> None:
        """Keep a file that came, for the next pull to take up should this one fail."""
        self.kept.store(name, path)
        self._kept_as[path] = name

    def take_up(self, name: str, path: Path) -> bool:
        """Lay a file down at ``path`` that a pull before this one kept; tell whether there is one."""
        if not self.kept.restore(name, path):
            return False
        self._kept_as[path] = name
        self.hold(path.stat().st_size)
        return True

    def served(self, path: Path) -> None:
        """Let go of a report that was taken in: nobody has to take it up again."""
        path.unlink(missing_ok=True)
        kept = self._kept_as.pop(path, "")
        if kept:
            self.kept.drop(kept)

    def spend(self, size: int = 0, *, reports: int = 0, rows: int = 0) -> None:
        """Count what came: bytes, reports that were taken in, rows of them."""
        self._bytes += size
        self._reports += reports
        self._rows += rows
        self.hold(size)

    def hold(self, size: int) -> None:
        """Count what lies here of this pull and of those it takes up.

        Raises RemoteServiceError where it is more than any scanner has: nothing of it is then taken up again.
        """
        self._held += size
        if self._held > self._allowance.most_held:
            raise RemoteServiceError(
                f"{self.title} has more than {self._allowance.most_held >> 30} GiB at once: let it report"
                " less, or on fewer devices"
            )

    def endpoint(self, path: str) -> str:
        """Return a path as errors may tell it: without a query, numbers, names and tokens."""
        parts = path.partition("?")[0].split("/")
        return "/".join(part if not part or _NAMING.fullmatch(part) else "…" for part in parts)

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
            raise self.otherwise(
                f"{self.endpoint(path)}: {self.credentials.without(str(error))[:160]}"
            ) from error
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
        self.may_go_on()
        if keep and self.take_up(keep, target):
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
                named=f"{self.title} at {self.host}, {self.endpoint(path)}",
            )
        except DownloadFailed as error:
            raise self._refused(error) from error
        self.spend(came.size)
        if not came.fresh:
            raise self.otherwise("it says that nothing changed, which it was not asked")
        if keep:
            self.keep(keep, target)
        return target

    @property
    def host(self) -> str:
        """Return whom the address names, without a path."""
        return urlsplit(self.address).netloc.rpartition("@")[2] or "this machine"

    def of_one(self, what: str, bring: Callable[[], _T]) -> _T | None:
        """Return what ``bring`` brings; None where the scanner refuses that alone, which is then a failure.

        Raises as ``bring`` does for everything that concerns the account or the whole.
        """
        try:
            return bring()
        except DownloadFailed as error:
            if error.status not in _OF_ONE:
                raise
            self.failures.append(f"{what}: {error}")
            return None

    def ended(self, there: Collection[str]) -> None:
        """End a pull that came to its end: remember only what is ``there`` still, keep nothing to take up."""
        self.state = {key: value for key, value in self.state.items() if key in there}
        self.kept.clear()

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
            self.may_go_on()
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
        return DownloadFailed(f"{self.title} at {self.host} {said}", error.status)


class ScannerConnector(Protocol):
    """One scanner's interface: brings what is new there as files."""

    manifest: ClassVar[ConnectorManifest]

    @staticmethod
    def pull(desk: Desk) -> Iterator[Brought]:
        """Yield what is new since ``desk.state``. Raises RemoteServiceError where the scanner fails."""
        ...
