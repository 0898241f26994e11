"""What a commit leaves to be done, so that whoever comes next takes it up."""

from __future__ import annotations

from django.db import models

from medwarden.store.models.tenancy import TenantScoped


class OwedWork(TenantScoped):
    """One kind of work that is owed to a site, or to a tenant where it names none (:mod:`.store.owed`).

    ``mark`` is new each time it is owed: whoever did the work ends only what he saw before he began.
    """

    id = models.CharField(primary_key=True, max_length=160)
    work = models.CharField(max_length=16)
    mark = models.BigIntegerField()

    def __str__(self) -> str:
        return self.id
