"""From a technician's answer to a fingerprint of the hospital's own, and from devices to what it changes.

An answer about some devices is passed on to others by one readable rule: they must show every one of a
few pieces of evidence that the answered devices share. Its vote weighs as much as a rule that is likely
right, which never outweighs what a device declares. Where the answered devices share nothing telling, or
what they share is also shown by devices that are surely something else, there is no rule, and the answer
stays with the devices it was given for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence

import msgspec

from medwarden.inventory.ballots import ballot_key
from medwarden.inventory.labelling import derived_facts
from medwarden.inventory.shared_evidence import MAKER, PEER, PREFIX, SERVES, Shared, rank_of, shared_evidence
from medwarden.knowledge.fingerprints.index import Index
from medwarden.knowledge.fingerprints.rules import LEVELS, Fingerprint, Look
from medwarden.model.device import Device

RULE = "answered-"
"""Start of the id of every rule that follows from an answer; the answer's number follows."""

TRUST = "likely"
SPREAD = ("class", "category", "vendor", "model", "os")
"""Levels that are passed on; a serial number or a firmware is of one device."""

_HELD_BY = 0.8
_MOST_LOOKS = 3
_MOST_TRIED = 12
_TELLING_RANK = 2
_CONTRADICTED = 0.1
_SURE = 0.8
_GAP = ".{1,64}"

Entries = tuple[tuple[str, str], ...]


class Known(msgspec.Struct, frozen=True):
    """A device as rules look at it: its evidence and what it is surely called without the answer."""

    id: str
    entries: Entries
    labels: dict[str, str]


class Change(msgspec.Struct, frozen=True):
    """What an answer changes of one device at one level."""

    device: str
    label: str
    level: str
    before: str | None
    after: str | None
    answered: bool
    """Whether the answer was given for this device; others follow by the rule."""


def known_of(device: Device) -> Known:
    """Return a device as rules look at it."""
    entries = (*((e.field, e.value) for e in device.ledger), *derived_facts(device))
    sure = {v.level: v.label for v in device.verdicts if v.label is not None and v.confidence >= _SURE}
    return Known(device.id, tuple(entries), sure)


def look_for(shared: Shared) -> Look | None:
    """Return the test that finds a piece of shared evidence again, None where no field holds it."""
    field, value = shared
    if field == PREFIX:
        return None
    if field == PEER:
        return Look("flow.client_of", equals=value.partition(" ")[0])
    if field in (MAKER, SERVES) or "#" not in value:
        return Look(field, equals=value)
    parts = [re.escape(part) for part in value.split("#")]
    return Look(field, regex=f"^{_GAP.join(parts)}$") if any(parts) else None


def rule_for(
    number: int, labels: Mapping[str, str], answered: Sequence[Device], others: Iterable[Known] = ()
) -> Fingerprint | None:
    """Return the rule that passes an answer on, None where there is nothing to pass it on by.

    ``others`` are devices that nobody was asked about; where more than a tenth of those that the rule
    finds are surely something else, a further piece of evidence is asked for, and else there is no rule.
    """
    passed_on = {level: text for level, text in labels.items() if level in SPREAD and "{" not in text}
    if not passed_on or not answered:
        return None
    devices = [known_of(device) for device in answered]
    held = Counter(shared for device in answered for shared in shared_evidence(device))
    common = [s for s, count in held.items() if count >= _HELD_BY * len(answered)]
    common.sort(key=lambda s: (rank_of(s[0]), -held[s], s))
    looks: list[Look] = []
    for shared in common[:_MOST_TRIED]:
        look = look_for(shared)
        if look is None or look in looks:
            continue
        if sum(_shows(device, look) for device in devices) >= _HELD_BY * len(devices):
            looks.append(look)
    telling = [look for look in looks if rank_of(look.fields[0]) <= _TELLING_RANK]
    if not telling:
        return None
    known = list(others)
    for count in range(min(_MOST_LOOKS, len(looks)), len(looks) + 1):
        chosen = tuple(looks[:count])
        example = next((d for d in devices if all(_shows(d, look) for look in chosen)), None)
        if example is None:
            return None
        if not _contradicted(chosen, passed_on, known):
            return _fingerprint(number, passed_on, chosen, example)
    return None


def _shows(device: Known, look: Look) -> bool:
    return any(_fits(look, field, value) for field, value in device.entries)


def _fits(look: Look, field: str, value: str) -> bool:
    if field not in look.fields:
        return False
    if look.equals is not None:
        return value.lower() == look.equals.lower()
    return look.regex is not None and re.search(look.regex, value, re.IGNORECASE | re.ASCII) is not None


def _contradicted(looks: Sequence[Look], labels: Mapping[str, str], others: Sequence[Known]) -> bool:
    found = [other for other in others if all(_shows(other, look) for look in looks)]
    against = sum(
        any(
            level in other.labels and ballot_key(level, other.labels[level]) != ballot_key(level, label)
            for level, label in labels.items()
        )
        for other in found
    )
    return against > _CONTRADICTED * len(found)


def _fingerprint(number: int, labels: dict[str, str], looks: tuple[Look, ...], example: Known) -> Fingerprint:
    shown: dict[str, list[str]] = {}
    for look in looks:
        for field, value in example.entries:
            if _fits(look, field, value) and value not in shown.setdefault(field, []):
                shown[field].append(value)
                break
    return Fingerprint(
        id=f"{RULE}{number}",
        when=looks,
        says=labels,
        trust=TRUST,
        source=f"answer {number} of a technician, passed on by what the answered devices share",
        matches=({field: tuple(values) for field, values in shown.items()},),
        every=True,
    )


def to_document(rules: Sequence[Fingerprint]) -> list[dict[str, object]]:
    """Return rules as the plain values of a rule file, without what is empty."""
    found = []
    for rule in rules:
        plain: dict[str, object] = msgspec.to_builtins(rule)
        plain["when"] = [
            {key: value for key, value in look.items() if value is not None}
            for look in msgspec.to_builtins(rule.tests)
        ]
        found.append({key: value for key, value in plain.items() if value not in ((), [], False)})
    return found


def reached(rules: Sequence[Fingerprint], devices: Iterable[Device]) -> list[Device]:
    """Return the devices that one of the rules matches."""
    found = Index(rules)
    return [device for device in devices if found.match(known_of(device).entries)]


def changes(turns: Iterable[tuple[Device, Device]], answered: Container[str]) -> list[Change]:
    """Return what becomes of devices, each given as it is judged before and after; ``answered`` are ids."""
    found = []
    for before, after in turns:
        for level in LEVELS:
            was, will = before.verdict(level), after.verdict(level)
            old, new = (None if was is None else was.label), (None if will is None else will.label)
            if old != new:
                found.append(Change(before.id, before.label, level, old, new, before.id in answered))
    return found
