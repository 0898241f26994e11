"""Keeping the work queue up while nobody looks: statements weighed, risks lapsing, actions verified."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from medwarden.app.vex import weigh
from medwarden.app.work import refresh_if_changed
from medwarden.kernel.errors import ConfigurationError

_log = logging.getLogger(__name__)

EVERY_S = 60.0
"""Seconds between two looks at what changed."""

_looked: dict[Path, float] = {}


def keep_up(home: Path) -> bool:
    """Bring the queue of every tenant up to date where anything changed; tell whether any was.

    Looks at most every :data:`EVERY_S` seconds. On an open store of a writer.
    """
    if time.monotonic() - _looked.get(home, float("-inf")) < EVERY_S:
        return False
    from medwarden.app.life_cycle import refresh_support
    from medwarden.store.models import Tenant

    moved = False
    try:
        for tenant in Tenant.objects.order_by("pk").values_list("pk", flat=True):
            weigh(home, tenant)
            refresh_support(home, tenant)
            moved = refresh_if_changed(home, tenant) or moved
    except ConfigurationError as error:  # the operator's own rules: said again each time until mended
        _log.warning("the work queue is not kept up: %s", error)
    _looked[home] = time.monotonic()
    return moved
