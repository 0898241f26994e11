"""The plan of a site: replaced as a whole, audited, and devices are placed anew by it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from django.db import connection

from medwarden.inventory.plan import Plan
from medwarden.model.place import PlanKey, PlanRow
from medwarden.store.bulk import insert_rows
from medwarden.store.changes import Change
from medwarden.store.marking import marked
from medwarden.store.models import Device, FloorPlanRow
from medwarden.store.queries.scope import Page, Scope, bounds

_PARTS = ("building", "floor", "room", "department")


class PlanCount(msgspec.Struct, frozen=True):
    """What a plan came to: rows before, rows now, and devices that are placed anew."""

    before: int
    rows: int
    devices: int


def replace_plan(change: Change, site: str, rows: Sequence[PlanRow]) -> PlanCount:
    """Put ``rows`` in the place of the plan of ``site``; of several rows with one key the last counts."""
    last = {(row.kind, row.key): row for row in rows}
    standing = FloorPlanRow.objects.filter(tenant_id=change.tenant, site_id=site)
    before = standing.count()
    standing.delete()
    insert_rows(
        [
            FloorPlanRow(
                tenant_id=change.tenant,
                site_id=site,
                kind=row.kind.value,
                key=row.key[:420],
                **{part: getattr(row, part) or "" for part in _PARTS},
                line=row.line,
            )
            for row in last.values()
        ]
    )
    present = Device.objects.filter(tenant_id=change.tenant, site_id=site, retired_at=None)
    devices = present.update(**marked())
    kinds = {kind.value: sum(k is kind for k, _ in last) for kind in PlanKey}
    change.record(
        "plan.replaced",
        f"site:{site}",
        {"rows": before},
        {"rows": len(last), **{kind: count for kind, count in kinds.items() if count}},
        site=site,
    )
    return PlanCount(before, len(last), devices)


def plan_rows(tenant: str, site: str) -> list[PlanRow]:
    """Return the plan of one site."""
    rows = FloorPlanRow.objects.filter(tenant_id=tenant, site_id=site).order_by("kind", "key")
    return [_row(row) for row in rows.iterator()]


def planned(tenant: str, site: str, kind: PlanKey, evidence: str) -> PlanRow | None:
    """Return the row of the plan of ``site`` that holds for what was heard, as places are found by it.

    ``evidence`` is what a :class:`~medwarden.model.place.PlaceBasis` keeps: the key, an address of a
    subnet, or what names a unit.
    """
    rows = FloorPlanRow.objects.filter(tenant_id=tenant, site_id=site, kind=kind.value)
    return Plan(map(_row, rows.iterator())).by_evidence(kind, evidence)


def plan_page(
    scope: Scope, *, text: str = "", kind: str = "", offset: int = 0, limit: int = 100
) -> Page[PlanRow]:
    """Return a page of the plans of a scope, sorted by kind and key; ``text`` is part of a key or room."""
    offset, limit = bounds(offset, limit)
    rows = scope.over(FloorPlanRow.objects.all())
    if kind:
        rows = rows.filter(kind=kind)
    if text:
        rows = rows.filter(key__icontains=text) | rows.filter(room__icontains=text)
    chosen = rows.order_by("kind", "key", "pk")[offset : offset + limit]
    return Page(tuple(_row(row) for row in chosen), rows.count(), offset, limit)


class PlaceCount(msgspec.Struct, frozen=True):
    """How many devices are at one place; ``worst`` is the highest risk score of them.

    A place without building, floor and room is where devices are attached or what they say of it.
    """

    building: str | None
    floor: str | None
    room: str | None
    location: str
    devices: int
    medical: int
    worst: int
    findings: int


def place_counts(scope: Scope, limit: int = 2000) -> tuple[list[PlaceCount], int]:
    """Return places with their devices, by building, floor and room, and how many devices have none."""
    condition, parameters = scope.sql("d")
    part = "json_extract(d.place, '$.%s')"
    columns = ", ".join(part % name for name in ("building", "floor", "room"))
    # Only fixed text and bound parameters go into the statement.
    statement = f"""
        SELECT {columns}, d.location, count(*), sum(d.device_class = 'IoMT'), max(d.risk_score),
               sum(d.findings_open)
        FROM store_device d
        WHERE {condition} AND d.retired_at IS NULL AND d.location IS NOT NULL
        GROUP BY 1, 2, 3, 4 ORDER BY 1 IS NULL, 1, 2, 3, 4 LIMIT %s
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, limit])
        found = [PlaceCount(*row) for row in cursor.fetchall()]
    nowhere = scope.over(Device.objects.filter(retired_at__isnull=True, location__isnull=True)).count()
    return found, nowhere


def _row(row: FloorPlanRow) -> PlanRow:
    parts = {part: getattr(row, part) or None for part in _PARTS}
    return PlanRow(PlanKey(row.kind), row.key, **parts, line=row.line)
