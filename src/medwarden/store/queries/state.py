"""What the resolver of a site knew when it last stored something."""

from __future__ import annotations

from django.db.models import Count

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
from medwarden.store.models import Address, Device, EvidenceEntry, Interface, MergedDevice, Service

_MANY_VALUES = 32
"""From so many values of one field of a device on, the resolver must know them to keep within its bound."""


def load_state(site: str) -> InventoryDelta:
    """Return devices, interfaces, addresses, services and merges of ``site`` for ``Resolver.restore``.

    Of the ledger it holds the fields of which a device has many values.
    """
    return InventoryDelta(
        site=site,
        devices=tuple(
            DeviceChange(pk, site, KeyKind(kind), False, gateway, first, last, tuple(vlans))
            for pk, kind, gateway, first, last, vlans in Device.objects.filter(site_id=site)
            .order_by("pk")
            .values_list("pk", "kind", "gateway", "first_seen", "last_seen", "vlans")
        ),
        interfaces=tuple(
            InterfaceChange(*values)
            for values in Interface.objects.filter(site_id=site)
            .order_by("pk")
            .values_list("device_id", "mac", "randomised", "virtual", "first_seen", "last_seen")
        ),
        addresses=tuple(
            AddressChange(device, mac or None, ip, BindingSource(source), current, first, last)
            for device, mac, ip, source, current, first, last in Address.objects.filter(site_id=site)
            .order_by("pk")
            .values_list("device_id", "mac", "ip", "source", "current", "first_seen", "last_seen")
        ),
        ledger=_crowded(site),
        services=tuple(
            ServiceIncrement(*values)
            for values in Service.objects.filter(site_id=site)
            .order_by("pk")
            .values_list(
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
        ),
        merges=tuple(
            Merge(gone, kept, at_ns, reason)
            for gone, kept, at_ns, reason in MergedDevice.objects.filter(site_id=site)
            .order_by("pk")
            .values_list("gone", "kept", "at_ns", "reason")
        ),
    )


def _crowded(site: str) -> tuple[LedgerIncrement, ...]:
    rows = EvidenceEntry.objects.filter(site_id=site).order_by()
    crowded = rows.values_list("device_id", "field").annotate(n=Count("pk")).filter(n__gte=_MANY_VALUES)
    columns = ("device_id", "sensor", "source", "field", "value", "first_seen", "last_seen", "count")
    return tuple(
        LedgerIncrement(*values)
        for device, field, _ in crowded
        for values in rows.filter(device_id=device, field=field).values_list(*columns)
    )
