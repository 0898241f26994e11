"""Open the data folder: lock, settings, migrations, default tenant and site.

Import this module first: those with tables (models, queries, ingest ...) can be imported only after
:func:`open_store` or :func:`configure` has set Django up.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import django
from django.conf import settings
from django.db import DatabaseError, connection, connections

from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ResourceError
from medwarden.store import folder
from medwarden.store.folder import DATABASE_FILE, FolderLock, waiting_lock
from medwarden.store.integrity import Damage, check_seals, seal_databases, unseal
from medwarden.store.storage_errors import storage_errors

if TYPE_CHECKING:
    from medwarden.store.lake import Lake

_TURN = "open"


class Store:
    """An open data folder. Use as a context manager, or call :meth:`close`.

    ``damage`` names the databases that were changed behind medwarden's back since they were last
    closed; the audit chain holds it too.
    """

    def __init__(self, home: Path, lock: FolderLock | None, damage: tuple[Damage, ...] = ()) -> None:
        self.home = home
        self.writer = lock is not None
        self.damage = damage
        self._lock = lock
        self._lake: Lake | None = None

    @property
    def lake(self) -> Lake:
        """Return the telemetry lake, opened at the first use."""
        if self._lake is None:
            from medwarden.store.lake import Lake

            self._lake = Lake(self.home / folder.LAKE_FOLDER, writer=self.writer)
        return self._lake

    def analyse(self) -> None:
        """Let SQLite sample what the columns hold, so that lists use the right index as they grow."""
        with storage_errors(self.home):
            _sample()

    @staticmethod
    def leave_thread() -> None:
        """Close what the calling thread opened of the database; a thread that ends calls it last."""
        connections.close_all()

    def close(self) -> None:
        """Close the databases, seal their digests where this was the last writer, release the lock."""
        if self._lake is not None:
            self._lake.close()
            self._lake = None
        if self._lock is not None:
            self.analyse()
        connections.close_all()
        if self._lock is not None:
            with waiting_lock(self.home, _TURN):
                seal_databases(self.home)
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_store(home: Path, *, writer: bool, role: str = "writer") -> Store:
    """Open the data folder ``home``; a writer creates and migrates it and holds the lock of ``role``.

    Raises ResourceError where another process holds that lock, the disk is full or a file cannot be
    opened, and ConfigurationError for a folder that is not medwarden's or (reading) is not there yet.
    """
    home = home.resolve()
    lock = None
    if writer:
        folder.prepare(home)
        lock = FolderLock(home, role).acquire()
    else:
        folder.check(home)
    try:
        configure(home)
        damage: tuple[Damage, ...] = ()
        if writer:
            # In turn: seals are not compared while another process begins to write or closes, and of
            # two that find an old database, one brings it up to date.
            with waiting_lock(home, _TURN):
                damage = _take_over(home)
    except BaseException:
        if lock is not None:
            lock.release()
        raise
    return Store(home, lock, damage)


def _take_over(home: Path) -> tuple[Damage, ...]:
    """Compare the databases with their seals, migrate, and write what was found to the audit chain."""
    from medwarden.store.changes import Change

    damage = tuple(check_seals(home))
    unseal(home)
    _migrate(home)
    if damage:
        with Change("system", "the databases are compared with their seals at every start") as change:
            for item in damage:
                change.record("store.damage", f"file:{item.path}", None, item.fault)
    return damage


def configure(home: Path) -> None:
    """Set Django up for ``home``; modules that hold tables can be imported from then on."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "medwarden.app.django_settings")
    if not settings.configured:
        os.environ["MEDWARDEN_HOME"] = str(home)
    django.setup()
    _bind(home / DATABASE_FILE)


def _bind(database: Path) -> None:
    """Point Django at ``database`` also where its settings were read for another folder."""
    if connection.settings_dict["NAME"] != str(database):
        connections.close_all()
        connections.settings["default"]["NAME"] = str(database)
        connection.settings_dict["NAME"] = str(database)


def _migrate(home: Path) -> None:
    from django.core.management import call_command

    from medwarden.store.chain import begin_chain
    from medwarden.store.schema import lay_out

    try:
        laid_out, before = lay_out(), _tables_version()
        call_command("migrate", verbosity=0, interactive=False)
        if not laid_out and _tables_version() != before:
            _sample()  # a table that was built anew has lost what SQLite knew of its columns
        begin_chain(home)
        ensure_site()
    except (DatabaseError, sqlite3.Error) as error:
        raise ResourceError(
            f"the database {home / DATABASE_FILE} cannot be opened or brought up to date ({error}): "
            "check free space and rights, or restore a backup"
        ) from error


def _tables_version() -> int:
    """Return SQLite's count of changes to the tables (``PRAGMA schema_version``)."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA schema_version")
        return int(cursor.fetchone()[0])


def _sample() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA analysis_limit=2000")
        cursor.execute("ANALYZE")


def ensure_site(
    tenant: str | None = None, site: str | None = None, *, tenant_name: str = "", site_name: str = ""
) -> tuple[str, str]:
    """Make sure that a tenant and site exist and return their ids; by default the first of each."""
    from medwarden.store.changes import Change
    from medwarden.store.models import DEFAULT_SITE, DEFAULT_TENANT, Site, Tenant

    tenant, site = tenant or DEFAULT_TENANT, site or DEFAULT_SITE
    if Site.objects.filter(id=site, tenant_id=tenant).exists():
        return tenant, site
    with Change("system", "set up", tenant=tenant, site=None) as change:
        made, new = Tenant.objects.get_or_create(
            id=tenant, defaults={"name": tenant_name or tenant, "created_ns": wall_clock()}
        )
        if new:
            change.record("tenant.created", f"tenant:{tenant}", None, {"name": made.name})
        place = Site.objects.create(id=site, tenant=made, name=site_name or site, created_ns=wall_clock())
        change.record("site.created", f"site:{site}", None, {"name": place.name}, site=site)
    return tenant, site
