"""Weighing votes: from ballots to one answer per level, or to abstaining.

The weight of a ballot is the logarithm of the odds that such a rule is right. Votes for one label add
up, the second and further ones at a discount because evidence of one device is rarely independent. A
label's probability is its share of the odds of all labels and of "something else", which has odds of
one; so a single vote of a rule that is right in 85 % of cases gives 0.85, and a dissenting vote lowers it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

import msgspec

from medwarden.model.device import Ballot, Verdict

THRESHOLD = 0.6
"""Least probability with which a level is answered; below it the level abstains."""

_DISCOUNT = 0.4
_MOST_BALLOTS = 12
_CERTAIN = 7.0
"""Most that votes come to together; only a vote that is heavier by itself, a person's, counts beyond."""

MODEL_RULE = "model:"
"""Start of the rule of every vote that a trained model gives; its version follows."""

_PARENTS = {
    "Windows Server": "Windows",
    "Windows CE": "Windows",
    "Windows Embedded": "Windows",
    "Debian": "Linux",
    "Raspberry Pi OS": "Debian",
    "Ubuntu": "Linux",
    "Red Hat Enterprise Linux": "Linux",
    "Embedded Linux": "Linux",
    "Android": "Linux",
    "IGEL OS": "Linux",
    "webOS": "Linux",
    "ChromeOS": "Linux",
    "Cisco IOS XE": "Cisco IOS",
    "iPadOS": "iOS",
}
"""Operating systems that are a kind of another one: a vote for the general one supports the special one."""


_KINDS = {
    "label_printer": "printer",
    "dicom_printer": "printer",
    "nvr": "ip_camera",
    "telemetry": "patient_monitor",
    "vitals_monitor": "patient_monitor",
    "fetal_monitor": "patient_monitor",
    "syringe_pump": "infusion_pump",
    "pca_pump": "infusion_pump",
    "xray_mobile": "xray_fixed",
    "c_arm": "angiography",
    "vna": "pacs",
    "hvac": "bms_controller",
    "fire_panel": "bms_controller",
    "elevator": "bms_controller",
    "med_gas": "bms_controller",
    "power_meter": "plc",
    "laptop": "workstation",
    "medical_cart": "workstation",
    "dicom_workstation": "workstation",
    "tablet": "smartphone",
    "rugged_handheld": "smartphone",
    "domain_controller": "server",
    "hypervisor": "server",
    "ehr_server": "server",
    "interface_engine": "server",
    "infusion_server": "server",
    "lis": "server",
    "pacs": "server",
    "mwl_ris": "server",
    "device_gateway": "server",
    "alarm_management": "server",
}
"""Categories that look like a more general one from outside."""

_WELL_FOUNDED = 1.7
"""Least score (one vote of a rule that is likely right) with which a special kind may claim such votes."""


def ballot_key(level: str, label: str) -> str:
    """Return what two labels of one level must share to count as the same answer."""
    return _letters(label) if level in ("model", "vendor") else label


@lru_cache(maxsize=8192)
def _letters(label: str) -> str:
    return re.sub(r"[^0-9a-z]", "", label.lower())


class _Side(msgspec.Struct):
    """All votes for one label."""

    label: str
    ballots: list[Ballot]
    support: float = 0.0

    def score(self) -> float:
        independent: dict[tuple[str, str], float] = {}
        for ballot in self.ballots:
            if ballot.rule.startswith(MODEL_RULE):  # its ballots are parts of one vote
                independent[ballot.rule, ""] = independent.get((ballot.rule, ""), 0.0) + ballot.weight
                continue
            key = ballot.rule, ballot.evidence_field
            independent[key] = max(ballot.weight, independent.get(key, 0.0))
        weights = sorted(independent.values(), reverse=True)
        total = sum(weight * _DISCOUNT**place for place, weight in enumerate(weights))
        certain = max(weights, default=0.0)
        return max(min(total + self.support, _CERTAIN), certain)


def decide(level: str, ballots: Iterable[Ballot], threshold: float = THRESHOLD) -> Verdict:
    """Return the verdict of ``ballots`` at ``level``; label None when nothing is probable enough."""
    sides: dict[str, _Side] = {}
    for ballot in ballots:
        key = ballot_key(level, ballot.label)
        side = sides.get(key)
        if side is None:
            side = sides[key] = _Side(ballot.label, [])
        side.ballots.append(ballot)
    if not sides:
        return Verdict(level, None, 0.0)
    if level == "os":
        _support_special(sides)
    elif level == "model":
        _support_longer(sides)
    elif level == "category":
        _support_kinds(sides)
    scores = {key: side.score() for key, side in sides.items()}
    total = 1.0 + sum(math.exp(score) for score in scores.values())
    ranked = sorted(sides, key=lambda key: (-scores[key], sides[key].label))
    first = sides[ranked[0]]
    first.ballots.sort(key=_place)
    probability = math.exp(scores[ranked[0]]) / total
    if level == "category" and probability < threshold:
        together = {key: math.exp(score) / total for key, score in scores.items()}
        climbed = _kind_of_several(together, threshold)
        if climbed is not None:
            kept = [b for key in ranked for b in sorted(sides[key].ballots, key=_place)]
            return Verdict(
                level=level,
                label=climbed[0],
                confidence=round(climbed[1], 4),
                runner_up=next((key for key in ranked if key != climbed[0]), None),
                runner_up_confidence=round(max(p for k, p in together.items() if k != climbed[0]), 4),
                ballots=tuple(kept[:_MOST_BALLOTS]),
            )
    second = ranked[1] if len(ranked) > 1 else None
    kept = [b for key in ranked for b in sorted(sides[key].ballots, key=_place)]
    return Verdict(
        level=level,
        label=_spelling(first.ballots) if probability >= threshold else None,
        confidence=round(probability, 4),
        runner_up=None if second is None else sides[second].label,
        runner_up_confidence=0.0 if second is None else round(math.exp(scores[second]) / total, 4),
        ballots=tuple(kept[:_MOST_BALLOTS]),
    )


def _place(ballot: Ballot) -> tuple[float, str, str, str]:
    """Return where a vote stands among those for its label: the same in whatever order evidence came."""
    return -ballot.weight, ballot.rule, ballot.evidence_value, ballot.evidence_field


_IS_A = {
    "syringe_pump": "infusion_pump",
    "pca_pump": "infusion_pump",
    "enteral_pump": "infusion_pump",
    "label_printer": "printer",
    "telemetry": "patient_monitor",
    "ultrasound_handheld": "ultrasound",
    "laptop": "workstation",
}
"""Categories that are a kind of another one (pumps: 21 CFR 880.5725), not only like it from outside."""


def is_kind_of(category: str, answer: str) -> bool:
    """Tell whether an answer is a category itself or the kind that it is one of."""
    return answer == category or _IS_A.get(category) == answer


def _kind_of_several(probabilities: dict[str, float], threshold: float) -> tuple[str, float] | None:
    """Return the kind that several open answers are all kinds of, where they are probable enough together."""
    sums: dict[str, float] = {}
    for category, probability in probabilities.items():
        kind = _IS_A.get(category, category)
        sums[kind] = sums.get(kind, 0.0) + probability
    kind = max(sums, key=lambda k: (sums[k], k))
    return (kind, sums[kind]) if sums[kind] >= threshold else None


def _spelling(ballots: list[Ballot]) -> str:
    """Return the label as the weightiest ballot spells it."""
    return ballots[0].label


def _support_special(sides: dict[str, _Side]) -> None:
    """Let votes for Linux support Debian instead of contradicting it."""
    _absorb(sides, lambda special, general: general in lineage(special))


def _support_kinds(sides: dict[str, _Side]) -> None:
    """Let votes for a printer support a label printer, where that is well founded by itself."""
    firm = {key for key, side in sides.items() if key in _KINDS and side.score() >= _WELL_FOUNDED}
    if firm:
        _absorb(sides, lambda special, general: special in firm and general in general_kinds(special))


def general_kinds(kind: str) -> list[str]:
    """Return the categories that a category is a kind of from outside, the nearest first."""
    kinds: list[str] = []
    while kind in _KINDS:
        kind = _KINDS[kind]
        kinds.append(kind)
    return kinds


def _support_longer(sides: dict[str, _Side]) -> None:
    """Let votes for ``DCS-930`` support ``DCS-930L``, and ``PM5560`` ``PowerLogic PM5560``."""
    _absorb(
        sides,
        lambda longer, shorter: (
            (len(shorter) > 2 and longer.startswith(shorter))
            or (len(shorter) > 3 and longer.endswith(shorter))
        ),
    )


def _absorb(sides: dict[str, _Side], special: Callable[[str, str], bool]) -> None:
    for general in sorted(sides, key=len):
        heirs = [key for key in sides if key != general and special(key, general)]
        if heirs:
            given = sides.pop(general).score() * _DISCOUNT
            for heir in heirs:
                sides[heir].support += given


def lineage(label: str) -> list[str]:
    """Return the systems that an operating system is a kind of, the nearest first."""
    ancestors: list[str] = []
    while label in _PARENTS:
        label = _PARENTS[label]
        ancestors.append(label)
    return ancestors
