"""What the devices of a site are to each other, kept between rounds of judging.

Reading every device of a large site for one that changed would cost more than judging it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from django.db.models import QuerySet

from medwarden.kernel.clock import Clock, wall_clock
from medwarden.knowledge.end_of_support import support_ends
from medwarden.model.device import Device
from medwarden.risk.context import RiskContext, Surroundings
from medwarden.store.bulk import among
from medwarden.store.chain import folder_of_database
from medwarden.store.models import Device as Row
from medwarden.store.prepared import Prepared, one_of
from medwarden.store.queries.device import crowds, light_devices
from medwarden.store.queries.devices import last_decision, listed_otherwise
from medwarden.store.queries.filters import DeviceFilter, select
from medwarden.store.queries.scope import Scope

KEPT_S = 600.0
"""After so many seconds all devices are read again: names may have changed that another process gave."""

FEW = 500
"""Up to so many changed devices are brought up to date one by one."""


class _Kept(msgspec.Struct):
    """Surroundings, when they were read, and the last decision up to which they list who is there."""

    around: Surroundings
    read_at: float
    decision: int


_kept: dict[tuple[Path, str, str], _Kept] = {}


def surroundings(tenant: str, site: str, clock: Clock = wall_clock) -> RiskContext:
    """Return what the devices of a site are to each other, from the light rows of the inventory.

    Ends of support are judged by ``clock``: what an old capture showed is out of support today.
    """
    return _read(tenant, site).context(clock())


def surroundings_of(tenant: str, site: str, device: Device, clock: Clock = wall_clock) -> RiskContext:
    """Return what :func:`surroundings` does as far as one device has to do with it, without reading all.

    Subnets and VLANs are whole; of devices only ``device`` itself and those it speaks with are known.
    """
    around, listed = Surroundings(support_ends=support_ends), _listed(tenant, site).order_by()
    for stands, number in crowds(listed):
        around.count(stands, number)
    met = {device.id, *(each.peer_device for each in device.conversations if each.peer_device)}
    for each in light_devices(listed.filter(pk__in=among(met))):
        around.name(each)
    return around.context(clock())


def surroundings_with(
    tenant: str, site: str, devices: Sequence[Device], clock: Clock = wall_clock
) -> RiskContext:
    """Return the surroundings with ``devices``, all that were judged since they were last asked for.

    Everything is read where that was long ago, or where devices came or went otherwise.
    """
    folder = folder_of_database()
    if folder is None:
        return surroundings(tenant, site, clock)
    key = folder, tenant, site
    kept = _kept.get(key)
    if kept is not None and time.monotonic() - kept.read_at < KEPT_S and len(devices) <= FEW:
        decision = last_decision()
        _bring_up_to_date(kept.around, tenant, site, devices)
        if not listed_otherwise(kept.decision) or len(kept.around) == _listed(tenant, site).count():
            kept.decision = decision
            return kept.around.context(clock())
    for other in [other for other in _kept if other[0] != folder]:
        del _kept[other]  # one folder is open at a time
    decision = last_decision()
    _kept[key] = _Kept(_read(tenant, site), time.monotonic(), decision)
    return _kept[key].around.context(clock())


_LISTED = Prepared(
    lambda ids, tenant, site: Row.objects.filter(
        pk__in=one_of(ids), tenant_id=tenant, site_id=site, retired_at=None
    ),
    "pk",
)


def _bring_up_to_date(around: Surroundings, tenant: str, site: str, devices: Sequence[Device]) -> None:
    ids = [device.id for device in devices]
    listed = {device for (device,) in _LISTED(ids, tenant, site)}
    for device in devices:
        if device.id in listed:
            around.put(device)
        else:
            around.drop(device.id)


def _listed(tenant: str, site: str) -> QuerySet[Row]:
    return select(Scope(tenant, (site,)), DeviceFilter())


def _read(tenant: str, site: str) -> Surroundings:
    around = Surroundings(support_ends=support_ends)
    for device in light_devices(_listed(tenant, site).order_by()):
        around.put(device)
    return around
