"""Changes of what an operator sets for knowledge, each with who made it and why in the audit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from medwarden.app.knowledge_effect import ROLE
from medwarden.app.knowledge_schedule import Due, next_look, read_looks, turned_on
from medwarden.app.knowledge_settings import (
    Schedule,
    SyncSettings,
    chosen_providers,
    known_providers,
    read_settings,
    said_of,
    stale_after_h,
    with_provider,
    write_settings,
)
from medwarden.feeds.registry import feed_named
from medwarden.kernel.clock import to_datetime
from medwarden.store.knowledge_keys import TrustedKey
from medwarden.store.open import open_store


class ListedProvider(msgspec.Struct, frozen=True):
    """A publisher of CSAF documents as people see it; ``asked`` tells whether it is asked."""

    name: str
    address: str
    concerns: str
    asked: bool
    published: bool
    """Whether its address is published, so that it is sure to be one."""


Decision = Callable[[SyncSettings], SyncSettings]
"""What makes of the settings as they stand those that are wanted."""


def change_settings(home: Path, decided: Decision, *, actor: str, reason: str) -> SyncSettings:
    """Decide on settings, keep them and write the change to the audit; return them.

    On an open store of a writer. ``decided`` is given what stands when it is this writer's turn: of two who
    decide at once, none undoes what the other did. Raises ConfigurationError where settings cannot hold.
    """
    from medwarden.store.changes import Change

    with Change(actor, reason) as change:
        before = read_settings(home)
        wanted = decided(before)
        if wanted != before:
            change.record("knowledge.settings", "knowledge:feeds.yaml", said_of(before), said_of(wanted))
            write_settings(home, wanted)
    if wanted.schedule.on and not before.schedule.on:
        turned_on(home, time.time_ns())
    return wanted


def _changed(home: Path, decided: Decision, actor: str, reason: str) -> SyncSettings:
    with open_store(home, writer=True, role=ROLE):
        return change_settings(home, decided, actor=actor, reason=reason)


def set_schedule(
    home: Path, decided: Callable[[Schedule], Schedule], *, actor: str, reason: str
) -> SyncSettings:
    """Say when knowledge is looked for by itself, from how it is looked for so far."""

    def anew(settings: SyncSettings) -> SyncSettings:
        return msgspec.structs.replace(settings, schedule=decided(settings.schedule))

    return _changed(home, anew, actor, reason)


def set_provider(home: Path, named: str, *, asked: bool, actor: str, reason: str) -> SyncSettings:
    """Ask a publisher of CSAF documents, or no longer."""
    return _changed(home, partial(with_provider, named=named, asked=asked), actor, reason)


def set_ecosystems(home: Path, names: Sequence[str], *, actor: str, reason: str) -> SyncSettings:
    """Choose ecosystems of OSV; none for none."""
    chosen = tuple(dict.fromkeys(names)) or None
    return _changed(home, partial(msgspec.structs.replace, osv=chosen), actor, reason)


def with_stale_after(settings: SyncSettings, feed: str, hours: int | None) -> SyncSettings:
    """Return settings in which a feed is stale after so many hours; None for its own."""
    ages = {name: age for name, age in settings.stale_after.items() if name != feed}
    if hours is not None:
        ages[feed] = hours
    return msgspec.structs.replace(settings, stale_after=ages)


def set_stale_after(home: Path, feed: str, hours: int | None, *, actor: str, reason: str) -> int:
    """Say from which age in hours a feed is stale (None: its own), and return that."""
    found = feed_named(feed)
    done = _changed(home, partial(with_stale_after, feed=feed, hours=hours), actor, reason)
    return stale_after_h(found, done)


def note_key(home: Path, key: TrustedKey, *, trusted: bool, actor: str, reason: str) -> None:
    """Write to the audit that bundles of a key are taken in from now on, or no longer."""
    with open_store(home, writer=True, role=ROLE):
        from medwarden.store.changes import Change

        with Change(actor, reason) as change:
            action = "knowledge.key_trusted" if trusted else "knowledge.key_forgotten"
            change.record(
                action, f"key:{key.id}", None if trusted else key.name, key.name if trusted else None
            )


def next_due(home: Path) -> Due | None:
    """Return the next look of the schedule; None where it is turned off."""
    return next_look(read_settings(home).schedule, read_looks(home), time.time_ns())


def next_moment(home: Path) -> str:
    """Return when knowledge is looked for next, in UTC; '' where never."""
    due = next_due(home)
    return "" if due is None else f"{to_datetime(due.at_ns):%Y-%m-%d %H:%M} UTC"


def providers(settings: SyncSettings) -> tuple[ListedProvider, ...]:
    """Return publishers of CSAF documents: those asked first, then those that come to choose from."""
    chosen = chosen_providers(settings)
    known = {one.address: one for one in known_providers()}
    asked = [
        ListedProvider(
            known[a].name if a in known else a,
            a,
            known[a].concerns if a in known else "added here",
            asked=True,
            published=a not in known or bool(known[a].metadata),
        )
        for a in chosen
    ]
    others = [
        ListedProvider(one.name, one.address, one.concerns, asked=False, published=bool(one.metadata))
        for one in known.values()
        if one.address not in chosen
    ]
    return (*asked, *others)
