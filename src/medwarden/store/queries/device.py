"""One device, complete: identity with all evidence, services, conversations, risk, findings, activity."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from django.db.models import Count, Max, Min, QuerySet, Sum, TextField
from django.db.models.functions import Cast

from medwarden.inventory.book import MOST_CONVERSATIONS
from medwarden.model.device import Conversation, DeviceClass, Service, Verdict
from medwarden.model.device import Device as ModelDevice
from medwarden.model.evidence import LedgerEntry
from medwarden.model.place import Place
from medwarden.model.statement import Statement
from medwarden.store import models
from medwarden.store.models import (
    ActivityHour,
    Device,
    EvidenceEntry,
    Identification,
    Identity,
    MergedDevice,
)
from medwarden.store.prepared import Prepared, one_of
from medwarden.store.queries.scope import Page, Scope, bounds
from medwarden.store.statements import statements_of

_PARTS_AT_ONCE = 400
_VERDICTS = msgspec.json.Decoder(tuple[Verdict, ...])


class HourOfActivity(msgspec.Struct, frozen=True):
    """Traffic of one clock hour; ``hour`` is its start in nanoseconds."""

    hour: int
    flows: int
    packets: int
    bytes_sent: int
    bytes_received: int


class AddressHeld(msgspec.Struct, frozen=True):
    """An address a device has or had on an interface."""

    ip: str
    mac: str | None
    source: str
    current: bool
    first_seen: int
    last_seen: int


def find_device(scope: Scope, device_id: str) -> Device | None:
    """Return the row of a device, following merged ids to the device that remained."""
    rows = scope.over(Device.objects.all())
    row = rows.filter(pk=device_id).first()
    if row is None:
        merged = scope.over(MergedDevice.objects.all()).filter(gone=device_id).first()
        identity = device_id if merged is None else merged.kept
        part = scope.over(Identity.objects.all()).filter(pk=identity).first()
        row = rows.filter(pk=identity if part is None else part.device).first()
    return row


def ids_over_time(scope: Scope, device_id: str) -> list[str]:
    """Return the id of a device, its identities and those merged into them, as the lake may know it."""
    parts = scope.over(Identity.objects.all()).filter(device=device_id).order_by("pk")
    identities = list(dict.fromkeys([device_id, *parts.values_list("pk", flat=True)]))
    merged = scope.over(MergedDevice.objects.all()).filter(kept__in=identities).order_by("gone")
    return [*identities, *merged.values_list("gone", flat=True)]


def device(scope: Scope, device_id: str) -> ModelDevice | None:
    """Return a device with its verdicts, ledger, services and conversations, or None."""
    row = find_device(scope, device_id)
    return None if row is None else complete_devices([row.pk])[0]


def complete_devices(ids: Sequence[str]) -> list[ModelDevice]:
    """Return devices complete, as engines take them; ids that are gone are left out."""
    found: list[ModelDevice] = []
    for start in range(0, len(ids), _PARTS_AT_ONCE):
        found.extend(_complete(ids[start : start + _PARTS_AT_ONCE]))
    return found


_VERDICTS_OF = Prepared(
    lambda ids: Identification.objects.filter(device_id__in=one_of(ids)).annotate(
        text=Cast("verdicts", TextField())  # decoded once, into what it becomes
    ),
    "device_id",
    "text",
)


def verdicts_of(ids: Sequence[str]) -> dict[str, tuple[Verdict, ...]]:
    """Return the verdicts of devices by their ids; one that was not identified yet has none."""
    return {device_id: _VERDICTS.decode(stored) for device_id, stored in _VERDICTS_OF(ids)}


def _complete(ids: Sequence[str]) -> list[ModelDevice]:
    verdicts = verdicts_of(ids)
    ledger, services, conversations = _ledger(ids), _services(ids), _conversations(ids)
    said = statements_of(ids)
    return [
        msgspec.structs.replace(
            device,
            verdicts=verdicts.get(device.id, ()),
            ledger=tuple(ledger[device.id]),
            services=tuple(services[device.id]),
            conversations=tuple(conversations[device.id]),
            statements=said.get(device.id, ()),
        )
        for device in map(_light, _LIGHT_OF(ids))
    ]


_TEXTS = msgspec.json.Decoder(tuple[str, ...])
_NUMBERS = msgspec.json.Decoder(tuple[int, ...])
_PLACE = msgspec.json.Decoder(Place | None)
_AS_TEXT = {f"{name}_text": Cast(name, TextField()) for name in ("macs", "ips", "vlans", "names", "place")}
"""JSON as it is stored, decoded once into what it becomes."""
_PLAIN = (
    "category", "vendor", "model", "os", "os_version", "firmware", "serial", "managed", "location", "subnet",
    "phi", "first_seen", "last_seen",
)  # fmt: skip


_LIGHT = ("pk", "site_id", "device_class", *_AS_TEXT, *_PLAIN)
_LIGHT_OF = Prepared(
    lambda ids: Device.objects.filter(pk__in=one_of(ids)).annotate(**_AS_TEXT).order_by("pk"), *_LIGHT
)


def light_devices(rows: QuerySet[Device]) -> Iterator[ModelDevice]:
    """Yield devices with what their rows say, without evidence, services and conversations."""
    return map(_light, rows.annotate(**_AS_TEXT).values_list(*_LIGHT).iterator())


def crowds(rows: QuerySet[Device]) -> Iterator[tuple[ModelDevice, int]]:
    """Yield where devices stand, and as what: a device without a name for each such place, and how many."""
    columns = "site_id", "subnet", "vlans_text", "device_class", "category"
    grouped = rows.order_by().annotate(vlans_text=_AS_TEXT["vlans_text"]).values_list(*columns)
    for site, subnet, vlans, kind, category, number in grouped.annotate(number=Count("pk")).iterator():
        at = ModelDevice(
            "", site, vlans=_NUMBERS.decode(vlans), device_class=DeviceClass(kind), category=category,
            subnet=subnet,
        )  # fmt: skip
        yield at, number


def _light(values: Sequence[Any]) -> ModelDevice:
    key, site, kind, macs, ips, vlans, names, place, *plain = values
    return ModelDevice(
        key,
        site,
        _TEXTS.decode(macs),
        _TEXTS.decode(ips),
        _NUMBERS.decode(vlans),
        _TEXTS.decode(names),
        DeviceClass(kind),
        place=_PLACE.decode(place) if place is not None else None,
        **dict(zip(_PLAIN, plain, strict=True)),
    )


def to_model(
    row: Device,
    verdicts: Iterable[Verdict] = (),
    ledger: Iterable[LedgerEntry] = (),
    services: Iterable[Service] = (),
    conversations: Iterable[Conversation] = (),
    statements: Iterable[Statement] = (),
) -> ModelDevice:
    """Return a stored device as the model's, with the parts that were loaded for it."""
    return ModelDevice(
        id=row.pk,
        site=row.site_id,
        macs=tuple(row.macs),
        ips=tuple(row.ips),
        vlans=tuple(row.vlans),
        names=tuple(row.names),
        device_class=DeviceClass(row.device_class),
        category=row.category,
        vendor=row.vendor,
        model=row.model,
        os=row.os,
        os_version=row.os_version,
        firmware=row.firmware,
        serial=row.serial,
        managed=row.managed,
        location=row.location,
        subnet=row.subnet,
        phi=row.phi,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        verdicts=tuple(verdicts),
        ledger=tuple(ledger),
        services=tuple(services),
        conversations=tuple(conversations),
        place=None if row.place is None else msgspec.convert(row.place, Place),
        statements=tuple(statements),
    )


_LEDGER = Prepared(
    lambda ids: EvidenceEntry.objects.filter(device_id__in=one_of(ids)).order_by(
        "device_id", "field", "first_seen", "value"
    ),
    "device_id",
    *LedgerEntry.__struct_fields__,
)
_SERVICES = Prepared(
    lambda ids: models.Service.objects.filter(device_id__in=one_of(ids)).order_by(
        "device_id", "transport", "port"
    ),
    "device_id",
    *Service.__struct_fields__,
)
_CONVERSATION = tuple("device_id" if f == "device" else f for f in Conversation.__struct_fields__)
_CONVERSATIONS = Prepared(
    lambda ids: models.Conversation.objects.filter(device_id__in=one_of(ids)).order_by(
        "device_id", "-last_seen", "role", "peer_device", "peer_ip", "transport", "port"
    ),
    *_CONVERSATION,
)


def _ledger(ids: Sequence[str]) -> defaultdict[str, list[LedgerEntry]]:
    found: defaultdict[str, list[LedgerEntry]] = defaultdict(list)
    for device_id, *values in _LEDGER(ids):
        found[device_id].append(LedgerEntry(*values))
    return found


def _services(ids: Sequence[str]) -> defaultdict[str, list[Service]]:
    found: defaultdict[str, list[Service]] = defaultdict(list)
    for device_id, *values in _SERVICES(ids):
        found[device_id].append(Service(*values))
    return found


def _conversation(values: Sequence[Any]) -> Conversation:
    device, role, peer, peer_ip, *others = values
    return Conversation(device, role, peer or None, peer_ip or None, *others)


def _conversations(ids: Sequence[str]) -> defaultdict[str, list[Conversation]]:
    found: defaultdict[str, list[Conversation]] = defaultdict(list)
    for values in _CONVERSATIONS(ids):
        of_device = found[values[0]]
        if len(of_device) < MOST_CONVERSATIONS:
            of_device.append(_conversation(values))
    return found


def conversations(scope: Scope, device_id: str, *, offset: int = 0, limit: int = 50) -> Page[Conversation]:
    """Return a page of the conversations of a device, largest volume first."""
    offset, limit = bounds(offset, limit)
    rows = scope.over(models.Conversation.objects.all()).filter(device_id=device_id)
    ordered = rows.extra(select={"volume": "bytes_sent + bytes_received"}).order_by("-volume", "pk")
    chosen = ordered.values_list(*_CONVERSATION)[offset : offset + limit]
    return Page(tuple(_conversation(values) for values in chosen), rows.count(), offset, limit)


def peer_counts(ids: Sequence[str]) -> dict[str, int]:
    """Return how many distinct peers each device talked with."""
    rows = models.Conversation.objects.filter(device_id__in=ids).exclude(scope__in=("multicast", "broadcast"))
    counted = rows.values("device_id", "peer_device", "peer_ip").distinct()
    totals: dict[str, int] = {}
    for row in counted:
        totals[row["device_id"]] = totals.get(row["device_id"], 0) + 1
    return totals


def addresses(scope: Scope, device_id: str) -> list[AddressHeld]:
    """Return the addresses a device has and had, the latest first."""
    rows = scope.over(models.Address.objects.all()).filter(device_id=device_id).order_by("-last_seen", "ip")
    values = rows.values_list("ip", "mac", "source", "current", "first_seen", "last_seen")
    return [
        AddressHeld(ip, mac or None, source, current, first, last)
        for ip, mac, source, current, first, last in values
    ]


def activity(
    scope: Scope, device_id: str | None = None, *, since: int = 0, until: int | None = None
) -> list[HourOfActivity]:
    """Return traffic by clock hour of one device, or of all in scope, oldest first."""
    rows = scope.over(ActivityHour.objects.all()).filter(hour__gte=since)
    if until is not None:
        rows = rows.filter(hour__lt=until)
    if device_id is not None:
        rows = rows.filter(device_id=device_id)
    sums = rows.values("hour").annotate(
        f=Sum("flows"), p=Sum("packets"), s=Sum("bytes_sent"), r=Sum("bytes_received")
    )
    return [HourOfActivity(x["hour"], x["f"], x["p"], x["s"], x["r"]) for x in sums.order_by("hour")]


def applications(ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the application protocols each device was heard to speak, sorted."""
    found: dict[str, set[str]] = {}
    for table in (models.Conversation, models.Service):
        rows = table.objects.filter(device_id__in=ids, application__isnull=False)
        for device_id, name in rows.values_list("device_id", "application").distinct():
            if name is not None:
                found.setdefault(device_id, set()).add(name)
    return {device_id: sorted(names) for device_id, names in found.items()}


def evidence_fields(scope: Scope) -> list[tuple[str, int, int, int]]:
    """Return (evidence field, devices that said it, first seen, last seen), most common first."""
    rows = (
        scope.over(EvidenceEntry.objects.all())
        .values("field")
        .annotate(n=Count("device_id", distinct=True), first=Min("first_seen"), last=Max("last_seen"))
        .order_by("-n", "field")
    )
    return [(row["field"], row["n"], row["first"], row["last"]) for row in rows]
