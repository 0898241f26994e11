"""Batteries: the last thing said counts, per piece of equipment, the emptiest first."""

from __future__ import annotations

from medwarden.inventory.batteries import Battery, batteries
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry


def device(name: str, *facts: tuple[str, str, int]) -> Device:
    ledger = tuple(LedgerEntry("hl7", field, value, "s", 0, last, 1) for field, value, last in facts)
    return Device(name, "site", ledger=ledger)


def test_last_level_of_each_pump_behind_a_gateway() -> None:
    gateway = device(
        "gw",
        ("hl7.source_battery_percent", "Pump 1 80", 10),
        ("hl7.source_battery_percent", "Pump 1 30", 20),
        ("hl7.source_battery_percent", "Pump 2 100", 15),
        ("hl7.source_power", "Pump 1 battery", 25),
        ("hl7.source_power", "Pump 3 mains", 5),
    )
    monitor = device("mon", ("hl7.battery_percent", "10", 7), ("hl7.power", "charging", 6))
    assert batteries([gateway, monitor]) == (
        Battery("mon", None, 10, "charging", 7),
        Battery("gw", "Pump 1", 30, "battery", 25),
        Battery("gw", "Pump 2", 100, None, 15),
        Battery("gw", "Pump 3", None, "mains", 5),
    )


def test_monitors_of_sdc_and_personal_health_devices_count_too() -> None:
    monitor = device("m", ("sdc.battery_percent", "90", 1), ("sdc.battery", "discharging", 2))
    scale = device("s", ("phd.battery_percent", "20", 1))
    assert batteries([monitor, scale]) == (
        Battery("s", None, 20, None, 1),
        Battery("m", None, 90, "discharging", 2),
    )


def test_what_is_no_percentage_is_not_known() -> None:
    (battery,) = batteries([device("d", ("hl7.battery_percent", "full", 1))])
    assert battery.percent is None


def test_devices_without_batteries_are_not_there() -> None:
    assert batteries([device("d", ("hl7.version", "2.5", 1))]) == ()


def test_pumps_that_tell_bars_count_too() -> None:
    pump = device("p", ("terufusion.battery_percent", "40", 3), ("terufusion.power", "battery", 2))
    assert batteries([pump]) == (Battery("p", None, 40, "battery", 3),)
