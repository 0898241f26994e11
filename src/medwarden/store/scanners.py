"""Keep connections to scanners: made, changed, ended, asked; who may ask next, and how it went."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec
from django.db.models import QuerySet

from medwarden.kernel.clock import NANOSECONDS
from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.ids import stable_id
from medwarden.store.changes import Change
from medwarden.store.models import ScannerConnection
from medwarden.store.queries.scope import Scope

FIRST_RETRY_S = 15 * 60
LONGEST_RETRY_S = 4 * 3600
_ASKED = ("interface", "address", "proxy", "fingerprint", "authorities", "sealed")
"""Whom a connection asks, how, and by which credentials (sealed anew each time they are given)."""
_AUDITED = ("name", "interface", "address", "fingerprint", "proxy", "chosen", "every_hours", "site_id")


class ConnectionView(msgspec.Struct, frozen=True):
    """A connection without its credentials, how it went last and when it is asked next (0: by hand only)."""

    id: str
    site: str
    name: str
    interface: str
    address: str
    own_authorities: bool
    fingerprint: str
    proxy: str
    chosen: list[str]
    every_hours: int
    created_ns: int
    begun_ns: int
    ended_ns: int
    well_ns: int
    next_ns: int
    pid: int
    doing: str
    done: int
    total: int
    brought: int
    error: str
    failures: list[str]


def connections(scope: Scope) -> list[ConnectionView]:
    """Return the connections of what a reader sees, by name."""
    return [
        _view(row) for row in scope.over(ScannerConnection.objects.filter(removed_ns=None)).order_by("name")
    ]


def connection_called(tenant: str, name: str) -> ScannerConnection:
    """Return a connection by its name or id. Raises ConfigurationError where there is none."""
    rows = ScannerConnection.objects.filter(tenant_id=tenant, removed_ns=None)
    row = rows.filter(pk=name).first() or rows.filter(name=name).first()
    if row is None:
        known = ", ".join(rows.order_by("name").values_list("name", flat=True)) or "none"
        raise ConfigurationError(
            f"there is no connection to a scanner called {name[:60]!r}; there are: {known}"
        )
    return row


def make(change: Change, site: str, values: Mapping[str, object]) -> ScannerConnection:
    """Make a connection at a site. Raises ConfigurationError where its name is taken."""
    name = str(values["name"])
    if ScannerConnection.objects.filter(tenant_id=change.tenant, name=name, removed_ns=None).exists():
        raise ConfigurationError(f"there is a connection called {name[:60]!r} already: choose another name")
    row = ScannerConnection(
        id=stable_id("sn", change.tenant, name, str(change.now_ns)), tenant_id=change.tenant, site_id=site,
        created_ns=change.now_ns, **values,
    )  # fmt: skip
    row.save(force_insert=True)
    change.record("scanner.connected", f"scanner:{row.pk}", None, _said(row), site=site)
    return row


def alter(change: Change, row: ScannerConnection, values: Mapping[str, object]) -> None:
    """Change a connection; new credentials are noted, not told. One that asks elsewhere begins anew."""
    before = _said(row)
    elsewhere = any(
        getattr(row, name) != values.get(name, getattr(row, name)) for name in ("address", "interface")
    )
    for name, value in values.items():
        setattr(row, name, value)
    if elsewhere:
        row.state = {}
    row.tries, row.error = 0, ""
    if not ScannerConnection.objects.filter(pk=row.pk, removed_ns=None).exists():
        raise ConfigurationError("the connection was ended meanwhile")
    row.save(update_fields=[*values, "state", "tries", "error"])
    after = _said(row) | ({"credentials": "(new)"} if "sealed" in values else {})
    change.record("scanner.changed", f"scanner:{row.pk}", before, after, site=row.site_id)


def end(change: Change, row: ScannerConnection) -> None:
    """End a connection and forget its credentials; what it brought stays."""
    if not change.reason.strip():
        raise ConfigurationError("say why the scanner is asked no longer")
    before = _said(row)
    row.removed_ns, row.sealed, row.authorities = change.now_ns, "", ""
    row.save(update_fields=["removed_ns", "sealed", "authorities"])
    change.record("scanner.disconnected", f"scanner:{row.pk}", before, None, site=row.site_id)


def _said(row: ScannerConnection) -> dict[str, object]:
    authorities = hashlib.sha256(row.authorities.encode()).hexdigest() if row.authorities else ""
    return {name: getattr(row, name) for name in _AUDITED} | {"authorities_sha256": authorities}


def next_ns(row: ScannerConnection) -> int:
    """Return when a connection is to be asked next by itself (nanoseconds); 0 where only a person asks.

    After a failure, or where a pull was killed, sooner than usual: a quarter of an hour, then twice as long.
    """
    if not row.every_hours:
        return 0
    usual = row.every_hours * 3600
    killed = row.begun_ns > row.ended_ns
    tries = row.tries + killed
    since = row.begun_ns if killed else row.ended_ns
    if not since:
        return row.created_ns
    retry = min(FIRST_RETRY_S * 2 ** min(tries - 1, 10), LONGEST_RETRY_S) if tries else usual
    return int(since + min(usual, retry) * NANOSECONDS)


def due(now_ns: int) -> list[ScannerConnection]:
    """Return the connections of all tenants that are to be asked now, the longest waiting first."""
    rows = ScannerConnection.objects.filter(removed_ns=None, every_hours__gt=0)
    waiting = [(next_ns(row), row.pk, row) for row in rows]
    return [row for at, _, row in sorted(waiting, key=lambda each: each[:2]) if at <= now_ns]


def note_begun(row: ScannerConnection, pid: int, now_ns: int) -> None:
    """Write down that a pull begins. One that was killed before counts as failed."""
    if row.begun_ns > row.ended_ns:
        row.tries += 1
    row.begun_ns, row.pid, row.doing, row.done, row.total = now_ns, pid, "asking", 0, 0
    row.save(update_fields=["begun_ns", "pid", "doing", "done", "total", "tries"])


def note_progress(row: ScannerConnection, done: int, total: int, what: str) -> None:
    """Write down how far a pull is."""
    ScannerConnection.objects.filter(pk=row.pk).update(done=done, total=total, doing=what[:160])


def is_still(row: ScannerConnection) -> bool:
    """Tell whether a connection still asks whom it asked when ``row`` was read, with the same credentials."""
    return _asking_the_same(row).exists()


def _asking_the_same(row: ScannerConnection) -> QuerySet[ScannerConnection]:
    same = {name: getattr(row, name) for name in _ASKED}
    return ScannerConnection.objects.filter(pk=row.pk, removed_ns=None, **same)


def note_state(row: ScannerConnection, state: Mapping[str, str]) -> bool:
    """Write down what the connector remembers, once what came before it has been taken in.

    Returns False, and writes nothing, where the connection was ended or asks somebody else by now: what was
    remembered of one scanner says nothing of another.
    """
    row.state = dict(state)
    return bool(_asking_the_same(row).update(state=row.state))


def note_ended(
    change: Change, row: ScannerConnection, *, brought: int, error: str, failures: Sequence[str]
) -> None:
    """Write down how a pull went; of a connection that was changed meanwhile only that it ended.

    A pull that brought something and then failed is asked again as soon as one that failed once.
    """
    row.ended_ns, row.pid, row.doing, row.brought = change.now_ns, 0, "", brought
    row.error, row.failures = error[:2000], [each[:1000] for each in failures][:50]
    row.tries = (1 if brought else row.tries + 1) if error else 0
    if not error:
        row.well_ns = change.now_ns
    written = ["ended_ns", "pid", "doing"]
    if is_still(row):
        written += ["brought", "error", "failures", "tries", "well_ns"]
    row.save(update_fields=written)
    change.record(
        "scanner.asked", f"scanner:{row.pk}", None,
        {"name": row.name, "reports": brought, "error": row.error, "failures": len(failures)},
        site=row.site_id,
    )  # fmt: skip


def _view(row: ScannerConnection) -> ConnectionView:
    return ConnectionView(
        id=row.pk, site=row.site_id, name=row.name, interface=row.interface, address=row.address,
        own_authorities=bool(row.authorities), fingerprint=row.fingerprint, proxy=row.proxy,
        chosen=list(row.chosen), every_hours=row.every_hours, created_ns=row.created_ns,
        begun_ns=row.begun_ns, ended_ns=row.ended_ns, well_ns=row.well_ns, next_ns=next_ns(row), pid=row.pid,
        doing=row.doing, done=row.done, total=row.total, brought=row.brought, error=row.error,
        failures=list(row.failures),
    )  # fmt: skip
