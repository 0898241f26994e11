"""Places: what stands where, and the hospital's plan that says so."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.app.places import import_stored
from medwarden.inventory.plan import LARGEST
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.role import Permission
from medwarden.store.models import Device
from medwarden.store.places import PlaceCount, place_counts, plan_page
from medwarden.store.queries import Scope
from medwarden.store.queries.scope import MOST_ROWS
from medwarden.web.exports import download
from medwarden.web.guard import requires
from medwarden.web.recent import forget, recently
from medwarden.web.scope import scope_of, signed_in
from medwarden.web.templatetags.console import page_url

_HEADER = ("kind", "key", "building", "floor", "room", "department")
_MOST_PROBLEMS = 5
MOST_PLACES = 500


@requires(Permission.SEE_INVENTORY)
@require_GET
def places(request: HttpRequest) -> HttpResponse:
    """Show devices by building, floor and room, and the plan."""
    scope = scope_of(request)
    every, nowhere = recently(place_counts, scope.store)
    found = every[:MOST_PLACES]
    placed = scope.store.over(Device.objects.filter(retired_at__isnull=True, location__isnull=False))
    return render(
        request,
        "web/places.html",
        {
            "buildings": _by_building(found),
            "others": [p for p in found if p.building is None],
            "more": len(every) - len(found),
            "placed": placed.count(),
            "nowhere": nowhere,
            "plan": plan_page(scope.store, text=request.GET.get("q", "").strip()[:100], limit=100),
            "asked_text": request.GET.get("q", "").strip()[:100],
            "may_edit": signed_in(request).may(Permission.EDIT_PLACES) and scope.one_site is not None,
            "may_edit_one": signed_in(request).may(Permission.EDIT_PLACES),
            "may_export": signed_in(request).may(Permission.EXPORT),
        },
    )


def _by_building(found: list[PlaceCount]) -> list[tuple[str, int, list[tuple[str | None, list[PlaceCount]]]]]:
    result = []
    inside = [p for p in found if p.building is not None]
    for building, parts in groupby(inside, key=lambda p: p.building or ""):
        rooms = list(parts)
        floors = [(floor, list(on_it)) for floor, on_it in groupby(rooms, key=lambda p: p.floor)]
        result.append((building, sum(p.devices for p in rooms), floors))
    return result


@requires(Permission.EDIT_PLACES)
@require_POST
def plan_import(request: HttpRequest) -> HttpResponse:
    """Replace the plan of the chosen site by an uploaded table."""
    scope, user = scope_of(request), signed_in(request)
    table = request.FILES.get("table")
    back = HttpResponseRedirect(page_url(request, "places"))
    if scope.one_site is None:
        messages.error(request, "Choose one site above: a plan is of one site.")
        return back
    if table is None or isinstance(table, list):
        messages.error(request, "Choose a CSV file with the plan.")
        return back
    if table.size is not None and table.size > LARGEST:
        messages.error(request, f"The file is larger than {LARGEST >> 20} MiB, which no floor plan is.")
        return back
    try:
        outcome = import_stored(
            table.read(), table.name or "upload", actor=f"user:{user.username}", site=scope.one_site
        )
    except ConfigurationError as error:
        messages.error(request, f"{error}.")
        return back
    forget()
    messages.success(
        request,
        f"{outcome.rows:,} {'place' if outcome.rows == 1 else 'places'} in use (before: {outcome.before:,}); "
        f"{outcome.devices:,} devices placed anew.",
    )
    for problem in outcome.problems[:_MOST_PROBLEMS]:
        messages.warning(request, f"Line {problem.line}: {problem.reason}.")
    if len(outcome.problems) > _MOST_PROBLEMS:
        messages.warning(request, f"{len(outcome.problems) - _MOST_PROBLEMS:,} more lines could not be used.")
    return back


@requires(Permission.EXPORT)
@require_GET
def plan_export(request: HttpRequest) -> HttpResponseBase:
    """Download the plan in the form that can be imported again."""
    return download(request, "plan", "csv", _rows(scope_of(request).store), _HEADER)


def _rows(scope: Scope) -> Iterator[dict[str, object]]:
    offset = 0
    while True:
        page = plan_page(scope, offset=offset, limit=MOST_ROWS)
        for row in page.items:
            yield {name: getattr(row, name) or "" for name in _HEADER}
        offset += MOST_ROWS
        if offset >= page.total:
            return
