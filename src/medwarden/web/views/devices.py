"""The list of devices: a page, a part of it for in-place refresh, a download, saved views."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import msgspec
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.role import Permission
from medwarden.store import queries
from medwarden.store.attributes import specs, values_of
from medwarden.store.changes import Change
from medwarden.store.models import SavedView
from medwarden.web import device_list
from medwarden.web.exports import FORMATS, download
from medwarden.web.guard import requires
from medwarden.web.recent import coarse, recently
from medwarden.web.scope import scope_of, signed_in

_AT_ONCE = 500
PAGES_WITH_VIEWS = ("devices", "findings")


@requires(Permission.SEE_INVENTORY)
@require_GET
def devices(request: HttpRequest) -> HttpResponse:
    """List devices as the URL asks."""
    scope = scope_of(request)
    asked = device_list.asked(request.GET, scope.since_ns)
    try:
        page = _page(scope.store, asked)
    except ConfigurationError as error:  # of an own attribute or its value in the URL
        messages.error(request, f"{str(error)[:1].upper()}{str(error)[1:]}.")
        asked = asked._replace(wanted=msgspec.structs.replace(asked.wanted, attributes={}))
        page = _page(scope.store, asked)
    counts = recently(queries.facets, scope.store, coarse(asked.wanted))
    context = {
        "page": page,
        "asked": asked,
        "keys": {c.key for c in asked.columns},
        "all_columns": device_list.COLUMNS,
        "column_urls": _column_urls(request.GET, asked),
        "menus": device_list.menus(request.GET, counts),
        "chips": device_list.chips(request.GET),
        "pages": math.ceil(page.total / asked.per_page) or 1,
        "first": page.offset + 1 if page.total else 0,
        "last": min(page.offset + asked.per_page, page.total),
        "per_page": device_list.PER_PAGE,
        "query": request.GET.urlencode(),
        "saved": _saved(request, "devices"),
        "may_export": signed_in(request).may(Permission.EXPORT),
    }
    whole = request.headers.get("HX-Target") != "results"
    return render(request, "web/devices.html" if whole else "web/part/devices_results.html", context)


def _page(scope: queries.Scope, asked: device_list.DeviceList) -> queries.Page[queries.DeviceRow]:
    return queries.devices(scope, asked.wanted, sort=asked.sort, offset=asked.offset, limit=asked.per_page)


def _column_urls(query: QueryDict, asked: device_list.DeviceList) -> list[tuple[str, bool, str]]:
    shown = [c.key for c in asked.columns]
    found = []
    for column in device_list.COLUMNS[1:]:
        keys = [k for k in shown if k != column.key] if column.key in shown else [*shown, column.key]
        changed = query.copy()
        changed["columns"] = ",".join(c.key for c in device_list.COLUMNS if c.key in keys)
        found.append((column.title, column.key in shown, f"?{changed.urlencode()}"))
    return found


def _saved(request: HttpRequest, page: str) -> list[SavedView]:
    user = signed_in(request)
    rows = SavedView.objects.filter(tenant_id=user.tenant_id, page=page).select_related("owner")
    return [row for row in rows.order_by("name") if row.shared or row.owner_id == user.pk]


@requires(Permission.EXPORT)
@require_GET
def devices_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Download the list, or the selected rows of it, as CSV or JSON."""
    if kind not in FORMATS:
        raise Http404("Downloads are CSV or JSON.")
    scope = scope_of(request)
    asked = device_list.asked(request.GET, scope.since_ns)
    chosen = set(request.GET.getlist("id"))
    rows = queries.each_device(scope.store, asked.wanted, sort=asked.sort)
    wanted = (row for row in rows if not chosen or row.id in chosen)
    own = [spec.name for spec in specs(scope.tenant)]
    header = (*device_list.CSV_HEADER, *(f"{device_list.OWN}{name}" for name in own))
    return download(request, "devices", kind, _with_own(scope.store, wanted, own), header)


def _with_own(
    scope: queries.Scope, rows: Iterator[queries.DeviceRow], own: list[str]
) -> Iterator[dict[str, object]]:
    """Yield rows for a download with the hospital's own attributes beside them."""
    while part := list(islice(rows, _AT_ONCE)):
        held = values_of(scope, [row.id for row in part]) if own else {}
        for row in part:
            said = {value.name: value.value for value in held.get(row.id, [])}
            yield device_list.export_row(row) | {f"{device_list.OWN}{n}": said.get(n) for n in own}


@requires(Permission.SEE_INVENTORY)
@require_POST
def view_save(request: HttpRequest, page: str) -> HttpResponse:
    """Keep the page's state under a name, for oneself or for everybody."""
    if page not in PAGES_WITH_VIEWS:
        raise Http404("That page keeps no views.")
    user = signed_in(request)
    name = request.POST.get("name", "").strip()[:120]
    query = QueryDict(request.POST.get("query", "")[:4000], mutable=True)
    query.pop("page", None)
    if not name:
        messages.error(request, "Give the view a name.")
    else:
        shared = request.POST.get("shared") == "yes"
        with Change(f"user:{user.username}", "saved view", tenant=user.tenant_id) as change:
            SavedView.objects.update_or_create(
                owner=user,
                page=page,
                name=name,
                defaults={
                    "tenant_id": user.tenant_id,
                    "query": query.urlencode(),
                    "shared": shared,
                    "created_ns": wall_clock(),
                },
            )
            change.record(
                "view.saved", f"view:{page}/{name}", None, {"query": query.urlencode(), "shared": shared}
            )
        messages.success(request, f"The view “{name}” is saved.")
    text = query.urlencode()
    return HttpResponseRedirect(reverse(page) + (f"?{text}" if text else ""))


@requires(Permission.SEE_INVENTORY)
@require_POST
def view_delete(request: HttpRequest, view_id: int) -> HttpResponse:
    """Forget one of one's own views."""
    user = signed_in(request)
    with Change(f"user:{user.username}", "saved view", tenant=user.tenant_id) as change:
        row = SavedView.objects.filter(owner=user, pk=view_id).first()
        if row is None:
            raise Http404("There is no such view of yours.")
        change.record("view.deleted", f"view:{row.page}/{row.name}", {"query": row.query}, None)
        row.delete()
    return HttpResponseRedirect(reverse(row.page))
