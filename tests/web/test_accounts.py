"""The first user is made once, with a password that has to be replaced."""

from __future__ import annotations

import re

from django.test import Client

from medwarden.model.role import Role
from medwarden.store.models import AuditEntry, User
from medwarden.store.open import Store
from medwarden.web.accounts import ensure_first_user, first_password
from medwarden.web.models import FirstPassword


def test_the_first_start_makes_an_administrator_and_the_second_does_not(empty_store: Store) -> None:
    password = ensure_first_user()
    assert password is not None
    user = User.objects.get()
    assert (user.username, user.role) == ("admin", Role.ADMINISTRATOR.value)
    assert FirstPassword.objects.filter(owner=user).exists()
    assert ensure_first_user() is None
    assert User.objects.count() == 1
    client = Client()
    client.post("/account/login/", {"login": "admin", "password": password})
    assert client.get("/")["Location"] == "/account/password/"


def test_the_password_itself_is_nowhere_in_the_audit_chain(empty_store: Store) -> None:
    password = ensure_first_user()
    assert password is not None
    entries = [f"{e.before}{e.after}{e.reason}" for e in AuditEntry.objects.all()]
    assert any("admin" in e for e in entries)
    assert not any(password in e for e in entries)


def test_passwords_are_long_readable_and_never_the_same() -> None:
    made = {first_password() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"[a-hjkmnp-tv-z2-9]{5}(-[a-hjkmnp-tv-z2-9]{5}){3}", p) for p in made)


def test_wrong_passwords_are_limited(store: Store) -> None:
    from django.core.cache import cache

    cache.clear()
    client = Client()
    texts = [
        client.post("/account/login/", {"login": "viewer", "password": f"wrong-{n}"}).content.decode()
        for n in range(7)
    ]
    cache.clear()
    assert "Too many failed login attempts" in texts[-1]
    assert "Too many failed login attempts" not in texts[0]
