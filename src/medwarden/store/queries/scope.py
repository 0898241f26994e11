"""What a reader may see, and pages of rows."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec
from django.db.models import Model, QuerySet

from medwarden.store.models import DEFAULT_TENANT, User

T = TypeVar("T")
M = TypeVar("M", bound=Model)

MOST_ROWS = 1000
"""Longest page that is handed out."""


class Scope(msgspec.Struct, frozen=True):
    """The tenant a reader belongs to and the sites he may see; None stands for all of the tenant's.

    Every query takes one and returns nothing from outside it.
    """

    tenant: str = DEFAULT_TENANT
    sites: tuple[str, ...] | None = None

    @classmethod
    def of(cls, user: User, site: str | None = None) -> Scope:
        """Return what ``user`` may see, narrowed to ``site``; a site that is not his gives nothing."""
        allowed = tuple(user.sites) or None
        if site is None:
            return cls(user.tenant_id, allowed)
        return cls(user.tenant_id, (site,) if allowed is None or site in allowed else ())

    def over(self, rows: QuerySet[M]) -> QuerySet[M]:
        """Return the rows of a table that lie in this scope."""
        rows = rows.filter(tenant_id=self.tenant)
        if self.sites is None:
            return rows
        if len(self.sites) == 1:
            return rows.filter(site_id=self.sites[0])
        return rows.filter(site_id__in=self.sites)

    def holds(self, tenant: str, site: str) -> bool:
        """Tell whether what belongs to a tenant and a site lies in this scope."""
        return tenant == self.tenant and (self.sites is None or site in self.sites)

    def sql(self, alias: str) -> tuple[str, list[str | int]]:
        """Return the same as a condition on table ``alias`` with its parameters."""
        text = f"{alias}.tenant_id = %s"
        parameters: list[str | int] = [self.tenant, *(self.sites or ())]
        if self.sites is not None:
            marks = ", ".join(["%s"] * len(self.sites))
            text += f" AND {alias}.site_id IN ({marks})"
        return text, parameters


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a longer list; ``total`` counts all rows of the list."""

    items: tuple[T, ...]
    total: int
    offset: int
    limit: int


def bounds(offset: int, limit: int) -> tuple[int, int]:
    """Return offset and limit within what is handed out."""
    return max(0, offset), min(max(1, limit), MOST_ROWS)
