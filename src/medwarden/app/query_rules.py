"""What people decide about active query, as commands do it, and the lists of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.kernel.clock import NANOSECONDS, iso, wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.role import Permission
from medwarden.operations.interlock import EntryKind, Protects
from medwarden.sensors.active.registry import probers
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.changes import Change
    from medwarden.store.models import User

_LOCK = "query-rules"


class SubnetRule(msgspec.Struct, frozen=True):
    """A subnet to be switched on: for which probers, how fast, when, with which categories listed."""

    network: str
    probers: tuple[str, ...]
    per_minute: int
    hours: tuple[int, ...]
    listed: tuple[str, ...] = ()


def add_subnet(
    home: Path,
    rule: SubnetRule,
    site: str | None,
    hours_valid: float | None,
    actor: str,
    person: str | None,
    reason: str,
) -> str:
    """Switch active query on in a subnet and return the id of the decision."""
    with _deciding(home, actor, person, reason, Permission.ENABLE_PROBING) as change:
        from medwarden.store.probing import switch_on

        return switch_on(
            change,
            rule.network,
            probers=rule.probers,
            known_probers=probers(),
            site=_site(site),
            per_minute=rule.per_minute,
            hours=rule.hours,
            listed=rule.listed,
            until_ns=_until(change, hours_valid),
        ).id


def remove_subnet(home: Path, named: str, actor: str, person: str | None, reason: str) -> None:
    """Switch active query off in a subnet, named by network or id."""
    with _deciding(home, actor, person, reason, Permission.ENABLE_PROBING) as change:
        from medwarden.store.probing import switch_off

        switch_off(change, named)


def add_protection(
    home: Path,
    kind: str,
    value: str,
    site: str | None,
    hours_valid: float | None,
    actor: str,
    person: str | None,
    reason: str,
) -> str:
    """Enter something in the do-not-probe list and return the id of the entry."""
    with _deciding(home, actor, person, reason, Permission.PROTECT_DEVICE) as change:
        from medwarden.store.probing import protect

        entry_site = None if site is None else _site(site)
        return protect(
            change, EntryKind(kind), value, site=entry_site, until_ns=_until(change, hours_valid)
        ).id


def remove_protection(home: Path, identifier: str, actor: str, person: str | None, reason: str) -> None:
    """End an entry of the do-not-probe list."""
    with _deciding(home, actor, person, reason, Permission.PROTECT_DEVICE) as change:
        from medwarden.store.probing import unprotect

        unprotect(change, identifier)


def add_override(
    home: Path,
    device: str,
    names: Sequence[str],
    lifts: Sequence[str],
    minutes: float,
    site: str | None,
    actor: str,
    person: str,
    reason: str,
) -> str:
    """Let ``person`` answer for some probers at a device for some minutes; return the id."""
    unknown = sorted(set(names) - set(probers()))
    if unknown:
        raise ConfigurationError(f"there is no prober {unknown[0][:40]!r}: choose of {', '.join(probers())}")
    with _deciding(home, actor, person, reason, Permission.OVERRIDE_INTERLOCK) as change:
        from medwarden.store.probing import override

        return override(
            change,
            device,
            actions=[probers()[name].manifest.action for name in names],
            lifts=[Protects(text) for text in lifts],
            until_ns=change.now_ns + int(minutes * 60 * NANOSECONDS),
            site=_site(site),
        ).id


def rule_rows(home: Path, what: str) -> list[dict[str, object]]:
    """Return ``subnets``, ``protections``, ``overrides`` or the ``log`` as plain rows, newest first."""
    with open_store(home, writer=False):
        from medwarden.store.queries import Scope
        from medwarden.store.queries.probing import overrides, probe_log, probe_subnets, protections

        scope = Scope()
        pages: dict[str, Callable[[], Sequence[object]]] = {
            "subnets": lambda: probe_subnets(scope, limit=1000).items,
            "protections": lambda: protections(scope, limit=1000).items,
            "overrides": lambda: overrides(scope, limit=1000).items,
            "log": lambda: probe_log(scope, limit=1000).items,
        }
        rows: list[dict[str, object]] = [msgspec.to_builtins(row) for row in pages[what]()]
        for row in rows:
            at = row.get("at_ns", row.get("since_ns"))
            row["at"] = iso(at)[:19] if isinstance(at, int) else ""
        return rows


def actor_of(home: Path, person: str | None, actor: str, permission: str) -> str:
    """Return who acts: ``actor``, or ``person`` of the console where his role carries ``permission``.

    Raises ConfigurationError for nobody of that name, or one who may not.
    """
    if person is None:
        return actor
    with open_store(home, writer=False):
        return person_may(person, Permission(permission))


def person_may(person: str, permission: Permission) -> str:
    """Return who acts in the name of ``person``; raises ConfigurationError for nobody, or one who may not."""
    from medwarden.store.models import User
    from medwarden.store.probing import require

    found: User | None = User.objects.filter(username__iexact=person).first()
    if found is None:
        raise ConfigurationError(f"there is nobody called {person[:60]!r}: see `medwarden user list`")
    require(found, permission)
    return f"user:{found.username}"


@contextmanager
def _deciding(
    home: Path, actor: str, person: str | None, reason: str, permission: Permission
) -> Iterator[Change]:
    with open_store(home, writer=True, role=_LOCK):
        from medwarden.store.changes import Change

        who = actor if person is None else person_may(person, permission)
        said = reason if person is None else f"{reason} (by {actor})"
        with Change(who, said if reason.strip() else "", clock=wall_clock) as change:
            yield change


def _site(site: str | None) -> str:
    from medwarden.store.models import DEFAULT_SITE, Site

    if site is None:
        return DEFAULT_SITE
    if not Site.objects.filter(pk=site).exists():
        raise ConfigurationError(f"there is no site named {site[:60]!r}")
    return site


def _until(change: Change, hours: float | None) -> int | None:
    return None if hours is None else change.now_ns + int(hours * 3600 * NANOSECONDS)
