"""The inventory of an assessment: who is there, and how well it is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from medwarden.assessment.result import Count, Inventory, LevelCoverage
from medwarden.assessment.words import CLASS_NAMES, category_name, is_medical
from medwarden.model.device import Device, DeviceClass

SURE = 0.9
CURVE_POINTS = 60
_LEVELS: dict[str, Callable[[Device], str | None]] = {
    "class": lambda d: None if d.device_class is DeviceClass.UNKNOWN else d.device_class.value,
    "category": lambda d: None if (d.category or "unknown").startswith("unknown") else d.category,
    "vendor": lambda d: d.vendor,
    "model": lambda d: d.model,
    "os": lambda d: d.os,
}


def inventory_of(devices: Sequence[Device]) -> Inventory:
    """Return counts by class, category and vendor, coverage by level, and the discovery curve."""
    managed = Counter(device.managed for device in devices)
    return Inventory(
        total=len(devices),
        medical=sum(map(is_medical, devices)),
        by_class=_counts(devices, lambda d: d.device_class.value, lambda key: CLASS_NAMES[DeviceClass(key)]),
        by_category=_counts(devices, lambda d: d.category or "", lambda key: category_name(key or None)),
        by_vendor=_counts(devices, lambda d: d.vendor or "", lambda key: key or "Not identified"),
        levels=tuple(_coverage(level, devices) for level in _LEVELS),
        identified=sum(
            1 for d in devices if all(_LEVELS[level](d) for level in ("class", "category", "vendor"))
        ),
        managed=(managed[True], managed[False], managed[None]),
        discovery=_discovery(devices),
    )


def _counts(
    devices: Sequence[Device], key: Callable[[Device], str], label: Callable[[str], str]
) -> tuple[Count, ...]:
    """Return counts by ``key``, most devices first; the empty key is what is not known."""
    total: Counter[str] = Counter()
    medical: Counter[str] = Counter()
    for device in devices:
        total[key(device)] += 1
        medical[key(device)] += is_medical(device)
    ordered = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Count(name, label(name), number, medical[name]) for name, number in ordered)


def _coverage(level: str, devices: Sequence[Device]) -> LevelCoverage:
    answered = [d for d in devices if _LEVELS[level](d)]
    verdicts = [v.confidence for d in answered if (v := d.verdict(level)) is not None and v.label]
    return LevelCoverage(
        level=level,
        answered=len(answered),
        sure=sum(1 for confidence in verdicts if confidence >= SURE),
        total=len(devices),
        confidence=sum(verdicts) / len(verdicts) if verdicts else None,
    )


def _discovery(devices: Sequence[Device]) -> tuple[tuple[int, int], ...]:
    times = sorted(d.first_seen for d in devices if d.first_seen)
    curve = [(ts, number) for number, ts in enumerate(times, 1)]
    if len(curve) <= CURVE_POINTS:
        return tuple(curve)
    step = (len(curve) - 1) / (CURVE_POINTS - 1)
    return tuple(curve[round(i * step)] for i in range(CURVE_POINTS))
