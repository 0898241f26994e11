"""What changed of vulnerabilities since an edition of knowledge, and an engine of those claims alone."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from medwarden.model.feed import Kind, Record
from medwarden.model.vulnerability import Advisory, Vulnerability
from medwarden.risk.matching.engine import Engine
from medwarden.risk.matching.names import Aliases
from medwarden.risk.matching.updates import Updates
from medwarden.store.filed_claims import FiledClaims
from medwarden.store.knowledge import Knowledge

_MOST_CHANGED = 5000
"""Changed vulnerabilities up to which only those are judged anew."""

_KINDS = (Kind.VULNERABILITY, Kind.ADVISORY, Kind.EXPLOITATION)

_TOLD = 6
"""Advisories that are named as the cause of one verdict."""


class Changed(msgspec.Struct, frozen=True):
    """Of which vulnerabilities something else is said than before, and why by the id of each.

    ``articles`` are the updates of which it is said otherwise which builds they make: devices that hold one
    are to be judged by everything.
    """

    ids: frozenset[str]
    why: dict[str, str]
    articles: frozenset[str] = frozenset()


def changed_since(knowledge: Knowledge, edition: int) -> Changed | None:
    """Return what changed of vulnerabilities since an edition, or None for too much to tell.

    What an advisory spoke of before it was revised or withdrawn has changed as well as what it speaks of now.
    """
    changes = knowledge.changed_since(max(edition, 0), _KINDS)
    if not changes.complete:
        return None
    ids = set(changes.ids.get(Kind.VULNERABILITY, frozenset()))
    ids |= changes.ids.get(Kind.EXPLOITATION, frozenset())
    if len(ids) > _MOST_CHANGED:
        return None
    told: dict[str, list[str]] = {}
    before, now = Updates(), Updates()
    for _, id, old, new in knowledge.revised_since(max(edition, 0), (Kind.VULNERABILITY, Kind.ADVISORY)):
        for said, updates in ((old, before), (new, now)):
            for record in _records(said):
                if not record.rejected:  # as it is filed
                    updates.completed(record.claims, record.remedies)
        for vulnerability, words in _differences(id, old, new):
            ids.add(vulnerability)
            told.setdefault(vulnerability, []).append(words)
    if len(ids) > _MOST_CHANGED:
        return None
    why = {id: "; ".join(words[:_TOLD]) for id, words in told.items()}
    return Changed(frozenset(ids), why, frozenset({each for each, _ in {*before.learnt()} ^ {*now.learnt()}}))


def _records(said: Record | None) -> tuple[Vulnerability, ...]:
    """Return what a record says of vulnerabilities."""
    if isinstance(said, Advisory):
        return said.vulnerabilities
    return (said,) if isinstance(said, Vulnerability) else ()


def _differences(id: str, old: Record | None, new: Record | None) -> Iterator[tuple[str, str]]:
    """Yield each vulnerability that a changed record speaks of or spoke of, and what became of that."""
    then = {record.id or id: record for record in _records(old)}
    here = {record.id or id: record for record in _records(new)}
    for name in then.keys() | here.keys():
        if new is None:
            yield name, f"{id} was withdrawn"
        elif name not in here:
            yield name, f"{id} was revised and no longer names {name}"
        elif here[name].rejected and not (name in then and then[name].rejected):
            yield name, f"{name} was rejected"
        elif old is None:
            yield name, f"{id} is new"
        else:
            yield name, f"{id} was revised"


def engine_of(knowledge: Knowledge, only: frozenset[str], aliases: Aliases) -> Engine:
    """Return an engine with all that is said of some vulnerabilities, and of others beside them."""
    filed = FiledClaims(knowledge)
    engine = Engine(aliases, builds=filed.builds)
    for identifier in sorted(only):
        for record in knowledge.vulnerability(identifier):
            engine.add_vulnerability(record)
    # Whole, though only some of it is asked for: of its products the closest to a device's is meant.
    for advisory in filed.advisories_about(knowledge, only):
        engine.add_advisory(advisory)
    return engine
