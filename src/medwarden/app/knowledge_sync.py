"""Knowledge over the network: each feed looked at through the one HTTP session, all or nothing.

Nothing calls out by itself: only ``knowledge sync`` does, or the schedule that an operator turned on
(:mod:`medwarden.app.knowledge_schedule`).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from medwarden.app.knowledge import Arriving, FeedReport, Progress, writing
from medwarden.app.knowledge_settings import SyncSettings, ordinary_feeds, read_settings, sources_of
from medwarden.feeds.containers import Bounds, members
from medwarden.feeds.download import Desk, Sources, look
from medwarden.feeds.registry import feed_named
from medwarden.kernel.errors import MedwardenError, RemoteServiceError, ResourceError
from medwarden.kernel.printable import printable
from medwarden.model.feed import Feed
from medwarden.store.knowledge import FeedState, Knowledge
from medwarden.store.knowledge_editions import Brought, Gathering, note_look, put_in_use
from medwarden.transport.http import DownloadFailed, HttpSession, Limits

_MOST_REJECTED = 0.1
_FEW = 5
_LEAST_SHARE = 0.5
_LEAST_UNPACKED = 64 << 20
_MOST_RATIO = 150
_MOST_NAMED = 3
"""How many times its size a file may unpack to; the densest of publishers unpack to thirty times."""


def sync(
    home: Path,
    names: Iterable[str] = (),
    *,
    session: HttpSession | None = None,
    settings: SyncSettings | None = None,
    progress: Progress | None = None,
    wall: Callable[[], float] = time.time,
    limits: Limits | None = None,
) -> tuple[FeedReport, ...]:
    """Bring feeds up to date: those named, else all that are brought without being asked for.

    A feed that fails keeps its edition, and the status says why. Raises ConfigurationError for an unknown
    name, ResourceError for the disk.
    """
    settings = settings or read_settings(home)
    chosen = [feed_named(name) for name in names] or list(ordinary_feeds(settings))
    own = session or HttpSession(
        proxy=settings.proxy, authorities=Path(settings.authorities) if settings.authorities else None
    )
    reports = []
    try:
        with writing(home) as knowledge:
            for number, feed in enumerate(chosen):
                if progress is not None:
                    progress(number, len(chosen), feed.manifest.title)
                looking = _Look(knowledge, feed, own, sources_of(settings), wall, limits)
                reports.append(looking.report())
    finally:
        if session is None:
            own.close()
    return tuple(reports)


def _foreign(arriving: Arriving) -> list[str]:
    """Return a sentence on documents in the name of somebody for whom their provider does not speak."""
    if not arriving.unproven:
        return []
    names = sorted(arriving.unproven)
    who = ", ".join(printable(name)[:60] for name in names[:_MOST_NAMED])
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return [
        f"{sum(arriving.unproven.values())} documents are signed by their provider, but name {who}{more} as"
        " publisher: they count as unsigned until a person lets the provider speak for them"
    ]


def _bounds(path: Path) -> Bounds:
    """Return what a file may unpack to, by its size: beyond that it is made to fill the disk."""
    most = min(Bounds().most_member, max(_LEAST_UNPACKED, _MOST_RATIO * path.stat().st_size))
    return Bounds(most_member=most, most_bytes=2 * most)


class _Look:
    """One look at one publisher."""

    def __init__(
        self,
        knowledge: Knowledge,
        feed: type[Feed],
        session: HttpSession,
        sources: Sources,
        wall: Callable[[], float],
        limits: Limits | None,
    ) -> None:
        self._knowledge = knowledge
        self._feed = feed
        self._id = feed.manifest.id
        self._known: FeedState | None = knowledge.states().get(self._id)
        self._session = session
        self._sources = sources
        self._wall = wall
        self._limits = limits

    def report(self) -> FeedReport:
        """Look, put in use what came, and say how it went."""
        brought = Brought(self._id, proof="transport")
        try:
            with (
                tempfile.TemporaryDirectory(prefix="arriving-", dir=self._knowledge.folder) as folder,
                Gathering(self._knowledge.folder) as gathering,
            ):
                return self._look(Path(folder), gathering, brought)
        except ResourceError:
            raise
        except MedwardenError as error:
            self._knowledge.note_failure(self._id, str(error))
            return self._said(brought, str(error))

    def _look(self, folder: Path, gathering: Gathering, brought: Brought) -> FeedReport:
        # What was remembered belongs to the edition in use; without one everything is asked for anew.
        state = self._known.state if self._known and self._known.edition else {}
        kept = self._knowledge.folder / "under-way" / self._id
        desk = Desk(self._session, folder, state, self._sources, self._wall(), self._limits, kept)
        try:
            return self._take(desk, gathering, brought)
        except DownloadFailed:
            raise
        except MedwardenError:
            desk.forget_kept()  # what cannot be read must not be taken up again
            raise

    def _take(self, desk: Desk, gathering: Gathering, brought: Brought) -> FeedReport:
        arriving = Arriving(gathering, "transport", only=self._id)
        arrived, verified = 0, True
        for file in look(self._feed, desk):
            arrived += 1
            verified = verified and file.verified
            known = len(arriving.files)
            name = file.reference.rpartition("/")[2] or self._id
            for member in members(file.path, name, _bounds(file.path)):
                arriving.take(member, file.reference, file.verified, publishers=file.publishers)
            file.path.unlink(missing_ok=True)
            if len(arriving.files) == known:
                raise RemoteServiceError(f"{file.reference} is not as published: nothing was changed")
        desk.notes += _foreign(arriving)
        verified = verified and not arriving.unproven
        notes = "; ".join(desk.notes)
        if arrived:
            for held in arriving.brought.get(self._id, {}).values():
                brought.add(held)
            brought.proof = "publisher" if verified else "transport"
            brought.came_from = ", ".join(sorted({f.name for f in arriving.files})[:3])
            self._judge(arriving, brought)
            edition = put_in_use(
                self._knowledge,
                gathering,
                brought,
                source=max(arriving.brought[self._id]),
                whole=self._feed.manifest.whole,
                state=desk.state,
                notes=notes,
            )
        else:
            edition = None
            if not desk.failures:
                note_look(self._knowledge, self._id, desk.state, notes)
        desk.forget_kept()
        failure = "; ".join(desk.failures)
        if failure:
            self._knowledge.note_failure(self._id, failure)
        return msgspec.structs.replace(self._said(brought, failure), edition=edition)

    def _judge(self, arriving: Arriving, brought: Brought) -> None:
        """Raise RemoteServiceError where what came cannot be what the publisher meant."""
        title = self._feed.manifest.title
        broken = next((file for file in arriving.files if file.error), None)
        if broken is not None:
            raise RemoteServiceError(f"{title}: {broken.error}")
        if not brought.seen:
            raise RemoteServiceError(f"{title}: what came holds no record: nothing was changed")
        if brought.rejected > _FEW and brought.rejected > _MOST_REJECTED * brought.seen:
            raise RemoteServiceError(
                f"{title}: {brought.rejected} of {brought.seen} records cannot be read, as"
                f" {brought.problems[0]}: the publisher seems to have changed its form, nothing was changed"
            )
        short = next((file for file in arriving.files if file.note), None)
        if short is not None:
            raise RemoteServiceError(f"{title}: {short.name}: {short.note}: nothing was changed")
        current = self._known.edition if self._known else None
        if self._feed.manifest.whole and current is not None:
            if brought.kept < _LEAST_SHARE * current.kept:
                raise RemoteServiceError(
                    f"{title}: it has {brought.kept} records, where there were {current.kept}:"
                    " nothing was changed"
                )
            if brought.updated < current.updated:
                raise RemoteServiceError(
                    f"{title}: it is of {brought.updated[:19]}, older than what is in use"
                    f" ({current.updated[:19]}): nothing was changed"
                )

    def _said(self, brought: Brought, error: str) -> FeedReport:
        return FeedReport(
            self._id,
            brought.seen,
            brought.kept,
            brought.passed,
            brought.rejected,
            None,
            tuple(brought.problems),
            error,
        )
