"""Which devices a hospital should plan to replace: grave recalls, end of support, age, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

import msgspec

from medwarden.model.recall import RecallClass
from medwarden.risk.recalls.engine import RecallState

OLD_YEARS = 10.0
"""Age from which a device is worth planning for; the usual span in which makers keep spare parts."""

_SOON_DAYS = 365


class Urgency(StrEnum):
    """How soon a device should be replaced."""

    NOW = "now"
    PLAN = "plan"
    WATCH = "watch"


class Aged(msgspec.Struct, frozen=True):
    """What speaks for replacing a device.

    ``recalls`` are class and state of notices that are open; ``support_ends`` is the day on which updates
    end or ended; ``bought`` (ISO 8601) and ``cost`` stand in a book; ``life_years`` is its useful life.
    """

    device: str
    label: str
    recalls: tuple[tuple[RecallClass, RecallState], ...] = ()
    support_ends: date | None = None
    support_of: str = ""
    bought: str = ""
    cost: float | None = None
    currency: str = ""
    life_years: float = OLD_YEARS


class Outlook(msgspec.Struct, frozen=True):
    """A device to replace, how soon, why in sentences, its age in years and what it cost."""

    device: str
    label: str
    urgency: Urgency
    why: tuple[str, ...]
    age_years: float | None
    cost: float | None
    currency: str


def outlook(devices: Iterable[Aged], today: date) -> list[Outlook]:
    """Return the devices that something speaks for replacing, the most urgent first."""
    found = [each for each in (_judged(device, today) for device in devices) if each is not None]
    order = list(Urgency)
    return sorted(found, key=lambda o: (order.index(o.urgency), -len(o.why), -(o.age_years or 0), o.device))


def age_of(bought: str, today: date) -> float | None:
    """Return years since a day of purchase, or None where it is none."""
    try:
        then = date.fromisoformat(bought if len(bought) == 10 else f"{bought}-01-01"[:10])
    except ValueError:
        return None
    return round((today - then).days / 365.25, 1)


def _judged(device: Aged, today: date) -> Outlook | None:
    why: list[str] = []
    points = 0
    grave = [state for kind, state in device.recalls if kind is RecallClass.I]
    if grave:
        sure = RecallState.AFFECTED in grave
        points += 2 if sure else 1
        why.append("A class I recall concerns it." if sure else "A class I recall may concern it.")
    if device.support_ends is not None:
        left = (device.support_ends - today).days
        what = device.support_of or "its system"
        if left < 0:
            points += 2
            why.append(f"Support of {what} ended on {device.support_ends.isoformat()}.")
        elif left <= _SOON_DAYS:
            points += 1
            why.append(f"Support of {what} ends on {device.support_ends.isoformat()}.")
    age = age_of(device.bought, today) if device.bought else None
    if age is not None and age >= device.life_years:
        points += 1
        why.append(f"It was bought {age:.0f} years ago.")
    if not points:
        return None
    urgency = Urgency.NOW if points >= 3 else Urgency.PLAN if points == 2 else Urgency.WATCH
    return Outlook(device.device, device.label, urgency, tuple(why), age, device.cost, device.currency)
