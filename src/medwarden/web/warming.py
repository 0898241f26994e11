"""Count what is dear before anybody asks: the first page after a start in a large house stands at once too.

The counts are those that pages keep (:mod:`medwarden.web.recent`) for people who see every site over all
time, which is how the console opens. In a small house this is over before the first log-in.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import Error, connection

from medwarden.app.risk import DAYS, overview
from medwarden.store import queries
from medwarden.store.models import Tenant
from medwarden.store.places import place_counts
from medwarden.store.queries import DeviceFilter
from medwarden.web.recent import recently

_log = logging.getLogger(__name__)


def dear(scope: queries.Scope) -> list[Callable[[], object]]:
    """Return the counts of the pages as they open, the most visited pages first."""
    every = DeviceFilter()
    return [
        lambda: recently(queries.facets, scope, every),
        lambda: recently(queries.finding_counts, scope),
        lambda: recently(queries.finding_types, scope),
        lambda: recently(queries.top_actions, scope, limit=20),
        lambda: recently(overview, scope, days=DAYS, now_ns=None),
        lambda: recently(queries.kinds, scope, every),
        lambda: recently(queries.sureness, scope, every),
        lambda: recently(place_counts, scope),
        lambda: recently(queries.matrix, scope, "category", since=None),
        lambda: recently(queries.clinical_peers, scope),
        lambda: recently(queries.battery_levels, scope),
        lambda: recently(queries.subnet_sights, scope),
        lambda: recently(queries.forms_read, scope),
        lambda: recently(queries.heard_by_sensor, scope),
        lambda: recently(queries.evidence_fields, scope),
    ]


def warm() -> None:
    """Count everything of :func:`dear` for every tenant. A count that fails is told and left to its page."""
    for tenant in Tenant.objects.order_by("id").values_list("id", flat=True):
        for count in dear(queries.Scope(tenant, None)):
            try:
                count()
            except Error as error:
                _log.warning("counting ahead failed: %s", error)


def begin() -> None:
    """Count ahead in a thread of its own, which ends with the process."""

    def run() -> None:
        try:
            warm()
        finally:
            connection.close()

    threading.Thread(target=run, name="warming", daemon=True).start()
