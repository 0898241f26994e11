"""Findings: the list, one finding with its life, and every step of it with a reason."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.kernel.clock import from_datetime
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.finding import TRANSITIONS, FindingState
from medwarden.model.role import Permission
from medwarden.risk.matching.findings import TYPE as VULNERABILITY
from medwarden.store import queries
from medwarden.store.changes import Change
from medwarden.store.findings import transition
from medwarden.store.models import User
from medwarden.web import finding_list
from medwarden.web.exports import FORMATS, download
from medwarden.web.guard import requires
from medwarden.web.recent import recently
from medwarden.web.scope import Scope, scope_of, signed_in
from medwarden.web.templatetags.console import page_url

ACCEPT_DAYS = (30, 90, 180, 365)
STEP_WORDS = {
    FindingState.OPEN: "Reopen",
    FindingState.ACKNOWLEDGED: "Acknowledge",
    FindingState.ACCEPTED: "Accept the risk",
    FindingState.FALSE_POSITIVE: "Mark as false positive",
    FindingState.RESOLVED: "Resolve",
}


@requires(Permission.SEE_INVENTORY)
@require_GET
def findings(request: HttpRequest) -> HttpResponse:
    """List findings as the URL asks."""
    scope = scope_of(request)
    asked = finding_list.asked(request.GET)
    page = queries.findings(
        scope.store, asked.wanted, sort=asked.sort, offset=asked.offset, limit=asked.per_page
    )
    user = signed_in(request)
    context = {
        "page": page,
        "asked": asked,
        "menus": finding_list.menus(request.GET, recently(queries.finding_counts, scope.store)),
        "chips": finding_list.chips(request.GET),
        "pages": math.ceil(page.total / asked.per_page) or 1,
        "first": page.offset + 1 if page.total else 0,
        "last": min(page.offset + asked.per_page, page.total),
        "query": request.GET.urlencode(),
        "default_states": not request.GET.getlist("state"),
        "may_export": user.may(Permission.EXPORT),
        "may_change": user.may(Permission.CHANGE_FINDING),
        "bulk_steps": [
            (state.value, STEP_WORDS[state])
            for state in (FindingState.ACKNOWLEDGED, FindingState.FALSE_POSITIVE, FindingState.RESOLVED)
        ],
    }
    whole = request.headers.get("HX-Target") != "results"
    return render(request, "web/findings.html" if whole else "web/part/findings_results.html", context)


@requires(Permission.EXPORT)
@require_GET
def findings_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Download the findings of the list."""
    if kind not in FORMATS:
        raise Http404("Downloads are CSV or JSON.")
    scope = scope_of(request)
    asked = finding_list.asked(request.GET)
    rows = _all(scope, asked)
    return download(request, "findings", kind, rows, finding_list.HEADER)


def _all(scope: Scope, asked: finding_list.FindingList) -> Iterator[dict[str, object]]:
    offset = 0
    while True:
        page = queries.findings(scope.store, asked.wanted, sort=asked.sort, offset=offset, limit=500)
        yield from (finding_list.export_row(row) for row in page.items)
        offset += len(page.items)
        if not page.items or offset >= page.total:
            return


def steps_for(user: User, state: FindingState) -> list[tuple[str, str]]:
    """Return (state, words) of the steps this person may take from ``state``."""
    allowed = []
    for target in FindingState:
        if target not in TRANSITIONS[state]:
            continue
        needed = Permission.ACCEPT_RISK if target is FindingState.ACCEPTED else Permission.CHANGE_FINDING
        if user.may(needed):
            allowed.append((target.value, STEP_WORDS[target]))
    return allowed


@requires(Permission.SEE_INVENTORY)
@require_GET
def finding(request: HttpRequest, finding_id: str) -> HttpResponse:
    """Show one finding: what, why, on what evidence, what to do, and what was done."""
    scope = scope_of(request)
    found = queries.finding(scope.store, finding_id)
    if found is None:
        raise Http404("There is no such finding in what you may see.")
    row, steps = found
    about = _about(row)
    others = queries.findings(
        scope.store,
        queries.FindingFilter(type=(row.type,), state=("open", "acknowledged"), text=about),
        limit=10,
    )
    context = {
        "finding": row,
        "evidence": row.evidence,
        "steps": list(reversed(steps)),
        "allowed": steps_for(signed_in(request), FindingState(row.state)),
        "accept_days": ACCEPT_DAYS,
        "about": about,
        "others": [o for o in others.items if o.id != row.id],
        "others_total": others.total - sum(o.id == row.id for o in others.items),
    }
    return render(request, "web/finding.html", context)


def _about(row: queries.FindingRow) -> str:
    """Return what tells findings of one type apart: the advisory, notice or CVE that the title names."""
    return row.title.rpartition(": ")[0].rpartition(" ")[2] if row.type == VULNERABILITY else ""


def take_step(
    user: User, scope: Scope, finding_id: str, target: FindingState, reason: str, days: int | None = None
) -> None:
    """Move a finding on in this person's name; pages and API both come here.

    Raises Http404 outside his scope, PermissionRefused without the permission, ConfigurationError for a
    step that is not allowed.
    """
    found = queries.finding(scope.store, finding_id)
    if found is None:
        raise Http404("There is no such finding in what you may see.")
    if (target.value, STEP_WORDS[target]) not in steps_for(user, FindingState(found[0].state)):
        before = found[0].state.replace("_", " ")
        raise ConfigurationError(
            f"your role may not take a finding from {before} to {target.value.replace('_', ' ')}"
        )
    until = None
    if target is FindingState.ACCEPTED:
        if days not in ACCEPT_DAYS:
            raise ConfigurationError("choose how long the risk is accepted")
        until = from_datetime(datetime.now(UTC) + timedelta(days=days))
    with Change(f"user:{user.username}", reason.strip(), tenant=scope.tenant, site=found[0].site) as change:
        transition(change, finding_id, target, approver=user.username, accepted_until_ns=until)


@requires(Permission.CHANGE_FINDING)
@require_POST
def finding_step(request: HttpRequest, finding_id: str) -> HttpResponse:
    """Take one step in the life of a finding."""
    scope, user = scope_of(request), signed_in(request)
    try:
        target = FindingState(request.POST.get("state", ""))
        days = int(request.POST.get("days") or 0) or None
    except ValueError:
        messages.error(request, "Choose what to do with the finding.")
        return HttpResponseRedirect(page_url(request, "finding", finding_id))
    try:
        take_step(user, scope, finding_id, target, request.POST.get("reason", ""), days)
    except ConfigurationError as error:
        messages.error(request, f"{str(error)[:1].upper()}{str(error)[1:]}.")
    else:
        messages.success(request, f"{STEP_WORDS[target]}: done.")
    return HttpResponseRedirect(page_url(request, "finding", finding_id))


@requires(Permission.CHANGE_FINDING)
@require_POST
def findings_step(request: HttpRequest) -> HttpResponse:
    """Take the same step with every selected finding; those where it is not allowed are named."""
    scope, user = scope_of(request), signed_in(request)
    ids = request.POST.getlist("id")[:250]
    done, refused = 0, ""
    try:
        target = FindingState(request.POST.get("state", ""))
    except ValueError:
        target = None
    reason = request.POST.get("reason", "")
    if target is None or not reason.strip():
        messages.error(request, "Choose what to do, and say why.")
        return HttpResponseRedirect(page_url(request, "findings"))
    for finding_id in ids:
        try:
            take_step(user, scope, finding_id, target, reason)
            done += 1
        except ConfigurationError as error:
            refused = str(error)
    if done:
        messages.success(request, f"{STEP_WORDS[target]}: {done} of {len(ids)} findings.")
    if refused:
        messages.error(request, f"{len(ids) - done} left as they were: {refused}.")
    return HttpResponseRedirect(page_url(request, "findings"))
