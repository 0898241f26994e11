"""The rules of the work queue: due days, priority and effort, shipped and adjustable by a hospital."""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec

from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.written_yaml import read_yaml

OWN_FILE = "work.yaml"
"""Name of a hospital's own rules in its data folder."""

_LONGEST_WORDS = 200


class DueDays(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Days from when something was first known."""

    exploited: int
    critical: int
    high: int
    medium: int
    low: int


class Points(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each reason is worth; see the file."""

    exploited: float
    exploited_perhaps: float
    public_exploit: float
    likely: float
    critical: float
    high: float
    medium: float
    low: float
    criticality: float
    internet: float
    doubling: float
    effort: float


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of ``rules.yaml``."""

    number: int
    due_days: DueDays
    priority: Points
    effort: dict[str, float]
    accept_most_days: int
    vex_days: int


def parse_rules(text: str, source: str, base: Rules | None = None) -> Rules:
    """Return the rules that ``text`` states; what it leaves out is as in ``base``.

    Raises ConfigurationError naming ``source`` where it is no YAML of that form or a number is negative.
    """
    try:
        said = read_yaml(text, source)
        said = {} if said is None else said
        if not isinstance(said, dict):
            raise ConfigurationError(f"{source} cannot be used: it holds no names with values")
        merged: dict[str, object] = {} if base is None else msgspec.to_builtins(base)
        for name, value in said.items():
            before = merged.get(str(name))
            whole = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
            merged[str(name)] = whole
        rules = msgspec.convert(merged, Rules)
    except ValueError as error:
        raise ConfigurationError(f"{source} cannot be used: {str(error)[:_LONGEST_WORDS]}") from error
    numbers = (*msgspec.structs.astuple(rules.due_days), *msgspec.structs.astuple(rules.priority))
    if any(n < 0 for n in (*numbers, *rules.effort.values(), rules.accept_most_days, rules.vex_days)):
        raise ConfigurationError(f"{source} cannot be used: no number may be negative")
    return rules


@cache
def shipped_rules() -> Rules:
    """Return the rules shipped with the program."""
    text = resources.files(__package__).joinpath("rules.yaml").read_text(encoding="utf-8")
    return parse_rules(text, "rules.yaml")
