"""A new modality of a kind the site has never had."""

from __future__ import annotations

from medwarden.simulation.catalogue import models
from medwarden.simulation.incidents.staging import Incident, Staging


def _prepare(staging: Staging) -> None:
    present = {device.model.name for device in staging.site.devices}
    kinds = ("ct", "mri", "ultrasound", "mammography", "pet")
    unknown = [model for kind in kinds for model in models()[kind] if model.name not in present]
    device = staging.newcomer(staging.rng.choice(unknown or list(models()["ct"])))
    staging.actors = [device]


INCIDENT = Incident("new_modality_unknown", "A new modality of an unknown model", True, _prepare)
