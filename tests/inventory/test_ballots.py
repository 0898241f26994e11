"""Weighing votes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.ballots import THRESHOLD, ballot_key, decide, is_kind_of, lineage
from medwarden.knowledge.fingerprints.rules import TRUST
from medwarden.model.device import Ballot


def _ballot(label: str, trust: str, rule: str = "r", field: str = "f") -> Ballot:
    return Ballot("category", label, TRUST[trust], rule, field, "v")


@pytest.mark.parametrize(
    ("trust", "probability"), [("declared", 0.985), ("strong", 0.95), ("likely", 0.85), ("hint", 0.7)]
)
def test_a_single_vote_has_the_probability_of_its_rule(trust: str, probability: float) -> None:
    verdict = decide("category", [_ballot("ct", trust)])
    assert verdict.label == "ct"
    assert verdict.confidence == pytest.approx(probability, abs=1e-3)


def test_no_votes_and_faint_votes_abstain() -> None:
    assert decide("category", []).label is None
    verdict = decide("category", [_ballot("ct", "faint")])
    assert verdict.label is None
    assert verdict.ballots


def test_contradiction_lowers_and_is_named() -> None:
    alone = decide("category", [_ballot("ct", "strong")])
    contested = decide("category", [_ballot("ct", "strong", "a"), _ballot("mri", "likely", "b")])
    assert contested.label == "ct"
    assert contested.confidence < alone.confidence
    assert contested.runner_up == "mri"
    assert {ballot.label for ballot in contested.ballots} == {"ct", "mri"}


def test_even_contradiction_abstains() -> None:
    assert decide("category", [_ballot("ct", "strong", "a"), _ballot("mri", "strong", "b")]).label is None


def test_agreement_adds_but_one_rule_counts_once() -> None:
    once = decide("category", [_ballot("ct", "likely", "a")])
    twice = decide("category", [_ballot("ct", "likely", "a"), _ballot("ct", "likely", "a")])
    two_rules = decide("category", [_ballot("ct", "likely", "a"), _ballot("ct", "likely", "b")])
    assert once.confidence == twice.confidence < two_rules.confidence


def test_special_systems_inherit_from_general_ones() -> None:
    votes = [_ballot("Linux", "strong", "a"), _ballot("Debian", "likely", "b")]
    verdict = decide("os", votes)
    assert verdict.label == "Debian"
    assert verdict.confidence > 0.85
    assert lineage("Raspberry Pi OS") == ["Debian", "Linux"]


def test_longer_models_inherit_from_shorter_ones() -> None:
    votes = [_ballot("DCS-930", "strong", "a"), _ballot("DCS-930L", "strong", "b")]
    assert decide("model", votes).label == "DCS-930L"


def test_spelling_of_models_does_not_split_votes() -> None:
    assert ballot_key("model", "SP-1101W") == ballot_key("model", "sp1101w")
    assert ballot_key("category", "ct") != ballot_key("category", "CT")


_VOTES = st.lists(
    st.builds(
        _ballot,
        st.sampled_from(["ct", "mri", "pacs"]),
        st.sampled_from(sorted(TRUST)),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["f", "g"]),
    ),
    max_size=12,
)


@given(_VOTES, st.randoms(use_true_random=False))
def test_a_verdict_is_a_probability_and_knows_no_order(votes: list[Ballot], rng: random.Random) -> None:
    verdict = decide("category", votes)
    shuffled = list(votes)
    rng.shuffle(shuffled)
    assert decide("category", shuffled).label == verdict.label
    assert 0.0 <= verdict.runner_up_confidence <= verdict.confidence < 1.0
    assert verdict.confidence + verdict.runner_up_confidence <= 1.0
    assert (verdict.label is not None) == (verdict.confidence >= THRESHOLD)


def test_open_kinds_of_pumps_together_are_an_infusion_pump() -> None:
    both = [_ballot("syringe_pump", "hint", "a"), _ballot("pca_pump", "hint", "b")]
    verdict = decide("category", both)
    assert verdict.label == "infusion_pump"
    assert THRESHOLD <= verdict.confidence < 1.0
    assert len(verdict.ballots) == 2
    assert decide("category", [_ballot("syringe_pump", "hint"), _ballot("printer", "hint")]).label is None


@pytest.mark.parametrize(
    ("category", "answer", "right"),
    [
        ("syringe_pump", "infusion_pump", True),
        ("infusion_pump", "infusion_pump", True),
        ("infusion_pump", "syringe_pump", False),
        ("laptop", "workstation", True),
        ("nvr", "ip_camera", False),
    ],
)
def test_an_answer_may_be_the_general_kind(category: str, answer: str, right: bool) -> None:
    assert is_kind_of(category, answer) is right
