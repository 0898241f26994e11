"""A holiday: offices and planned imaging rest, wards do not."""

from __future__ import annotations

from medwarden.simulation.ends import HOUR
from medwarden.simulation.incidents.staging import Incident, Staging


def _prepare(staging: Staging) -> None:
    staging.start, staging.end = staging.hospital.start, staging.hospital.stop
    first, last = staging.start // (24 * HOUR), staging.end // (24 * HOUR)
    staging.site.day.holidays |= set(range(first, last + 1))


INCIDENT = Incident("holiday", "A public holiday", True, _prepare)
