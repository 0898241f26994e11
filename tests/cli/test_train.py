"""``train``: what cannot be trained on is said before anything is begun."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Say


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("CAPTURE",), 2, "captures need --labels"),
        (("--labels", "LABELS"), 2, "captures need --labels"),
        (("--shipped", "--confirmed"), 2, "on its own recipe alone"),
        (("--shipped", "--hospitals", "2"), 2, "on its own recipe alone"),
        (("--hospitals", "300"), 2, "0<=x<=299"),
        (("--hospitals", "1", "--hours", "0"), 2, "x>0"),
        (("--hospitals", "1", "--devices", "11"), 2, "x>=12"),
        (("CAPTURE", "--labels", "/nowhere/at/all.tsv"), 2, "does not exist"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    say: Say, home: Path, tmp_path: Path, words: tuple[str, ...], status: int, sentence: str
) -> None:
    named = {"CAPTURE": tmp_path / "none.pcap", "LABELS": tmp_path / "labels.tsv"}
    named["CAPTURE"].write_bytes(b"no capture")
    named["LABELS"].write_text("no labels\n")
    said = say("train", *(named.get(word, word) for word in words), home=home)
    assert said.status == status
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert not (home / "models").exists()
