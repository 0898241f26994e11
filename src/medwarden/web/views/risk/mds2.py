"""Makers' disclosure forms (MDS2): which models have one, what they say, and where devices are not so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import msgspec
from django.contrib import messages
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.app.mds2 import (
    EXPORTED,
    Covered,
    attach_form,
    coverage,
    covered_devices,
    exported,
    keep,
    named,
    restore,
    withdraw,
)
from medwarden.app.mds2_lists import ClaimRow, answer_rows, by_section, claim_rows
from medwarden.kernel.errors import ConfigurationError, MalformedInput, ResourceError
from medwarden.knowledge.mds2_disclosure import disclosure_of, needs_of
from medwarden.model.mds2 import Form, ProblemKind
from medwarden.model.role import Permission
from medwarden.sensors.mds2_apart import read_apart
from medwarden.sensors.mds2_document import LARGEST
from medwarden.store import queries
from medwarden.store.mds2 import attachments, form_of, forms
from medwarden.store.queries.mds2 import covered, differences
from medwarden.store.queries.scope import Page
from medwarden.web.decisions import reason_of, refused, said
from medwarden.web.exports import FORMATS, download
from medwarden.web.guard import requires
from medwarden.web.operation_lists import text_of
from medwarden.web.paging import offset_of, page_number, paging
from medwarden.web.recent import forget
from medwarden.web.scope import Scope, actor_of, scope_of, signed_in
from medwarden.web.templatetags.console import page_url

SITUATIONS = {
    "all": ("All models", "Every maker's model in the inventory."),
    "contradicted": ("Not as declared", "What was heard differs from what the maker says."),
    "missing": ("Form missing", "Ask the maker for the form: HN 1-2019, as XLSX."),
    "held": ("With a form", "The newest form of each counts."),
}
_SALT = "medwarden.mds2.preview"
_OLDEST_PREVIEW_S = 3600
_MODELS_PER_PAGE = _FORMS_PER_PAGE = 25
_MOST_DEVICES = 200
_PROBLEMS = {
    ProblemKind.UNKNOWN_ID: "Numbers that no question has",
    ProblemKind.MISPRINTED_ID: "Misprinted numbers that were set right",
    ProblemKind.UNREADABLE: "Answers that cannot be read",
    ProblemKind.EMPTY: "Questions without an answer",
    ProblemKind.MISSING: "Questions that the form does not have",
    ProblemKind.TWICE: "Questions answered twice",
    ProblemKind.FORMULA: "Formulas without a stored result",
    ProblemKind.CONTRARY: "Answers that contradict each other",
    ProblemKind.REMARK: "Remarks",
}


def _situation(request: HttpRequest) -> str:
    asked = request.GET.get("situation", "all")
    return asked if asked in SITUATIONS else "all"


def _in_situation(row: Covered, situation: str) -> bool:
    if situation == "contradicted":
        return row.differences > 0
    if situation == "missing":
        return not row.form
    return situation == "all" or bool(row.form)


def _covered(request: HttpRequest, scope: Scope) -> tuple[list[Covered], list[Covered]]:
    """Return all rows that are asked for, and those of the situation that is looked at."""
    rows = coverage(scope.store, medical=request.GET.get("kinds") != "all")
    words = text_of(request).casefold().split()
    rows = [r for r in rows if all(word in f"{r.vendor} {r.model}".casefold() for word in words)]
    return rows, [row for row in rows if _in_situation(row, _situation(request))]


@requires(Permission.SEE_INVENTORY)
@require_GET
def disclosures(request: HttpRequest) -> HttpResponse:
    """Show which models have a form, which lack one, and where devices are not as declared."""
    scope, user = scope_of(request), signed_in(request)
    number, listed = page_number(request), _page_of_forms(request)
    everything, rows = _covered(request, scope)
    held = forms(
        scope.store,
        withdrawn=True,
        sort="imported",
        offset=offset_of(listed, _FORMS_PER_PAGE),
        limit=_FORMS_PER_PAGE,
    )
    devices = sum(row.devices for row in everything)
    counts = {name: sum(_in_situation(row, name) for row in everything) for name in SITUATIONS}
    counting = {form.series: form.id for form in forms(scope.store, limit=1000).items if form.counts}
    start = offset_of(number, _MODELS_PER_PAGE)
    page = Page(tuple(rows[start : start + _MODELS_PER_PAGE]), len(rows), start, _MODELS_PER_PAGE)
    context = {
        **paging(page, number),
        "lines": [
            (row, counting.get(row.form, ""), [counting[s] for s in row.possible if s in counting])
            for row in page.items
        ],
        "situations": [(name, title, counts[name]) for name, (title, _) in SITUATIONS.items()],
        "situation": _situation(request),
        "about": SITUATIONS[_situation(request)][1],
        "medical": request.GET.get("kinds") != "all",
        "text": text_of(request),
        "devices": devices,
        "with_form": sum(row.with_form for row in everything),
        "share": sum(row.with_form for row in everything) / devices if devices else None,
        "missing": counts["missing"],
        "missing_devices": sum(row.devices - row.with_form for row in everything if not row.form),
        "differences": sum(row.differences for row in everything),
        "contradicted": counts["contradicted"],
        "forms": held,
        "form_pages": range(1, -(-held.total // _FORMS_PER_PAGE) + 1),
        "form_page": listed,
        "may_edit": user.may(Permission.EDIT_BOOKS) and scope.every_site,
        "may_export": user.may(Permission.EXPORT),
    }
    return render(request, "web/risk_mds2.html", context)


def _page_of_forms(request: HttpRequest) -> int:
    asked = request.GET.get("forms", "1")
    return max(1, int(asked)) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 1


def _problem_groups(form: Form) -> list[tuple[str, list[str]]]:
    return [
        (title, [_sentence(p.words, p.where) for p in form.problems if p.kind is kind])
        for kind, title in _PROBLEMS.items()
        if any(p.kind is kind for p in form.problems)
    ]


def _sentence(words: str, where: str) -> str:
    return f"{words[:1].upper()}{words[1:]}{f' ({where})' if where else ''}."


@requires(Permission.EDIT_BOOKS)
@require_POST
def disclosure_preview(request: HttpRequest) -> HttpResponse:
    """Read an uploaded form and show what was read and what was not, before anything is kept."""
    scope, file = scope_of(request), request.FILES.get("form")
    if not scope.every_site:
        return refused(request, "risk_mds2", "a form concerns every site: ask somebody who may see them all")
    if file is None or isinstance(file, list):
        return refused(request, "risk_mds2", "choose the file of a form")
    if file.size is not None and file.size > LARGEST:
        return refused(request, "risk_mds2", f"the file is larger than {LARGEST >> 20} MiB, which no form is")
    document, source = file.read(), (file.name or "form")[:200]
    try:
        form = read_apart(document, source)
    except (MalformedInput, ResourceError) as error:
        reason = error.reason if isinstance(error, MalformedInput) else str(error)
        return refused(request, "risk_mds2", f"the file {source} was not read: {reason}")
    digest = hashlib.sha256(document).hexdigest()
    payload = {
        "form": msgspec.to_builtins(form), "source": source, "digest": digest, "by": signed_in(request).pk,
    }  # fmt: skip
    given = sum(answer.given for answer in form.answers)
    context = {
        "form": form,
        "source": source,
        "given": given,
        "lacking": len(form.answers) - given,
        "problems": _problem_groups(form),
        "claims": claim_rows(form),
        "answers": answer_rows(form),
        "ports": form.ports,
        "ticket": signing.dumps(payload, salt=_SALT, compress=True),
    }
    return render(request, "web/risk_mds2_preview.html", context)


@requires(Permission.EDIT_BOOKS)
@require_POST
def disclosure_keep(request: HttpRequest) -> HttpResponse:
    """Keep a form that was looked at."""
    scope = scope_of(request)
    if not scope.every_site:
        return refused(request, "risk_mds2", "a form concerns every site: ask somebody who may see them all")
    try:
        ticket = signing.loads(request.POST.get("ticket", ""), salt=_SALT, max_age=_OLDEST_PREVIEW_S)
    except signing.BadSignature:
        return refused(request, "risk_mds2", "this preview is no longer valid: bring the file in again")
    if ticket["by"] != signed_in(request).pk:
        return refused(request, "risk_mds2", "this preview is somebody else's: bring the file in again")
    read = msgspec.convert(ticket["form"], Form)
    vendor, model = (request.POST.get(name, "").strip()[:200] for name in ("vendor", "model"))
    try:
        form = named(read, vendor, model)
    except ConfigurationError:
        return refused(request, "risk_mds2", "name the maker and the model of the form")
    done = keep(scope.tenant, form, str(ticket["source"]), str(ticket["digest"]), actor=actor_of(request))
    forget()
    if done.new:
        messages.success(request, f"The form is kept; it counts for {done.devices:,} devices.")
    else:
        messages.info(request, "This file had been brought in before; nothing was changed.")
    return HttpResponseRedirect(page_url(request, "risk_mds2_form", done.id))


@requires(Permission.SEE_INVENTORY)
@require_GET
def disclosure(request: HttpRequest, form_id: str) -> HttpResponse:
    """Show one form: what it says in our words, its claims, the devices it counts for, its history."""
    scope, user = scope_of(request), signed_in(request)
    try:
        view, form = form_of(scope.store, form_id)
    except ConfigurationError as error:
        raise Http404("There is no such form.") from error
    seen = covered_devices(scope.tenant, view.series) if view.counts else {}
    inside = scope.store.sites
    ids = sorted(device for device, site in seen.items() if inside is None or site in inside)
    found = differences(scope.store, ids)
    context = {
        "view": view,
        "form": form,
        "sections": by_section(form),
        "claims": _grouped(form),
        "needs": needs_of(disclosure_of(view.id, form, view.at_ns)),
        "problems": _problem_groups(form),
        "given": view.answers,
        "differences": found,
        "devices": covered(scope.store, ids, _MOST_DEVICES),
        "device_count": len(ids),
        "different": len({row.device for row in found}),
        "history": forms(scope.store, series=view.series, withdrawn=True, sort="released", limit=100).items,
        "words": attachments(scope.store, view.series),
        "may_edit": user.may(Permission.EDIT_BOOKS),
        "may_change": user.may(Permission.EDIT_BOOKS) and scope.every_site,
        "may_export": user.may(Permission.EXPORT),
    }
    return render(request, "web/risk_mds2_form.html", context)


def _grouped(form: Form) -> list[tuple[str, list[ClaimRow], int]]:
    """Return the claims by group, with how many of each are a yes."""
    groups: dict[str, list[ClaimRow]] = {}
    for row in claim_rows(form):
        groups.setdefault(row.group, []).append(row)
    return [(group, rows, sum(row.holds is True for row in rows)) for group, rows in groups.items()]


@requires(Permission.EDIT_BOOKS)
@require_POST
def disclosure_attach(request: HttpRequest, form_id: str) -> HttpResponse:
    """Say of which device or model a form is or is not, or take that back."""
    scope = scope_of(request)
    device = request.POST.get("device", "").strip()[:200]
    vendor, model = (request.POST.get(name, "").strip()[:200] for name in ("vendor", "model"))
    decision = {"belongs": True, "apart": False, "forget": None}.get(request.POST.get("decision", ""), True)

    def keep_word() -> str:
        row = queries.find_device(scope.store, device) if device else None
        if device and row is None:
            raise ConfigurationError("there is no such device in what you may see")
        if row is None and not scope.every_site:
            raise ConfigurationError("a model concerns every site: ask somebody who may see them all")
        count = attach_form(
            scope.tenant, form_id, actor=actor_of(request), reason=reason_of(request),
            device="" if row is None else row.pk, vendor=vendor if row is None else "",
            model=model if row is None else "", belongs=decision,
        )  # fmt: skip
        return f"kept; the form counts for {count:,} devices now"

    return _done(request, form_id, keep_word)


@requires(Permission.EDIT_BOOKS)
@require_POST
def disclosure_standing(request: HttpRequest, form_id: str) -> HttpResponse:
    """Withdraw a form, or let a withdrawn one count again."""
    scope = scope_of(request)
    back = request.POST.get("back") == "1"

    def change() -> str:
        if not scope.every_site:
            raise ConfigurationError("a form concerns every site: ask somebody who may see them all")
        reason = reason_of(request)
        if not reason:
            raise ConfigurationError("say why: it is kept with the form")
        (restore if back else withdraw)(scope.tenant, form_id, actor=actor_of(request), reason=reason)
        return "the form counts again" if back else "the form is withdrawn; it can be restored here"

    return _done(request, form_id, change)


def _done(request: HttpRequest, form_id: str, act: Callable[[], str]) -> HttpResponse:
    said(request, "risk_mds2", act)
    forget()
    return HttpResponseRedirect(page_url(request, "risk_mds2_form", form_id))


@requires(Permission.EXPORT)
@require_GET
def disclosures_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Download the answers of one form, or of all that count, as CSV or JSON."""
    if kind not in FORMATS:
        raise Http404("Downloads are CSV or JSON.")
    scope, wanted = scope_of(request), request.GET.get("form", "")[:40]
    return download(request, "mds2", kind, _rows(scope, wanted), EXPORTED)


def _rows(scope: Scope, wanted: str) -> Iterator[dict[str, object]]:
    ids = [wanted] if wanted else [v.id for v in forms(scope.store, limit=1000).items if v.counts]
    for identifier in ids:
        try:
            yield from exported(*form_of(scope.store, identifier))
        except ConfigurationError:
            continue  # withdrawn for good while the download ran
