"""Keep reports of scanners: taken in once, devices found, older sightings ended, taken back.

Of each scanner and device the latest report counts. What it does without ends, unless it was not logged in
and the one before was, or the scanner only runs single scripts; what nobody repeats ends with age.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

import msgspec

from medwarden.kernel.clock import NANOSECONDS, iso
from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.ids import stable_id
from medwarden.model.scan import ScannedHost, ScanOutcome, ScanReport, ScanSoftware
from medwarden.store.bulk import insert_rows, update_rows
from medwarden.store.changes import Change
from medwarden.store.models import Device, MergedDevice, Scan, ScanHost, ScannerSighting
from medwarden.store.prepared import Prepared, one_of
from medwarden.store.scan_devices import HostResolver, Known

OLD_NS = 180 * 24 * 3600 * NANOSECONDS
"""So long a sighting counts that nothing repeats."""
_AT_ONCE = 400
_OLD = "nothing repeated it for 180 days"
_KEPT = (ScanOutcome.VULNERABLE, ScanOutcome.POTENTIAL, ScanOutcome.FIXED)


class UnknownHost(msgspec.Struct, frozen=True):
    """A host of a report that is no device here, and why not."""

    ips: tuple[str, ...]
    macs: tuple[str, ...]
    names: tuple[str, ...]
    why: str


class ScanImport(msgspec.Struct, frozen=True):
    """What an import came to; ``already`` says that this very file had been taken in before."""

    id: str
    form: str
    scanner: str
    title: str
    hosts: int
    known: int
    devices: tuple[str, ...]
    sightings: int
    vulnerabilities: tuple[str, ...]
    ended: int
    rejected: int
    problems: tuple[str, ...]
    unknown: tuple[UnknownHost, ...]
    already: bool = False


def standing_scan(site: str, digest: str) -> Scan | None:
    """Return the report with this content that counts at a site, if it was taken in."""
    return Scan.objects.filter(site_id=site, digest=digest, removed_ns=None).first()


def record_scan(
    change: Change, site: str, report: ScanReport, source: str, digest: str, *, whole: Collection[str]
) -> ScanImport:
    """Take a report in at a site; taken in before, it changes nothing.

    ``whole`` are the forms of reports in which silence means something.
    """
    resolver = HostResolver(change.tenant, site, report.hosts)
    known = [resolver.device_of(host) for host in report.hosts]
    before = standing_scan(site, digest)
    scan_id = before.pk if before else stable_id("sc", change.tenant, site, digest, str(change.now_ns))
    unknown = tuple(
        UnknownHost(host.ips, host.macs, host.names, found.how)
        for host, found in zip(report.hosts, known, strict=True)
        if not found.device
    )
    devices = tuple(sorted({found.device for found in known if found.device}))
    vulnerabilities = tuple(sorted({cve for check in report.checks.values() for cve in check.cves}))
    if before is not None:
        return ScanImport(
            before.pk, before.form, before.scanner, before.title, before.hosts, before.known, devices,
            before.sightings, vulnerabilities, 0, before.rejected, tuple(before.problems), unknown, True,
        )  # fmt: skip
    scan = Scan(
        id=scan_id, tenant_id=change.tenant, site_id=site, scanner=report.scanner, form=report.form,
        title=report.title, source=source[:255], digest=digest, started_ns=report.started_ns,
        ended_ns=report.ended_ns, imported_ns=change.now_ns, actor=change.actor[:150],
        hosts=len(report.hosts), known=len(report.hosts) - len(unknown), sightings=0,
        rejected=report.rejected, problems=list(report.problems),
    )  # fmt: skip
    scan.save(force_insert=True)
    sightings = _stored(change, scan, report, known)
    scan.sightings = sightings
    scan.save(update_fields=["sightings"])
    ended = settle(change, site, scan.scanner, devices, whole=whole)
    change.record(
        "scan.imported",
        f"scan:{scan.pk}",
        None,
        {"scanner": scan.scanner, "form": scan.form, "source": scan.source, "hosts": scan.hosts,
         "known": scan.known, "sightings": sightings, "ended": ended, "digest": digest},
        site=site,
    )  # fmt: skip
    return ScanImport(
        scan.pk, scan.form, scan.scanner, scan.title, scan.hosts, scan.known, devices, sightings,
        vulnerabilities, ended, report.rejected, report.problems, unknown,
    )  # fmt: skip


def _stored(change: Change, scan: Scan, report: ScanReport, known: Sequence[Known]) -> int:
    """Store the hosts of a report with what was seen on them; return how many sightings that were."""
    hosts = [
        _host(scan, host, found, number)
        for number, (host, found) in enumerate(zip(report.hosts, known, strict=True))
    ]
    insert_rows(hosts)
    sightings = 0
    for start in range(0, len(hosts), _AT_ONCE):
        parts = zip(hosts[start : start + _AT_ONCE], report.hosts[start : start + _AT_ONCE], strict=True)
        rows = [row for host, said in parts for row in _sightings(change, scan, host, said, report)]
        insert_rows(rows)
        sightings += len(rows)
    return sightings


def _host(scan: Scan, host: ScannedHost, known: Known, number: int) -> ScanHost:
    return ScanHost(
        id=f"{scan.pk}-{number}",
        tenant_id=scan.tenant_id,
        site_id=scan.site_id,
        scan_id=scan.pk,
        device=known.device,
        how=known.how[:200],
        ips=list(host.ips),
        macs=list(host.macs),
        names=list(host.names),
        os=host.os[:200],
        credentialed=host.credentialed,
        seen_ns=host.seen_ns or scan.ended_ns or scan.imported_ns,
        current=True,
        software=[msgspec.to_builtins(each) for each in host.software],
        updates=list(host.updates),
        refuted=[],
        information=host.information,
    )


def _sightings(
    change: Change, scan: Scan, row: ScanHost, host: ScannedHost, report: ScanReport
) -> Iterator[ScannerSighting]:
    """Yield a row for each vulnerability that was seen; what was refuted is noted with the host."""
    seen: set[tuple[str, str, int]] = set()
    for sighting in host.sightings:
        check = report.checks[sighting.check]
        names = check.cves or (f"{report.scanner}:{check.id}"[:60],)
        if sighting.outcome not in _KEPT:
            row.refuted += [cve for cve in check.cves if cve not in row.refuted]
            continue
        for name in names:
            if (name, check.id, sighting.port) in seen:
                continue
            seen.add((name, check.id, sighting.port))
            yield ScannerSighting(
                tenant_id=change.tenant, site_id=scan.site_id, host_id=row.pk, device=row.device,
                scanner=scan.scanner, vulnerability=name, check_id=check.id[:200], title=check.title[:300],
                outcome=sighting.outcome.value, credentialed=host.credentialed, score=check.score,
                port=sighting.port, transport=sighting.transport[:8], installed=sighting.installed[:60],
                fixed=sighting.fixed[:60], remedy=check.remedy[:600],
                seen_ns=sighting.seen_ns or row.seen_ns, since_ns=change.now_ns,
                until_ns=None if row.device else change.now_ns,
                ended_by="" if row.device else "no device here",
            )  # fmt: skip
    if row.refuted:
        ScanHost.objects.filter(pk=row.pk).update(refuted=row.refuted[:5000])


def settle(
    change: Change, site: str, scanner: str, devices: Collection[str], *, whole: Collection[str]
) -> int:
    """Let the latest report of a scanner on each device stand before earlier ones; return what ended."""
    ended = 0
    ordered = sorted(devices)
    for start in range(0, len(ordered), _AT_ONCE):
        part = ordered[start : start + _AT_ONCE]
        hosts: defaultdict[str, list[ScanHost]] = defaultdict(list)
        rows = ScanHost.objects.filter(
            site_id=site, device__in=part, scan__scanner=scanner, scan__removed_ns=None
        ).select_related("scan")
        for host in rows.order_by("seen_ns", "scan__imported_ns"):
            hosts[host.device].append(host)
        open_rows: defaultdict[str, list[ScannerSighting]] = defaultdict(list)
        for row in ScannerSighting.objects.filter(
            site_id=site, device__in=part, scanner=scanner, until_ns=None
        ):
            open_rows[row.device].append(row)
        done: list[ScannerSighting] = []
        for device, looked in hosts.items():
            done += _superseded(change, looked, open_rows[device], looked[-1].scan.form in whole)
            latest = _current(looked, whole)
            ScanHost.objects.filter(pk__in=[h.pk for h in looked if h.pk not in latest]).update(current=False)
            ScanHost.objects.filter(pk__in=latest).update(current=True)
        update_rows(done, ("until_ns", "ended_by", "ended_scan"))
        ended += len(done)
    return ended


def _current(looked: Sequence[ScanHost], whole: Collection[str]) -> set[str]:
    """Return what counts of a scanner's words on a device: the last whole report, and what came after it."""
    start = next((n for n in reversed(range(len(looked))) if looked[n].scan.form in whole), None)
    if start is None:
        last = looked[-1].scan_id
        return {host.pk for host in looked if host.scan_id == last}
    first = looked[start].scan_id
    return {host.pk for host in looked[start:]} | {host.pk for host in looked if host.scan_id == first}


def _superseded(
    change: Change, looked: Sequence[ScanHost], rows: Sequence[ScannerSighting], whole: bool
) -> list[ScannerSighting]:
    """Return the sightings of a device that the latest report ends, ended."""
    last = looked[-1]
    own = {host.pk for host in looked if host.scan_id == last.scan_id}
    repeated = {(row.vulnerability, row.check_id, row.port) for row in rows if row.host_id in own}
    refuted = {cve for host in looked if host.pk in own for cve in host.refuted}
    login = {host.pk: host.credentialed for host in looked}
    ended = []
    day = iso(last.seen_ns)[:10]
    for row in rows:
        if row.host_id in own:
            continue
        if (row.vulnerability, row.check_id, row.port) in repeated:
            why = f"seen again on {day}"
        elif row.vulnerability in refuted:
            why = f"tried again on {day} and not found"
        elif whole and (last.credentialed is True or login.get(row.host_id) is not True):
            why = f"not seen any more on {day}"
        else:
            continue
        row.until_ns, row.ended_by, row.ended_scan = change.now_ns, why, last.scan_id
        ended.append(row)
    return ended


def remove_scan(change: Change, scan_id: str, *, whole: Collection[str]) -> tuple[str, ...]:
    """Take a report back: what it ended counts again. Return the devices concerned.

    Raises ConfigurationError where no such report counts or the change has no reason.
    """
    if not change.reason.strip():
        raise ConfigurationError("say why the report is taken back")
    scan = Scan.objects.filter(tenant_id=change.tenant, pk=scan_id, removed_ns=None).first()
    if scan is None:
        raise ConfigurationError(f"no imported report {scan_id[:40]!r} counts: see `medwarden scans list`")
    hosts = list(ScanHost.objects.filter(scan=scan).exclude(device="").values_list("device", flat=True))
    rows = ScannerSighting.objects.filter(tenant_id=change.tenant)
    rows.filter(host__scan=scan, until_ns=None).update(
        until_ns=change.now_ns, ended_by="the report was taken back", ended_scan=scan.pk
    )
    back = rows.filter(ended_scan=scan.pk).exclude(host__scan=scan).filter(host__scan__removed_ns=None)
    back.update(until_ns=None, ended_by="", ended_scan="")
    scan.removed_ns = change.now_ns
    scan.save(update_fields=["removed_ns"])
    ScanHost.objects.filter(scan=scan).update(current=False)
    devices = tuple(sorted(set(hosts)))
    settle(change, scan.site_id, scan.scanner, devices, whole=whole)
    change.record(
        "scan.removed",
        f"scan:{scan.pk}",
        {"scanner": scan.scanner, "source": scan.source, "sightings": scan.sightings},
        None,
        site=scan.site_id,
    )
    return devices


def end_old(change: Change) -> tuple[tuple[str, str], ...]:
    """End what nothing repeated for :data:`OLD_NS`; return site and id of the devices concerned."""
    rows = ScannerSighting.objects.filter(
        tenant_id=change.tenant, until_ns=None, seen_ns__lt=change.now_ns - OLD_NS
    )
    found = tuple(sorted(set(rows.values_list("site_id", "device"))))
    if found:
        number = rows.update(until_ns=change.now_ns, ended_by=_OLD)
        change.record("scan.aged", "sightings", None, {"ended": number, "devices": len(found)})
    return found


def find_again(change: Change, site: str) -> tuple[str, ...]:
    """Look again for hosts that were no device: some may have been heard since. Return devices found.

    What was merged into another device moves with it.
    """
    for gone, kept in MergedDevice.objects.filter(tenant_id=change.tenant).values_list("gone", "kept"):
        ScanHost.objects.filter(device=gone).update(device=kept)
        ScannerSighting.objects.filter(device=gone).update(device=kept)
    rows = list(
        ScanHost.objects.filter(
            tenant_id=change.tenant, site_id=site, device="", scan__removed_ns=None, current=True
        ).select_related("scan")
    )
    if not rows:
        return ()
    said = [ScannedHost(tuple(r.ips), tuple(r.macs), tuple(r.names), r.seen_ns) for r in rows]
    resolver = HostResolver(change.tenant, site, said)
    found: dict[str, Known] = {}
    for row, host in zip(rows, said, strict=True):
        known = resolver.device_of(host)
        if known.device:
            found[row.pk] = known
            ScanHost.objects.filter(pk=row.pk).update(device=known.device, how=known.how[:200])
            ScannerSighting.objects.filter(host_id=row.pk).update(
                device=known.device, until_ns=None, ended_by="", since_ns=change.now_ns
            )
            Scan.objects.filter(pk=row.scan_id).update(known=row.scan.known + 1)
            row.scan.known += 1
    if found:
        change.record("scan.hosts_found", "scans", None, {"hosts": len(found)}, site=site)
    return tuple(sorted({known.device for known in found.values()}))


def gone_devices(devices: Collection[str]) -> set[str]:
    """Return those of ``devices`` that are no longer there."""
    held: set[str] = set()
    ordered = sorted(devices)
    for start in range(0, len(ordered), _AT_ONCE):
        held.update(
            Device.objects.filter(pk__in=ordered[start : start + _AT_ONCE]).values_list("pk", flat=True)
        )
    return set(devices) - held


class Reported(msgspec.Struct, frozen=True):
    """What scanners say runs on a device: programs with whether the scanner was logged in, and updates."""

    scanner: str
    credentialed: bool | None
    software: tuple[ScanSoftware, ...]
    updates: tuple[str, ...]
    os: str


_REPORTS = Prepared(
    lambda devices: ScanHost.objects.filter(
        device__in=one_of(devices), current=True, scan__removed_ns=None
    ).order_by("device", "scan__scanner", "seen_ns"),
    "device",
    "scan__scanner",
    "credentialed",
    "software",
    "updates",
    "os",
)


def reported_of(devices: Collection[str]) -> dict[str, tuple[Reported, ...]]:
    """Return what the latest report of each scanner says runs on devices, by device."""
    found: defaultdict[str, list[Reported]] = defaultdict(list)
    ordered = sorted(devices)
    for start in range(0, len(ordered), _AT_ONCE):
        for device, scanner, credentialed, programs, updates, os in _REPORTS(
            ordered[start : start + _AT_ONCE]
        ):
            software = tuple(msgspec.convert(each, ScanSoftware) for each in programs)
            found[device].append(Reported(scanner, credentialed, software, tuple(updates), os))
    return {device: tuple(said) for device, said in found.items()}
