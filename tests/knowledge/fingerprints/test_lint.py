"""The linter of rule files."""

from __future__ import annotations

import msgspec
import pytest

from medwarden.knowledge.fingerprints.lint import complaints
from medwarden.knowledge.fingerprints.rules import Fingerprint, files, fingerprints, lines_of
from medwarden.knowledge.packaged import load_yaml

GOOD: dict[str, object] = {
    "id": "probe",
    "when": {"field": "http.title", "regex": "^Probe (\\d+)"},
    "says": {"vendor": "Probe", "model": "{1}"},
    "trust": "strong",
    "source": "invented for this test",
    "matches": ["Probe 7"],
    "misses": ["probe"],
}


def _complaints(**changes: object) -> list[str]:
    rule = msgspec.convert({**GOOD, **changes}, Fingerprint)
    return complaints("probe.yaml", (rule,), {"probe": 12})


@pytest.mark.parametrize("name", files())
def test_packaged_files_are_clean(name: str) -> None:
    rules = load_yaml(f"fingerprints/{name}", tuple[Fingerprint, ...])
    assert complaints(name, rules, lines_of(name)) == []


def test_a_good_rule_passes() -> None:
    assert _complaints() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trust": "absolute"}, "trust"),
        ({"source": " "}, "where the fact is from"),
        ({"matches": ["Sonde 7"]}, "does not match its example"),
        ({"misses": ["Probe 8"]}, "matches its counter-example"),
        ({"matches": []}, "no example"),
        ({"says": {"category": "toaster"}}, "toaster"),
        ({"says": {"colour": "red"}}, "colour"),
        ({"says": {"class": "XoT"}}, "XoT"),
        ({"says": {"managed": "maybe"}}, "yes or no"),
        ({"says": {}}, "says nothing"),
        ({"when": {"field": "http.title", "regex": "("}}, "is wrong"),
        ({"when": {"field": "title", "has": "Probe"}}, "not the name of an evidence field"),
        ({"when": {"field": "@nobody", "has": "Probe"}}, "no group of fields"),
        ({"when": {"field": "http.title"}}, "exactly one"),
        ({"when": {"field": "http.title", "has": "Probe", "is": "Probe 7"}}, "exactly one"),
        ({"when": {"field": "http.title", "regex": "Probe( 9)?"}}, "leaves a label empty"),
    ],
)
def test_complaints_name_file_line_and_reason(changes: dict[str, object], words: str) -> None:
    found = _complaints(**changes)
    assert found
    assert all(text.startswith("probe.yaml:12: probe: ") for text in found)
    assert any(words in text for text in found)


def test_an_id_used_twice() -> None:
    rule = msgspec.convert(GOOD, Fingerprint)
    assert any("used twice" in text for text in complaints("probe.yaml", (rule, rule), {}))


def test_lines_are_those_of_the_file() -> None:
    lines = lines_of("home.yaml")
    ids = {rule.id for rule in fingerprints()}
    assert lines
    assert lines.keys() <= ids
    assert all(line > 1 for line in lines.values())
