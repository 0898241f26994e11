"""The cheapest set of actions that brings a group of devices to a score, and how sure that is.

Every device has options (do nothing, or some actions), each with a cost and the score after it. One option
is chosen for each device. For a cap on the highest score, the group's score (:mod:`medwarden.risk.levels`)
becomes a budget for the sum of score**exponent, and choosing is a multiple-choice knapsack: solved exactly
by merging the Pareto fronts of devices as long as they stay small, otherwise by the greedy method on
the convex hulls, whose linear relaxation also gives a lower bound of the cost (Dyer 1984, Zemel 1984). Every
cap that an option gives is tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from medwarden.risk.counterfactual import Action
from medwarden.risk.levels import blended, rounded
from medwarden.risk.weights import GroupShape

MOST_FRONT = 4000
"""Points of a merged front up to which the cheapest set is found exactly."""
MOST_POINTS = 500_000
"""Points looked at, for all caps together, up to which the cheapest set is looked for exactly."""
_TINY = 1e-9


_Path = tuple[int, "_Path | None"]
"""The number of the option of the device that came last, and the same of those before it."""
_Point = tuple[float, float, _Path | None]
"""Cost and weight of some options, one for each of the devices looked at so far."""


class Option(msgspec.Struct, frozen=True):
    """Some actions on a device, what they cost together, and the score after them."""

    cost: float
    score: int
    actions: tuple[Action, ...]


class Chosen(msgspec.Struct, frozen=True):
    """What to do about one device: ``before`` and ``option.score`` are its scores."""

    device: str
    before: int
    option: Option


class Plan(msgspec.Struct, frozen=True):
    """What to do, most effective first, and the scores of the group before and after.

    ``bound`` is what any plan costs at least; where ``exact``, this one is the cheapest there is.
    ``reached`` is False where no set of options brings the group under the target: then everything
    that helps is named.
    """

    target: int
    before: int
    after: int
    cost: float
    bound: float
    exact: bool
    reached: bool
    chosen: tuple[Chosen, ...]
    devices: int


class _Class(msgspec.Struct, frozen=True):
    """The options of one device that are worth looking at, cheapest first; ``fixed`` is its first."""

    device: str
    before: int
    options: tuple[Option, ...]


def plan(
    counts: Mapping[int, int],
    options: Mapping[str, tuple[int, Sequence[Option]]],
    target: int,
    shape: GroupShape,
) -> Plan:
    """Return the cheapest choice after which the group's score is at most ``target``.

    ``counts`` are the devices of the group at each score now; ``options`` give for some of them the score
    now and what could be done. A device without options stays as it is.
    """
    classes = [_worth_it(device, before, found) for device, (before, found) in sorted(options.items())]
    classes = [each for each in classes if len(each.options) > 1]
    fixed = Counter(counts)
    fixed.subtract(each.before for each in classes)
    fixed = Counter({score: number for score, number in fixed.items() if number > 0})
    devices = sum(counts.values())
    before = rounded(blended(counts, shape))
    if before <= target:
        return Plan(target, before, before, 0.0, 0.0, True, True, (), devices)
    solver = _Solver(classes, fixed, devices, target, shape)
    found, bound, exact = solver.solve()
    if found is None:
        everything = [each.options[-1] for each in classes]
        return _told(classes, everything, fixed, target, before, 0.0, shape, exact=False)
    return _told(classes, found, fixed, target, before, bound, shape, exact=exact)


def _told(
    classes: Sequence[_Class],
    options: Sequence[Option],
    fixed: Counter[int],
    target: int,
    before: int,
    bound: float,
    shape: GroupShape,
    *,
    exact: bool,
) -> Plan:
    after = rounded(blended(fixed + Counter(option.score for option in options), shape))
    chosen = [
        Chosen(each.device, each.before, option)
        for each, option in zip(classes, options, strict=True)
        if option.actions
    ]
    chosen.sort(key=lambda c: (-(c.before - c.option.score) / max(c.option.cost, _TINY), c.device))
    cost = round(sum(c.option.cost for c in chosen), 6)
    return Plan(
        target,
        before,
        after,
        cost,
        cost if exact else min(round(bound, 6), cost),
        exact,
        after <= target,
        tuple(chosen),
        sum(fixed.values()) + len(classes),
    )


def _worth_it(device: str, before: int, found: Sequence[Option]) -> _Class:
    """Keep the options that nothing cheaper beats, doing nothing first."""
    kept = [Option(0.0, before, ())]
    for option in sorted(found, key=lambda o: (o.cost, o.score, o.actions)):
        if option.score < kept[-1].score:
            kept.append(option)
    return _Class(device, before, tuple(kept))


class _Solver:
    """One group, its choices and the target."""

    def __init__(
        self,
        classes: Sequence[_Class],
        fixed: Counter[int],
        devices: int,
        target: int,
        shape: GroupShape,
    ) -> None:
        self.classes = classes
        self.devices = devices
        self.target = target
        self.shape = shape
        self._points_left = MOST_POINTS
        self._fixed_worst = max(fixed, default=0)
        self._fixed_weight = sum(number * self._weight(score) for score, number in fixed.items())

    def _weight(self, score: int) -> float:
        return float(score**self.shape.exponent)

    def _budget(self, cap: int) -> float:
        """Return how much the classes may weigh together where no score is above ``cap``."""
        left = self.target + 0.5 - _TINY - self.shape.worst_share * cap
        share = 1 - self.shape.worst_share
        if left < 0:
            return -1.0
        if share <= 0:
            return float("inf")
        return float((left / share) ** self.shape.exponent) * self.devices - self._fixed_weight

    def solve(self) -> tuple[list[Option] | None, float, bool]:
        """Return the options chosen (None where none suffice), a lower bound, and whether it is the best."""
        scores = {option.score for each in self.classes for option in each.options}
        caps = sorted({max(score, self._fixed_worst) for score in scores}, reverse=True)
        rough = []
        bound = float("inf")
        for cap in caps:
            answer = self._greedy(cap)
            if answer is not None:
                bound = min(bound, answer[1])
                rough.append((_cost(answer[0]), answer[1], cap, answer[0]))
        if not rough:
            return None, 0.0, False
        rough.sort(key=lambda each: each[0])
        best, known_exact = rough[0][3], True
        cheapest = rough[0][0]
        for cost, low, cap, _ in sorted(rough, key=lambda each: each[1]):
            if low > cheapest + _TINY:
                break  # not even its relaxation is cheaper than what is known
            if cost <= low + _TINY:
                continue  # greedy met its bound
            exact = self._exact(cap, cheapest)
            if exact is None:
                known_exact = False
            elif exact and _cost(exact) < cheapest - _TINY:
                best, cheapest = exact, _cost(exact)
        return best, (cheapest if known_exact else bound), known_exact

    def _greedy(self, cap: int) -> tuple[list[Option], float] | None:
        """Return a choice for ``cap`` and the least any costs (by relaxation); None where none fits."""
        allowed = self._allowed(cap)
        if allowed is None:
            return None
        hulls = [_hull(options, self._weight) for options in allowed]
        weight = sum(self._weight(hull[0].score) for hull in hulls)
        cost = sum(hull[0].cost for hull in hulls)
        at = [0] * len(hulls)
        steps = []
        for index, hull in enumerate(hulls):
            for number in range(1, len(hull)):
                lower, upper = hull[number - 1], hull[number]
                relief = self._weight(lower.score) - self._weight(upper.score)
                steps.append((-(relief / max(upper.cost - lower.cost, _TINY)), index, number, relief))
        steps.sort()
        budget = self._budget(cap)
        if weight <= budget:
            return [hull[0] for hull in hulls], cost
        for _, index, number, relief in steps:
            added = hulls[index][number].cost - hulls[index][number - 1].cost
            at[index] = number
            if weight - relief <= budget:
                bound = cost + added * (weight - budget) / relief
                chosen = [hull[position] for hull, position in zip(hulls, at, strict=True)]
                return self._trimmed(chosen, allowed, budget), bound
            weight -= relief
            cost += added
        return None

    def _trimmed(
        self, chosen: list[Option], allowed: Sequence[tuple[Option, ...]], budget: float
    ) -> list[Option]:
        """Take back what the last step made needless, dearest first."""
        weight = sum(self._weight(option.score) for option in chosen)
        for index in sorted(range(len(chosen)), key=lambda i: -chosen[i].cost):
            for option in allowed[index]:
                fresh = weight - self._weight(chosen[index].score) + self._weight(option.score)
                if option.cost < chosen[index].cost and fresh <= budget:
                    weight, chosen[index] = fresh, option
                    break
        return chosen

    def _allowed(self, cap: int) -> list[tuple[Option, ...]] | None:
        if self._fixed_worst > cap or self._budget(cap) < 0:
            return None
        allowed = [tuple(o for o in each.options if o.score <= cap) for each in self.classes]
        return None if any(not options for options in allowed) else allowed

    def _exact(self, cap: int, cheapest: float) -> list[Option] | None:
        """Return the best choice for ``cap`` that costs less than ``cheapest``.

        An empty list where there is none, None where that would take too many points to tell.
        """
        allowed = self._allowed(cap)
        if allowed is None:
            return []
        budget = self._budget(cap)
        least = [min(self._weight(o.score) for o in options) for options in allowed]
        remaining = sum(least)
        front: list[_Point] = [(0.0, 0.0, None)]
        for options, smallest in zip(allowed, least, strict=True):
            remaining -= smallest
            self._points_left -= len(front) * len(options)
            if self._points_left < 0:
                return None
            weights = [self._weight(option.score) for option in options]
            points: list[_Point] = sorted(
                (
                    (cost + option.cost, weight + weights[number], (number, path))
                    for cost, weight, path in front
                    for number, option in enumerate(options)
                ),
                key=lambda point: point[:2],
            )
            front = _pareto(points, cheapest, budget - remaining)
            if len(front) > MOST_FRONT:
                return None
            if not front:
                return []
        chosen = _numbers(min(front, key=lambda point: point[0])[2])
        return [options[number] for options, number in zip(allowed, chosen, strict=True)]


def _numbers(path: _Path | None) -> list[int]:
    """Return the numbers on a path, the first device's first."""
    found = []
    while path is not None:
        number, path = path
        found.append(number)
    return found[::-1]


def _pareto(points: Sequence[_Point], cheapest: float, budget: float) -> list[_Point]:
    """Keep of points ordered by cost those that no cheaper one outweighs and that can still suffice."""
    kept: list[_Point] = []
    lightest = float("inf")
    for point in points:
        if point[0] >= cheapest - _TINY:
            break
        if point[1] < lightest - _TINY and point[1] <= budget:
            kept.append(point)
            lightest = point[1]
    return kept


def _hull(options: Sequence[Option], weight: Callable[[int], float]) -> list[Option]:
    """Return the options on the lower convex hull of weight over cost, cheapest first."""
    hull: list[Option] = []
    for option in options:
        if hull and weight(hull[-1].score) <= weight(option.score):
            continue
        while len(hull) > 1 and not _turns(hull[-2], hull[-1], option, weight):
            hull.pop()
        hull.append(option)
    return hull


def _turns(first: Option, middle: Option, last: Option, weight: Callable[[int], float]) -> bool:
    """Tell whether ``middle`` lies below the line from ``first`` to ``last``: worth more for its cost."""
    early = (weight(first.score) - weight(middle.score)) * (last.cost - middle.cost)
    late = (weight(middle.score) - weight(last.score)) * (middle.cost - first.cost)
    return early > late + _TINY


def _cost(options: Sequence[Option]) -> float:
    return sum(option.cost for option in options)
