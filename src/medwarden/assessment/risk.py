"""Risk in an assessment: the spread of scores, the devices at the top, and the reasons they share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from statistics import median_low

from medwarden.assessment.result import CommonFactor, RiskPicture, TopRisk
from medwarden.assessment.words import category_name, is_medical, what
from medwarden.model.device import Device
from medwarden.model.risk import RiskLevel, RiskScore

BINS = 20
TOP = 12


def risk_of(devices: Sequence[Device], scores: Mapping[str, RiskScore]) -> RiskPicture:
    """Return the picture of all scores; devices without a score are left out."""
    scored = [(d, scores[d.id]) for d in devices if d.id in scores]
    values = [score.score for _, score in scored]
    levels = Counter(score.level for _, score in scored)
    bins = Counter(min(value * BINS // 100, BINS - 1) for value in values)
    ordered = sorted(scored, key=lambda pair: (-pair[1].score, not is_medical(pair[0]), pair[0].label))
    return RiskPicture(
        by_level={level: levels[level] for level in RiskLevel},
        histogram=tuple(bins[i] for i in range(BINS)),
        median=median_low(values) if values else 0,
        top=tuple(TopRisk(d, what(d), score) for d, score in ordered[:TOP] if score.score > 0),
        common=_common(scored),
        by_category=_by_category(scored),
    )


def _common(scored: Sequence[tuple[Device, RiskScore]]) -> tuple[CommonFactor, ...]:
    titles: dict[str, str] = {}
    devices: Counter[str] = Counter()
    medical: Counter[str] = Counter()
    points: Counter[str] = Counter()
    for device, score in scored:
        for factor in score.factors:
            if factor.group in ("impact", "control"):
                continue
            titles[factor.id] = factor.title
            devices[factor.id] += 1
            medical[factor.id] += is_medical(device)
            points[factor.id] += factor.points
    ordered = sorted(titles, key=lambda f: (-points[f], f))
    return tuple(CommonFactor(f, titles[f], devices[f], medical[f], points[f]) for f in ordered)


def _by_category(scored: Sequence[tuple[Device, RiskScore]]) -> tuple[tuple[str, int, int, int], ...]:
    groups: dict[str, list[int]] = defaultdict(list)
    for device, score in scored:
        groups[category_name(device.category)].append(score.score)
    rows = [(name, len(values), median_low(values), max(values)) for name, values in groups.items()]
    return tuple(sorted(rows, key=lambda row: (-row[3], -row[2], row[0])))
