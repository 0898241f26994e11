"""People who may use the console, as the command line manages them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.role import Role
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.models import User

_LOCK = "people"


def add_person(home: Path, name: str, role: str, sites: Sequence[str], actor: str) -> str:
    """Create a person and return the first password, to be replaced at the first log-in."""
    with open_store(home, writer=True, role=_LOCK):
        from medwarden.store.accounts import create_user
        from medwarden.store.changes import Change
        from medwarden.web.accounts import first_password, mark_first_password

        password = first_password()
        with Change(actor, "added on the command line") as change:
            mark_first_password(create_user(change, name, password, Role(role), sites=sites))
    return password


def people(home: Path) -> list[dict[str, object]]:
    """Return name, role, sites, state and second factor of everybody."""
    with open_store(home, writer=False):
        from allauth.mfa.models import Authenticator

        from medwarden.store.models import User

        protected = set(Authenticator.objects.values_list("user_id", flat=True))
        return [
            {
                "name": user.username,
                "role": user.role,
                "sites": list(user.sites) or "all",
                "active": user.is_active,
                "second_factor": user.pk in protected,
                "last_login": user.last_login.isoformat() if user.last_login else None,
            }
            for user in User.objects.order_by("username")
        ]


def change_role(home: Path, name: str, role: str, actor: str) -> None:
    """Give a person another role. Raises ConfigurationError for the last administrator."""
    with open_store(home, writer=True, role=_LOCK):
        from medwarden.store.accounts import set_role
        from medwarden.store.changes import Change

        with Change(actor, "role changed on the command line") as change:
            set_role(change, _person(name), Role(role))


def reset_person(home: Path, name: str, actor: str) -> str:
    """Return a new first password for a person; the second factor has to be set up again.

    API tokens are withdrawn: whoever had the old password may have made one.
    """
    with open_store(home, writer=True, role=_LOCK):
        from allauth.mfa.models import Authenticator

        from medwarden.store.accounts import set_password
        from medwarden.store.changes import Change
        from medwarden.web.accounts import first_password, mark_first_password
        from medwarden.web.models import ApiToken

        password = first_password()
        with Change(actor, "password reset on the command line") as change:
            user = _person(name)
            set_password(change, user, password)
            removed, _ = Authenticator.objects.filter(user_id=user.pk).delete()
            change.record("user.second_factor_removed", f"user:{user.username}", removed, 0)
            withdrawn, _ = ApiToken.objects.filter(owner=user).delete()
            change.record("user.tokens_withdrawn", f"user:{user.username}", withdrawn, 0)
            mark_first_password(user)
    return password


def disable_person(home: Path, name: str, actor: str) -> None:
    """Shut a person out. Raises ConfigurationError for the last administrator."""
    with open_store(home, writer=True, role=_LOCK):
        from medwarden.store.accounts import set_active
        from medwarden.store.changes import Change

        with Change(actor, "disabled on the command line") as change:
            set_active(change, _person(name), False)


def _person(name: str) -> User:
    from medwarden.store.models import User

    found = User.objects.filter(username__iexact=name).first()
    if found is None:
        raise ConfigurationError(f"there is nobody called {name[:60]!r}: see `medwarden user list`")
    return found
