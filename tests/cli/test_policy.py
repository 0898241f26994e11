"""``policy learn``, ``list`` and ``export``."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Say

CT_MAC = "00:01:e3:44:02:21"


def test_a_policy_is_learnt_listed_and_exported(say: Say, home: Path) -> None:
    assert say("policy", "list", home=home).status == 0
    learnt = say("policy", "learn", "--device", CT_MAC)
    assert learnt.status == 0, learnt.err
    assert "104" in learnt.out or "dicom" in learnt.out
    (row,) = [json.loads(line) for line in say("policy", "list", "--json").out.splitlines()]
    assert row["id"] in say("policy", "list").out
    text = say("policy", "export", row["id"])
    assert text.status == 0
    assert text.out.strip() == learnt.out.strip()
    mud = json.loads(say("policy", "export", row["id"], "--format", "mud").out)
    assert mud["ietf-mud:mud"]["mud-version"] == 1
    assert mud["ietf-access-control-list:acls"]["acl"]


def test_a_category_is_learnt_and_again_as_the_next_version(say: Say, home: Path) -> None:
    first = json.loads(say("policy", "learn", "--category", "ct", "--json", home=home).out)
    second = json.loads(say("policy", "learn", "--category", "ct", "--json").out)
    assert first["id"] == second["id"]
    assert first["rules"] == second["rules"]


def test_what_cannot_be_learnt_is_a_sentence(say: Say, home: Path) -> None:
    for words, says in (
        ([], "name either --device or --category"),
        (["--device", CT_MAC, "--category", "ct"], "name either --device or --category"),
        (["--device", "nobody"], "no device is called 'nobody'"),
        (["--category", "spaceship"], "no device is of category 'spaceship'"),
    ):
        said = say("policy", "learn", *words, home=home)
        assert said.status == 2
        assert says in said.err
    said = say("policy", "export", "p-none")
    assert said.status == 2
    assert "there are: none yet" in said.err
