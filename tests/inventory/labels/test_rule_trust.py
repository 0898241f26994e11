"""A rule's learnt trust falls with its mistakes and never rises above what it was written with."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.labels.example import Example
from medwarden.inventory.labels.rule_trust import Record, RuleTrust, agrees, keep_records
from medwarden.knowledge.fingerprints.rules import TRUST
from medwarden.model.device import Ballot


def _example(label: str, truth: str) -> Example:
    return Example((), (), {"category": truth}, votes=(("category", label, "rule-1"),))


def test_records_count_right_and_wrong_votes() -> None:
    examples = [*[_example("printer", "printer")] * 6, *[_example("printer", "kiosk")] * 2]
    assert keep_records(examples) == {"rule-1|category": Record(6.0, 8.0)}


def test_a_rule_that_is_wrong_loses_weight_and_one_that_is_right_keeps_it() -> None:
    trust = RuleTrust({"bad|vendor": Record(2.0, 60.0), "good|vendor": Record(500.0, 500.0)})
    assert trust.weight("bad", "vendor", TRUST["likely"]) < TRUST["hint"]
    assert trust.weight("bad", "vendor", TRUST["declared"]) == TRUST["declared"]
    assert trust.weight("good", "vendor", TRUST["likely"]) == TRUST["likely"]
    assert trust.weight("unheard", "vendor", 1.5) == 1.5


@given(st.floats(0, 1000), st.floats(0, 1), st.sampled_from(sorted(TRUST)))
def test_trust_stays_between_nothing_and_what_was_written(votes: float, share: float, trust: str) -> None:
    learnt = RuleTrust({"r|class": Record(votes * share, votes)}).weight("r", "class", TRUST[trust])
    assert 0.0 <= learnt <= TRUST[trust]
    assert math.isfinite(learnt)


def test_worthless_votes_go() -> None:
    ballots = [Ballot("class", "IoT", 1.0, "bad", "f", "v"), Ballot("class", "IT", 1.0, "other", "f", "v")]
    kept = RuleTrust({"bad|class": Record(0.0, 500.0)}).apply(ballots)
    assert [ballot.rule for ballot in kept] == ["other"]


def test_a_general_system_and_a_shorter_model_are_right() -> None:
    assert agrees("os", "Linux", "Debian")
    assert not agrees("os", "Debian", "Linux")
    assert agrees("model", "DCS-930", "DCS-930L")
    assert agrees("vendor", "B. Braun", "B Braun")
    assert agrees("category", "printer", "label_printer")


def test_the_general_kind_is_right_and_the_finer_one_is_not() -> None:
    assert agrees("category", "infusion_pump", "syringe_pump")
    assert not agrees("category", "syringe_pump", "infusion_pump")
