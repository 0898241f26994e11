"""Keys to the HTTP API: made once, shown once, kept as a digest, withdrawn at any time."""

from __future__ import annotations

import hashlib
import secrets

from django.http import Http404

from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.store.changes import Change
from medwarden.store.models import User
from medwarden.web.models import ApiToken

DAY = 24 * 3600 * NANOSECONDS
LIFETIMES_DAYS = (7, 30, 90, 365)
PREFIX = "mw_"
_USED_GRAIN = 60 * NANOSECONDS  # a busy script does not turn every call into a write


def digest_of(secret: str) -> str:
    """Return what is kept of a token. A token has 256 random bits, so a plain hash suffices."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create(user: User, name: str, days: int) -> str:
    """Make a token for ``user`` and return it; it cannot be shown again.

    Raises ConfigurationError without a name or with a lifetime that is not offered.
    """
    name = name.strip()[:120]
    if not name:
        raise ConfigurationError("Give the token a name, so that you know later what uses it.")
    if days not in LIFETIMES_DAYS:
        raise ConfigurationError("Choose a lifetime.")
    secret = PREFIX + secrets.token_urlsafe(32)
    now = wall_clock()
    with Change(f"user:{user.username}", "account page", tenant=user.tenant_id) as change:
        token = ApiToken.objects.create(
            tenant_id=user.tenant_id,
            owner=user,
            name=name,
            start=secret[:8],
            digest=digest_of(secret),
            created_ns=now,
            expires_ns=now + days * DAY,
        )
        change.record("api_token.created", f"api_token:{token.pk}", None, {"name": name, "days": days})
    return secret


def withdraw(user: User, token_id: int) -> None:
    """Withdraw a token of ``user``; somebody else's raises Http404."""
    with Change(f"user:{user.username}", "account page", tenant=user.tenant_id) as change:
        token = ApiToken.objects.filter(owner=user, pk=token_id).first()
        if token is None:
            raise Http404("There is no such token.")
        change.record("api_token.withdrawn", f"api_token:{token.pk}", {"name": token.name}, None)
        token.delete()


def user_of(secret: str) -> User | None:
    """Return the active person a token acts for, or None for an unknown or expired one."""
    token = ApiToken.objects.select_related("owner").filter(digest=digest_of(secret)).first()
    now = wall_clock()
    if token is None or token.expires_ns <= now or not token.owner.is_active:
        return None
    if token.used_ns is None or now - token.used_ns > _USED_GRAIN:
        ApiToken.objects.filter(pk=token.pk).update(used_ns=now)
    return token.owner
