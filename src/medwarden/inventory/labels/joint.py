"""What an answer is worth that rules and model gave together, learnt on hospitals that neither knows.

The weights of rules are written with care for hospitals that nobody has seen, those of a model are bounded;
their sum is no share of right answers any more. An answer's confidence is what such answers came to on
simulated hospitals that were not trained on: by itself where a model has voted, and by itself where rules
alone have, which are more often right than they say. What rules alone say is raised less far: simulated
hospitals are kinder than real ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from medwarden.inventory.ballots import MODEL_RULE, THRESHOLD
from medwarden.inventory.labels.calibration import Calibration, fit_calibration
from medwarden.model.device import Verdict

MOST = 0.99
"""Most that calibration makes of an answer, and least with which an answer is left as it is: simulated
hospitals do not show mistakes that are rarer, and what people said lies beyond."""


MOST_BY_RULES = 0.95
"""Most that calibration makes of an answer that rules gave alone."""

TRUST_IN_SIMULATION = 0.5
"""How far the confidence of answers by rules alone is moved to what simulated hospitals say of them."""

CONTRADICTED = 0.05
"""Probability of the runner-up from which on rules contradict each other; such answers stay as they are."""

BY_RULES = " by rules"
"""What follows the level in the name of a calibration for answers that rules gave alone."""


def calibration_name(verdict: Verdict) -> str:
    """Return under which name the calibration of a verdict is kept."""
    return verdict.level if voted(verdict) else verdict.level + BY_RULES


def voted(verdict: Verdict) -> bool:
    """Tell whether a model has voted at the level of a verdict."""
    return any(ballot.rule.startswith(MODEL_RULE) for ballot in verdict.ballots)


def fit_joint(outcomes: Mapping[str, Sequence[tuple[float, bool]]]) -> dict[str, Calibration]:
    """Return the calibrations of levels from answers (confidence, was it right); none for too few."""
    fitted = {level: fit_calibration(answers) for level, answers in outcomes.items()}
    return {level: each for level, each in sorted(fitted.items()) if each.raw}


def as_often_right(verdict: Verdict, calibrations: Mapping[str, Calibration]) -> Verdict:
    """Return a verdict with a calibrated confidence; open where that is too low.

    The runner-up keeps its share of what the answer leaves. What rules alone say with more certainty than
    calibration may give stays as it is, and so does what they contradict each other on.
    """
    before, calibration = verdict.confidence, calibrations.get(calibration_name(verdict))
    by_rules = not voted(verdict)
    most, trust = (MOST_BY_RULES, TRUST_IN_SIMULATION) if by_rules else (MOST, 1.0)
    if calibration is None or verdict.label is None or before > most:
        return verdict
    if by_rules and verdict.runner_up_confidence > CONTRADICTED:
        return verdict
    after = round(min(before + trust * (calibration(before) - before), most), 4)
    left = (1.0 - after) / (1.0 - before)
    return msgspec.structs.replace(
        verdict,
        label=verdict.label if after >= THRESHOLD else None,
        confidence=after,
        runner_up_confidence=round(min(verdict.runner_up_confidence * left, after), 4),
    )
