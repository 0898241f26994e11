"""Administrators without a second factor, and people with a first password, get no further."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.test import Client

from medwarden.model.role import Role
from medwarden.store.models import User
from medwarden.web.accounts import mark_first_password
from medwarden.web.models import FirstPassword

SignedIn = Callable[..., Client]
Person = Callable[..., User]

PASSWORD = "correct-horse-battery"
NEW = "seven-quiet-otters-swim"


def sign_in(user: str, password: str = PASSWORD) -> Client:
    client = Client()
    answer = client.post("/account/login/", {"login": user, "password": password})
    assert answer.status_code == 302, answer.content.decode()
    return client


def test_an_administrator_without_a_factor_is_led_to_set_one_up(person: Person) -> None:
    person(Role.ADMINISTRATOR, "boss", factor=False)
    client = sign_in("boss")
    for path in ("/", "/devices/", "/settings/people/", "/devices/export.csv", "/account/tokens/"):
        answer = client.get(path)
        assert (answer.status_code, answer["Location"]) == (302, "/account/second-factor/"), path
    assert client.get("/api/v1/devices").status_code == 403
    assert "Authenticator app" in client.get("/account/second-factor/").content.decode()


def test_the_authenticator_app_opens_the_door(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.time.time", lambda: 30_010)  # a code's half minute
    person(Role.ADMINISTRATOR, "boss", factor=False)
    client = sign_in("boss")
    page = client.get("/account/factors/totp/activate/")
    assert page.status_code == 200
    secret = page.context["form"].secret
    code = format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))
    assert client.post("/account/factors/totp/activate/", {"code": code}).status_code == 302
    assert client.get("/devices/").status_code == 200
    assert Authenticator.objects.filter(user__username="boss", type=Authenticator.Type.TOTP).exists()


def test_removing_the_last_factor_closes_it_again_at_once(signed_in: SignedIn) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    assert client.get("/").status_code == 200
    Authenticator.objects.filter(user__username="administrator").delete()
    assert client.get("/")["Location"] == "/account/second-factor/"


def test_recovery_codes_alone_are_no_second_factor(person: Person) -> None:
    user = person(Role.ADMINISTRATOR, "boss", factor=False)
    Authenticator.objects.create(user=user, type=Authenticator.Type.RECOVERY_CODES, data={})
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert client.get("/")["Location"] == "/account/second-factor/"


def test_a_first_password_has_to_be_replaced(person: Person) -> None:
    mark_first_password(person(Role.VIEWER, "newcomer"))
    client = sign_in("newcomer")
    assert client.get("/devices/")["Location"] == "/account/password/"
    assert client.get("/api/v1/devices").status_code == 403
    change = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert client.post("/account/password/", change).status_code == 302
    assert not FirstPassword.objects.filter(owner__username="newcomer").exists()
    assert sign_in("newcomer", NEW).get("/devices/").status_code == 200


def test_a_short_or_common_password_is_refused(person: Person) -> None:
    mark_first_password(person(Role.VIEWER, "newcomer"))
    client = sign_in("newcomer")
    for weak in ("short", "password12345"):
        change = {"oldpassword": PASSWORD, "password1": weak, "password2": weak}
        assert client.post("/account/password/", change).status_code == 200
    assert FirstPassword.objects.filter(owner__username="newcomer").exists()


def test_a_viewer_needs_no_second_factor(signed_in: SignedIn) -> None:
    assert signed_in(Role.VIEWER).get("/devices/").status_code == 200


def test_somebody_made_administrator_is_stopped_in_the_middle(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    assert client.get("/").status_code == 200
    User.objects.filter(username=Role.VIEWER.value).update(role=Role.ADMINISTRATOR.value)
    assert client.get("/")["Location"] == "/account/second-factor/"
