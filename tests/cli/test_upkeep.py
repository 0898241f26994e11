"""``doctor``, ``backup`` and ``restore``: damage is found and named, a backup brings everything back."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Say

from medwarden.store.backup import row_hashes


def faults(say: Say, home: Path) -> list[dict[str, Any]]:
    said = say("doctor", "--json", home=home)
    checks = json.loads(said.out)
    found = [check for check in checks if check["ok"] is False]
    assert said.status == (1 if found else 0)
    return found


def flip(path: Path, at: int) -> None:
    """Flip one bit of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def test_a_sound_folder_is_called_sound(say: Say, home: Path) -> None:
    assert faults(say, home) == []
    table = say("doctor").out
    for words in ("audit chain", "stored files", "live capture", "FAULT"):
        assert (words in table) == (words != "FAULT")


@pytest.mark.parametrize("place", [0.2, 0.5, 0.95])
def test_a_flipped_bit_of_the_database_is_named(say: Say, home: Path, place: float) -> None:
    database = home / "state.sqlite3"
    flip(database, int(database.stat().st_size * place))
    found = faults(say, home)
    assert any("state.sqlite3" in fault["says"] for fault in found), found


@pytest.mark.parametrize("suffix", [".parquet", ".avro", ".metadata.json"])
def test_a_flipped_bit_of_a_lake_file_is_named(say: Say, home: Path, suffix: str) -> None:
    path = max(p for p in (home / "lake").rglob("*") if p.name.endswith(suffix))
    flip(path, path.stat().st_size // 2)
    assert any(path.name in fault["says"] for fault in faults(say, home)), path


def test_a_database_that_cannot_be_read_is_named(say: Say, home: Path) -> None:
    for name in ("state.sqlite3", "lake/catalog.sqlite3"):
        path = home / name
        sound = path.read_bytes()
        path.write_bytes(sound[:4_096] + bytes(len(sound) - 4_096))
        found = faults(say, home)
        assert any(name in fault["says"] for fault in found), found
        path.write_bytes(sound)


def test_a_file_that_is_gone_is_named(say: Say, home: Path) -> None:
    path = next((home / "lake").rglob("*.parquet"))
    path.unlink()
    assert any(path.name in fault["says"] for fault in faults(say, home))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("update store_auditentry set actor = 'nobody' where sequence = 3", "row 3 was altered"),
        ("delete from store_auditentry where sequence = 4", "row 4 is missing"),
        (
            "delete from store_auditentry where sequence = (select max(sequence) from store_auditentry)",
            "cut off",
        ),
    ],
)
def test_a_tampered_audit_row_is_named(say: Say, home: Path, change: str, says: str) -> None:
    connection = sqlite3.connect(home / "state.sqlite3")
    with connection:
        triggers = connection.execute(
            "select name from sqlite_master where type = 'trigger' and tbl_name = 'store_auditentry'"
        ).fetchall()
        for (trigger,) in triggers:
            connection.execute(f'drop trigger "{trigger}"')
        connection.execute(change)
    connection.close()
    assert any(says in fault["says"] for fault in faults(say, home) if fault["check"] == "audit chain")


def test_open_rights_are_a_fault(say: Say, home: Path) -> None:
    home.chmod(0o755)
    assert [fault["check"] for fault in faults(say, home)] == ["rights"]


def test_a_folder_that_is_not_there_is_worth_a_note(say: Say, tmp_path: Path) -> None:
    said = say("doctor", "--json", home=tmp_path / "none")
    assert said.status == 0
    assert json.loads(said.out)[-1]["says"].endswith("holds no data yet")


def test_a_backup_brings_everything_back(say: Say, home: Path, tmp_path: Path) -> None:
    before = say("devices", "--json", home=home).out
    target, again = tmp_path / "night.backup", tmp_path / "again"
    said = say("backup", target)
    assert said.status == 0, said.err
    assert target.stat().st_mode & 0o077 == 0
    assert say("restore", target, home=again).status == 0
    assert row_hashes(again / "state.sqlite3") == row_hashes(home / "state.sqlite3")
    assert say("devices", "--json", home=again).out == before
    assert faults(say, again) == []
    refused = say("restore", target, home=again)
    assert refused.status == 2
    assert "is not empty" in refused.err


@pytest.mark.parametrize("spoil", ["flip", "cut", "foreign"])
def test_a_damaged_backup_restores_nothing(say: Say, home: Path, tmp_path: Path, spoil: str) -> None:
    target, again = tmp_path / "night.backup", tmp_path / "again"
    assert say("backup", target, home=home).status == 0
    if spoil == "flip":
        flip(target, target.stat().st_size // 2)
    elif spoil == "cut":
        target.write_bytes(target.read_bytes()[:-1_000])
    else:
        target.write_bytes(b"this is no backup" * 100)
    said = say("restore", target, home=again)
    assert said.status == 1
    assert said.err.startswith(f"medwarden: {target}")
    assert said.err.count("\n") == 1
    assert not again.exists()


def test_a_backup_that_cannot_be_written_is_a_sentence(say: Say, home: Path, tmp_path: Path) -> None:
    said = say("backup", tmp_path / "no" / "such" / "folder" / "b", home=home)
    assert said.status in (1, 2)
    assert "defect" not in said.err
    assert said.err.count("\n") == 1
    assert say("restore", tmp_path / "absent", home=tmp_path / "again").status == 2
