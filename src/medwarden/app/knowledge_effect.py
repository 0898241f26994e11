"""What new knowledge means for this hospital: devices matched and scored again, and what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from medwarden.app.gudid import share
from medwarden.app.registry import judge_again, load_registry
from medwarden.model.feed import Kind
from medwarden.model.vulnerability import MatchState
from medwarden.store.knowledge import Changes, Edition, Knowledge
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.app.knowledge import FeedReport

Progress = Callable[[int, int, str], None]

ROLE = "knowledge-effect"
"""The lock under which a process changes knowledge and follows what that means."""

_T = TypeVar("_T")

_CONCERNS = (MatchState.CONFIRMED.value, MatchState.POTENTIAL.value)
_KINDS = {
    Kind.VULNERABILITY: ("vulnerability", "vulnerabilities"),
    Kind.ADVISORY: ("advisory", "advisories"),
    Kind.EXPLOITATION: ("word on attacks", "words on attacks"),
    Kind.RECALL: ("recall", "recalls"),
    Kind.LIFE_CYCLE: ("life cycle", "life cycles"),
    Kind.TECHNIQUE: ("technique", "techniques"),
    Kind.WEAKNESS: ("weakness", "weaknesses"),
    Kind.PRODUCT_CODE: ("product code", "product codes"),
    Kind.LISTING: ("registered product", "registered products"),
    Kind.ASSIGNMENT: ("address block", "address blocks"),
}


class Concerned(msgspec.Struct, frozen=True):
    """Which vulnerabilities concern which kinds of device, surely or perhaps."""

    sure: frozenset[tuple[str, str]]
    perhaps: frozenset[tuple[str, str]]

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """Return both together."""
        return self.sure | self.perhaps


class Effect(msgspec.Struct, frozen=True):
    """What new knowledge changed.

    ``records`` are new, changed or withdrawn records by kind. ``vulnerabilities`` newly concern ``devices``
    (``surely`` of them without doubt); ``settled`` no longer concern ``relieved`` ones. ``recalled`` counts
    devices of which recalls say something else, ``scores`` those whose score changed. ``sentences`` say it.
    """

    records: dict[str, int]
    vulnerabilities: int = 0
    devices: int = 0
    surely: int = 0
    settled: int = 0
    relieved: int = 0
    recalled: int = 0
    scores: int = 0
    sentences: tuple[str, ...] = ()


def concerned(tenant: str) -> Concerned:
    """Return what concerns whom now, by profile and vulnerability; on an open store."""
    from medwarden.store.models import ProfileMember, VulnerabilityVerdict

    used = ProfileMember.objects.filter(tenant_id=tenant, until_ns=None).values("profile")
    rows = VulnerabilityVerdict.objects.filter(
        tenant_id=tenant, until_ns=None, state__in=_CONCERNS, profile__in=used
    ).values_list("profile_id", "vulnerability", "state")
    sure: set[tuple[str, str]] = set()
    perhaps: set[tuple[str, str]] = set()
    for profile, vulnerability, state in rows.iterator():
        (sure if state == MatchState.CONFIRMED.value else perhaps).add((profile, vulnerability))
    return Concerned(frozenset(sure), frozenset(perhaps))


def follow(
    home: Path, tenant: str, before: Concerned, since: int, progress: Progress | None = None
) -> Effect:
    """Match and score devices again by the knowledge there is now, and return what changed.

    ``before`` and ``since`` are what :func:`concerned` and the newest edition were before. On an open store
    of a writer.
    """
    from medwarden.app.life_cycle import follow_support
    from medwarden.app.recalls import refresh as compare_recalls
    from medwarden.app.vulnerabilities import refresh

    if progress is not None:
        progress(0, 2, "matching devices")
    scores = _scores(tenant)
    recalled = compare_recalls(home, tenant)
    refresh(home, tenant)
    follow_support(home, tenant)
    if progress is not None:
        progress(1, 2, "saying what changed")
    after = concerned(tenant)
    fresh, gone = after.pairs - before.pairs, before.pairs - after.pairs
    with Knowledge(home) as knowledge:
        changes = knowledge.changed_since(since)
    now = _scores(tenant)
    effect = Effect(
        records={kind.value: len(ids) for kind, ids in sorted(changes.ids.items()) if ids},
        vulnerabilities=len({vulnerability for _, vulnerability in fresh}),
        devices=_devices(fresh),
        surely=_devices(after.sure - before.pairs),
        settled=len({vulnerability for _, vulnerability in gone}),
        relieved=_devices(gone),
        recalled=recalled,
        scores=sum(1 for device, score in now.items() if scores.get(device, score) != score),
    )
    if progress is not None:
        progress(2, 2, "")
    return msgspec.structs.replace(effect, sentences=_sentences(effect, changes, since))


def _devices(pairs: Iterable[tuple[str, str]]) -> int:
    from medwarden.store.queries.vulnerabilities import members_of

    profiles = {profile for profile, _ in pairs}
    return len({device for devices in members_of(profiles).values() for device in devices})


def _scores(tenant: str) -> dict[str, int | None]:
    from medwarden.store.models import Device

    rows = Device.objects.filter(tenant_id=tenant, retired_at=None)
    return dict(rows.values_list("pk", "risk_score"))


def _sentences(effect: Effect, changes: Changes, since: int) -> tuple[str, ...]:
    said = []
    if effect.records:
        what = ", ".join(
            count_words(kind, count)
            for kind, count in sorted(effect.records.items(), key=lambda pair: -pair[1])
        )
        said.append(
            f"New, changed or withdrawn: {what}" if since and changes.complete else f"Now known: {what}"
        )
    if effect.vulnerabilities:
        concern = "concerns" if effect.vulnerabilities == 1 else "concern"
        sure = "all of them surely" if effect.surely == effect.devices else f"{effect.surely} of them surely"
        said.append(
            f"{_count(effect.vulnerabilities, 'new vulnerability', 'new vulnerabilities')} {concern}"
            f" {_count(effect.devices, 'device', 'devices')}, {sure}"
        )
    if effect.settled:
        concern = "concerns" if effect.settled == 1 else "concern"
        said.append(
            f"{_count(effect.settled, 'vulnerability', 'vulnerabilities')} no longer {concern}"
            f" {_count(effect.relieved, 'device', 'devices')}"
        )
    if effect.recalled:
        said.append(f"What recalls say of {_count(effect.recalled, 'device', 'devices')} changed")
    if effect.scores:
        said.append(f"The risk score of {_count(effect.scores, 'device', 'devices')} changed")
    if not (effect.vulnerabilities or effect.settled or effect.recalled or effect.scores):
        said.append("Nothing changes for the devices of this hospital")
    return tuple(said)


def count_words(kind: str, count: int) -> str:
    """Return how many records of a kind in words: 12 advisories."""
    return _count(count, *_KINDS[Kind(kind)])


def _count(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


class Watching:
    """Notes how things stand before knowledge changes, and says afterwards what it meant.

    On an open store of a writer, for every tenant of the folder.
    """

    def __init__(self, home: Path) -> None:
        from medwarden.store.models import Tenant

        self._home = home
        load_registry(home)
        with Knowledge(home) as knowledge:
            self._since = knowledge.newest
        self._before = {tenant: concerned(tenant) for tenant in Tenant.objects.values_list("pk", flat=True)}

    def close(
        self, actor: str, action: str, done: object, progress: Progress | None = None
    ) -> tuple[Effect, ...]:
        """Match, score, and write to every tenant's audit who did ``action``, what came, what it means."""
        from medwarden.store.changes import Change

        with Knowledge(self._home) as knowledge:
            changed = knowledge.newest != self._since
            ids = knowledge.changed_since(self._since).ids if changed else {}
        if Kind.ASSIGNMENT in ids:
            judge_again(self._home)
        share(self._home, ids.get(Kind.LISTING, ()), ids.get(Kind.PRODUCT_CODE, ()))
        effects = []
        for tenant, before in self._before.items():
            effect = Effect({})
            if changed:
                effect = follow(self._home, tenant, before, self._since, progress)
                effects.append(effect)
            with Change(actor, action.replace("_", " "), tenant=tenant) as change:
                change.record(
                    f"knowledge.{action}", "knowledge:feeds", None, {"done": done, "means": effect.sentences}
                )
        return tuple(effects)


def with_effect(
    home: Path,
    actor: str,
    action: str,
    act: Callable[[], _T],
    said: Callable[[_T], object],
    progress: Progress | None = None,
) -> tuple[_T, tuple[Effect, ...]]:
    """Do something that changes knowledge, follow what it means, and return both.

    ``said`` makes of what came what the audit keeps.
    """
    with open_store(home, writer=True, role=ROLE):
        watching = Watching(home)
        came = act()
        return came, watching.close(actor, action, said(came), progress)


def brought(reports: Sequence[FeedReport]) -> list[dict[str, object]]:
    """Return what feeds came to, as the audit keeps it."""
    return [
        {
            "feed": report.feed,
            "edition": None if report.edition is None else report.edition.nth,
            "records": report.seen,
            "rejected": report.rejected,
            "error": report.error[:300],
        }
        for report in reports
    ]


def taken(editions: Sequence[Edition]) -> list[dict[str, object]]:
    """Return what came of a bundle, as the audit keeps it."""
    return [{"feed": e.feed, "edition": e.nth, "records": e.records, "proof": e.proof} for e in editions]
