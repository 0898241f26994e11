from __future__ import annotations

import pytest

from medwarden.kernel.errors import ConfigurationError
from medwarden.risk.work.choice import ActionKind
from medwarden.risk.work.rules import parse_rules, shipped_rules


def test_the_shipped_rules_hold_for_every_kind_of_work() -> None:
    rules = shipped_rules()
    assert (rules.due_days.critical, rules.due_days.high) == (15, 30)
    assert set(rules.effort) == {kind.value for kind in ActionKind}
    worth = rules.priority
    most = worth.critical + worth.public_exploit + worth.likely + 5 * worth.criticality
    most += worth.internet + 10 * worth.doubling
    least = worth.exploited + worth.critical - worth.effort * max(rules.effort.values())
    assert least > most, "what is used in attacks comes first, whatever speaks for anything else"


def test_a_hospital_changes_a_part_and_keeps_the_rest() -> None:
    own = parse_rules("due_days: {critical: 7}\nnumber: 12\n", "work.yaml", shipped_rules())
    assert (own.due_days.critical, own.due_days.high, own.number) == (7, 30, 12)
    assert own.priority == shipped_rules().priority


@pytest.mark.parametrize(
    "text",
    [
        *("due_days: 3", "due_days: {critical: -1}", "unknown: 1", "[]", "a: [", "effort: {update: x}"),
        *("number: 2001-99-99", f"number: {'9' * 5000}", "[" * 3000),
    ],
    ids=lambda text: text[:20],
)
def test_what_does_not_hold_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"work\.yaml"):
        parse_rules(text, "work.yaml", shipped_rules())
