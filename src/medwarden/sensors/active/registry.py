"""All probers, found by their module-level ``PROBER``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import medwarden.sensors.active
from medwarden.kernel.errors import InternalError
from medwarden.sensors.active.prober import Prober


@cache
def probers() -> dict[str, Prober]:
    """Return one of each prober by name, in the order of names.

    Raises InternalError where two share a name or a file is not called like its prober.
    """
    found: dict[str, Prober] = {}
    for module in pkgutil.iter_modules(medwarden.sensors.active.__path__, "medwarden.sensors.active."):
        made: type[Prober] | None = getattr(importlib.import_module(module.name), "PROBER", None)
        if made is None:
            continue
        name = made.manifest.name
        if name in found or not module.name.endswith(f".{name}"):
            raise InternalError(f"prober {module.name} calls itself {name!r}")
        found[name] = made()
    return dict(sorted(found.items()))
