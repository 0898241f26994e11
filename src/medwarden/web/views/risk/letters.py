"""Letters to makers: what is worth asking, what was sent, what is late, what was answered."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.app import letters as desk
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.role import Permission
from medwarden.risk.recalls.letter import STATUSES
from medwarden.store.queries import letters as of_letters
from medwarden.web.decisions import reason_of
from medwarden.web.guard import requires
from medwarden.web.operation_lists import text_of
from medwarden.web.paging import offset_of, page_number, paging
from medwarden.web.recent import forget
from medwarden.web.scope import actor_of, scope_of, signed_in
from medwarden.web.templatetags.console import page_url

_PER_PAGE = 50
_STATES = (
    ("", "All"), ("late", "Late"), ("sent", "Waiting"), ("draft", "Not sent"), ("answered", "Answered"),
    ("closed", "Given up"),
)  # fmt: skip
STATE_WORDS = {
    "draft": "not sent",
    "sent": "waiting for an answer",
    "answered": "answered",
    "closed": "given up",
}
_ANSWERED = 300


@requires(Permission.SEE_INVENTORY)
@require_GET
def letters(request: HttpRequest) -> HttpResponse:
    """Show letters, late ones first, and what is worth asking."""
    scope, user, number = scope_of(request), signed_in(request), page_number(request)
    state = request.GET.get("state", "")
    state = state if state in dict(_STATES) else ""
    page = of_letters.letters(
        scope.store, wall_clock(), state=state, text=text_of(request), offset=offset_of(number, _PER_PAGE),
        limit=_PER_PAGE,
    )  # fmt: skip
    context = {
        **paging(page, number),
        "state": state,
        "states": _STATES,
        "state_words": STATE_WORDS,
        "text": text_of(request),
        "worth": of_letters.worth_asking(scope.store, most=20),
        "may_change": user.may(Permission.CHANGE_FINDING),
    }
    return render(request, "web/risk_letters.html", context)


@requires(Permission.SEE_INVENTORY)
@require_GET
def letter(request: HttpRequest, number: str) -> HttpResponse:
    """Show one letter: its words, what was asked and answered, what happened."""
    scope, user = scope_of(request), signed_in(request)
    found = of_letters.letter(scope.store, number, wall_clock())
    if found is None:
        raise Http404("There is no such letter in what you may see.")
    known = {a.vulnerability: a for a in found.answer}
    context = {
        "letter": found,
        "state_words": STATE_WORDS,
        "asked": [(name, known.get(name)) for name in found.vulnerabilities],
        "statuses": [(words, words) for words in STATUSES.values()],
        "status_words": {status.value: words for status, words in STATUSES.items()},
        "events": of_letters.letter_events(scope.store, number),
        "may_change": user.may(Permission.CHANGE_FINDING),
    }
    return render(request, "web/risk_letter.html", context)


@requires(Permission.SEE_INVENTORY)
@require_GET
def letter_file(request: HttpRequest, number: str, kind: str) -> HttpResponseBase:
    """Download a letter as text or HTML, or the table for the maker."""
    try:
        data, media_type = desk.as_file(scope_of(request).tenant, number, kind)
    except ConfigurationError as error:
        raise Http404(str(error)) from error
    response = HttpResponse(data, content_type=media_type)
    response["Content-Disposition"] = f'attachment; filename="letter-{number}.{kind}"'
    return response


def _done(request: HttpRequest, to: str, act: Callable[[], str]) -> HttpResponse:
    try:
        said = act()
        messages.success(request, f"{said[:1].upper()}{said[1:]}.")
    except (ConfigurationError, MalformedInput) as error:
        messages.error(request, f"{str(error)[:1].upper()}{str(error)[1:]}.")
    forget()
    return HttpResponseRedirect(to)


@requires(Permission.CHANGE_FINDING)
@require_POST
def letter_write(request: HttpRequest) -> HttpResponse:
    """Write a letter about a model at a firmware version."""
    scope, made = scope_of(request), list[str]()
    maker, model, firmware = (request.POST.get(n, "").strip()[:200] for n in ("maker", "model", "firmware"))
    names = request.POST.get("vulnerabilities", "")[:20_000].replace(",", " ").split()

    def act() -> str:
        made.append(desk.write(scope.store, maker, model, firmware, names, actor=actor_of(request)))
        return f"{made[0]} is written; read it, and send it"

    answer = _done(request, page_url(request, "risk_letters"), act)
    return HttpResponseRedirect(page_url(request, "risk_letter", made[0])) if made else answer


@requires(Permission.CHANGE_FINDING)
@require_POST
def letter_step(request: HttpRequest, number: str) -> HttpResponse:
    """Do something with a letter: edit, send, remind, answer, close, take back."""
    tenant, actor, what = scope_of(request).tenant, actor_of(request), request.POST.get("what", "")

    def field(name: str, longest: int = 300) -> str:
        return request.POST.get(name, "").strip()[:longest]

    def act() -> str:
        match what:
            case "edit":
                desk.edit(tenant, number, request.POST.get("text", "")[:50_000], actor=actor)
                return "the words are kept"
            case "send":
                desk.send(
                    tenant, number, to=field("to"), actor=actor, sent=field("sent", 10), due=field("due", 10)
                )
                return f"{number} counts as sent"
            case "remind":
                desk.remind(tenant, number, actor=actor, to=field("to"), due=field("due", 10))
                return "the reminder is noted"
            case "answer":
                return _answer(request, number)
            case "close":
                desk.close(tenant, number, actor=actor, reason=reason_of(request))
                return f"{number} is given up"
            case "undo":
                return f"taken back: {desk.undo(tenant, number, actor=actor, reason=reason_of(request))}"
        raise ConfigurationError("choose what to do")

    return _done(request, page_url(request, "risk_letter", number), act)


def _answer(request: HttpRequest, number: str) -> str:
    """Take an answer from the form, or from a document that came with it."""
    tenant, actor, document = scope_of(request).tenant, actor_of(request), request.FILES.get("document")
    if document is not None and not isinstance(document, list):
        name = document.name or "document"
        taken = desk.answer_by_document(tenant, number, document.read(), name, actor=actor)
        left = f"; still open: {', '.join(taken.open[:8])}" if taken.open else ""
        return f"{len(taken.answers)} answered{left}"
    names = request.POST.getlist("vulnerability")[:_ANSWERED]
    columns = {n: request.POST.getlist(n)[:_ANSWERED] for n in ("status", "fixed_in", "detail", "remedy")}
    rows = [
        {
            "vulnerability": name,
            **{n: values[at] if at < len(values) else "" for n, values in columns.items()},
        }
        for at, name in enumerate(names)
    ]
    answers = desk.answered_of(rows)
    source = request.POST.get("source", "").strip()[:300]
    desk.answer(tenant, number, answers, actor=actor, source=source)
    return f"{len(answers)} answered, and devices were judged by it"
