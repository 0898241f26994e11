"""A new modality of a model that the site already has."""

from __future__ import annotations

from medwarden.simulation.incidents.staging import Incident, Staging


def _prepare(staging: Staging) -> None:
    known = staging.any_of("ultrasound", "xray_mobile", "xray_fixed", "ct")[0]
    device = staging.newcomer(known.model)
    device.ae_title = staging.site.naming.ae_title(device.category, device.model.name, 77)
    staging.actors = [device]


INCIDENT = Incident("new_modality_known", "A new modality of a known model", True, _prepare)
