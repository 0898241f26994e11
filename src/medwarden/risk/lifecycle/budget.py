"""Which devices to replace in which year within a budget, for the most risk taken away.

Each year, of the devices that are due by its end and not replaced yet, those that take away the most points
for the money come first, as long as they fit; what does not fit is skipped, not waited for. Where the single
device that takes away most would take away more than all of these together, it is taken instead. So each year
takes away at least half of what the best possible choice would. All numbers are whole; ties go to the more
urgent device, then to the cheaper one, then by id, so that the same devices always give the same plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from fractions import Fraction

import msgspec

from medwarden.kernel.errors import ConfigurationError

MOST_YEARS = 20
MOST_AMOUNT = 1_000_000_000_000


class Candidate(msgspec.Struct, frozen=True):
    """A device that something speaks for replacing.

    ``points`` are those of its score that go with it, by the year (0: the first) from which they count;
    ``due`` is the first year in which it may be replaced. ``cost`` is what a new one costs, None unknown;
    ``rank`` orders ties, the most urgent first.
    """

    device: str
    label: str
    cost: int | None
    points: tuple[int, ...]
    due: int = 0
    rank: int = 0
    currency: str = ""

    def gain(self, year: int) -> int:
        """Return the points that replacing it in a year takes away."""
        return self.points[min(year, len(self.points) - 1)] if self.points else 0


class LeftOut(StrEnum):
    """Why a device is in no year of a plan."""

    NO_COST = "no_cost"
    OTHER_CURRENCY = "other_currency"
    TOO_DEAR = "too_dear"  # it costs more than one year has
    NO_RISK = "no_risk"  # replacing it takes no points away
    NO_ROOM = "no_room"
    LATER = "later"  # due after the last year


class Chosen(msgspec.Struct, frozen=True):
    """A device that is replaced, what it costs, and how many points go with it."""

    device: str
    label: str
    cost: int
    points: int


class BudgetYear(msgspec.Struct, frozen=True):
    """One year of a plan; ``left`` is what of its money is not spent, ``had`` what it could spend."""

    year: int
    chosen: tuple[Chosen, ...]
    cost: int
    points: int
    had: int
    left: int


class Skipped(msgspec.Struct, frozen=True):
    """A device that is in no year, why, and what is known of it."""

    device: str
    label: str
    why: LeftOut
    cost: int | None
    points: int


class BudgetPlan(msgspec.Struct, frozen=True):
    """What to replace in which year with so much money each year, and what is left out."""

    amount: int
    currency: str
    carry: bool
    years: tuple[BudgetYear, ...]
    left_out: tuple[Skipped, ...]

    @property
    def points(self) -> int:
        """Return the points that the whole plan takes away."""
        return sum(year.points for year in self.years)

    @property
    def cost(self) -> int:
        """Return what the whole plan costs."""
        return sum(year.cost for year in self.years)


def plan_budget(
    candidates: Iterable[Candidate],
    amount: int,
    *,
    first_year: int,
    years: int = 5,
    currency: str = "",
    carry: bool = False,
) -> BudgetPlan:
    """Return which devices to replace in each of ``years`` years with ``amount`` of ``currency`` a year.

    ``carry`` keeps what a year leaves for the next. A device in another currency is left out, one without a
    currency counts as in this one. Raises ConfigurationError for amounts and years that cannot be.
    """
    if not 0 < amount <= MOST_AMOUNT:
        raise ConfigurationError(f"the amount of a year is a whole number between 1 and {MOST_AMOUNT:,}")
    if not 1 <= years <= MOST_YEARS:
        raise ConfigurationError(f"plan between 1 and {MOST_YEARS} years")
    waiting = {each.device: each for each in candidates}
    everyone = dict(waiting)
    planned: list[BudgetYear] = []
    kept = 0
    for number in range(years):
        had = amount + kept
        due = [
            each
            for each in waiting.values()
            if each.due <= number and _priced(each, currency) and each.gain(number)
        ]
        chosen = _year(due, number, had)
        for each in chosen:
            del waiting[each.device]
        spent = sum(each.cost or 0 for each in chosen)
        kept = had - spent if carry else 0
        planned.append(
            BudgetYear(
                first_year + number,
                tuple(Chosen(c.device, c.label, c.cost or 0, c.gain(number)) for c in chosen),
                spent,
                sum(c.gain(number) for c in chosen),
                had,
                had - spent,
            )
        )
    most = max(year.had for year in planned)
    left = [
        Skipped(each.device, each.label, _why(each, currency, years, most), each.cost, each.gain(years - 1))
        for each in everyone.values()
        if each.device in waiting
    ]
    left.sort(key=lambda each: (-each.points, each.cost or 0, each.device))
    return BudgetPlan(amount, currency, carry, tuple(planned), tuple(left))


def _priced(each: Candidate, currency: str) -> bool:
    return each.cost is not None and each.cost >= 0 and each.currency in ("", currency)


def _year(due: Sequence[Candidate], year: int, money: int) -> list[Candidate]:
    """Return the choice of one year: the most points for the money, or the one device that beats them all."""
    ordered = sorted(due, key=lambda c: (Fraction(c.cost or 0, c.gain(year)), c.rank, c.cost or 0, c.device))
    chosen: list[Candidate] = []
    left = money
    for each in ordered:
        if (each.cost or 0) <= left:
            chosen.append(each)
            left -= each.cost or 0
    fitting = [each for each in due if (each.cost or 0) <= money]
    best = min(fitting, key=lambda c: (-c.gain(year), c.cost or 0, c.device), default=None)
    if best is not None and best.gain(year) > sum(each.gain(year) for each in chosen):
        return [best]
    return chosen


def _why(each: Candidate, currency: str, years: int, most: int) -> LeftOut:
    if each.cost is None or each.cost < 0:
        return LeftOut.NO_COST
    if each.currency not in ("", currency):
        return LeftOut.OTHER_CURRENCY
    if each.due >= years:
        return LeftOut.LATER
    if not each.gain(years - 1):
        return LeftOut.NO_RISK
    return LeftOut.TOO_DEAR if each.cost > most else LeftOut.NO_ROOM
