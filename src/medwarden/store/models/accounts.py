"""People: who they are, their role, and the tenant and sites they may see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import models
from django.db.models.base import ModelBase
from django.utils import timezone

from medwarden.model.role import Permission, Role, may
from medwarden.store.models.tenancy import DEFAULT_TENANT, Tenant, TenantScoped


class UserManager(BaseUserManager["User"]):
    """Makes users; :func:`medwarden.store.accounts.create_user` is the audited way in."""

    def create_user(
        self,
        username: str,
        email: str = "",
        password: str | None = None,
        *,
        role: str = Role.VIEWER.value,
        tenant_id: str = DEFAULT_TENANT,
    ) -> User:
        """Create a person, by default a viewer of the default tenant."""
        user = User(
            username=self.model.normalize_username(username), email=email, role=role, tenant_id=tenant_id
        )
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person who signs in. ``sites`` lists the site ids he may see; empty means every site.

    Passwords, passkeys and one-time codes are django-allauth's. Creation and every change of what a
    person may do are written to the audit chain by :meth:`save` itself.
    """

    AUDITED: ClassVar[tuple[str, ...]] = ("username", "email", "role", "tenant_id", "sites", "is_active")

    username = models.CharField(max_length=150, unique=True, validators=[UnicodeUsernameValidator()])
    email = models.EmailField(blank=True)
    name = models.CharField(max_length=200, blank=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="users")
    role = models.CharField(
        max_length=32, choices=[(r.value, r.value) for r in Role], default=Role.VIEWER.value
    )
    sites = models.JSONField(default=list, blank=True)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=timezone.now)

    objects = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    def __str__(self) -> str:
        return self.username

    def may(self, permission: Permission) -> bool:
        """Tell whether this person's role carries ``permission``; inactive people may nothing."""
        return self.is_active and may(Role(self.role), permission)

    def save(
        self,
        *,
        force_insert: bool | tuple[ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Store the person, writing what changed of his rights and password to the audit chain."""
        from medwarden.store.accounts import save_audited

        def save() -> None:
            super(User, self).save(
                force_insert=force_insert,
                force_update=force_update,
                using=using,
                update_fields=update_fields,
            )

        save_audited(self, save, update_fields)


class SavedView(TenantScoped):
    """A named state of a page (its query string), kept for one person or for all of the tenant."""

    owner = models.ForeignKey("store.User", on_delete=models.CASCADE, related_name="saved_views")
    page = models.CharField(max_length=64)
    name = models.CharField(max_length=120)
    query = models.TextField()
    shared = models.BooleanField(default=False)
    created_ns = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "page", "name"], name="saved_view_name")]

    def __str__(self) -> str:
        return f"{self.page}: {self.name}"


class Setting(TenantScoped):
    """One setting of a tenant, or of one site where ``site`` is set. Changed through the audit chain."""

    key = models.CharField(max_length=120)
    value = models.JSONField(null=True)
    updated_ns = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "site", "key"], name="setting_key"),
            models.UniqueConstraint(
                fields=["tenant", "key"], condition=models.Q(site__isnull=True), name="setting_key_tenant"
            ),
        ]

    def __str__(self) -> str:
        return self.key
