"""Mark devices as to be judged (``stale``) or scored, and end that only where nobody marked them since.

Times do not tell that: a log with older times may be stored while a device is judged, so may a person's
answer, and a long change commits after others that began later. So every mark counts up, whether it is for
judging or for scoring, and whoever does either reads the count before anything else of the device.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from django.db import connection
from django.db.models import F
from django.db.models.expressions import Combinable

MARKED = "stale = 1, marks = store_device.marks + 1"
"""What a statement sets that changes anything a device is judged by."""

_AMONG = "IN (SELECT value FROM json_each(%s))"
_MARKS = f"SELECT id, marks FROM store_device WHERE id {_AMONG}"  # noqa: S608
_MARK = f"UPDATE store_device SET {MARKED} WHERE id {_AMONG}"  # noqa: S608
_PRESENT = " AND retired_at IS NULL"


def marked() -> Mapping[str, bool | Combinable]:
    """Return what an update of rows of devices sets to mark them."""
    return {"stale": True, "marks": F("marks") + 1}


def due_at(at_ns: int) -> Mapping[str, int | Combinable]:
    """Return what an update of rows of devices sets to have them scored anew, since ``at_ns``."""
    return {"score_due_ns": at_ns, "marks": F("marks") + 1}


def marks_of(ids: Iterable[str]) -> dict[str, int]:
    """Return how often devices were marked; to be asked before they are read."""
    with connection.cursor() as cursor:
        cursor.execute(_MARKS, [json.dumps(list(ids))])
        return dict(cursor.fetchall())


def mark(ids: Iterable[str], *, retired: bool = True) -> int:
    """Mark devices as to be judged, within a change; without ``retired`` not those. Return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_MARK if retired else _MARK + _PRESENT, [json.dumps(sorted(ids))])
        return int(cursor.rowcount)
