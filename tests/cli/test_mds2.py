"""``mds2``: forms are brought in, listed, shown, compared, attached, withdrawn and written out."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Say
from tests.knowledge import mds2_forms as made


@pytest.fixture
def form(tmp_path: Path) -> Path:
    path = tmp_path / "aurora.xlsx"
    rows = made.rows_2019({"TXCF-2": "Yes", "ALOF-1": "Perhaps"}, printed={"SAHD-15": "SHAD-15"})
    path.write_bytes(made.xlsx({"MDS2": rows}))
    return path


def test_a_form_is_brought_in_shown_compared_and_withdrawn(say: Say, home: Path, form: Path) -> None:
    trial = say("mds2", "import", form, "--dry-run", home=home)
    assert trial.status == 0 and "read, nothing kept" in trial.out and "SHAD-15 is printed" in trial.out
    assert say("mds2", "list", "--json").out == ""
    kept = json.loads(say("mds2", "import", form, "--json").out)
    assert kept["new"] and kept["edition"] == "HN 1-2019" and kept["header"]["released"] == "2024-05-17"
    assert {p["kind"] for p in kept["problems"]} >= {"misprinted_id", "unreadable"}
    assert "known as" in say("mds2", "import", form).out
    listed = [json.loads(line) for line in say("mds2", "list", "--json").out.splitlines()]
    assert [(one["id"], one["counts"]) for one in listed] == [(kept["id"], True)]
    shown = json.loads(say("mds2", "show", kept["id"], "--json").out)
    assert next(c for c in shown["claims"] if c["name"] == "encrypted_in_transit")["holds"] is True
    assert "Encrypts patient data on the way" in say("mds2", "show", kept["id"], "--claims").out
    assert "Nothing that was heard contradicts" in say("mds2", "compare").out
    assert say("mds2", "remove", kept["id"], "--reason", "old").status == 0
    assert say("mds2", "list", "--json").out == ""
    assert say("mds2", "remove", kept["id"], "--undo", "--reason", "right after all").status == 0
    rows = list(csv.DictReader(io.StringIO(say("mds2", "export").out)))
    assert next(r for r in rows if r["question"] == "TXCF-2")["answer"] == "yes"


def test_a_form_attached_by_hand_is_compared(say: Say, home: Path, tmp_path: Path) -> None:
    devices = [json.loads(line) for line in say("devices", "--json", home=home).out.splitlines()]
    path = tmp_path / "none.xlsx"
    path.write_bytes(made.xlsx({"MDS2": made.rows_2019({"MPII-1": "No", "SAHD-9": "Yes"})}))
    form = json.loads(say("mds2", "import", path, "--json").out)["id"]
    for device in devices:
        done = say("mds2", "attach", form, "--device", device["id"], "--reason", "for the test")
        assert done.status == 0, done.err
    found = [json.loads(line) for line in say("mds2", "compare", "--form", form, "--json").out.splitlines()]
    assert found, "somebody in the ward sends patient data in clear"
    assert {"declared_no_patient_data"} <= {row["type"] for row in found}
    one = found[0]["device"]
    assert say("mds2", "compare", "--device", one, "--json").out.count("\n") >= 1
    assert say("mds2", "attach", form, "--device", one, "--forget", "--reason", "wrong").status == 0
    assert one not in say("mds2", "compare", "--form", form, "--json").out
    models = [json.loads(line) for line in say("mds2", "list", "--coverage", "--json").out.splitlines()]
    assert all(row["devices"] >= row["with_form"] for row in models)


def test_one_bad_file_does_not_stop_the_others(say: Say, home: Path, tmp_path: Path, form: Path) -> None:
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(made.pdf([[]], picture=True))
    done = say("mds2", "import", scan, form, home=home)
    assert done.status == 1 and "a scan" in done.err and "kept as" in done.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("show", "nothing"), "there is no form 'nothing'"),
        (("remove", "nothing", "--reason", "x"), "there is no form 'nothing'"),
        (("attach", "nothing", "--device", "qqqq", "--reason", "x"), "qqqq"),
        (("export", "nothing"), "there is no form 'nothing'"),
        (("compare", "--device", "nobody"), "nobody"),
    ],
)
def test_what_is_not_there_is_said(say: Say, home: Path, words: tuple[str, ...], sentence: str) -> None:
    done = say("mds2", *words, home=home)
    assert done.status == 2 and sentence in done.err
