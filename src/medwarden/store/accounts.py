"""People, roles and what each may do: made and changed through the audit chain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.role import Permission, Role
from medwarden.store.changes import Change, active_change
from medwarden.store.models import Site, User

_USERNAME = re.compile(r"[\w.@+-]{1,150}")


class PermissionRefused(ConfigurationError):
    """The person's role does not carry what he asked for; pages answer 403."""


def require(user: User, permission: Permission) -> None:
    """Raise PermissionRefused, with the role and what it lacks, unless ``user`` may do this."""
    if not user.may(permission):
        raise PermissionRefused(
            f"{user.username} is {user.role.replace('_', ' ')} and may not "
            f"{permission.value.replace('_', ' ')}: ask an administrator"
        )


def create_user(
    change: Change,
    username: str,
    password: str | None,
    role: Role,
    *,
    email: str = "",
    name: str = "",
    sites: Iterable[str] = (),
) -> User:
    """Create a person in the change's tenant; without password only a passkey lets him in.

    Raises ConfigurationError where the name is taken or cannot be one, or a site is not the tenant's.
    """
    if not _USERNAME.fullmatch(username):
        raise ConfigurationError(
            f"{username[:60]!r} cannot be a user name: use up to 150 letters, digits and @ . + - _"
        )
    if User.objects.filter(username__iexact=username).exists():
        raise ConfigurationError(f"there is already a user named {username}: choose another name")
    user = User(
        username=username,
        email=email,
        name=name,
        role=role.value,
        tenant_id=change.tenant,
        sites=_sites(change.tenant, sites),
    )
    user.set_password(password)
    user.save()
    return user


def set_role(change: Change, user: User, role: Role) -> None:
    """Give ``user`` another role. Raises ConfigurationError for the last administrator."""
    if role is not Role.ADMINISTRATOR:
        _keep_an_administrator(change, user)
    user.role = role.value
    user.save()


def set_active(change: Change, user: User, active: bool) -> None:
    """Let ``user`` sign in or not. Raises ConfigurationError for the last administrator."""
    if not active:
        _keep_an_administrator(change, user)
    user.is_active = active
    user.save()


def set_sites(change: Change, user: User, sites: Iterable[str]) -> None:
    """Limit what ``user`` sees to ``sites``; none means every site of the tenant."""
    user.sites = _sites(change.tenant, sites)
    user.save()


def set_password(change: Change, user: User, password: str) -> None:
    """Give ``user`` a new password; the change's audit entry says that, not what it is."""
    if change is not active_change():
        raise ConfigurationError("a password is set inside a change that is under way")
    user.set_password(password)
    user.save()


def _sites(tenant: str, sites: Iterable[str]) -> list[str]:
    wanted = sorted(set(sites))
    known = set(Site.objects.filter(tenant_id=tenant, id__in=wanted).values_list("id", flat=True))
    for site in wanted:
        if site not in known:
            raise ConfigurationError(f"there is no site named {site}: create it first or name another")
    return wanted


def _keep_an_administrator(change: Change, user: User) -> None:
    others = User.objects.filter(tenant_id=change.tenant, role=Role.ADMINISTRATOR.value, is_active=True)
    if user.role == Role.ADMINISTRATOR.value and not others.exclude(pk=user.pk).exists():
        raise ConfigurationError(f"{user.username} is the last administrator: make somebody else one before")


def save_audited(user: User, save: Callable[[], None], update_fields: Iterable[str] | None = None) -> None:
    """Run ``save`` and write to the audit chain what it changed of the person's rights or password."""
    watched = {*User.AUDITED, "password"}
    if update_fields is not None and not watched & {*update_fields, *(f"{f}_id" for f in update_fields)}:
        save()
        return
    stored = User.objects.filter(pk=user.pk).first() if user.pk else None
    before = {f: getattr(stored, f) for f in User.AUDITED} if stored else {}
    after = {f: getattr(user, f) for f in User.AUDITED}
    changed = [f for f in User.AUDITED if stored is None or before[f] != after[f]]
    new_password = stored is not None and stored.password != user.password
    if not changed and not new_password:
        save()
        return
    # Inside a change it is that change's; alone it is the person's own doing on the account pages.
    current = active_change()
    if current is not None:
        save()
        _record(current, user, before, after, changed, new_password)
        return
    with Change(f"user:{user.username}", "account pages", tenant=user.tenant_id) as change:
        save()
        _record(change, user, before, after, changed, new_password)


def _record(
    change: Change,
    user: User,
    before: dict[str, object],
    after: dict[str, object],
    changed: list[str],
    new_password: bool,
) -> None:
    old = {f: before[f] for f in changed if f in before}
    new: dict[str, object] = {f: after[f] for f in changed}
    if new_password:
        new |= {"password": "changed"}
    change.record("user.created" if not before else "user.changed", f"user:{user.username}", old or None, new)
