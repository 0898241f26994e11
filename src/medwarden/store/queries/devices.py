"""Lists of devices: filtered, sorted, paged, counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import msgspec
from django.db import connection
from django.db.models import Count, F
from django.db.models.expressions import OrderBy

from medwarden.kernel.errors import ConfigurationError
from medwarden.store.queries.filters import UNKNOWN, DeviceFilter, select
from medwarden.store.queries.scope import Page, Scope, bounds


class DeviceRow(msgspec.Struct, frozen=True):
    """One device as lists show it; fields as in :class:`medwarden.store.models.Device`."""

    id: str
    site: str
    name: str | None
    macs: list[str]
    ips: list[str]
    vlans: list[int]
    names: list[str]
    device_class: str
    category: str | None
    vendor: str | None
    model: str | None
    os: str | None
    os_version: str | None
    firmware: str | None
    serial: str | None
    managed: bool | None
    location: str | None
    subnet: str | None
    phi: bool | None
    gateway: bool
    confidence: dict[str, float]
    risk_score: int
    risk_level: str
    findings_open: int
    first_seen: int
    last_seen: int
    added_ns: int
    retired_at: int | None
    support_ends: str | None


_FIELDS = tuple("site_id" if f == "site" else f for f in DeviceRow.__struct_fields__)

SORTS: dict[str, tuple[str, ...]] = {
    "risk": ("risk_score",),
    "last_seen": ("last_seen",),
    "first_seen": ("first_seen",),
    "added": ("added_ns",),
    "name": ("name",),
    "ip": ("address_order",),
    "class": ("device_class", "category"),
    "category": ("category",),
    "vendor": ("vendor", "model"),
    "model": ("model",),
    "os": ("os", "os_version"),
    "subnet": ("subnet",),
    "findings": ("findings_open",),
    "support": ("support_ends",),
    "id": (),
}
"""What lists may be sorted by; a ``-`` before the name turns the order round."""


def devices(
    scope: Scope,
    wanted: DeviceFilter | None = None,
    *,
    sort: str = "-risk",
    offset: int = 0,
    limit: int = 50,
) -> Page[DeviceRow]:
    """Return one page of devices.

    ``sort`` is a key of :data:`SORTS`, with ``-`` for descending; the id settles ties. Raises
    ConfigurationError for another one.
    """
    offset, limit = bounds(offset, limit)
    rows = select(scope, wanted or DeviceFilter())
    total = rows.count()
    chosen = rows.order_by(*_order(sort)).values_list(*_FIELDS)[offset : offset + limit]
    return Page(tuple(DeviceRow(*values) for values in chosen), total, offset, limit)


def each_device(scope: Scope, wanted: DeviceFilter | None = None, *, sort: str = "id") -> Iterator[DeviceRow]:
    """Yield every device of the filter, for exports, with memory for a few at a time."""
    rows = select(scope, wanted or DeviceFilter()).order_by(*_order(sort)).values_list(*_FIELDS)
    for values in rows.iterator(chunk_size=500):
        yield DeviceRow(*values)


def device_ids(scope: Scope, wanted: DeviceFilter | None = None) -> list[str]:
    """Return the ids of all devices of the filter, for bulk actions and engines."""
    return list(select(scope, wanted or DeviceFilter()).order_by("id").values_list("id", flat=True))


def _order(sort: str) -> tuple[str | OrderBy, ...]:
    name = sort.removeprefix("-")
    columns = SORTS.get(name)
    if columns is None:
        raise ConfigurationError(f"devices cannot be sorted by {name[:40]!r}: use one of {', '.join(SORTS)}")
    if name == "support":  # where nobody names a day there is none to compare
        day = F("support_ends")
        return (day.desc(nulls_last=True) if sort.startswith("-") else day.asc(nulls_last=True), "id")
    sign = "-" if sort.startswith("-") else ""
    return tuple(f"{sign}{column}" for column in (*columns, "id"))


FACETS = ("device_class", "category", "vendor", "level", "site", "subnet", "managed", "phi")

_FACET_COLUMNS = {"level": "risk_level", "site": "site_id"}
# Facets with few values are counted together; those with many alone, or there would be a group a device.
_GROUPS = (("device_class", "category", "level", "site", "managed", "phi"), ("vendor",), ("subnet",))


def facets(scope: Scope, wanted: DeviceFilter | None = None) -> dict[str, dict[str, int]]:
    """Return for each of :data:`FACETS` how many devices of the filter have which value.

    Absent facts count as ``unknown``; managed and phi as ``yes``, ``no`` and ``unknown``. Values are in
    falling order of count.
    """
    rows = select(scope, wanted or DeviceFilter()).order_by()
    counters: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
    for group in _GROUPS:
        columns = [_FACET_COLUMNS.get(name, name) for name in group]
        for *values, count in rows.values_list(*columns).annotate(devices=Count("*")):
            for name, value in zip(group, values, strict=True):
                counters[name][_word(value)] += count
    return {name: dict(counter.most_common()) for name, counter in counters.items()}


def _word(value: str | bool | None) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value


def subnets(scope: Scope) -> list[tuple[str, int, int]]:
    """Return (subnet, devices in it, how many of them have a category), largest first."""
    rows = (
        select(scope, DeviceFilter())
        .filter(subnet__isnull=False)
        .values("subnet")
        .annotate(n=Count("*"), known=Count("category"))
        .order_by(F("n").desc(), "subnet")
    )
    return [(row["subnet"] or UNKNOWN, row["n"], row["known"]) for row in rows]


_STALE = "SELECT id FROM store_device WHERE site_id = %s AND stale ORDER BY id LIMIT %s"
_DUE = """
SELECT id FROM store_device
WHERE site_id = %s AND score_due_ns IS NOT NULL AND NOT stale AND retired_at IS NULL ORDER BY id LIMIT %s
"""
_ALL = -1
"""A limit that is none."""
_LAST_DECISION = "SELECT COALESCE(MAX(sequence), 0) FROM store_auditentry"
_OTHERWISE = (
    "SELECT 1 FROM store_auditentry WHERE sequence > %s"
    " AND action NOT IN (SELECT value FROM json_each(%s)) LIMIT 1"
)
_NONE_COMES_OR_GOES = json.dumps(
    [
        "device.identified", "finding.opened", "finding.severity", "finding.state", "risk.level",
        "support.judged", "vulnerabilities.judged",
    ]
)  # fmt: skip
"""Decisions after which the same devices are listed, as judging makes them all the time."""


def last_decision() -> int:
    """Return the number of the last entry of the audit chain, 0 without any."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST_DECISION)
        return int(cursor.fetchone()[0])


def listed_otherwise(since: int) -> bool:
    """Tell whether devices may have come, gone or returned after the entry ``since`` of the audit chain.

    Every way in which they do is a decision and has its entry in the same transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OTHERWISE, [since, _NONE_COMES_OR_GOES])
        return cursor.fetchone() is not None


def stale_devices(site: str, limit: int = 500) -> list[str]:
    """Return ids of devices of ``site`` that were heard since they were last identified and assessed."""
    with connection.cursor() as cursor:
        cursor.execute(_STALE, [site, limit])
        return [device for (device,) in cursor.fetchall()]


def due_devices(site: str, limit: int | None = None) -> list[str]:
    """Return ids of devices of ``site`` whose score is due and that are not to be identified first."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [site, _ALL if limit is None else limit])
        return [device for (device,) in cursor.fetchall()]
