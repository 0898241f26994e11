from __future__ import annotations

import io
import stat
import tarfile
from pathlib import Path

import msgspec
import pytest
import zstandard
from pytest_django.plugin import DjangoDbBlocker

from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.store.backup import Manifest, Member, back_up, restore, row_hashes
from medwarden.store.chain import verify_chain
from medwarden.store.ingest import IngestWriter
from medwarden.store.open import Store, open_store

from .conftest import DeltaMaker, TableMaker


@pytest.fixture
def filled(store: Store, flows: TableMaker, facts: TableMaker, heard: DeltaMaker) -> Store:
    writer = IngestWriter(store, "s1")
    state = writer.begin_input("c1", "a.pcap", "pcap")
    for number in range(3):
        writer.commit_batch(state, number, flows(30, number), facts(20), heard(number, number + 1))
    return store


def test_what_is_restored_is_what_was_backed_up(
    filled: Store, tmp_path: Path, django_db_blocker: DjangoDbBlocker, flows: TableMaker, heard: DeltaMaker
) -> None:
    before = row_hashes(filled.home / "state.sqlite3")
    rows = filled.lake.query("SELECT * FROM flows ORDER BY ALL", tenant="default")
    manifest = back_up(filled.home, tmp_path / "b.tar.zst")
    assert stat.S_IMODE((tmp_path / "b.tar.zst").stat().st_mode) == 0o600
    assert manifest.rows["store_device"] == 4
    writer = IngestWriter(filled, "s1")  # the folder goes on living
    writer.commit_batch(writer.begin_input("c1", "a.pcap", "pcap"), 3, flows(5), None, heard(9))
    filled.close()
    assert restore(tmp_path / "b.tar.zst", tmp_path / "new") == manifest
    assert row_hashes(tmp_path / "new" / "state.sqlite3") == before
    with open_store(tmp_path / "new", writer=True) as store:
        assert verify_chain() is None
        assert store.lake.query("SELECT * FROM flows ORDER BY ALL", tenant="default").equals(rows)
        assert store.lake.check() == []
        again = IngestWriter(store, "s1").begin_input("c1", "a.pcap", "pcap")
        assert again.next_batch == 3
    leftovers = {p.name for p in tmp_path.iterdir()} - {"b.tar.zst", "new", "home"}
    assert leftovers == set()


def test_a_different_row_has_a_different_hash(filled: Store) -> None:
    import sqlite3

    path = filled.home / "state.sqlite3"
    before = row_hashes(path)
    database = sqlite3.connect(path)
    database.execute("UPDATE store_service SET flows = flows + 1 WHERE id = 1")
    database.commit()
    database.close()
    after = row_hashes(path)
    assert {name for name in before if before[name] != after[name]} == {"store_service"}


def test_nothing_is_overwritten(filled: Store, tmp_path: Path) -> None:
    target = tmp_path / "b.tar.zst"
    back_up(filled.home, target)
    with pytest.raises(ConfigurationError, match="is there already"):
        back_up(filled.home, target)
    with pytest.raises(ConfigurationError, match="not empty"):
        restore(target, filled.home)
    with pytest.raises(ConfigurationError, match="is not a folder"):
        back_up(filled.home, tmp_path / "nowhere" / "b")
    with pytest.raises(ConfigurationError, match="holds no medwarden data"):
        back_up(tmp_path / "nothing", tmp_path / "c")


def test_an_altered_or_cut_backup_is_refused_and_leaves_nothing(filled: Store, tmp_path: Path) -> None:
    target = tmp_path / "b.tar.zst"
    back_up(filled.home, target)
    good = target.read_bytes()
    for bad in (good[: len(good) // 2], good[:-20], b"", b"hello", flipped(good, len(good) // 3)):
        target.write_bytes(bad)
        with pytest.raises(MalformedInput, match=r"b\.tar\.zst"):
            restore(target, tmp_path / "new")
        assert not (tmp_path / "new").exists()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".medwarden")]


def flipped(data: bytes, position: int) -> bytes:
    copy = bytearray(data)
    copy[position] ^= 1
    return bytes(copy)


def packed(members: dict[str, bytes], manifest: Manifest | None, kind: bytes = tarfile.REGTYPE) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        contents = dict(members)
        if manifest is not None:
            contents["manifest.json"] = msgspec.json.encode(manifest)
        for name, data in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(data), kind if name in members else tarfile.REGTYPE
            entry.linkname = "/etc/passwd"
            archive.addfile(entry, io.BytesIO(data))
    return zstandard.compress(out.getvalue())


@pytest.mark.parametrize(
    "members, manifest, kind, words",
    [
        ({"../evil": b"x"}, None, tarfile.REGTYPE, "points outside"),
        ({"/tmp/evil": b"x"}, None, tarfile.REGTYPE, "points outside"),
        ({"version": b""}, None, tarfile.SYMTYPE, "not a plain file"),
        ({"version": b"1\n"}, None, tarfile.REGTYPE, "no manifest"),
        ({"version": b"1\n"}, Manifest(1, "now", {}, {}), tarfile.REGTYPE, "foreign"),
        ({}, Manifest(1, "now", {"version": Member(2, "0")}, {}), tarfile.REGTYPE, "missing"),
    ],
)
def test_a_hostile_backup_is_refused(
    tmp_path: Path, members: dict[str, bytes], manifest: Manifest | None, kind: bytes, words: str
) -> None:
    path = tmp_path / "evil.tar.zst"
    path.write_bytes(packed(members, manifest, kind))
    with pytest.raises(MalformedInput, match=words):
        restore(path, tmp_path / "new")
    assert [p.name for p in tmp_path.iterdir()] == ["evil.tar.zst"]
