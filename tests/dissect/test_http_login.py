from __future__ import annotations

from medwarden.dissect.http_login import is_password_field, login_in_query


def test_names_of_password_fields() -> None:
    assert all(
        map(is_password_field, ["password", "PASSWD", "user[pwd]", "login.password", "newPassword2", "pin"])
    )
    assert not any(map(is_password_field, ["user", "bypass", "compass", "ping", "spin", ""]))


def test_query() -> None:
    assert login_in_query("/a?x=1&Password=s")
    assert not login_in_query("/password?x=1")
    assert not login_in_query("/a?password=")
