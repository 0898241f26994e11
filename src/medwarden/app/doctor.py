"""Is this machine able to run medwarden, and is the data folder sound?"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from pathlib import Path

import msgspec
from django.db import DatabaseError
from sqlalchemy.exc import SQLAlchemyError

from medwarden.app.knowledge_status import standing
from medwarden.kernel.errors import MedwardenError
from medwarden.store.folder import VERSION_FILE
from medwarden.store.integrity import check_databases
from medwarden.store.open import open_store

_LOW_SPACE = 2 << 30
_OLDEST_SQLITE = (3, 35, 0)  # upsert with RETURNING
_CAP_NET_RAW = 13


class Check(msgspec.Struct, frozen=True):
    """One thing looked at. ``ok`` is None where it is worth knowing but no fault."""

    name: str
    ok: bool | None
    says: str

    @property
    def state(self) -> str:
        """Return the state in a word."""
        return {True: "ok", False: "FAULT", None: "note"}[self.ok]


def examine(home: Path) -> list[Check]:
    """Return every check of the machine, and of the data folder where there is one."""
    checks = [_python(), _sqlite(), _capture(), _space(home)]
    if not (home / VERSION_FILE).exists():
        return [*checks, Check("data folder", None, f"{home} holds no data yet")]
    return checks + _folder(home)


def _python() -> Check:
    return Check("python", sys.version_info >= (3, 11), sys.version.split()[0])


def _sqlite() -> Check:
    return Check("sqlite", sqlite3.sqlite_version_info >= _OLDEST_SQLITE, sqlite3.sqlite_version)


def _capture() -> Check:
    """Say whether a packet socket may be opened: effective CAP_NET_RAW of this process."""
    status = Path("/proc/self/status")
    if not status.exists():
        return Check("live capture", None, "only on Linux; captures in files can be read anywhere")
    effective = next(
        (int(line.split()[1], 16) for line in status.read_text().splitlines() if line.startswith("CapEff:")),
        0,
    )
    if effective >> _CAP_NET_RAW & 1:
        return Check("live capture", True, "packet sockets may be opened")
    return Check("live capture", None, "needs root or CAP_NET_RAW; captures in files need neither")


def _space(home: Path) -> Check:
    place = home
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    return Check("disk", free >= _LOW_SPACE, f"{free >> 20} MiB free at {place}")


def _folder(home: Path) -> list[Check]:
    rights = home.stat().st_mode & 0o077
    checks = [
        Check("rights", rights == 0, f"{home} is {'private' if rights == 0 else 'open to other users'}")
    ]
    if not os.access(home, os.W_OK):
        return [*checks, Check("data folder", False, f"{home} cannot be written by this user")]
    # Before the store is opened: a database that is open cannot be compared with its seal.
    damage = check_databases(home)
    try:
        with open_store(home, writer=False) as store:
            checks.append(_chain())
            damage += store.lake.check()
    except (MedwardenError, DatabaseError, sqlite3.DatabaseError, SQLAlchemyError) as error:
        checks.append(Check("data folder", False, f"{home} cannot be read through: {error}"))
    checks += [Check("stored file", False, f"{item.path}: {item.fault}") for item in damage]
    checks.append(_knowledge(home))
    if not damage:
        checks.append(Check("stored files", True, "databases and telemetry are as they were written"))
    return checks


def _knowledge(home: Path) -> Check:
    """Say how old knowledge is; that nobody brought any is no fault."""
    try:
        now = standing(home)
    except MedwardenError as error:
        return Check("knowledge", False, str(error))
    if not now.in_use:
        return Check("knowledge", None, "none was taken in yet: `medwarden knowledge import` or `sync`")
    fresh = f"{now.in_use} sources in use, none too old"
    return Check("knowledge", not now.stale, "; ".join(now.sentences) or fresh)


def _chain() -> Check:
    from medwarden.store.chain import check_chain

    chain = check_chain()
    return Check("audit chain", chain.broken is None, chain.reason or f"{chain.entries} entries, unbroken")
