from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Say

from medwarden.cli.main import run


def test_list_show_set_and_undo(say: Say, home: Path) -> None:
    listed = say("work", "list", "--home", home, "--json")
    assert listed.status == 0
    rows = [json.loads(line) for line in listed.out.splitlines()]
    assert rows
    assert [row["priority"] for row in rows] == sorted((row["priority"] for row in rows), reverse=True)
    first = rows[0]["id"]
    shown = json.loads(say("work", "show", first, "--home", home, "--json").out)
    assert shown["action"] == rows[0]
    assert len([d for d in shown["devices"] if not d["accepted"]]) == rows[0]["devices"]

    changed = say(
        "work", "set", first, "--owner", "Biomed", "--team", "--state", "in_progress", "--label", "ward 3",
        "--due", "2031-02-03", "--reason", "first of all", "--home", home,
    )  # fmt: skip
    assert changed.status == 0
    batch = next(word for word in changed.out.split() if word.startswith("wb-"))
    after = json.loads(say("work", "show", first, "--home", home, "--json").out)["action"]
    assert (after["owner"], after["state"], after["labels"]) == ("Biomed", "in_progress", ["ward 3"])
    assert "Biomed" in say("work", "list", "--owner", "Biomed", "--home", home).out
    assert "4 steps" in say("work", "undo", batch, "--home", home).out
    assert json.loads(say("work", "show", first, "--home", home, "--json").out)["action"]["owner"] == ""


def test_a_risk_needs_somebody_who_may_accept_it(say: Say, home: Path) -> None:
    first = json.loads(say("work", "list", "--home", home, "--json").out.splitlines()[0])["id"]
    wish = ("work", "accept", first, "--until", "2026-12-31", "--reason", "no window", "--home", home)
    refused = say(*wish, "--approver", "nobody")
    assert refused.status == 2
    assert "may not accept risks" in refused.err
    assert say("work", "accept", first, "--until", "soon", "--reason", "x", "--home", home).status == 2
    assert say("work", "accepted", "--home", home, "--json").out == ""


def test_the_table_goes_round(say: Say, home: Path, tmp_path: Path) -> None:
    table = say("work", "list", "--csv", "--home", home).out
    rows = list(csv.DictReader(io.StringIO(table)))
    file = tmp_path / "work.csv"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerow({**rows[0], "work_order": "WO-1", "state": "waiting_maker"})
        writer.writerow({**rows[0], "id": "w-none"})
    done = say("work", "import", file, "--home", home)
    assert done.status == 1
    assert "1 actions changed" in done.out
    assert "line 3" in done.err
    found = json.loads(say("work", "list", "WO-1", "--home", home, "--json").out)
    assert (found["id"], found["state"]) == (rows[0]["id"], "waiting_maker")


def test_vex_needs_a_document_and_something_to_tell(say: Say, home: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(
        '{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "x", "author": "y", "statements": 3}'
    )
    refused = say("vex", "import", bad, "--home", home)
    assert refused.status == 1
    assert "bad.json: statements: no list" in refused.err
    nothing = say("vex", "export", "--home", home, "--vendor", "nobody at all")
    assert nothing.status == 2
    assert "nothing to tell" in nothing.err
    assert say("vex", "issuer", "St. Elsewhere", "elsewhere", "--home", home).status == 2
    assert say("vex", "issuer", "St. Elsewhere", "https://elsewhere.example", "--home", home).status == 0
    assert say("vex", "list", "--home", home, "--json").out == ""
    assert say("vex", "accept", "7", "--reason", "x", "--home", home).status == 2
    assert run(["vex", "--help"]) == 0


def test_commands_start_without_an_open_store(home: Path) -> None:
    """A process of its own: nothing of the store may be needed before it is open."""
    for words in (["work", "accepted"], ["vex", "list"]):
        ended = subprocess.run(
            [sys.executable, "-m", "medwarden", *words, "--home", str(home)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
