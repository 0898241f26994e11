"""How full the batteries of pumps and monitors were when they last said so.

IHE PCD sends charge (MDC_ATTR_VAL_BATT_CHARGE) and power status of a device, often through a gateway that
speaks for many; each level then carries the name of the equipment it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry


class Battery(msgspec.Struct, frozen=True):
    """The battery of one piece of equipment.

    ``equipment`` is its name where another device (``device``) speaks for it, None for the device itself.
    ``percent`` is the charge, rounded down to tens; ``power`` is mains, battery, charging or charged; each
    None where it was not said. ``seen`` is when the later of the two was heard, in nanoseconds UTC.
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
    charge = _latest(device, "hl7.battery_percent", "hl7.source_battery_percent")
    power = _latest(device, "hl7.power", "hl7.source_power")
    found = []
    for equipment in dict.fromkeys([*charge, *power]):
        level, source = charge.get(equipment), power.get(equipment)
        seen = max(entry.last_seen for entry in (level, source) if entry is not None)
        found.append(
            Battery(
                device.id,
                equipment or None,
                None if level is None else _percent(level.value),
                None if source is None else source.value.rpartition(" ")[2],
                seen,
            )
        )
    return found


def _latest(device: Device, own: str, of_others: str) -> dict[str, LedgerEntry]:
    """Return the last entry per piece of equipment; "" is the device itself."""
    latest: dict[str, LedgerEntry] = {}
    for entry in device.ledger:
        if entry.field not in (own, of_others):
            continue
        name = "" if entry.field == own else entry.value.rpartition(" ")[0]
        before = latest.get(name)
        if before is None or entry.last_seen > before.last_seen:
            latest[name] = entry
    return latest


def _percent(value: str) -> int | None:
    number = value.rpartition(" ")[2]
    return int(number) if number.isascii() and number.isdigit() and int(number) <= 100 else None
