"""Ends of support: which devices they concern, who says so, and the hospital's own lists of them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.app.life_cycle import import_document, removed, today, undone
from medwarden.kernel.errors import MalformedInput
from medwarden.model.life_cycle import ENDING_WORDS, Ending
from medwarden.model.role import Permission
from medwarden.sensors.support_list import FIELDS, LARGEST
from medwarden.store.queries.life_cycle import (
    SORTS,
    DeviceEnd,
    SupportFilter,
    device_ends,
    each_end,
    end_counts,
    support_lists,
)
from medwarden.web.decisions import data_folder, reason_of, refused, said
from medwarden.web.exports import FORMATS, download
from medwarden.web.guard import requires
from medwarden.web.operation_lists import text_of
from medwarden.web.paging import offset_of, page_number, paging, sort_of
from medwarden.web.recent import forget
from medwarden.web.scope import actor_of, scope_of, signed_in

PAGE = "risk_support"
WHEN = {"ended": "Over", "year": "Within a year", "later": "Later"}
HEADER = tuple(DeviceEnd.__struct_fields__)
_PER_PAGE = 50
_MOST_PROBLEMS = 5


def asked(request: HttpRequest) -> SupportFilter:
    """Return the filter that the URL asks for."""
    when, ending = request.GET.get("when", ""), request.GET.get("ending", "")
    return SupportFilter(
        when=when if when in WHEN else "",
        ending=ending if ending in set(Ending) else "",
        sure=request.GET.get("sure") == "1",
        text=text_of(request),
    )


@requires(Permission.SEE_INVENTORY)
@require_GET
def support(request: HttpRequest) -> HttpResponse:
    """List what ends of devices, the soonest first, and the lists that say so."""
    scope, user, day = scope_of(request), signed_in(request), today()
    wanted, number, sort = asked(request), page_number(request), sort_of(request, tuple(SORTS), "day")
    page = device_ends(
        scope.store, wanted, day, sort=sort, offset=offset_of(number, _PER_PAGE), limit=_PER_PAGE
    )
    counts = end_counts(scope.store, day)
    context = {
        **paging(page, number),
        "wanted": wanted,
        "whens": [(key, word, counts[key]) for key, word in WHEN.items()],
        "endings": [(ending.value, ENDING_WORDS[ending]) for ending in Ending],
        "ending_words": {ending.value: ENDING_WORDS[ending] for ending in Ending},
        "today": day.isoformat(),
        "text": wanted.text,
        "sort": sort,
        "counts": counts,
        "lists": support_lists(scope.tenant),
        "fields": FIELDS,
        "may_edit": user.may(Permission.EDIT_BOOKS),
        "may_export": user.may(Permission.EXPORT),
    }
    return render(request, "web/risk_support.html", context)


@requires(Permission.EXPORT)
@require_GET
def support_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Download what ends of devices."""
    if kind not in FORMATS:
        raise Http404("Downloads are CSV or JSON.")
    rows: Iterator[dict[str, object]] = (
        msgspec.structs.asdict(end) for end in each_end(scope_of(request).store, asked(request), today())
    )
    return download(request, "support", kind, rows, HEADER)


@requires(Permission.EDIT_BOOKS)
@require_POST
def support_import(request: HttpRequest) -> HttpResponse:
    """Take an uploaded list of ends of support in, and compare devices with it."""
    scope, table = scope_of(request), request.FILES.get("table")
    name = request.POST.get("name", "").strip()[:120]
    if table is None or isinstance(table, list) or not name:
        return refused(request, PAGE, "choose a CSV or XLSX file and give the list a name")
    if table.size is not None and table.size > LARGEST:
        return refused(request, PAGE, f"the file is larger than {LARGEST >> 20} MiB, which no such list is")
    mapping = [line for line in request.POST.get("map", "")[:4000].splitlines() if line.strip()]
    document, source = table.read(), table.name or "table"

    def take_in() -> str:
        try:
            read, done = import_document(
                data_folder(), scope.tenant, document, source,
                actor=actor_of(request), name=name, mapping=mapping,
            )  # fmt: skip
        except MalformedInput as error:
            messages.error(request, f"Not imported: {error}.")
            return f"{name} is as it was"
        for problem in read.problems[:_MOST_PROBLEMS]:
            messages.warning(request, f"Line {problem.line}: {problem.reason}.")
        if read.unmapped:
            messages.info(request, f"Columns nobody knows: {', '.join(read.unmapped[:12])}.")
        if done is None or done.same:
            return f"{name} holds this very file already"
        changed = f"{done.devices:,} device{'' if done.devices == 1 else 's'}"
        read_words = f"{done.rows:,} ends, {done.rejected:,} lines unusable"
        return f"{name}: {read_words}; of {changed} something else is said"

    forget()
    return said(request, PAGE, take_in)


@requires(Permission.EDIT_BOOKS)
@require_POST
def support_undo(request: HttpRequest, name: str) -> HttpResponse:
    """Take the latest import of a list back, or remove the list, with a reason."""
    scope, reason = scope_of(request), reason_of(request)
    if not reason:
        return refused(request, PAGE, "say why: the reason is kept")
    actor = actor_of(request)

    def act() -> str:
        forget()
        if request.POST.get("step") == "remove":
            removed(data_folder(), scope.tenant, name, actor=actor, reason=reason)
            return f"{name} is removed"
        number = undone(data_folder(), scope.tenant, name, actor=actor, reason=reason)
        return f"import {number} of {name} counts again" if number else f"{name} says nothing any more"

    return said(request, PAGE, act)
