"""``simulate`` as a command."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Say


def test_simulate_writes_a_hospital_that_score_can_judge(say: Say, tmp_path: Path) -> None:
    out = tmp_path / "hospital"
    said = say(
        "simulate", out, "--devices", "40", "--hours", "0.1", "--seed", "3", "--incident", "beacon", "--json"
    )
    assert said.status == 0, said.err
    assert json.loads(said.out)["packets"] > 500
    truth = json.loads((out / "truth.json").read_text())
    assert [incident["name"] for incident in truth["incidents"]] == ["beacon"]
    scored = say("score", out / "site-1", "--labels", out / "labels.tsv", "--json")
    assert scored.status == 0, scored.err
    assert json.loads(scored.out)["levels"]["class"]["n"] >= 40


def test_simulate_lists_incidents_and_needs_a_folder_otherwise(say: Say) -> None:
    listed = say("simulate", "--incident", "list")
    assert listed.status == 0
    assert len(listed.out.splitlines()) == 28
    assert say("simulate").status == 2


def test_simulate_says_what_it_does_not_know(say: Say, tmp_path: Path) -> None:
    said = say("simulate", tmp_path, "--incident", "earthquake")
    assert said.status == 2
    assert "earthquake" in said.err
    assert say("simulate", tmp_path, "--start", "soon").status == 2
