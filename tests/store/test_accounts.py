from __future__ import annotations

import pytest
from django.contrib.auth import authenticate

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.role import GRANTS, Permission, Role
from medwarden.store.accounts import (
    PermissionRefused,
    create_user,
    require,
    set_active,
    set_password,
    set_role,
    set_sites,
)
from medwarden.store.changes import Change
from medwarden.store.models import AuditEntry, User
from medwarden.store.open import Store, ensure_site

PASSWORD = "correct horse battery staple"


@pytest.fixture
def anna(store: Store) -> User:
    with Change("system", "first user") as change:
        return create_user(change, "anna", PASSWORD, Role.ADMINISTRATOR, email="anna@example.org")


def last() -> AuditEntry:
    return AuditEntry.objects.latest("sequence")


def test_creation_is_audited_without_the_password(anna: User) -> None:
    entry = last()
    assert (entry.actor, entry.action, entry.subject) == ("system", "user.created", "user:anna")
    assert '"role":"administrator"' in entry.after
    assert not AuditEntry.objects.filter(after__contains="horse").exists()
    assert not AuditEntry.objects.filter(after__contains=anna.password).exists()
    assert authenticate(username="anna", password=PASSWORD) == anna
    assert authenticate(username="anna", password="wrong") is None


def test_names_are_unique_whatever_their_case(anna: User) -> None:
    with pytest.raises(ConfigurationError, match="already a user named ANNA"), Change("x", "y") as change:
        create_user(change, "ANNA", PASSWORD, Role.VIEWER)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("permission", list(Permission))
def test_the_role_decides(role: Role, permission: Permission) -> None:
    user = User(username="u", role=role.value)
    if permission in GRANTS[role]:
        require(user, permission)
    else:
        with pytest.raises(PermissionRefused, match="ask an administrator"):
            require(user, permission)
    user.is_active = False
    with pytest.raises(PermissionRefused):
        require(user, permission)


def test_changes_of_rights_are_audited_with_before_and_after(anna: User) -> None:
    ensure_site(None, "north")
    with Change("user:anna", "new colleague") as change:
        ben = create_user(change, "ben", PASSWORD, Role.VIEWER)
    with Change("user:anna", "promoted") as change:
        set_role(change, ben, Role.ANALYST)
    assert (last().before, last().after, last().reason) == (
        '{"role":"viewer"}',
        '{"role":"analyst"}',
        "promoted",
    )
    with Change("user:anna", "north only") as change:
        set_sites(change, ben, ["north"])
    assert last().after == '{"sites":["north"]}'
    with pytest.raises(ConfigurationError, match="no site named mars"), Change("x", "y") as change:
        set_sites(change, ben, ["mars"])
    with Change("user:anna", "left") as change:
        set_active(change, ben, False)
    assert last().after == '{"is_active":false}'
    assert authenticate(username="ben", password=PASSWORD) is None


def test_a_new_password_is_audited_and_a_login_is_not(anna: User) -> None:
    with Change("user:anna", "forgotten") as change:
        set_password(change, anna, PASSWORD + "2")
    assert (last().action, last().after) == ("user.changed", '{"password":"changed"}')
    anna.set_password(PASSWORD + "3")
    anna.save()
    assert (last().actor, last().reason) == ("user:anna", "account pages")
    count = AuditEntry.objects.count()
    anna.save(update_fields=["last_login"])
    anna.save()
    assert AuditEntry.objects.count() == count


def test_the_last_administrator_stays(anna: User) -> None:
    with pytest.raises(ConfigurationError, match="last administrator"), Change("x", "y") as change:
        set_role(change, anna, Role.VIEWER)
    with pytest.raises(ConfigurationError, match="last administrator"), Change("x", "y") as change:
        set_active(change, anna, False)
    anna.refresh_from_db()
    assert (anna.role, anna.is_active) == ("administrator", True)
