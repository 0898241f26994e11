"""Risk as a whole: where it stands and how it went, by site and kind, as a matrix, and what comes first."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time
from typing import NamedTuple

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from medwarden.app.risk import DAYS, TARGETS, Overview, overview, plan_site
from medwarden.app.risk_export import FORMATS, proved
from medwarden.kernel.clock import NANOSECONDS, to_datetime
from medwarden.model.risk import RiskLevel
from medwarden.model.role import Permission
from medwarden.risk.levels import GroupKind, GroupScore
from medwarden.risk.plan import Plan
from medwarden.store import queries
from medwarden.store.models import RiskScore, Site
from medwarden.store.queries.risk_groups import BANDS, MatrixCell, contributions
from medwarden.web.guard import requires
from medwarden.web.recent import on_the_minute, recently
from medwarden.web.scope import Scope, actor_of, scope_of, signed_in
from medwarden.web.shapes import risk_over_time, shares

KINDS = ("category", "model", "department", "site")
SHOWN = 10
SHOWN_REASONS = 6
PLANNED = 60
"""Devices that the page of the plan looks at; the command looks at more."""

_DAY_NS = 86_400 * NANOSECONDS
_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8"}


class Row(NamedTuple):
    """One group as the page lists it: what it is called, where it leads, how long its bar is."""

    group: GroupScore
    title: str
    query: dict[str, str]
    share: float


@requires(Permission.SEE_INVENTORY)
@require_GET
def risk(request: HttpRequest) -> HttpResponse:
    """Show how much risk there is, where, and what to do first."""
    scope = scope_of(request)
    days = DAYS if scope.since_ns is None else max(1, (scope.until_ns - scope.since_ns) // _DAY_NS)
    until = None if scope.since_ns is None else on_the_minute(scope.until_ns)  # None: now, whenever asked
    found = recently(overview, scope.store, days=days, now_ns=until)
    reasons = recently(queries.top_actions, scope.store, limit=20)
    actions = [reason for reason in reasons if reason.group != "impact"][:SHOWN_REASONS]
    user = signed_in(request)
    context = {
        "found": found,
        "days": days,
        "chart": risk_over_time([(moment.at_ns, moment.score) for moment in found.trend]),
        "young": bool(found.trend) and found.trend[0].at_ns > scope.until_ns - (days - 1) * _DAY_NS,
        "sites": _sites(scope, found),
        "categories": _rows(found.categories[:SHOWN], "category"),
        "departments": _rows(found.departments[:SHOWN], ""),
        "cells": _cells(found),
        "impact_bands": BANDS,
        "levels": _levels(found.whole),
        "worst": _worst(found.whole),
        "actions": list(zip(actions, shares([a.points for a in actions]), strict=True)),
        "targets": [level.value for level in TARGETS if TARGETS[level] < found.whole.score],
        "may_export": user.may(Permission.EXPORT),
    }
    return render(request, "web/risk_overview.html", context)


def _levels(whole: GroupScore) -> list[tuple[str, int, float]]:
    order = list(reversed(RiskLevel))
    counts = [whole.by_level[level] for level in order]
    return list(zip([level.value for level in order], counts, shares(counts), strict=True))


def _sites(scope: Scope, found: Overview) -> list[Row]:
    names = dict(Site.objects.filter(tenant_id=scope.tenant).values_list("pk", "name"))
    rows = _rows(found.sites, "site")
    return [row._replace(title=names.get(row.group.name, row.group.name)) for row in rows]


def _rows(groups: tuple[GroupScore, ...], parameter: str) -> list[Row]:
    return [
        Row(group, group.name, {parameter: group.name} if parameter else {}, float(group.score))
        for group in groups
    ]


def _cells(found: Overview) -> list[tuple[tuple[int, int], list[tuple[MatrixCell, str]]]]:
    """Return the rows of the matrix, each cell with the level of the worst score in it."""
    return [
        (row[0].likelihood, [(cell, RiskLevel.of(cell.worst).value) for cell in row]) for row in found.matrix
    ]


def _worst(whole: GroupScore) -> list[tuple[str, str, int, int]]:
    names = contributions([one.device for one in whole.worst])
    return [
        (one.device, names.get(one.device, (one.device, ""))[0], one.score, one.points)
        for one in whole.worst
        if one.points
    ]


@requires(Permission.SEE_INVENTORY)
@require_GET
def risk_groups(request: HttpRequest, kind: str) -> HttpResponse:
    """Show the scores of all groups of one kind, now or at the end of a day."""
    from medwarden.app.risk import rules
    from medwarden.store.queries.groups_at import groups_at
    from medwarden.store.queries.risk_groups import groups

    if kind not in KINDS:
        raise Http404
    scope = scope_of(request)
    day, shape = _day(request), rules().weights.groups
    if day is None:
        found = recently(groups, scope.store, GroupKind(kind), shape)
    else:
        found = groups_at(scope.store, GroupKind(kind), _end_of(day), shape)
    rows = _rows(tuple(found[:500]), kind if kind in ("site", "category") else "")
    today = to_datetime(scope.until_ns).date()
    context = {"rows": rows, "kind": kind, "total": len(found), "day": day, "today": today, "kinds": KINDS}
    return render(request, "web/risk_groups.html", context)


def _day(request: HttpRequest) -> date | None:
    """Return the day that the URL asks for; None for none, for what is no day, and for days to come."""
    try:
        day = date.fromisoformat(request.GET.get("day", ""))
    except ValueError:
        return None
    return day if day < to_datetime(scope_of(request).until_ns).date() else None


def _end_of(day: date) -> int:
    """Return the end of a day (UTC) in nanoseconds."""
    return int(datetime.combine(day, time.max, UTC).timestamp() * 1_000_000) * 1000


@requires(Permission.SEE_INVENTORY)
@require_GET
def risk_plan(request: HttpRequest) -> HttpResponse:
    """Show the cheapest set of actions that brings what is in scope to a level."""
    wanted = request.GET.get("to", RiskLevel.MEDIUM.value)
    if wanted not in {level.value for level in TARGETS}:
        raise Http404
    scope = scope_of(request)
    found = recently(plan_site, scope.store, RiskLevel(wanted), most=PLANNED)
    names = contributions([chosen.device for chosen in found.chosen])
    rows = [(chosen, names.get(chosen.device, (chosen.device, ""))[0]) for chosen in found.chosen]
    context = {
        "found": found,
        "scored": scope.store.over(RiskScore.objects.filter(current=True)).exists(),
        "rows": rows,
        "kinds": _kinds_of_work(found),
        "to": wanted,
        "most": PLANNED,
        "targets": [level.value for level in TARGETS if TARGETS[level] < found.before],
    }
    return render(request, "web/risk_plan.html", context)


def _kinds_of_work(found: Plan) -> list[tuple[str, int, float]]:
    """Return what is to be done, on how many devices, as a share of the most frequent."""
    counted = Counter(action.words for chosen in found.chosen for action in chosen.option.actions)
    kinds = counted.most_common(SHOWN)
    return [
        (words, count, share)
        for (words, count), share in zip(kinds, shares([n for _, n in kinds]), strict=True)
    ]


@requires(Permission.EXPORT)
@require_GET
def risk_export(request: HttpRequest, kind: str) -> HttpResponse:
    """Send every score with its factors; the digest of the file goes into the audit chain."""
    if kind not in FORMATS:
        raise Http404
    scope = scope_of(request)
    data, proof = proved(
        scope.store, scope.until_ns, kind, actor=actor_of(request), reason="exported in the console"
    )
    response = HttpResponse(data, content_type=_TYPES[kind])
    response["Content-Disposition"] = f'attachment; filename="medwarden-risk-{proof.as_of[:10]}.{kind}"'
    response["X-Content-Digest"] = f"sha-256={proof.sha256}"
    return response
