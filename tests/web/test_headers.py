"""What every answer carries, and that no page needs more than its policy allows."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from django.test import Client

from medwarden.model.role import Role
from medwarden.store.models import Device, Finding
from medwarden.store.open import Store

SignedIn = Callable[..., Client]

PATHS = (
    "/",
    "/devices/",
    "/map/",
    "/map/?by=subnet",
    "/findings/",
    "/policies/",
    "/sensors/",
    "/settings/people/",
    "/settings/audit/",
    "/settings/sites/",
    "/settings/about/",
    "/account/",
    "/api/",
    "/nothing/",
    "/palette/?q=ct",
)


class Inline(HTMLParser):
    """Collects everything a strict policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        data = values.get("type") == "application/json"
        if tag == "script" and not data and ("src" not in values or "nonce" not in values):
            self.found.append("script without src or nonce")
        if tag == "style" or "style" in values:
            self.found.append(f"style in <{tag}>")
        self.found += [f"{name} in <{tag}>" for name in values if name.startswith("on")]
        for name in ("src", "href", "action"):
            target = values.get(name) or ""
            if target.startswith(("http:", "https:", "//", "javascript:")):
                self.found.append(f"{name}={target}")


def pages() -> list[str]:
    device, finding = Device.objects.order_by("pk")[0].pk, Finding.objects.order_by("pk")[0].pk
    tabs = ("identity", "risk", "findings", "traffic", "flows", "policy", "history")
    return [*PATHS, *(f"/devices/{device}/?tab={tab}" for tab in tabs), f"/findings/{finding}/"]


def test_no_page_holds_inline_script_style_or_foreign_address(signed_in: SignedIn) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    for path in pages():
        parser = Inline()
        parser.feed(client.get(path).content.decode())
        assert parser.found == [], path


def test_every_answer_carries_the_headers(signed_in: SignedIn) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    for path in [*pages(), "/api/v1/me", "/account/login/"]:
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Frame-Options"] == "DENY"
        assert "camera=()" in headers["Permissions-Policy"]
        assert "no-store" in headers["Cache-Control"] or "no-cache" in headers["Cache-Control"]


def test_the_session_cookie_is_for_this_host_and_tls_alone(store: Store) -> None:
    from django.test import Client

    client = Client()
    client.post("/account/login/", {"login": "viewer", "password": "correct-horse-battery"})
    cookie = client.cookies["__Host-medwarden"]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["path"]) == (
        True,
        True,
        "Lax",
        "/",
    )


@pytest.mark.parametrize("path", ["//evil.example/", "https://evil.example/", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere_after_a_form(path: str, signed_in: SignedIn) -> None:
    answer = signed_in(Role.VIEWER).post("/account/appearance/", {"theme": "dark", "next": path})
    assert answer["Location"] == "/"


def test_a_form_without_its_token_is_refused_in_words(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER, checks=True)
    answer = client.post("/account/appearance/", {"theme": "dark"})
    assert answer.status_code == 403
    assert "The form is out of date" in answer.content.decode()
