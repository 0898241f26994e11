"""The registry of AE titles and HL7 applications, built from what the ledger holds of those protocols."""

from __future__ import annotations

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


def _with_ledger(rows: list[Device]) -> list[ModelDevice]:
    devices = []
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        ledgers: dict[str, list[LedgerEntry]] = {row.pk: [] for row in part}
        said = EvidenceEntry.objects.filter(device_id__in=list(ledgers))
        for low, high in (("dicom.", "dicom/"), ("hl7.", "hl7/")):
            entries = said.filter(field__gte=low, field__lt=high).order_by(
                "field", "value", "source", "sensor"
            )
            for device, *values in entries.values_list("device_id", *LedgerEntry.__struct_fields__):
                ledgers[device].append(LedgerEntry(*values))
        devices += [to_model(row, ledger=ledgers[row.pk]) for row in part]
    return devices
