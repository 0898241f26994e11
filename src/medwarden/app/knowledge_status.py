"""How every source of knowledge stands: what is in use, how old it is, what went wrong, in words."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from medwarden.app.knowledge_settings import SyncSettings, read_settings, stale_after_h
from medwarden.feeds.download import is_live, is_on_request
from medwarden.feeds.registry import feeds
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.feed import Feed, FeedManifest, Kind
from medwarden.store.knowledge import Edition, FeedState, Knowledge

DEMONSTRATION = "demonstration"
"""What speaks for an edition that only shows how the product works; it does not grow old."""

_NS_PER_H = 3_600_000_000_000
_TOLERATED_AHEAD_NS = 24 * _NS_PER_H


class FeedStatus(msgspec.Struct, frozen=True):
    """How a feed stands for a person.

    ``looked_ns`` is the last look at the publisher that went well (for a bundle: where it was made),
    ``failed_ns`` the last one that did not, if it is younger; ``failure`` says why. ``as_of_ns`` is of when
    the knowledge is: of the last good look, and of files that a person brought, of the publisher's own date.
    ``age_h`` is its age; beyond ``stale_after_h`` it is ``stale``, and ``warning`` says so.
    """

    manifest: FeedManifest
    edition: Edition | None
    counts: Mapping[Kind, int]
    looked_ns: int
    as_of_ns: int
    age_h: float | None
    stale_after_h: int
    stale: bool
    warning: str
    failed_ns: int
    failure: str
    notes: str
    live: bool
    on_request: bool

    @property
    def undated(self) -> bool:
        """Tell whether nobody says of when the knowledge is: files that a person brought, without a date."""
        edition = self.edition
        return edition is not None and edition.proof == "unsigned" and not edition.updated

    @property
    def tried_ns(self) -> int:
        """Return when somebody last tried to bring it up to date; 0 for never."""
        return max(self.looked_ns, self.failed_ns)


class Source(msgspec.Struct, frozen=True):
    """A feed as pages, tables and programs show it: everything of :class:`FeedStatus` in plain fields.

    ``records`` counts what is in use, ``seen`` to ``rejected`` what the last import brought: seen = kept +
    passed + rejected. ``edition`` counts those of the feed. ``undated``: files that do not say of when they
    are; ``as_of_ns`` is when they came.
    """

    id: str
    title: str
    publisher: str
    licence: str
    home: str
    brings: str
    changes: str
    edition: int | None
    version: str
    published: str
    came_from: str
    proof: str
    digest: str
    made_ns: int
    records: int
    counts: dict[str, int]
    seen: int
    kept: int
    passed: int
    rejected: int
    problems: tuple[str, ...]
    as_of_ns: int
    age_h: float | None
    stale_after_h: int
    stale: bool
    undated: bool
    warning: str
    looked_ns: int
    tried_ns: int
    failed_ns: int
    failure: str
    notes: str
    live: bool
    on_request: bool


class Standing(msgspec.Struct, frozen=True):
    """All feeds together: how many are in use, stale, failed last; ``sentences`` are what is to be told.

    ``as_of_ns`` is of when the oldest of the feeds in use is, ``shown`` whether all are the demonstration's.
    """

    in_use: int
    stale: tuple[str, ...]
    failed: tuple[str, ...]
    sentences: tuple[str, ...]
    as_of_ns: int
    shown: bool


def status(home: Path, now_ns: int | None = None) -> tuple[FeedStatus, ...]:
    """Return how every feed stands, those that were never taken in too."""
    now = time.time_ns() if now_ns is None else now_ns
    try:
        settings = read_settings(home)
    except ConfigurationError:
        settings = SyncSettings()  # a file that does not hold is told where it is used: by sync and schedule
    with Knowledge(home) as knowledge:
        states = knowledge.states()
        return tuple(
            _status(feed, states.get(feed.manifest.id), knowledge, stale_after_h(feed, settings), now)
            for feed in feeds()
        )


def _status(
    feed: type[Feed], state: FeedState | None, knowledge: Knowledge, most_h: int, now: int
) -> FeedStatus:
    edition = state.edition if state else None
    looked = state.looked_ns if state else 0
    as_of = _as_of(edition, looked) if edition else 0
    age = max(0, now - as_of) / _NS_PER_H if edition else None
    ahead = bool(edition) and looked > now + _TOLERATED_AHEAD_NS
    stale = edition is not None and (ahead or (age is not None and age > most_h))
    title = feed.manifest.title
    warning = ""
    if ahead:
        warning = f"{title}: brought in the future; this machine's clock was moved, so its age is unknown"
    elif edition is not None and edition.proof == DEMONSTRATION:
        stale, warning = False, f"{title}: a few facts for the demonstration, not what is known today"
    elif stale and age is not None:
        warning = f"{title}: {_span(age)} old, should not be older than {_span(most_h)}"
    return FeedStatus(
        manifest=feed.manifest,
        edition=edition,
        counts=dict(knowledge.counts(edition.id)) if edition else {},
        looked_ns=looked,
        as_of_ns=as_of,
        age_h=None if age is None else round(age, 2),
        stale_after_h=most_h,
        stale=stale,
        warning=warning,
        failed_ns=state.failed_ns if state else 0,
        failure=state.failure if state else "",
        notes=state.notes if state else "",
        live=is_live(feed),
        on_request=is_on_request(feed),
    )


def _as_of(edition: Edition, looked: int) -> int:
    """Return of when an edition is: files that a person brought may be old however new they are here."""
    if edition.proof != "unsigned" or not edition.updated:
        return looked
    try:
        published = datetime.fromisoformat(edition.updated)
    except ValueError:
        return looked
    moment = published if published.tzinfo is not None else published.replace(tzinfo=UTC)
    return min(looked, int(moment.timestamp()) * 1_000_000_000)


def _span(hours: float) -> str:
    count, unit = (int(hours), "hour") if hours < 72 else (int(hours // 24), "day")
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def sources(home: Path, now_ns: int | None = None) -> tuple[Source, ...]:
    """Return every feed in plain fields, those in use first."""
    found = sorted(status(home, now_ns), key=lambda one: (one.edition is None, one.manifest.title.lower()))
    return tuple(_source(one) for one in found)


def _source(one: FeedStatus) -> Source:
    manifest, edition = one.manifest, one.edition
    return Source(
        id=manifest.id,
        title=manifest.title,
        publisher=manifest.publisher,
        licence=manifest.licence,
        home=manifest.home,
        brings=manifest.brings,
        changes=manifest.changes,
        edition=edition.nth if edition else None,
        version=edition.version if edition else "",
        published=edition.updated if edition else "",
        came_from=edition.came_from if edition else "",
        proof=edition.proof if edition else "",
        digest=edition.digest if edition else "",
        made_ns=edition.made_ns if edition else 0,
        records=edition.records if edition else 0,
        counts={kind.value: count for kind, count in one.counts.items()},
        seen=edition.seen if edition else 0,
        kept=edition.kept if edition else 0,
        passed=edition.passed if edition else 0,
        rejected=edition.rejected if edition else 0,
        problems=edition.problems if edition else (),
        as_of_ns=one.as_of_ns,
        age_h=one.age_h,
        stale_after_h=one.stale_after_h,
        stale=one.stale,
        undated=one.undated,
        warning=one.warning,
        looked_ns=one.looked_ns,
        tried_ns=one.tried_ns,
        failed_ns=one.failed_ns,
        failure=one.failure,
        notes=one.notes,
        live=one.live,
        on_request=one.on_request,
    )


def standing(home: Path, now_ns: int | None = None) -> Standing:
    """Return how knowledge stands as a whole. A feed that nobody ever brought is no fault."""
    found = [one for one in status(home, now_ns) if one.edition is not None or one.failure]
    used = [one for one in found if one.edition is not None]
    sentences = [one.warning for one in used if one.warning]
    sentences += [f"{one.manifest.title}: failed last, {one.failure}" for one in found if one.failure]
    if not used:
        sentences.append("No knowledge was taken in yet: no vulnerability, advisory or recall can be told")
    return Standing(
        in_use=len(used),
        stale=tuple(one.manifest.id for one in used if one.stale),
        failed=tuple(one.manifest.id for one in found if one.failure),
        sentences=tuple(sentences),
        as_of_ns=min((one.as_of_ns for one in used), default=0),
        shown=bool(used) and all(one.edition and one.edition.proof == DEMONSTRATION for one in used),
    )


def check(home: Path) -> tuple[str, ...]:
    """Read everything that is kept and return a sentence for each block that is damaged."""
    with Knowledge(home) as knowledge:
        return tuple(knowledge.check())
