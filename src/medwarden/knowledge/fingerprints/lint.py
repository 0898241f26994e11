"""Checking of rule files: every complaint names file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medwarden.knowledge.fingerprints.index import Index
from medwarden.knowledge.fingerprints.rules import (
    FIELD_GROUPS,
    LEVELS,
    TRUST,
    Fingerprint,
    Look,
    compile_regex,
)
from medwarden.knowledge.taxonomy import categories
from medwarden.model.device import DeviceClass

_FIELD = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*(\.[a-z0-9]+(_[a-z0-9]+)*){1,2}")


def complaints(file: str, rules: tuple[Fingerprint, ...], lines: dict[str, int]) -> list[str]:
    """Return what is wrong with the rules of one file, as ``file:line: sentence``, in order of lines."""
    seen: set[str] = set()
    found: list[str] = []
    for rule in rules:
        where = f"{file}:{lines.get(rule.id, 0)}: {rule.id}"
        if rule.id in seen:
            found.append(f"{where}: the id is used twice")
        seen.add(rule.id)
        problems = list(_shape(rule))
        found += [f"{where}: {problem}" for problem in problems or _examples(rule)]
    return found


def _shape(rule: Fingerprint) -> Iterator[str]:
    if rule.trust not in TRUST:
        yield f"trust {rule.trust!r} is none of {', '.join(TRUST)}"
    if not rule.source.strip():
        yield "it does not say where the fact is from"
    if not rule.says:
        yield "it says nothing"
    if not rule.matches:
        yield "it has no example that it matches"
    for test in rule.tests:
        yield from _test_shape(test)
    yield from _labels(rule)


def _test_shape(test: Look) -> Iterator[str]:
    named = (test.field,) if isinstance(test.field, str) else test.field
    for name in named:
        if name.startswith("@"):
            if name not in FIELD_GROUPS:
                yield f"there is no group of fields {name}"
        elif not _FIELD.fullmatch(name):
            yield f"{name!r} is not the name of an evidence field"
    operators = [o for o in (test.equals, test.starts, test.has, test.regex) if o]
    if len(operators) != 1:
        yield "a test needs exactly one of is, starts, has, regex"
    if test.regex:
        try:
            compile_regex(test.regex)
        except re.error as error:
            yield f"the expression {test.regex!r} is wrong: {error}"


def _labels(rule: Fingerprint) -> Iterator[str]:
    for level, label in rule.says.items():
        if level not in LEVELS:
            yield f"there is no level {level!r}"
        if level == "category" and label not in categories():
            yield f"the taxonomy has no category {label!r}"
        if level == "class" and label not in set(DeviceClass):
            yield f"there is no class {label!r}"
        if level == "managed" and label not in ("yes", "no"):
            yield "managed is yes or no"


def _examples(rule: Fingerprint) -> Iterator[str]:
    index = Index((rule,))
    for example in rule.matches:
        matches = index.match(rule.example(example))
        if not matches:
            yield f"does not match its example {example!r}"
        elif not any(len(match.labels) == len(rule.says) for match in matches):
            yield f"leaves a label empty on its example {example!r}"
    for example in rule.misses:
        if index.match(rule.example(example)):
            yield f"matches its counter-example {example!r}"
