"""Vulnerabilities: the list, one of them, one advisory, and what people say of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from medwarden.app.vulnerabilities import called_irrelevant, called_relevant
from medwarden.app.vulnerability_pages import AboutVulnerability, about_advisory, about_vulnerability
from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.finding import Severity
from medwarden.model.role import Permission
from medwarden.model.scan import SCANNERS
from medwarden.model.vulnerability import MatchState, Vulnerability
from medwarden.store import queries
from medwarden.store.queries.scope import Scope as StoreScope
from medwarden.store.queries.vulnerabilities import VerdictFilter, VerdictView, verdicts
from medwarden.store.queries.vulnerability_list import (
    SORTS,
    ListFilter,
    VulnerabilityRow,
    chosen,
    counted_vulnerabilities,
)
from medwarden.web.decisions import data_folder, reason_of, said
from medwarden.web.exports import FORMATS, download
from medwarden.web.guard import requires
from medwarden.web.operation_lists import text_of
from medwarden.web.paging import cut, offset_of, page_number, paging, sort_of
from medwarden.web.recent import forget, recently
from medwarden.web.scope import Scope, actor_of, scope_of, signed_in
from medwarden.web.vulnerability_words import (
    DAYS,
    STATES,
    TABS,
    Grave,
    chance,
    grave_by_itself,
    grave_row,
    gravest,
    in_use,
    lines_of,
    matched_remedies,
    names_of,
    scores_of,
)

HEADER = tuple(VulnerabilityRow.__struct_fields__)
DEVICE_HEADER = (
    "device", "label", "mac", "ip", "vulnerability", "advisory", "state", "reason", "seen_by",
    "contradiction", "score", "exploited", "exploit_count", "epss", "remedy", "since_ns",
)  # fmt: skip
_PER_PAGE = 50
_LEVELS = (
    (Severity.CRITICAL, "Critical"),
    (Severity.HIGH, "High or worse"),
    (Severity.MEDIUM, "Medium or worse"),
)
_SEEN_BY = {"medwarden": "medwarden", "both": "A scanner too", "contradicted": "Contradicted"}


def _counted(scope: StoreScope) -> list[VulnerabilityRow]:
    return counted_vulnerabilities(scope, wall_clock())


def asked(request: HttpRequest) -> ListFilter:
    """Return the filter that the URL asks for."""
    states = {key for key, *_ in TABS}
    state, by = request.GET.get("state", ""), request.GET.get("seen_by", "")
    least = request.GET.get("least", "")
    return ListFilter(
        text=text_of(request),
        state=state if state in states else "concerning",
        exploited=request.GET.get("exploited") == "1",
        severity=next((level for level, _ in _LEVELS if level.value == least), Severity.INFO),
        seen_by=by if by in _SEEN_BY or by in SCANNERS else "",
        exploits=1 if request.GET.get("exploits") == "1" else 0,
    )


@requires(Permission.SEE_INVENTORY)
@require_GET
def vulnerabilities(request: HttpRequest) -> HttpResponse:
    """List vulnerabilities with how many devices each concerns."""
    scope, user = scope_of(request), signed_in(request)
    wanted, number = asked(request), page_number(request)
    sort = sort_of(request, SORTS, "-grave")
    every = recently(_counted, scope.store)
    rows = chosen(every, wanted, sort)
    page = cut(rows, number)
    scanners = sorted({name for row in every for name in row.seen_by if name in SCANNERS})
    context = {
        **paging(page, number),
        "lines": [(row, grave_row(row), chance(row.epss), names_of(row.seen_by)) for row in page.items],
        "tabs": [(key, title, len(chosen(every, ListFilter(state=key), "id"))) for key, title, _ in TABS],
        "about": next(words for key, _, words in TABS if key == wanted.state),
        "wanted": wanted,
        "least": request.GET.get("least", ""),
        "levels": _LEVELS,
        "text": wanted.text,
        "sort": sort,
        "with_exploits": sum(row.exploit_count > 0 and row.devices > 0 for row in every),
        "exploited": sum(row.exploited and row.devices > 0 for row in every),
        "contradicted": sum(bool(row.contradictions) for row in every),
        "affected": sum(row.confirmed > 0 for row in every),
        "scanners": [(name, SCANNERS[name]) for name in scanners],
        "anything": bool(every),
        "may_export": user.may(Permission.EXPORT),
        "query": request.GET.urlencode(),
    }
    return render(request, "web/risk_vulnerabilities.html", context)


@requires(Permission.EXPORT)
@require_GET
def vulnerabilities_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Download the list."""
    if kind not in FORMATS:
        raise Http404("Downloads are CSV or JSON.")
    every = _counted(scope_of(request).store)
    rows = chosen(every, asked(request), sort_of(request, SORTS, "-grave"))
    plain: Iterator[dict[str, object]] = ({name: getattr(row, name) for name in HEADER} for row in rows)
    return download(request, "vulnerabilities", kind, plain, HEADER)


def _views(scope: Scope, wanted: VerdictFilter) -> list[VerdictView]:
    rank = {state.value: number for number, state in enumerate(MatchState)}
    found = list(verdicts(scope.store, wanted, at_ns=wall_clock()))
    return sorted(found, key=lambda view: (rank[view.state.value], view.label.lower(), view.device))


def _about(identifier: str, views: list[VerdictView]) -> AboutVulnerability:
    named = tuple(sorted({view.advisory for view in views if view.advisory}))
    return about_vulnerability(data_folder(), identifier, named)


@requires(Permission.SEE_INVENTORY)
@require_GET
def vulnerability(request: HttpRequest, vulnerability_id: str) -> HttpResponse:
    """Show one vulnerability: what it is, who says so, what to do, and which devices it concerns."""
    scope, user = scope_of(request), signed_in(request)
    views = _views(scope, VerdictFilter(vulnerability=vulnerability_id))
    about = _about(vulnerability_id, views)
    if not views and not about.known:
        raise Http404("Nothing is known of such a vulnerability here.")
    state = request.GET.get("state", "")
    shown = [view for view in views if not state or view.state.value == state]
    number = page_number(request)
    page = cut(shown, number)
    context = {
        **paging(page, number),
        "id": vulnerability_id,
        "about": about,
        "title": about.title or next((view.title for view in views if view.title), ""),
        "scores": scores_of(about.scores),
        "grave": gravest(views) or grave_by_itself(_score(views, about), about.exploitation),
        "use": in_use(about.exploitation),
        "matched": matched_remedies(views),
        "exploited": any(view.exploited for view in views)
        or bool(about.exploitation and about.exploitation.kev_added),
        "lines": lines_of(page.items),
        "states": [
            (key, word, sum(view.state.value == key for view in views))
            for key, (_, _, word) in STATES.items()
        ],
        "state": state,
        "advisories": sorted({view.advisory for view in views if view.advisory}),
        "contradictions": [view for view in views if view.contradiction],
        "may_change": user.may(Permission.CHANGE_FINDING),
        "may_export": user.may(Permission.EXPORT),
        "days": DAYS,
        "here": request.get_full_path(),
    }
    return render(request, "web/risk_vulnerability.html", context)


def _score(views: list[VerdictView], about: AboutVulnerability) -> float | None:
    """Return the score that verdicts go by, or the highest published one where there is no verdict."""
    judged = max((view.score for view in views if view.score is not None), default=None)
    return judged if judged is not None else max((s.score for s in about.scores), default=None)


@requires(Permission.EXPORT)
@require_GET
def vulnerability_export(request: HttpRequest, vulnerability_id: str, kind: str) -> HttpResponseBase:
    """Download the devices that a vulnerability concerns or does not, with the reasons."""
    if kind not in FORMATS:
        raise Http404("Downloads are CSV or JSON.")
    views = _views(scope_of(request), VerdictFilter(vulnerability=vulnerability_id))
    rows: Iterator[dict[str, object]] = (
        {name: view.state.value if name == "state" else getattr(view, name) for name in DEVICE_HEADER}
        for view in views
    )
    return download(request, "vulnerability", kind, rows, DEVICE_HEADER)


@requires(Permission.SEE_INVENTORY)
@require_GET
def advisory(request: HttpRequest, advisory_id: str) -> HttpResponse:
    """Show one advisory: what it says, and of each device here why it is affected or not."""
    scope = scope_of(request)
    about = about_advisory(data_folder(), advisory_id)
    views = _views(scope, VerdictFilter(advisory=advisory_id))
    if about is None and not views:
        raise Http404("There is no such advisory here.")
    devices: dict[str, list[VerdictView]] = {}
    for view in views:
        devices.setdefault(view.device, []).append(view)
    grouped = [(lines_of(group)[0], lines_of(group)) for group in devices.values()]
    number = page_number(request)
    start = offset_of(number, _PER_PAGE)
    page = queries.Page(tuple(grouped[start : start + _PER_PAGE]), len(grouped), start, _PER_PAGE)
    context = {
        **paging(page, number),
        "id": advisory_id,
        "about": about,
        "named": [(v, _gravest_of(v, views)) for v in (about.vulnerabilities if about else ())],
        "groups": page.items,
        "states": [
            (key, word, len({view.device for view in views if view.state.value == key}))
            for key, (_, _, word) in STATES.items()
        ],
    }
    return render(request, "web/risk_advisory.html", context)


def _gravest_of(named: Vulnerability, views: list[VerdictView]) -> Grave | None:
    """Return how grave a vulnerability of an advisory is here, or by its score where it is not."""
    here = gravest([view for view in views if view.vulnerability == named.id])
    score = max((s.score for s in named.scores), default=None)
    return here or (None if score is None else grave_by_itself(score, None))


def _back(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """Lead back to the page of this console that the form was on."""
    back = request.POST.get("back", "")
    if back and url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        return HttpResponseRedirect(back)
    return answer


@requires(Permission.CHANGE_FINDING)
@require_POST
def irrelevant(request: HttpRequest) -> HttpResponse:
    """Keep a person's word that a vulnerability is irrelevant for a device, or take it back."""
    scope = scope_of(request)
    device = queries.find_device(scope.store, request.POST.get("device", "")[:60])
    if device is None:
        raise Http404("There is no such device in what you may see.")
    name, step = request.POST.get("vulnerability", "")[:60], request.POST.get("step", "irrelevant")
    reason, actor = reason_of(request), actor_of(request)

    def decide() -> str:
        forget()
        if step == "relevant":
            called_relevant(scope.tenant, device.site_id, device.pk, name, reason=reason, actor=actor)
            return f"{name} counts again for {device.name or device.pk}"
        called_irrelevant(
            scope.tenant, device.site_id, device.pk, name,
            reason=reason, actor=actor, expires_ns=_until(request), alike=request.POST.get("alike") == "1",
        )  # fmt: skip
        return f"{name} is irrelevant for {device.name or device.pk} until the day that you named"

    return _back(request, said(request, "risk_vulnerabilities", decide))


def _until(request: HttpRequest) -> int:
    """Return the end that the form names: a day, or a number of days from now."""
    day, days = request.POST.get("until", ""), request.POST.get("days", "")
    if day:
        try:
            moment = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise ConfigurationError("the day is written like 2030-12-31") from None
    elif days.isascii() and days.isdigit() and int(days) in DAYS:
        moment = datetime.now(UTC) + timedelta(days=int(days))
    else:
        raise ConfigurationError("say until when it is irrelevant")
    return int(moment.timestamp()) * NANOSECONDS
