"""What judging a device or a new advisory asks for the first time, read while nobody waits for it.

A worker runs for weeks. What it would read when the first device is heard of (who stands around all devices,
all notices and claims, fingerprints) it reads when it starts. On an open store.
"""

from __future__ import annotations

import logging
import time
from importlib import import_module
from pathlib import Path

from medwarden.app import recalls, vulnerabilities
from medwarden.app.surroundings import surroundings_with
from medwarden.knowledge.fingerprints.index import index
from medwarden.risk.registry import all_factors

_LATE = ("medwarden.app.judge", "medwarden.app.reconcile")
"""Modules that judging imports when it first needs them."""
_log = logging.getLogger(__name__)


def read_ahead(home: Path) -> None:
    """Read it, for every site; a store without devices needs none of it."""
    from medwarden.store.models import Device, Site

    if not Device.objects.exists():
        return
    began = time.monotonic()
    for name in _LATE:
        import_module(name)
    all_factors()
    index()
    for tenant, site in Site.objects.values_list("tenant_id", "pk"):
        surroundings_with(tenant, site, [])
        recalls.read_ahead(home, tenant)
    vulnerabilities.read_ahead(home)
    _log.info("read ahead what the first device would have waited for, in %.1f s", time.monotonic() - began)
