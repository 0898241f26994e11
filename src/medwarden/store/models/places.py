"""The hospital's own plan: which port, access point, station or subnet is in which room."""

from __future__ import annotations

from django.db import models
from django.db.models import UniqueConstraint

from medwarden.store.models.tenancy import Scoped


class FloorPlanRow(Scoped):
    """One row of a site's plan (model ``PlanRow``); a missing part of the place is the empty string.

    ``line`` is where it stood in the imported table, 0 where that is not known.
    """

    kind = models.CharField(max_length=16)
    key = models.CharField(max_length=420)
    building = models.CharField(max_length=200, blank=True)
    floor = models.CharField(max_length=200, blank=True)
    room = models.CharField(max_length=200, blank=True)
    department = models.CharField(max_length=200, blank=True)
    line = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [UniqueConstraint(fields=["site", "kind", "key"], name="floor_plan_key")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
