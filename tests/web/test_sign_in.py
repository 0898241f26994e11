"""Who has just signed in is not asked again; who did so long ago is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from medwarden.model.role import Role
from medwarden.store.models import User

PASSWORD = "correct-horse-battery"


def test_changing_how_one_signs_in_asks_again_after_five_minutes(person: Callable[..., User]) -> None:
    person(Role.VIEWER, "anna")
    client = Client()
    client.post("/account/login/", {"login": "anna", "password": PASSWORD})
    assert client.get("/account/factors/totp/activate/").status_code == 200
    session = client.session
    records = session["account_authentication_methods"]
    records[-1]["at"] -= 301
    session["account_authentication_methods"] = records
    session.save()
    answer = client.get("/account/factors/totp/activate/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/account/reauthenticate/")


def test_nobody_signs_up_by_himself(store: object) -> None:
    assert Client().get("/account/signup/").status_code in (302, 404)


def test_a_code_holds_for_one_step_more_than_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 6238, 5.2: who typed it at the end of its half minute, or whose clock is a little off, comes in."""
    from allauth.mfa.totp.internal import auth

    secret = "JBSWY3DPEHPK3PXP"
    code = auth.format_hotp_value(auth.hotp_value(secret, 1_000))
    for step, accepted in ((998, False), (999, True), (1_000, True), (1_001, True), (1_002, False)):
        monkeypatch.setattr("allauth.mfa.totp.internal.auth.time.time", lambda step=step: step * 30 + 29)
        assert auth.validate_totp_code(secret, code) is accepted, step
