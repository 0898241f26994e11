"""``assess``, ``replay`` and ``score`` as commands; hostile inputs are tested on the product."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Say

from medwarden.app.demo import WARD

HEADER = "capture\tmac\tclass\tcategory\tvendor\tmodel\n"
CT = f"{WARD.name}\t00:01:e3:44:02:21\tIoMT\tct\tSiemens Healthineers\tSOMATOM go.Top\n"
SWITCH = f"{WARD.name}\t00:1E:BD:5C:11:02\tNET\tnetwork_switch\tCisco\t\n"
ABSENT = f"{WARD.name}\t00:00:00:00:00:77\tIoT\tip_camera\tAxis\t\n"


def test_assess_writes_both_reports_with_the_title(say: Say, tmp_path: Path) -> None:
    said = say("assess", WARD, "--out", tmp_path / "deep" / "out", "--title", "St <Elsewhere>")
    assert said.status == 0, said.err
    assert "St &lt;Elsewhere&gt;" in (tmp_path / "deep" / "out" / "report.html").read_text()
    report = json.loads((tmp_path / "deep" / "out" / "report.json").read_bytes())
    assert {"version", "inputs", "devices", "findings", "segmentation", "policy", "coverage"} <= set(report)
    (item,) = report["inputs"]
    assert {"path", "packets", "records", "error"} <= set(item)


def test_replay_with_a_new_site_makes_it(say: Say, tmp_path: Path) -> None:
    home = tmp_path / "home"
    said = say("replay", WARD, "--site", "north", "--json", home=home)
    assert said.status == 0, said.err
    told = json.loads(said.out)
    assert told["devices"] == told["new_devices"] >= 24
    assert "known" in said.err
    assert say("devices", "--json", "--site", "main").out == ""
    assert len(say("devices", "--json", "--site", "north").out.splitlines()) == told["devices"]


def test_score_prints_the_figures_of_the_contract(say: Say, tmp_path: Path) -> None:
    labels = tmp_path / "labels.tsv"
    labels.write_text(HEADER + CT + SWITCH + ABSENT)
    said = say("score", WARD, "--labels", labels, "--json")
    assert said.status == 0, said.err
    figures = json.loads(said.out)
    assert set(figures) == {"levels", "time_to_identify", "open_set"}
    assert set(figures["levels"]) == {"class", "category", "vendor", "model"}
    for level, n in (("class", 3), ("category", 3), ("vendor", 3), ("model", 1)):
        found = figures["levels"][level]
        assert set(found) == {"n", "answered", "correct", "coverage", "accuracy", "macro_f1", "ece"}
        assert found["n"] == n
    assert figures["levels"]["category"]["correct"] == 2
    assert figures["levels"]["category"]["coverage"] == pytest.approx(2 / 3)
    assert set(figures["time_to_identify"]) == {"p50", "p95"}
    assert set(figures["open_set"]) == {"auroc"}
    table = say("score", WARD, "--labels", labels)
    assert table.status == 0
    for word in ("class", "category", "vendor", "model", "time to identify", "AUROC"):
        assert word in table.out


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "line 1: the columns capture, mac, class"),
        (b"capture\tmac\n", "line 1: the columns class, category, vendor, model are missing"),
        (HEADER.encode() + b"\t00:01:e3:44:02:21\t\t\t\t\n", "line 2: capture and mac must be filled in"),
        (HEADER.encode() + b"ward.pcap.gz\n", "line 2: capture and mac must be filled in"),
        (HEADER.encode() + b"other.pcap\t00:01:e3:44:02:21\tIoMT\t\t\t\n", "names one of the 1 inputs"),
        (HEADER.encode() + b"\xff\xfe\t\t\t\t\t\n", "byte 40: not UTF-8 text"),
        (HEADER.encode(), "names one of the 1 inputs"),
        (b'"' + b"x" * 200_000, "not a table (field larger than field limit"),
        (HEADER.encode() + b"x" * 200_000, "not a table (field larger than field limit"),
    ],
)
def test_malformed_labels_are_a_sentence(say: Say, tmp_path: Path, content: bytes, says: str) -> None:
    labels = tmp_path / "labels.tsv"
    labels.write_bytes(content)
    said = say("score", WARD, "--labels", labels)
    assert said.status == 2, said.err
    assert says in said.err
    assert said.err.count("\n") == 1


def test_labels_that_are_not_there_are_wrong_usage(say: Say, tmp_path: Path) -> None:
    assert say("score", WARD, "--labels", tmp_path / "none.tsv").status == 2
    assert say("score", WARD).status == 2
