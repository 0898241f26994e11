from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.store.conftest import DeltaMaker

from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.scan import ScanCheck, ScannedHost, ScanOutcome, ScanReport, ScanSighting, ScanSoftware
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.open import Store

if TYPE_CHECKING:
    from medwarden.store.scans import ScanImport

DAY = 86_400 * NANOSECONDS
ONE, TWO = "CVE-2020-0001", "CVE-2020-0002"


def host(*cves: str, at: int = 0, login: bool | None = None, **known: tuple[str, ...]) -> ScannedHost:
    return ScannedHost(
        ips=known.get("ips", ()),
        macs=known.get("macs", ()),
        names=known.get("names", ()),
        seen_ns=at or wall_clock(),
        credentialed=login,
        sightings=tuple(ScanSighting(f"check-{cve}", ScanOutcome.VULNERABLE, 443) for cve in cves),
    )


def report(*hosts: ScannedHost, scanner: str = "nessus") -> ScanReport:
    names = {s.check for each in hosts for s in each.sightings}
    checks = {name: ScanCheck(name, name, (name.removeprefix("check-"),), 7.5) for name in names}
    return ScanReport(
        scanner, scanner, "made up", 0, max((h.seen_ns for h in hosts), default=0), checks, hosts
    )


@pytest.fixture
def ward(store: Store, heard: DeltaMaker) -> Store:
    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(1, 2, 3))
    return store


WHOLE = frozenset({"nessus"})
"""The forms of these reports in which silence means something."""


def taken(document: ScanReport, digest: str = "a") -> ScanImport:
    from medwarden.store.scans import record_scan

    with Change("user:anna", "import", site="main") as change:
        return record_scan(change, "main", document, "report.nessus", digest, whole=WHOLE)


def standing(device: str = "d-main-1") -> set[str]:
    from medwarden.store.models import ScannerSighting

    rows = ScannerSighting.objects.filter(device=device, until_ns=None)
    return set(rows.values_list("vulnerability", flat=True))


def mac_of(number: int) -> str:
    from medwarden.store.models import Interface

    return Interface.objects.filter(device_id=f"d-main-{number}")[0].mac


def ip_of(number: int) -> tuple[str, int, int]:
    from medwarden.store.models import Address

    row = Address.objects.filter(device_id=f"d-main-{number}")[0]
    return row.ip, row.first_seen, row.last_seen


def test_a_host_is_found_by_mac_by_address_then_and_by_name(ward: Store) -> None:
    from medwarden.store.models import Address, Device
    from medwarden.store.scan_devices import HostResolver

    ip, first, last = ip_of(2)
    Device.objects.filter(pk="d-main-3").update(names=["pump-03.ward.example"], name="pump-03.ward.example")
    hosts = (
        host(macs=(mac_of(1),), ips=("198.51.100.9",)),
        host(ips=(ip,), at=last),
        host(names=("pump-03",)),
        host(ips=("198.51.100.9",)),
        host(ips=(ip,), names=("pump-03",), at=last),
    )
    resolver = HostResolver("default", "main", hosts)
    known = [resolver.device_of(each) for each in hosts]
    assert [each.device for each in known] == ["d-main-1", "d-main-2", "d-main-3", "", ""]
    assert known[3].how == "no device here has its address or name"
    assert "its name another's" in known[4].how
    # The address went to another device later: who had it on the day of the scan is meant.
    Address.objects.filter(device_id="d-main-2", ip=ip).update(current=False)
    Address.objects.create(
        tenant_id="default", site_id="main", device_id="d-main-1", ip=ip, mac="02:00:00:00:00:77",
        address_order="x", source="dhcp", current=True, first_seen=last + 30 * DAY, last_seen=last + 31 * DAY,
    )  # fmt: skip
    then, later = host(ips=(ip,), at=first + 1), host(ips=(ip,), at=last + 30 * DAY + 5)
    resolver = HostResolver("default", "main", (then, later))
    assert resolver.device_of(then).device == "d-main-2"
    assert resolver.device_of(later).device == "d-main-1"


def test_the_same_report_counts_once_and_unknown_hosts_are_named(ward: Store) -> None:
    from medwarden.store.models import AuditEntry, Scan, ScannerSighting

    document = report(host(ONE, TWO, macs=(mac_of(1),)), host(ONE, ips=("198.51.100.1",)))
    first = taken(document)
    again = taken(document)
    assert (first.known, first.sightings, first.already) == (1, 3, False)
    assert (again.id, again.already) == (first.id, True)
    assert [each.ips for each in again.unknown] == [("198.51.100.1",)]
    assert Scan.objects.count() == 1
    assert ScannerSighting.objects.count() == 3
    assert standing() == {ONE, TWO}
    assert AuditEntry.objects.filter(action="scan.imported").count() == 1


def test_a_later_report_ends_what_it_does_without(ward: Store) -> None:
    from medwarden.store.models import ScannerSighting

    now = wall_clock()
    mac = (mac_of(1),)
    taken(report(host(ONE, TWO, macs=mac, at=now - 9 * DAY, login=True)), "a")
    taken(report(host(ONE, macs=mac, at=now - 8 * DAY, login=False)), "b")
    assert standing() == {ONE, TWO}, "who was not logged in refutes nothing that a login saw"
    taken(report(host(ONE, macs=mac, at=now - 7 * DAY), scanner="nmap"), "c")
    taken(report(host(ONE, macs=mac, at=now - 6 * DAY, login=True)), "d")
    assert standing() == {ONE}
    ended = ScannerSighting.objects.get(vulnerability=TWO)
    assert ended.ended_by.startswith("not seen any more on ")
    # An older report that comes later changes nothing of what counts.
    taken(report(host(TWO, macs=mac, at=now - 20 * DAY, login=True)), "e")
    assert standing() == {ONE}


def test_scripts_refute_only_what_they_tried(ward: Store) -> None:
    now, mac = wall_clock(), (mac_of(1),)
    taken(report(host(ONE, TWO, macs=mac, at=now - 2 * DAY), scanner="nmap"), "a")
    tried = msgspec.structs.replace(
        host(macs=mac, at=now - DAY),
        sightings=(ScanSighting(f"check-{ONE}", ScanOutcome.NOT_VULNERABLE, 443),),
    )
    document = report(tried, scanner="nmap")
    taken(document, "b")
    assert standing() == {TWO}


def test_a_report_is_taken_back_and_what_it_ended_counts_again(ward: Store) -> None:
    from medwarden.store.scans import remove_scan, reported_of

    now, mac = wall_clock(), (mac_of(1),)
    programs = (ScanSoftware("OpenSSH", "8.0"),)
    first = msgspec.structs.replace(host(ONE, TWO, macs=mac, at=now - 2 * DAY, login=True), software=programs)
    taken(report(first), "a")
    later = taken(report(host(ONE, macs=mac, at=now - DAY, login=True)), "b")
    assert standing() == {ONE}
    assert reported_of(["d-main-1"])["d-main-1"][0].software == ()
    with Change("user:anna", "", site="main") as change, pytest.raises(ConfigurationError, match="why"):
        remove_scan(change, later.id, whole=WHOLE)
    with Change("user:anna", "wrong site", site="main") as change:
        assert remove_scan(change, later.id, whole=WHOLE) == ("d-main-1",)
    assert standing() == {ONE, TWO}
    assert reported_of(["d-main-1"])["d-main-1"][0].software == programs
    with (
        Change("user:anna", "again", site="main") as change,
        pytest.raises(ConfigurationError, match="counts"),
    ):
        remove_scan(change, later.id, whole=WHOLE)


def test_old_sightings_end_and_hosts_that_appear_are_found(ward: Store, heard: DeltaMaker) -> None:
    from medwarden.store.models import Interface
    from medwarden.store.scans import end_old, find_again

    now = wall_clock()
    taken(report(host(ONE, macs=(mac_of(1),), at=now - 200 * DAY)), "a")
    new = "02:aa:bb:cc:dd:ee"
    taken(report(host(TWO, macs=(new,), at=now - DAY)), "b")
    with Change("rule:scans", "age", site="main") as change:
        assert end_old(change) == (("main", "d-main-1"),)
    assert standing() == set()
    with Change("rule:scans", "again", site="main") as change:
        assert find_again(change, "main") == ()
    Interface.objects.filter(device_id="d-main-2").update(mac=new)
    with Change("rule:scans", "again", site="main") as change:
        assert find_again(change, "main") == ("d-main-2",)
    assert standing("d-main-2") == {TWO}


def test_programs_builds_and_updates_that_scanners_report_are_part_of_the_profile(ward: Store) -> None:
    from medwarden.store.models import Device, EvidenceEntry
    from medwarden.store.vulnerabilities import profiles_of

    Device.objects.filter(pk="d-main-1").update(os="Windows", os_version="10 1809")
    EvidenceEntry.objects.create(
        tenant_id="default", site_id="main", device_id="d-main-1", source="http", field="http.server",
        value="lighttpd/1.4.31", sensor="s", count=1, first_seen=1, last_seen=2,
    )  # fmt: skip
    before = profiles_of("default", ["d-main-1"])["d-main-1"]
    assert [(s.name, s.version, s.field) for s in before.software] == [("lighttpd", "1.4.31", "http.server")]
    scanned = msgspec.structs.replace(
        host(macs=(mac_of(1),), login=True),
        sightings=(ScanSighting(f"check-{ONE}", ScanOutcome.VULNERABLE, 445, installed="10.0.17763.7434"),),
        software=(ScanSoftware("openssh", "8.0", "openbsd"),),
        updates=("KB5060531",),
    )
    done = taken(report(scanned))
    profile = profiles_of("default", ["d-main-1"])["d-main-1"]
    assert {(s.name, s.field, s.doubt) for s in profile.software} == {
        ("lighttpd", "http.server", ""),
        ("openssh", "scan:nessus", ""),
    }
    assert (profile.build, set(profile.updates)) == ("10.0.17763.7434", {"KB5060531"})
    from medwarden.store.scans import remove_scan

    with Change("user:anna", "wrong", site="main") as change:
        remove_scan(change, done.id, whole=WHOLE)
    assert profiles_of("default", ["d-main-1"])["d-main-1"] == before


def test_lists_show_reports_and_hosts_of_the_readers_sites(ward: Store) -> None:
    from medwarden.store.models import Device
    from medwarden.store.queries import Scope
    from medwarden.store.queries.scans import scan_hosts, scans

    done = taken(report(host(ONE, macs=(mac_of(1),)), host(ONE, ips=("198.51.100.1",))))
    (view,) = scans(Scope()).items
    assert (view.hosts, view.known, view.unknown, view.sightings, view.standing) == (2, 1, 1, 2, 1)
    hosts = scan_hosts(Scope(), done.id)
    assert hosts.total == 2
    device = Device.objects.get(pk="d-main-1")
    called = device.name or " ".join(part for part in (device.vendor, device.model) if part) or device.pk
    assert [h.label for h in hosts.items] == ["", called]
    assert [h.device for h in scan_hosts(Scope(), done.id, unknown=True).items] == [""]
    elsewhere = Scope(sites=("other",))
    assert scans(elsewhere).total == 0
    with pytest.raises(ConfigurationError, match="no imported report"):
        scan_hosts(elsewhere, done.id)
