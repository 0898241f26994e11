"""A hospital's own rules: wrong ones are named by file and line, right ones are used beside ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.labelling import labelling_version
from medwarden.kernel.errors import MalformedInput
from medwarden.knowledge.fingerprints.index import index
from medwarden.knowledge.fingerprints.local import check_rules, read_rules
from medwarden.knowledge.fingerprints.rules import fingerprints, generation, packaged, use_own

RULE = """- id: pump-of-ours
  when: {field: dhcp.vendor_class, starts: OurPump}
  says: {vendor: Ours, category: infusion_pump}
  trust: declared
  source: our purchasing department
  matches: [OurPump 3]
  misses: [YourPump]
"""


@pytest.fixture(autouse=True)
def only_packaged() -> Iterator[None]:
    yield
    use_own(())


def test_own_rules_stand_beside_the_packaged_ones_and_change_the_version() -> None:
    before, version = generation(), labelling_version()
    assert not index().match([("dhcp.vendor_class", "OurPump 3")])
    assert use_own(read_rules(RULE, "ours.yaml"))
    assert generation() == before + 1
    assert labelling_version() != version
    (match,) = index().match([("dhcp.vendor_class", "OurPump 3")])
    assert dict(match.labels) == {"vendor": "Ours", "category": "infusion_pump"}
    assert len(fingerprints()) == len(packaged()) + 1
    assert not use_own(read_rules(RULE, "ours.yaml"))
    assert use_own(())
    assert labelling_version() == version


def test_an_own_rule_takes_the_place_of_the_packaged_one_of_its_name() -> None:
    name = packaged()[0].id
    use_own(read_rules(RULE.replace("pump-of-ours", name), "ours.yaml"))
    assert len(fingerprints()) == len(packaged())
    assert [r.source for r in fingerprints() if r.id == name] == ["our purchasing department"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("just text", "ours.yaml:1: not a list of rules"),
        ("- id: x\n  when: [", "ours.yaml:2: "),
        (RULE + RULE.replace("OurPump 3", "Other"), "ours.yaml:8: pump-of-ours: the id is used twice"),
        (RULE.replace("[OurPump 3]", "[Other]"), "ours.yaml:1: pump-of-ours: does not match its example"),
        (RULE.replace("[YourPump]", "[OurPump 9]"), "ours.yaml:1: pump-of-ours: matches its counter-example"),
        (RULE.replace("infusion_pump", "spaceship"), "the taxonomy has no category 'spaceship'"),
        (RULE + "- id: second\n  when: {field: a.b, is: c}\n", "ours.yaml:8: Object missing required field"),
        ("- a\n- " + "[" * 3000, "ours.yaml, line 2: nested deeper than 20"),
        ("- &a [x]\n- *a\n", "ours.yaml:2: aliases are not used in rules"),
        (RULE.replace("starts: OurPump", "regex: '('"), "the expression '(' is wrong"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(text: str, says: str) -> None:
    _, problems = check_rules(text, "ours.yaml")
    assert any(says in problem for problem in problems), problems
    with pytest.raises(MalformedInput, match=r"ours\.yaml"):
        read_rules(text, "ours.yaml")


@given(st.text(max_size=200))
def test_any_text_is_rules_or_complaints(text: str) -> None:
    rules, problems = check_rules(text, "x.yaml")
    assert all(problem.startswith("x.yaml:") for problem in problems)
    assert not rules or not problems or all("x.yaml:" in p for p in problems)
