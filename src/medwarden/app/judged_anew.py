"""What knowledge that changed comes to for the profiles in use, and in which parts that is stored."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.changed_claims import Changed
from medwarden.model.vulnerability import Match
from medwarden.risk.matching.engine import RULES

if TYPE_CHECKING:
    from medwarden.store.changes import Change

_AT_ONCE = 400
_VERDICTS_AT_ONCE = 10_000
"""Verdicts that one transaction stores; where there are more of one profile, all of those."""
_MOST_CAUSES = 3
_LONGEST_CAUSE = 110
"""Causes, and characters of them, up to which they are told one by one."""


class Judged(msgspec.Struct):
    """What the engine says of profiles that are behind.

    Of ``profiles`` only vulnerabilities that ``changed``, of ``whole`` all: of all profiles where None says
    that too much changed to tell, of those that hold an update which is told to make another build.
    ``stood`` is by what they had been judged before: one that somebody judges meanwhile is left to him.
    """

    profiles: dict[str, Sequence[Match]]
    whole: dict[str, Sequence[Match]]
    changed: Changed | None
    edition: int
    stood: Mapping[str, tuple[int, str]]

    @property
    def because(self) -> str:
        """Return what changed of knowledge, in a few words."""
        if self.changed is None:
            return "knowledge or rules changed"
        words = sorted(set(self.changed.why.values()))
        if 0 < len(words) <= _MOST_CAUSES and len("; ".join(words)) <= _LONGEST_CAUSE:
            return "; ".join(words)
        return "new or changed advisories and records"

    @property
    def vulnerabilities(self) -> set[str]:
        """Return all that something is said of."""
        every = chain(self.profiles.values(), self.whole.values())
        return {match.vulnerability for found in every for match in found}

    def record(self, change: Change, keys: Collection[str]) -> set[str]:
        """Store the verdicts of some profiles; return those that changed."""
        from medwarden.store.vulnerabilities import record_verdicts

        whole = {key: self.whole[key] for key in keys if key in self.whole}
        moved = record_verdicts(
            change, whole, edition=self.edition, rules=RULES, cause="knowledge or rules changed",
            stood=self.stood,
        )  # fmt: skip
        if self.changed is None:
            return moved
        some = {key: self.profiles[key] for key in keys if key in self.profiles}
        return moved | record_verdicts(
            change, some, edition=self.edition, rules=RULES, cause="new or changed advisories and records",
            only=self.changed.ids, why=self.changed.why, stood=self.stood,
        )  # fmt: skip

    def is_in_force(self) -> bool:
        """Tell whether all of it was stored: of no profile did somebody else store his meanwhile."""
        from medwarden.store.vulnerabilities import judged_by

        return all(now == (self.edition, RULES) for now in judged_by(self.stood).values())

    def parts(self) -> Iterator[list[str]]:
        """Yield the profiles, as many at once as one transaction may take."""
        return in_parts(self.profiles | self.whole)


def in_parts(judged: Mapping[str, Sequence[Match]]) -> Iterator[list[str]]:
    """Yield profiles, as many as one transaction may take: who stores a sensor's batch waits for its end."""
    part: list[str] = []
    verdicts = 0
    for key in sorted(judged):
        if part and (len(part) >= _AT_ONCE or verdicts + len(judged[key]) > _VERDICTS_AT_ONCE):
            yield part
            part, verdicts = [], 0
        part.append(key)
        verdicts += len(judged[key])
    if part:
        yield part
