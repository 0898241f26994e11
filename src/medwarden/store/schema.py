"""The tables of a new data folder, laid out in one go instead of by every migration since the first.

``schema.sql`` beside this file is what all migrations come to on an empty SQLite file. It is used only where
its digest is that of the migrations at hand; otherwise, and for every other database, migrations run one
after the other. Either way the same tables come of it, which a test holds to.

    ./dev schema      write schema.sql anew, after a migration was added or changed
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import tempfile
from importlib import resources
from pathlib import Path

from django.db import connection
from django.db.migrations.loader import MigrationLoader

FILE = "schema.sql"
_DIGEST = "-- of the migrations "
_SHADOWS = ("_config", "_content", "_data", "_docsize", "_idx")
_OURS = "medwarden."


def migrations_digest() -> str:
    """Return a digest of the migrations there are: their names, and of our own what they do."""
    digest = hashlib.blake2b(digest_size=16)
    loader = MigrationLoader(None, ignore_no_migrations=True)
    for (app, name), migration in sorted((loader.disk_migrations or {}).items()):
        digest.update(f"{app}.{name}\n".encode())
        module = type(migration).__module__
        if module.startswith(_OURS):
            package, _, file = module.rpartition(".")
            digest.update(resources.files(package).joinpath(f"{file}.py").read_bytes())
    return digest.hexdigest()


def lay_out() -> bool:
    """Create all tables in an empty SQLite database, in one transaction; tell whether that was done.

    Nothing is done where there are tables already, or where the file at hand is of other migrations.
    """
    if connection.vendor != "sqlite" or connection.introspection.table_names():
        return False
    stored = resources.files(__package__).joinpath(FILE)
    if not stored.is_file():
        return False
    head, _, statements = stored.read_text(encoding="utf-8").partition("\n")
    if head != _DIGEST + migrations_digest():
        return False
    with connection.cursor() as cursor:
        try:
            cursor.connection.executescript(f"BEGIN IMMEDIATE;\n{statements}\nCOMMIT;")
        except sqlite3.Error:
            cursor.connection.rollback()
            raise
    return True


def dump(database: Path) -> str:
    """Return what makes the tables of a migrated SQLite database, and says that it is migrated."""
    with sqlite3.connect(database) as held:
        rows = held.execute(
            "select name, sql from sqlite_master where sql is not null order by rowid"
        ).fetchall()
        done = held.execute("select app, name from django_migrations order by id").fetchall()
    virtual = [name for name, sql in rows if sql.upper().startswith("CREATE VIRTUAL")]
    shadows = {name + shadow for name in virtual for shadow in _SHADOWS}
    kept = [sql for name, sql in rows if name not in shadows and not name.startswith("sqlite_")]
    # Tables first: a trigger or an index may stand before the table that a later migration made anew.
    kept.sort(key=lambda sql: not sql.upper().startswith(("CREATE TABLE", "CREATE VIRTUAL")))
    into = "INSERT INTO django_migrations (app, name, applied) VALUES"
    told = [f"{into} ('{app}', '{name}', CURRENT_TIMESTAMP)" for app, name in done]
    return "".join(f"{statement};\n" for statement in (*kept, *told))


def main() -> int:
    """Write schema.sql from the migrations; return 0."""
    from django.core.management import call_command

    from medwarden.store.folder import DATABASE_FILE
    from medwarden.store.open import configure

    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        configure(home)
        call_command("migrate", verbosity=0, interactive=False)
        text = dump(home / DATABASE_FILE)
        connection.close()
        target = Path(__file__).with_name(FILE)
        target.write_text(f"{_DIGEST}{migrations_digest()}\n{text}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
