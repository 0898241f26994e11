"""The figures of the replay bench: from cases to coverage, accuracy, calibration and their intervals.

Intervals come from resampling devices with replacement (bootstrap of Efron 1979, percentile form), never
cases: several captures of one device are not independent. Every resample is a weight per case, so that
all figures of all resamples are weighted counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from medwarden.inventory.score import (
    FURTHER,
    LEVELS,
    Case,
    given_label,
    quantile,
    seconds_to_category,
    true_label,
)
from medwarden.knowledge.taxonomy import UNKNOWN
from medwarden.model.score import (
    Bin,
    CaseRow,
    CategoryFigures,
    Confusion,
    Interval,
    JointFigures,
    LevelFigures,
    OpenSet,
    Refusal,
    ScoreReport,
    Times,
)

JOINT = ("class", "category", "vendor")
SAMPLES = 400
SEED = 4
_BINS = 10
_MOST_CONFUSIONS = 40
_NAMED = 5
_TELLING_TIMES = (0.0, 1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400, 172800)  # fmt: skip  # noqa: E501

_Weights = npt.NDArray[np.float64]
_Figures = Callable[[_Weights], dict[str, float | None]]


class Sampling(msgspec.Struct, frozen=True):
    """How often devices are resampled for the intervals, and with which seed; 0 samples: no intervals."""

    samples: int = SAMPLES
    seed: int = SEED


class _Column:
    """The answers of one level, in the order of cases: codes of labels (-1: abstained), and confidence."""

    def __init__(self, level: str, cases: Sequence[Case]) -> None:
        self.level = level
        codes: dict[str, int] = {}
        rows: list[tuple[int, int, int, float]] = []
        for place, case in enumerate(cases):
            truth = true_label(case, level)
            if truth is None:
                continue
            label, confidence = given_label(case, level)
            given = -1 if label is None else codes.setdefault(label, len(codes))
            rows.append((place, codes.setdefault(truth, len(codes)), given, confidence))
        self.places = np.array([row[0] for row in rows], np.int64)
        self.truth = np.array([row[1] for row in rows], np.int64)
        self.given = np.array([row[2] for row in rows], np.int64)
        self.confidence = np.array([row[3] for row in rows], np.float64)
        self.labels = list(codes)
        self.answered = self.given >= 0
        self.right = self.given == self.truth
        self._bins = np.minimum((self.confidence * _BINS).astype(np.int64), _BINS - 1)

    def figures(self, weights: _Weights) -> dict[str, float | None]:
        """Return the figures where each case counts as often as its weight says."""
        own = weights[self.places] if len(self.places) else np.zeros(0)
        total, answered = own.sum(), own[self.answered].sum()
        right = own[self.right].sum()
        return {
            "coverage": float(answered / total) if total else None,
            "accuracy": float(right / answered) if answered else None,
            "macro_f1": self._macro_f1(own) if total else None,
            "ece": self._calibration_error(own) if answered else None,
        }

    def _macro_f1(self, own: _Weights) -> float:
        size = len(self.labels)
        truths = np.bincount(self.truth, own, size)
        given = np.bincount(self.given[self.answered], own[self.answered], size)
        right = np.bincount(self.truth[self.right], own[self.right], size)
        there = truths > 0
        return float(np.mean(2 * right[there] / (truths[there] + given[there])))

    def _calibration_error(self, own: _Weights) -> float:
        some = self.answered
        sure = np.bincount(self._bins[some], own[some] * self.confidence[some], _BINS)
        right = np.bincount(self._bins[some], own[some] * self.right[some], _BINS)
        return float(np.abs(sure - right).sum() / own[some].sum())

    def bins(self) -> tuple[Bin, ...]:
        """Return the calibration curve: only stretches that hold answers."""
        found = []
        for number in range(_BINS):
            chosen = self.answered & (self._bins == number)
            count = int(chosen.sum())
            if count:
                found.append(
                    Bin(
                        number / _BINS,
                        (number + 1) / _BINS,
                        count,
                        float(self.confidence[chosen].mean()),
                        float(self.right[chosen].mean()),
                    )
                )
        return tuple(found)


class _Resampled:
    """Weights of cases for each resample of their devices."""

    def __init__(self, cases: Sequence[Case], sampling: Sampling) -> None:
        units: dict[str, int] = {}
        self._unit = np.array([units.setdefault(c.truth.mac, len(units)) for c in cases], np.int64)
        self.devices = len(units)
        self._sampling = sampling

    def intervals(self, figures: _Figures) -> dict[str, Interval]:
        """Return the middle 95 % of every figure over all resamples."""
        if not self.devices or not self._sampling.samples:
            return {}
        rng = np.random.default_rng(self._sampling.seed)
        seen: dict[str, list[float]] = defaultdict(list)
        for _ in range(self._sampling.samples):
            counts = np.bincount(rng.integers(0, self.devices, self.devices), minlength=self.devices)
            for name, value in figures(counts[self._unit].astype(np.float64)).items():
                if value is not None:
                    seen[name].append(value)
        return {name: _middle(values) for name, values in seen.items()}


def _middle(values: list[float]) -> Interval:
    low, high = np.quantile(np.array(values), (0.025, 0.975))
    return round(float(low), 4), round(float(high), 4)


def level_figures(level: str, cases: Sequence[Case], sampling: Sampling) -> LevelFigures:
    """Return the figures of one level over cases of known kinds."""
    column = _Column(level, cases)
    plain = column.figures(np.ones(len(cases)))
    return LevelFigures(
        level=level,
        n=len(column.places),
        answered=int(column.answered.sum()),
        correct=int(column.right.sum()),
        coverage=plain["coverage"],
        accuracy=plain["accuracy"],
        macro_f1=plain["macro_f1"],
        ece=plain["ece"],
        intervals=_Resampled(cases, sampling).intervals(column.figures),
        bins=column.bins(),
    )


def joint_figures(cases: Sequence[Case], sampling: Sampling) -> JointFigures:
    """Return how often class, category and vendor are all answered, and all right where they are.

    Levels that a row leaves blank are not judged; a row that leaves all three blank does not count.
    """
    judged, answered, right = [], [], []
    for case in cases:
        asked = [(true_label(case, level), given_label(case, level)[0]) for level in JOINT]
        asked = [(truth, given) for truth, given in asked if truth is not None]
        judged.append(bool(asked))
        answered.append(bool(asked) and all(given is not None for _, given in asked))
        right.append(bool(asked) and all(given == truth for truth, given in asked))
    n, told, correct = (np.array(flags, np.float64) for flags in (judged, answered, right))

    def figures(weights: _Weights) -> dict[str, float | None]:
        total, whole = weights @ n, weights @ told
        return {
            "coverage": float(whole / total) if total else None,
            "precision": float(weights @ correct / whole) if whole else None,
        }

    plain = figures(np.ones(len(cases)))
    return JointFigures(
        n=sum(judged),
        answered=sum(answered),
        correct=sum(right),
        coverage=plain["coverage"],
        precision=plain["precision"],
        intervals=_Resampled(cases, sampling).intervals(figures),
    )


def confusions(cases: Sequence[Case], levels: Sequence[str] = LEVELS) -> tuple[Confusion, ...]:
    """Return the wrong answers, the most frequent first."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for case in cases:
        for level in levels:
            truth, (given, _) = true_label(case, level), given_label(case, level)
            if truth is not None and given is not None and given != truth:
                found[level, truth, given].append(f"{case.truth.capture} {case.truth.mac}")
    ranked = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        Confusion(level, truth, given, len(named), tuple(named[:_NAMED]))
        for (level, truth, given), named in ranked[:_MOST_CONFUSIONS]
    )


def category_figures(cases: Sequence[Case]) -> tuple[CategoryFigures, ...]:
    """Return the figures of every category that is true or was answered, the most frequent first."""
    pairs = [
        (truth, given_label(case, "category")[0])
        for case in cases
        if (truth := true_label(case, "category")) is not None
    ]
    truths = Counter(truth for truth, _ in pairs)
    given = Counter(label for _, label in pairs if label is not None)
    right = Counter(truth for truth, label in pairs if truth == label)
    answered = Counter(truth for truth, label in pairs if label is not None)
    wrong: dict[str, Counter[str]] = defaultdict(Counter)
    for truth, label in pairs:
        if label is not None and label != truth:
            wrong[truth][label] += 1
    rows = []
    for name in sorted(truths | given, key=lambda name: (-truths[name], name)):
        n, called, hit = truths[name], given[name], right[name]
        rows.append(
            CategoryFigures(
                category=name,
                n=n,
                answered=answered[name],
                correct=hit,
                recall=hit / n if n else None,
                precision=hit / called if called else None,
                f1=2 * hit / (n + called),
                mistaken_for=wrong[name].most_common(1)[0][0] if wrong[name] else None,
            )
        )
    return tuple(rows)


def open_set(cases: Sequence[Case], sampling: Sampling) -> OpenSet:
    """Return how well low confidence tells devices of no known kind (category ``unknown``) from others.

    The area under the ROC curve is the share of pairs in which the stranger is less certain, ties half.
    """
    flags, sure, places = [], [], []
    for place, case in enumerate(cases):
        category = case.truth.labels.get("category", "")
        verdict = None if case.device is None else case.device.verdict("category")
        if category and verdict is not None:
            flags.append(category == UNKNOWN)
            sure.append(verdict.confidence)
            places.append(place)
    strange, confidence = np.array(flags, bool), np.array(sure, np.float64)
    where = np.array(places, np.int64)

    def figures(weights: _Weights) -> dict[str, float | None]:
        own = weights[where] if len(where) else np.zeros(0)
        return {"auroc": _area(confidence, strange, own)}

    area = figures(np.ones(len(cases)))["auroc"]
    if area is None:
        return OpenSet(int(strange.sum()), int((~strange).sum()), None)
    steps = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
    refusals = tuple(
        Refusal(s, float((confidence[~strange] >= s).mean()), float((confidence[strange] < s).mean()))
        for s in steps
    )
    bounds = _Resampled(cases, sampling).intervals(figures).get("auroc")
    return OpenSet(int(strange.sum()), int((~strange).sum()), area, bounds, refusals)


def _area(confidence: _Weights, strange: npt.NDArray[np.bool_], weights: _Weights) -> float | None:
    odd, plain = weights[strange].sum(), weights[~strange].sum()
    if not odd or not plain:
        return None
    values, group = np.unique(confidence, return_inverse=True)
    mine = np.bincount(group[strange], weights[strange], len(values))
    others = np.bincount(group[~strange], weights[~strange], len(values))
    above = others[::-1].cumsum()[::-1] - others
    return float((mine * (above + 0.5 * others)).sum() / (odd * plain))


def times(cases: Sequence[Case], seconds: Sequence[float | None]) -> Times:
    """Return the time to identify: quantiles over answered cases, the curve over all of them."""
    told = [value for value in seconds if value is not None]
    steps = [step for step in _TELLING_TIMES if not told or step <= max(told)]
    steps += [max(told)] if told and max(told) > steps[-1] else []
    curve = tuple((step, sum(value <= step for value in told) / len(cases)) for step in steps) if told else ()
    return Times(len(told), quantile(told, 0.5), quantile(told, 0.95), curve)


def measure(cases: Sequence[Case], sampling: Sampling = Sampling()) -> ScoreReport:  # noqa: B008 - frozen
    """Return everything that is measured of cases; devices must have been identified before."""
    known = [case for case in cases if case.truth.labels.get("category", "") != UNKNOWN]
    levels = [
        *LEVELS,
        *(name for name in FURTHER if any(case.truth.labels.get(name) for case in known)),
    ]
    seconds = [
        None if case.device is None else seconds_to_category(case.device, case.company) for case in cases
    ]
    return ScoreReport(
        cases=len(cases),
        found=sum(case.device is not None for case in cases),
        devices=len({case.truth.mac for case in cases}),
        levels=tuple(level_figures(level, known, sampling) for level in levels),
        joint=joint_figures(known, sampling),
        times=times(cases, seconds),
        open_set=open_set(cases, sampling),
        confusions=confusions(known, levels),
        categories=category_figures(known),
        samples=sampling.samples,
        seed=sampling.seed,
    )


def case_rows(cases: Sequence[Case]) -> list[CaseRow]:
    """Return every case with what was asked and answered, for a table of details."""
    rows = []
    for case in cases:
        device = case.device
        levels = tuple(case.truth.labels)
        given = {level: given_label(case, level) for level in levels}
        truth = {level: true_label(case, level) for level in levels}
        verdicts = {level: None if device is None else device.verdict(level) for level in levels}
        rows.append(
            CaseRow(
                capture=case.truth.capture,
                mac=case.truth.mac,
                found=device is not None,
                truth=case.truth.labels,
                given={level: None if (v := verdicts[level]) is None else v.label for level in levels},
                confidence={level: given[level][1] for level in levels},
                right={
                    level: None
                    if truth[level] is None or given[level][0] is None
                    else given[level][0] == truth[level]
                    for level in levels
                },
                seconds=None if device is None else seconds_to_category(device, case.company),
            )
        )
    return rows


def to_contract(report: ScoreReport) -> dict[str, object]:
    """Return the published figures of ``medwarden score --json``.

    ``{levels{class,category,vendor,model}{n, answered, correct, coverage, accuracy, macro_f1, ece},
    time_to_identify{p50,p95}, open_set{auroc}}``; figures that have nothing to stand on are None. Time to
    identify is in seconds of capture time until the category was answered, over answered cases.
    """
    names = ("n", "answered", "correct", "coverage", "accuracy", "macro_f1", "ece")
    return {
        "levels": {figures.level: {n: getattr(figures, n) for n in names} for figures in report.levels},
        "time_to_identify": {"p50": report.times.p50, "p95": report.times.p95},
        "open_set": {"auroc": report.open_set.auroc},
    }


def score(cases: Sequence[Case]) -> dict[str, object]:
    """Return the published figures without intervals and details."""
    return to_contract(measure(cases, Sampling(samples=0)))
