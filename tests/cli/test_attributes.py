"""``attributes``: a hospital's own attributes are defined, filled by rules and set by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Say

FILE = """
attributes:
  - {name: clinical_owner, title: Clinical owner, kind: choice, choices: [ICU, OR]}
  - {name: next_test, kind: date}
rules:
  - {name: all, attribute: clinical_owner, value: ICU}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(FILE)
    return path


def test_attributes_are_defined_filled_and_set(say: Say, home: Path, file: Path) -> None:
    rows = [json.loads(line) for line in say("devices", "--json", home=home).out.splitlines()]
    device = rows[0]["id"]
    loaded = say("attributes", "load", file)
    assert loaded.out == f"2 attributes, 1 rules; {len(rows)} values changed\n"
    assert say("attributes", "load", file).out.endswith("; 0 values changed\n")
    listed = json.loads(say("attributes", "list", "--json").out)
    assert [one["name"] for one in listed["attributes"]] == ["clinical_owner", "next_test"]
    assert "Clinical owner" in say("attributes", "list").out
    (value,) = json.loads(say("attributes", "show", device, "--json").out)
    assert (value["name"], value["value"], value["rule"]) == ("clinical_owner", "ICU", "all")
    said = say("attributes", "set", device, "clinical_owner", "or", "--reason", "moved")
    assert (said.status, said.out) == (0, "OR\n")
    assert "by hand" in say("attributes", "show", device).out
    assert say("attributes", "clear", device, "clinical_owner").status == 0
    (value,) = json.loads(say("attributes", "show", device, "--json").out)
    assert (value["value"], value["rule"]) == ("ICU", "all")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("attributes: [&a {name: x}, *a]\n", "line 1: aliases are not used"),
        ("rules: []\nrules: []\n", "line 2: 'rules' stands there twice"),
        ("attributes: [{name: Bad Name}]\n", "cannot name an attribute"),
        ("attributes: [{name: x, kind: choice}]\n", "a choice needs them"),
        ("attributes: [{name: x, colour: red}]\n", "colour"),
        ("rules: [{name: r, attribute: nothing, value: v}]\n", "there is no attribute 'nothing'"),
        ("attributes: [{name: x}]\nrules: [{name: r, attribute: x, value: v, when: {subnet: [y]}}]\n",
         "'y' is no prefix"),
        ("attributes: [1\n", "line 2"),
        ("[[[[[[[[[[[[[[[[[[[[[[[", "nested deeper"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_hold_changes_nothing(
    say: Say, home: Path, file: Path, text: str, sentence: str
) -> None:
    file.write_text(text)
    said = say("attributes", "load", file, home=home)
    assert said.status == 2
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert json.loads(say("attributes", "list", "--json").out) == {"attributes": [], "rules": []}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("set", "DEVICE", "nothing", "1"), "there is no attribute 'nothing'"),
        (("set", "DEVICE", "next_test", "soon"), "'soon' is no date"),
        (("set", "DEVICE", "clinical_owner", "Lab"), "'Lab' is none of ICU, OR"),
        (("set", "nobody", "next_test", "2026-01-01"), "no device is called 'nobody'"),
        (("clear", "DEVICE", "nothing"), "there is no attribute 'nothing'"),
        (("show", "nobody"), "no device is called 'nobody'"),
        (("load", "/nowhere/at/all.yaml"), "does not exist"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    say: Say, home: Path, file: Path, words: tuple[str, ...], sentence: str
) -> None:
    device = json.loads(say("devices", "--json", home=home).out.splitlines()[0])["id"]
    assert say("attributes", "load", file).status == 0
    said = say("attributes", *(device if word == "DEVICE" else word for word in words))
    assert said.status == 2
    assert sentence in said.err
    assert "Traceback" not in said.err


def test_a_file_that_is_no_text_is_named(say: Say, home: Path, file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    said = say("attributes", "load", file, home=home)
    assert said.status == 1
    assert "not UTF-8 text" in said.err
