"""What scanners saw beside what was concluded here: one verdict of both, and where they contradict.

A scanner that was logged in knows better than one that was not; a fixed version that was seen after the scan
stands against it. Where neither can be preferred the verdict is potential and says why.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from medwarden.kernel.clock import iso
from medwarden.model.scan import SCANNERS, ScanOutcome
from medwarden.model.vulnerability import MatchState

OWN = "medwarden"
"""How the own conclusion is called among those who saw something."""

_CONCERNING = (MatchState.CONFIRMED, MatchState.POTENTIAL)


class Seen(msgspec.Struct, frozen=True):
    """One scanner's word on a device and a vulnerability; ``credentialed`` None is not known."""

    scanner: str
    outcome: ScanOutcome
    credentialed: bool | None
    seen_ns: int
    title: str = ""
    port: int = 0
    installed: str = ""
    fixed: str = ""


class Own(msgspec.Struct, frozen=True):
    """What was concluded here: state, sentence, and since when."""

    state: MatchState
    reason: str
    since_ns: int


class Merged(msgspec.Struct, frozen=True):
    """One verdict of all; ``contradiction`` is the sentence on what does not agree, or empty."""

    state: MatchState
    reason: str
    seen_by: tuple[str, ...]
    contradiction: str = ""


def scanner_name(scanner: str) -> str:
    """Return a scanner's name as people write it."""
    return SCANNERS.get(scanner, scanner)


def sentence(seen: Seen) -> str:
    """Return what a scanner said in one sentence without its end."""
    how = {True: ", logged in,", False: ", without logging in,", None: ""}[seen.credentialed]
    day = f" on {iso(seen.seen_ns)[:10]}" if seen.seen_ns else ""
    what = {
        ScanOutcome.VULNERABLE: "found it",
        ScanOutcome.POTENTIAL: "thinks it possible from a version or banner",
        ScanOutcome.FIXED: "no longer found it",
        ScanOutcome.NOT_VULNERABLE: "tried it and did not find it",
    }[seen.outcome]
    where = f" at port {seen.port}" if seen.port else ""
    versions = f" (version {seen.installed}" if seen.installed else ""
    if versions:
        versions += f", fixed in {seen.fixed})" if seen.fixed else ")"
    return f"{scanner_name(seen.scanner)}{how} {what}{where}{day}{versions}"


def merged(own: Own | None, seen: Sequence[Seen]) -> Merged | None:
    """Return one verdict of the own conclusion and what scanners say; None where nobody says anything.

    ``seen`` that only refutes makes no verdict by itself.
    """
    against = [each for each in seen if each.outcome in (ScanOutcome.FIXED, ScanOutcome.NOT_VULNERABLE)]
    speaking = sorted(
        (each for each in seen if each not in against),
        key=lambda each: (
            each.outcome is not ScanOutcome.VULNERABLE,
            each.credentialed is not True,
            -each.seen_ns,
        ),
    )
    names = tuple(dict.fromkeys(each.scanner for each in speaking))
    if own is None:
        return _alone(speaking, against, names)
    if not seen:
        return Merged(own.state, own.reason, (OWN,) if own.state in _CONCERNING else ())
    if own.state in _CONCERNING:
        if speaking:
            return _both(own, speaking, names)
        return _refuted(own, against)
    if speaking:
        return _contradicted(own, speaking[0], names)
    return Merged(own.state, f"{own.reason} {sentence(against[0])}.", ())


def _alone(speaking: Sequence[Seen], against: Sequence[Seen], names: tuple[str, ...]) -> Merged | None:
    if speaking:
        best = speaking[0]
        sure = best.outcome is ScanOutcome.VULNERABLE
        note = f" But {sentence(against[0])}." if against else ""
        state = MatchState.CONFIRMED if sure and not against else MatchState.POTENTIAL
        start = sentence(best)
        start = start[:1].upper() + start[1:] if best.scanner != "nmap" else start
        tail = "" if sure else "; nothing else tells of it"
        return Merged(state, f"{start}{tail}.{note}", names, note.removeprefix(" But ").strip())
    fixed = next((each for each in against if each.outcome is ScanOutcome.FIXED), None)
    if fixed is None:
        return None
    return Merged(MatchState.FIXED, f"{sentence(fixed)}, so it is fixed.", ())


def _both(own: Own, speaking: Sequence[Seen], names: tuple[str, ...]) -> Merged:
    best = speaking[0]
    if own.state is MatchState.CONFIRMED:
        return Merged(own.state, f"{own.reason} {sentence(best)} too.", (OWN, *names))
    if best.outcome is ScanOutcome.VULNERABLE:
        said = f"{own.reason} But {sentence(best)}, so it is affected."
        return Merged(MatchState.CONFIRMED, said, (OWN, *names))
    return Merged(own.state, f"{own.reason} {sentence(best)} too.", (OWN, *names))


def _refuted(own: Own, against: Sequence[Seen]) -> Merged:
    best = min(
        against, key=lambda each: (each.credentialed is not True, each.outcome is not ScanOutcome.FIXED)
    )
    said = f"{sentence(best)}."
    if best.credentialed is not True:
        return Merged(own.state, f"{own.reason} But {said}", (OWN,), said)
    if own.state is MatchState.POTENTIAL and best.outcome is ScanOutcome.FIXED:
        return Merged(MatchState.FIXED, f"{own.reason} {said} So it is fixed.", ())
    return Merged(MatchState.POTENTIAL, f"{own.reason} But {said} One of both is wrong.", (OWN,), said)


def _contradicted(own: Own, best: Seen, names: tuple[str, ...]) -> Merged:
    said = f"{sentence(best)}."
    weak = best.outcome is ScanOutcome.POTENTIAL
    if weak or (best.seen_ns and best.seen_ns < own.since_ns):
        why = "a guess from a version" if weak else "before this was known"
        return Merged(own.state, f"{own.reason} {said[:-1]}, {why}.", names, said)
    return Merged(
        MatchState.POTENTIAL,
        f"{said} But {own.reason} One of both is wrong: look at the device.",
        names,
        said,
    )
