"""How a feed looks at its publisher: through the one HTTP session, with what it learnt at the last look."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Protocol

import msgspec

from medwarden.kernel.errors import ConfigurationError, MedwardenError, RemoteServiceError
from medwarden.model.feed import Feed
from medwarden.transport.http import DownloadFailed, HttpSession, Limits
from medwarden.transport.kept import Kept
from medwarden.transport.pace import Pace

_ABSENT = re.compile(r"has no such file|is gone for good")


class Arrived(msgspec.Struct, frozen=True):
    """A file that came. ``verified``: a signature of the publisher was checked and holds.

    ``publishers`` are those whose word the signature proves; None where the file is of one publisher alone.
    """

    path: Path
    reference: str
    verified: bool = False
    publishers: tuple[str, ...] | None = None


class Sources(msgspec.Struct, frozen=True):
    """What a hospital sets for its downloads.

    ``mirrors`` maps the beginning of addresses to that of a mirror; ``csaf`` names providers by domain or
    by the address of their metadata; ``osv`` the ecosystems of software packages; ``keys`` are API keys.
    ``vouches`` are names of publishers for which a provider of ``csaf`` speaks beside itself.
    """

    mirrors: Mapping[str, str] = {}
    csaf: tuple[str, ...] = ("https://www.cisa.gov/sites/default/files/csaf/provider-metadata.json",)
    osv: tuple[str, ...] = ()
    keys: Mapping[str, str] = {}
    vouches: Mapping[str, tuple[str, ...]] = {}


class Desk:
    """What a feed has at hand: a folder, what it remembers (``state``), and how to get a file.

    ``state`` is kept only if what came is put in use. ``failures`` are sentences on parts of a feed that
    failed while others came; ``notes`` what is worth knowing. ``limits`` is what no file may go beyond.
    ``kept`` is a folder for large files of a look that may fail before its end: the next one takes them up.
    """

    def __init__(
        self,
        session: HttpSession,
        folder: Path,
        state: Mapping[str, str],
        sources: Sources,
        now_s: float,
        limits: Limits | None = None,
        kept: Path | None = None,
    ) -> None:
        self._session = session
        self._folder = folder
        self._kept = None if kept is None else Kept(kept)
        self._ceiling = limits
        self.state = dict(state)
        self.sources = sources
        self.now_s = now_s
        self.failures: list[str] = []
        self.notes: list[str] = []
        self.onward = ""
        """Where the answer that came last says that its next page is (RFC 8288, ``rel=next``)."""

    def address(self, url: str) -> str:
        """Return where a file is to be got: at a mirror where one is set."""
        for start, mirror in self.sources.mirrors.items():
            if url.startswith(start):
                return mirror + url[len(start) :]
        return url

    def get(
        self,
        url: str,
        *,
        remember: bool = False,
        pace: Pace | None = None,
        headers: Mapping[str, str] | None = None,
        sha256: str = "",
        sha512: str = "",
        limits: Limits | None = None,
        keep: bool = False,
    ) -> Path | None:
        """Download a file; None where it is the one of the last look (``remember``).

        ``keep`` lets the next look take up what this one got of the file, should it fail before its end.
        Raises RemoteServiceError as :meth:`HttpSession.fetch` does.
        """
        name = hashlib.sha256(url.encode()).hexdigest()[:32]
        target = self._folder / name
        kept = self._kept if keep else None
        if kept is not None and kept.restore(name, target):
            return target
        came = self._session.fetch(
            self.address(url),
            target,
            headers=headers,
            etag=self.state.get(f"etag {url}", "") if remember else "",
            last_modified=self.state.get(f"modified {url}", "") if remember else "",
            sha256=sha256,
            sha512=sha512,
            limits=self._bounded(limits),
            pace=pace,
            partial=None if kept is None else kept.partial(name),
        )
        if kept is not None:
            kept.store(name, target)
        self.onward = came.onward
        if came.skew_s:
            note = f"the clock of {url.split('/')[2]} is {abs(came.skew_s):.0f} s "
            note += "ahead of ours" if came.skew_s > 0 else "behind ours"
            if note.partition(" is ")[0] not in " ".join(self.notes):
                self.notes.append(note)
        if not came.fresh:
            return None
        if remember:
            self.state[f"etag {url}"] = came.etag
            self.state[f"modified {url}"] = came.last_modified
        return target

    def _bounded(self, wanted: Limits | None) -> Limits:
        """Return the bounds of a file: its own, or the ordinary ones, and never beyond the desk's."""
        wanted, ceiling = wanted or Limits(), self._ceiling
        if ceiling is None:
            return wanted
        return Limits(
            min(wanted.most_bytes, ceiling.most_bytes), min(wanted.most_seconds, ceiling.most_seconds)
        )

    def forget_kept(self) -> None:
        """Throw away what was kept: the look is at its end, or what came is not what it should be."""
        if self._kept is not None:
            self._kept.clear()

    def get_if_there(self, url: str, pace: Pace | None = None) -> bytes | None:
        """Return a small file, None where the publisher has none (404, 410)."""
        try:
            path = self.get(url, pace=pace, limits=Limits(most_bytes=1 << 20))
        except RemoteServiceError as error:
            if _ABSENT.search(str(error)):
                return None
            raise
        return path.read_bytes() if path else None


class LiveFeed(Protocol):
    """A feed that looks for itself; one with ``addresses`` alone is looked at by :func:`look`."""

    @staticmethod
    def fetch(desk: Desk) -> Iterator[Arrived]:
        """Yield what is new at the publisher; remembers in ``desk.state`` where it stopped."""


class _Addressed(Protocol):
    addresses: ClassVar[tuple[str, ...]]


def is_live(feed: type[Feed]) -> bool:
    """Tell whether a feed can be brought over the network."""
    return hasattr(feed, "fetch") or hasattr(feed, "addresses")


def is_on_request(feed: type[Feed]) -> bool:
    """Tell whether a feed is only brought where somebody names it."""
    return bool(getattr(feed, "on_request", False))


def look(feed: type[Feed], desk: Desk) -> Iterator[Arrived]:
    """Yield what is new at the publisher of a feed. Raises RemoteServiceError where it does not answer."""
    fetch = getattr(feed, "fetch", None)
    if fetch is not None:
        yield from fetch(desk)
        return
    addresses: tuple[str, ...] = getattr(feed, "addresses", ())
    if not addresses:
        raise ConfigurationError(f"{feed.manifest.title} has no address: import its files")
    for url in addresses:
        path = desk.get(url, remember=True)
        if path is not None:
            yield Arrived(path, url)


def each(desk: Desk, parts: Iterable[str], fetch: object) -> Iterator[Arrived]:
    """Yield what several publishers bring, all of one or nothing; what fails is kept in ``desk.failures``."""
    assert callable(fetch)
    for part in parts:
        before = dict(desk.state)
        try:
            came = list(fetch(desk, part))
        except MedwardenError as error:
            if not isinstance(error, DownloadFailed):
                desk.forget_kept()
            desk.state = before
            desk.failures.append(str(error))
            continue
        yield from came
