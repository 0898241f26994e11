"""Who fell silent: devices not heard for longer than their site allows, and from when silence counts."""

from __future__ import annotations

import msgspec

from medwarden.store.models import Device, Site
from medwarden.store.queries.scope import Scope
from medwarden.store.settings import setting

KEY = "retirement"
"""The setting of a site or tenant that holds its :class:`Retirement`."""

DAY_NS = 24 * 3600 * 1_000_000_000


class Retirement(msgspec.Struct, frozen=True):
    """After how many days of silence a device is said to be gone, and what is then done.

    ``automatic``: it is retired by the rule; otherwise a person is asked. ``randomised_days`` holds for
    devices whose every address is randomised: phones of visitors do not come back under it.
    """

    days: int = 90
    randomised_days: int = 14
    automatic: bool = False


class Silent(msgspec.Struct, frozen=True):
    """A device that was not heard for ``days`` while others of its site were."""

    id: str
    site: str
    name: str | None
    device_class: str
    category: str | None
    last_seen: int
    days: int
    randomised: bool


def retirement_of(tenant: str, site: str) -> Retirement:
    """Return what holds at a site: its own setting, the tenant's, or 90 days and a person's word."""
    return setting(KEY, Retirement(), tenant=tenant, site=site)


def silent_devices(scope: Scope) -> list[Silent]:
    """Return devices that are silent for so long that they are to be retired, the longest silent first.

    Silence is measured against the latest that was heard at the site, not against the clock: while a
    sensor is off nobody is silent.
    """
    found: list[Silent] = []
    sites = Site.objects.filter(tenant_id=scope.tenant)
    for site in sites if scope.sites is None else sites.filter(pk__in=scope.sites):
        rows = Device.objects.filter(tenant_id=scope.tenant, site_id=site.pk, retired_at=None)
        latest = rows.order_by("-last_seen").values_list("last_seen", flat=True).first()
        if latest is None:
            continue
        wanted = retirement_of(scope.tenant, site.pk)
        shortest = min(wanted.days, wanted.randomised_days)
        for row in rows.filter(last_seen__lt=latest - shortest * DAY_NS).order_by("last_seen", "pk"):
            randomised = bool(row.macs) and all(_randomised(mac) for mac in row.macs)
            days = (latest - row.last_seen) // DAY_NS
            if days >= (wanted.randomised_days if randomised else wanted.days):
                found.append(
                    Silent(
                        row.pk,
                        site.pk,
                        row.name,
                        row.device_class,
                        row.category,
                        row.last_seen,
                        days,
                        randomised,
                    )
                )
    return sorted(found, key=lambda silent: (-silent.days, silent.id))


def still_silent(device: Silent) -> bool:
    """Tell whether a device is in the lists and was not heard since it was found silent."""
    return Device.objects.filter(pk=device.id, retired_at=None, last_seen=device.last_seen).exists()


def _randomised(mac: str) -> bool:
    return bool(int(mac[:2], 16) & 2)
