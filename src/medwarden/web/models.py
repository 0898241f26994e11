"""What the console keeps for itself: tokens of the API, first passwords, when somebody last looked."""

from __future__ import annotations

from django.db import models

from medwarden.store.models.tenancy import TenantScoped


class ApiToken(TenantScoped):
    """A key to the HTTP API that acts with its owner's role. Only its digest is kept."""

    owner = models.ForeignKey("store.User", on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=120)
    start = models.CharField(max_length=12)  # first characters, so that its owner knows it again
    digest = models.CharField(max_length=64, unique=True)
    created_ns = models.BigIntegerField()
    expires_ns = models.BigIntegerField()
    used_ns = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return self.name


class FirstPassword(TenantScoped):
    """Marks a person whose password was made by medwarden and has to be replaced at the next log-in."""

    owner = models.OneToOneField("store.User", on_delete=models.CASCADE, primary_key=True, related_name="+")
    created_ns = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.owner_id)


class LastLook(TenantScoped):
    """When a person last looked at the overview: the present look and the one before it."""

    owner = models.OneToOneField("store.User", on_delete=models.CASCADE, primary_key=True, related_name="+")
    before_ns = models.BigIntegerField()
    now_ns = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.owner_id)
