"""What to replace: why and how soon, what devices are still worth, and a plan within a yearly budget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.risk_rules import rules_in_force
from medwarden.kernel.clock import to_datetime, wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.taxonomy import categories
from medwarden.model.device import DeviceClass
from medwarden.model.life_cycle import EndOfLife, Subject
from medwarden.model.recall import RecallClass
from medwarden.model.risk import Factor
from medwarden.risk.lifecycle.budget import BudgetPlan, Candidate, plan_budget
from medwarden.risk.lifecycle.depreciation import Economics, Worth, checked, worth
from medwarden.risk.lifecycle.gain import points_gone
from medwarden.risk.recalls.engine import CONCERNING, RecallState
from medwarden.risk.recalls.outlook import Aged, Outlook, Urgency, outlook
from medwarden.risk.recalls.workflow import SETTLED
from medwarden.risk.weights import Rules

if TYPE_CHECKING:
    from medwarden.store.models import Device
    from medwarden.store.queries import Scope

ECONOMICS = "replacement.economics"
"""Setting: useful life in years and price of a new device, by category."""

_AT_ONCE = 400
_SUBJECTS = {Subject.MODEL: "the model", Subject.FIRMWARE: "its firmware", Subject.STATED: "the device"}


class Replacement(msgspec.Struct, frozen=True):
    """A device that something speaks for replacing: how soon and why, its score, its worth, what it costs.

    ``points`` are those of its score that go with it, ``price`` what a new one costs: what the hospital says
    of its category, else what a book says that it cost.
    """

    device: str
    label: str
    site: str
    category: str | None
    vendor: str | None
    model: str | None
    urgency: Urgency
    why: tuple[str, ...]
    score: int
    points: int
    support_ends: str | None
    age_years: float | None
    life_years: int
    life_ends: str | None
    cost: float | None
    value: int | None
    price: int | None
    currency: str


class CategoryLife(msgspec.Struct, frozen=True):
    """A category with its useful life in years (``own``: set by the hospital) and price (0: not said)."""

    category: str
    name: str
    devices: int
    years: int
    own: bool
    price: int


class _Held(msgspec.Struct):
    """All that is known of one device for this."""

    row: Device
    aged: Aged
    worth: Worth
    ends: tuple[EndOfLife, ...]
    factors: tuple[Factor, ...]
    price: int | None


def replacements(home: Path, scope: Scope) -> list[Replacement]:
    """Return the devices of a scope that something speaks for replacing, the most urgent first.

    On an open store. Computers that no patient depends on are left out: their life is planned elsewhere.
    """
    today, rules = _today(), rules_in_force(home)
    held = {each.row.pk: each for each in _everyone(scope, today)}
    found = outlook((each.aged for each in held.values()), today)
    return [_replacement(one, held[one.device], rules) for one in found]


def _today() -> date:
    return to_datetime(wall_clock()).date()


def _replacement(found: Outlook, held: _Held, rules: Rules) -> Replacement:
    row = held.row
    life_ends = held.worth.life_ends
    return Replacement(
        device=row.pk,
        label=found.label,
        site=row.site_id,
        category=row.category,
        vendor=row.vendor,
        model=row.model,
        urgency=found.urgency,
        why=found.why,
        score=row.risk_score,
        points=points_gone(row.pk, held.factors, rules),
        support_ends=row.support_ends,
        age_years=found.age_years,
        life_years=held.worth.years,
        life_ends=None if life_ends is None else life_ends.isoformat(),
        cost=found.cost,
        value=held.worth.value,
        price=held.price,
        currency=found.currency,
    )


def _everyone(scope: Scope, today: date) -> Iterator[_Held]:
    from medwarden.store.models import Device

    own = economics(scope.tenant)
    rows = scope.over(Device.objects.filter(retired_at=None, device_class__in=("IoMT", "OT", "IoT")))
    ids = list(rows.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), _AT_ONCE):
        yield from _held(scope, ids[start : start + _AT_ONCE], own, today)


def _held(scope: Scope, ids: Sequence[str], own: Mapping[str, Economics], today: date) -> Iterator[_Held]:
    from medwarden.store.models import Device
    from medwarden.store.queries.life_cycle import ends_of
    from medwarden.store.queries.scores import factors_of
    from medwarden.store.recalls import booked

    recalled, books = _recalled(scope, ids), booked(ids)
    ends, factors = ends_of(scope, ids), factors_of(scope, ids)
    for row in Device.objects.filter(pk__in=ids).order_by("pk"):
        said: dict[str, str] = {}
        for _, one in books.get(row.pk, ()):
            said = one | said
        cost, bought = (
            _number(said.get("cost", "")),
            said.get("purchase_date", "") or said.get("manufactured", ""),
        )
        valued = worth(
            cost=cost,
            bought=_day(bought),
            category=row.category,
            device_class=DeviceClass(row.device_class),
            own=own,
            today=today,
        )
        counting = [end for end in ends.get(row.pk, ()) if end.counts]
        first = min(counting, key=lambda end: (end.day, end.notice), default=None)
        made = " ".join(part for part in (row.vendor, row.model) if part)
        price = own.get(row.category or "", Economics()).price or valued.cost
        yield _Held(
            row=row,
            aged=Aged(
                device=row.pk,
                label=row.name or made or row.pk,
                recalls=tuple(recalled.get(row.pk, ())),
                support_ends=None if first is None else first.day,
                support_of="" if first is None else _of(first, row),
                bought=bought,
                cost=cost,
                currency=said.get("currency", ""),
                life_years=valued.years,
            ),
            worth=valued,
            ends=tuple(counting),
            factors=factors.get(row.pk, ()),
            price=price,
        )


def _of(end: EndOfLife, row: Device) -> str:
    """Return what ends in words: of a system its name, else the model and whose word it is."""
    if end.subject is Subject.SYSTEM:
        return " ".join(part for part in (row.os, row.os_version) if part)
    return f"{_SUBJECTS[end.subject]}, by {end.source},"


def _recalled(scope: Scope, ids: Sequence[str]) -> dict[str, list[tuple[RecallClass, RecallState]]]:
    from medwarden.store.models import RecallCase, RecallVerdict

    found: defaultdict[str, list[tuple[RecallClass, RecallState]]] = defaultdict(list)
    settled = set(
        RecallCase.objects.filter(device__in=ids, step__in=[s.value for s in SETTLED]).values_list(
            "notice_id", "device"
        )
    )
    verdicts = scope.over(RecallVerdict.objects.filter(device_id__in=ids, until_ns=None))
    concerning = verdicts.filter(state__in=[s.value for s in CONCERNING])
    for notice, device, kind, state in concerning.values_list(
        "notice_id", "device_id", "notice__recall_class", "state"
    ):
        if (notice, device) not in settled:
            found[device].append((RecallClass(kind), RecallState(state)))
    return found


def _number(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text if len(text) == 10 else f"{text}-01-01"[:10])
    except ValueError:
        return None


def total_cost(found: Iterable[Replacement]) -> dict[str, int]:
    """Return what replacing devices costs, by currency ('' where none is said)."""
    sums: defaultdict[str, int] = defaultdict(int)
    for each in found:
        if each.price is not None:
            sums[each.currency] += each.price
    return dict(sums)


def budget(
    home: Path, scope: Scope, amount: int, *, currency: str = "", years: int = 5, carry: bool = False
) -> BudgetPlan:
    """Return what to replace in which of the next ``years`` years with ``amount`` a year, on an open store.

    A device is due in the first year by whose end something speaks for replacing it: an open class I recall,
    an end of support, the end of its useful life. Raises ConfigurationError for numbers that cannot be.
    """
    today, rules = _today(), rules_in_force(home)
    first = today.year + 1
    candidates = [
        one for each in _everyone(scope, today) if (one := _candidate(each, first, years, rules)) is not None
    ]
    return plan_budget(
        candidates, amount, first_year=first, years=years, currency=currency.strip().upper()[:8], carry=carry
    )


def _candidate(held: _Held, first: int, years: int, rules: Rules) -> Candidate | None:
    """Return a device as the plan takes it, or None where nothing speaks for replacing it in its years."""
    support = min((end.day.year for end in held.ends), default=None)
    life = held.worth.life_ends.year if held.worth.life_ends is not None else None
    grave = any(kind is RecallClass.I for kind, _ in held.aged.recalls)
    reasons = [year for year in (support, life, first if grave else None) if year is not None]
    due = max(0, min(reasons) - first) if reasons else years
    if due >= years:
        return None
    model_ends = min((e.day.year for e in held.ends if e.subject is not Subject.SYSTEM), default=None)
    points = tuple(
        points_gone(
            held.row.pk,
            held.factors,
            rules,
            support_over=model_ends is not None and model_ends <= first + number,
        )
        for number in range(years)
    )
    return Candidate(
        device=held.row.pk,
        label=held.aged.label,
        cost=held.price,
        points=points,
        due=due,
        rank=due,
        currency=held.aged.currency if held.price == held.worth.cost else "",
    )


def economics(tenant: str) -> dict[str, Economics]:
    """Return the useful lives and prices that the hospital set, by category; on an open store."""
    from medwarden.store.settings import setting

    empty: dict[str, object] = {}
    return msgspec.convert(setting(ECONOMICS, empty, tenant=tenant), dict[str, Economics])


def set_economics(tenant: str, category: str, years: int, price: int, *, actor: str, reason: str) -> None:
    """Set useful life and price of a category (0 takes either back), on an open store.

    Raises ConfigurationError for a category that there is not, and for years or a price that cannot be.
    """
    from medwarden.store.changes import Change
    from medwarden.store.settings import set_setting

    if category not in categories():
        raise ConfigurationError(f"there is no category {category[:60]!r}")
    said = checked(Economics(years, price))
    own = economics(tenant) | {category: said}
    kept = {name: each for name, each in sorted(own.items()) if each != Economics()}
    with Change(actor, reason, tenant=tenant) as change:
        set_setting(change, ECONOMICS, kept)


def category_lives(scope: Scope) -> list[CategoryLife]:
    """Return the categories that are here with their useful life and price, the most devices first."""
    from django.db.models import Count

    from medwarden.risk.lifecycle.depreciation import years_of
    from medwarden.store.models import Device

    own = economics(scope.tenant)
    rows = scope.over(Device.objects.filter(retired_at=None, device_class__in=("IoMT", "OT", "IoT")))
    counted = (
        rows.exclude(category=None).values_list("category").annotate(n=Count("pk")).order_by("-n", "category")
    )
    found = []
    for category, number in counted:
        kind = categories().get(category)
        if kind is None:
            continue
        years, set_here = years_of(category, kind.device_class, own)
        price = own.get(category, Economics()).price
        found.append(CategoryLife(category, kind.name, number, years, set_here, price))
    return found
