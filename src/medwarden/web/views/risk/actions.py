"""What to do first about risk: the queue, one action, and the decisions of people on them."""

from __future__ import annotations

import math
from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.app.work import (
    accept,
    action_named,
    decide_acceptance,
    end_acceptance,
    own_rules,
    state_named,
    step,
    undo,
)
from medwarden.app.work_desk import shown_of
from medwarden.app.work_table import HEADER, LARGEST, due_day, export_rows, take_in
from medwarden.kernel.clock import NANOSECONDS, to_datetime, wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.role import Permission
from medwarden.risk.work.states import BY_PERSON, WORDS, AcceptScope, WorkState
from medwarden.store.acceptances import Wish
from medwarden.store.models import User
from medwarden.store.queries import work as of_work
from medwarden.store.work import Step
from medwarden.web import work_list
from medwarden.web.decisions import data_folder, reason_of, refused
from medwarden.web.exports import FORMATS, download
from medwarden.web.guard import requires
from medwarden.web.recent import forget, recently
from medwarden.web.scope import Scope, actor_of, scope_of, signed_in
from medwarden.web.templatetags.console import page_url

DAYS = (30, 90, 180, 365)
"""For how long the form offers to accept a risk."""

_MOST_BULK = 250
_MOST_DEVICES = 100
_MOST_SUBJECTS = 50
_MOST_PROBLEMS = 5
_STEPS = [(state.value, WORDS[state]) for state in WorkState if state in BY_PERSON]


@requires(Permission.SEE_INVENTORY)
@require_GET
def actions(request: HttpRequest) -> HttpResponse:
    """Show the queue as the URL asks: what to do first, why, how many devices, until when, who."""
    scope, user = scope_of(request), signed_in(request)
    work_list.up_to_date(scope.tenant)
    asked, now = work_list.asked(request.GET), wall_clock()
    page = of_work.actions(
        scope.store, asked.wanted, now_ns=now, sort=asked.sort, offset=asked.offset, limit=asked.per_page
    )
    counts = of_work.action_counts(scope.store, now, asked.wanted.view)
    due = [(key, title, counts["due"].get(key, 0)) for key, title in work_list.DUE.items()]
    context = {
        "page": page,
        "asked": asked,
        "totals": recently(of_work.totals, scope.store, now // (10 * NANOSECONDS) * (10 * NANOSECONDS)),
        "menus": work_list.menus(request.GET, counts),
        "due": due,
        "views": list(work_list.VIEW_WORDS.items()),
        "chips": work_list.chips(request.GET),
        "state_words": {state.value: said for state, said in WORDS.items()},
        "pages": math.ceil(page.total / asked.per_page) or 1,
        "first": page.offset + 1 if page.total else 0,
        "last": min(page.offset + asked.per_page, page.total),
        "text": asked.wanted.text,
        "people": _people(user),
        "steps": _STEPS,
        "may_change": user.may(Permission.CHANGE_FINDING),
        "may_export": user.may(Permission.EXPORT),
        "wishes": of_work.acceptances(scope.store, states=("asked",)),
    }
    return render(request, "web/risk_actions.html", context)


def _people(user: User) -> list[str]:
    rows = User.objects.filter(tenant_id=user.tenant_id, is_active=True)
    return list(rows.order_by("username").values_list("username", flat=True)[:500])


@requires(Permission.EXPORT)
@require_GET
def actions_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Download the actions of the list; filled in, the table can be brought back."""
    if kind not in FORMATS:
        raise Http404("Downloads are CSV or JSON.")
    scope, asked = scope_of(request), work_list.asked(request.GET)
    work_list.up_to_date(scope.tenant)
    return download(request, "work", kind, export_rows(scope.store, asked.wanted, sort=asked.sort), HEADER)


@requires(Permission.CHANGE_FINDING)
@require_POST
def actions_import(request: HttpRequest) -> HttpResponse:
    """Take owner, state, due day and so on back from a table."""
    table = request.FILES.get("table")
    if table is None or isinstance(table, list) or (table.size or 0) > LARGEST:
        return refused(request, "risk_actions", f"choose a CSV table of at most {LARGEST >> 20} MiB")
    document, source = table.read(), table.name or "table"

    def take() -> str:
        try:
            done = take_in(
                scope_of(request).store,
                document,
                source,
                actor=actor_of(request),
                reason=reason_of(request),
            )
        except MalformedInput as error:
            raise ConfigurationError(str(error)) from error
        for problem in done.problems[:_MOST_PROBLEMS]:
            messages.warning(request, f"Line {problem.line}: {problem.reason}.")
        left = f", {len(done.problems):,} could not be used" if done.problems else ""
        return f"{done.rows:,} rows: {done.changed:,} actions changed, {done.same:,} as before{left}"

    return _done(request, page_url(request, "risk_actions"), take)


def step_of(request: HttpRequest) -> Step:
    """Return what a form changes; what it leaves empty stays as it is.

    Raises ConfigurationError for a state or day that cannot be.
    """
    said = {
        name: request.POST.get(name, "").strip()[:2000]
        for name in ("state", "owner", "due", "work_order", "labels", "note")
    }
    emptied = set(request.POST.getlist("empty"))
    return Step(
        state=state_named(said["state"]) if said["state"] else None,
        owner="" if "owner" in emptied else said["owner"] or None,
        team=request.POST.get("team") == "yes",
        due_ns=0 if "due" in emptied else due_day(said["due"]) if said["due"] else None,
        work_order="" if "work_order" in emptied else said["work_order"] or None,
        labels=() if "labels" in emptied else tuple(said["labels"].split(",")) if said["labels"] else None,
        note=said["note"],
    )


@requires(Permission.CHANGE_FINDING)
@require_POST
def actions_step(request: HttpRequest) -> HttpResponse:
    """Change the chosen actions in one decision, which can be taken back as one."""
    ids = request.POST.getlist("id")[:_MOST_BULK]
    back = page_url(request, "risk_action", ids[0]) if request.POST.get("from") == "action" and ids else ""

    def change() -> str:
        scope = scope_of(request).store
        batch = step(scope, ids, step_of(request), actor=actor_of(request), reason=reason_of(request))
        work_list.up_to_date(scope.tenant, now=True)
        many = "the action is" if len(ids) == 1 else f"{len(ids):,} actions are"
        return f"{many} changed; its history takes it back" if batch else "nothing was changed"

    return _done(request, back or page_url(request, "risk_actions"), change)


@requires(Permission.SEE_INVENTORY)
@require_GET
def action(request: HttpRequest, action_id: str) -> HttpResponse:
    """Show one action: what to do and why, devices, findings, history, accepted risks."""
    scope, user = scope_of(request), signed_in(request)
    work_list.up_to_date(scope.tenant)
    try:
        shown = shown_of(scope.store, action_id)
    except ConfigurationError as error:
        raise Http404("There is no such action in what you may see.") from error
    rules = own_rules(data_folder())
    models = sorted({(d.vendor or "", d.model or "") for d in shown.devices if d.vendor or d.model})
    context = {
        "action": shown.action,
        "kind": work_list.KINDS.get(shown.action.kind, shown.action.kind),  # type: ignore[call-overload]
        "state_words": {state.value: said for state, said in WORDS.items()},
        "due_day": "" if shown.action.due_ns is None else f"{to_datetime(shown.action.due_ns):%Y-%m-%d}",
        "devices": shown.devices[:_MOST_DEVICES],
        "devices_total": len(shown.devices),
        "subjects": shown.subjects[:_MOST_SUBJECTS],
        "subjects_total": len(shown.subjects),
        "history": shown.history,
        "acceptances": shown.acceptances,
        "models": models[:_MOST_SUBJECTS],
        "people": _people(user),
        "steps": _STEPS,
        "days": [n for n in DAYS if n <= rules.accept_most_days],
        "scopes": [(s.value, w) for s, w in _SCOPES.items()],
        "may_change": user.may(Permission.CHANGE_FINDING),
        "may_accept": user.may(Permission.ACCEPT_RISK),
        "effect": shown.effect,
    }
    return render(request, "web/risk_action.html", context)


_SCOPES = {
    AcceptScope.DEVICE: "The devices chosen here",
    AcceptScope.MODEL: "All devices of one model",
    AcceptScope.SITE: "All devices of this site",
}


@requires(Permission.CHANGE_FINDING)
@require_POST
def action_accept(request: HttpRequest, action_id: str) -> HttpResponse:
    """Ask that the risk of an action is accepted; whoever may accept risks approves it by asking."""
    scope, user = scope_of(request), signed_in(request)

    def ask() -> str:
        named = action_named(scope.store, action_id)
        approver = user.username if user.may(Permission.ACCEPT_RISK) else ""
        row = accept(
            data_folder(),
            scope.store,
            named.pk,
            _wish(request),
            actor=actor_of(request),
            reason=reason_of(request),
            approver=approver,
        )
        until = f"{to_datetime(row.expires_ns):%Y-%m-%d}"
        return f"the risk is accepted until {until}" if approver else "asked: somebody whose role may decides"

    return _done(request, page_url(request, "risk_action", action_id), ask)


def _wish(request: HttpRequest) -> Wish:
    scope, days = request.POST.get("scope", ""), request.POST.get("days", "")
    if scope not in set(AcceptScope) or not (days.isascii() and days.isdigit() and len(days) < 5):
        raise ConfigurationError("choose for which devices and for how long the risk is accepted")
    vendor, _, model = request.POST.get("model", "").partition("|")
    return Wish(
        AcceptScope(scope),
        wall_clock() + int(days) * 86_400 * NANOSECONDS,
        tuple(request.POST.getlist("device")),
        vendor,
        model,
        tuple(request.POST.getlist("subject")),
        request.POST.get("conditions", ""),
        request.POST.get("subnet", ""),
    )


@requires(Permission.ACCEPT_RISK)
@require_POST
def acceptance_decide(request: HttpRequest, acceptance: str) -> HttpResponse:
    """Approve or refuse the wish that a risk is accepted."""
    scope, user = scope_of(request), signed_in(request)
    approve = request.POST.get("decision") == "approve"

    def decide() -> str:
        decide_acceptance(
            data_folder(), scope.store, acceptance, approve=approve, approver=user.username,
            actor=actor_of(request), reason=reason_of(request),
        )  # fmt: skip
        return "the risk is accepted" if approve else "the risk is not accepted"

    return _done(request, _back(request, scope, acceptance), decide)


@requires(Permission.CHANGE_FINDING)
@require_POST
def acceptance_end(request: HttpRequest, acceptance: str) -> HttpResponse:
    """End an accepted risk before its day; what it covered is open again."""
    scope = scope_of(request)

    def end() -> str:
        end_acceptance(
            data_folder(), scope.store, acceptance, actor=actor_of(request), reason=reason_of(request)
        )
        return "the risk is no longer accepted: what it covered is open again"

    return _done(request, _back(request, scope, acceptance), end)


def _back(request: HttpRequest, scope: Scope, acceptance: str) -> str:
    row = next((r for r in of_work.acceptances(scope.store) if r.id == acceptance), None)
    return page_url(request, "risk_actions") if row is None else page_url(request, "risk_action", row.action)


@requires(Permission.CHANGE_FINDING)
@require_POST
def decision_undo(request: HttpRequest, batch: str) -> HttpResponse:
    """Take one decision back with all its steps."""
    scope = scope_of(request)

    def take_back() -> str:
        steps = undo(scope.store, batch, actor=actor_of(request), reason=reason_of(request))
        work_list.up_to_date(scope.tenant, now=True)
        return f"taken back: {steps:,} step{'' if steps == 1 else 's'}"

    named = request.POST.get("action", "")[:40]
    back = page_url(request, "risk_action", named) if named else page_url(request, "risk_actions")
    return _done(request, back, take_back)


def _done(request: HttpRequest, back: str, act: Callable[[], str]) -> HttpResponse:
    try:
        messages.success(request, _sentence(act()))
    except ConfigurationError as error:
        messages.error(request, _sentence(str(error)))
    forget()
    return HttpResponseRedirect(back)


def _sentence(said: str) -> str:
    return f"{said[:1].upper()}{said[1:]}."
