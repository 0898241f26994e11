"""Books against the network: which row is which device, one to one, and what stays open.

Every pair that shares something is compared (:mod:`~medwarden.inventory.reconcile_terms`); of all ways to
put rows and devices together the one with the largest sum is taken. A pair is called one only where its odds
are high, its lead over the next best way is clear and nothing forbids it; what is not so is left to a person.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec
import numpy as np
from scipy.optimize import linear_sum_assignment

from medwarden.inventory.reconcile_blocks import candidate_pairs
from medwarden.inventory.reconcile_sides import Census, Side
from medwarden.inventory.reconcile_terms import Term, terms

WORTH_SHOWING = -1.5
"""Log odds from which a pair is a candidate at all."""

_MOST_CANDIDATES = 5
_LARGEST_COMPONENT = 1500


class MatchState(StrEnum):
    """What was found of a row and a device."""

    MATCHED = "matched"
    PINNED = "pinned"  # by a person
    AMBIGUOUS = "ambiguous"  # probable, but so is something else, or not probable enough
    CONTRADICTED = "contradicted"  # would be one, were it not for a veto


class Limits(msgspec.Struct, frozen=True):
    """From which probability a pair is accepted, and by how much (in nats) it must lead."""

    probability: float = 0.9
    lead: float = 2.0


class Decided(msgspec.Struct, frozen=True):
    """What people decided: pairs (row key, device id) that are one, and pairs that are not."""

    pinned: frozenset[tuple[str, str]] = frozenset()
    rejected: frozenset[tuple[str, str]] = frozenset()


class Pairing(msgspec.Struct, frozen=True):
    """A row and a device that are, or may be, one; ``lead`` is how far the next best is behind (0: a pin)."""

    key: str
    device: str
    state: MatchState
    log_odds: float
    lead: float
    terms: tuple[Term, ...]

    @property
    def probability(self) -> float:
        """Return the odds as a probability."""
        return 1 / (1 + math.exp(-max(min(self.log_odds, 700.0), -700.0)))


class _Candidate(msgspec.Struct, frozen=True, gc=False):
    row: int
    device: int
    log_odds: float
    veto: bool
    terms: tuple[Term, ...]


def reconcile(
    rows: Sequence[Side],
    devices: Sequence[Side],
    decided: Decided | None = None,
    limits: Limits | None = None,
) -> list[Pairing]:
    """Return the pairings of the rows of one book with devices, by row and falling odds.

    A row without any is only in the book, a device without any only on the network. The same input gives
    the same pairings, in whatever order it comes.
    """
    decided, limits = decided or Decided(), limits or Limits()
    rows = sorted(rows, key=lambda side: side.key)
    devices = sorted(devices, key=lambda side: side.key)
    census = Census(rows, devices)
    at_row = {side.key: n for n, side in enumerate(rows)}
    at_device = {side.key: n for n, side in enumerate(devices)}
    pinned = {
        (at_row[key], at_device[device])
        for key, device in sorted(decided.pinned)
        if key in at_row and device in at_device
    }
    taken_rows, taken_devices = {r for r, _ in pinned}, {d for _, d in pinned}
    found: list[_Candidate] = []
    for row, device in sorted(candidate_pairs(rows, devices) | pinned):
        if (rows[row].key, devices[device].key) in decided.rejected:
            continue
        if (row, device) not in pinned and (row in taken_rows or device in taken_devices):
            continue
        compared = terms(rows[row], devices[device], census)
        odds = census.prior + sum(term.weight for term in compared)
        if odds >= WORTH_SHOWING or any(t.veto for t in compared) or (row, device) in pinned:
            veto = any(term.veto for term in compared)
            found.append(_Candidate(row, device, odds, veto, tuple(compared)))
    return _judged(rows, devices, found, pinned, limits)


def _judged(
    rows: Sequence[Side],
    devices: Sequence[Side],
    found: Sequence[_Candidate],
    pinned: set[tuple[int, int]],
    limits: Limits,
) -> list[Pairing]:
    open_ones = [c for c in found if (c.row, c.device) not in pinned and not c.veto]
    leads = _leads(open_ones)
    needed = math.log(limits.probability / (1 - limits.probability))
    pairings: list[Pairing] = []
    settled_rows: set[int] = {r for r, _ in pinned}
    settled_devices: set[int] = {d for _, d in pinned}

    def pairing(c: _Candidate, state: MatchState, lead: float) -> Pairing:
        key, device = rows[c.row].key, devices[c.device].key
        return Pairing(key, device, state, round(c.log_odds, 4), round(lead, 4), c.terms)

    for candidate in found:
        pair = candidate.row, candidate.device
        if pair in pinned:
            pairings.append(pairing(candidate, MatchState.PINNED, 0.0))
        elif candidate.log_odds >= needed and leads.get(pair, -1.0) >= limits.lead:
            pairings.append(pairing(candidate, MatchState.MATCHED, leads[pair]))
            settled_rows.add(candidate.row)
            settled_devices.add(candidate.device)
    left: defaultdict[int, list[_Candidate]] = defaultdict(list)
    for candidate in found:
        if candidate.row not in settled_rows and candidate.device not in settled_devices:
            left[candidate.row].append(candidate)
    for several in left.values():
        several.sort(key=lambda c: (-_without_veto(c), c.device))
        for candidate in [c for c in several if _without_veto(c) >= WORTH_SHOWING][:_MOST_CANDIDATES]:
            state = MatchState.CONTRADICTED if candidate.veto else MatchState.AMBIGUOUS
            pairings.append(pairing(candidate, state, leads.get((candidate.row, candidate.device), 0.0)))
    return sorted(pairings, key=lambda p: (p.key, -p.log_odds, p.device))


def _without_veto(candidate: _Candidate) -> float:
    """Return the odds but for what forbids the pair, so that a person sees what speaks for it."""
    return candidate.log_odds - sum(term.weight for term in candidate.terms if term.veto)


def _leads(candidates: Sequence[_Candidate]) -> dict[tuple[int, int], float]:
    """Return the pairs of the best assignment, each with its lead over the next best way."""
    leads: dict[tuple[int, int], float] = {}
    for component in _components(candidates):
        leads.update(_assigned(component))
    return leads


def _components(candidates: Sequence[_Candidate]) -> Iterable[list[_Candidate]]:
    """Split pairs into groups that share no row and no device; a huge one loses its weakest pairs."""
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for candidate in candidates:
        parent[root(candidate.row)] = root(-1 - candidate.device)
    groups: defaultdict[int, list[_Candidate]] = defaultdict(list)
    for candidate in candidates:
        groups[root(candidate.row)].append(candidate)
    for group in groups.values():
        if max(len({c.row for c in group}), len({c.device for c in group})) <= _LARGEST_COMPONENT:
            yield group
        else:
            weakest = sorted(c.log_odds for c in group)[len(group) // 3]
            yield from _components([c for c in group if c.log_odds > weakest])


def _assigned(group: Sequence[_Candidate]) -> dict[tuple[int, int], float]:
    """Return the assignment of a group with the largest sum, and how far every exchange falls behind it."""
    if len(group) == 1:
        only = group[0]
        return {(only.row, only.device): only.log_odds - WORTH_SHOWING}
    row_ids = sorted({c.row for c in group})
    device_ids = sorted({c.device for c in group})
    at_row, at_device = {r: n for n, r in enumerate(row_ids)}, {d: n for n, d in enumerate(device_ids)}
    gains = np.zeros((len(row_ids), len(device_ids)))
    for c in group:
        gains[at_row[c.row], at_device[c.device]] = max(c.log_odds - WORTH_SHOWING, 0.0)
    chosen_rows, chosen_devices = linear_sum_assignment(gains, maximize=True)
    device_of = {int(r): int(d) for r, d in zip(chosen_rows, chosen_devices, strict=True) if gains[r, d] > 0}
    row_of = {d: r for r, d in device_of.items()}
    taken = np.array([d in row_of for d in range(len(device_ids))])
    free = np.array([r not in device_of for r in range(len(row_ids))])
    leads: dict[tuple[int, int], float] = {}
    for row, device in device_of.items():
        leads[row_ids[row], device_ids[device]] = _lead(gains, row, device, device_of, row_of, taken, free)
    return leads


def _lead(
    gains: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    row: int,
    device: int,
    device_of: dict[int, int],
    row_of: dict[int, int],
    taken: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    free: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> float:
    """Return what is lost when this pair is forbidden and row and device go to whom they like next best."""
    own = float(gains[row, device])
    # to free ones: the row takes another device, a row without one takes the device
    row_else = np.where(taken, 0.0, gains[row])
    row_else[device] = 0.0
    device_else = np.where(free, gains[:, device], 0.0)
    device_else[row] = 0.0
    best = float(row_else.max(initial=0.0) + device_else.max(initial=0.0))
    # by exchange with another pair
    for other in np.nonzero((gains[row] > 0) & taken)[0]:
        if other == device:
            continue
        rival = row_of[int(other)]
        instead = np.where(taken, 0.0, gains[rival])
        regained = max(float(gains[rival, device]), float(instead.max(initial=0.0)))
        best = max(best, float(gains[row, other]) + regained - float(gains[rival, other]))
    for number in np.nonzero((gains[:, device] > 0) & ~free)[0]:
        if number == row:
            continue
        rival = int(number)
        theirs = device_of[rival]
        lost = float(gains[rival, theirs])
        regained = max(float(gains[row, theirs]), float(row_else.max(initial=0.0)))
        best = max(best, float(gains[rival, device]) - lost + regained)
    return own - best
