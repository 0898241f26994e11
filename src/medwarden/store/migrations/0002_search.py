"""Full-text search over devices: a trigram index (SQLite FTS5) that triggers keep up to date.

An index of three-letter pieces finds any part of a MAC address, IP address, name, serial number or
AE title. It holds no text of its own (external content, https://www.sqlite.org/fts5.html, 4.4.3).
A later migration that rebuilds ``store_devicetext`` must create the triggers again.
"""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

CREATE = (
    """CREATE VIRTUAL TABLE store_devicesearch USING fts5(
        text, content='store_devicetext', content_rowid='number', tokenize='trigram')""",
    """CREATE TRIGGER store_devicesearch_insert AFTER INSERT ON store_devicetext BEGIN
        INSERT INTO store_devicesearch(rowid, text) VALUES (new.number, new.text);
    END""",
    """CREATE TRIGGER store_devicesearch_delete AFTER DELETE ON store_devicetext BEGIN
        INSERT INTO store_devicesearch(store_devicesearch, rowid, text) VALUES ('delete', old.number, old.text);
    END""",
    """CREATE TRIGGER store_devicesearch_update AFTER UPDATE OF text ON store_devicetext BEGIN
        INSERT INTO store_devicesearch(store_devicesearch, rowid, text) VALUES ('delete', old.number, old.text);
        INSERT INTO store_devicesearch(rowid, text) VALUES (new.number, new.text);
    END""",
)
DROP = (
    "DROP TRIGGER store_devicesearch_insert",
    "DROP TRIGGER store_devicesearch_delete",
    "DROP TRIGGER store_devicesearch_update",
    "DROP TABLE store_devicesearch",
)


def _run(editor: BaseDatabaseSchemaEditor, statements: tuple[str, ...]) -> None:
    if editor.connection.vendor == "sqlite":
        for statement in statements:
            editor.execute(statement)


def create(_apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    _run(editor, CREATE)


def drop(_apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    _run(editor, DROP)


class Migration(migrations.Migration):
    dependencies = [("store", "0001_initial")]
    operations = [migrations.RunPython(create, drop)]
