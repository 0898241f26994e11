"""The scores of groups over time, and how long history is kept.

A change of level is written down at once; other changes once an hour, with what stood at its end. What a
score was at any moment in between follows from the scores of the devices, which are all kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Max

from medwarden.risk.levels import GroupKind, GroupScore
from medwarden.risk.weights import GroupShape
from medwarden.store.bulk import insert_rows
from medwarden.store.changes import Change
from medwarden.store.models import FactorSpan, GroupRisk, ProfileMember, RiskScore, VulnerabilityVerdict
from medwarden.store.queries.risk_groups import groups
from medwarden.store.queries.scope import Scope

KEPT = timedelta(days=6 * 366)
"""How long scores, factors and verdicts that no longer hold are kept (45 CFR 164.316(b)(2): six years)."""

_HOUR_NS = 3_600_000_000_000
_AT_ONCE = 5000


def record_groups(change: Change, shape: GroupShape) -> int:
    """Write down the scores of all groups of a tenant that changed; return how many."""
    written = 0
    for kind in GroupKind:
        found = groups(Scope(change.tenant), kind, shape)
        rows = GroupRisk.objects.filter(tenant_id=change.tenant, kind=kind.value)
        newest = rows.order_by().values("name").annotate(newest=Max("pk")).values("newest")
        latest = {row.name: row for row in GroupRisk.objects.filter(pk__in=newest)}
        gone = [
            row for name, row in latest.items() if row.devices and name not in {group.name for group in found}
        ]
        fresh = [group for group in found if _counts(latest.get(group.name), group, change.now_ns)]
        insert_rows([_row(change, group) for group in fresh] + [_ended(change, row) for row in gone])
        written += len(fresh) + len(gone)
    return written


def _counts(row: GroupRisk | None, group: GroupScore, now_ns: int) -> bool:
    if row is None:
        return True
    if row.level != group.level.value:
        return True
    same = (row.score, row.devices, row.by_level) == (group.score, group.devices, _levels(group))
    return not same and now_ns - row.at_ns >= _HOUR_NS


def _levels(group: GroupScore) -> dict[str, int]:
    return {level.value: number for level, number in group.by_level.items()}


def _row(change: Change, group: GroupScore) -> GroupRisk:
    return GroupRisk(
        tenant_id=change.tenant,
        site_id=group.name if group.kind is GroupKind.SITE else None,
        kind=group.kind.value,
        name=group.name,
        at_ns=change.now_ns,
        score=group.score,
        level=group.level.value,
        devices=group.devices,
        by_level=_levels(group),
        worst=[[one.device, one.score, one.points] for one in group.worst],
        cause=change.reason[:200],
    )


def _ended(change: Change, row: GroupRisk) -> GroupRisk:
    return GroupRisk(
        tenant_id=row.tenant_id,
        site_id=row.site_id,
        kind=row.kind,
        name=row.name,
        at_ns=change.now_ns,
        score=0,
        level="none",
        devices=0,
        cause="it has no devices any more",
    )


def forget_history(change: Change, before_ns: int) -> int:
    """Delete what ended before ``before_ns`` of scores, factors, groups and verdicts; return how many rows.

    What still holds stays however old it is, and of each group the last score before that time.
    """
    gone = 0
    for rows in (
        RiskScore.objects.filter(tenant_id=change.tenant, current=False, until_ns__lt=before_ns),
        FactorSpan.objects.filter(tenant_id=change.tenant, until_ns__lt=before_ns),
        VulnerabilityVerdict.objects.filter(tenant_id=change.tenant, until_ns__lt=before_ns),
        ProfileMember.objects.filter(tenant_id=change.tenant, until_ns__lt=before_ns),
    ):
        gone += _deleted(rows.model, list(rows.values_list("pk", flat=True)))
    latest: dict[tuple[str, str], int] = {}
    old: list[int] = []
    groups_then = GroupRisk.objects.filter(tenant_id=change.tenant, at_ns__lt=before_ns)
    for pk, kind, name in groups_then.order_by("at_ns", "pk").values_list("pk", "kind", "name"):
        if (kind, name) in latest:
            old.append(latest[kind, name])
        latest[kind, name] = pk
    gone += _deleted(GroupRisk, old)
    if gone:
        change.record("risk.forgotten", "risk:history", None, {"rows": gone, "before_ns": before_ns})
    return gone


def _deleted(
    model: type[RiskScore | FactorSpan | GroupRisk | VulnerabilityVerdict | ProfileMember],
    keys: Sequence[int],
) -> int:
    for start in range(0, len(keys), _AT_ONCE):
        model._default_manager.filter(pk__in=keys[start : start + _AT_ONCE]).delete()
    return len(keys)
