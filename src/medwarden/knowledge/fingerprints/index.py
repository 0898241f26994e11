"""Applying fingerprints fast: tests by field, each behind a literal that must occur.

A ledger entry is looked up by its field; exact tests are one dictionary look-up, the others are tried
only when their literal occurs in the value. What a (field, value) matches is remembered, because the
same values come back on thousands of devices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache

import msgspec

from medwarden.knowledge.fingerprints.rules import Fingerprint, Test, compile_regex, fingerprints

_SPECIAL = frozenset(".^$*+?{}[]\\|()")
_REMEMBERED = 100_000


class Hit(msgspec.Struct, frozen=True):
    """A test that matched: which rule, which of its tests, and the groups of its expression."""

    rule: int
    test: int
    groups: tuple[str, ...]


class Match(msgspec.Struct, frozen=True):
    """A rule that matched a device: its labels filled in, and the field and value that decided it."""

    rule: Fingerprint
    labels: tuple[tuple[str, str], ...]
    field: str
    value: str


class _Search(msgspec.Struct, frozen=True):
    """A test that is no plain equality: ``literal`` must occur before ``pattern`` is tried."""

    rule: int
    test: int
    literal: str
    pattern: re.Pattern[str] | None
    at_start: bool


def required_literal(pattern: str) -> str:
    """Return the longest text, in lower case, that every match of ``pattern`` contains ('' if unsure).

    Groups, classes and alternatives are passed over, so the answer may be shorter than possible but is
    never wrong.
    """
    best, run, i, depth = "", "", 0, 0
    while i < len(pattern):
        char = pattern[i]
        literal: str | None = None
        if char == "\\":
            following = pattern[i + 1 : i + 2]
            literal = following if following and not following.isalnum() else None
            i += 1
        elif char == "[":
            i = _end_of_class(pattern, i)
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char == "|" and depth == 0:
            return ""
        elif char not in _SPECIAL:
            literal = char
        i += 1
        quantifier = pattern[i : i + 1]
        if literal is None or depth or quantifier in ("?", "*", "{"):
            best, run = max(best, run, key=len), ""
        else:
            run += literal
        if quantifier == "{":
            i = pattern.index("}", i)
    return max(best, run, key=len).lower()


def _end_of_class(pattern: str, start: int) -> int:
    end = start + 2 if pattern[start + 1 : start + 2] == "^" else start + 1
    end += 1  # a closing bracket in first place stands for itself
    while end < len(pattern) and pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    return end


class Index:
    """Rules compiled for look-up by field."""

    def __init__(self, rules: Iterable[Fingerprint]) -> None:
        self.rules = tuple(rules)
        self._exact: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self._searches: dict[str, list[_Search]] = {}
        for number, rule in enumerate(self.rules):
            for place, test in enumerate(rule.tests):
                self._add(number, place, test)
        self.hits = lru_cache(maxsize=_REMEMBERED)(self._hits)

    def _add(self, rule: int, place: int, test: Test) -> None:
        for field in test.fields:
            if test.equals is not None:
                self._exact.setdefault((field, test.equals.lower()), []).append((rule, place))
                continue
            if test.regex is not None:
                literal, pattern = required_literal(test.regex), compile_regex(test.regex)
            else:
                literal, pattern = (test.starts or test.has or "").lower(), None
            search = _Search(rule, place, literal, pattern, test.starts is not None)
            self._searches.setdefault(field, []).append(search)

    def _hits(self, field: str, value: str) -> tuple[Hit, ...]:
        lowered = value.lower()
        hits = [Hit(rule, test, ()) for rule, test in self._exact.get((field, lowered), ())]
        for search in self._searches.get(field, ()):
            if search.literal not in lowered:
                continue
            if search.pattern is None:
                if not search.at_start or lowered.startswith(search.literal):
                    hits.append(Hit(search.rule, search.test, ()))
                continue
            found = search.pattern.search(value)
            if found is not None:
                hits.append(Hit(search.rule, search.test, tuple(group or "" for group in found.groups())))
        return tuple(hits)

    def match(self, entries: Iterable[tuple[str, str]]) -> list[Match]:
        """Return the rules that match a device with these (field, value) entries, one match per label set."""
        single: dict[tuple[int, tuple[tuple[str, str], ...]], Match] = {}
        partial: dict[int, dict[int, tuple[Hit, str, str]]] = {}
        for field, value in entries:
            for hit in self.hits(field, value):
                rule = self.rules[hit.rule]
                if rule.every:
                    partial.setdefault(hit.rule, {}).setdefault(hit.test, (hit, field, value))
                    continue
                labels = _fill(rule, hit.groups)
                if labels:
                    single.setdefault((hit.rule, labels), Match(rule, labels, field, value))
        for number, found in partial.items():
            rule = self.rules[number]
            if len(found) == len(rule.tests):
                groups = next(
                    (hit.groups for hit, _, _ in (found[i] for i in sorted(found)) if hit.groups), ()
                )
                _, field, value = found[0]
                labels = _fill(rule, groups)
                if labels:
                    single[number, labels] = Match(rule, labels, field, value)
        return list(single.values())


def _fill(rule: Fingerprint, groups: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return the labels with groups put in; labels whose groups stayed empty are left out."""
    labels = []
    for level, label in rule.says.items():
        text = label
        for number, group in enumerate(groups, 1):
            text = text.replace(f"{{{number}}}", group.strip())
        if text and not (text != label and not text.strip(" -_.")) and "{" not in text:
            labels.append((level, " ".join(text.split())))
    return tuple(labels)


@cache
def index() -> Index:
    """Return the index of the packaged rules."""
    return Index(fingerprints())
