"""A version that was replaced is history; versions that are told in turn are of several parts."""

from __future__ import annotations

import pytest

from medwarden.inventory.labelling import identify
from medwarden.inventory.replaced import replaced
from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry

HOUR = 3600 * NANOSECONDS


def entry(field: str, value: str, first: int, last: int, sensor: str = "s1") -> LedgerEntry:
    return LedgerEntry(field.partition(".")[0], field, value, sensor, first, last, 2)


def firmware(*ledger: LedgerEntry) -> str | None:
    return identify(Device(id="d-1", site="main", last_seen=9 * HOUR, ledger=ledger)).firmware


def test_the_version_after_an_update_counts() -> None:
    before, after = entry("sdc.firmware_version", "1.0", 0, HOUR), ("sdc.firmware_version", "2.0")
    assert firmware(before) == "1.0"
    assert firmware(before, entry(*after, HOUR + 300 * NANOSECONDS, 2 * HOUR)) == "2.0"
    assert firmware(entry(*after, 3 * HOUR, 3 * HOUR), before) == "2.0"


@pytest.mark.parametrize("begun", [0, HOUR // 2, HOUR, HOUR + 5 * NANOSECONDS])
def test_versions_that_overlap_or_follow_at_once_are_of_parts(begun: int) -> None:
    one = entry("sdc.firmware_version", "1.0", 0, HOUR)
    assert firmware(one, entry("sdc.firmware_version", "2.0", begun, 2 * HOUR)) is None


def test_a_value_that_another_sensor_still_hears_was_not_replaced() -> None:
    old = entry("sdc.firmware_version", "1.0", 0, HOUR)
    still = entry("sdc.firmware_version", "1.0", 0, 4 * HOUR, "s2")
    new = entry("sdc.firmware_version", "2.0", 2 * HOUR, 4 * HOUR)
    assert replaced((old, new), {"sdc.firmware_version"}, 1) == {("sdc.firmware_version", "1.0")}
    assert replaced((old, still, new), {"sdc.firmware_version"}, 1) == frozenset()


def test_of_two_lists_the_later_tells_the_version_but_not_what_the_device_is() -> None:
    first, later = 0, NANOSECONDS
    assert (
        firmware(
            entry("inventory.firmware", "2.0", first, first),
            entry("inventory.firmware", "2.6", later, later),
        )
        == "2.6"
    )
    assert (
        firmware(
            entry("inventory.firmware", "2.0", first, first),
            entry("inventory.firmware", "2.6", first, first),
        )
        is None
    ), "one list that says both"
    models = (entry("inventory.model", name, at, at) for name, at in (("MX800", first), ("MX700", later)))
    assert identify(Device(id="d-1", site="main", ledger=tuple(models))).model is None
