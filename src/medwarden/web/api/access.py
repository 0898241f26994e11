"""Who may call an operation: a signed-in browser (with CSRF token for changes) or an API token.

Each operation names the permission it needs, in the same table that guards the pages; a test walks all
operations and fails on one that names none.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security import APIKeyCookie, HttpBearer

from medwarden.model.role import Permission
from medwarden.store.models import User
from medwarden.web import api_tokens


def _checked(user: User, permission: Permission | None) -> User:
    if permission is not None and not user.may(permission):
        raise HttpError(403, f"Your role does not include: {permission.value.replace('_', ' ')}.")
    return user


class TokenMay(HttpBearer):
    """Lets a bearer token in whose owner's role carries ``permission``."""

    openapi_name = "api_token"

    def __init__(self, permission: Permission | None) -> None:
        super().__init__()
        self.permission = permission

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        """Return the token's owner, who becomes the request's user."""
        user = api_tokens.user_of(token)
        if user is None:
            return None
        request.user = user
        return _checked(user, self.permission)


class SessionMay(APIKeyCookie):
    """Lets a signed-in person in whose role carries ``permission``."""

    param_name = settings.SESSION_COOKIE_NAME

    def __init__(self, permission: Permission | None) -> None:
        super().__init__(csrf=True)
        self.permission = permission
        self.openapi_name = "session"

    def authenticate(self, request: HttpRequest, key: str | None) -> User | None:  # noqa: ARG002 (ninja's signature)
        """Return the person behind the session."""
        user = request.user
        if not isinstance(user, User) or not user.is_active:
            return None
        return _checked(user, self.permission)


def needs(permission: Permission | None) -> list[TokenMay | SessionMay]:
    """Return the two ways in for an operation; None asks only that somebody is known."""
    return [TokenMay(permission), SessionMay(permission)]
