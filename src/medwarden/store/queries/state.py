"""What the resolver of a site knew when it last stored something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Count

from medwarden.inventory.flood import LISTED
from medwarden.model.inventory_delta import (
    AddressChange,
    BindingSource,
    DeviceChange,
    InterfaceChange,
    InventoryDelta,
    KeyKind,
    LedgerIncrement,
    Merge,
    ServiceIncrement,
)
from medwarden.store.models import (
    Address,
    Device,
    EvidenceEntry,
    Identity,
    IdentityAddress,
    IdentityEvidence,
    IdentityInterface,
    IdentityService,
    Interface,
    MergedDevice,
    Service,
)
from medwarden.store.models.identity import IdentityPart
from medwarden.store.models.inventory import DevicePart

_MANY_VALUES = 32
"""From so many values of one field of a device on, the resolver must know them to keep within its bound."""

_SERVICE = (
    "device_id",
    "transport",
    "port",
    "application",
    "first_seen",
    "last_seen",
    "clients",
    "flows",
    "bytes",
)
_SAID = ("sensor", "source", "field", "value", "first_seen", "last_seen", "count")


def load_state(site: str) -> InventoryDelta:
    """Return devices, interfaces, addresses, services and merges of ``site`` for ``Resolver.restore``.

    Of the ledger it holds the fields of which a device has many values, and who stands in a list. Of devices
    that are made of several identities it holds these, one by one, as the resolver knows them.
    """
    parts = Identity.objects.filter(site_id=site)
    made = set(parts.values_list("device", flat=True))
    devices = Device.objects.filter(site_id=site).exclude(pk__in=parts.values("device")).order_by("pk")
    columns = ("pk", "kind", "gateway", "first_seen", "last_seen", "vlans")
    rows = [*devices.values_list(*columns), *parts.order_by("pk").values_list(*columns)]
    return InventoryDelta(
        site=site,
        devices=tuple(
            DeviceChange(pk, site, KeyKind(kind), False, gateway, first, last, tuple(vlans))
            for pk, kind, gateway, first, last, vlans in rows
        ),
        interfaces=tuple(
            InterfaceChange(*values)
            for values in _both(
                (Interface, IdentityInterface),
                site,
                made,
                ("device_id", "mac", "randomised", "virtual", "first_seen", "last_seen"),
            )
        ),
        addresses=tuple(
            AddressChange(device, mac or None, ip, BindingSource(source), current, first, last)
            for device, mac, ip, source, current, first, last in _both(
                (Address, IdentityAddress),
                site,
                made,
                ("device_id", "mac", "ip", "source", "current", "first_seen", "last_seen"),
            )
        ),
        ledger=(
            *_crowded(EvidenceEntry, site, made),
            *_crowded(IdentityEvidence, site, set()),
            *_listed(EvidenceEntry, site, made),
            *_listed(IdentityEvidence, site, set()),
        ),
        services=tuple(
            ServiceIncrement(*values) for values in _both((Service, IdentityService), site, made, _SERVICE)
        ),
        merges=tuple(
            Merge(gone, kept, at_ns, reason)
            for gone, kept, at_ns, reason in MergedDevice.objects.filter(site_id=site)
            .order_by("pk")
            .values_list("gone", "kept", "at_ns", "reason")
        ),
    )


def _both(
    tables: tuple[type[DevicePart], type[IdentityPart]], site: str, made: set[str], columns: tuple[str, ...]
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of plain devices, then those of identities, which are kept apart."""
    plain, apart = tables
    for values in plain._default_manager.filter(site_id=site).order_by("pk").values_list(*columns):
        if values[0] not in made:
            yield values
    of_identity = ("device", *columns[1:])
    yield from apart._default_manager.filter(site_id=site).order_by("pk").values_list(*of_identity)


def _owner(table: type[EvidenceEntry | IdentityEvidence]) -> str:
    return "device_id" if table is EvidenceEntry else "device"


def _crowded(
    table: type[EvidenceEntry | IdentityEvidence], site: str, made: set[str]
) -> tuple[LedgerIncrement, ...]:
    owner = _owner(table)
    rows = table._default_manager.filter(site_id=site).order_by()
    crowded = rows.values_list(owner, "field").annotate(n=Count("pk")).filter(n__gte=_MANY_VALUES)
    return tuple(
        LedgerIncrement(*values)
        for device, field, _ in crowded
        if device not in made
        for values in rows.filter(**{owner: device}, field=field).values_list(owner, *_SAID)
    )


def _listed(
    table: type[EvidenceEntry | IdentityEvidence], site: str, made: set[str]
) -> tuple[LedgerIncrement, ...]:
    rows = table._default_manager.filter(site_id=site, field=LISTED).order_by()
    return tuple(
        LedgerIncrement(*values)
        for values in rows.values_list(_owner(table), *_SAID).iterator()
        if values[0] not in made
    )
