"""``places import`` and ``list``: devices stand where the plan says, bad lines are named."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Say

from medwarden.model.place import PARTS

CT_MAC = "00:01:e3:44:02:21"


def device_of(say: Say, mac: str) -> dict[str, object]:
    (found,) = [d for d in map(json.loads, say("devices", "--json").out.splitlines()) if mac in d["macs"]]
    assert isinstance(found, dict)
    return found


def test_a_plan_places_devices_and_its_bad_lines_are_named(say: Say, home: Path, tmp_path: Path) -> None:
    table = tmp_path / "plan.csv"
    table.write_text(f"mac,subnet,building,floor,room\n{CT_MAC},,A,0,CT 1\n,nonsense,B,,\n")
    said = say("places", "import", str(table), home=home)
    assert said.status == 1
    assert "1 places in use" in said.out
    assert "line 3: 'nonsense' is no subnet" in said.err
    device = device_of(say, CT_MAC)
    assert device["location"] == "A, 0, CT 1"
    place = device["place"]
    assert isinstance(place, dict)
    assert set(place) == set(PARTS)
    assert (place["room"], place["switch"]) == ("CT 1", None)
    (row,) = [json.loads(line) for line in say("places", "list", "--json").out.splitlines()]
    assert (row["kind"], row["key"], row["room"]) == ("mac", CT_MAC, "CT 1")
    assert "CT 1" in say("places", "list").out


def test_a_table_that_is_no_plan_leaves_the_one_that_stands(say: Say, home: Path, tmp_path: Path) -> None:
    table = tmp_path / "plan.csv"
    table.write_text(f"mac,room\n{CT_MAC},1\n")
    assert say("places", "import", str(table), home=home).status == 0
    table.write_text("name,colour\nx,blue\n")
    said = say("places", "import", str(table))
    assert said.status == 2
    assert "line 1" in said.err and "left as it is" in said.err
    assert len(say("places", "list", "--json").out.splitlines()) == 1
    said = say("places", "import", str(table), "--json", home=home)
    assert said.status == 2
