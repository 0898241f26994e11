"""Decisions about active query: subnets switched on, the do-not-probe registry, overrides.

Every decision goes through a :class:`~medwarden.store.changes.Change` and so into the audit chain; rows
are ended, never deleted. Lists of them are in :mod:`medwarden.store.queries.probing`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from django.db.models import Q

from medwarden.kernel.clock import NANOSECONDS
from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.ids import stable_id
from medwarden.knowledge.taxonomy import categories
from medwarden.model.role import Permission
from medwarden.operations.interlock import (
    LIFTABLE,
    MOST_OVERRIDE_S,
    EntryKind,
    Grant,
    ProtectedEntry,
    Protects,
    Registry,
    check_network,
)
from medwarden.operations.interlock import Override as InterlockOverride
from medwarden.operations.permit import Action, ActionKind
from medwarden.store.changes import Change
from medwarden.store.models import DEFAULT_SITE, DoNotProbe, Override, ProbeSubnet, User

MOST_PER_MINUTE = 600
_MAC = re.compile(r"[0-9a-f]{12}\Z")
_WIDEST = {4: 16, 6: 48}
"""Shortest prefix that can be switched on: nobody knows everything that is in a wider subnet."""


def require(user: User | None, permission: Permission) -> None:
    """Raise ConfigurationError where ``user`` may not do this; None is the owner of the data folder."""
    if user is not None and not user.may(permission):
        role, what = user.role.replace("_", " "), permission.value.replace("_", " ")
        raise ConfigurationError(f"{user.username} is {role} and may not {what}")


def protect(
    change: Change,
    kind: EntryKind,
    value: str,
    *,
    site: str | None = None,
    until_ns: int | None = None,
) -> ProtectedEntry:
    """Enter something in the do-not-probe registry; the change's actor and reason stand in the entry.

    Without ``site`` it protects at all sites. Raises ConfigurationError for a value that names nothing,
    an end that is past, or an empty reason.
    """
    value = _checked(kind, value)
    _reasoned(change, until_ns)
    identifier = stable_id("np", change.tenant, site or "", kind.value, value, str(change.now_ns))
    DoNotProbe.objects.create(
        id=identifier,
        tenant_id=change.tenant,
        site_id=site,
        kind=kind.value,
        value=value,
        reason=change.reason,
        who=change.actor,
        since_ns=change.now_ns,
        until_ns=until_ns,
    )
    entry = ProtectedEntry(identifier, kind, value, change.reason, change.actor, change.now_ns, until_ns)
    change.record("probing.protected", f"protection:{identifier}", None, entry, site=site)
    return entry


def unprotect(change: Change, identifier: str) -> None:
    """End an entry of the registry. Raises ConfigurationError where there is none in force."""
    _reasoned(change, None)
    row = DoNotProbe.objects.filter(tenant_id=change.tenant, pk=identifier, removed_ns=None).first()
    if row is None:
        raise ConfigurationError(f"the do-not-probe list has no entry {identifier[:40]!r} in force")
    row.removed_ns, row.removed_by = change.now_ns, change.actor
    row.save(update_fields=["removed_ns", "removed_by"])
    change.record(
        "probing.unprotected",
        f"protection:{identifier}",
        {"kind": row.kind, "value": row.value, "reason": row.reason, "who": row.who},
        None,
        site=row.site_id,
    )


def switch_on(
    change: Change,
    network: str,
    *,
    probers: Iterable[str],
    known_probers: Iterable[str],
    site: str = DEFAULT_SITE,
    per_minute: int = 30,
    hours: Iterable[int] = range(24),
    listed: Iterable[str] = (),
    until_ns: int | None = None,
) -> Grant:
    """Switch active query on in a subnet for some of the ``known_probers``.

    ``listed`` names life-critical categories that may be asked there. Raises ConfigurationError for what
    is no subnet or too wide a one, unknown probers, hours or categories, and an empty reason.
    """
    network = _narrow(network)
    probers, listed, hours = sorted(set(probers)), sorted(set(listed)), sorted(set(hours))
    _known("prober", probers, set(known_probers))
    _known("category", listed, set(categories()))
    _known("hour", [str(hour) for hour in hours], {str(hour) for hour in range(24)})
    if not probers or not hours or not 1 <= per_minute <= MOST_PER_MINUTE:
        raise ConfigurationError(
            f"name at least one prober and one hour, and a rate of 1 to {MOST_PER_MINUTE} probes a minute"
        )
    _reasoned(change, until_ns)
    identifier = stable_id("ps", change.tenant, site, network, str(change.now_ns))
    ProbeSubnet.objects.create(
        id=identifier,
        tenant_id=change.tenant,
        site_id=site,
        network=network,
        probers=probers,
        categories=listed,
        hours=hours,
        per_minute=per_minute,
        reason=change.reason,
        who=change.actor,
        since_ns=change.now_ns,
        until_ns=until_ns,
    )
    grant = Grant(
        identifier,
        site,
        network,
        frozenset(probers),
        change.actor,
        change.reason,
        change.now_ns,
        until_ns,
        frozenset(hours),
        frozenset(listed),
        per_minute,
    )
    change.record("probing.switched_on", f"probe_subnet:{identifier}", None, _plain(grant), site=site)
    return grant


def _narrow(network: str) -> str:
    """Return a subnet in canonical form; raises ConfigurationError for one too wide to be known."""
    network = check_network(network)
    parsed = ipaddress.ip_network(network)
    if parsed.prefixlen < _WIDEST[parsed.version]:
        raise ConfigurationError(
            f"{network} is too wide: switch on /{_WIDEST[parsed.version]} or narrower, subnet by subnet"
        )
    return network


def switch_off(change: Change, identifier: str) -> None:
    """Switch a subnet off, named by its id or network. Raises ConfigurationError where none is on."""
    rows = list(
        ProbeSubnet.objects.filter(
            Q(pk=identifier) | Q(network=identifier), tenant_id=change.tenant, removed_ns=None
        )
    )
    if not rows:
        raise ConfigurationError(f"active query is not on in {identifier[:60]!r}")
    for row in rows:
        row.removed_ns, row.removed_by = change.now_ns, change.actor
        row.save(update_fields=["removed_ns", "removed_by"])
        change.record(
            "probing.switched_off",
            f"probe_subnet:{row.pk}",
            {"network": row.network, "probers": row.probers},
            None,
            site=row.site_id,
        )


def override(
    change: Change,
    device: str,
    *,
    actions: Iterable[Action],
    lifts: Iterable[Protects],
    until_ns: int,
    site: str = DEFAULT_SITE,
) -> InterlockOverride:
    """Record that the change's actor answers for ``actions`` on ``device`` until ``until_ns``.

    Raises ConfigurationError for an end that is past or more than a day ahead, an empty reason, and
    protections that nobody can lift.
    """
    made = InterlockOverride(
        stable_id("ov", change.tenant, site, device, str(change.now_ns)),
        device,
        frozenset(actions),
        frozenset(lifts),
        change.actor,
        change.reason,
        change.now_ns,
        until_ns,
    )
    _reasoned(change, until_ns)
    if until_ns - change.now_ns > MOST_OVERRIDE_S * NANOSECONDS:
        raise ConfigurationError(f"an override lasts at most {MOST_OVERRIDE_S // 3600} hours")
    if not made.actions or not made.lifts or made.lifts - LIFTABLE:
        allowed = ", ".join(sorted(LIFTABLE))
        raise ConfigurationError(f"name what is to be done, and what is lifted, out of: {allowed}")
    Override.objects.create(
        id=made.id,
        tenant_id=change.tenant,
        site_id=site,
        device=device,
        actions=sorted(str(action) for action in made.actions),
        lifts=sorted(made.lifts),
        reason=change.reason,
        who=change.actor,
        since_ns=made.since_ns,
        until_ns=until_ns,
    )
    after = {"device": device, "actions": sorted(map(str, made.actions)), "lifts": sorted(made.lifts)}
    change.record("probing.override", f"override:{made.id}", None, after | {"until_ns": until_ns}, site=site)
    return made


def revoke(change: Change, identifier: str) -> None:
    """End an override before its time. Raises ConfigurationError where there is none in force."""
    row = Override.objects.filter(tenant_id=change.tenant, pk=identifier, revoked_ns=None).first()
    if row is None:
        raise ConfigurationError(f"there is no override {identifier[:40]!r} in force")
    row.revoked_ns, row.revoked_by = change.now_ns, change.actor
    row.save(update_fields=["revoked_ns", "revoked_by"])
    change.record("probing.override_revoked", f"override:{row.pk}", row.device, None, site=row.site_id)


def registry(tenant: str, site: str) -> Registry:
    """Return all that people decided for a site, as the interlock takes it; read anew for each probe."""
    entries = DoNotProbe.objects.filter(
        Q(site_id=site) | Q(site_id=None), tenant_id=tenant, removed_ns=None
    ).order_by("since_ns", "pk")
    grants = ProbeSubnet.objects.filter(tenant_id=tenant, site_id=site, removed_ns=None).order_by("pk")
    return Registry(
        tuple(
            ProtectedEntry(
                row.pk, EntryKind(row.kind), row.value, row.reason, row.who, row.since_ns, row.until_ns
            )
            for row in entries
        ),
        tuple(
            Grant(
                row.pk,
                row.site_id,
                row.network,
                frozenset(row.probers),
                row.who,
                row.reason,
                row.since_ns,
                row.until_ns,
                frozenset(row.hours),
                frozenset(row.categories),
                row.per_minute,
            )
            for row in grants
        ),
    )


def override_for(
    tenant: str, site: str, device: str, action: Action, now_ns: int
) -> InterlockOverride | None:
    """Return the newest override in force for this device (or address) and action."""
    rows = Override.objects.filter(
        tenant_id=tenant,
        site_id=site,
        device=device,
        revoked_ns=None,
        since_ns__lte=now_ns,
        until_ns__gt=now_ns,
    ).order_by("-since_ns", "pk")
    for row in rows:
        if str(action) in row.actions:
            return InterlockOverride(
                row.pk,
                row.device,
                frozenset(_action(text) for text in row.actions),
                frozenset(Protects(text) for text in row.lifts),
                row.who,
                row.reason,
                row.since_ns,
                row.until_ns,
            )
    return None


def _action(text: str) -> Action:
    kind, _, name = text.partition(":")
    return Action(ActionKind(kind), name)


def _plain(grant: Grant) -> dict[str, object]:
    return {
        "network": grant.network,
        "probers": sorted(grant.probers),
        "categories": sorted(grant.categories),
        "hours": sorted(grant.hours),
        "per_minute": grant.per_minute,
        "until_ns": grant.until_ns,
    }


def _known(what: str, named: Iterable[str], known: set[str]) -> None:
    for name in named:
        if name not in known:
            raise ConfigurationError(
                f"there is no {what} {name[:40]!r}: choose of {', '.join(sorted(known))}"
            )


def _reasoned(change: Change, until_ns: int | None) -> None:
    if not change.reason.strip():
        raise ConfigurationError("say why: a reason stands beside every decision about active query")
    if until_ns is not None and until_ns <= change.now_ns:
        raise ConfigurationError("the end lies in the past")


def _checked(kind: EntryKind, value: str) -> str:
    """Return a value of the registry in canonical form; raises ConfigurationError for one of no use."""
    value = value.strip()[:200]
    if kind is EntryKind.SUBNET:
        return check_network(value)
    if kind is EntryKind.IP:
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            raise ConfigurationError(f"{value[:60]!r} is no IP address") from None
    if kind is EntryKind.MAC:
        digits = re.sub(r"[:.\-]", "", value.casefold())
        if not _MAC.match(digits):
            raise ConfigurationError(f"{value[:60]!r} is no MAC address")
        return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
    if kind is EntryKind.CATEGORY:
        _known("category", [value], set(categories()))
    if not value or (kind is EntryKind.MODEL and not value.partition("/")[2].strip() and "/" in value):
        raise ConfigurationError("name what is to be protected; a model as vendor/model")
    return value
