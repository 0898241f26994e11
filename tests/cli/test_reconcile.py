"""``reconcile``: books against the network, and what people decide of it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Say

FILES = ("/nowhere/at/all.csv",)  # what a file is at fault for ends with 1, a wrong word with 2
HEADING = "Asset Tag,Serial,Manufacturer,Model,Description,MAC,Department,Status\n"


@pytest.fixture
def devices(say: Say, home: Path, tmp_path: Path) -> list[dict[str, list[str]]]:
    """Return devices of the ward, the first of which stands in a book."""
    found = [json.loads(line) for line in say("devices", "--json", home=home).out.splitlines()]
    found = [row for row in found if row["macs"]]
    table = tmp_path / "cmms.csv"
    table.write_text(
        f"{HEADING}A-1,=S1,ACME,Slicer,CT scanner,{found[0]['macs'][0]},ICU,Retired\n"
        "A-2,S2,Nobody,Other,Infusion pump,,ICU,In use\n"
    )
    assert say("books", "import", table, "--name", "CMMS").status == 0
    return found


def lines(say: Say, situation: str, *more: object) -> list[dict[str, dict[str, str]]]:
    said = say("reconcile", "--show", situation, "--json", *more)
    assert said.status == 0, said.err
    found: list[dict[str, dict[str, str]]] = json.loads(said.out)["lines"]
    return found


def test_lines_are_shown_decided_and_written_back(
    say: Say, devices: list[dict[str, list[str]]], tmp_path: Path
) -> None:
    assert [line["row"]["key"] for line in lines(say, "both")] == ["asset_tag:A-1"]
    assert [line["row"]["key"] for line in lines(say, "book_only")] == ["asset_tag:A-2"]
    assert len(lines(say, "network_only")) == len(devices) - 1
    assert "book_only" in say("reconcile", "--now").out
    sheet = list(csv.DictReader(io.StringIO(say("reconcile", "--show", "both", "--csv").out)))
    assert sheet[0]["serial"] == "'=S1"

    other = devices[1]
    assert say("reconcile", "pin", "CMMS", "A-2", other["macs"][0], "--reason", "seen").status == 0
    assert {line["row"]["key"] for line in lines(say, "both")} == {"asset_tag:A-1", "asset_tag:A-2"}
    assert say("reconcile", "forget", "CMMS", "S2", other["id"], "--reason", "no").status == 0
    assert say("reconcile", "accept", "CMMS", 3, other["id"], "--reason", "yes").status == 0
    assert say("reconcile", "reject", "CMMS", "A-1", devices[0]["id"], "--reason", "moved").status == 0
    assert {line["row"]["key"] for line in lines(say, "both", "--book", "CMMS")} == {"asset_tag:A-2"}

    shown = say("reconcile", "device", other["id"], "--json")
    assert {view["field"] for view in json.loads(shown.out)["CMMS"]} >= {"vendor", "department"}
    assert "department" in say("reconcile", "device", other["id"]).out

    out = tmp_path / "back.csv"
    said = say("reconcile", "export", "--for", "CMMS", "--out", out)
    assert said.status == 0
    assert "to create" in said.err
    written = list(csv.reader(io.StringIO(out.read_text())))
    assert written[0][1:] == HEADING.strip().split(",")
    assert not any(cell.startswith(("=", "+", "@")) for row in written for cell in row)
    assert say("reconcile", "export", "--for", "CMMS").out.startswith(",".join(written[0]))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--show", "all"), "there is no situation 'all'"),
        (("pin", "CMMS", "A-1", "10.255.255.1", "--reason", "x"), "no device is called '10.255.255.1'"),
        (("pin", "CMMS", "A-9", "DEVICE", "--reason", "x"), "no row is called 'A-9'"),
        (("pin", "nobody", "A-1", "DEVICE", "--reason", "x"), "there is no book named 'nobody'"),
        (("pin", "CMMS", "A-1", "DEVICE"), "--reason"),
        (("pin", "CMMS", "A-1", "DEVICE", "--reason", " "), "say why"),
        (("forget", "CMMS", "A-1", "DEVICE", "--reason", "x"), "nobody decided"),
        (("export", "--for", "nobody"), "there is no book named 'nobody'"),
        (("export", "--for", "CMMS", "--out", "/nowhere/at/all.csv"), "/nowhere/at/all.csv"),
        (("device", "nothing"), "no device is called 'nothing'"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    say: Say, devices: list[dict[str, list[str]]], words: tuple[str, ...], sentence: str
) -> None:
    said = say("reconcile", *(devices[1]["id"] if word == "DEVICE" else word for word in words))
    assert said.status == (1 if {*FILES} & {*words} else 2)
    assert sentence in said.err
    assert "Traceback" not in said.err
