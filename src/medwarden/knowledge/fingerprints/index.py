"""Applying fingerprints fast: tests by field, each behind a literal that must occur.

A ledger entry is looked up by its field; exact tests are one dictionary look-up, the others are tried
only when a text that they require occurs in the value, which is found by its first two
characters. What a (field, value) matches is remembered, because the same values come back on
thousands of devices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache

import msgspec

from medwarden.knowledge.fingerprints.literals import Literals, required_literals
from medwarden.knowledge.fingerprints.rules import Fingerprint, Look, compile_regex, fingerprints, generation

_GRAM = 2
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
    """A test that is no plain equality: ``regex``, or ``start`` where only the start counts, or neither."""

    rule: int
    test: int
    regex: str | None
    start: str | None


class _FieldSearches:
    """The searches of one field, found by the first two characters of a text that must occur."""

    def __init__(self) -> None:
        self._by_gram: dict[str, list[tuple[str, _Search]]] = {}
        self._rest: list[tuple[str, _Search]] = []  # texts too short for that, or none at all

    def add(self, search: _Search, literals: Literals) -> None:
        for literal in literals or ("",):
            if len(literal) < _GRAM:
                self._rest.append((literal, search))
            else:
                self._by_gram.setdefault(literal[:_GRAM], []).append((literal, search))

    def candidates(self, lowered: str) -> list[_Search]:
        """Return the searches of which a text occurs in the value, each once, in the order of rules."""
        found = {(search.rule, search.test): search for literal, search in self._rest if literal in lowered}
        by_gram = self._by_gram
        for place in range(len(lowered) - _GRAM + 1):
            for literal, search in by_gram.get(lowered[place : place + _GRAM], ()):
                if lowered.startswith(literal, place):
                    found[search.rule, search.test] = search
        return [found[key] for key in sorted(found)]


@cache
def _pattern(regex: str) -> re.Pattern[str]:
    """Return the compiled expression: compiled when first needed, because most never are."""
    return compile_regex(regex)


class Index:
    """Rules compiled for look-up by field."""

    def __init__(self, rules: Iterable[Fingerprint]) -> None:
        self.rules = tuple(rules)
        self._exact: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self._searches: dict[str, _FieldSearches] = {}
        for number, rule in enumerate(self.rules):
            for place, test in enumerate(rule.tests):
                self._add(number, place, test)
        self.hits = lru_cache(maxsize=_REMEMBERED)(self._hits)
        self._labels = lru_cache(maxsize=_REMEMBERED)(self._filled)

    def _filled(self, rule: int, groups: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        return _fill(self.rules[rule], groups)

    def _add(self, rule: int, place: int, test: Look) -> None:
        if test.equals is not None:
            for field in test.fields:
                self._exact.setdefault((field, test.equals.lower()), []).append((rule, place))
            return
        start = None if test.starts is None else test.starts.lower()
        if test.regex is not None:
            literals = required_literals(test.regex)
        else:
            literals = frozenset((start or (test.has or "").lower(),))
        search = _Search(rule, place, test.regex, start)
        for field in test.fields:
            self._searches.setdefault(field, _FieldSearches()).add(search, literals)

    def _hits(self, field: str, value: str) -> tuple[Hit, ...]:
        lowered = value.lower()
        hits = [Hit(rule, test, ()) for rule, test in self._exact.get((field, lowered), ())]
        searches = self._searches.get(field)
        for search in () if searches is None else searches.candidates(lowered):
            if search.regex is None:
                if search.start is None or lowered.startswith(search.start):
                    hits.append(Hit(search.rule, search.test, ()))
                continue
            found = _pattern(search.regex).search(value)
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
                labels = self._labels(hit.rule, hit.groups)
                if labels:
                    single.setdefault((hit.rule, labels), Match(rule, labels, field, value))
        for number, found in partial.items():
            rule = self.rules[number]
            if len(found) == len(rule.tests):
                groups = next(
                    (hit.groups for hit, _, _ in (found[i] for i in sorted(found)) if hit.groups), ()
                )
                _, field, value = found[0]
                labels = self._labels(number, groups)
                if labels:
                    single[number, labels] = Match(rule, labels, field, value)
        return list(single.values())


def _fill(rule: Fingerprint, groups: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return the labels with groups put in; a label that needs a group which stayed empty is left out."""
    labels = []
    for level, label in rule.says.items():
        text = label
        for number, group in enumerate(groups, 1):
            if group.strip():
                text = text.replace(f"{{{number}}}", group.strip())
        if "{" not in text:
            labels.append((level, " ".join(text.split())))
    return tuple(labels)


def index() -> Index:
    """Return the index of the rules in use."""
    return _index(generation())


@lru_cache(maxsize=1)
def _index(_generation: int) -> Index:
    return Index(fingerprints())
