"""Reports of vulnerability scanners: taken in, listed, taken back; and what scanners should leave alone."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from medwarden.app.vulnerabilities import rejudge, weigh
from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.knowledge.taxonomy import categories
from medwarden.model.device import Device as ModelDevice
from medwarden.model.device import DeviceClass
from medwarden.model.scan import ScanReport
from medwarden.operations.in_use import InUse, in_use
from medwarden.operations.scan_exclusions import FORMS, Exclusion, exclusions, written
from medwarden.sensors.scans.registry import LARGEST, read_report, whole_forms
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.queries import Page
    from medwarden.store.queries.scans import ScanHostView, ScanView
    from medwarden.store.scans import ScanImport

_AT_ONCE = 400
UPLOAD = 256 << 20
"""Bytes of a report that the console takes."""


def import_file(home: Path, path: Path, *, actor: str, site: str | None = None) -> ScanImport:
    """Take a scanner's report in, and bring verdicts and findings of the devices up to date.

    Raises ResourceError where the file cannot be read and MalformedInput where it is no known report.
    """
    report, digest = _read_file(path, str(path))
    with open_store(home, writer=True, role="scans"):
        return take_in(home, report, path.name, digest, actor=actor, site=site)


def take_file_in(home: Path, path: Path, name: str, *, actor: str, tenant: str, site: str) -> ScanImport:
    """Do the same with a file that a scanner brought and people know as ``name``, on an open store."""
    report, digest = _read_file(path, name)
    return take_in(home, report, name, digest, actor=actor, tenant=tenant, site=site)


def _read_file(path: Path, name: str) -> tuple[ScanReport, str]:
    try:
        with path.open("rb") as file:
            report = read_report(file, name)
            file.seek(0)
            return report, hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error


def import_upload(
    home: Path, document: bytes, name: str, *, actor: str, tenant: str, site: str
) -> ScanImport:
    """Do the same with an uploaded report, on a store that is open already (the console)."""
    file: BinaryIO = io.BytesIO(document)
    report = read_report(file, name, largest=min(LARGEST, 8 * UPLOAD))
    return take_in(
        home, report, name, hashlib.sha256(document).hexdigest(), actor=actor, tenant=tenant, site=site
    )


def take_in(
    home: Path,
    report: ScanReport,
    source: str,
    digest: str,
    *,
    actor: str,
    site: str | None = None,
    tenant: str | None = None,
) -> ScanImport:
    """Store a report that was read and judge the devices it speaks of anew."""
    from medwarden.store.changes import Change
    from medwarden.store.company import note_unmatched
    from medwarden.store.open import ensure_site
    from medwarden.store.scans import end_old, find_again, record_scan

    tenant, place = ensure_site(tenant, site)
    with Change(actor, f"report imported from {source}", tenant=tenant, site=place) as change:
        again = find_again(change, place)
        done = record_scan(change, place, report, source, digest, whole=whole_forms())
        note_unmatched({*done.devices, *again})
    with Change("rule:scans", "age", tenant=tenant) as change:
        aged = end_old(change)
        note_unmatched(device for _, device in aged)
    weigh(home, tenant, {name for name in done.vulnerabilities if name.startswith("CVE-")})
    rejudge(home, tenant, place, {*done.devices, *again, *(device for at, device in aged if at == place)})
    return done


def remove(home: Path, scan: str, *, actor: str, reason: str) -> int:
    """Take a report back; return how many devices it spoke of."""
    with open_store(home, writer=True, role="scans"):
        from medwarden.store.models import DEFAULT_TENANT

        return take_back(home, DEFAULT_TENANT, scan, actor=actor, reason=reason)


def take_back(home: Path, tenant: str, scan: str, *, actor: str, reason: str) -> int:
    """Do the same on a store that is open already."""
    from medwarden.store.changes import Change
    from medwarden.store.company import note_unmatched
    from medwarden.store.models import Scan
    from medwarden.store.scans import remove_scan

    row = Scan.objects.filter(tenant_id=tenant, pk=scan).first()
    with Change(actor, reason, tenant=tenant, site=row.site_id if row else None) as change:
        devices = remove_scan(change, scan, whole=whole_forms())
        note_unmatched(devices)
    if row is not None:
        rejudge(home, tenant, row.site_id, devices)
    return len(devices)


def scan_list(home: Path, *, removed: bool = False) -> list[ScanView]:
    """Return the imported reports, the latest first."""
    with open_store(home, writer=False):
        from medwarden.store.queries import Scope
        from medwarden.store.queries.scans import scans

        return list(scans(Scope(), removed=removed, limit=1000).items)


def hosts_of(home: Path, scan: str, *, unknown: bool = False, limit: int = 1000) -> Page[ScanHostView]:
    """Return the hosts of a report and which devices they are; only those that are none with ``unknown``."""
    with open_store(home, writer=False):
        from medwarden.store.queries import Scope
        from medwarden.store.queries.scans import scan_hosts

        return scan_hosts(Scope(), scan, unknown=unknown, limit=limit)


def exclusions_of(home: Path, form: str, *, site: str | None = None) -> tuple[str, str, int]:
    """Return the name and text of a scanner's exclusion list, and how many addresses are in it.

    Raises ConfigurationError for a scanner whose lists are not known.
    """
    with open_store(home, writer=False):
        from medwarden.store.models import DEFAULT_SITE, DEFAULT_TENANT

        return written_exclusions(DEFAULT_TENANT, site or DEFAULT_SITE, form)


def protected_devices(tenant: str, site: str, clock: Clock = wall_clock) -> tuple[Exclusion, ...]:
    """Return what scanners should leave alone at a site, with reasons, on a store that is open."""
    from medwarden.store.models import Device
    from medwarden.store.probing import registry
    from medwarden.store.queries import complete_devices
    from medwarden.store.queries.standing import listening_since

    now = clock()
    since = listening_since(tenant, site, now)
    ids = list(
        Device.objects.filter(tenant_id=tenant, site_id=site, retired_at=None)
        .exclude(ips=[])
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    clinical = frozenset(name for name, each in categories().items() if each.medical)

    def looked_at() -> Iterator[tuple[ModelDevice, InUse | None]]:
        for start in range(0, len(ids), _AT_ONCE):
            for device in complete_devices(ids[start : start + _AT_ONCE]):
                medical = device.category in clinical or device.device_class is DeviceClass.IOMT
                yield device, in_use(device, now, since) if medical else None

    return exclusions(looked_at(), registry(tenant, site), now)


def written_exclusions(tenant: str, site: str, form: str) -> tuple[str, str, int]:
    """Do the same on a store that is open already."""
    if form not in FORMS:
        raise ConfigurationError(f"no exclusion list is known for {form[:40]!r}: one of {', '.join(FORMS)}")
    found = protected_devices(tenant, site)
    return FORMS[form][0], written(form, found), len(found)
