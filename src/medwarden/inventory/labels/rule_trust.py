"""How far each rule is right, learnt: the label model.

A rule starts with the trust it was written with, worth :data:`BELIEF` observations; each labelled device
on which it votes shifts that. Learnt trust may fall freely and never rises above a declaration's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

from medwarden.inventory.ballots import ballot_key, is_kind_of, lineage
from medwarden.inventory.labels.example import Example
from medwarden.knowledge.fingerprints.rules import TRUST
from medwarden.model.device import Ballot

BELIEF = 20.0
"""How many observations the trust that a rule was written with is worth."""

_FEWEST = 5
_MOST_CORRECTED = TRUST["likely"] + 1e-9
"""Declarations and what hardly anything else looks like are not corrected: where they mislead, it is because
of who speaks (an archive, a gateway), which rules of their own settle."""
_LOWEST = 0.02


class Record(msgspec.Struct, frozen=True):
    """How often a rule's votes at one level were right, and how often it voted (sums of weights)."""

    right: float
    votes: float


def agrees(level: str, label: str, truth: str) -> bool:
    """Tell whether a vote is right: the same answer, or a more general kind or operating system."""
    if ballot_key(level, label) == ballot_key(level, truth):
        return True
    if level == "os":
        return label in lineage(truth)
    if level == "category":
        return is_kind_of(truth, label)
    if level == "model":
        said, true = ballot_key(level, label), ballot_key(level, truth)
        return len(said) > 2 and (said in true or true in said)
    return False


def keep_records(examples: Iterable[Example]) -> dict[str, Record]:
    """Return the records of rules on examples, by ``rule|level``; seldom-heard rules are left out."""
    right: dict[str, float] = {}
    votes: dict[str, float] = {}
    for example in examples:
        seen: dict[str, list[bool]] = {}
        for level, label, rule in example.votes:
            truth = example.labels.get(level)
            if truth:
                seen.setdefault(f"{rule}|{level}", []).append(agrees(level, label, truth))
        for key, outcomes in seen.items():
            votes[key] = votes.get(key, 0.0) + example.weight
            right[key] = right.get(key, 0.0) + example.weight * sum(outcomes) / len(outcomes)
    return {
        key: Record(round(right[key], 4), round(votes[key], 4))
        for key in sorted(votes)
        if votes[key] >= _FEWEST
    }


def add_records(one: Mapping[str, Record], other: Mapping[str, Record]) -> dict[str, Record]:
    """Return the records of two sets of examples together."""
    empty = Record(0.0, 0.0)
    return {
        key: Record(
            one.get(key, empty).right + other.get(key, empty).right,
            one.get(key, empty).votes + other.get(key, empty).votes,
        )
        for key in sorted({*one, *other})
    }


class RuleTrust:
    """Learnt weights of votes."""

    def __init__(self, records: Mapping[str, Record]) -> None:
        self.records = dict(records)
        self._weights: dict[tuple[str, str, float], float] = {}

    def weight(self, rule: str, level: str, written: float) -> float:
        """Return the weight of a rule's votes at a level that was written with weight ``written``."""
        key = rule, level, written
        known = self._weights.get(key)
        if known is None:
            known = self._weights[key] = self._learnt(rule, level, written)
        return known

    def _learnt(self, rule: str, level: str, written: float) -> float:
        record = self.records.get(f"{rule}|{level}")
        if record is None or not 0.0 < written <= _MOST_CORRECTED:
            return written
        prior = 1.0 / (1.0 + math.exp(-written))
        share = (BELIEF * prior + record.right) / (BELIEF + record.votes)
        share = max(share, _LOWEST)
        if share >= prior:
            # Simulated and confirmed devices are kinder than the world: a rule is not trusted beyond
            # what it was written with, only corrected where it is wrong more often than that.
            return written
        return max(0.0, math.log(share / (1.0 - share)))

    def apply(self, ballots: Iterable[Ballot]) -> list[Ballot]:
        """Return votes with learnt weights; one that has become worthless goes."""
        changed = []
        for ballot in ballots:
            weight = self.weight(ballot.rule, ballot.level, ballot.weight)
            if weight == ballot.weight:
                changed.append(ballot)
            elif weight > 0.0:
                changed.append(msgspec.structs.replace(ballot, weight=weight))
        return changed
