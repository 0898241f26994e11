"""Texts that expressions require."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.knowledge.fingerprints.literals import required_literals
from medwarden.knowledge.fingerprints.rules import compile_regex, fingerprints


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        (r"\bAXIS (?:M|P)\d{4}", {"axis "}),
        (r"^(?:BRN|BRW)[0-9A-F]{12}$", {"brn", "brw"}),
        (r"colou?r", {"colo"}),
        (r"a|bc", {"a", "bc"}),
        (r"\d+|bc", set()),
        (r"(?!no)yes", {"yes"}),
        (r"x{0,3}abc+", {"abc"}),
        (r"[]a]b\.c", {"b.c"}),
        (r".", set()),
        (r"a{", {"a{"}),
        (r"a{b|c}", {"a{b", "c}"}),
        (r"ab{00,2}c", {"a"}),
        (r"(?:x{|yz)}", {"x{", "yz"}),
    ],
)
def test_literals(pattern: str, literals: set[str]) -> None:
    assert required_literals(pattern) == literals


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:ab|cd)?ef(?:gh|ij)+",
        r"x(?:a|bb|ccc){2,3}y?",
        r"[a-c]{1,2}(?:long|er)[^d]",
        r"(?:(?:in|out)ner|flat)\b",
        r"q(?:u(?:v(?:w)?)?)?z",
        r"a{0}b{2}c*d+e",
    ],
)
@given(data=st.data())
def test_no_match_is_missed(pattern: str, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(re.compile(pattern, re.ASCII)))
    literals = required_literals(pattern)
    assert literals
    assert any(literal in text for literal in literals)


def test_packaged_expressions_do_not_miss_their_examples() -> None:
    for rule in fingerprints():
        values = [value for example in rule.matches for _, value in rule.example(example)]
        for test in rule.tests:
            literals = required_literals(test.regex) if test.regex else frozenset()
            for value in values:
                if test.regex and literals and compile_regex(test.regex).search(value):
                    assert any(literal in value.lower() for literal in literals), rule.id
