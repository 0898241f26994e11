"""What to replace: why and how soon, what it is still worth, and a plan within a yearly budget."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.app.replacement import (
    Replacement,
    budget,
    category_lives,
    replacements,
    set_economics,
    total_cost,
)
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.role import Permission
from medwarden.risk.lifecycle.budget import BudgetPlan, LeftOut
from medwarden.risk.recalls.outlook import Urgency
from medwarden.web.decisions import data_folder, reason_of, refused, said
from medwarden.web.exports import FORMATS, download
from medwarden.web.guard import requires
from medwarden.web.paging import cut, page_number, paging, sort_of
from medwarden.web.scope import Scope, actor_of, scope_of, signed_in

HEADER = tuple(Replacement.__struct_fields__)
BUDGET_HEADER = ("year", "device", "label", "cost", "points", "why_not")
SORTS = ("urgency", "points", "value", "age", "price", "support")
LEFT_OUT = {
    LeftOut.NO_COST: "no price is known",
    LeftOut.OTHER_CURRENCY: "its price is in another currency",
    LeftOut.TOO_DEAR: "it costs more than a year has",
    LeftOut.NO_RISK: "replacing it takes no risk away",
    LeftOut.NO_ROOM: "the money went where it takes more risk away",
    LeftOut.LATER: "it is due after the last year",
}
_YEARS = 5
_SHOWN_LEFT_OUT = 50


@requires(Permission.SEE_INVENTORY)
@require_GET
def replacement(request: HttpRequest) -> HttpResponse:
    """Show the devices to plan to replace, why, what they are worth and what they cost."""
    scope, user = scope_of(request), signed_in(request)
    found = replacements(data_folder(), scope.store)
    urgency, sort = request.GET.get("urgency", ""), sort_of(request, SORTS, "urgency")
    chosen = _sorted([o for o in found if not urgency or o.urgency.value == urgency], sort)
    number = page_number(request)
    context = {
        **paging(cut(chosen, number), number),
        "urgency": urgency,
        "urgencies": [(u.value, sum(o.urgency is u for o in found)) for u in Urgency],
        "cost": total_cost(chosen),
        "priced": sum(o.price is not None for o in chosen),
        "total": len(chosen),
        "sort": sort,
        "may_export": user.may(Permission.EXPORT),
    }
    return render(request, "web/risk_replacement.html", context)


def _sorted(rows: list[Replacement], sort: str) -> list[Replacement]:
    """Return rows by a column, what is not known last; by urgency they come as they are."""
    name, falling = sort.removeprefix("-"), sort.startswith("-")
    if name == "urgency":
        return rows[::-1] if falling else rows
    column = {"points": "points", "value": "value", "age": "age_years", "price": "price"}.get(
        name, "support_ends"
    )
    known = [row for row in rows if getattr(row, column) is not None]
    known.sort(key=lambda row: getattr(row, column), reverse=falling)
    return [*known, *(row for row in rows if getattr(row, column) is None)]


@requires(Permission.EXPORT)
@require_GET
def replacement_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Download the devices to plan to replace."""
    if kind not in FORMATS:
        raise Http404("Downloads are CSV or JSON.")
    found = replacements(data_folder(), scope_of(request).store)
    urgency = request.GET.get("urgency", "")
    rows: Iterator[dict[str, object]] = (
        msgspec.structs.asdict(o) | {"urgency": o.urgency.value, "why": " ".join(o.why)}
        for o in found
        if not urgency or o.urgency.value == urgency
    )
    return download(request, "replacement", kind, rows, HEADER)


class _Asked(msgspec.Struct, frozen=True):
    """The budget that the URL asks for; ``amount`` 0: none was named."""

    amount: int
    years: int
    currency: str
    carry: bool


def _asked(request: HttpRequest) -> _Asked:
    return _Asked(
        _whole(request.GET.get("amount", "")),
        _whole(request.GET.get("years", "")) or _YEARS,
        request.GET.get("currency", "").strip().upper()[:8],
        request.GET.get("carry") == "1",
    )


def _whole(text: str) -> int:
    digits = "".join(c for c in text if c not in " .,'\u202f\u00a0")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else 0


def _plan(scope: Scope, asked: _Asked) -> BudgetPlan:
    return budget(
        data_folder(), scope.store, asked.amount,
        currency=asked.currency, years=asked.years, carry=asked.carry,
    )  # fmt: skip


@requires(Permission.SEE_INVENTORY)
@require_GET
def budget_page(request: HttpRequest) -> HttpResponse:
    """Show which devices to replace in which year with so much money a year."""
    scope, user, asked = scope_of(request), signed_in(request), _asked(request)
    plan: BudgetPlan | None = None
    problem = ""
    if asked.amount:
        try:
            plan = _plan(scope, asked)
        except ConfigurationError as error:
            problem = f"{str(error)[:1].upper()}{str(error)[1:]}."
    elif request.GET.get("amount"):
        problem = "Write the amount of a year as a whole number."
    most = max((year.points for year in plan.years), default=0) if plan else 0
    context = {
        "asked": asked,
        "plan": plan,
        "problem": problem,
        "years": [(year, 100 * year.points // most if most else 0) for year in plan.years] if plan else [],
        "left_out": [(each, LEFT_OUT[each.why]) for each in plan.left_out[:_SHOWN_LEFT_OUT]] if plan else [],
        "left_out_more": max(0, len(plan.left_out) - _SHOWN_LEFT_OUT) if plan else 0,
        "query": request.GET.urlencode(),
        "may_export": user.may(Permission.EXPORT),
    }
    return render(request, "web/risk_budget.html", context)


@requires(Permission.EXPORT)
@require_GET
def budget_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Download a plan: a row for each device with its year, or why it has none."""
    asked = _asked(request)
    if kind not in FORMATS or not asked.amount:
        raise Http404("Name an amount; downloads are CSV or JSON.")
    try:
        plan = _plan(scope_of(request), asked)
    except ConfigurationError as error:
        raise Http404(str(error)) from error
    return download(request, "replacement-plan", kind, _rows(plan), BUDGET_HEADER)


def _rows(plan: BudgetPlan) -> Iterator[dict[str, object]]:
    for year in plan.years:
        for each in year.chosen:
            yield {
                "year": year.year, "device": each.device, "label": each.label, "cost": each.cost,
                "points": each.points, "why_not": "",
            }  # fmt: skip
    for left in plan.left_out:
        yield {
            "year": None, "device": left.device, "label": left.label, "cost": left.cost,
            "points": left.points, "why_not": LEFT_OUT[left.why],
        }  # fmt: skip


@requires(Permission.SEE_INVENTORY)
@require_GET
def lives(request: HttpRequest) -> HttpResponse:
    """Show useful life and price of each category that is here."""
    rows = category_lives(scope_of(request).store)
    may_change = signed_in(request).may(Permission.CHANGE_SETTINGS)
    return render(request, "web/risk_lives.html", {"rows": rows, "may_change": may_change})


@requires(Permission.CHANGE_SETTINGS)
@require_POST
def lives_change(request: HttpRequest) -> HttpResponse:
    """Set useful life and price of a category; empty fields take them back."""
    category, reason = request.POST.get("category", "")[:64], reason_of(request)
    years, price = request.POST.get("years", "").strip(), request.POST.get("price", "").strip()
    if not reason:
        return refused(request, "risk_lives", "say why: the reason is kept")
    if (years and not _whole(years)) or (price and not _whole(price) and price != "0"):
        return refused(request, "risk_lives", "years and price are whole numbers")

    def act() -> str:
        set_economics(
            scope_of(request).tenant, category, _whole(years), _whole(price),
            actor=actor_of(request), reason=reason,
        )  # fmt: skip
        return "kept" if years or price else "taken back"

    return said(request, "risk_lives", act)
