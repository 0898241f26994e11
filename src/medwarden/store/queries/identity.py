"""Identity over time: what a device is made of, decisions, proposals, moves, and what it was held to be."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_

import msgspec
from django.db.models import Q, TextField
from django.db.models.functions import Cast, Concat

from medwarden.store.models import (
    Device,
    DeviceElsewhere,
    Identity,
    IdentityDecision,
    IdentityInterface,
    IdentityProposal,
    VerdictChange,
)
from medwarden.store.queries.scope import Page, Scope, bounds

_MOST_PARTS = 50


class IdentityRow(msgspec.Struct, frozen=True):
    """One identity of a device that has several: an interface, or an address known without one."""

    id: str
    kind: str
    macs: tuple[str, ...]
    randomised: bool
    first_seen: int
    last_seen: int


class DecisionRow(msgspec.Struct, frozen=True):
    """One decision on identities; ``shown`` are the devices as they were named at the time."""

    number: int
    site: str
    action: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    shown: tuple[dict[str, object], ...]
    automatic: bool
    at_ns: int
    actor: str
    reason: str
    evidence: tuple[str, ...]
    undone_ns: int | None
    undone_by: str
    undone_why: str


class ProposalRow(msgspec.Struct, frozen=True):
    """A proposal that two devices are one, with the devices as they are named now."""

    id: str
    site: str
    kind: str
    left: str
    right: str
    left_name: str | None
    right_name: str | None
    odds: float
    supporting: tuple[str, ...]
    against: tuple[str, ...]
    state: str
    at_ns: int
    decided_ns: int | None
    decided_by: str
    reason: str


class ElsewhereRow(msgspec.Struct, frozen=True):
    """A device of another site that is the same thing, which moved."""

    other: str
    other_site: str
    other_name: str | None
    because: tuple[str, ...]
    since_ns: int
    until_ns: int


class VerdictChangeRow(msgspec.Struct, frozen=True):
    """What a device was held to be until ``at_ns`` and after it, at one level, and why."""

    level: str
    old: str | None
    new: str | None
    confidence: float
    at_ns: int
    heard_ns: int
    because: tuple[tuple[str, str, str], ...]
    version: str


def identities(scope: Scope, device_id: str) -> list[IdentityRow]:
    """Return what a device is made of, by first appearance; empty where it has one identity only."""
    rows = list(scope.over(Identity.objects.all()).filter(device=device_id).order_by("first_seen", "pk"))
    macs: dict[str, list[tuple[str, bool]]] = {}
    attached = IdentityInterface.objects.filter(device__in=[row.pk for row in rows])
    for owner, mac, randomised in attached.order_by("mac").values_list("device", "mac", "randomised"):
        macs.setdefault(owner, []).append((mac, randomised))
    return [
        IdentityRow(
            row.pk,
            row.kind,
            tuple(mac for mac, _ in macs.get(row.pk, ())),
            any(randomised for _, randomised in macs.get(row.pk, ())),
            row.first_seen,
            row.last_seen,
        )
        for row in rows
    ]


def decisions(
    scope: Scope, *, device_id: str = "", holding: bool = False, offset: int = 0, limit: int = 100
) -> Page[DecisionRow]:
    """Return decisions on identities, the latest first; of one device, or only those that hold."""
    rows = scope.over(IdentityDecision.objects.all()).order_by("-number")
    if holding:
        rows = rows.filter(undone_ns=None)
    start, most = bounds(offset, limit)
    if device_id:
        parts = set(scope.over(Identity.objects.all()).filter(device=device_id).values_list("pk", flat=True))
        parts.add(device_id)
        if len(parts) <= _MOST_PARTS:  # a device of more is rare, and then all are looked through
            spoken = Concat(Cast("left", TextField()), Cast("right", TextField()))
            rows = rows.annotate(spoken=spoken).filter(_any_of(parts))
        fitting = [row for row in rows.iterator() if parts & {*row.left, *row.right}]
        chosen = tuple(_decision(row) for row in fitting[start : start + most])
        return Page(chosen, len(fitting), start, most)
    chosen = tuple(_decision(row) for row in rows[start : start + most])
    return Page(chosen, rows.count(), start, most)


def _any_of(parts: Iterable[str]) -> Q:
    return reduce(or_, (Q(spoken__contains=f'"{part}"') for part in sorted(parts)))


def _decision(row: IdentityDecision) -> DecisionRow:
    return DecisionRow(
        row.number,
        row.site_id,
        row.action,
        tuple(row.left),
        tuple(row.right),
        tuple(row.shown),
        row.automatic,
        row.at_ns,
        row.actor,
        row.reason,
        tuple(row.evidence),
        row.undone_ns,
        row.undone_by,
        row.undone_why,
    )


def proposals(
    scope: Scope, *, state: str = "open", device_id: str = "", offset: int = 0, limit: int = 100
) -> Page[ProposalRow]:
    """Return proposals in one state, the most likely first; only those of one device where it is named."""
    rows = scope.over(IdentityProposal.objects.all()).filter(state=state).order_by("-odds", "pk")
    if device_id:
        rows = rows.filter(left=device_id) | rows.filter(right=device_id)
    start, most = bounds(offset, limit)
    page = list(rows[start : start + most])
    ids = {i for row in page for i in (row.left, row.right)}
    names = dict(scope.over(Device.objects.all()).filter(pk__in=ids).values_list("pk", "name"))
    items = tuple(
        ProposalRow(
            row.pk,
            row.site_id,
            row.kind,
            row.left,
            row.right,
            names.get(row.left),
            names.get(row.right),
            row.odds,
            tuple(row.supporting),
            tuple(row.against),
            row.state,
            row.at_ns,
            row.decided_ns,
            row.decided_by,
            row.reason,
        )
        for row in page
    )
    return Page(items, rows.count(), start, most)


def elsewhere(scope: Scope, device_id: str) -> list[ElsewhereRow]:
    """Return where else in the tenant a device is or was, as far as the reader may see, the latest first."""
    rows = list(scope.over(DeviceElsewhere.objects.all()).filter(device_id=device_id).order_by("-until_ns"))
    visible = scope.over(Device.objects.all()).filter(pk__in=[row.other for row in rows])
    names = dict(visible.values_list("pk", "name"))
    return [
        ElsewhereRow(
            row.other, row.other_site, names[row.other], tuple(row.because), row.since_ns, row.until_ns
        )
        for row in rows
        if row.other in names
    ]


def verdict_history(scope: Scope, device_id: str, limit: int = 200) -> list[VerdictChangeRow]:
    """Return how the answers about a device changed, the latest first."""
    rows = scope.over(VerdictChange.objects.all()).filter(device_id=device_id).order_by("-at_ns", "-pk")
    return [
        VerdictChangeRow(
            row.level,
            row.old or None,
            row.new or None,
            row.confidence,
            row.at_ns,
            row.heard_ns,
            tuple((said, field, value) for said, field, value in row.because),
            row.version,
        )
        for row in rows[:limit]
    ]
