"""The overview's honest numbers, and what they were before."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from django.db.models import Count, Q, Sum

from medwarden.store.models import AuditEntry, Device, FactorSpan, Finding, Policy
from medwarden.store.queries.scope import Scope


class Overview(msgspec.Struct, frozen=True):
    """Counts of what is known now, and of what was known at ``since`` where that can be said.

    ``identified`` counts devices by the deepest level answered: class, category, vendor, model.
    """

    devices: int
    devices_before: int
    with_class: int
    with_category: int
    with_vendor: int
    with_model: int
    medical: int
    risk_levels: dict[str, int]
    findings_open: dict[str, int]
    findings_new: int
    findings_resolved: int
    policies: dict[str, int]
    last_seen: int | None


def overview(scope: Scope, since: int) -> Overview:
    """Return the overview of a scope; ``since`` (wall clock, ns) is what changes are counted from."""
    live = scope.over(Device.objects.filter(retired_at__isnull=True))
    # Only columns of the index for facets are counted here, so that no row has to be read.
    counts = live.aggregate(
        devices=Count("*"),
        known=Count("device_class", filter=~Q(device_class="unknown")),
        category=Count("category"),
        vendor=Count("vendor"),
        model=Count("model"),
        medical=Count("device_class", filter=Q(device_class="IoMT")),
    )
    found = scope.over(Finding.objects.all())
    last = live.order_by("-last_seen").values_list("last_seen", flat=True).first()
    return Overview(
        devices=counts["devices"],
        devices_before=live.filter(added_ns__lt=since).count(),
        with_class=counts["known"],
        with_category=counts["category"],
        with_vendor=counts["vendor"],
        with_model=counts["model"],
        medical=counts["medical"],
        risk_levels=dict(live.order_by().values_list("risk_level").annotate(n=Count("*"))),
        findings_open=dict(
            found.filter(state="open").order_by().values_list("severity").annotate(n=Count("*"))
        ),
        findings_new=found.filter(opened_ns__gte=since).count(),
        findings_resolved=found.filter(state="resolved", changed_ns__gte=since).count(),
        policies=dict(
            scope.over(Policy.objects.all()).order_by().values_list("state").annotate(n=Count("*"))
        ),
        last_seen=last,
    )


class Trend(msgspec.Struct, frozen=True):
    """One day (its start in ns UTC): devices known by its end and findings opened in it."""

    day: int
    devices: int
    findings_opened: int


_DAY = 86_400 * 1_000_000_000


def trend(scope: Scope, now: int, days: int = 30) -> list[Trend]:
    """Return the last ``days`` days up to ``now``, oldest first."""
    start = (now // _DAY - days + 1) * _DAY
    rows = scope.over(Device.objects.all())
    known = rows.filter(added_ns__lt=start).count()
    added: dict[int, int] = {}
    for moment in rows.filter(added_ns__gte=start).values_list("added_ns", flat=True).iterator():
        added[moment // _DAY] = added.get(moment // _DAY, 0) + 1
    opened: dict[int, int] = {}
    found = scope.over(Finding.objects.filter(opened_ns__gte=start)).values_list("opened_ns", flat=True)
    for moment in found.iterator():
        opened[moment // _DAY] = opened.get(moment // _DAY, 0) + 1
    result = []
    for day in range(start // _DAY, now // _DAY + 1):
        known += added.get(day, 0)
        result.append(Trend(day * _DAY, known, opened.get(day, 0)))
    return result


class Action(msgspec.Struct, frozen=True):
    """What would lower risk most: one factor, on how many devices, for how many points in all."""

    factor: str
    title: str
    group: str
    devices: int
    points: int


def top_actions(scope: Scope, limit: int = 5) -> list[Action]:
    """Return the factors that add most points over all devices, largest first."""
    rows = (
        scope.over(FactorSpan.objects.filter(until_ns=None, points__gt=0))
        .values("factor", "title", "group")
        .annotate(devices=Count("device_id"), total=Sum("points"))
        .order_by("-total", "factor")[:limit]
    )
    return [Action(r["factor"], r["title"], r["group"], r["devices"], r["total"]) for r in rows]


class AuditRow(msgspec.Struct, frozen=True):
    """One entry of the audit chain; ``before`` and ``after`` are JSON text."""

    sequence: int
    at_ns: int
    actor: str
    action: str
    subject: str
    before: str
    after: str
    reason: str
    version: str


def history(
    scope: Scope,
    *,
    subject: str = "",
    subjects: Sequence[str] = (),
    action: str = "",
    before_sequence: int | None = None,
    limit: int = 50,
) -> list[AuditRow]:
    """Return audit entries, the newest first, of one subject (``device:d-...``) or several, or one action.

    ``before_sequence`` continues a list. Entries that concern no single site are seen by those who
    may see every site.
    """
    rows = scope.over(AuditEntry.objects.all())
    if subject:
        rows = rows.filter(subject=subject)
    if subjects:
        rows = rows.filter(subject__in=subjects)
    if action:
        rows = rows.filter(action=action)
    if before_sequence is not None:
        rows = rows.filter(sequence__lt=before_sequence)
    values = rows.order_by("-sequence").values_list(*AuditRow.__struct_fields__)[: min(limit, 1000)]
    return [AuditRow(*row) for row in values]
