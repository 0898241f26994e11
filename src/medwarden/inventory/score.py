"""Measuring identification against truth: the table of truth, the cases, and how long an answer took.

The truth is a table of devices in captures; each capture file that a row matches is one case. A case
counts as answered at a level when the device was found and the level did not abstain. Accuracy is over
answered cases, coverage over all; macro F1 is over the true labels, with an abstention counting as
missed; the expected calibration error is over ten bins of confidence. The figures themselves are
:mod:`medwarden.inventory.score_figures`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from pathlib import PurePath

import msgspec

from medwarden.inventory.ballots import lineage
from medwarden.inventory.company import Company
from medwarden.inventory.labelling import identify
from medwarden.kernel.clock import NANOSECONDS
from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.makers import short_name
from medwarden.model.device import Device

COLUMNS = ("capture", "mac", "class", "category", "vendor", "model")
LEVELS = ("class", "category", "vendor", "model")
FURTHER = ("os", "firmware")
"""Columns a table of labels may have beside the others; where it has them they are measured too."""

_AWAY_NS = 3600 * NANOSECONDS


class Truth(msgspec.Struct, frozen=True):
    """What a row of labels says of one device; an empty label is not judged.

    ``capture`` is a file or folder: consecutive components anywhere in the path of an input.
    """

    capture: str
    mac: str
    labels: dict[str, str]


class Case(msgspec.Struct, frozen=True):
    """One device of the truth in one input, and what became of it (None: not found).

    ``company`` are the devices of the same input that its kind may be told by.
    """

    path: str
    truth: Truth
    device: Device | None
    company: Company | None = None


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
    heads = rows.fieldnames or ()
    absent = [name for name in COLUMNS if name not in heads]
    if absent:
        raise ConfigurationError(
            f"{source}, line 1: the columns {', '.join(absent)} are missing in the header"
        )
    levels = (*LEVELS, *(name for name in FURTHER if name in heads))
    truths = []
    for row in rows:
        capture, mac = (row["capture"] or "").strip(), (row["mac"] or "").strip().lower()
        if not capture or not mac:
            raise ConfigurationError(f"{source}, line {rows.line_num}: capture and mac must be filled in")
        truths.append(Truth(capture, mac, {level: (row[level] or "").strip() for level in levels}))
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


def given_label(case: Case, level: str) -> tuple[str | None, float]:
    """Return what was answered at a level in comparable form, and how sure; (None, 0) where it abstained.

    An operating system that is the general kind of the true one (Linux for Debian) counts as the true one.
    """
    verdict = None if case.device is None else case.device.verdict(level)
    if case.device is None or verdict is None or verdict.label is None:
        return None, 0.0
    label, truth = verdict.label, case.truth.labels.get(level, "")
    if level == "os" and label in lineage(truth):
        label = truth
    return comparable(level, label, case.device.vendor), verdict.confidence


def true_label(case: Case, level: str) -> str | None:
    """Return what is true at a level in comparable form, None where it is not judged."""
    wanted = case.truth.labels.get(level, "")
    return comparable(level, wanted, case.truth.labels.get("vendor")) if wanted else None


def seconds_to_category(
    device: Device,
    company: Company | None = None,
    right: Collection[str] | None = None,
    *,
    silences: bool = False,
) -> float | None:
    """Return how many seconds after it was first seen the evidence sufficed for the category of today.

    The device is judged again with what had been heard by moments at which something new was heard, which
    are halved until the first that suffices is found; so a device costs a dozen judgements, however much
    it said, and the answer is a moment from which on the evidence sufficed. Of other devices that counts
    which had used the same services by then; what those are is taken as it is known today. A silence of
    more than an hour does not count: the device was away, or one capture ended and another began; with
    ``silences`` it does. None for a device whose category is open.

    ``right`` names the categories that count, such as the true one and its general kind; without it the one
    of today counts. None for a device that is told to be something else today.
    """
    verdict = device.verdict("category")
    if verdict is None or verdict.label is None or verdict.label not in (right or (verdict.label,)):
        return None
    counting = right or (verdict.label,)
    moments = sorted({m for m in _moments(device) if m >= device.first_seen} | {device.first_seen})
    low, high = 0, len(moments)
    while low < high:
        middle = 0 if low == 0 and high == len(moments) else (low + high) // 2
        if _category_at(device, company, moments[middle]) in counting:
            high = middle
        else:
            low = middle + 1
    until = moments[low] if low < len(moments) else device.last_seen
    return (until - device.first_seen) / NANOSECONDS if silences else _seconds_heard(device, until)


def category_after(device: Device, company: Company | None, seconds: float) -> str | None:
    """Return the category a device was told to be that long after it was first seen, None while it was open.

    Of other devices that counts which had used the same services by then, as in :func:`seconds_to_category`.
    """
    return _category_at(device, company, device.first_seen + round(seconds * NANOSECONDS))


def _category_at(device: Device, company: Company | None, moment: int) -> str | None:
    then = None if company is None else company.as_of(moment)
    return identify(_as_of(device, moment), company=then).category


def _moments(device: Device) -> set[int]:
    """Return when something was heard of a device for the first time that could change what it is called."""
    firsts = {entry.first_seen for entry in device.ledger} | {s.first_seen for s in device.services}
    heard: dict[tuple[str, str, int, bool], int] = {}
    for talk in device.conversations:
        kind = (talk.role, talk.transport, talk.port, talk.established)
        heard[kind] = min(talk.first_seen, heard.get(kind, talk.first_seen))
    return firsts | set(heard.values())


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
