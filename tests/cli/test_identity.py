"""``identity``: two devices become one by hand, are told apart again, and all of it can be undone."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Say


def test_merge_split_and_undo(say: Say, home: Path) -> None:
    before = {row["id"]: row for row in map(json.loads, say("devices", "--json", home=home).out.splitlines())}
    one, other = [row for row in before.values() if row["macs"]][:2]
    said = say("identity", "merge", one["macs"][0], other["id"], "--reason", "two cards of one machine")
    assert said.status == 0 and said.out.startswith("decision 1:")
    after = {row["id"]: row for row in map(json.loads, say("devices", "--json").out.splitlines())}
    assert len(after) == len(before) - 1
    assert sorted(after[one["id"]]["macs"]) == sorted(one["macs"] + other["macs"])
    assert json.loads(say("device", other["id"], "--json").out)["id"] == one["id"]
    [decision] = map(json.loads, say("identity", "list", "--json").out.splitlines())
    assert decision["action"] == "join" and decision["reason"] == "two cards of one machine"
    said = say("identity", "split", one["id"], "--interface", other["macs"][0], "--reason", "no, two")
    assert said.out.startswith("decision 2:")
    apart = {row["id"]: row for row in map(json.loads, say("devices", "--json").out.splitlines())}
    assert apart.keys() == before.keys() and apart[other["id"]]["macs"] == other["macs"]
    assert say("identity", "undo", 2, "--reason", "they are one").status == 0
    assert len(say("devices", "--json").out.splitlines()) == len(before) - 1
    assert say("identity", "undo", 1, "--reason", "they are two").status == 0
    again = {row["id"]: row for row in map(json.loads, say("devices", "--json").out.splitlines())}
    assert again == before
    assert "two cards of one machine" in say("identity", "list").out


def test_what_cannot_be_is_said(say: Say, home: Path) -> None:
    one = json.loads(say("devices", "--json", home=home).out.splitlines()[0])
    said = say("identity", "merge", one["id"], one["id"], "--reason", "x")
    assert said.status == 2 and "one device already" in said.err
    said = say("identity", "split", one["id"], "--interface", "02:00:00:00:00:99", "--reason", "x")
    assert said.status == 2 and "no interface of this device" in said.err
    assert "no decision 7" in say("identity", "undo", 7, "--reason", "x").err
    assert "no proposal" in say("identity", "accept", "ip-1", "--reason", "x").err


def test_linking_finds_nothing_in_a_house_of_single_cards(say: Say, home: Path) -> None:
    linked = json.loads(say("identity", "link", "--json", home=home).out)
    assert linked["joined"] == 0
    assert say("identity", "proposals").status == 0


def test_silence_and_history_are_shown(say: Say, home: Path) -> None:
    said = say("identity", "retirement", "--days", 30, "--automatic", "--reason", "as agreed", home=home)
    assert said.out == "retired after 30 days of silence, 14 with randomised addresses\n"
    assert say("identity", "silent", "--json").out == ""
    one = json.loads(say("devices", "--json").out.splitlines()[0])
    said = say("identity", "history", one["id"], "--json")
    assert said.status == 0
    for row in map(json.loads, said.out.splitlines()):
        assert row["old"] != row["new"] and row["level"]
    assert say("identity", "retirement", "--days", 0, "--reason", "x").status == 2
