"""Who has just signed in is not asked again; who did so long ago is."""

from __future__ import annotations

from collections.abc import Callable

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
