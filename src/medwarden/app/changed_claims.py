"""What changed of vulnerabilities since an edition of knowledge, and an engine of those claims alone."""

from __future__ import annotations

from medwarden.model.feed import Kind
from medwarden.risk.matching.engine import Engine
from medwarden.risk.matching.names import Aliases
from medwarden.store.filed_claims import FiledClaims
from medwarden.store.knowledge import Knowledge

_MOST_CHANGED = 5000
"""Changed vulnerabilities up to which only those are judged anew."""


def changed_since(knowledge: Knowledge, edition: int) -> frozenset[str] | None:
    """Return the vulnerabilities that anything changed of since an edition, or None for too many to tell."""
    changes = knowledge.changed_since(max(edition, 0))
    if not changes.complete:
        return None
    ids = set(changes.ids.get(Kind.VULNERABILITY, frozenset()))
    ids |= changes.ids.get(Kind.EXPLOITATION, frozenset()) if len(ids) < _MOST_CHANGED else frozenset()
    advisories = changes.ids.get(Kind.ADVISORY, frozenset())
    for identifier in advisories:
        advisory = knowledge.advisory(identifier)
        if advisory is None:
            return None  # withdrawn: whom it spoke of is no longer known here
        ids |= {record.id or advisory.id for record in advisory.vulnerabilities}
    return frozenset(ids) if len(ids) <= _MOST_CHANGED else None


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
