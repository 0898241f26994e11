"""Cross-validation: what a model would have said of groups it had not seen, and what that is worth."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from medwarden.inventory.labels.calibration import Calibration, calibration_error, fit_calibration
from medwarden.inventory.labels.example import LEARNT
from medwarden.inventory.labels.hierarchy import PATH_LEVELS, Hierarchy
from medwarden.inventory.labels.linear import Doubles, balanced, softmax, solve_levels, targets_of
from medwarden.inventory.labels.open_set import auroc
from medwarden.inventory.labels.rows import Row
from medwarden.inventory.labels.vocabulary import dense

_ABSENT = -1.0
"""Score of a label that a part of the cross-validation had no example of."""

_SHARPNESS = (2.0, 3.0, 4.0, 6.0, 8.0, 11.0, 16.0, 22.0, 32.0)
_JOINT = (0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.3)
_ENOUGH = 8

LOCAL_WEIGHT = 4.0
"""How much more an answer of the hospital counts than a shipped prototype."""

Figures = dict[str, dict[str, float | int | None]]


class Chosen(Protocol):
    """What of the settings of a training matters here."""

    @property
    def folds(self) -> int:
        """Return into how many parts groups are divided."""
        ...

    @property
    def strangers(self) -> float:
        """Return which share of the models is withheld from each part."""
        ...

    @property
    def ridge(self) -> float:
        """Return the regularisation."""
        ...


class Validated:
    """What cross-validation found: how sharp scores are, calibrations, and honest figures by level."""

    def __init__(
        self,
        sharpness: Mapping[str, float],
        joint_sharpness: float,
        calibrations: Mapping[str, Calibration],
        figures: Figures,
    ) -> None:
        self.sharpness = dict(sharpness)
        self.joint_sharpness = joint_sharpness
        self.calibrations = dict(calibrations)
        self.figures = figures


def part_of(group: str, seed: int, parts: int) -> int:
    """Return which of ``parts`` parts a group falls into: by a hash, so that others do not move it."""
    return zlib.crc32(f"{seed}/{group}".encode()) % parts


def row_weights(rows: Sequence[Row]) -> Doubles:
    """Return how much each row counts: its weight, evened out between kinds, more for a hospital's own."""
    kinds = [row.labels.get("category") or row.labels.get("model") or "" for row in rows]
    even = balanced(kinds, np.array([row.weight for row in rows], float))
    weights: Doubles = even * np.array([LOCAL_WEIGHT if row.local else 1.0 for row in rows])
    return weights


class _Scored:
    """Scores of all rows by models that had not seen their groups."""

    def __init__(self, rows: Sequence[Row], labels: Mapping[str, Sequence[str]]) -> None:
        self.labels = labels
        self.place = {level: {label: n for n, label in enumerate(known)} for level, known in labels.items()}
        self.scores = {level: np.full((len(rows), len(known)), _ABSENT) for level, known in labels.items()}
        self.seen: dict[str, npt.NDArray[np.bool_]] = {level: np.zeros(len(rows), bool) for level in labels}
        self.trained: list[npt.NDArray[np.intp]] = [np.empty(0, np.intp)] * len(rows)


def validate(rows: Sequence[Row], *, seed: int, settings: Chosen, width: int) -> Validated:
    """Return what cross-validation by groups says of a training on ``rows``."""
    labels = {level: sorted({r.labels[level] for r in rows if level in r.labels}) for level in LEARNT}
    labels = {level: known for level, known in labels.items() if known}
    matrix = dense([row.vector for row in rows], width)
    kernel = (matrix @ matrix.T).astype(np.float64)
    scored = _scored(rows, labels, kernel, seed, settings)
    sharpness = {level: _sharpness(rows, scored, level) for level in labels}
    sizes = {level: len(labels.get(level, ())) for level in PATH_LEVELS}
    paths = {
        tuple(scored.place.get(level, {}).get(row.labels.get(level, ""), -1) for level in PATH_LEVELS)
        for row in rows
    }
    hierarchy = Hierarchy(sorted(paths), sizes)
    best = min(
        (_loss(rows, scored, _answers(rows, scored, sharpness, hierarchy, joint)), joint) for joint in _JOINT
    )[1]
    answers = _answers(rows, scored, sharpness, hierarchy, best)
    similar = _similarities(rows, scored, kernel, answers)
    calibrations: dict[str, Calibration] = {}
    figures: Figures = {}
    for level in labels:
        judged = [n for n, row in enumerate(rows) if level in row.labels and len(scored.trained[n])]
        raw = [min(answers[level][n][1], similar[level][n]) for n in judged]
        right = [labels[level][answers[level][n][0]] == rows[n].labels[level] for n in judged]
        calibrations[level] = fit_calibration(list(zip(raw, right, strict=True)))
        figures[level] = _figures(rows, level, judged, raw, right, answers, scored)
    return Validated(sharpness, best, calibrations, figures)


def _scored(
    rows: Sequence[Row], labels: Mapping[str, list[str]], kernel: Doubles, seed: int, settings: Chosen
) -> _Scored:
    scored = _Scored(rows, labels)
    weights = row_weights(rows)
    parts = np.array([part_of(row.group, seed, settings.folds) if row.whole else -1 for row in rows])
    for part in range(settings.folds):
        tested = np.flatnonzero(parts == part)
        withheld = {
            model
            for model in labels.get("model", ())
            if part_of(f"withheld {part} {model}", seed, 1000) < settings.strangers * 1000
        }
        others = np.flatnonzero(parts != part).tolist()
        trained = np.array([n for n in others if rows[n].labels.get("model") not in withheld], np.intp)
        if len(tested) and len(trained):
            _fit_part(rows, scored, kernel, weights, trained, tested, settings.ridge)
    return scored


def _fit_part(
    rows: Sequence[Row],
    scored: _Scored,
    kernel: Doubles,
    weights: Doubles,
    trained: npt.NDArray[np.intp],
    tested: npt.NDArray[np.intp],
    ridge: float,
) -> None:
    wanted: dict[str, tuple[npt.NDArray[np.intp], Doubles]] = {}
    means: dict[str, Doubles] = {}
    for level, known in scored.labels.items():
        chosen = np.array([n for n in trained.tolist() if level in rows[n].labels], np.intp)
        if len(chosen):
            given = [rows[n].labels[level] for n in chosen.tolist()]
            targets, means[level] = targets_of(given, known, weights[chosen])
            wanted[level] = chosen, targets
    for level, dual in solve_levels(kernel, weights, ridge, wanted).items():
        known, chosen = scored.labels[level], wanted[level][0]
        scores = kernel[np.ix_(tested, chosen)] @ dual + means[level]
        there = {rows[n].labels[level] for n in chosen.tolist()}
        absent = [n for n, label in enumerate(known) if label not in there]
        scores[:, absent] = _ABSENT
        scored.scores[level][tested] = scores
        scored.seen[level][tested] = [rows[n].labels.get(level) in there for n in tested.tolist()]
    for n in tested.tolist():
        scored.trained[n] = trained


def _sharpness(rows: Sequence[Row], scored: _Scored, level: str) -> float:
    """Return the factor on scores under which the softmax gives true labels most probability."""
    judged = np.flatnonzero(scored.seen[level])
    if len(judged) < _ENOUGH:
        return 8.0
    truth = np.array([scored.place[level][rows[n].labels[level]] for n in judged.tolist()])
    weights = np.array([rows[n].weight for n in judged.tolist()])
    losses = []
    for sharp in _SHARPNESS:
        shares = softmax(sharp * scored.scores[level][judged])
        given = shares[np.arange(len(judged)), truth]
        losses.append((-float((weights * np.log(given + 1e-9)).sum()), sharp))
    return min(losses)[1]


Answers = dict[str, list[tuple[int, float]]]


def _answers(
    rows: Sequence[Row],
    scored: _Scored,
    sharpness: Mapping[str, float],
    hierarchy: Hierarchy,
    joint: float,
) -> Answers:
    none = np.zeros((len(rows), 0))
    sharp = {level: sharpness[level] * scores for level, scores in scored.scores.items()}
    answers: Answers = {level: [] for level in scored.labels}
    shares = hierarchy.joint({level: sharp.get(level, none) for level in PATH_LEVELS}, joint)
    for row in range(len(rows)):
        for level, chosen in hierarchy.choose(shares[row]).items():
            answers[level].append(chosen)
    if "os" in sharp:
        system = softmax(sharp["os"])
        best = system.argmax(axis=1)
        answers["os"] = [(int(place), float(system[n, place])) for n, place in enumerate(best)]
    return answers


def _loss(rows: Sequence[Row], scored: _Scored, answers: Answers) -> float:
    """Return the Brier loss of the answers of all levels of the hierarchy together."""
    loss = 0.0
    for level in PATH_LEVELS:
        for n, (place, probability) in enumerate(answers.get(level, ())):
            if level in rows[n].labels and len(scored.trained[n]):
                right = scored.labels[level][place] == rows[n].labels[level]
                loss += rows[n].weight * (probability - right) ** 2
    return loss


def _similarities(
    rows: Sequence[Row], scored: _Scored, kernel: Doubles, answers: Answers
) -> dict[str, list[float]]:
    """Return how near each row is to the training rows of the category (or model) it was called."""
    norms = np.sqrt(np.maximum(np.diag(kernel), 1e-12))
    similar: dict[str, list[float]] = {level: [] for level in scored.labels}
    kinds = _places(rows, scored, "category")
    models = _places(rows, scored, "model")
    for n in range(len(rows)):
        trained = scored.trained[n]
        kind = answers["category"][n][0] if "category" in answers else -1
        inside = trained[kinds[trained] == kind]
        near = kernel[n, inside] / (norms[n] * norms[inside])
        of_kind = float(near.max(initial=0.0))
        model = answers["model"][n][0] if "model" in answers else -1
        of_model = float(near[models[inside] == model].max(initial=0.0))
        for level in similar:
            similar[level].append(min(1.0, of_model if level == "model" else of_kind))
    return similar


def _places(rows: Sequence[Row], scored: _Scored, level: str) -> npt.NDArray[np.int64]:
    known = scored.place.get(level, {})
    return np.array([known.get(row.labels.get(level, ""), -1) for row in rows], np.int64)


def _figures(
    rows: Sequence[Row],
    level: str,
    judged: Sequence[int],
    raw: Sequence[float],
    right: Sequence[bool],
    answers: Answers,
    scored: _Scored,
) -> dict[str, float | int | None]:
    seen = [bool(scored.seen[level][n]) for n in judged]
    known = [r for r, s in zip(right, seen, strict=True) if s]
    labels = scored.labels[level]
    pairs = [
        (rows[n].labels[level], labels[answers[level][n][0]]) for n, s in zip(judged, seen, strict=True) if s
    ]
    plain = list(zip([answers[level][n][1] for n in judged], right, strict=True))
    lowered = list(zip(raw, right, strict=True))
    crossed = []
    for half in (0, 1):
        fitted = fit_calibration(lowered[1 - half :: 2])
        crossed += [(fitted(confidence), hit) for confidence, hit in lowered[half::2]]
    area = auroc(
        [1.0 - r for r, s in zip(raw, seen, strict=True) if not s],
        [1.0 - r for r, s in zip(raw, seen, strict=True) if s],
    )
    return {
        "n": len(judged),
        "accuracy": _rounded(sum(known) / len(known) if known else None),
        "macro_f1": _rounded(macro_f1(pairs)),
        "ece_before": _rounded(calibration_error(plain)),
        "ece": _rounded(calibration_error(crossed)),
        "never_seen": len(judged) - len(known),
        "open_set_auroc": _rounded(area),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def macro_f1(pairs: Sequence[tuple[str, str | None]]) -> float | None:
    """Return the mean F1 over the true labels of pairs (truth, answer); None without any."""
    if not pairs:
        return None
    truths = Counter(truth for truth, _ in pairs)
    given = Counter(answer for _, answer in pairs)
    hits = Counter(truth for truth, answer in pairs if truth == answer)
    return sum(2 * hits[label] / (count + given[label]) for label, count in truths.items()) / len(truths)
