"""Work that a commit leaves to be done: written down in its transaction, taken up by whoever comes next.

Some work follows from what is stored and is too long for the transaction that stores it: comparing books
with devices, filling attributes of all devices, writing files. A process that is killed between the two
leaves a row here. All of it may be done twice with the effect of once.
"""

from __future__ import annotations

import secrets
from enum import StrEnum

from django.db import connection
from django.db.models import Q

from medwarden.store.changes import Change
from medwarden.store.models import OwedWork

_BITS = 62
_OWE = (
    "INSERT INTO store_owedwork (id, tenant_id, site_id, work, mark) VALUES (%s, %s, %s, %s, %s)"
    " ON CONFLICT (id) DO UPDATE SET mark = excluded.mark"
)
_OWE_FOR_BOOKS = (
    "INSERT INTO store_owedwork (id, tenant_id, site_id, work, mark) SELECT %s, %s, %s, %s, %s"
    " WHERE EXISTS (SELECT 1 FROM store_book WHERE site_id = %s)"
    " ON CONFLICT (id) DO UPDATE SET mark = excluded.mark"
)


class Work(StrEnum):
    """What can be owed.

    ``BOOKS``: compare the books of a site with its devices, and tell what comes of it. ``ATTRIBUTES``: fill
    the attributes of all devices of a site. ``LEARNT``: bring the files of what a tenant's people taught in
    line with the version in force.
    """

    BOOKS = "books"
    ATTRIBUTES = "attributes"
    LEARNT = "learnt"


class Owed:
    """One piece of work as it was owed when it was asked for; :meth:`done` ends just that."""

    def __init__(self, key: str, mark: int) -> None:
        self._key, self._mark = key, mark

    def done(self) -> bool:
        """Note that it was done; tell whether it is owed no more (it may have been owed anew meanwhile)."""
        return OwedWork.objects.filter(pk=self._key, mark=self._mark).delete()[0] > 0


def owe(change: Change, work: Work, site: str | None = None) -> None:
    """Write down that work is owed to a site, or to the change's tenant. Within the change."""
    with connection.cursor() as cursor:
        cursor.execute(_OWE, _row(change, work, site))


def owe_comparison(change: Change, site: str) -> None:
    """Write down that the books of a site are to be compared with its devices, where it has any book."""
    with connection.cursor() as cursor:
        cursor.execute(_OWE_FOR_BOOKS, [*_row(change, Work.BOOKS, site), site])


def owed(tenant: str, site: str | None = None) -> dict[Work, Owed]:
    """Return what is owed to a tenant, and to a site of its where it is named."""
    rows = OwedWork.objects.filter(Q(site_id=site) | Q(site_id=None), tenant_id=tenant)
    return {Work(work): Owed(key, mark) for key, work, mark in rows.values_list("pk", "work", "mark")}


def _row(change: Change, work: Work, site: str | None) -> list[str | int | None]:
    key = f"{work.value}/{change.tenant}/{site or ''}"
    return [key, change.tenant, site, work.value, secrets.randbits(_BITS)]
