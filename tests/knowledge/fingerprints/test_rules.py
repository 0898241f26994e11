"""Every packaged fingerprint against its own examples."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from medwarden.knowledge.fingerprints.index import Index
from medwarden.knowledge.fingerprints.rules import Example, Fingerprint, Look, files, fingerprints

RULES = fingerprints()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_examples(rule: Fingerprint) -> None:
    index = Index((rule,))
    assert rule.matches
    for example in rule.matches:
        assert index.match(rule.example(example)), example
    for example in rule.misses:
        assert not index.match(rule.example(example)), example


def test_there_are_several_hundred_and_ids_are_unique() -> None:
    assert len(RULES) > 500
    assert [rule_id for rule_id, n in Counter(rule.id for rule in RULES).items() if n > 1] == []
    assert len(files()) >= 8


def test_rules_name_no_single_device() -> None:
    # A rule that quotes a MAC address or a long serial number would have been learnt by heart.
    own = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}|\d{8,}", re.IGNORECASE)
    for rule in RULES:
        for test in rule.tests:
            pattern = test.equals or test.starts or test.has or test.regex or ""
            assert not own.search(pattern), rule.id


def test_groups_of_fields_are_spelt_out() -> None:
    test = Look(field=("@agents", "http.title"), has="x")
    assert test.fields == ("http.user_agent", "sip.user_agent", "http.title")


def test_examples_may_hold_several_values() -> None:
    example: Example = {"flow.serves": ("tcp/88", "tcp/389")}
    assert RULES[0].example(example) == [("flow.serves", "tcp/88"), ("flow.serves", "tcp/389")]
