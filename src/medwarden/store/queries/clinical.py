"""The registry of AE titles and HL7 applications, built from what the ledger holds of those protocols."""

from __future__ import annotations

import msgspec

from medwarden.inventory.batteries import BATTERY_FIELDS, Battery, batteries
from medwarden.inventory.clinical_peers import ClinicalPeers, registry_of
from medwarden.model.device import Device as ModelDevice
from medwarden.model.evidence import LedgerEntry
from medwarden.store.models import Device, EvidenceEntry
from medwarden.store.queries.device import to_model
from medwarden.store.queries.scope import Scope

_AT_ONCE = 400


def clinical_peers(scope: Scope) -> ClinicalPeers:
    """Return who answers to which clinical name in a scope, and the disputes over names."""
    spoken = EvidenceEntry.objects.filter(field__in=_NAMING).values("device_id")
    rows = scope.over(Device.objects.filter(retired_at__isnull=True, pk__in=spoken)).order_by("pk")
    return registry_of(_with_ledger(list(rows)))


_NAMING = (
    "dicom.ae_title",
    "dicom.called_ae_title",
    "dicom.move_destination",
    "hl7.sending_application",
    "hl7.receiving_application",
)


class BatteryRow(msgspec.Struct, frozen=True):
    """A battery with what the device it belongs to is called, and where that is."""

    battery: Battery
    label: str
    category: str | None
    location: str | None


def battery_levels(scope: Scope) -> list[BatteryRow]:
    """Return the last known state of every battery, the emptiest first."""
    told = EvidenceEntry.objects.filter(field__in=BATTERY_FIELDS).values("device_id")
    rows = scope.over(Device.objects.filter(retired_at__isnull=True, pk__in=told)).order_by("pk")
    shown = {
        pk: (site, name or pk, category, location)
        for pk, site, name, category, location in rows.values_list(
            "pk", "site_id", "name", "category", "location"
        )
    }
    ledgers: dict[str, list[LedgerEntry]] = {pk: [] for pk in shown}
    said = scope.over(EvidenceEntry.objects.filter(field__in=BATTERY_FIELDS))
    for device, *values in said.values_list("device_id", *LedgerEntry.__struct_fields__):
        if device in ledgers:
            ledgers[device].append(LedgerEntry(*values))
    # What a battery says stands in the ledger alone; the rest of the device is not loaded for it.
    found = batteries(ModelDevice(pk, shown[pk][0], ledger=tuple(said)) for pk, said in ledgers.items())
    return [BatteryRow(b, *shown[b.device][1:]) for b in found]


_CLINICAL = (("dicom.", "dicom/"), ("hl7.", "hl7/"))


def _with_ledger(rows: list[Device]) -> list[ModelDevice]:
    """Return devices with the part of their ledger that is of clinical protocols."""
    devices = []
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        ledgers: dict[str, list[LedgerEntry]] = {row.pk: [] for row in part}
        said = EvidenceEntry.objects.filter(device_id__in=list(ledgers))
        for low, high in _CLINICAL:
            entries = said.filter(field__gte=low, field__lt=high).order_by(
                "field", "value", "source", "sensor"
            )
            for device, *values in entries.values_list("device_id", *LedgerEntry.__struct_fields__):
                ledgers[device].append(LedgerEntry(*values))
        devices += [to_model(row, ledger=ledgers[row.pk]) for row in part]
    return devices
