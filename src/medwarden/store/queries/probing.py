"""Lists of what people decided about active query, and of all that was sent or refused."""

from __future__ import annotations

import msgspec
from django.db.models import Q

from medwarden.kernel.errors import ConfigurationError
from medwarden.store.models import DoNotProbe, Override, ProbeLog, ProbeSubnet
from medwarden.store.queries.scope import Page, Scope, bounds


class ProtectionRow(msgspec.Struct, frozen=True):
    """One entry of the registry as lists show it; ``site`` None protects at every site."""

    id: str
    site: str | None
    kind: str
    value: str
    reason: str
    who: str
    since_ns: int
    until_ns: int | None
    removed_ns: int | None
    removed_by: str


class SubnetRow(msgspec.Struct, frozen=True):
    """One subnet in which active query is or was on."""

    id: str
    site: str
    network: str
    probers: list[str]
    categories: list[str]
    hours: list[int]
    per_minute: int
    reason: str
    who: str
    since_ns: int
    until_ns: int | None
    removed_ns: int | None
    removed_by: str


class OverrideRow(msgspec.Struct, frozen=True):
    """One override as lists show it."""

    id: str
    site: str
    device: str
    actions: list[str]
    lifts: list[str]
    reason: str
    who: str
    since_ns: int
    until_ns: int
    revoked_ns: int | None
    revoked_by: str


class ProbeRow(msgspec.Struct, frozen=True):
    """One probe that was sent or refused."""

    id: int
    site: str
    at_ns: int
    run: str
    device: str
    label: str
    ip: str
    port: int
    prober: str
    outcome: str
    protects: str
    by: str
    reason: str
    permit: str
    grant: str
    override: str
    actor: str
    sent_bytes: int
    received_bytes: int
    took_ns: int
    facts: int


class ProbeFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Conditions on the log that all hold; an empty one matches everything."""

    device: str = ""
    ip: str = ""
    run: str = ""
    prober: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    since_ns: int | None = None
    text: str = ""


_SORTS: dict[str, tuple[str, ...]] = {
    "since": ("since_ns",),
    "kind": ("kind", "value"),
    "value": ("value",),
    "who": ("who",),
    "network": ("network",),
    "device": ("device",),
    "time": ("at_ns",),
    "ip": ("ip",),
    "prober": ("prober",),
    "outcome": ("outcome",),
    "until": ("until_ns",),
}


def _order(sort: str, allowed: tuple[str, ...]) -> list[str]:
    name, sign = sort.removeprefix("-"), "-" if sort.startswith("-") else ""
    if name not in allowed:
        raise ConfigurationError(f"cannot be sorted by {name[:40]!r}: use one of {', '.join(allowed)}")
    return [*(f"{sign}{column}" for column in _SORTS[name]), "pk"]


def protections(
    scope: Scope,
    *,
    kind: str = "",
    text: str = "",
    ended: bool = False,
    sort: str = "-since",
    offset: int = 0,
    limit: int = 50,
) -> Page[ProtectionRow]:
    """Return a page of the do-not-probe registry, with ``ended`` also what no longer holds.

    A reader of some sites sees the entries of those and of all. Raises ConfigurationError for a sort
    other than since, kind, value, who or until.
    """
    offset, limit = bounds(offset, limit)
    rows = DoNotProbe.objects.filter(tenant_id=scope.tenant)
    if scope.sites is not None:
        rows = rows.filter(Q(site_id__in=scope.sites) | Q(site_id=None))
    if kind:
        rows = rows.filter(kind=kind)
    if text:
        rows = rows.filter(Q(value__icontains=text) | Q(reason__icontains=text))
    if not ended:
        rows = rows.filter(removed_ns=None)
    columns = tuple("site_id" if f == "site" else f for f in ProtectionRow.__struct_fields__)
    chosen = rows.order_by(*_order(sort, ("since", "kind", "value", "who", "until"))).values_list(*columns)
    items = tuple(ProtectionRow(*values) for values in chosen[offset : offset + limit])
    return Page(items, rows.count(), offset, limit)


def probe_subnets(
    scope: Scope, *, ended: bool = False, sort: str = "network", offset: int = 0, limit: int = 50
) -> Page[SubnetRow]:
    """Return a page of the subnets in which active query is on (with ``ended``: or was)."""
    offset, limit = bounds(offset, limit)
    rows = scope.over(ProbeSubnet.objects.all())
    if not ended:
        rows = rows.filter(removed_ns=None)
    columns = tuple("site_id" if f == "site" else f for f in SubnetRow.__struct_fields__)
    chosen = rows.order_by(*_order(sort, ("network", "since", "who", "until"))).values_list(*columns)
    items = tuple(SubnetRow(*values) for values in chosen[offset : offset + limit])
    return Page(items, rows.count(), offset, limit)


def overrides(
    scope: Scope, *, device: str = "", sort: str = "-since", offset: int = 0, limit: int = 50
) -> Page[OverrideRow]:
    """Return a page of overrides, also those that ended."""
    offset, limit = bounds(offset, limit)
    rows = scope.over(Override.objects.all())
    if device:
        rows = rows.filter(device=device)
    columns = tuple("site_id" if f == "site" else f for f in OverrideRow.__struct_fields__)
    chosen = rows.order_by(*_order(sort, ("since", "device", "who", "until"))).values_list(*columns)
    items = tuple(OverrideRow(*values) for values in chosen[offset : offset + limit])
    return Page(items, rows.count(), offset, limit)


def probe_log(
    scope: Scope,
    wanted: ProbeFilter | None = None,
    *,
    sort: str = "-time",
    offset: int = 0,
    limit: int = 50,
) -> Page[ProbeRow]:
    """Return a page of the probes that were sent or refused.

    Raises ConfigurationError for a sort other than time, ip, prober, outcome or device.
    """
    wanted = wanted or ProbeFilter()
    offset, limit = bounds(offset, limit)
    rows = scope.over(ProbeLog.objects.all())
    for column in ("device", "ip", "run"):
        if value := getattr(wanted, column):
            rows = rows.filter(**{column: value})
    if wanted.prober:
        rows = rows.filter(prober__in=wanted.prober)
    if wanted.outcome:
        rows = rows.filter(outcome__in=wanted.outcome)
    if wanted.since_ns is not None:
        rows = rows.filter(at_ns__gte=wanted.since_ns)
    if wanted.text:
        part = wanted.text
        rows = rows.filter(Q(label__icontains=part) | Q(ip__icontains=part) | Q(reason__icontains=part))
    columns = tuple("site_id" if f == "site" else f for f in ProbeRow.__struct_fields__)
    order = _order(sort, ("time", "ip", "prober", "outcome", "device"))
    chosen = rows.order_by(*order).values_list(*columns)
    items = tuple(ProbeRow(*values) for values in chosen[offset : offset + limit])
    return Page(items, rows.count(), offset, limit)
