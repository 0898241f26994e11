"""The overview: four honest numbers, what changed since the person last looked, sensors, top actions."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.finding import Severity
from medwarden.model.risk import RiskLevel
from medwarden.model.role import Permission
from medwarden.risk.matching.findings import TYPE as VULNERABILITY
from medwarden.risk.recalls.findings import TYPE as RECALL
from medwarden.store import queries
from medwarden.store.models import User
from medwarden.web import shapes
from medwarden.web.guard import requires
from medwarden.web.models import LastLook
from medwarden.web.recent import on_the_minute, recently
from medwarden.web.scope import scope_of, signed_in

_SITTING = 30 * 60 * NANOSECONDS
_DAY = 24 * 3600 * NANOSECONDS
_SEVERAL = {VULNERABILITY: "Known vulnerabilities", RECALL: "Recalls and notices"}
_MATTER = (Severity.CRITICAL.value, Severity.HIGH.value)


def last_look(user: User, now: int) -> int:
    """Return when this person looked before this sitting, 0 for never; looks within half an hour are one."""
    row, new = LastLook.objects.get_or_create(
        owner=user, defaults={"tenant_id": user.tenant_id, "before_ns": 0, "now_ns": now}
    )
    if not new and now - row.now_ns > _SITTING:
        row.before_ns, row.now_ns = row.now_ns, now
        row.save(update_fields=["before_ns", "now_ns"])
    elif not new and now - row.now_ns > NANOSECONDS * 60:
        LastLook.objects.filter(owner=user).update(now_ns=now)
    return row.before_ns


def _minute(moment_ns: int) -> int:
    return on_the_minute(moment_ns) or moment_ns


@requires(Permission.SEE_INVENTORY)
@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """Show the overview; changes count from the start of the time range, for all time from the last look."""
    scope, user = scope_of(request), signed_in(request)
    looked = last_look(user, scope.until_ns)
    since = (looked or _minute(scope.until_ns) - _DAY) if scope.since_ns is None else scope.since_ns
    numbers = recently(queries.overview, scope.store, since)
    trend = recently(queries.trend, scope.store, _minute(scope.until_ns))
    fresh = queries.devices(scope.store, queries.DeviceFilter(added_since=since), sort="-added", limit=8)
    context = {
        "numbers": numbers,
        "since": since,
        "looked": looked > 0 and scope.since_ns is None,
        "levels": _identified(numbers),
        "risk": _bars(numbers.risk_levels, [level.value for level in reversed(RiskLevel)]),
        "risky": numbers.risk_levels.get("critical", 0) + numbers.risk_levels.get("high", 0),
        "severities": _bars(numbers.findings_open, [s.value for s in reversed(Severity)]),
        "matter": sum(numbers.findings_open.get(s, 0) for s in _MATTER),
        "policies": [
            (state, numbers.policies.get(state, 0))
            for state in ("learnt", "simulated", "approved", "canary", "enforced")
        ],
        "policies_all": sum(numbers.policies.values()),
        "devices_line": shapes.sparkline([t.devices for t in trend]),
        "findings_line": shapes.sparkline([t.findings_opened for t in trend]),
        "trend": list(reversed(trend)),
        "fresh": fresh,
        "types": _types(scope.store, since),
        "sensors": queries.sensors(scope.store)[:6],
        "actions": _actions(scope.store),
    }
    whole = request.headers.get("HX-Target") != "results"
    return render(request, "web/overview.html" if whole else "web/part/overview_results.html", context)


def _identified(numbers: queries.Overview) -> list[tuple[str, int, float]]:
    total = numbers.devices or 1
    return [
        (title, count, count / total)
        for title, count in (
            ("Class", numbers.with_class),
            ("Category", numbers.with_category),
            ("Vendor", numbers.with_vendor),
            ("Model", numbers.with_model),
        )
    ]


def _bars(counts: dict[str, int], order: list[str]) -> list[tuple[str, int, float]]:
    values = [counts.get(name, 0) for name in order]
    return list(zip(order, values, shapes.shares(values), strict=True))


def _types(
    scope: queries.Scope, since: int, most: int = 8
) -> list[tuple[queries.FindingType, str, str, int]]:
    """Return open finding types with their words without the device, severity, and how many are new.

    Of a vulnerability the words name one advisory of many, so its type stands for them.
    """
    opened = queries.FindingFilter(state=("open",), opened_since=since)
    fresh = recently(queries.finding_counts, scope, opened)["type"]
    severities = [s.value for s in Severity]
    return [
        (t, _title(t), severities[t.severity_rank], fresh.get(t.type, 0))
        for t in recently(queries.finding_types, scope)[:most]
    ]


def _title(type: queries.FindingType) -> str:
    return _SEVERAL.get(type.type) or type.title.rpartition(": ")[0] or type.title


def _actions(scope: queries.Scope) -> list[tuple[queries.Action, float]]:
    actions = recently(queries.top_actions, scope, limit=20)[:6]
    return list(zip(actions, shapes.shares([a.points for a in actions]), strict=True))
