"""The ledger of a device as a story in time: what it said first, when that sufficed for which answer."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from medwarden.inventory.labelling import derived_facts
from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.device import Device, Verdict

PAUSE_NS = 60 * NANOSECONDS
"""A silence this long begins a new moment of the story."""

MOST_MOMENTS = 60
"""Moments kept of a device that says something new for months: the first half and the last."""

_MOST_TOLD = 12


class Told(msgspec.Struct, frozen=True):
    """Something heard for the first time; ``levels`` are the answers that rest on it."""

    field: str
    value: str
    source: str
    count: int
    levels: tuple[str, ...] = ()


class Moment(msgspec.Struct, frozen=True):
    """What came to be known within one stretch of time without a pause.

    ``told`` are facts, those that answers rest on first, and ``more`` how many others there were;
    ``served`` services that answered first, ``settled`` (level, answer) pairs whose earliest evidence is
    here, ``stated`` what people and books said.
    """

    at_ns: int
    until_ns: int
    told: tuple[Told, ...] = ()
    more: int = 0
    served: tuple[str, ...] = ()
    settled: tuple[tuple[str, str], ...] = ()
    stated: tuple[str, ...] = ()


class Story(msgspec.Struct, frozen=True):
    """All moments in order; ``left_out`` counts those between the first and last ones that are kept."""

    moments: tuple[Moment, ...]
    left_out: int = 0


class _Open(msgspec.Struct):
    """A moment while it is put together."""

    at_ns: int
    until_ns: int
    told: list[Told]
    served: list[str]
    settled: list[tuple[str, str]]
    stated: list[str]


def story(device: Device) -> Story:
    """Return the story of a device that was identified; every fact of the ledger is in exactly one moment."""
    levels = _levels_by_evidence(device.verdicts)
    events: list[tuple[int, object]] = [
        (e.first_seen, Told(e.field, e.value, e.source, e.count, levels.get((e.field, e.value), ())))
        for e in device.ledger
    ]
    events += [
        (s.first_seen, f"{s.transport}/{s.port}" + (f" ({s.application})" if s.application else ""))
        for s in device.services
    ]
    events += [(s.at_ns, ("stated", f"{s.by}: {s.level} {s.label}")) for s in device.statements]
    events += [(at, ("settled", level, label)) for at, level, label in _settled(device)]
    if not events:
        return Story(())
    events.sort(key=lambda event: event[0])
    opened: list[_Open] = []
    for at, event in events:
        if not opened or at - opened[-1].until_ns > PAUSE_NS:
            opened.append(_Open(at, at, [], [], [], []))
        now = opened[-1]
        now.until_ns = at
        if isinstance(event, Told):
            now.told.append(event)
        elif isinstance(event, str):
            now.served.append(event)
        elif isinstance(event, tuple) and event[0] == "stated":
            now.stated.append(event[1])
        elif isinstance(event, tuple):
            now.settled.append((event[1], event[2]))
    half = MOST_MOMENTS // 2
    left_out = max(0, len(opened) - MOST_MOMENTS)
    kept = opened if not left_out else [*opened[:half], *opened[-half:]]
    return Story(tuple(map(_closed, kept)), left_out)


def _closed(moment: _Open) -> Moment:
    ordered = sorted(moment.told, key=lambda told: (-len(told.levels), told.field, told.value))
    return Moment(
        moment.at_ns,
        moment.until_ns,
        tuple(ordered[:_MOST_TOLD]),
        max(0, len(ordered) - _MOST_TOLD),
        tuple(moment.served),
        tuple(moment.settled),
        tuple(moment.stated),
    )


def _levels_by_evidence(verdicts: Iterable[Verdict]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return for each piece of evidence the levels whose answer it speaks for."""
    found: dict[tuple[str, str], list[str]] = {}
    for verdict in verdicts:
        for ballot in verdict.ballots:
            if verdict.label is not None and ballot.label == verdict.label:
                levels = found.setdefault((ballot.evidence_field, ballot.evidence_value), [])
                if verdict.level not in levels:
                    levels.append(verdict.level)
    return {evidence: tuple(levels) for evidence, levels in found.items()}


def _settled(device: Device) -> list[tuple[int, str, str]]:
    """Return (when, level, answer) for each answer: when the first evidence that speaks for it was heard.

    Evidence that follows from an address was there from the start; that of traffic when its service or
    conversation began.
    """
    heard = {(e.field, e.value): e.first_seen for e in device.ledger}
    heard |= {
        ("flow.serves", f"{s.transport}/{s.port}"): s.first_seen
        for s in sorted(device.services, key=lambda s: -s.first_seen)
    }
    for talk in sorted(device.conversations, key=lambda c: -c.first_seen):
        for field in ("flow.talks_to", "flow.client_of"):
            heard[field, f"{talk.transport}/{talk.port}"] = talk.first_seen
    derived = set(derived_facts(device))
    found = []
    for verdict in device.verdicts:
        if verdict.label is None:
            continue
        moments = [
            heard.get(evidence, device.first_seen)
            for ballot in verdict.ballots
            if ballot.label == verdict.label
            for evidence in ((ballot.evidence_field, ballot.evidence_value),)
            if evidence in heard or evidence in derived
        ]
        if moments:
            found.append((min(moments), verdict.level, verdict.label))
    return found
