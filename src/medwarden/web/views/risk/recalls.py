"""The recall board, one notice with its devices, one case, and what people do with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.app import recall_desk as desk
from medwarden.app.recalls import due_days
from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.recall import RecallClass
from medwarden.model.role import Permission
from medwarden.risk.recalls.engine import RecallState
from medwarden.risk.recalls.workflow import FOLLOWING, WORDS, Step
from medwarden.store.queries import recall_cases as of_cases
from medwarden.store.queries import recalls as of_recalls
from medwarden.store.queries.recall_cases import CaseFilter, CaseView
from medwarden.store.queries.recalls import NoticeFilter, NoticeView
from medwarden.store.recalls import OWN
from medwarden.web.decisions import reason_of, refused
from medwarden.web.exports import FORMATS, download
from medwarden.web.guard import requires
from medwarden.web.operation_lists import text_of
from medwarden.web.paging import offset_of, page_number, paging, sort_of
from medwarden.web.recent import forget, recently
from medwarden.web.scope import actor_of, scope_of, signed_in
from medwarden.web.templatetags.console import page_url

VERDICTS: dict[str, tuple[str, str, str]] = {
    RecallState.AFFECTED.value: ("Affected", "critical", "The notice means this very unit."),
    RecallState.UNKNOWN.value: (
        "Not known yet",
        "medium",
        "The model is meant; a fact of the unit is missing.",
    ),
    RecallState.MAY_BE.value: ("Perhaps", "medium", "It may be meant: somebody has to look."),
    RecallState.NOT_AFFECTED.value: ("Not affected", "low", "The model is named, this unit is not."),
}
"""What verdicts are called on pages, their colour, and what they mean."""

CLASSES = {
    RecallClass.I.value: ("Class I", "critical", "It may cause death or serious harm."),
    RecallClass.II.value: ("Class II", "high", "It may cause harm that passes, or rarely serious harm."),
    RecallClass.III.value: ("Class III", "low", "It is not likely to cause harm."),
    RecallClass.UNCLASSIFIED.value: ("No class", "medium", "No authority has said how bad it is."),
}
"""Classes of notices (21 CFR 7.3 (m)) with their colour and what they mean."""

SOURCES = {
    "fda_recall": "the FDA's recall database",
    "fda_enforcement": "the FDA's enforcement reports",
    "maker": "a letter of the maker, entered here",
    "csaf": "a CSAF document",
}
"""Where a notice came from, in words."""

_WORKS = (("open", "To do"), ("closed", "Closed"), ("ended", "Ended by the publisher"), ("all", "All"))
_PER_PAGE = 50
_KEPT_NS = 10 * NANOSECONDS
_LARGEST = 20 << 20
_HEADER = (
    "number", "recall_class", "maker", "title", "begun", "ongoing", "origin", "affected", "unknown", "may_be",
    "not_affected", "open", "overdue", "owner", "closed",
)  # fmt: skip
_TEXTS = (
    "title", "maker", "product", "number", "recall_class", "reason", "action", "begun", "models",
    "identifiers", "lots", "serials", "version", "made", "url",
)  # fmt: skip


def _wanted(request: HttpRequest) -> NoticeFilter:
    work = request.GET.get("work", "open")
    return NoticeFilter(
        work=work if work in of_recalls.WORKS else "open",
        classes=tuple(c for c in request.GET.getlist("class") if c in CLASSES),
        origin=request.GET.get("origin", "")[:20],
        text=text_of(request),
        overdue=request.GET.get("overdue") == "yes",
    )


@requires(Permission.SEE_INVENTORY)
@require_GET
def recalls(request: HttpRequest) -> HttpResponse:
    """Show the notices that concern devices, the most urgent first, with how far the work is."""
    scope, user = scope_of(request), signed_in(request)
    wanted, number, now = _wanted(request), page_number(request), wall_clock()
    sort = sort_of(request, of_recalls.SORTS, "urgency")
    everything = recently(of_recalls.notices, scope.store, now // _KEPT_NS * _KEPT_NS)
    page = of_recalls.board(
        scope.store, wanted, now, sort=sort, offset=offset_of(number, _PER_PAGE), limit=_PER_PAGE,
        known=everything,
    )  # fmt: skip
    steps = of_recalls.step_counts(scope.store)
    context = {
        **paging(page, number),
        "wanted": wanted,
        "sort": sort,
        "text": text_of(request),
        "works": _WORKS,
        "classes": [(key, *words) for key, words in CLASSES.items()],
        "class_words": {key: words[0] for key, words in CLASSES.items()},
        "class_colours": {key: words[1] for key, words in CLASSES.items()},
        "steps": [(s.value, *WORDS[s], steps[s.value]) for s in Step],
        "open_notices": sum(v.open > 0 and v.closed_ns is None for v in everything),
        "open_devices": sum(count for step, count in steps.items() if step != Step.CLOSED.value),
        "overdue": sum(v.overdue for v in everything),
        "grave": sum(v.affected for v in everything if v.recall_class == RecallClass.I and v.open),
        "unknown": sum(v.unknown for v in everything if v.open),
        "unnamed": of_recalls.unnamed_medical(scope.store),
        "judged_ns": of_recalls.judged_ns(scope.store),
        "days": due_days(scope.tenant),
        "blank": desk.Entered(title="", maker=""),
        "may_change": user.may(Permission.CHANGE_FINDING),
        "may_export": user.may(Permission.EXPORT),
        "may_settings": user.may(Permission.CHANGE_SETTINGS),
    }
    return render(request, "web/risk_recalls.html", context)


@requires(Permission.SEE_INVENTORY)
@require_GET
def recall_devices(request: HttpRequest) -> HttpResponse:
    """Show devices with what notices say of them, over all notices, those with something to do first."""
    scope, user = scope_of(request), signed_in(request)
    wanted, number, now = _cases_wanted(request), page_number(request), wall_clock()
    page = of_cases.cases(scope.store, wanted, now, offset=offset_of(number, _PER_PAGE), limit=_PER_PAGE)
    context = {
        **paging(page, number),
        **_case_words(),
        "wanted": wanted,
        "text": text_of(request),
        "chosen_step": wanted.steps[0] if len(wanted.steps) == 1 else "",
        "chosen_state": wanted.states[0] if len(wanted.states) == 1 else "",
        "may_change": user.may(Permission.CHANGE_FINDING),
    }
    return render(request, "web/risk_recall_devices.html", context)


def _cases_wanted(request: HttpRequest, notice: str = "") -> CaseFilter:
    return CaseFilter(
        notice=notice,
        states=tuple(s for s in request.GET.getlist("verdict") if s in VERDICTS),
        steps=tuple(s for s in request.GET.getlist("step") if s in set(Step)),
        owner=request.GET.get("owner", "")[:150],
        text=text_of(request),
        overdue=request.GET.get("overdue") == "yes",
    )


def _case_words() -> dict[str, object]:
    return {
        "verdicts": [(key, *words) for key, words in VERDICTS.items()],
        "verdict_words": {key: words[0] for key, words in VERDICTS.items()},
        "verdict_colours": {key: words[1] for key, words in VERDICTS.items()},
        "step_words": {s.value: WORDS[s][0] for s in Step} | {"": "Nothing to do"},
        "all_steps": [(s.value, *WORDS[s]) for s in Step],
        "class_words": {key: words[0] for key, words in CLASSES.items()},
        "class_colours": {key: words[1] for key, words in CLASSES.items()},
    }


def _notice(request: HttpRequest, number: str) -> NoticeView:
    found = of_recalls.notices(scope_of(request).store, wall_clock(), number)
    view = found[0] if found else None
    if view is None or not (view.concerned or view.not_affected or view.steps or view.origin in OWN):
        raise Http404("There is no such notice in what you may see.")
    return view


@requires(Permission.SEE_INVENTORY)
@require_GET
def recall(request: HttpRequest, number: str) -> HttpResponse:
    """Show one notice: what it says, which devices it concerns and why, the work, versions, closing."""
    scope, user = scope_of(request), signed_in(request)
    view, now, nth = _notice(request, number), wall_clock(), page_number(request)
    body = of_recalls.notice_body(scope.store, number)
    wanted = _cases_wanted(request, number)
    page = of_cases.cases(scope.store, wanted, now, offset=offset_of(nth, _PER_PAGE), limit=_PER_PAGE)
    context = {
        **paging(page, nth),
        **_case_words(),
        "notice": view,
        "body": body,
        "source_words": SOURCES,
        "class_meaning": CLASSES[view.recall_class][2],
        "wanted": wanted,
        "text": text_of(request),
        "chosen_step": wanted.steps[0] if len(wanted.steps) == 1 else "",
        "chosen_state": wanted.states[0] if len(wanted.states) == 1 else "",
        "counts": {
            RecallState.AFFECTED.value: view.affected,
            RecallState.UNKNOWN.value: view.unknown,
            RecallState.MAY_BE.value: view.may_be,
            RecallState.NOT_AFFECTED.value: view.not_affected,
        },
        "closure": of_recalls.closure_of(scope.store, number),
        "versions": of_recalls.versions(scope.store, number),
        "own": view.origin in OWN,
        "entered": desk.entered_of(body) if body is not None and view.origin in OWN else None,
        "classes": [(key, *words) for key, words in CLASSES.items()],
        "may_change": user.may(Permission.CHANGE_FINDING),
        "may_export": user.may(Permission.EXPORT),
    }
    return render(request, "web/risk_recall.html", context)


@requires(Permission.SEE_INVENTORY)
@require_GET
def recall_case(request: HttpRequest, number: str, device: str) -> HttpResponse:
    """Show one device of a notice: the verdict side by side with what it rests on, every step, the past."""
    scope, user = scope_of(request), signed_in(request)
    found = of_cases.each_case(scope.store, CaseFilter(notice=number, device=device), wall_clock())
    if not found:
        raise Http404("There is no such device of that notice in what you may see.")
    view: CaseView = found[0]
    following = FOLLOWING[Step(view.step)] if view.step else ()
    context = {
        **_case_words(),
        "case": view,
        "verdict": VERDICTS.get(view.state),
        "steps": of_cases.case_steps(scope.store, view.id) if view.id else [],
        "next_steps": [(s.value, *WORDS[s]) for s in following],
        "spans": of_recalls.history(scope.store, device=device, notice=number),
        "may_change": user.may(Permission.CHANGE_FINDING),
    }
    return render(request, "web/risk_recall_case.html", context)


def _done(request: HttpRequest, to: str, act: Callable[[], str]) -> HttpResponse:
    try:
        said = act()
        messages.success(request, f"{said[:1].upper()}{said[1:]}.")
    except (ConfigurationError, MalformedInput) as error:
        messages.error(request, f"{str(error)[:1].upper()}{str(error)[1:]}.")
    forget()
    return HttpResponseRedirect(to)


def _entered(request: HttpRequest) -> desk.Entered:
    said = {name: request.POST.get(name, "").strip()[:20_000] for name in _TEXTS}
    said["reason"] = request.POST.get("wrong", "").strip()[:8000]  # "reason" is why somebody does something
    said["recall_class"] = said["recall_class"] or RecallClass.UNCLASSIFIED.value
    return desk.Entered(**said)


@requires(Permission.CHANGE_FINDING)
@require_POST
def recall_enter(request: HttpRequest) -> HttpResponse:
    """Keep a maker's notice that somebody typed in, or a CSAF document."""
    scope, document = scope_of(request), request.FILES.get("document")
    made: list[str] = []

    def keep() -> str:
        actor, reason = actor_of(request), request.POST.get("source", "").strip()[:500]
        if document is not None and not isinstance(document, list):
            if (document.size or 0) > _LARGEST:
                raise ConfigurationError(f"the document is larger than {_LARGEST >> 20} MiB")
            name = document.name or "document"
            made.extend(desk.enter_document(scope.tenant, document.read(), name, actor=actor, reason=reason))
        else:
            notice = desk.notice_of(_entered(request))
            made.append(desk.enter(scope.tenant, notice, actor=actor, reason=reason))
        return f"{', '.join(made)}: kept, and compared with every device"

    answer = _done(request, page_url(request, "risk_recalls"), keep)
    return HttpResponseRedirect(page_url(request, "risk_recall", made[0])) if made else answer


@requires(Permission.CHANGE_FINDING)
@require_POST
def recall_change(request: HttpRequest, number: str) -> HttpResponse:
    """Do something to a notice as a whole: describe, correct, withdraw, close or reopen it."""
    _notice(request, number)
    tenant, actor, reason = scope_of(request).tenant, actor_of(request), reason_of(request)
    what = request.POST.get("what", "")

    def act() -> str:
        if what in ("correct", "withdraw", "close", "reopen") and not scope_of(request).every_site:
            raise ConfigurationError("that concerns every site: ask somebody who may see them all")
        match what:
            case "describe":
                given = {n: request.POST.get(n, "")[:4000] for n in ("owner", "contact", "note")}
                desk.describe(tenant, number, actor=actor, **given)
                return "kept"
            case "correct":
                notice = desk.notice_of(_entered(request))
                version = desk.correct(tenant, number, notice, actor=actor, reason=reason)
                return f"version {version} counts now, and devices were compared anew"
            case "withdraw":
                desk.withdraw(tenant, number, actor=actor, reason=reason)
                return f"{number} is withdrawn"
            case "close":
                despite = request.POST.get("despite", "").strip()[:500]
                desk.close(tenant, number, actor=actor, reason=reason, despite=despite)
                return f"{number} is closed; its record is kept"
            case "reopen":
                desk.reopen(tenant, number, actor=actor, reason=reason)
                return f"{number} is open again"
        raise ConfigurationError("choose what to do")

    return _done(request, page_url(request, "risk_recall", number), act)


@requires(Permission.CHANGE_FINDING)
@require_POST
def recall_work(request: HttpRequest) -> HttpResponse:
    """Take a step in one or many cases, or note who does it and by when."""
    scope, ids = scope_of(request), request.POST.getlist("id")[:1000]
    back = _back(request)
    work = desk.Work(
        step=request.POST.get("step", "") or None,
        evidence=request.POST.get("evidence", "").strip()[:4000],
        references=tuple(request.POST.get("references", "")[:6000].splitlines()),
        owner=_filled(request, "owner"),
        work_order=_filled(request, "work_order"),
        due=_filled(request, "due"),
    )

    def act() -> str:
        visible = {view.id for view in of_cases.each_case(scope.store, CaseFilter(), wall_clock()) if view.id}
        if not set(ids) <= visible:
            raise ConfigurationError("choose devices that you may see")
        count = desk.work_on(scope.tenant, ids, work, actor=actor_of(request))
        return f"kept for {count} device{'' if count == 1 else 's'}"

    return _done(request, back, act)


def _filled(request: HttpRequest, name: str) -> str | None:
    return request.POST.get(name, "").strip()[:150] or None


def _back(request: HttpRequest) -> str:
    """Return the page a form came from: a case, a notice, or the list of devices."""
    number, device = request.POST.get("notice", "")[:120], request.POST.get("device", "")[:40]
    if number and device:
        return page_url(request, "risk_recall_case", number, device)
    return page_url(request, "risk_recall", number) if number else page_url(request, "risk_recall_devices")


@requires(Permission.CHANGE_FINDING)
@require_POST
def recall_undo(request: HttpRequest) -> HttpResponse:
    """Take the last entry of a case back."""
    scope, case = scope_of(request), request.POST.get("id", "")[:40]

    def act() -> str:
        if case not in of_cases.visible_cases(scope.store, [case]):
            raise ConfigurationError("there is no such case in what you may see")
        kind = desk.undo(scope.tenant, case, actor=actor_of(request), reason=reason_of(request))
        return f"taken back: {kind.replace('_', ' ').removesuffix(' ns')}"

    return _done(request, _back(request), act)


@requires(Permission.EXPORT)
@require_GET
def recalls_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Download the notices of the list as CSV or JSON."""
    if kind not in FORMATS:
        raise Http404("Downloads are CSV or JSON.")
    return download(request, "recalls", kind, _rows(request), _HEADER)


def _rows(request: HttpRequest) -> Iterator[dict[str, object]]:
    scope, now, offset = scope_of(request).store, wall_clock(), 0
    while True:
        page = of_recalls.board(scope, _wanted(request), now, offset=offset, limit=1000)
        for view in page.items:
            row: dict[str, object] = {n: getattr(view, n) for n in _HEADER if n != "closed"}
            yield row | {"closed": view.closed_ns is not None}
        offset += 1000
        if offset >= page.total:
            return


@requires(Permission.EXPORT)
@require_GET
def recall_report(request: HttpRequest, number: str, kind: str) -> HttpResponseBase:
    """Show the closure report of a notice to print, or download it as JSON or CSV."""
    _notice(request, number)
    scope = scope_of(request)
    if kind == "csv":
        rows = desk.report_rows(scope.store, number, wall_clock())
        return download(request, "recall-report", kind, iter(rows), desk.REPORT_HEADER)
    if kind not in ("html", "json"):
        raise Http404("A report is HTML, JSON or CSV.")
    text = desk.report_file(scope.store, number, kind, wall_clock())
    if kind == "json":
        return HttpResponse(text, content_type="application/json")
    response = HttpResponse(text, content_type="text/html; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="recall-{_safe(number)}.html"'
    return response


def _safe(number: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in number)


@requires(Permission.CHANGE_SETTINGS)
@require_POST
def recall_days(request: HttpRequest) -> HttpResponse:
    """Change within how many days cases shall be closed."""
    from medwarden.app.recalls import set_due_days
    from medwarden.risk.recalls.workflow import DueDays

    given = {name: request.POST.get(f"days_{name}", "") for name in DueDays.__struct_fields__}
    if not all(value.isdigit() and len(value) < 5 for value in given.values()):
        return refused(request, "risk_recalls", "days are whole numbers")

    def act() -> str:
        days = DueDays(**{name: int(value) for name, value in given.items()})
        set_due_days(scope_of(request).tenant, days, actor=actor_of(request), reason=reason_of(request))
        return "new cases are due within these days"

    return _done(request, page_url(request, "risk_recalls"), act)
