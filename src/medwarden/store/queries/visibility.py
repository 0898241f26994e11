"""How well each subnet is seen, and what each sensor hears, straight from the rows."""

from __future__ import annotations

import ipaddress

import msgspec
from django.db import connection

from medwarden.model.visibility import Heard, SubnetSight
from medwarden.store.models import FloorPlanRow
from medwarden.store.queries.scope import Scope

_MOST = 500


def subnet_sights(scope: Scope) -> list[SubnetSight]:
    """Return how well each subnet is seen, the one with most devices first, and those of the plan after.

    Whether a device ever said anything is looked up in the index of the ledger, field by field.
    """
    condition, parameters = scope.sql("d")
    said = "EXISTS (SELECT 1 FROM store_evidenceentry e WHERE e.device_id = d.id"
    # Only fixed text and bound parameters go into the statement.
    statement = f"""
        SELECT d.subnet, count(*), sum(d.device_class = 'IoMT'), sum(d.kind = 'ip'),
               sum(NOT {said} AND e.field >= 'dhcp.' AND e.field < 'dhcp/')),
               sum(d.category IS NULL), sum(NOT {said})), sum(d.location IS NULL)
        FROM store_device d
        WHERE {condition} AND d.retired_at IS NULL AND d.subnet IS NOT NULL
        GROUP BY d.subnet ORDER BY 2 DESC, 1
    """  # noqa: S608
    planned = {
        row.key: ", ".join(part for part in (row.building, row.floor, row.room, row.department) if part)
        for row in scope.over(FloorPlanRow.objects.filter(kind="subnet"))
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        counted = [SubnetSight(*row) for row in cursor.fetchall()]
    sights = [msgspec.structs.replace(s, planned=planned.get(s.subnet)) for s in counted]
    known = {sight.subnet for sight in sights}
    # A plan may name a whole building's network: it is blind only where no smaller one of it is seen.
    blind = [SubnetSight(key, 0, planned=place) for key, place in sorted(planned.items()) if key not in known]
    return sights + [sight for sight in blind if not _covers(sight.subnet, known)]


def _covers(network: str, seen: set[str]) -> bool:
    whole = ipaddress.ip_network(network)
    for text in seen:
        part = ipaddress.ip_network(text, strict=False)
        if part.version == whole.version and part.overlaps(whole):
            return True
    return False


def heard_by_sensor(scope: Scope) -> list[Heard]:
    """Return which protocols each sensor hears, of how many devices; sensors by name, most devices first."""
    condition, parameters = scope.sql("e")
    statement = f"""
        SELECT e.sensor, substr(e.field, 1, instr(e.field, '.') - 1) AS protocol,
               count(DISTINCT e.device_id), max(e.last_seen)
        FROM store_evidenceentry e WHERE {condition}
        GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2 LIMIT %s
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, _MOST])
        return [Heard(*row) for row in cursor.fetchall()]
