"""Operations: clinical names and disputes over them, what must not be probed, and active query."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.inventory.clinical_peers import ClinicalName, ConflictKind, NameConflict
from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.taxonomy import categories
from medwarden.model.role import Permission
from medwarden.operations.in_use import LIFE_CRITICAL
from medwarden.operations.interlock import EntryKind
from medwarden.sensors.active.registry import probers
from medwarden.store import queries
from medwarden.store.changes import Change
from medwarden.store.models import Device, DoNotProbe, ProbeSubnet
from medwarden.store.probing import protect, switch_off, switch_on, unprotect
from medwarden.store.queries.probing import overrides, probe_subnets
from medwarden.web.decisions import decided
from medwarden.web.exports import FORMATS, download
from medwarden.web.guard import requires
from medwarden.web.operation_lists import (
    EXPORTS,
    OUTCOMES,
    batteries_asked,
    log_asked,
    names_asked,
    protections_asked,
    text_of,
)
from medwarden.web.paging import cut, offset_of, page_number, paging
from medwarden.web.recent import recently
from medwarden.web.scope import Scope, scope_of, signed_in

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
MOST_DISPUTES = 100


@requires(Permission.SEE_INVENTORY)
@require_GET
def names(request: HttpRequest) -> HttpResponse:
    """Show AE titles and HL7 applications, who answers to them, and the disputes."""
    found = recently(queries.clinical_peers, scope_of(request).store)
    chosen, sort = names_asked(request)
    number = page_number(request)
    context = {
        **paging(cut(chosen, number), number),
        "conflicts": _disputes(found.conflicts[:MOST_DISPUTES], found.titles),
        "disputes": len(found.conflicts),
        "more": max(0, len(found.conflicts) - MOST_DISPUTES),
        "text": text_of(request),
        "sort": sort,
        "may_export": signed_in(request).may(Permission.EXPORT),
    }
    return render(request, "web/operations_names.html", context)


def _disputes(
    conflicts: Iterable[NameConflict], titles: Iterable[ClinicalName]
) -> list[tuple[NameConflict, str, str, list[tuple[str, str]]]]:
    labels = {use.device: use.label for name in titles for use in name.uses}
    return [(c, *CONFLICT_WORDS[c.kind], [(d, labels.get(d, d)) for d in c.devices]) for c in conflicts]


@requires(Permission.SEE_INVENTORY)
@require_GET
def batteries(request: HttpRequest) -> HttpResponse:
    """Show how full the batteries of pumps and monitors are."""
    chosen, sort = batteries_asked(request)
    number = page_number(request)
    context = {
        **paging(cut(chosen, number), number),
        "low": sum(row.battery.percent is not None and row.battery.percent <= LOW_PERCENT for row in chosen),
        "text": text_of(request),
        "sort": sort,
        "may_export": signed_in(request).may(Permission.EXPORT),
    }
    return render(request, "web/operations_batteries.html", context)


@requires(Permission.SEE_INVENTORY)
@require_GET
def protected(request: HttpRequest) -> HttpResponse:
    """Show the do-not-probe registry, and let those who may enter something."""
    number = page_number(request)
    found, sort = protections_asked(request, offset_of(number))
    user, value = signed_in(request), request.GET.get("value", "")[:200]
    labels = _labels(scope_of(request), [*(p.value for p in found.items if p.kind == "device"), value])
    context = {
        **paging(found, number),
        "rows": [(entry, labels.get(entry.value)) for entry in found.items],
        "value_label": labels.get(value),
        "text": text_of(request),
        "sort": sort,
        "ended": request.GET.get("ended") == "yes",
        "kinds": [kind.value for kind in EntryKind],
        "kind": request.GET.get("kind", "subnet"),
        "value": value,
        "lasts": LASTS,
        "now_ns": wall_clock(),
        "may_protect": user.may(Permission.PROTECT_DEVICE),
        "may_export": user.may(Permission.EXPORT),
    }
    return render(request, "web/operations_protected.html", context)


@requires(Permission.EXPORT)
@require_GET
def operations_export(request: HttpRequest, what: str, kind: str) -> HttpResponseBase:
    """Download one of the lists of Operations as it is filtered and sorted."""
    wanted = EXPORTS.get(what)
    if wanted is None or kind not in FORMATS:
        raise Http404("Downloads are CSV or JSON of one of the lists.")
    return download(request, what, kind, wanted.rows(request), wanted.header)


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

    return decided(request, "operations_protected", enter)


@requires(Permission.PROTECT_DEVICE)
@require_POST
def protect_end(request: HttpRequest, entry_id: str) -> HttpResponse:
    """End an entry of the registry."""
    _must_be_ours(request, DoNotProbe.objects.filter(pk=entry_id).values_list("site_id", flat=True))

    def end(change: Change) -> str:
        unprotect(change, entry_id)
        return "the entry is ended"

    return decided(request, "operations_protected", end)


@requires(Permission.SEE_INVENTORY)
@require_GET
def query(request: HttpRequest) -> HttpResponse:
    """Show where active query is on, overrides, and every question that was sent or refused."""
    scope, number = scope_of(request), page_number(request)
    log, sort = log_asked(request, offset_of(number))
    user = signed_in(request)
    titles = {name: member.manifest.title for name, member in probers().items()}
    switched = probe_subnets(scope.store, limit=500).items
    lifted = overrides(scope.store, limit=20).items
    labels = _labels(scope, [entry.device for entry in lifted])
    context = {
        **paging(log, number),
        "rows": [(entry, titles.get(entry.prober, entry.prober)) for entry in log.items],
        "text": text_of(request),
        "sort": sort,
        "outcome": request.GET.get("outcome", ""),
        "outcomes": OUTCOMES,
        "subnets": [(grant, [titles.get(name, name) for name in grant.probers]) for grant in switched],
        "overrides": [(entry, labels.get(entry.device)) for entry in lifted],
        "probers": [member.manifest for member in probers().values()],
        "critical": sorted(c.id for c in categories().values() if c.criticality >= LIFE_CRITICAL),
        "lasts": LASTS,
        "now_ns": wall_clock(),
        "may_enable": user.may(Permission.ENABLE_PROBING),
        "may_export": user.may(Permission.EXPORT),
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

    return decided(request, "operations_query", enable)


@requires(Permission.ENABLE_PROBING)
@require_POST
def subnet_off(request: HttpRequest, grant_id: str) -> HttpResponse:
    """Switch active query off in a subnet."""
    _must_be_ours(request, ProbeSubnet.objects.filter(pk=grant_id).values_list("site_id", flat=True))

    def disable(change: Change) -> str:
        switch_off(change, grant_id)
        return "active query is off there"

    return decided(request, "operations_query", disable)


def _labels(scope: Scope, ids: Iterable[str]) -> dict[str, str]:
    """Return how a person calls those of the devices that he may see."""
    rows = scope.store.over(Device.objects.filter(pk__in=list(ids)))
    return {
        pk: name or (ips or macs or [pk])[0]
        for pk, name, ips, macs in rows.values_list("pk", "name", "ips", "macs")
    }


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
