"""``devices``, ``device`` and ``findings``: what they show, how they filter, and as JSON."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Say

CT_MAC = "00:01:e3:44:02:21"


def shown(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_devices_filter_by_text_class_category_and_site(say: Say, ward: Path) -> None:
    everything = shown(say("devices", "--json", home=ward).out)
    assert len(everything) >= 24
    for words, expected in (
        (["--class", "IoMT"], [d for d in everything if d["class"] == "IoMT"]),
        (["--category", "ct"], [d for d in everything if d["category"] == "ct"]),
        (["--site", "main"], everything),
        (["--site", "elsewhere"], []),
        (["CT_SOMATOM"], [d for d in everything if CT_MAC in d["macs"]]),
        ([CT_MAC], [d for d in everything if CT_MAC in d["macs"]]),
        (["no", "such", "words"], []),
        (["--class", "IoMT", "--category", "ip_camera"], []),
    ):
        said = say("devices", "--json", *words)
        assert said.status == 0
        assert sorted(d["id"] for d in shown(said.out)) == sorted(d["id"] for d in expected), words


def test_the_table_of_devices_shows_them_by_risk(say: Say, ward: Path) -> None:
    said = say("devices", home=ward)
    assert said.status == 0
    assert "SOMATOM go.Top" in said.out
    risks = {d["id"]: d["risk"]["score"] for d in shown(say("devices", "--json").out)}
    order = [risks[line.split()[0]] for line in said.out.splitlines() if line.split()[0] in risks]
    assert len(order) == len(risks)
    assert order == sorted(order, reverse=True)


def test_a_device_is_found_by_id_mac_and_address(say: Say, ward: Path) -> None:
    (device,) = shown(say("devices", "--json", CT_MAC, home=ward).out)
    for identifier in (device["id"], CT_MAC, CT_MAC.upper(), device["ips"][0]):
        said = say("device", identifier, "--json")
        assert said.status == 0, identifier
        assert json.loads(said.out) == device
    text = say("device", CT_MAC).out
    assert "CT_SOMATOM" in text
    assert "dicom.ae_title" in text


@pytest.mark.parametrize(
    "identifier", ["nothing", "", "d-0000", "10.255.255.254", "%", "a\x1b[2Jb", "'; drop"]
)
def test_what_is_no_device_is_a_sentence(say: Say, ward: Path, identifier: str) -> None:
    said = say("device", identifier, home=ward)
    assert said.status == 2
    assert said.out == ""
    assert said.err.startswith("medwarden: ")
    assert said.err.rstrip("\n").isprintable()


def test_a_word_that_several_devices_share_is_asked_back(say: Say, ward: Path) -> None:
    said = say("device", "00:", home=ward)
    assert said.status == 2
    assert "name one by its id" in said.err


def test_findings_are_shown_gravest_first(say: Say, ward: Path) -> None:
    rows = shown(say("findings", "--json", home=ward).out)
    assert rows
    ranks = ["critical", "high", "medium", "low", "info"]
    order = [ranks.index(row["severity"]) for row in rows]
    assert order == sorted(order)
    table = say("findings").out
    assert rows[0]["id"] in table
    assert len(shown(say("findings", "--all", "--json").out)) >= len(rows)


def test_a_folder_without_data_is_a_sentence(say: Say, tmp_path: Path) -> None:
    for words in (["devices"], ["device", "x"], ["findings"], ["policy", "list"], ["user", "list"]):
        said = say(*words, home=tmp_path / "nothing")
        assert said.status == 2
        assert "holds no medwarden data yet" in said.err
        assert not (tmp_path / "nothing").exists()


def test_names_cannot_steer_the_terminal(say: Say, home: Path) -> None:
    """Put into the database what a dissector would never let through."""
    connection = sqlite3.connect(home / "state.sqlite3")
    with connection:
        connection.execute(
            "update store_device set name = ?, model = ?", ("a\x1b]0;owned\x07b", "x\r\ny\u202e")
        )
        query = "update store_evidenceentry set value = ? || value where field like 'dhcp%'"
        connection.execute(query, ("\x1b[2J",))
    connection.close()
    for words in (["devices"], ["device", CT_MAC], ["findings"]):
        said = say(*words, home=home)
        assert said.status == 0
        assert all(line.isprintable() for line in said.out.splitlines()), words
        assert "\x1b" not in said.out
    assert "\\x1b]0;owned\\x07" in say("devices").out
