"""Find every connector to a scanner, and one by its name."""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache

import medwarden.connectors.scanners
from medwarden.connectors.scanners.desk import ScannerConnector
from medwarden.kernel.errors import ConfigurationError, InternalError
from medwarden.model.scan import SCANNERS

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


@cache
def connectors() -> tuple[type[ScannerConnector], ...]:
    """Return the classes of all connectors by name. Raises InternalError when a manifest is wrong."""
    found: dict[str, type[ScannerConnector]] = {}
    for module_info in pkgutil.iter_modules(
        medwarden.connectors.scanners.__path__, "medwarden.connectors.scanners."
    ):
        module = importlib.import_module(module_info.name)
        connector: type[ScannerConnector] | None = getattr(module, "CONNECTOR", None)
        if connector is None:
            continue
        manifest = connector.manifest
        if not _NAME.match(manifest.name) or manifest.scanner not in SCANNERS or not manifest.reference:
            raise InternalError(f"the manifest of the connector {manifest.name!r} does not hold")
        if manifest.name in found:
            raise InternalError(f"two connectors are called {manifest.name!r}")
        found[manifest.name] = connector
    return tuple(found[name] for name in sorted(found))


def connector_named(name: str) -> type[ScannerConnector]:
    """Return a connector. Raises ConfigurationError where there is none of that name."""
    known = {connector.manifest.name: connector for connector in connectors()}
    if name not in known:
        raise ConfigurationError(
            f"no interface of a scanner {name[:40]!r} is known; there are: {', '.join(known)}"
        )
    return known[name]
