"""What is kept of a look that failed: under any name, and nowhere but in its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from medwarden.transport.kept import Kept

NAMES = (
    "page-1",
    "scan-" + "9" * 5000,
    "../../outside",
    "a/b",
    "",
    ".",
    "\0",
    "\ud800",
    "Ä" * 200,
    "digest-x",
)


@pytest.mark.parametrize("name", NAMES)
def test_under_any_name_a_file_and_a_note_come_back(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in" / "kept"
    kept = Kept(folder)
    came = tmp_path / "came"
    came.write_bytes(b"what came")
    kept.partial(name).write_bytes(b"the beginning")
    kept.store(name, came)
    kept.note(name, "where it is")
    assert kept.noted(name) == "where it is"
    laid = tmp_path / "laid"
    assert kept.restore(name, laid)
    assert laid.read_bytes() == b"what came"
    assert {path.parent for path in tmp_path.rglob("*") if path.suffix in (".part", ".zst", ".note")} == {
        folder
    }
    kept.clear()
    assert list(folder.iterdir()) == []


def test_two_names_are_two_files(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    for name in NAMES:
        kept.note(name, f"note of {name!r}")
    assert [kept.noted(name) for name in NAMES] == [f"note of {name!r}" for name in NAMES]
