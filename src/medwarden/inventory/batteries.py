"""How full the batteries of pumps and monitors were when they last said so.

IHE PCD sends charge (MDC_ATTR_VAL_BATT_CHARGE) and power status of a device, often through a gateway that
speaks for many; each level then carries the name of the equipment it belongs to. SDC (ISO/IEEE 11073-10207
BatteryState), personal health devices (11073-20601) and Terumo's pumps (in bars of a fifth) speak for
themselves.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry

_OWN_CHARGE = (
    *("hl7.battery_percent", "phd.battery_percent", "sdc.battery_percent"),
    "terufusion.battery_percent",
)
_OWN_POWER = ("hl7.power", "phd.power", "sdc.battery", "terufusion.power")

BATTERY_FIELDS = (*_OWN_CHARGE, *_OWN_POWER, "hl7.source_battery_percent", "hl7.source_power")
"""All fields that say something of a battery."""


class Battery(msgspec.Struct, frozen=True):
    """The battery of one piece of equipment.

    ``equipment`` is its name where another device (``device``) speaks for it, None for the device itself.
    ``percent`` is the charge in steps of ten; ``power`` is a word for where the power comes from or goes
    (mains, battery, charging ...); each None where it was not said. ``seen`` is when the later of the
    two was heard, in nanoseconds UTC.
    """

    device: str
    equipment: str | None
    percent: int | None
    power: str | None
    seen: int


def batteries(devices: Iterable[Device]) -> tuple[Battery, ...]:
    """Return the last known state of every battery that was told of, the emptiest first.

    A battery whose charge is not known comes after those whose is.
    """
    found = [battery for device in devices for battery in _of(device)]
    return tuple(
        sorted(
            found,
            key=lambda b: (b.percent is None, b.percent or 0, b.device, b.equipment or ""),
        )
    )


def _of(device: Device) -> list[Battery]:
    charge = _latest(device, _OWN_CHARGE, "hl7.source_battery_percent")
    power = _latest(device, _OWN_POWER, "hl7.source_power")
    found = []
    for equipment in dict.fromkeys([*charge, *power]):
        level, source = charge.get(equipment), power.get(equipment)
        seen = max(entry.last_seen for entry in (level, source) if entry is not None)
        found.append(
            Battery(
                device.id,
                equipment or None,
                None if level is None else _percent(level.value),
                _power(source),
                seen,
            )
        )
    return found


def _latest(device: Device, own: tuple[str, ...], of_others: str) -> dict[str, LedgerEntry]:
    """Return the last entry per piece of equipment; "" is the device itself."""
    latest: dict[str, LedgerEntry] = {}
    for entry in device.ledger:
        if entry.field not in own and entry.field != of_others:
            continue
        name = "" if entry.field in own else entry.value.rpartition(" ")[0]
        before = latest.get(name)
        if before is None or entry.last_seen > before.last_seen:
            latest[name] = entry
    return latest


def _power(entry: LedgerEntry | None) -> str | None:
    """Return the power status; the name of the equipment before it is cut off where there is one."""
    if entry is None:
        return None
    return entry.value.rpartition(" ")[2] if entry.field == "hl7.source_power" else entry.value


def _percent(value: str) -> int | None:
    number = value.rpartition(" ")[2]
    return int(number) if number.isascii() and number.isdigit() and int(number) <= 100 else None
