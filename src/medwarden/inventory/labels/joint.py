"""What an answer is worth that rules and model gave together, learnt on hospitals that neither knows.

The weights of rules are written with care for hospitals that nobody has seen, those of a model are bounded;
their sum is no share of right answers any more. Where a model has voted, and only there, the answer's
confidence is what such answers came to on simulated hospitals that were not trained on.
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


def voted(verdict: Verdict) -> bool:
    """Tell whether a model has voted at the level of a verdict."""
    return any(ballot.rule.startswith(MODEL_RULE) for ballot in verdict.ballots)


def fit_joint(outcomes: Mapping[str, Sequence[tuple[float, bool]]]) -> dict[str, Calibration]:
    """Return the calibrations of levels from answers (confidence, was it right); none for too few."""
    fitted = {level: fit_calibration(answers) for level, answers in outcomes.items()}
    return {level: each for level, each in sorted(fitted.items()) if each.raw}


def as_often_right(verdict: Verdict, calibration: Calibration | None) -> Verdict:
    """Return a verdict that a model voted on with a calibrated confidence; open where that is too low.

    The runner-up keeps its share of what the answer leaves.
    """
    before = verdict.confidence
    if calibration is None or verdict.label is None or before > MOST or not voted(verdict):
        return verdict
    after = round(min(calibration(before), MOST), 4)
    left = (1.0 - after) / (1.0 - before)
    return msgspec.structs.replace(
        verdict,
        label=verdict.label if after >= THRESHOLD else None,
        confidence=after,
        runner_up_confidence=round(min(verdict.runner_up_confidence * left, after), 4),
    )
