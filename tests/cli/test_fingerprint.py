"""``fingerprint``: rules are checked, tried on captures, put to use and taken away again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Say

from medwarden.knowledge.fingerprints.rules import use_own

CT_MAC = "00:01:e3:44:02:21"
RULE = """- id: our-ct
  when: {field: dicom.ae_title, regex: '.+'}
  says: {vendor: Ours, os: VxWorks}
  trust: declared
  source: our purchasing department
  matches: [CT01]
"""
WARD = Path(__file__).resolve().parents[2] / "src/medwarden/app/demo/ward.pcap.gz"


@pytest.fixture(autouse=True)
def only_packaged() -> Iterator[None]:
    yield
    use_own(())


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "ours.yaml"
    path.write_text(RULE)
    return path


def vendor_of(say: Say, home: Path | None = None) -> object:
    lines = say("devices", "--json", home=home).out.splitlines()
    (found,) = [d for d in map(json.loads, lines) if CT_MAC in d["macs"]]
    return found["os"]


def test_own_rules_are_put_to_use_and_taken_away(say: Say, home: Path, rules: Path) -> None:
    before = vendor_of(say, home)
    assert before != "VxWorks"
    added = say("fingerprint", "add", str(rules))
    assert (added.status, added.out.strip()) == (0, "ours.yaml: 1 rules in use")
    assert vendor_of(say) == "VxWorks"
    assert "our-ct" in say("fingerprint", "list", "our-ct").out
    assert "VxWorks" in say("fingerprint", "show", "our-ct").out
    assert say("fingerprint", "remove", "ours.yaml").status == 0
    assert vendor_of(say) == before
    said = say("fingerprint", "remove", "ours.yaml")
    assert said.status == 2 and "there are: none" in said.err


def test_a_wrong_file_changes_nothing(say: Say, home: Path, rules: Path) -> None:
    rules.write_text(RULE.replace("CT01", "''"))
    said = say("fingerprint", "add", str(rules), home=home)
    assert said.status == 2 and "ours.yaml:1: our-ct" in said.err
    assert not (home / "fingerprints").exists()
    said = say("fingerprint", "lint", str(rules))
    assert said.status == 1 and "ours.yaml:1: our-ct" in said.err
    rules.write_text(RULE)
    assert say("fingerprint", "lint", str(rules)).status == 0


def test_rules_are_tried_on_a_capture_without_storing_anything(say: Say, home: Path, rules: Path) -> None:
    said = say("fingerprint", "test", str(WARD), "--rules", str(rules), "--json", home=home)
    assert said.status == 0
    tried = [json.loads(line) for line in said.out.splitlines()]
    assert tried and all(m["rule"] == "our-ct" for t in tried for m in t["matched"])
    (ct,) = [t for t in tried if CT_MAC in t["macs"]]
    assert (ct["before"]["os"], ct["after"]["os"]) != ("VxWorks", None)
    assert ct["after"]["os"] == "VxWorks"
    assert f"{len(tried)} of" in said.err and "would be called otherwise" in said.err
    words = say("fingerprint", "test", str(WARD)).out
    assert "our-ct" not in words and CT_MAC in words
