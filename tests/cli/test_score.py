"""``medwarden score``: what it prints and writes beside the figures of the contract."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Say

from medwarden.app.demo import WARD

ROWS = (
    "capture\tmac\tclass\tcategory\tvendor\tmodel\tos\n"
    f"{WARD.name}\t00:01:e3:44:02:21\tIoMT\tct\tSiemens Healthineers\tSOMATOM go.Top\t\n"
    f"{WARD.name}\t00:1E:BD:5C:11:02\tNET\tnetwork_switch\tCisco\t\tCisco IOS\n"
    f"{WARD.name}\t00:00:00:00:00:77\tIoT\tip_camera\tAxis\t\t\n"
)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.tsv"
    path.write_text(ROWS)
    return path


def test_details_hold_intervals_sources_and_what_evidence_is_worth(say: Say, labels: Path) -> None:
    said = say("score", WARD, "--labels", labels, "--json", "--details", "--ablate", "--samples", 50)
    assert said.status == 0, said.err
    details = json.loads(said.out)["details"]
    assert details["joint"]["n"] == 3
    assert details["joint"]["answered"] == details["joint"]["correct"] == 2
    assert [level["level"] for level in details["levels"]][-1] == "os"
    assert [source["source"] for source in details["sources"]] == ["packets"]
    worth = {w["group"]: w for w in details["worth"]}
    assert worth["clinical"]["joint"]["correct"] == 1
    assert "voice" not in worth


def test_evidence_can_be_switched_off(say: Say, labels: Path) -> None:
    said = say(
        "score",
        WARD,
        "--labels",
        labels,
        "--json",
        "--details",
        "--without",
        "clinical,mac,rfb",
        "--samples",
        0,
    )
    figures = json.loads(said.out)
    assert figures["details"]["without"] == ["clinical", "mac", "rfb"]
    assert figures["levels"]["category"]["correct"] == 1
    assert "'rfb' switches off" in said.err
    wrong = say("score", WARD, "--labels", labels, "--without", "DHCP names")
    assert wrong.status == 2
    assert "no group of evidence" in wrong.err


def test_only_some_kinds_of_input(say: Say, labels: Path) -> None:
    assert say("score", WARD, "--labels", labels, "--sources", "packets").status == 0
    said = say("score", WARD, "--labels", labels, "--sources", "zeek")
    assert said.status == 2
    assert "there are: packets" in said.err


def test_the_page_and_the_table_of_devices(say: Say, labels: Path, tmp_path: Path) -> None:
    page, cases = tmp_path / "score.html", tmp_path / "cases.csv"
    said = say(
        "score", WARD, "--labels", labels, "--html", page, "--cases", cases, "--title", "A <b>", "--ablate"
    )
    assert said.status == 0, said.err
    assert "What each group of evidence is worth" in said.out
    text = page.read_text()
    assert "A &lt;b&gt;" in text
    assert "<b>" not in text
    with cases.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["found"] for row in rows] == ["yes", "yes", "no"]
    assert (rows[0]["category_answer"], rows[0]["category_right"]) == ("ct", "yes")
    assert rows[2]["category_answer"] == rows[2]["category_right"] == ""
    assert say("score", WARD, "--labels", labels, "--html", tmp_path / "no" / "where.html").status == 1
