"""The rules of reconciliation: whom to believe where book and network disagree, and when to tell somebody."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.packaged import load_yaml
from medwarden.knowledge.written_yaml import read_yaml


class Winner(StrEnum):
    """Whose word counts for a field."""

    NETWORK = "network"
    BOOK = "book"
    DECLARED = "declared"  # the network's where the device says so itself, else the book's
    NOBODY = "nobody"


class Accept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a row and a device are called one."""

    probability: float = 0.9
    lead: float = 2.0


class OpenFindings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which findings reconciliation opens."""

    retired_heard: bool = True
    not_in_books: bool = False


class ReconciliationRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules in force; fields as ``reconciliation.yaml`` explains them."""

    winners: dict[str, Winner]
    silent_days: int = 30
    heard_days: int = 7
    accept: Accept = Accept()
    findings: OpenFindings = OpenFindings()


def default_rules() -> ReconciliationRules:
    """Return the packaged rules."""
    return load_yaml("reconciliation.yaml", ReconciliationRules)


def rules_with(text: str, name: str) -> ReconciliationRules:
    """Return the packaged rules with those of a hospital's own file, ``text`` of the file ``name``.

    Raises ConfigurationError that says what in it does not hold.
    """
    base = default_rules()
    try:
        own = read_yaml(text, name) or {}
        if not isinstance(own, dict):
            raise ConfigurationError(f"{name}: not a mapping of rules")
        merged = msgspec.to_builtins(base)
        for key, value in own.items():
            both = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = merged[key] | value if both else value
        rules = msgspec.convert(merged, ReconciliationRules)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{name}: {str(error)[:300]}") from error
    unknown = sorted(set(rules.winners) - set(base.winners))
    if unknown:
        raise ConfigurationError(
            f"{name}: there is no field {unknown[0]!r}: use one of {', '.join(base.winners)}"
        )
    if not 0.5 <= rules.accept.probability < 1 or rules.accept.lead < 0:
        raise ConfigurationError(
            f"{name}: accept needs a probability of 0.5 to below 1 and a lead of 0 or more"
        )
    if rules.silent_days < 1 or rules.heard_days < 1:
        raise ConfigurationError(f"{name}: silent_days and heard_days are whole days, 1 or more")
    return rules
