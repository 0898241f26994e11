"""Identities: what medwarden concluded of a device, stored with its ballots, audited at every change."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from django.db.models import Exists, OuterRef

from medwarden.inventory.doubt import doubts, unsure_level
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.device import Device as ModelDevice
from medwarden.model.place import Place
from medwarden.store.bulk import insert_rows, update_rows
from medwarden.store.changes import Change
from medwarden.store.marking import due_at, mark, marked
from medwarden.store.models import Device, DeviceText, Identification, RiskScore
from medwarden.store.owed import owe_comparison
from medwarden.store.queries.filters import order_of
from medwarden.store.verdict_history import note_changes

LABELS = (
    "device_class",
    "category",
    "vendor",
    "model",
    "os",
    "os_version",
    "firmware",
    "serial",
    "managed",
    "phi",
)
"""Concluded fields whose changes are audited, the department beside them."""

_SEARCHED = (
    "dicom.ae_title",
    "dicom.station_name",
    "hl7.sending_application",
    "hl7.sending_facility",
    "snmp.sys_name",
    "bacnet.object_name",
    "lldp.system_name",
    "cdp.device_id",
)
"""Evidence fields that text search looks through beside names, addresses and labels."""

_PLAIN = ("names", "vlans", "location", "place", "subnet")
_KEPT = ("name", "address_order", "confidence", "unsure", "doubts", "stale")
_AT_ONCE = 400


def record_identities(
    change: Change, devices: Sequence[ModelDevice], marks: Mapping[str, int] | None = None
) -> None:
    """Store what was concluded of devices (labels, names, verdicts) and mark them as assessed.

    ``marks`` is how often each was marked before it was read for this: one that was marked since, because
    more was heard or said of it, stays marked and is judged once more. Without it none is.
    ``change.rule_version`` is the model version. Addresses are the inventory's own rows and are not
    taken from here. Devices that are gone (merged) are left out.
    """
    for start in range(0, len(devices), _AT_ONCE):
        _record(change, devices[start : start + _AT_ONCE], marks)


def mark_outdated(labels_version: str, rules_version: str) -> int:
    """Mark devices that other labels or other risk rules judged as to be judged anew; return how many.

    Those that other rules scored are scored, not identified, anew. Judged anew are those too that a process
    identified and was killed before it assessed them.
    What was heard of them is kept, so that better rules need no capture to be read again.
    """
    current = RiskScore.objects.filter(device_id=OuterRef("pk"), current=True)
    labelled = Identification.objects.filter(device_id=OuterRef("pk"))
    outdated = Exists(labelled.exclude(model_version=labels_version)) | ~Exists(current)
    fresh = Device.objects.filter(stale=False, retired_at=None)
    scored = fresh.filter(Exists(current.exclude(rules_version=rules_version)), score_due_ns=None)
    return fresh.filter(outdated).update(**marked()) + scored.filter(stale=False).update(
        **due_at(wall_clock())
    )


def _record(change: Change, devices: Sequence[ModelDevice], marks: Mapping[str, int] | None) -> None:
    rows = {row.pk: row for row in Device.objects.filter(pk__in=[d.id for d in devices])}
    known = [(rows[d.id], d) for d in devices if d.id in rows]
    for row, device in known:
        before, after = _labels(row), _labels(device)
        before["department"], after["department"] = _department(row), _department(device)
        changed = [name for name in (*LABELS, "department") if before[name] != after[name]]
        if changed:
            change.record(
                "device.identified",
                f"device:{row.pk}",
                {name: before[name] for name in changed},
                {name: after[name] for name in changed},
                site=row.site_id,
            )
        for name in LABELS:
            setattr(row, name, after[name])
        row.names, row.vlans = list(device.names), sorted({*row.vlans, *device.vlans})
        row.location, row.subnet = device.location, device.subnet
        row.place = None if device.place is None else msgspec.to_builtins(device.place)
        row.name = device.label[:512]
        row.address_order = _order(row.ips)
        row.confidence = {v.level: round(v.confidence, 4) for v in device.verdicts if v.label is not None}
        row.unsure, row.doubts = unsure_level(device), _between_blanks(doubts(device))
        row.stale = marks is not None and row.marks != marks.get(row.pk)
    update_rows([row for row, _ in known], [*LABELS, *_PLAIN, *_KEPT])
    note_changes(change, known)
    _verdicts(change, known)
    _texts(known)


def _labels(of: Device | ModelDevice) -> dict[str, str | bool | None]:
    labels: dict[str, str | bool | None] = {}
    for name in LABELS:
        value = getattr(of, name)
        labels[name] = value if value is None or isinstance(value, bool) else str(value)[:200]
    return labels


def _department(of: Device | ModelDevice) -> str | None:
    """Return where a device is by department, which groups of risk as of a date are read from."""
    place = msgspec.convert(of.place, Place) if isinstance(of, Device) and of.place is not None else of.place
    return None if place is None else place.department


def _between_blanks(words: Sequence[str]) -> str:
    """Return words so that each can be found with a blank on both sides."""
    return "".join(f" {word}" for word in words) + " " if words else ""


def _order(ips: Iterable[str]) -> str | None:
    orders = sorted(order_of(ipaddress.ip_address(ip)) for ip in ips)
    return orders[0] if orders else None


def _verdicts(change: Change, known: Sequence[tuple[Device, ModelDevice]]) -> None:
    insert_rows(
        [
            Identification(
                tenant_id=row.tenant_id,
                site_id=row.site_id,
                device_id=row.pk,
                verdicts=msgspec.to_builtins(device.verdicts),
                model_version=change.rule_version,
                updated_ns=change.now_ns,
            )
            for row, device in known
        ],
        unique="device",
        update=["verdicts", "model_version", "updated_ns"],
    )


def search_text(row: Device, device: ModelDevice) -> str:
    """Return what text search finds a device by, in lower case, one thing a line."""
    things = [row.pk, *row.macs, *row.ips, *device.names]
    things += [value for value in (device.vendor, device.model, device.serial, device.os) if value]
    things += [entry.value for entry in device.ledger if entry.field in _SEARCHED]
    things += [value for value in (device.category, device.location) if value]
    return "\n".join(dict.fromkeys(thing.lower() for thing in things))


def _texts(known: Sequence[tuple[Device, ModelDevice]]) -> None:
    stored = dict(
        DeviceText.objects.filter(device__in=[row for row, _ in known]).values_list("device_id", "text")
    )
    fresh = [(row, search_text(row, device)) for row, device in known]
    insert_rows(
        [
            DeviceText(tenant_id=row.tenant_id, site_id=row.site_id, device_id=row.pk, text=text)
            for row, text in fresh
            if stored.get(row.pk) != text
        ],
        unique="device",
        update=["text"],
    )


def retire(change: Change, device_id: str) -> None:
    """Take a device out of the lists; the change's reason says why. It keeps its history.

    Raises ConfigurationError where there is no such device or it is retired already.
    """
    row = _one(change, device_id)
    if row.retired_at is not None:
        raise ConfigurationError(f"{row.name or row.pk} is retired already")
    row.retired_at = change.now_ns
    row.save(update_fields=["retired_at"])
    owe_comparison(change, row.site_id)
    change.record("device.retired", f"device:{row.pk}", None, {"retired_at": change.now_ns}, site=row.site_id)


def restore_device(change: Change, device_id: str) -> None:
    """Take a retired device back into the lists. Raises ConfigurationError where it is not retired."""
    row = _one(change, device_id)
    if row.retired_at is None:
        raise ConfigurationError(f"{row.name or row.pk} is not retired")
    before, row.retired_at = row.retired_at, None
    row.save(update_fields=["retired_at"])
    mark([row.pk])
    change.record("device.restored", f"device:{row.pk}", {"retired_at": before}, None, site=row.site_id)


def _one(change: Change, device_id: str) -> Device:
    row = Device.objects.filter(tenant_id=change.tenant, pk=device_id).first()
    if row is None:
        raise ConfigurationError(f"there is no device {device_id[:40]!r}")
    return row
