"""A difference between what a maker's form says and what was heard, and how its two sides are told."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from medwarden.model.device import Device
from medwarden.model.finding import FindingEvidence, Severity
from medwarden.model.mds2 import Claim, Disclosure
from medwarden.risk.context import RiskContext


class Difference(msgspec.Struct, frozen=True):
    """A claim of a form that what was heard does not bear out.

    ``said`` and ``seen`` are the two sides in words; ``evidence`` holds both, the form's answer first.
    """

    type: str
    claims: tuple[str, ...]
    questions: tuple[str, ...]
    severity: Severity
    title: str
    said: str
    seen: str
    fix: str
    evidence: tuple[FindingEvidence, ...] = ()
    mitre: tuple[str, ...] = ()


Comparison = Callable[[Device, Disclosure, RiskContext], Difference | None]


def quoted(disclosure: Disclosure, *names: str) -> tuple[tuple[str, ...], str, tuple[FindingEvidence, ...]]:
    """Return the questions behind claims, their answers in words, and both as evidence."""
    claims = [disclosure.claims[name] for name in names if name in disclosure.claims]
    told = {claim.question: claim for claim in claims if claim.question}
    words = " and ".join(f"{claim.question}: “{_words(claim)}”" for claim in told.values())
    at = disclosure.imported_ns
    evidence = tuple(
        FindingEvidence(f"mds2.{claim.question}", f"{_words(claim)} ({disclosure.title})", at, at)
        for claim in told.values()
    )
    return tuple(told), words, evidence


def _words(claim: Claim) -> str:
    note = f"; {claim.note}" if claim.note and claim.note not in claim.written else ""
    return f"{claim.written or 'no answer'}{note}"[:200]
