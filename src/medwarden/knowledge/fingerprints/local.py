"""A hospital's own rules: read from its files, checked like the packaged ones, and used beside them.

A rule with the id of a packaged one takes its place, so that a hospital can mend what is wrong for it.
"""

from __future__ import annotations

import re

import msgspec
import yaml

from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.knowledge.fingerprints.lint import complaints
from medwarden.knowledge.fingerprints.rules import Fingerprint, line_numbers
from medwarden.knowledge.written_yaml import check_depth

LARGEST = 1 << 20
"""Bytes a rule file may have; all packaged ones together are smaller."""

_PATH = re.compile(r"\$\[(\d+)\]")


def read_rules(text: str, name: str) -> tuple[Fingerprint, ...]:
    """Return the rules of a file; raises MalformedInput naming file and line of the first thing wrong."""
    rules, problems = check_rules(text, name)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise MalformedInput(name, problems[0].removeprefix(f"{name}:") + more)
    return rules


def check_rules(text: str, name: str) -> tuple[tuple[Fingerprint, ...], list[str]]:
    """Return the rules of a file and what is wrong with it, each as ``file:line: sentence``."""
    if len(text) > LARGEST:
        return (), [f"{name}:1: larger than {LARGEST >> 10} KiB, which no list of rules is"]
    try:
        check_depth(text, name)
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                return (), [f"{name}:{_line(event.start_mark)}: aliases are not used in rules"]
        lines = line_numbers(text)
        loaded = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        return (), [
            f"{name}:{_line(error.problem_mark or error.context_mark)}: {error.problem or 'not YAML'}"
        ]
    except ConfigurationError as error:
        return (), [f"{name}:1: {error}"]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return (), [f"{name}:1: not YAML ({str(error).splitlines()[0]})"]
    if not isinstance(loaded, list):
        return (), [f"{name}:1: not a list of rules"]
    try:
        rules = msgspec.convert(loaded, tuple[Fingerprint, ...])
    except msgspec.ValidationError as error:
        return (), [f"{name}:{_line_of(str(error), loaded, lines)}: {error}"]
    return rules, complaints(name, rules, lines)


def _line(mark: object) -> int:
    line = getattr(mark, "line", None)
    return line + 1 if isinstance(line, int) else 1


def _line_of(problem: str, loaded: list[object], lines: dict[str, int]) -> int:
    """Return the line of the rule that a message of msgspec points into, 1 where that has no id."""
    found = _PATH.search(problem)
    rule = loaded[int(found.group(1))] if found else None
    identifier = rule.get("id") if isinstance(rule, dict) else None
    return lines.get(str(identifier), 1)
