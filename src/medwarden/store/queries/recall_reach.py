"""Which devices a few notices may mean, without reading what is known of every one of them."""

from __future__ import annotations

from collections.abc import Callable, Collection

from medwarden.store.bulk import among
from medwarden.store.models import BookMatch, Device, RecallFacts, RecallVerdict
from medwarden.store.recalls import notice_id
from medwarden.store.statements import HELD


def devices_in_reach(
    tenant: str, site: str, numbers: Collection[str], means: Callable[[str, str], bool]
) -> list[str]:
    """Return the devices of a site that notices with these numbers may mean, in order.

    ``means`` tells of a maker and a model whether one of the notices may mean it. What else is compared of a
    device (lot, serial, firmware, dates) only narrows down. Beside the devices of such makers and models
    these are those of which a book says anything, those never compared, and those that have a verdict.
    """
    rows = Device.objects.filter(tenant_id=tenant, site_id=site, retired_at=None)
    made = rows.exclude(vendor=None).exclude(model=None).values_list("vendor", "model").distinct()
    meant = [(vendor, model) for vendor, model in made if vendor and model and means(vendor, model)]
    found: set[str] = set()
    for vendor, model in meant:
        alike = Device.objects.filter(tenant_id=tenant, vendor=vendor, model=model)  # by their own index
        columns = alike.values_list("pk", "site_id", "retired_at")
        found.update(key for key, place, retired in columns if place == site and retired is None)
    if RecallFacts.objects.count() < Device.objects.count():
        unknown = Device.objects.exclude(pk__in=RecallFacts.objects.values("device"))
        never = among(unknown.values_list("pk", flat=True))
        found.update(rows.filter(pk__in=never).values_list("pk", flat=True))
    booked = BookMatch.objects.filter(tenant_id=tenant, site_id=site, state__in=HELD)
    found.update(booked.values_list("device_id", flat=True))
    judged = RecallVerdict.objects.filter(
        notice_id__in=among(notice_id(tenant, number) for number in numbers), site_id=site, until_ns=None
    )
    found.update(judged.values_list("device_id", flat=True))
    return sorted(found)
