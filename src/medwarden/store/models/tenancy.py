"""Tenant > site: every row of medwarden belongs to one of each."""

from __future__ import annotations

from django.db import models

DEFAULT_TENANT = "default"
DEFAULT_SITE = "main"


class Tenant(models.Model):
    """One customer; nothing is ever shared between two of them."""

    id = models.SlugField(primary_key=True, max_length=64)
    name = models.CharField(max_length=200)
    created_ns = models.BigIntegerField()

    def __str__(self) -> str:
        return self.name


class Site(models.Model):
    """One address space of a tenant (a hospital, a clinic): addresses are unique within it.

    Its id is unique in the whole folder, because device ids follow from it.
    """

    id = models.SlugField(primary_key=True, max_length=64)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="sites")
    name = models.CharField(max_length=200)
    created_ns = models.BigIntegerField()

    def __str__(self) -> str:
        return self.name


class Scoped(models.Model):
    """A row that belongs to a tenant and a site; its indexes are those its readers need."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+", db_index=False)

    class Meta:
        abstract = True


class TenantScoped(models.Model):
    """A row that belongs to a tenant, and to a site where it concerns only that one."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+", db_index=False, null=True)

    class Meta:
        abstract = True
