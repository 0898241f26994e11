"""Sensors and inputs with their accounting: read = parsed + rejected + dropped, to the packet."""

from __future__ import annotations

import math
from itertools import groupby

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from medwarden.app.inventory import limits_of
from medwarden.assessment.positions import next_positions
from medwarden.model.accounting import PacketCount
from medwarden.model.role import Permission
from medwarden.model.visibility import Heard
from medwarden.store import queries
from medwarden.web.guard import requires
from medwarden.web.recent import recently
from medwarden.web.scope import scope_of

PER_PAGE = 50


@requires(Permission.SEE_INVENTORY)
@require_GET
def sensors(request: HttpRequest) -> HttpResponse:
    """Show sensors and the inputs they took in."""
    scope = scope_of(request)
    status = request.GET.get("status", "")
    number = request.GET.get("page", "1")
    page = max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 10 else 1
    inputs = queries.inputs(
        scope.store, offset=(page - 1) * PER_PAGE, limit=PER_PAGE, status=status if status in STATUSES else ""
    )
    rows = queries.sensors(scope.store)
    total, records = PacketCount(), PacketCount()
    for row in rows:
        _add(total, row.packets)
        _add(records, row.records)
    context = {
        "sensors": rows,
        "total": total,
        "records": records,
        "page": inputs,
        "asked": {"page": page},
        "pages": math.ceil(inputs.total / PER_PAGE) or 1,
        "first": inputs.offset + 1 if inputs.total else 0,
        "last": min(inputs.offset + PER_PAGE, inputs.total),
        "status": status,
        "statuses": STATUSES,
    }
    whole = request.headers.get("HX-Target") != "results"
    return render(request, "web/sensors.html" if whole else "web/part/sensors_results.html", context)


def _add(total: PacketCount, part: PacketCount) -> None:
    total.read += part.read
    total.parsed += part.parsed
    total.rejected += part.rejected
    total.dropped += part.dropped


@requires(Permission.SEE_INVENTORY)
@require_GET
def sensors_sight(request: HttpRequest) -> HttpResponse:
    """Show what is seen and what is not: subnets, what each sensor hears, where the next one should stand."""
    scope = scope_of(request)
    sights = recently(queries.subnet_sights, scope.store)
    context = {
        "subnets": sights[:MOST_SUBNETS],
        "more": max(0, len(sights) - MOST_SUBNETS),
        "positions": next_positions(sights),
        "limits": limits_of(recently(queries.forms_read, scope.store)),
        "heard": _by_sensor(recently(queries.heard_by_sensor, scope.store)),
        "fields": recently(queries.evidence_fields, scope.store)[:60],
        "total": len(sights),
        "blind": sum(sight.blind for sight in sights),
    }
    whole = request.headers.get("HX-Target") != "sight"
    return render(request, "web/sensors_sight.html" if whole else "web/part/sensors_sight.html", context)


def _by_sensor(heard: list[Heard]) -> list[tuple[str, list[Heard]]]:
    return [(name, list(parts)) for name, parts in groupby(heard, key=lambda part: part.sensor)]


STATUSES = ("reading", "complete", "failed")
MOST_SUBNETS = 200
