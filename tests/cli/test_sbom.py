"""``sbom``: bills of materials are attached, shown and removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Say

FILES = ("TEXT", "LAUGHS")  # what a file is at fault for ends with 1, a wrong word with 2
BILL = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "metadata": {"component": {"name": "Slicer", "version": "3"}},
    "components": [
        {"name": "openssl", "version": "1.1.1k", "purl": "pkg:generic/openssl@1.1.1k"},
        {"name": "zlib", "version": "1.2"},
    ],
}


@pytest.fixture
def bill(tmp_path: Path) -> Path:
    path = tmp_path / "slicer.json"
    path.write_text(json.dumps(BILL))
    return path


def test_a_bill_is_attached_shown_and_removed(say: Say, home: Path, bill: Path) -> None:
    device = json.loads(say("devices", "--json", home=home).out.splitlines()[0])["id"]
    attached = say("sbom", "attach", bill, "--device", device)
    assert attached.status == 0, attached.err
    number = attached.out.strip()
    assert say("sbom", "attach", bill, "--vendor", "ACME", "--model", "Slicer", "--firmware", "3").status == 0
    listed = [json.loads(line) for line in say("sbom", "list", "--json").out.splitlines()]
    assert {(one["subject"]["device"], one["components"]) for one in listed} == {(device, 2), ("", 2)}
    assert say("sbom", "list", "--device", device, "--json").out.count("\n") == 1
    assert "ACME Slicer 3" in say("sbom", "list").out
    shown = say("sbom", "show", number, "--text", "ssl", "--json")
    assert [json.loads(line)["name"] for line in shown.out.splitlines()] == ["openssl"]
    limited = say("sbom", "show", number, "--limit", 1)
    assert "1 of 2 components" in limited.err
    assert say("sbom", "remove", number, "--reason", "old").status == 0
    assert say("sbom", "show", number).status == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("attach", "BILL"), "say what the bill is of"),
        (("attach", "BILL", "--device", "x", "--vendor", "y"), "say what the bill is of"),
        (("attach", "BILL", "--device", "nothing"), "no device is called 'nothing'"),
        (("attach", "TEXT", "--vendor", "ACME", "--model", "x"), "neither CycloneDX nor SPDX"),
        (("attach", "LAUGHS", "--vendor", "ACME", "--model", "x"), "document type declarations"),
        (("attach", "/nowhere/at/all.json", "--vendor", "ACME"), "does not exist"),
        (("list", "--device", "nothing"), "no device is called 'nothing'"),
        (("show", "nothing"), "nothing"),
        (("remove", "nothing", "--reason", "x"), "nothing"),
        (("remove", "nothing"), "--reason"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    say: Say, home: Path, bill: Path, words: tuple[str, ...], sentence: str
) -> None:
    text, laughs = bill.with_suffix(".txt"), bill.with_suffix(".xml")
    text.write_text("openssl 1.1.1k\n")
    laughs.write_text('<!DOCTYPE b [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><b>&b;</b>')
    named = {"BILL": bill, "TEXT": text, "LAUGHS": laughs}
    said = say("sbom", *(named.get(word, word) for word in words), home=home)
    assert said.status == (1 if {*FILES} & {*words} else 2)
    assert sentence in said.err
    assert "Traceback" not in said.err
