"""The model that was trained: its opinion of a device, as votes with their reasons.

An opinion is a probability per level from the joint hierarchy, lowered where nothing in the training
data looks like the device (open set), and calibrated. It is handed on as ballots whose weights add up to
the log-odds of the calibrated probability, shared among the pieces of evidence as the linear scores add
up, so that the explanation is the model itself and not a story about it. What a device declares
outranks it: its weight is bounded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from medwarden.inventory.ballots import MODEL_RULE
from medwarden.inventory.labels.calibration import Calibration
from medwarden.inventory.labels.example import LEARNT, pieces_of
from medwarden.inventory.labels.hierarchy import PATH_LEVELS, Hierarchy
from medwarden.inventory.labels.joint import BY_RULES
from medwarden.inventory.labels.linear import softmax
from medwarden.inventory.labels.model_file import Arrays, digest_of, pack, unpack
from medwarden.inventory.labels.nearest import Nearest
from medwarden.inventory.labels.rule_trust import Record, RuleTrust, add_records
from medwarden.inventory.labels.tokens import behaviour_of
from medwarden.inventory.labels.vocabulary import DONE, Reading, Vector, Vocabulary
from medwarden.kernel.errors import MalformedInput
from medwarden.model.device import Ballot, Device

FORMAT = 1
MOST_WEIGHT = math.log(0.9 / 0.1)
"""Most that a model's opinion weighs at a level: less than one declaration of the device itself."""

REST_FIELD = "model.rest"
BEHAVIOUR_FIELD = "flow.behaviour"

_LEAST = 0.7
_SHOWN = 3
_FEWEST_TOKENS = 100
_LEAST_KNOWN = 0.75
"""Least share of what a device says that training must have heard: 1 % of the devices of simulated hospitals
say less of it, nine in ten captures of other makers' devices do (docs/benchmarks-identity.md)."""


class Head(msgspec.Struct, frozen=True):
    """What a model knows of one level: its labels, how sharp its scores are, and its calibration."""

    level: str
    labels: tuple[str, ...]
    sharpness: float
    calibration: Calibration = Calibration()


class About(msgspec.Struct, frozen=True):
    """Everything of a model but its arrays. ``card`` tells of data, split, metrics and seed.

    ``joint`` says by level how often rules and model together are right (``joint.py``);
    ``local`` is how many of the prototypes, the last ones, are the hospital's own; ``own_rules`` are the
    records of rules on those.
    """

    format: int
    heads: tuple[Head, ...]
    sharpness: float
    lengths: tuple[float, float, float]
    rules: dict[str, Record]
    card: dict[str, Any]
    local: int = 0
    own_rules: dict[str, Record] = {}
    joint: dict[str, Calibration] = {}


class Opinion(msgspec.Struct, frozen=True):
    """What a model thinks at one level.

    ``probability`` is that of the joint hierarchy, ``similarity`` (0 to 1) how near the nearest training
    device of that kind is, ``confidence`` the calibrated share of such answers that are right. ``reasons``
    (evidence field, value, amount) are what each of the ``pieces`` of evidence adds to the label's score,
    weightiest first; all of them and ``bias`` add up to ``score``. Not all reasons need be there.
    ``tokens`` is how many tokens of the device the model knows, ``known`` which share of what it says.
    """

    level: str
    label: str
    probability: float
    similarity: float
    confidence: float
    score: float
    bias: float
    pieces: int
    tokens: int
    known: float
    reasons: tuple[tuple[str, str, float], ...] = ()

    @property
    def openness(self) -> float:
        """Return how much speaks for a kind that was never seen: 1 - p or 1 - similarity."""
        return max(1.0 - self.probability, 1.0 - self.similarity)


class LabelModel:
    """A trained model; :meth:`judge` gives its votes. It never changes once it is made."""

    def __init__(self, about: About, arrays: Arrays, data: bytes | None = None) -> None:
        self.about = about
        self.arrays = arrays
        self.vocabulary = Vocabulary(arrays["numbers"], arrays["rarity"], arrays["part"], about.lengths)
        self.trust = RuleTrust(add_records(about.rules, about.own_rules))
        self._heads = {head.level: head for head in about.heads}
        self._span: dict[str, slice] = {}
        start = 0
        for head in about.heads:
            self._span[head.level] = slice(start, start + len(head.labels))
            start += len(head.labels)
        sizes = {level: len(self.labels(level)) for level in PATH_LEVELS}
        self.hierarchy = Hierarchy(arrays["paths"].tolist(), sizes)
        self._data = data

    def to_bytes(self) -> bytes:
        """Return the model as one file: arrays and JSON, sealed by a digest."""
        return self._packed

    @cached_property
    def _packed(self) -> bytes:
        if self._data is not None:
            return self._data
        return pack(msgspec.json.encode(self.about, order="deterministic"), self.arrays)

    @staticmethod
    def from_bytes(data: bytes, source: str = "model") -> LabelModel:
        """Return the model in a file. Raises MalformedInput naming ``source`` for any other bytes."""
        raw, arrays = unpack(data, source)
        try:
            about = msgspec.json.decode(raw, type=About)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
            raise MalformedInput(source, f"the description of the model does not hold ({error})") from error
        problem = _problem(about, arrays)
        if problem:
            raise MalformedInput(source, problem)
        return LabelModel(about, arrays, data)

    @cached_property
    def digest(self) -> str:
        """Return the digest that seals the model's file, in hexadecimal."""
        return digest_of(self._packed)

    @property
    def version(self) -> str:
        """Return the first eight digits of the digest: how votes and pages name the model."""
        return self.digest[:8]

    def calibrated(self, joint: Mapping[str, Calibration]) -> LabelModel:
        """Return the model with other calibrations of what rules and model say together, by level."""
        return LabelModel(msgspec.structs.replace(self.about, joint=dict(joint)), self.arrays)

    def labels(self, level: str) -> tuple[str, ...]:
        """Return the labels that the model knows at a level."""
        head = self._heads.get(level)
        return () if head is None else head.labels

    @cached_property
    def prototypes(self) -> list[Vector]:
        """Return the training devices kept in the model, as vectors."""
        start, signed = self.arrays["start"], self.arrays["signed"]
        kept = []
        for first, last in zip(start[:-1].tolist(), start[1:].tolist(), strict=True):
            tokens = signed[first:last].astype(np.int32)
            kept.append(self.vocabulary.weighed(np.abs(tokens) - 1, np.sign(tokens).astype(np.float32)))
        return kept

    @cached_property
    def _nearest(self) -> Nearest:
        known = self.arrays["known"]
        kinds = known[:, LEARNT.index("category")]
        return Nearest(self.prototypes, kinds, known[:, LEARNT.index("model")], len(self.vocabulary))

    def opinions(
        self, device: Device, own: Device | None = None, reasons: int | None = None
    ) -> list[Opinion]:
        """Return what the model thinks at each level it knows, the general levels first.

        ``own`` is the device with its own words only, where that is known already; ``reasons`` is how
        many of them are wanted, all where None.
        """
        return self._opinions(*self._read(device, own), reasons)

    def _read(
        self, device: Device, own: Device | None
    ) -> tuple[Reading, list[tuple[str, str]], tuple[tuple[str, float], ...]]:
        pieces = pieces_of(device, own)
        behaviour = behaviour_of(device)
        reading = self.vocabulary.read([(p.field, p.normal) for p in pieces], behaviour)
        return reading, [(p.field, p.value) for p in pieces], behaviour

    def opinions_of(
        self, entries: Sequence[tuple[str, str]], behaviour: Sequence[tuple[str, float]]
    ) -> list[Opinion]:
        """Return what the model thinks of an example's normalised evidence."""
        reading = self.vocabulary.read(entries, behaviour)
        return self._opinions(reading, entries, behaviour, None)

    def _opinions(
        self,
        reading: Reading,
        entries: Sequence[tuple[str, str]],
        behaviour: Sequence[tuple[str, float]],
        reasons: int | None,
        above: float = -1.0,
    ) -> list[Opinion]:
        """Return the opinions with a confidence ``above`` that much; reasons cost more than the rest."""
        if not len(reading.columns) or not self.about.heads:
            return []
        rows = self.arrays["weights"].take(reading.columns, 0).astype(np.float32)
        bias = self.arrays["bias"]
        scores = ((reading.values @ rows) * self.arrays["scale"] + bias).astype(np.float64)
        chosen = self._chosen(scores)
        kind = chosen["category"][0] if "category" in chosen else -1
        of_kind, of_model = self._nearest.similarities(
            reading, kind, chosen["model"][0] if "model" in chosen else -1
        )
        confidences: dict[str, float] = {}
        opinions = []
        for level, (place, probability) in chosen.items():
            head = self._heads[level]
            similarity = of_model if level == "model" else of_kind
            confidence = head.calibration(min(probability, similarity))
            for general in _ABOVE[level]:
                confidence = min(confidence, confidences.get(general, 1.0))
            confidences[level] = confidence
            if confidence <= above:
                continue
            column = self._span[level].start + place
            adds = reading.values * rows[:, column] * self.arrays["scale"][column]
            amounts = reading.by_piece(adds, len(entries) + len(behaviour))
            opinions.append(
                Opinion(
                    level,
                    head.labels[place],
                    probability,
                    similarity,
                    confidence,
                    float(bias[column]) + float(amounts.sum()),
                    float(bias[column]),
                    len(amounts),
                    len(reading.columns),
                    reading.known,
                    _reasons(amounts, entries, behaviour, reasons),
                )
            )
        return opinions

    def _chosen(self, scores: npt.NDArray[np.float64]) -> dict[str, tuple[int, float]]:
        sharp = {
            level: self._heads[level].sharpness * scores[None, span] for level, span in self._span.items()
        }
        chosen: dict[str, tuple[int, float]] = {}
        if len(self.hierarchy.paths):
            empty = np.zeros((1, 0))
            levels = {level: sharp.get(level, empty) for level in PATH_LEVELS}
            chosen |= self.hierarchy.choose(self.hierarchy.joint(levels, self.about.sharpness)[0])
        if self.labels("os"):
            shares = softmax(sharp["os"])[0]
            chosen["os"] = int(shares.argmax()), float(shares.max())
        return chosen

    def judge(self, device: Device, own: Device | None = None) -> list[Ballot]:
        """Return the model's votes on a device: those it is more likely right than wrong with.

        The weights of the ballots of one level add up to the log-odds of its confidence, at most
        :data:`MOST_WEIGHT`; the weightiest pieces of evidence have a ballot each, all others one together.
        A device gets none of which hardly a token is known, or that says much that training never heard.
        """
        reading, entries, behaviour = self._read(device, own)
        if len(reading.columns) < _FEWEST_TOKENS or reading.known < _LEAST_KNOWN:
            return []
        votes: list[Ballot] = []
        for opinion in self._opinions(reading, entries, behaviour, _SHOWN, _LEAST):
            votes += ballots_of(opinion, self._rule)
        return votes

    @cached_property
    def _rule(self) -> str:
        return f"{MODEL_RULE}{self.version}"


_ABOVE: Mapping[str, tuple[str, ...]] = {
    "class": (),
    "category": ("class",),
    "vendor": (),
    "model": ("category", "vendor"),
    "os": (),
}


def ballots_of(opinion: Opinion, rule: str) -> list[Ballot]:
    """Return an opinion as votes; their weights add up to the weight of the whole."""
    certain = min(opinion.confidence, 1.0 - 1e-9)
    whole = min(math.log(certain / (1.0 - certain)), MOST_WEIGHT)
    total = opinion.score - opinion.bias
    shown = [reason for reason in opinion.reasons[:_SHOWN] if reason[2] > 0.0] if total > 0.0 else []
    votes = [
        Ballot(opinion.level, opinion.label, whole * amount / total, rule, field, value)
        for field, value, amount in shown
    ]
    rest = whole - sum(vote.weight for vote in votes)
    others = opinion.pieces - len(shown)
    words = f"{others} more pieces of evidence together"
    return [*votes, Ballot(opinion.level, opinion.label, rest, rule, REST_FIELD, words)]


def _reasons(
    amounts: npt.NDArray[np.float64],
    entries: Sequence[tuple[str, str]],
    behaviour: Sequence[tuple[str, float]],
    most: int | None,
) -> tuple[tuple[str, str, float], ...]:
    first = np.argsort(-amounts, kind="stable")[:most].tolist()
    return tuple(
        (*(entries[i] if i < len(entries) else _behaved(*behaviour[i - len(entries)])), float(amounts[i]))
        for i in first
    )


def _behaved(name: str, amount: float) -> tuple[str, str]:
    return BEHAVIOUR_FIELD, f"{name}: {amount:g}"


def _problem(about: About, arrays: Arrays) -> str | None:
    """Tell what keeps description and arrays from being one model; None where nothing does."""
    shapes = {name: array.shape for name, array in arrays.items()}
    kinds = {name: array.dtype.str[1:] for name, array in arrays.items()}
    if kinds != KINDS:
        return "the model lacks arrays, or has others than it should"
    if not set(about.joint) <= {*LEARNT, *(level + BY_RULES for level in LEARNT)}:
        return "the model calibrates a level that no model knows"
    known = len(arrays["numbers"])
    labels = sum(len(head.labels) for head in about.heads)
    kept = len(arrays["start"]) - 1
    wanted = {
        "numbers": (known,),
        "rarity": (known,),
        "part": (known,),
        "weights": (known, labels),
        "scale": (labels,),
        "bias": (labels,),
        "paths": (len(arrays["paths"]), len(PATH_LEVELS)),
        "start": (kept + 1,),
        "signed": (len(arrays["signed"]),),
        "known": (kept, len(LEARNT)),
        "counted": (kept,),
    }
    if about.format != FORMAT:
        return f"the model is of format {about.format}; this version reads format {FORMAT}"
    levels = [head.level for head in about.heads]
    if shapes != wanted or kept < 0 or len(set(levels)) != len(levels) or not set(levels) <= set(LEARNT):
        return "the arrays of the model do not fit each other"
    sizes = {head.level: len(head.labels) for head in about.heads}
    return _out_of_range(arrays, known, sizes) or (
        None if 0 <= about.local <= kept else "the model counts more own examples than it has"
    )


def _out_of_range(arrays: Arrays, known: int, sizes: Mapping[str, int]) -> str | None:
    """Tell which places lie outside what they point into; None where all are inside."""
    start, signed, numbers = arrays["start"].astype(np.int64), arrays["signed"], arrays["numbers"]
    if start[0] != 0 or start[-1] != len(signed) or bool((np.diff(start) < 0).any()):
        return "the prototypes of the model overlap"
    if len(signed) and (int(np.abs(signed.astype(np.int32)).max()) > known or not signed.all()):
        return "a prototype names a token that the model does not know"
    if bool((np.diff(numbers.astype(np.int64)) <= 0).any()):
        return "the tokens of the model are not in order"
    for name, levels in (("paths", PATH_LEVELS), ("known", LEARNT)):
        for place, level in enumerate(levels):
            column = arrays[name][:, place]
            if len(column) and not (int(column.min()) >= -1 and int(column.max()) < sizes.get(level, 0)):
                return f"the model names a {level} that it does not list"
    if len(arrays["part"]) and int(arrays["part"].max()) > DONE:
        return "the model has tokens of no known part"
    floats = ("rarity", "scale", "bias", "counted")
    if not all(bool(np.isfinite(arrays[name]).all()) for name in floats):
        return "the model holds numbers that are none"
    return None


KINDS = {
    "numbers": "u4",
    "rarity": "f4",
    "part": "u1",
    "weights": "i1",
    "scale": "f4",
    "bias": "f4",
    "paths": "i2",
    "start": "u4",
    "signed": "i2",
    "known": "i2",
    "counted": "f4",
}
"""The arrays of a model and how each number is kept.

``numbers``, ``rarity`` and ``part`` are the vocabulary; ``weights`` (tokens x labels of all levels) times
``scale`` plus ``bias`` give the scores; ``paths`` is the hierarchy; ``start``, ``signed`` (column + 1 with
the token's sign), ``known`` (labels) and ``counted`` (weights) are the prototypes.
"""
