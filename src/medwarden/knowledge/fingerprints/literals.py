"""Which texts must occur for a regular expression to match: what lets most expressions go untried.

Only a subset of the syntax is understood; whatever is not (classes, back references, look-around) counts
as "could be anything", so that the answer may say too little but never too much.
"""

from __future__ import annotations

import re

_LOOKAROUND = ("(?=", "(?!", "(?<=", "(?<!")
_QUANTIFIERS = frozenset("*+?{")
_COUNTED = re.compile(r"\{(?!\})([0-9]*)(?:,[0-9]*)?\}")

Literals = frozenset[str]
ANYTHING: Literals = frozenset()
"""No text is required."""


def required_literals(pattern: str) -> Literals:
    """Return texts in lower case of which every match of ``pattern`` contains at least one; empty if unsure.

    >>> sorted(required_literals("AXIS (?:M|P)[0-9]"))
    ['axis ']
    """
    literals, end = _alternatives(pattern, 0)
    return literals if end >= len(pattern) else ANYTHING


def _alternatives(pattern: str, at: int) -> tuple[Literals, int]:
    """Read up to the closing bracket or the end: one of the alternatives must match."""
    found: set[str] = set()
    sure = True
    while True:
        literals, at = _sequence(pattern, at)
        sure = sure and bool(literals)
        found |= literals
        if at >= len(pattern) or pattern[at] == ")":
            return (frozenset(found) if sure else ANYTHING), at
        at += 1  # a bar


def _sequence(pattern: str, at: int) -> tuple[Literals, int]:
    """Read one alternative: all of its parts must match, so the most telling part is enough."""
    best, run = ANYTHING, ""
    while at < len(pattern) and pattern[at] not in "|)":
        part, literal, after = _atom(pattern, at)
        optional, after, once = _quantifier(pattern, after)
        if optional:
            best, run = _better(best, _of(run)), ""
        elif literal is not None and once:
            run += literal
        else:
            best = _better(_better(best, _of(run + (literal or ""))), part)
            run = ""
        at = after
    return _better(best, _of(run)), at


def _atom(pattern: str, at: int) -> tuple[Literals, str | None, int]:
    """Read one atom: what it requires, its text if it stands for itself ('' for places), where it ends."""
    char = pattern[at]
    if char == "\\":
        following = pattern[at + 1 : at + 2]
        if following in ("b", "B", "A", "Z"):
            return ANYTHING, "", at + 2
        return ANYTHING, (None if following.isalnum() else following.lower()), at + 2
    if char == "[":
        return ANYTHING, None, _end_of_class(pattern, at)
    if char == "(":
        inner, end = _alternatives(pattern, _group_start(pattern, at))
        if pattern.startswith(_LOOKAROUND, at):
            return ANYTHING, "", end + 1
        return inner, None, end + 1
    if char in "^$":
        return ANYTHING, "", at + 1
    return ANYTHING, (None if char == "." else char.lower()), at + 1


def _group_start(pattern: str, at: int) -> int:
    for opening in ("(?<=", "(?<!", "(?:", "(?=", "(?!"):
        if pattern.startswith(opening, at):
            return at + len(opening)
    return at + 1


def _end_of_class(pattern: str, start: int) -> int:
    end = start + 2 if pattern[start + 1 : start + 2] == "^" else start + 1
    end += 1  # a closing bracket in first place stands for itself
    while end < len(pattern) and pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    return end + 1


def _quantifier(pattern: str, at: int) -> tuple[bool, int, bool]:
    """Read a quantifier: may the atom be left out, where it ends, does the atom come exactly once."""
    if at >= len(pattern) or pattern[at] not in _QUANTIFIERS:
        return False, at, True
    optional = pattern[at] in "*?"
    if pattern[at] == "{":
        counted = _COUNTED.match(pattern, at)
        if counted is None:
            return False, at, True  # a bracket that stands for itself
        optional = not counted[1].strip("0")
        at = counted.end() - 1
    at += 1
    if pattern[at : at + 1] in ("?", "+"):
        at += 1
    return optional, at, False


def _of(run: str) -> Literals:
    return frozenset((run,)) if run else ANYTHING


def _better(one: Literals, other: Literals) -> Literals:
    """Return the set whose shortest text is longer; of equals the smaller set."""
    if not one or not other:
        return one or other
    ranks = [(min(map(len, literals)), -len(literals)) for literals in (one, other)]
    return one if ranks[0] >= ranks[1] else other
