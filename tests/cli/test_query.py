"""``query`` as commands: nothing by default, decisions with reasons, a plan that sends nothing."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Say


def test_off_by_default_and_says_so(say: Say, home: Path) -> None:
    said = say("query", "plan", home=home)
    assert (said.status, "0 of 0 questions" in said.err) == (0, True)
    device = json.loads(say("devices", "--json").out.splitlines()[0])
    said = say("query", "plan", "--device", device["id"], "--prober", "tls_hello", "--json")
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert rows
    assert {row["outcome"] for row in rows} == {"refused"}
    assert "nothing was sent" in said.err


def test_subnets_protections_and_overrides_come_and_go(say: Say, home: Path) -> None:
    add = ("query", "subnet", "add", "10.0.0.0/8", "--prober", "snmp_get", "--reason", "inventory")
    wide = say(*add, home=home)
    assert wide.status == 2
    assert "too wide" in wide.err
    made = say("query", "subnet", "add", "10.20.0.0/16", "--prober", "tls_hello", "--reason", "inventory")
    assert made.status == 0, made.err
    assert "10.20.0.0/16" in say("query", "subnet", "list").out
    plan = [json.loads(line) for line in say("query", "plan", "--json").out.splitlines()]
    assert plan
    # A replayed ward is past: nobody listens to it now, so what cannot be told protects it.
    assert {row["outcome"] for row in plan} == {"refused"}
    assert all(row["reason"] and row["by"] for row in plan)
    entry = say("query", "protect", "add", "category", "ct", "--reason", "recall 12", "--hours-valid", "24")
    assert entry.status == 0, entry.err
    assert "recall 12" in say("query", "protect", "list").out
    assert say("query", "protect", "remove", entry.out.strip(), "--reason", "over").status == 0
    assert "recall 12" not in say("query", "protect", "list").out
    assert say("query", "subnet", "remove", "10.20.0.0/16", "--reason", "done").status == 0
    assert say("query", "subnet", "remove", "10.20.0.0/16", "--reason", "done").status == 2
    nobody = say(
        "query",
        "override",
        "d-1",
        "--prober",
        "tls_hello",
        "--lift",
        "in use",
        "--reason",
        "x",
        "--as",
        "eve",
    )
    assert (nobody.status, "nobody called" in nobody.err) == (2, True)


def test_a_run_without_anything_on_asks_nobody(say: Say, home: Path) -> None:
    assert say("query", "run", home=home).status == 2
    said = say("query", "run", "--reason", "look", home=home)
    assert (said.status, "0 asked, 0 answered, 0 refused" in said.err) == (0, True)
    assert say("query", "log", "--json").out == ""
    assert say("query", "run", "--reason", "look", "--prober", "nmap").status == 2


def test_secrets_that_others_can_read_are_refused(say: Say, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "secrets.toml"
    file.write_text('community = "x"\n')
    file.chmod(0o644)
    said = say("query", "plan", "--secrets", file, home=home)
    assert (said.status, "chmod 600" in said.err) == (2, True)
