"""Measuring identification against truth: coverage, accuracy, calibration, time to identify.

The truth is a table of devices in captures; each capture file that a row matches is one case. A case
counts as answered at a level when the device was found and the level did not abstain. Accuracy is over
answered cases, coverage over all; macro F1 is over the true labels, with an abstention counting as
missed; the expected calibration error is over ten bins of confidence.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import PurePath

import msgspec

from medwarden.inventory.labelling import identify
from medwarden.kernel.clock import NANOSECONDS
from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.makers import short_name
from medwarden.knowledge.taxonomy import UNKNOWN
from medwarden.model.device import Device

COLUMNS = ("capture", "mac", "class", "category", "vendor", "model")
LEVELS = ("class", "category", "vendor", "model")
_BINS = 10
_AWAY_NS = 3600 * NANOSECONDS


class Truth(msgspec.Struct, frozen=True):
    """What a row of labels says of one device; an empty label is not judged.

    ``capture`` is a file or folder: consecutive components anywhere in the path of an input.
    """

    capture: str
    mac: str
    labels: dict[str, str]


class Case(msgspec.Struct, frozen=True):
    """One device of the truth in one input, and what became of it (None: not found)."""

    path: str
    truth: Truth
    device: Device | None


class _Answer(msgspec.Struct, frozen=True):
    """One judged answer: the true and the given label in comparable form."""

    truth: str
    given: str | None
    confidence: float

    @property
    def right(self) -> bool:
        return self.given == self.truth


def read_labels(text: str, source: str) -> list[Truth]:
    """Return the rows of a label table (TSV with a header and the columns :data:`COLUMNS`).

    Raises ConfigurationError naming ``source`` and the line when a column or a value is missing.
    """
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    try:
        return _truths(rows, source)
    except csv.Error as error:
        raise ConfigurationError(f"{source}, line {rows.line_num}: not a table ({error})") from error


def _truths(rows: csv.DictReader[str], source: str) -> list[Truth]:
    absent = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if absent:
        raise ConfigurationError(
            f"{source}, line 1: the columns {', '.join(absent)} are missing in the header"
        )
    truths = []
    for row in rows:
        capture, mac = (row["capture"] or "").strip(), (row["mac"] or "").strip().lower()
        if not capture or not mac:
            raise ConfigurationError(f"{source}, line {rows.line_num}: capture and mac must be filled in")
        truths.append(Truth(capture, mac, {level: (row[level] or "").strip() for level in LEVELS}))
    return truths


def matches_capture(capture: str, path: str) -> bool:
    """Tell whether ``capture`` names ``path``: its components follow each other in the path."""
    wanted, parts = PurePath(capture).parts, PurePath(path).parts
    return any(parts[i : i + len(wanted)] == wanted for i in range(len(parts) - len(wanted) + 1))


def cases_of(path: str, devices: Sequence[Device], truths: Iterable[Truth]) -> list[Case]:
    """Return the cases that one input is: each row that names it, with the device of that MAC address."""
    by_mac = {mac: device for device in devices for mac in device.macs}
    return [Case(path, t, by_mac.get(t.mac)) for t in truths if matches_capture(t.capture, path)]


def comparable(level: str, label: str, vendor: str | None = None) -> str:
    """Return a label without letter case, punctuation, legal forms and, for models, the maker's name."""
    if level == "vendor":
        return re.sub(r"[^0-9a-z]", "", short_name(label).lower())
    if level != "model":
        return label.lower()
    plain = re.sub(r"[^0-9a-z]", "", label.lower())
    maker = re.sub(r"[^0-9a-z]", "", short_name(vendor or "").lower())
    return plain.removeprefix(maker) or plain


def _answers(level: str, cases: Iterable[Case]) -> list[_Answer]:
    answers = []
    for case in cases:
        wanted = case.truth.labels.get(level, "")
        if not wanted:
            continue
        given, confidence = None, 0.0
        verdict = None if case.device is None else case.device.verdict(level)
        if case.device is not None and verdict is not None and verdict.label is not None:
            given, confidence = comparable(level, verdict.label, case.device.vendor), verdict.confidence
        answers.append(_Answer(comparable(level, wanted, case.truth.labels.get("vendor")), given, confidence))
    return answers


def _figures(answers: list[_Answer]) -> dict[str, int | float | None]:
    answered = [a for a in answers if a.given is not None]
    correct = sum(a.right for a in answered)
    return {
        "n": len(answers),
        "answered": len(answered),
        "correct": correct,
        "coverage": len(answered) / len(answers) if answers else None,
        "accuracy": correct / len(answered) if answered else None,
        "macro_f1": _macro_f1(answers),
        "ece": _calibration_error(answered),
    }


def _macro_f1(answers: list[_Answer]) -> float | None:
    if not answers:
        return None
    truths = Counter(a.truth for a in answers)
    given = Counter(a.given for a in answers)
    right = Counter(a.truth for a in answers if a.right)
    return sum(2 * right[label] / (count + given[label]) for label, count in truths.items()) / len(truths)


def _calibration_error(answered: list[_Answer]) -> float | None:
    if not answered:
        return None
    bins: dict[int, list[_Answer]] = {}
    for answer in answered:
        bins.setdefault(min(int(answer.confidence * _BINS), _BINS - 1), []).append(answer)
    gaps = (abs(sum(a.confidence for a in group) - sum(a.right for a in group)) for group in bins.values())
    return sum(gaps) / len(answered)


def seconds_to_category(device: Device) -> float | None:
    """Return how many seconds after it was first seen the evidence sufficed for the category of today.

    The device is judged again with what had been heard by each moment at which a piece of the deciding
    evidence first appeared. A silence of more than an hour does not count: the device was away, or one
    capture ended and another began. None for a device whose category is open.
    """
    verdict = device.verdict("category")
    if verdict is None or verdict.label is None:
        return None
    telling = {(b.evidence_field, b.evidence_value) for b in verdict.ballots}
    moments = {e.first_seen for e in device.ledger if (e.field, e.value) in telling} | {device.first_seen}
    if any(field.startswith(("flow.", "dicom.")) for field, _ in telling):
        moments |= {s.first_seen for s in device.services} | {c.first_seen for c in device.conversations}
        moments |= {e.first_seen for e in device.ledger if e.field.startswith("dicom.")}
    for moment in sorted(moments):
        if identify(_as_of(device, moment)).category == verdict.label:
            return _seconds_heard(device, moment)
    return _seconds_heard(device, device.last_seen)


def _seconds_heard(device: Device, until: int) -> float:
    """Return the time from the first sign of the device to ``until`` without its long silences."""
    signs = {device.first_seen, until}
    for entry in device.ledger:
        signs |= {entry.first_seen, entry.last_seen}
    for talk in device.conversations:
        signs |= {talk.first_seen, talk.last_seen}
    ordered = sorted(sign for sign in signs if device.first_seen <= sign <= until)
    gaps = (later - earlier for earlier, later in pairwise(ordered))
    return sum(gap for gap in gaps if gap <= _AWAY_NS) / NANOSECONDS


def _as_of(device: Device, moment: int) -> Device:
    return msgspec.structs.replace(
        device,
        ledger=tuple(e for e in device.ledger if e.first_seen <= moment),
        services=tuple(s for s in device.services if s.first_seen <= moment),
        conversations=tuple(c for c in device.conversations if c.first_seen <= moment),
    )


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value at ``share`` (0 to 1) of the sorted values, interpolated; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _open_set(cases: Iterable[Case]) -> float | None:
    """Return the area under the ROC curve of telling devices of no known kind by low confidence.

    Rows whose category is ``unknown`` are such devices; None where there are none, or no others.
    """
    strange: list[float] = []
    known: list[float] = []
    for case in cases:
        category = case.truth.labels.get("category", "")
        verdict = None if case.device is None else case.device.verdict("category")
        if category and verdict is not None:
            (strange if category == UNKNOWN else known).append(1.0 - verdict.confidence)
    if not strange or not known:
        return None
    wins = sum((s > k) + 0.5 * (s == k) for s in strange for k in known)
    return wins / (len(strange) * len(known))


def score(cases: Sequence[Case]) -> dict[str, object]:
    """Return the published figures of ``medwarden score --json`` for these cases.

    ``{levels{class,category,vendor,model}{n, answered, correct, coverage, accuracy, macro_f1, ece},
    time_to_identify{p50,p95}, open_set{auroc}}``; figures that have nothing to stand on are None. Time to
    identify is in seconds of capture time until the category was answered, over answered cases.
    """
    known = [case for case in cases if case.truth.labels.get("category", "") != UNKNOWN]
    times = [
        seconds
        for case in cases
        if case.device is not None and (seconds := seconds_to_category(case.device)) is not None
    ]
    return {
        "levels": {level: _figures(_answers(level, known)) for level in LEVELS},
        "time_to_identify": {"p50": quantile(times, 0.5), "p95": quantile(times, 0.95)},
        "open_set": {"auroc": _open_set(cases)},
    }
