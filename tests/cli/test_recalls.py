from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Say


def rows(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def named(home: Path, say: Say) -> tuple[Path, str, str]:
    """Return a folder with a maker's notice, and maker and model of the devices it speaks of."""
    devices = rows(say("devices", "--json", home=home).out)
    device = next(d for d in devices if d["vendor"] and d["model"] and d["class"] == "IoMT")
    maker, model = str(device["vendor"]), str(device["model"])
    done = say(
        "recalls", "enter", "--number", "FSN-1", "--title", "It may stop", "--maker", maker, "--product",
        f"{maker} {model}", "--serials", "those in our list", "--class", "I", "--why", "x", "--action", "y",
        "--begun", "2026-01-01", home=home,
    )  # fmt: skip
    assert (done.status, done.out) == (0, "FSN-1\n"), done.err
    return home, maker, model


def test_from_a_notice_to_its_closing(named: tuple[Path, str, str], say: Say, tmp_path: Path) -> None:
    home, _, model = named
    (notice,) = rows(say("recalls", "list", "--json", home=home).out)
    assert (notice["number"], notice["recall_class"]) == ("FSN-1", "I")
    assert "FSN-1" in say("recalls", "list", home=home).out
    cases = rows(say("recalls", "devices", "--json", "--notice", "FSN-1", home=home).out)
    assert cases
    assert all(case["model"] == model for case in cases)
    assert {case["state"] for case in cases} <= {"unknown", "affected", "not_affected", "may_be_affected"}
    case = str(next(case["id"] for case in cases if case["id"]))
    refused = say("recalls", "step", case, "--to", "corrected", home=home)
    assert (refused.status, "evidence" in refused.err) == (2, True)
    step = ("recalls", "step", case, "--to", "corrected", "--evidence", "done", "--reference", "DMS 1")
    assert say(*step, "--owner", "Bert", "--due", "2030-01-31", home=home).out == "1 cases\n"
    assert say("recalls", "undo", case, "--reason", "no", home=home).out == "taken back: step\n"
    shown = say("recalls", "show", "FSN-1", home=home).out
    assert "limits: Serial numbers: those in our list" in shown
    assert rows(say("recalls", "show", "FSN-1", "--json", home=home).out)[0]["versions"]
    closed = say("recalls", "close", "FSN-1", "--reason", "done", home=home)
    assert (closed.status, "are not done" in closed.err) == (2, True)
    closed = say("recalls", "close", "FSN-1", "--reason", "done", "--despite", "on paper", home=home)
    assert "digest" in closed.out
    out = tmp_path / "report.html"
    assert say("recalls", "report", "FSN-1", "--out", out, home=home).status == 0
    assert "on paper" in out.read_text()
    table = say("recalls", "report", "FSN-1", "--as", "csv", home=home).out
    assert next(csv.DictReader(table.splitlines()))["notice"] == "FSN-1"
    assert json.loads(say("recalls", "report", "FSN-1", "--as", "json", home=home).out)["closure"]
    assert say("recalls", "reopen", "FSN-1", "--reason", "not yet", home=home).status == 0
    assert say("recalls", "describe", "FSN-1", "--owner", "Bert", home=home).status == 0


def test_a_notice_is_corrected_withdrawn_and_days_are_set(named: tuple[Path, str, str], say: Say) -> None:
    home, *_ = named
    fixed = say("recalls", "correct", "FSN-1", "--serials", "1 to 50", "--reason", "second letter", home=home)
    assert fixed.out == "FSN-1: version 2\n"
    assert say("recalls", "withdraw", "FSN-1", "--reason", "not ours", home=home).status == 0
    assert say("recalls", "show", "FSN-9", home=home).status == 2
    assert "I: 7 days" in say("recalls", "due", home=home).out
    assert "I: 3 days" in say("recalls", "due", "--set", "I=3", "--reason", "rule", home=home).out
    for wrong in ("V=3", "I=", "I=²", f"I={'9' * 5000}"):
        assert say("recalls", "due", "--set", wrong, "--reason", "rule", home=home).status == 2
    assert say("recalls", "due", "--set", "I=3", home=home).status == 2
    for kind in ("table", "csv", "json"):
        assert say("recalls", "outlook", "--as", kind, home=home).status == 0


def test_a_document_is_taken_in(home: Path, say: Say, tmp_path: Path) -> None:
    from tests.app.test_vulnerabilities import advisory

    file = tmp_path / "letter.json"
    file.write_text(json.dumps(advisory("ACME-1", "<= 2.5")))
    assert say("recalls", "import", file, home=home).out == "ACME-1\n"
    file.write_text("{")
    assert say("recalls", "import", file, home=home).status == 1


def test_letters_from_writing_to_the_answer(home: Path, say: Say, tmp_path: Path) -> None:
    write = ("letters", "write", "--maker", "B. Braun", "--model", "Infusomat Space", "--cve", "CVE-2020-1")
    number = say(*write, home=home).out.strip()
    assert number.startswith("L-")
    assert "CVE-2020-1" in say("letters", "show", number, home=home).out
    table = tmp_path / "table.csv"
    assert say("letters", "show", number, "--as", "csv", "--out", table, home=home).status == 0
    assert say("letters", "answer", number, home=home).status == 2
    send = ("letters", "send", number, "--to", "portal", "--sent", "2020-01-01")
    assert say(*send, home=home).status == 0
    assert rows(say("letters", "list", "--state", "late", "--json", home=home).out)[0]["number"] == number
    assert say("letters", "remind", number, home=home).status == 0
    table.write_text(table.read_text().replace("CVE-2020-1,,,", "CVE-2020-1,,not affected,"))
    assert say("letters", "answer", number, "--file", table, home=home).status == 0
    assert rows(say("letters", "list", "--json", home=home).out)[0]["state"] == "answered"
    one = ("letters", "answer", number, "--cve", "CVE-2020-1", "--status", "maybe")
    assert say(*one, home=home).status == 2
    vex = tmp_path / "vex.json"
    statement = {"vulnerability": {"name": "CVE-2020-1"}, "status": "affected"}
    vex.write_text(json.dumps({"@context": "https://openvex.dev/ns/v0.2.0", "statements": [statement]}))
    assert say("letters", "answer", number, "--file", vex, home=home).out.startswith("1 answered")
    assert say("letters", "undo", number, "--reason", "no", home=home).out == "taken back: answered\n"
    assert say("letters", "close", number, "--reason", "no", home=home).status == 0
    assert number in say("letters", "list", home=home).out
    assert say("letters", "suggest", home=home).status == 0
    assert say("letters", "suggest", "--json", home=home).status == 0
