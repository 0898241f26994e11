"""Sensors and inputs with their accounting: read = parsed + rejected + dropped, to the packet."""

from __future__ import annotations

import math

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from medwarden.model.accounting import PacketCount
from medwarden.model.role import Permission
from medwarden.store import queries
from medwarden.web.guard import requires
from medwarden.web.scope import scope_of

PER_PAGE = 50


@requires(Permission.SEE_INVENTORY)
@require_GET
def sensors(request: HttpRequest) -> HttpResponse:
    """Show sensors, the inputs they took in, and what the network's corners look like from here."""
    scope = scope_of(request)
    status = request.GET.get("status", "")
    number = request.GET.get("page", "1")
    page = max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 10 else 1
    inputs = queries.inputs(
        scope.store, offset=(page - 1) * PER_PAGE, limit=PER_PAGE, status=status if status in STATUSES else ""
    )
    rows = queries.sensors(scope.store)
    total = PacketCount()
    for row in rows:
        total.read += row.packets.read
        total.parsed += row.packets.parsed
        total.rejected += row.packets.rejected
        total.dropped += row.packets.dropped
    context = {
        "sensors": rows,
        "total": total,
        "page": inputs,
        "asked": {"page": page},
        "pages": math.ceil(inputs.total / PER_PAGE) or 1,
        "first": inputs.offset + 1 if inputs.total else 0,
        "last": min(inputs.offset + PER_PAGE, inputs.total),
        "status": status,
        "statuses": STATUSES,
        "subnets": queries.subnets(scope.store)[:50],
        "fields": queries.evidence_fields(scope.store)[:60],
    }
    whole = request.headers.get("HX-Target") != "results"
    return render(request, "web/sensors.html" if whole else "web/part/sensors_results.html", context)


STATUSES = ("reading", "complete", "failed")
