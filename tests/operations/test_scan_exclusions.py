from __future__ import annotations

import csv
import json

import pytest

from medwarden.model.device import Device, DeviceClass
from medwarden.operations.in_use import InUse, Use
from medwarden.operations.interlock import EntryKind, ProtectedEntry, Registry
from medwarden.operations.scan_exclusions import FORMS, Exclusion, exclusions, written

NOW = 1_790_000_000 * 10**9
IDLE = InUse(Use.NO, "it says so", None, NOW)
BUSY = InUse(Use.YES, "a DICOM conversation", None, NOW)
UNSURE = InUse(Use.UNKNOWN, "silence says nothing", None, NOW)


def device(number: int, category: str | None, **known: str) -> Device:
    return Device(
        f"d-{number}", "main", ips=(f"10.0.0.{number}",), names=(known.get("name", f"name-{number}"),),
        category=category, vendor=known.get("vendor"),
        device_class=DeviceClass.IOMT if category in ("ultrasound", "ventilator") else DeviceClass.IT,
    )  # fmt: skip


def entry(kind: EntryKind, value: str, until_ns: int | None = None) -> ProtectedEntry:
    return ProtectedEntry("e", kind, value, "it breaks", "anna", NOW - 9, until_ns)


def test_only_three_things_exclude_and_each_says_why() -> None:
    found = exclusions(
        [
            (device(1, "ventilator"), IDLE),
            (device(2, "ultrasound"), BUSY),
            (device(3, "ultrasound"), UNSURE),
            (device(4, "ultrasound"), IDLE),
            (device(5, "printer"), None),
            (device(6, None), None),
            (device(7, "printer", vendor="Fragile"), None),
        ],
        Registry((entry(EntryKind.VENDOR, "Fragile"),)),
        NOW,
    )
    reasons = {each.address: "; ".join(each.reasons) for each in found}
    assert set(reasons) == {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.7"}
    assert reasons["10.0.0.1"].startswith("life-critical")
    assert reasons["10.0.0.2"] == "in use on a patient: a DICOM conversation"
    assert reasons["10.0.0.3"] == "may be in use on a patient: silence says nothing"
    assert "it breaks" in reasons["10.0.0.7"]


def test_addresses_and_subnets_of_the_registry_are_listed_while_they_hold() -> None:
    registry = Registry(
        (
            entry(EntryKind.SUBNET, "10.9.0.0/24"),
            entry(EntryKind.IP, "10.8.0.1", NOW + 1),
            entry(EntryKind.IP, "10.7.0.1", NOW - 1),
        )
    )
    assert [each.address for each in exclusions([], registry, NOW)] == ["10.8.0.1", "10.9.0.0/24"]


def test_every_scanner_can_read_its_own_form() -> None:
    found = [
        Exclusion("10.0.0.1", "d-1", '=cmd|"x"\nreject', ("life-critical: ventilator",)),
        Exclusion("10.9.0.0/24", "", "", ("on the do-not-probe list: it breaks",)),
    ]
    rules = written("nessus", found).splitlines()
    assert [line for line in rules if not line.startswith("#")] == [
        "reject 10.0.0.1", "reject 10.9.0.0/24", "default accept",
    ]  # fmt: skip
    (first, second) = csv.DictReader(written("tenable", found).splitlines())
    assert (first["members"], second["members"]) == ("10.0.0.1", "10.9.0.0-10.9.0.255")
    assert not first["description"].startswith("=")
    assert written("qualys", found) == "10.0.0.1\n10.9.0.0-10.9.0.255\n"
    assert json.loads(written("rapid7", found)) == ["10.0.0.1", "10.9.0.0/24"]
    assert written("openvas", found) == "10.0.0.1,10.9.0.0-10.9.0.255\n"
    plain = [line for line in written("nmap", found).splitlines() if not line.startswith("#")]
    assert plain == ["10.0.0.1", "10.9.0.0/24"]
    table = list(csv.DictReader(written("reasons", found).splitlines()))
    assert len(table) == 2, "a name over two lines stays in its cell"
    assert table[0]["name"].startswith("'=")


@pytest.mark.parametrize("form", sorted(FORMS))
def test_nothing_to_leave_alone_is_an_empty_list_in_every_form(form: str) -> None:
    assert "10." not in written(form, [])
