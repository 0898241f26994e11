"""Server-sent events: tell an open page that something changed, so that it fetches itself again.

One cheap look at the store serves every open page of a tenant for a second. The stream carries no
data, only that there is something new; what a person may see is decided where he fetches it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.db import connection
from django.db.models import Max
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET

from medwarden.model.role import Permission
from medwarden.store.models import AuditEntry, Device, InputLedger, Sensor
from medwarden.web.guard import requires
from medwarden.web.scope import scope_of

LOOK_EVERY = 1.0
KEEP_ALIVE = 15.0
LONGEST = 600.0
"""Seconds after which a stream ends; the browser opens it anew, which checks the person again."""

Mark = tuple[int | None, ...]
_looks: dict[str, tuple[float, Mark]] = {}


def mark_of(tenant: str) -> Mark:
    """Return what changes whenever a page of the tenant would: newest decision, packet, input, report."""
    return (
        AuditEntry.objects.filter(tenant_id=tenant).aggregate(v=Max("sequence"))["v"],
        Device.objects.filter(tenant_id=tenant).aggregate(v=Max("last_seen"))["v"],
        Device.objects.filter(tenant_id=tenant).aggregate(v=Max("added_ns"))["v"],
        InputLedger.objects.filter(tenant_id=tenant).aggregate(v=Max("last_ns"))["v"],
        Sensor.objects.filter(tenant_id=tenant).aggregate(v=Max("heartbeat_ns"))["v"],
    )


def _look(tenant: str) -> Mark:
    try:
        return mark_of(tenant)
    finally:
        connection.close()  # this thread belongs to no request that would


async def current_mark(tenant: str) -> Mark:
    """Return the mark, looked up at most once a second for all streams together."""
    at, known = _looks.get(tenant, (0.0, ()))
    if time.monotonic() - at < LOOK_EVERY:
        return known
    _looks[tenant] = (time.monotonic(), known)
    fresh = await sync_to_async(_look, thread_sensitive=False)(tenant)
    _looks[tenant] = (time.monotonic(), fresh)
    return fresh


async def changes(tenant: str) -> AsyncIterator[bytes]:
    """Yield the stream (HTML Living Standard, section 9.2) until :data:`LONGEST` has passed."""
    begun = spoken = time.monotonic()
    seen = await current_mark(tenant)
    yield b"retry: 3000\nevent: hello\ndata: 1\n\n"
    while time.monotonic() - begun < LONGEST:
        await asyncio.sleep(LOOK_EVERY)
        fresh = await current_mark(tenant)
        if fresh != seen:
            seen, spoken = fresh, time.monotonic()
            yield b"event: change\ndata: 1\n\n"
        elif time.monotonic() - spoken > KEEP_ALIVE:
            spoken = time.monotonic()
            yield b": still here\n\n"


@requires(Permission.SEE_INVENTORY)
@require_GET
def live(request: HttpRequest) -> HttpResponseBase:
    """Open the stream."""
    response = StreamingHttpResponse(changes(scope_of(request).tenant), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response
