"""The inventory by kind, and how sure medwarden is of it."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from medwarden.inventory.doubt import LEVELS
from medwarden.kernel.clock import iso
from medwarden.model.role import Permission
from medwarden.store import queries
from medwarden.web import device_page
from medwarden.web.device_list import DOUBTS
from medwarden.web.exports import FORMATS, download
from medwarden.web.guard import requires
from medwarden.web.kinds import Group, chosen, groups, label_at, shown, tree, under
from medwarden.web.paging import offset_of, page_number, paging
from medwarden.web.recent import coarse, recently
from medwarden.web.scope import scope_of, signed_in
from medwarden.web.templatetags.console import page_url

_MOST_SUBNETS = 100
_MOST_OF_A_PAGE = 20
_KIND_HEADER = ("device_class", "category", "vendor", "model", "devices", "risky", "unsure")


@requires(Permission.SEE_INVENTORY)
@require_GET
def kinds(request: HttpRequest) -> HttpResponse:
    """Draw the devices by class, category, vendor and model; the URL says how deep."""
    scope = scope_of(request)
    path = chosen(request.GET)
    wanted = coarse(queries.DeviceFilter(last_seen_since=scope.since_ns))
    every = recently(queries.kinds, scope.store, wanted)
    inside = under(every, path)
    found = groups(inside, shown(path))

    def url(group: Group, parent: Group | None) -> str:
        further = {} if parent is None else {parent.level: parent.value}
        target = {**path, **further, group.level: group.value}
        return page_url(request, "devices" if group.level == "model" else "devices_kinds", **target)

    trail, sofar = [], {}
    for level, value in path.items():
        sofar[level] = value
        trail.append((label_at(level, value), page_url(request, "devices_kinds", **sofar)))
    context = {
        "path": path,
        "trail": trail,
        "levels": shown(path),
        "groups": [(group, url(group, None), _rows(request, path, group)) for group in found],
        "tree": {"kind": "treemap", "nodes": tree(found, url)},
        "devices": sum(k.devices for k in inside),
        "unsure": sum(k.unsure for k in inside),
        "list_url": page_url(request, "devices", **path),
        "may_export": signed_in(request).may(Permission.EXPORT),
    }
    return render(request, "web/devices_kinds.html", context)


def _rows(request: HttpRequest, path: dict[str, str], group: Group) -> list[tuple[Group, str]]:
    own = {**path, group.level: group.value}
    return [(c, page_url(request, "devices", **own, **{c.level: c.value})) for c in group.children]


@requires(Permission.EXPORT)
@require_GET
def kinds_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Download the kinds with their counts as CSV or JSON."""
    if kind not in FORMATS:
        raise Http404("Downloads are CSV or JSON.")
    scope = scope_of(request)
    wanted = queries.DeviceFilter(last_seen_since=scope.since_ns)
    rows = [{name: getattr(k, name) for name in _KIND_HEADER} for k in queries.kinds(scope.store, wanted)]
    return download(request, "kinds", kind, iter(rows), _KIND_HEADER)


@requires(Permission.SEE_INVENTORY)
@require_GET
def sureness(request: HttpRequest) -> HttpResponse:
    """Show how sure medwarden is of its devices, why not of all, and what would settle it."""
    scope = scope_of(request)
    seen = queries.DeviceFilter(last_seen_since=scope.since_ns)
    found = recently(queries.sureness, scope.store, coarse(seen))
    level = request.GET.get("unsure", "")
    doubt = request.GET.get("doubt", "")
    wanted = queries.DeviceFilter(
        last_seen_since=scope.since_ns,
        subnet=(request.GET["subnet"],) if request.GET.get("subnet") else (),
        unsure=(level,) if level in LEVELS else ("any",),
        doubt=(doubt,) if doubt in DOUBTS else (),
    )
    number = page_number(request)
    page = queries.devices(
        scope.store, wanted, sort="-risk", offset=offset_of(number, _MOST_OF_A_PAGE), limit=_MOST_OF_A_PAGE
    )
    whole = {device.id: device for device in queries.complete_devices([row.id for row in page.items])}
    rows = [(row, device_page.missing(whole[row.id]) if row.id in whole else []) for row in page.items]
    context = {
        **paging(page, number),
        "found": found,
        "levels": _sure_to(found),
        "reasons": [
            (reason, count, *DOUBTS[reason])
            for reason, count in sorted(found.doubts.items(), key=lambda item: -item[1])
        ],
        "subnets": [
            (s, s.sure / s.devices, max(s.doubts, key=lambda d: s.doubts[d]) if s.doubts else "")
            for s in found.subnets[:_MOST_SUBNETS]
            if s.sure < s.devices
        ],
        "doubts": DOUBTS,
        "rows": rows,
        "level": level,
        "doubt": doubt,
        "subnet": request.GET.get("subnet", ""),
        "may_export": signed_in(request).may(Permission.EXPORT),
    }
    return render(request, "web/devices_sureness.html", context)


def _sure_to(found: queries.Sureness) -> list[tuple[str, int, float, int]]:
    """Return (level, devices sure down to it, their share, devices whose answer ceases to be sure there)."""
    left, rows = found.devices, []
    for name, count in found.unsure.items():
        left -= count
        rows.append((name, left, left / max(1, found.devices), count))
    return rows


@requires(Permission.EXPORT)
@require_GET
def sureness_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Download the devices that are not sure, with level, confidence and reasons, as CSV or JSON."""
    if kind not in FORMATS:
        raise Http404("Downloads are CSV or JSON.")
    scope = scope_of(request)
    wanted = queries.DeviceFilter(last_seen_since=scope.since_ns, unsure=("any",))
    header = ("id", "site", "name", "ips", "macs", "subnet", "class", "category", "vendor", "model")
    levels = tuple(f"confidence_{level}" for level in LEVELS)
    rows = (_unsure_row(row) for row in queries.each_device(scope.store, wanted))
    return download(request, "unsure", kind, rows, (*header, *levels, "last_seen"))


def _unsure_row(row: queries.DeviceRow) -> dict[str, object]:
    plain: dict[str, object] = {
        "id": row.id,
        "site": row.site,
        "name": row.name,
        "ips": row.ips,
        "macs": row.macs,
        "subnet": row.subnet,
        "class": row.device_class,
        "category": row.category,
        "vendor": row.vendor,
        "model": row.model,
        "last_seen": iso(row.last_seen),
    }
    return plain | {f"confidence_{level}": row.confidence.get(level) for level in LEVELS}
