"""The tables of a new folder: laid out at once or by migrations, they are the same."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django.plugin import DjangoDbBlocker

from medwarden.kernel.errors import ResourceError
from medwarden.store import schema
from medwarden.store.folder import DATABASE_FILE
from medwarden.store.integrity import seal_databases
from medwarden.store.open import open_store
from medwarden.store.schema import FILE, dump, lay_out, migrations_digest

WRITE_IT = "run `./dev schema`: a migration was added or changed since"


def test_what_is_kept_is_of_the_migrations_there_are() -> None:
    head = Path(schema.__file__).with_name(FILE).read_text(encoding="utf-8").splitlines()[0]
    assert head.rpartition(" ")[2] == migrations_digest(), WRITE_IT


def test_both_ways_come_to_the_same_tables(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with django_db_blocker.unblock():
        with open_store(tmp_path / "at-once", writer=True):
            assert not lay_out()  # there are tables by now
        monkeypatch.setattr(schema, "migrations_digest", lambda: "of other migrations")
        with open_store(tmp_path / "by-steps", writer=True):
            pass
    at_once, by_steps = (tmp_path / name / DATABASE_FILE for name in ("at-once", "by-steps"))
    assert dump(at_once).splitlines() == dump(by_steps).splitlines(), WRITE_IT
    for database in (at_once, by_steps):
        with sqlite3.connect(database) as held:
            assert held.execute("select count(*) from store_devicesearch").fetchone() == (0,)
            assert held.execute("select count(*) from store_site").fetchone() == (1,)
            assert held.execute("pragma foreign_key_check").fetchall() == []


def test_a_lay_out_that_fails_leaves_an_empty_database_and_says_why(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path(schema.__file__).with_name(FILE).read_text(encoding="utf-8")
    digest = whole.splitlines()[0].rpartition(" ")[2]
    (tmp_path / FILE).write_text(whole + "CREATE TABLE store_tenant (id);\n", encoding="utf-8")
    monkeypatch.setattr(schema, "migrations_digest", lambda: digest)
    monkeypatch.setattr("medwarden.store.schema.resources.files", lambda _name: tmp_path)
    home = tmp_path / "home"
    with django_db_blocker.unblock(), pytest.raises(ResourceError, match="store_tenant already exists"):
        open_store(home, writer=True)
    with sqlite3.connect(home / DATABASE_FILE) as held:
        assert held.execute("select count(*) from sqlite_master").fetchone() == (0,)


def test_a_folder_that_is_brought_up_to_date_is_sampled_again(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    home = tmp_path / "home"
    with django_db_blocker.unblock():
        with open_store(home, writer=True):
            call_command("migrate", "store", "0020", verbosity=0)
        database = home / DATABASE_FILE
        with sqlite3.connect(database) as held:
            held.execute("delete from sqlite_stat1")
        seal_databases(home)
        with open_store(home, writer=True), sqlite3.connect(database) as held:
            assert held.execute("select count(*) from sqlite_stat1 where tbl = 'store_site'").fetchone()[0]
