"""``user``: people come, change and go, and one administrator always stays."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Say


def people(say: Say) -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for line in say("user", "list", "--json").out.splitlines()]
    return {row["name"]: row for row in rows}


def test_people_are_added_changed_and_shut_out(say: Say, home: Path) -> None:
    added = say("user", "add", "ada", "--role", "administrator", home=home)
    assert added.status == 0, added.err
    password = added.out.strip()
    assert len(password) >= 12
    assert say("user", "add", "grace", "--role", "viewer", "--site", "main").status == 0
    listed = people(say)
    assert listed["ada"]["role"] == "administrator"
    assert listed["grace"] == {
        "name": "grace",
        "role": "viewer",
        "sites": ["main"],
        "active": True,
        "second_factor": False,
        "last_login": None,
    }
    assert say("user", "role", "grace", "analyst").status == 0
    assert people(say)["grace"]["role"] == "analyst"
    renewed = say("user", "password", "GRACE")
    assert renewed.status == 0
    assert renewed.out.strip() != password
    assert say("user", "disable", "grace").status == 0
    assert people(say)["grace"]["active"] is False
    assert "grace" in say("user", "list").out


@pytest.mark.parametrize("words", [["role", "ada", "viewer"], ["disable", "ada"]])
def test_the_last_administrator_stays(say: Say, home: Path, words: list[str]) -> None:
    say("user", "add", "ada", "--role", "administrator", home=home)
    before = people(say)
    said = say("user", *words)
    assert said.status == 2
    assert "last administrator" in said.err
    assert people(say) == before


def test_what_cannot_be_is_a_sentence(say: Say, home: Path) -> None:
    say("user", "add", "ada", "--role", "administrator", home=home)
    for words in (
        ["add", "ada", "--role", "viewer"],
        ["add", "ADA", "--role", "viewer"],
        ["add", "", "--role", "viewer"],
        ["add", "a b\x1b", "--role", "viewer"],
        ["add", "grace", "--role", "viewer", "--site", "nowhere"],
        ["role", "nobody", "viewer"],
        ["password", "nobody"],
        ["disable", "nobody"],
        ["role", "ada", "emperor"],
    ):
        said = say("user", *words)
        assert said.status == 2, (words, said)
        assert "defect" not in said.err
    assert list(people(say)) == ["ada"]


def test_no_password_is_kept_in_clear(say: Say, home: Path) -> None:
    password = say("user", "add", "ada", "--role", "administrator", home=home).out.strip()
    for path in home.rglob("*"):
        if path.is_file():
            assert password.encode() not in path.read_bytes(), path
    connection = sqlite3.connect(home / "state.sqlite3")
    (kept,) = connection.execute("select password from store_user").fetchone()
    connection.close()
    assert kept.startswith("scrypt$")
