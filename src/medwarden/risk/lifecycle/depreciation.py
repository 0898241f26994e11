"""What devices are still worth: straight line from what they cost down to nothing over their useful life.

    value = cost * days left / days of useful life, in whole units of currency, never below 0

A hospital sets the useful life of each category in years; where it has not, the years below are a beginning,
by the class of the device, and no statement of anybody's accounting rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import msgspec

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.device import DeviceClass

DEFAULT_YEARS = {
    DeviceClass.IOMT: 10,
    DeviceClass.OT: 15,
    DeviceClass.IOT: 8,
    DeviceClass.IT: 5,
    DeviceClass.NET: 8,
    DeviceClass.UNKNOWN: 10,
}
"""Years of useful life that are assumed until a hospital sets its own."""

MOST_YEARS = 50
MOST_PRICE = 1_000_000_000
_YEAR = 365.25


class Economics(msgspec.Struct, frozen=True):
    """What a hospital says of a category: years of useful life, and what a new one costs (0: not said)."""

    years: int = 0
    price: int = 0


class Worth(msgspec.Struct, frozen=True):
    """What a device is worth: its useful life and whether the hospital set it, age, cost, value, last day."""

    years: int
    own_years: bool
    age_years: float | None
    cost: int | None
    value: int | None
    life_ends: date | None

    @property
    def used_up(self) -> int | None:
        """Return how many percent of its cost are written off, or None where cost or age is not known."""
        if self.cost is None or self.value is None or self.cost == 0:
            return None
        return 100 * (self.cost - self.value) // self.cost


def checked(economics: Economics) -> Economics:
    """Return what a person entered. Raises ConfigurationError for years or a price that cannot be."""
    if not 0 <= economics.years <= MOST_YEARS:
        raise ConfigurationError(f"a useful life is between 1 and {MOST_YEARS} years")
    if not 0 <= economics.price <= MOST_PRICE:
        raise ConfigurationError(f"a price is a whole number up to {MOST_PRICE:,}")
    return economics


def years_of(
    category: str | None, device_class: DeviceClass, own: Mapping[str, Economics]
) -> tuple[int, bool]:
    """Return the years of useful life of a kind of device, and whether the hospital set them."""
    said = own.get(category or "")
    if said is not None and said.years:
        return said.years, True
    return DEFAULT_YEARS[device_class], False


def worth(
    *,
    cost: float | None,
    bought: date | None,
    category: str | None,
    device_class: DeviceClass,
    own: Mapping[str, Economics],
    today: date,
) -> Worth:
    """Return what a device is worth ``today``, as far as its cost and day of purchase are known.

    A device of which the day of purchase lies ahead is worth what it cost.
    """
    years, set_by_hospital = years_of(category, device_class, own)
    whole = None if cost is None or cost < 0 else round(cost)
    if bought is None:
        return Worth(years, set_by_hospital, None, whole, None, None)
    days = round(years * _YEAR)
    left = min(max(0, days - (today - bought).days), days)
    age = round(max(0, (today - bought).days) / _YEAR, 1)
    value = None if whole is None else whole * left // days
    return Worth(years, set_by_hospital, age, whole, value, bought + timedelta(days=days))
