"""What goes wrong, and what only looks wrong: one file each, found by name."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from medwarden.kernel.errors import ConfigurationError
from medwarden.simulation.hospital import Hospital
from medwarden.simulation.incidents.staging import Incident, Staging


@cache
def incidents() -> dict[str, Incident]:
    """Return all incidents and benign changes by name."""
    found: dict[str, Incident] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        incident = getattr(importlib.import_module(f"{__name__}.{module}"), "INCIDENT", None)
        if isinstance(incident, Incident):
            found[incident.name] = incident
    return found


def stage(hospital: Hospital, names: tuple[str, ...]) -> None:
    """Let incidents happen at the first site; raises ConfigurationError for a name that there is not."""
    for name in names:
        if name not in incidents():
            raise ConfigurationError(f"there is no incident {name!r}; there are {', '.join(incidents())}")
    site = hospital.sites[0]
    for name in names:
        incident = incidents()[name]
        staging = Staging(hospital, site, incident)
        play = incident.prepare(staging)
        site.incidents.append(staging.record())
        if play is not None:
            site.plays.append(play)
