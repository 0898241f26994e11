"""Ends of support by command: a list in, what it means, and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Say


def rows(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def listed(home: Path, say: Say, tmp_path: Path) -> tuple[Path, Path, str]:
    """Return a folder, a list on one of its models with an end in the past, and the id of such a device."""
    device = next(d for d in rows(say("devices", "--json", home=home).out) if d["vendor"] and d["model"])
    table = tmp_path / "letters.csv"
    model = str(device["model"]).replace('"', "")
    table.write_text(f'Herst,Model,Support until\n{device["vendor"]},"{model}",2021-03-31\nX,,2021-03-31\n')
    return home, table, str(device["id"])


MAPPED = ("--map", "Herst=vendor", "--map", "Support until=support")


def test_a_list_is_tried_brought_in_shown_and_taken_back(listed: tuple[Path, Path, str], say: Say) -> None:
    home, table, device = listed
    tried = say("support", "import", table, *MAPPED, "--try", home=home)
    assert "1 ends, 1 lines unusable; nothing was changed" in tried.out
    assert "line 3: it names no model" in tried.err
    assert rows(say("support", "lists", "--json", home=home).out) == []
    done = say("support", "import", table, *MAPPED, "--name", "ours", home=home)
    assert done.status == 0 and done.out.splitlines()[-1].startswith("ours: 1 ends, 1 lines unusable; of ")
    again = json.loads(say("support", "import", table, *MAPPED, "--name", "ours", "--json", home=home).out)
    assert again["imported"]["same"] is True
    ended = rows(say("support", "--when", "ended", "--json", home=home).out)
    assert (device, "2021-03-31", "the list ours") in {(e["device"], e["day"], e["source"]) for e in ended}
    assert "the list ours" in say("support", "--ending", "support", home=home).out
    (kept,) = rows(say("support", "lists", "--json", home=home).out)
    assert (kept["name"], kept["rows"]) == ("ours", 1)
    assert say("support", "undo", "ours", "--reason", "the wrong letter", home=home).out == (
        "ours says nothing any more\n"
    )
    left = {e["source"] for e in rows(say("support", "--json", home=home).out)}
    assert "the list ours" not in left
    say("support", "import", table, *MAPPED, "--name", "ours", home=home)
    assert say("support", "remove", "ours", "--reason", "not kept", home=home).out == "ours is removed\n"
    assert "no list of ends of support" in say("support", "undo", "ours", "--reason", "x", home=home).err


def test_what_is_no_list_is_refused_with_a_sentence(home: Path, say: Say, tmp_path: Path) -> None:
    table = tmp_path / "x.csv"
    table.write_text("nothing,to see\n1,2\n")
    said = say("support", "import", table, home=home)
    assert said.status == 1 and "map its columns by hand" in said.err
    assert say("support", "import", table, "--map", "nothing=colour", home=home).status == 2
    assert say("support", "--when", "never", home=home).status == 2


def test_what_to_replace_and_within_which_budget(listed: tuple[Path, Path, str], say: Say) -> None:
    home, table, device = listed
    say("support", "import", table, *MAPPED, "--name", "ours", home=home)
    found = {o["device"]: o for o in rows(say("replacement", "--as", "json", home=home).out)}
    assert device in found
    category = str(found[device]["category"])
    assert say("replacement", "lives", category, "--years", "7", home=home).status == 2, "no reason"
    (set_here,) = rows(
        say(
            "replacement", "lives", category, "--years", "7", "--price", "500", "--reason", "our accounts",
            "--json", home=home,
        ).out
    )  # fmt: skip
    assert (set_here["years"], set_here["own"], set_here["price"]) == (7, True, 500)
    assert say("replacement", "lives", "spaceship", "--years", "7", "--reason", "r", home=home).status == 2
    plan = json.loads(say("replacement", "budget", "600", "--years", "2", "--json", home=home).out)
    assert all(year["cost"] <= 600 for year in plan["years"])
    everyone = {each["device"] for year in plan["years"] for each in year["chosen"]}
    everyone |= {each["device"] for each in plan["left_out"]}
    assert device in everyone
    text = say("replacement", "budget", "600", "--years", "2", "--carry", home=home)
    assert text.status == 0 and f"{plan['years'][0]['year']}:" in text.out
    for kind in ("table", "csv"):
        assert say("replacement", "--as", kind, home=home).status == 0
    assert say("replacement", "budget", "0", home=home).status == 2
    (back,) = rows(
        say(
            "replacement", "lives", category, "--years", "0", "--price", "0", "--reason", "wrong", "--json",
            home=home,
        ).out
    )  # fmt: skip
    assert (back["own"], back["price"]) == (False, 0)
