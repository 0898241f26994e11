"""The map: groups first, then the devices between two; graph, matrix and table of the same numbers."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from medwarden.model.role import Permission
from medwarden.store import queries
from medwarden.web import traffic_map
from medwarden.web.device_page import peer_rows
from medwarden.web.guard import requires
from medwarden.web.recent import on_the_minute, recently
from medwarden.web.scope import scope_of
from medwarden.web.templatetags.console import page_url

MOST_ROWS = 200


@requires(Permission.SEE_INVENTORY)
@require_GET
def traffic(request: HttpRequest) -> HttpResponse:
    """Show who talks to whom by class, category, subnet or vendor."""
    scope = scope_of(request)
    axis = traffic_map.axis_of(request.GET.get("by", ""))
    cells = recently(queries.matrix, scope.store, axis, since=on_the_minute(scope.since_ns))
    application = request.GET.get("application", "")
    applications: dict[str, int] = {}
    for cell in cells:
        name = cell.application or f"{cell.transport}/{cell.port}"
        applications[name] = applications.get(name, 0) + cell.bytes
    if application:
        cells = [c for c in cells if (c.application or f"{c.transport}/{c.port}") == application]

    def link(client: str, server: str) -> str:
        return page_url(request, "map_between", by=axis, client=client, server=server)

    columns, rows = traffic_map.grid(axis, cells, link)
    context = {
        "axis": axis,
        "axes": traffic_map.AXES.items(),
        "cells": [
            (
                c,
                traffic_map.group_name(axis, c.client),
                traffic_map.group_name(axis, c.server),
                link(c.client, c.server),
            )
            for c in cells[:MOST_ROWS]
        ],
        "total": len(cells),
        "graph": traffic_map.elements(axis, cells, link),
        "columns": columns,
        "rows": rows,
        "application": application,
        "applications": sorted(applications, key=lambda a: -applications[a])[:30],
    }
    return render(request, "web/map.html", context)


@requires(Permission.SEE_INVENTORY)
@require_GET
def between(request: HttpRequest) -> HttpResponse:
    """Show the devices behind one field of the matrix."""
    scope = scope_of(request)
    axis = traffic_map.axis_of(request.GET.get("by", ""))
    client, server = request.GET.get("client", "")[:200], request.GET.get("server", "")[:200]
    edges = queries.edges(scope.store, client, server, axis)
    if scope.since_ns is not None:
        edges = [e for e in edges if e.last_seen >= scope.since_ns]
    names = peer_rows(scope.store, {one for e in edges for one in (e.client, e.server)})
    context = {
        "axis": axis,
        "client": traffic_map.group_name(axis, client),
        "server": traffic_map.group_name(axis, server),
        "edges": [(e, names.get(e.client), names.get(e.server)) for e in edges],
        "graph": traffic_map.between(edges, names, lambda one: page_url(request, "device", one)),
        "most": traffic_map.MOST_EDGES,
    }
    return render(request, "web/map_between.html", context)
