"""Sensors and inputs with their accounting."""

from __future__ import annotations

import msgspec

from medwarden.model.accounting import InputReport, PacketCount
from medwarden.store.models import InputLedger, Sensor
from medwarden.store.queries.scope import Page, Scope, bounds


class Sender(msgspec.Struct, frozen=True):
    """One that sends to a listener: what it sends, when last, how much, and what never arrived."""

    sender: str
    format: str
    last_ns: int
    bytes: int
    records: PacketCount
    missing: int


class SensorRow(msgspec.Struct, frozen=True):
    """A sensor with its running totals; ``heartbeat_ns`` is when it last reported.

    ``repeated`` records were told before, ``missing`` ones never arrived, ``lag_s`` is how far the last
    record was behind when it came (None where that cannot be said).
    """

    id: str
    site: str
    kind: str
    name: str
    packets: PacketCount
    records: PacketCount
    inputs: int
    first_seen: int
    heartbeat_ns: int
    repeated: int = 0
    missing: int = 0
    lag_s: float | None = None
    senders: tuple[Sender, ...] = ()


class InputRow(msgspec.Struct, frozen=True):
    """One input and what became of it; ``status`` is reading, complete or failed."""

    id: int
    site: str
    sensor: str
    path: str
    format: str
    status: str
    batches: int
    report: InputReport
    error: str | None
    times_seen: int
    first_ns: int
    last_ns: int


def sensors(scope: Scope) -> list[SensorRow]:
    """Return all sensors of the scope, the one heard last first."""
    rows = []
    for sensor in scope.over(Sensor.objects.all()).order_by("-heartbeat_ns", "id"):
        packets, records, count, repeated, missing = PacketCount(), PacketCount(), 0, 0, 0
        for stored in InputLedger.objects.filter(sensor=sensor).values_list("report", flat=True):
            report = msgspec.convert(stored, InputReport)
            _add(packets, report.packets)
            _add(records, report.records)
            repeated, missing = repeated + report.repeated, missing + report.missing
            count += 1
        lag = sensor.counters.get("lag_s")
        rows.append(
            SensorRow(
                id=sensor.pk,
                site=sensor.site_id,
                kind=sensor.kind,
                name=sensor.name,
                packets=packets,
                records=records,
                inputs=count,
                first_seen=sensor.first_seen,
                heartbeat_ns=sensor.heartbeat_ns,
                repeated=repeated,
                missing=missing,
                lag_s=lag if isinstance(lag, int | float) else None,
                senders=msgspec.convert(sensor.counters.get("senders", []), tuple[Sender, ...]),
            )
        )
    return rows


def _add(total: PacketCount, part: PacketCount) -> None:
    total.read += part.read
    total.parsed += part.parsed
    total.rejected += part.rejected
    total.dropped += part.dropped


def inputs(scope: Scope, *, offset: int = 0, limit: int = 50, status: str = "") -> Page[InputRow]:
    """Return a page of inputs, the latest first."""
    offset, limit = bounds(offset, limit)
    rows = scope.over(InputLedger.objects.all())
    if status:
        rows = rows.filter(status=status)
    chosen = rows.order_by("-last_ns", "-pk")[offset : offset + limit]
    items = tuple(
        InputRow(
            id=row.pk,
            site=row.site_id,
            sensor=row.sensor_id,
            path=row.path,
            format=row.format,
            status=row.status,
            batches=row.next_batch,
            report=msgspec.convert(row.report, InputReport),
            error=row.error,
            times_seen=row.times_seen,
            first_ns=row.first_ns,
            last_ns=row.last_ns,
        )
        for row in chosen
    )
    return Page(items, rows.count(), offset, limit)


def live_interfaces(scope: Scope, site: str) -> list[str]:
    """Return the interfaces at which sensors of a site listen now, by name.

    A process that hears part of an interface enters it as ``eth1 (2 of 4)``.
    """
    rows = scope.over(InputLedger.objects.filter(site_id=site, format="live", status="reading"))
    return sorted({path.partition(" (")[0] for path in rows.values_list("path", flat=True)})


def forms_read(scope: Scope) -> list[InputReport]:
    """Return one report for each form of input that was ever read, with its counts summed up.

    What came to a listener counts under the forms that its senders' records turned out to have.
    """
    sums: dict[str, InputReport] = {}
    rows = scope.over(InputLedger.objects.all()).order_by("pk")
    for form, content, stored, counters in rows.values_list(
        "format", "content", "report", "sensor__counters"
    ).iterator():
        report = msgspec.convert(stored, InputReport)
        heard = [report.format or form]
        if content.startswith("listener:"):
            heard = sorted({str(sender["format"]) for sender in counters.get("senders", [])} - {""})
        for name in heard:
            known = sums.setdefault(name, InputReport("", name))
            _add(known.packets, report.packets)
            _add(known.records, report.records)
    return list(sums.values())
