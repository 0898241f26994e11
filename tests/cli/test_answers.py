"""``unknown``, ``answer`` and ``answers``: from the queue to an answer and back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Say

from medwarden.app.demo import WARD


def test_from_the_queue_to_an_answer_and_back(say: Say, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert say("replay", WARD, home=home).status == 0
    queue = [
        json.loads(line) for line in say("unknown", "--json", "--level", "model", home=home).out.splitlines()
    ]
    assert queue
    assert [c["gain"] for c in queue] == sorted((c["gain"] for c in queue), reverse=True)
    assert queue[0]["name"] in {c["name"] for c in queue}
    device = queue[0]["devices"][0]

    shown = say("answer", device, "--model", "Acme 1", "--preview", "--json", home=home)
    assert shown.status == 0, shown.err
    preview = json.loads(shown.out)
    assert preview["answer"] is None
    assert {"model"} <= {c["level"] for c in preview["preview"]["changes"] if c["device"] == device}
    assert say("answers", "list", "--json", home=home).out == ""

    given = say("answer", device, "--model", "Acme 1", "--reason", "read the plate", home=home)
    assert given.status == 0, given.err
    assert json.loads(say("device", device, "--json", home=home).out)["model"] == "Acme 1"
    (listed,) = [json.loads(line) for line in say("answers", "list", "--json", home=home).out.splitlines()]
    assert (listed["number"], listed["reason"], listed["labels"]) == (
        1,
        "read the plate",
        {"model": "Acme 1"},
    )

    undone = say("answers", "undo", "1", home=home)
    assert undone.status == 0, undone.err
    assert json.loads(say("device", device, "--json", home=home).out)["model"] != "Acme 1"
    assert say("answers", "undo", "1", home=home).status == 2
    assert "taken back" in say("answers", "list", home=home).out

    table = tmp_path / "queue.csv"
    assert say("answers", "export", table, home=home).status == 0
    heads = next(csv.reader(io.StringIO(table.read_text(encoding="utf-8-sig"))))
    assert heads[0] == "target"
    table.write_text(f"target,vendor\n{device},Acme Medical\nnobody,Acme\n")
    taken = say("answers", "import", table, home=home)
    assert taken.status == 1
    assert "line 3: no devices are called 'nobody'" in taken.err
    assert json.loads(say("device", device, "--json", home=home).out)["vendor"] == "Acme Medical"


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("unknown", "--level", "colour"), 2, "'colour'"),
        (("unknown", "--limit", "0"), 2, "1<=x<=1000"),
        (("answer", "nobody", "--model", "x"), 2, "'nobody'"),
        (("answer", "DEVICE"), 2, "an answer needs a label"),
        (("answer", "DEVICE", "--category", "no such kind"), 2, "no such kind"),
        (("answer", "DEVICE", "--class", "Toaster"), 2, "a class is one of IoMT"),
        (("answer", "--model", "x"), 2, "Missing argument"),
        (("answers", "undo", "77"), 2, "77"),
        (("answers", "undo", "x"), 2, "x"),
        (("answers", "import", "/nowhere/at/all.csv"), 2, "/nowhere/at/all.csv"),
        (("answers", "import", "TABLE"), 2, "line 1: the columns target"),
        (("answers", "import", "LATIN"), 2, "not UTF-8 text"),
        (("answers", "import", "OPEN"), 2, "not a table"),
        (("answers", "export", "/nowhere/at/all.csv"), 1, "/nowhere/at/all.csv"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    say: Say, home: Path, tmp_path: Path, words: tuple[str, ...], status: int, sentence: str
) -> None:
    device = json.loads(say("devices", "--json", home=home).out.splitlines()[0])["id"]
    named: dict[str, object] = {"DEVICE": device}
    for name, data in {
        "TABLE": b"device,colour\n1,red\n",
        "LATIN": "target,vendor\nd,Dr\xe4ger\n".encode("latin-1"),
        "OPEN": b'target,vendor\nd,"x\n',
    }.items():
        path = tmp_path / f"{name}.csv"
        path.write_bytes(data)
        named[name] = path
    said = say(*(named.get(word, word) for word in words))
    assert said.status == status, said
    assert sentence in said.err
    assert "Traceback" not in said.err
