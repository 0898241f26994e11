from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.store import integrity
from medwarden.store.chain import verify_chain
from medwarden.store.changes import Change
from medwarden.store.ingest import IngestWriter
from medwarden.store.models import AuditEntry, Device, Site
from medwarden.store.open import Store, ensure_site, open_store
from medwarden.store.settings import set_setting

from .conftest import DeltaMaker, TableMaker


def fill(store: Store, flows: TableMaker, heard: DeltaMaker) -> None:
    writer = IngestWriter(store, "s1")
    writer.commit_batch(writer.begin_input("c1", "a.pcap", "pcap"), 0, flows(5), None, heard(1))


@pytest.mark.parametrize("name", integrity.SEALED)
def test_a_flipped_byte_in_a_closed_database_is_found_and_named(
    home: Path, django_db_blocker: DjangoDbBlocker, flows: TableMaker, heard: DeltaMaker, name: str
) -> None:
    with django_db_blocker.unblock():
        with open_store(home, writer=True) as store:
            fill(store, flows, heard)
        assert integrity.check_databases(home) == []
        data = bytearray((home / name).read_bytes())
        data[-1] ^= 1
        (home / name).write_bytes(bytes(data))
        (damage,) = integrity.check_databases(home)
        assert (damage.path, damage.fault) == (name, "its content is not what was written")
        with open_store(home, writer=True) as store:
            assert store.damage == (damage,)
            entry = AuditEntry.objects.latest("sequence")
            assert (entry.action, entry.subject) == ("store.damage", f"file:{name}")
        with open_store(home, writer=True) as store:
            assert store.damage == ()


def test_a_database_in_use_is_asked_for_its_structure(store: Store) -> None:
    assert integrity.check_databases(store.home) == []
    assert not (store.home / "seal.json").exists()


def test_a_missing_database_is_named(home: Path) -> None:
    (home / "state.sqlite3").unlink()
    assert [d.path for d in integrity.check_databases(home)] == ["state.sqlite3"]


def test_a_database_that_another_process_holds_is_not_sealed(store: Store) -> None:
    integrity.seal_databases(store.home)
    assert not (store.home / "seal.json").exists()


def test_opening_makes_tenant_site_and_an_empty_chain(store: Store) -> None:
    assert ensure_site() == ("default", "main")
    assert list(Site.objects.values_list("id", "tenant_id")) == [("main", "default")]
    assert verify_chain() is None


def test_a_reader_needs_no_lock_and_creates_nothing(store: Store, tmp_path: Path) -> None:
    with open_store(store.home, writer=False) as reader:
        assert not reader.writer
        assert Device.objects.count() == 0
    with pytest.raises(ConfigurationError, match="holds no medwarden data"):
        open_store(tmp_path / "nothing", writer=False)
    assert not (tmp_path / "nothing").exists()


def test_a_second_writer_is_refused_and_the_first_goes_on(store: Store) -> None:
    with pytest.raises(ResourceError, match="already running on this folder"):
        open_store(store.home, writer=True)
    with Change("user:anna", "still here") as change:
        set_setting(change, "a", 1)
    assert verify_chain() is None


def test_a_broken_database_is_said_in_a_sentence(home: Path, django_db_blocker: DjangoDbBlocker) -> None:
    (home / "state.sqlite3").write_bytes(b"this is no database at all" * 1000)
    with django_db_blocker.unblock(), pytest.raises(ResourceError, match=r"state\.sqlite3.*restore a backup"):
        open_store(home, writer=True)
    with open(home / "lock-writer") as lock:
        assert lock.read() == ""


def test_the_seal_lists_every_database(
    home: Path, django_db_blocker: DjangoDbBlocker, flows: TableMaker, heard: DeltaMaker
) -> None:
    with django_db_blocker.unblock(), open_store(home, writer=True) as store:
        fill(store, flows, heard)
    assert set(json.loads((home / "seal.json").read_text())) == set(integrity.SEALED)


OPEN_AND_CLOSE = """
import sys
from pathlib import Path
from medwarden.store.open import open_store
for _ in range(4):
    with open_store(Path(sys.argv[1]), writer=True, role=sys.argv[2]) as store:
        if store.damage:
            sys.exit(f"false alarm: {store.damage}")
"""


def test_processes_that_begin_at_once_on_a_new_folder_neither_collide_nor_see_damage(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_AND_CLOSE, str(tmp_path / "home"), f"role-{number}"],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    said = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
