"""``books``: a table is taken in, looked at, taken in again, taken back and removed."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest
from tests.cli.conftest import Say

FILES = ("PICTURE", "ARCHIVE")  # what a file is at fault for ends with 1, a wrong word with 2
HEADING = "Asset Tag,Serial,Manufacturer,Model,Description,MAC,Department,Primary Technician,Status\n"


@pytest.fixture
def device(say: Say, home: Path) -> dict[str, object]:
    found: dict[str, object] = next(
        row for row in map(json.loads, say("devices", "--json", home=home).out.splitlines()) if row["macs"]
    )
    return found


@pytest.fixture
def table(tmp_path: Path, device: dict[str, object]) -> Path:
    path = tmp_path / "cmms.csv"
    macs = device["macs"]
    assert isinstance(macs, list)
    path.write_text(
        f"{HEADING}A-1,S1,ACME,Slicer,CT scanner,{macs[0]},Radiology,Jane Roe,In use\n"
        "A-2,S2,ACME,Slicer,CT scanner,,Radiology,Jane Roe,In use\nx\n"
    )
    return path


def test_a_table_is_taken_in_looked_at_and_taken_back(
    say: Say, home: Path, table: Path, device: dict[str, object]
) -> None:
    tried = say("books", "import", table, "--name", "CMMS", "--try")
    assert tried.status == 1
    assert "(nothing was changed)" in tried.out
    assert f"{table}, line 4: 1 cells, where the heading has 9" in tried.err
    assert say("books", "list", "--json").out == ""

    taken = say("books", "import", table, "--name", "CMMS", "--json")
    outcome = json.loads(taken.out)
    assert (outcome["version"], outcome["rows"], outcome["new"], outcome["rejected"]) == (1, 2, 2, 1)
    (book,) = map(json.loads, say("books", "list", "--json").out.splitlines())
    assert (book["name"], book["rows"], book["matched"]) == ("CMMS", 2, 1)
    assert "CMMS" in say("books", "list").out
    assert "Radiology" in say("books", "show", "CMMS").out
    assert [json.loads(line)["line"] for line in say("books", "show", "CMMS", "--json").out.splitlines()] == [
        2,
        3,
    ]
    assert "1 of 2 rows" in say("books", "show", "CMMS", "--limit", 1).err
    assert say("books", "show", "CMMS", "--text", "A-2", "--json").out.count("\n") == 1

    told = {
        a["field"]: a["value"] for a in json.loads(say("device", device["id"], "--json").out)["attributes"]
    }
    assert told["book.department"] == "Radiology"
    assert "book.technician" not in told, "names of staff are for roles that may see them"

    table.write_text(table.read_text().replace("A-2,S2", "A-2,S3").replace("x\n", ""))
    again = say("books", "import", table, "--name", "CMMS")
    assert again.status == 0
    assert "0 new, 1 changed, 1 as before, 0 gone" in again.out
    assert "version" in say("books", "show", "CMMS", "--versions").out
    assert len(say("books", "show", "CMMS", "--versions", "--json").out.splitlines()) == 2
    assert say("books", "undo", "CMMS").out == "CMMS: version 1 counts again\n"
    assert say("books", "undo", "CMMS").out == "CMMS: empty again\n"
    assert say("books", "undo", "CMMS").status == 2
    assert say("books", "remove", "CMMS", "--reason", "wrong site").status == 0
    assert say("books", "list", "--json").out == ""


def test_a_spreadsheet_is_taken_in_with_columns_that_a_person_names(
    say: Say, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "list.xlsx"
    book = openpyxl.Workbook()
    book.active.append(["Ding", "Fabriknummer", "Maker"])
    book.active.append(["=1+1", "S1", "ACME"])
    book.active.append(["T2", "S2", "ACME"])
    book.save(path)
    taken = say("books", "import", path, "--map", "Ding=asset_tag", "--map", "Maker=-", "--json", home=home)
    assert taken.status == 0, taken.err
    outcome = json.loads(taken.out)
    assert outcome["book"] == "list"
    assert [tuple(pair) for pair in outcome["columns"]] == [("Ding", "asset_tag"), ("Fabriknummer", "serial")]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("import", "TABLE", "--map", "Asset Tag=colour"), "there is no field 'colour'"),
        (("import", "TABLE", "--map", "Nothing=serial"), "no column is headed 'Nothing'"),
        (("import", "TABLE", "--map", "Serial"), "maps nothing"),
        (("import", "TABLE", "--name", "x" * 81), "1 to 80 characters"),
        (("import", "PICTURE"), "heading of an equipment list"),
        (("import", "ARCHIVE"), "spreadsheet"),
        (("import", "/nowhere/at/all.csv"), "does not exist"),
        (("import", "TABLE", "--dates", "year"), "'day', 'month'"),
        (("show", "nobody"), "there is no book named 'nobody'"),
        (("show", "nobody", "--versions"), "there is no book named 'nobody'"),
        (("show", "nobody", "--limit", "0"), "1<=x<=1000"),
        (("undo", "nobody"), "there is no book named 'nobody'"),
        (("remove", "nobody", "--reason", "x"), "there is no book named 'nobody'"),
        (("remove", "nobody"), "--reason"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    say: Say, home: Path, table: Path, words: tuple[str, ...], sentence: str
) -> None:
    picture, archive = table.with_suffix(".png"), table.with_suffix(".xlsx")
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    archive.write_bytes(b"PK\x03\x04" + bytes(200))
    named = {"TABLE": table, "PICTURE": picture, "ARCHIVE": archive}
    said = say("books", *(named.get(word, word) for word in words))
    assert said.status == (1 if {*FILES} & {*words} else 2)
    assert sentence in said.err
    assert "Traceback" not in said.err
