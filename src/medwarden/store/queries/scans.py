"""Reports of scanners: lists of them and their hosts, and what scanners see on devices now or at a date."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec
from django.db.models import Q, QuerySet

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.scan import ScanOutcome
from medwarden.risk.matching.seen_by import Seen
from medwarden.store.models import Device, Scan, ScanHost, ScannerSighting
from medwarden.store.prepared import Prepared, one_of
from medwarden.store.queries.scope import Page, Scope, bounds

_AT_ONCE = 400


class ScanView(msgspec.Struct, frozen=True):
    """One imported report; ``unknown`` of its hosts are no device here."""

    id: str
    site: str
    scanner: str
    form: str
    title: str
    source: str
    started_ns: int
    ended_ns: int
    imported_ns: int
    actor: str
    hosts: int
    known: int
    unknown: int
    sightings: int
    standing: int
    rejected: int
    problems: list[str]
    removed_ns: int | None


class ScanHostView(msgspec.Struct, frozen=True):
    """One host of a report and which device it is, by what; ``seen`` counts what still stands of it.

    ``label`` is what people call the device, empty where the host is none.
    """

    device: str
    how: str
    ips: list[str]
    macs: list[str]
    names: list[str]
    os: str
    credentialed: bool | None
    seen_ns: int
    current: bool
    seen: int
    software: int
    updates: int
    label: str


class SightingView(msgspec.Struct, frozen=True):
    """What a scanner says of a device, with what its check is about and what to do."""

    seen: Seen
    vulnerability: str
    check: str
    score: float | None
    remedy: str
    since_ns: int
    transport: str


def scans(
    scope: Scope, *, removed: bool = False, offset: int = 0, limit: int = 100, scan: str = ""
) -> Page[ScanView]:
    """Return imported reports, the latest first; with ``removed`` also those taken back."""
    offset, limit = bounds(offset, limit)
    rows = scope.over(Scan.objects.all())
    if not removed and not scan:
        rows = rows.filter(removed_ns=None)
    if scan:
        rows = rows.filter(pk=scan)
    chosen = list(rows.order_by("-imported_ns", "pk")[offset : offset + limit])
    items = tuple(
        ScanView(
            row.pk, row.site_id, row.scanner, row.form, row.title, row.source, row.started_ns, row.ended_ns,
            row.imported_ns, row.actor, row.hosts, row.known, row.hosts - row.known, row.sightings,
            ScannerSighting.objects.filter(host__scan_id=row.pk, until_ns=None).count(),
            row.rejected, list(row.problems), row.removed_ns,
        )
        for row in chosen
    )  # fmt: skip
    return Page(items, rows.count(), offset, limit)


def scan_hosts(
    scope: Scope, scan: str, *, unknown: bool = False, offset: int = 0, limit: int = 100
) -> Page[ScanHostView]:
    """Return the hosts of a report. Raises ConfigurationError where there is no such report."""
    if not scope.over(Scan.objects.filter(pk=scan)).exists():
        raise ConfigurationError(f"there is no imported report {scan[:40]!r}: see `medwarden scans list`")
    offset, limit = bounds(offset, limit)
    rows = scope.over(ScanHost.objects.filter(scan_id=scan))
    if unknown:
        rows = rows.filter(device="")
    chosen = list(rows.order_by("device", "pk")[offset : offset + limit])
    counts: defaultdict[str, int] = defaultdict(int)
    for host in ScannerSighting.objects.filter(
        host_id__in=[row.pk for row in chosen], until_ns=None
    ).values_list("host_id", flat=True):
        counts[host] += 1
    called = _called({row.device for row in chosen})
    items = tuple(
        ScanHostView(
            row.device, row.how, list(row.ips), list(row.macs), list(row.names), row.os, row.credentialed,
            row.seen_ns, row.current, counts[row.pk], len(row.software), len(row.updates),
            called.get(row.device, row.device),
        )
        for row in chosen
    )  # fmt: skip
    return Page(items, rows.count(), offset, limit)


def _called(devices: Collection[str]) -> dict[str, str]:
    """Return what people call devices: their name, else maker and model, else the id."""
    rows = Device.objects.filter(pk__in=devices).values_list("pk", "name", "vendor", "model")
    return {
        pk: name or " ".join(part for part in (vendor, model) if part) or pk
        for pk, name, vendor, model in rows
    }


def _holding(rows: QuerySet[ScannerSighting], at_ns: int, now: bool) -> QuerySet[ScannerSighting]:
    if now:
        return rows.filter(until_ns=None)
    return rows.filter(since_ns__lte=at_ns).filter(Q(until_ns=None) | Q(until_ns__gt=at_ns))


def scanned_devices(scope: Scope, at_ns: int, *, now: bool = True, vulnerability: str = "") -> list[str]:
    """Return the devices of which a scanner says something, or says it of one vulnerability."""
    rows = _holding(scope.over(ScannerSighting.objects.exclude(device="")), at_ns, now)
    if vulnerability:
        rows = rows.filter(vulnerability__iexact=vulnerability)
    return sorted(set(rows.values_list("device", flat=True)))


_SCANNED = Prepared(
    lambda ids: ScannerSighting.objects.filter(device__in=one_of(ids), until_ns=None).distinct(),
    "device",
    "tenant_id",
)


def scanned_among(tenant: str, ids: Iterable[str]) -> frozenset[str]:
    """Return those of some devices of which a scanner says something now."""
    return frozenset(device for device, whose in _SCANNED(ids) if whose == tenant)


def seen_on(
    scope: Scope, devices: Collection[str], at_ns: int, *, now: bool = True, vulnerability: str = ""
) -> dict[str, dict[str, tuple[SightingView, ...]]]:
    """Return what scanners see on devices, by device and vulnerability.

    What a scanner's latest report tried and did not find is among it where ``now``.
    """
    found: defaultdict[str, defaultdict[str, list[SightingView]]] = defaultdict(lambda: defaultdict(list))
    for part in _parts(sorted(devices)):
        rows = _holding(scope.over(ScannerSighting.objects.filter(device__in=part)), at_ns, now)
        if vulnerability:
            rows = rows.filter(vulnerability__iexact=vulnerability)
        for row in rows.order_by("device", "vulnerability", "scanner", "port"):
            found[row.device][row.vulnerability].append(_sighting(row))
        if now:
            for host in (
                scope.over(ScanHost.objects.filter(device__in=part, current=True, scan__removed_ns=None))
                .exclude(refuted=[])
                .select_related("scan")
            ):
                for cve in host.refuted:
                    if not vulnerability or cve.lower() == vulnerability.lower():
                        found[host.device][cve].append(_refuted(host, cve))
    return {device: {name: tuple(said) for name, said in of.items()} for device, of in found.items()}


def _sighting(row: ScannerSighting) -> SightingView:
    seen = Seen(
        row.scanner, ScanOutcome(row.outcome), row.credentialed, row.seen_ns, row.title, row.port,
        row.installed, row.fixed,
    )  # fmt: skip
    return SightingView(
        seen, row.vulnerability, row.check_id, row.score, row.remedy, row.since_ns, row.transport
    )


def _refuted(host: ScanHost, cve: str) -> SightingView:
    seen = Seen(host.scan.scanner, ScanOutcome.NOT_VULNERABLE, host.credentialed, host.seen_ns)
    return SightingView(seen, cve, "", None, "", host.scan.imported_ns, "")


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]
