"""Operations: clinical names and disputes over them, what must not be probed, and active query."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.inventory.clinical_peers import ClinicalName, ConflictKind
from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.taxonomy import categories
from medwarden.model.role import Permission
from medwarden.operations.in_use import LIFE_CRITICAL
from medwarden.operations.interlock import EntryKind
from medwarden.sensors.active.registry import probers
from medwarden.store import queries
from medwarden.store.changes import Change
from medwarden.store.models import DoNotProbe, ProbeSubnet
from medwarden.store.probing import protect, switch_off, switch_on, unprotect
from medwarden.store.queries.probing import ProbeFilter, overrides, probe_log, probe_subnets, protections
from medwarden.store.queries.scope import Page
from medwarden.web.guard import requires
from medwarden.web.recent import recently
from medwarden.web.scope import scope_of, signed_in
from medwarden.web.templatetags.console import page_url

T = TypeVar("T")

PER_PAGE = 50
CONFLICT_WORDS = {
    ConflictKind.SPOOF_SUSPECTED: ("Spoof suspected", "critical"),
    ConflictKind.UNKNOWN_DESTINATION: ("Unknown destination", "high"),
    ConflictKind.SHARED: ("Shared", "high"),
    ConflictKind.MOVED: ("Moved", "medium"),
    ConflictKind.MISDIRECTED: ("Misdirected", "medium"),
    ConflictKind.UNANSWERED: ("Unanswered", "low"),
    ConflictKind.DEFAULT: ("As delivered", "low"),
}
LASTS = (("", "for good"), ("8", "8 hours"), ("24", "a day"), ("168", "a week"), ("720", "30 days"))
LOW_PERCENT = 20
OUTCOMES = ("answered", "refused")


def _page(request: HttpRequest) -> int:
    number = request.GET.get("page", "1")
    return max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 8 else 1


def _paging(page: Page[T], number: int) -> dict[str, object]:
    return {
        "page": page,
        "asked": {"page": number},
        "pages": math.ceil(page.total / PER_PAGE) or 1,
        "first": page.offset + 1 if page.total else 0,
        "last": min(page.offset + PER_PAGE, page.total),
    }


@requires(Permission.SEE_INVENTORY)
@require_GET
def names(request: HttpRequest) -> HttpResponse:
    """Show AE titles and HL7 applications, who answers to them, and the disputes."""
    found = recently(queries.clinical_peers, scope_of(request).store)
    text = request.GET.get("q", "").strip().lower()[:100]
    chosen = [name for name in found.titles if not text or _mentions(name, text)]
    number = _page(request)
    start = (number - 1) * PER_PAGE
    page = Page(tuple(chosen[start : start + PER_PAGE]), len(chosen), start, PER_PAGE)
    context = {
        **_paging(page, number),
        "conflicts": [(c, *CONFLICT_WORDS[c.kind]) for c in found.conflicts],
        "text": text,
    }
    return render(request, "web/operations_names.html", context)


def _mentions(name: ClinicalName, text: str) -> bool:
    said = [name.name, *name.facilities]
    for use in name.uses:
        said += [use.label, *use.addresses]
    return any(text in part.lower() for part in said)


@requires(Permission.SEE_INVENTORY)
@require_GET
def batteries(request: HttpRequest) -> HttpResponse:
    """Show how full the batteries of pumps and monitors are."""
    found = recently(queries.battery_levels, scope_of(request).store)
    number = _page(request)
    start = (number - 1) * PER_PAGE
    page = Page(tuple(found[start : start + PER_PAGE]), len(found), start, PER_PAGE)
    low = sum(row.battery.percent is not None and row.battery.percent <= LOW_PERCENT for row in found)
    return render(request, "web/operations_batteries.html", {**_paging(page, number), "low": low})


@requires(Permission.SEE_INVENTORY)
@require_GET
def protected(request: HttpRequest) -> HttpResponse:
    """Show the do-not-probe registry, and let those who may enter something."""
    scope, number = scope_of(request), _page(request)
    text = request.GET.get("q", "").strip()[:100]
    ended = request.GET.get("ended") == "yes"
    found = protections(scope.store, text=text, ended=ended, offset=(number - 1) * PER_PAGE, limit=PER_PAGE)
    context = {
        **_paging(found, number),
        "text": text,
        "ended": ended,
        "kinds": [kind.value for kind in EntryKind],
        "kind": request.GET.get("kind", ""),
        "value": request.GET.get("value", "")[:200],
        "lasts": LASTS,
        "now_ns": wall_clock(),
        "may_protect": signed_in(request).may(Permission.PROTECT_DEVICE),
    }
    return render(request, "web/operations_protected.html", context)


@requires(Permission.PROTECT_DEVICE)
@require_POST
def protect_add(request: HttpRequest) -> HttpResponse:
    """Enter something in the registry."""
    kind = next((k for k in EntryKind if k.value == request.POST.get("kind")), None)
    site = scope_of(request).one_site

    def enter(change: Change) -> str:
        if kind is None:
            raise ConfigurationError("choose what the entry speaks of")
        entry = protect(
            change,
            kind,
            request.POST.get("value", ""),
            site=site,
            until_ns=_until(change, request.POST.get("hours", "")),
        )
        return f"{kind.value} {entry.value} is on the do-not-probe list"

    return _decided(request, "operations_protected", enter)


@requires(Permission.PROTECT_DEVICE)
@require_POST
def protect_end(request: HttpRequest, entry_id: str) -> HttpResponse:
    """End an entry of the registry."""
    _must_be_ours(request, DoNotProbe.objects.filter(pk=entry_id).values_list("site_id", flat=True))

    def end(change: Change) -> str:
        unprotect(change, entry_id)
        return "the entry is ended"

    return _decided(request, "operations_protected", end)


@requires(Permission.SEE_INVENTORY)
@require_GET
def query(request: HttpRequest) -> HttpResponse:
    """Show where active query is on, overrides, and every question that was sent or refused."""
    scope, number = scope_of(request), _page(request)
    outcome = request.GET.get("outcome", "")
    log = probe_log(
        scope.store,
        ProbeFilter(outcome=(outcome,) if outcome else (), since_ns=scope.since_ns),
        offset=(number - 1) * PER_PAGE,
        limit=PER_PAGE,
    )
    context = {
        **_paging(log, number),
        "outcome": outcome,
        "outcomes": OUTCOMES,
        "subnets": probe_subnets(scope.store, limit=500).items,
        "overrides": overrides(scope.store, limit=20).items,
        "probers": [member.manifest for member in probers().values()],
        "critical": sorted(c.id for c in categories().values() if c.criticality >= LIFE_CRITICAL),
        "lasts": LASTS,
        "now_ns": wall_clock(),
        "may_enable": signed_in(request).may(Permission.ENABLE_PROBING),
    }
    return render(request, "web/operations_query.html", context)


@requires(Permission.ENABLE_PROBING)
@require_POST
def subnet_on(request: HttpRequest) -> HttpResponse:
    """Switch active query on in a subnet."""
    rate = request.POST.get("per_minute", "30")
    site = scope_of(request).one_site

    def enable(change: Change) -> str:
        if site is None:
            raise ConfigurationError("choose one site above: a subnet is switched on at one site")
        grant = switch_on(
            change,
            request.POST.get("network", ""),
            probers=request.POST.getlist("prober"),
            known_probers=probers(),
            site=site,
            per_minute=int(rate) if rate.isascii() and rate.isdigit() and len(rate) < 6 else 0,
            until_ns=_until(change, request.POST.get("hours", "")),
        )
        return f"active query is on in {grant.network}"

    return _decided(request, "operations_query", enable)


@requires(Permission.ENABLE_PROBING)
@require_POST
def subnet_off(request: HttpRequest, grant_id: str) -> HttpResponse:
    """Switch active query off in a subnet."""
    _must_be_ours(request, ProbeSubnet.objects.filter(pk=grant_id).values_list("site_id", flat=True))

    def disable(change: Change) -> str:
        switch_off(change, grant_id)
        return "active query is off there"

    return _decided(request, "operations_query", disable)


def _must_be_ours(request: HttpRequest, sites: Iterable[str | None]) -> None:
    """Raise Http404 for a row at a site this person may not see; what holds everywhere is everybody's."""
    scope = scope_of(request)
    mine: set[str | None] = {site.id for site in scope.sites}
    if scope.every_site:
        mine.add(None)
    found = list(sites)
    if not found or not mine.issuperset(found):
        raise Http404("There is no such entry in what you may see.")


def _until(change: Change, hours: str) -> int | None:
    if not (hours.isascii() and hours.isdigit() and len(hours) < 6):
        return None
    return change.now_ns + int(hours) * 3600 * NANOSECONDS


def _decided(request: HttpRequest, page: str, decide: Callable[[Change], str]) -> HttpResponse:
    """Carry out a decision with the reason that was given, and lead back to the page."""
    scope, user = scope_of(request), signed_in(request)
    reason = request.POST.get("reason", "").strip()[:500]
    try:
        with Change(f"user:{user.username}", reason, tenant=scope.tenant, site=scope.site) as change:
            done = decide(change)
        messages.success(request, f"{done[0].upper()}{done[1:]}.")
    except ConfigurationError as error:
        said = str(error)
        messages.error(request, f"{said[0].upper()}{said[1:]}.")
    return HttpResponseRedirect(page_url(request, page))
