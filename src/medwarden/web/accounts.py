"""The first user, and what follows when a person replaces the password medwarden made for him."""

from __future__ import annotations

import secrets

from allauth.account.signals import password_changed, password_set
from django.dispatch import receiver

from medwarden.kernel.clock import wall_clock
from medwarden.model.role import Role
from medwarden.store.accounts import create_user
from medwarden.store.changes import Change
from medwarden.store.models import DEFAULT_TENANT, User
from medwarden.web.models import FirstPassword

_LETTERS = "abcdefghjkmnpqrstvwxyz23456789"  # no i, l, o, u, 0, 1 to misread
FIRST_NAME = "admin"


def first_password() -> str:
    """Return a password of four groups of five characters (98 bits) that is easy to read out and type."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))


def ensure_first_user(username: str = FIRST_NAME, tenant: str = DEFAULT_TENANT) -> str | None:
    """Make an administrator if nobody can sign in yet; return his one-time password, else None.

    The password has to be replaced at the first log-in, after which a passkey or an authenticator
    app has to be set up. Safe to call at every start: an existing person is never touched.
    """
    with Change("system", "first start: nobody could sign in yet", tenant=tenant) as change:
        if User.objects.exists():
            return None
        password = first_password()
        mark_first_password(create_user(change, username, password, Role.ADMINISTRATOR))
    return password


def mark_first_password(user: User) -> None:
    """Demand that this person replaces his password at the next log-in."""
    FirstPassword.objects.update_or_create(
        owner=user, defaults={"tenant_id": user.tenant_id, "created_ns": wall_clock()}
    )


@receiver([password_changed, password_set], dispatch_uid="medwarden.web.first_password_replaced")
def first_password_replaced(user: User, **_: object) -> None:
    """Forget that a password was the first one, once its owner has chosen another."""
    FirstPassword.objects.filter(owner=user).delete()
