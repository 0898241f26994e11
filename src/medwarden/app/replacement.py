"""Which devices to plan to replace: open class I recalls, ends of support, age and cost from the books."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medwarden.kernel.clock import to_datetime, wall_clock
from medwarden.knowledge.end_of_support import support_ends
from medwarden.model.recall import RecallClass
from medwarden.risk.recalls.engine import CONCERNING, RecallState
from medwarden.risk.recalls.outlook import Aged, Outlook, outlook
from medwarden.risk.recalls.workflow import SETTLED

if TYPE_CHECKING:
    from medwarden.store.queries import Scope

_AT_ONCE = 400


def replacements(home: Path, scope: Scope) -> list[Outlook]:
    """Return the devices of a scope that something speaks for replacing, the most urgent first.

    On an open store. Computers that no patient depends on are left out: their life is planned elsewhere.
    """
    from medwarden.store.models import Device

    del home
    today = to_datetime(wall_clock()).date()
    rows = scope.over(Device.objects.filter(retired_at=None, device_class__in=("IoMT", "OT", "IoT")))
    ids = list(rows.order_by("pk").values_list("pk", flat=True))
    found: list[Aged] = []
    for start in range(0, len(ids), _AT_ONCE):
        found += _aged(scope, ids[start : start + _AT_ONCE])
    return outlook(found, today)


def _aged(scope: Scope, ids: Sequence[str]) -> list[Aged]:
    from medwarden.store.models import Device, RecallCase, RecallVerdict
    from medwarden.store.recalls import booked

    recalled: defaultdict[str, list[tuple[RecallClass, RecallState]]] = defaultdict(list)
    settled = set(
        RecallCase.objects.filter(device__in=ids, step__in=[s.value for s in SETTLED]).values_list(
            "notice_id", "device"
        )
    )
    verdicts = scope.over(RecallVerdict.objects.filter(device_id__in=ids, until_ns=None))
    concerning = verdicts.filter(state__in=[s.value for s in CONCERNING])
    for notice, device, kind, state in concerning.values_list(
        "notice_id", "device_id", "notice__recall_class", "state"
    ):
        if (notice, device) not in settled:
            recalled[device].append((RecallClass(kind), RecallState(state)))
    books = booked(ids)
    found = []
    for row in Device.objects.filter(pk__in=ids):
        said: dict[str, str] = {}
        for _, one in books.get(row.pk, ()):
            said = one | said
        made = " ".join(part for part in (row.vendor, row.model) if part)
        ends = support_ends(row.os, row.os_version) if row.os else None
        found.append(
            Aged(
                device=row.pk,
                label=row.name or made or row.pk,
                recalls=tuple(recalled[row.pk]),
                support_ends=ends,
                support_of=" ".join(part for part in (row.os, row.os_version) if part) if ends else "",
                bought=said.get("purchase_date", "") or said.get("manufactured", ""),
                cost=_number(said.get("cost", "")),
                currency=said.get("currency", ""),
            )
        )
    return found


def _number(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def total_cost(found: Sequence[Outlook]) -> dict[str, float]:
    """Return what replacing devices cost when they were bought, by currency ('' where none is said)."""
    sums: defaultdict[str, float] = defaultdict(float)
    for each in found:
        if each.cost is not None:
            sums[each.currency] += each.cost
    return dict(sums)
