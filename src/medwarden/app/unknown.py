"""The queue of devices nobody could name, gathered so that one answer labels many.

These functions work on a store that is open already, as the console has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from medwarden.inventory.clusters import LEVELS, SURE, Cluster, clusters, subject_of
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.device import Device

if TYPE_CHECKING:
    from medwarden.store.queries.scope import Page, Scope

ANSWERED_LEVELS = ("class", "category", "vendor", "model", "os", "os_version", "firmware", "serial")
"""Levels a person may answer."""

_AT_ONCE = 400


def unknown_queue(
    scope: Scope,
    *,
    levels: Sequence[str] = LEVELS,
    sure: float = SURE,
    offset: int = 0,
    limit: int = 50,
) -> Page[Cluster]:
    """Return clusters of devices that are open at one of ``levels``, those first whose answer labels most."""
    from medwarden.store.queries.scope import Page, bounds

    found = all_clusters(scope, levels=levels, sure=sure)
    start, size = bounds(offset, limit)
    return Page(tuple(found[start : start + size]), len(found), start, size)


def all_clusters(scope: Scope, *, levels: Sequence[str] = LEVELS, sure: float = SURE) -> list[Cluster]:
    """Return the whole queue. Raises ConfigurationError for a level that has no answers."""
    from medwarden.store.models import Device as Row

    for level in levels:
        if level not in ANSWERED_LEVELS:
            raise ConfigurationError(f"{level!r} is no level: there are {', '.join(ANSWERED_LEVELS)}")
    names = dict(scope.over(Row.objects.all()).values_list("id", "name"))
    peers = {device: name for device, name in names.items() if name}
    return clusters(
        subject
        for device in each_device(_open_ids(scope, levels, sure))
        if (subject := subject_of(device, levels, sure, peers)) is not None
    )


def _open_ids(scope: Scope, levels: Sequence[str], sure: float) -> list[str]:
    from medwarden.store.models import Device as Row

    rows = scope.over(Row.objects.filter(retired_at=None)).order_by("id").values_list("id", "confidence")
    return [key for key, confidence in rows if any(confidence.get(level, 0.0) < sure for level in levels)]


def each_device(ids: Sequence[str]) -> Iterable[Device]:
    """Yield stored devices complete, some hundred at a time; ids that are gone are left out."""
    from medwarden.store.queries import complete_devices

    for start in range(0, len(ids), _AT_ONCE):
        yield from complete_devices(ids[start : start + _AT_ONCE])


def devices_meant(scope: Scope, target: str | Sequence[str]) -> tuple[list[Device], str]:
    """Return the devices that are meant and the id of the cluster they are, '' where they are none.

    ``target`` is a cluster of the queue or devices by id, MAC or IP address. Raises ConfigurationError
    where there is no such cluster (any more) or device.
    """
    from medwarden.store import queries

    named = [target] if isinstance(target, str) else list(target)
    if len(named) == 1 and named[0].startswith("u-"):
        cluster = next((c for c in all_clusters(scope) if c.id == named[0]), None)
        if cluster is None:
            raise ConfigurationError(
                f"the queue has no {named[0][:40]!r} now: its devices were answered, or say something else"
            )
        return list(each_device(cluster.devices)), cluster.id
    found: dict[str, Device] = {}
    for name in named:
        device = queries.device(scope, name)
        if device is None:
            page = queries.devices(scope, queries.DeviceFilter(text=name), limit=2)
            if page.total != 1:
                raise ConfigurationError(f"{page.total or 'no'} devices are called {name[:80]!r}")
            device = queries.complete_devices([page.items[0].id])[0]
        found[device.id] = device
    if not found:
        raise ConfigurationError("name a cluster of the queue or a device")
    return list(found.values()), ""
