"""Every page and every API operation is guarded, and the guard keeps out whom the roles' table keeps out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from medwarden.model.role import GRANTS, Permission, Role
from medwarden.store.models import Device, Finding, Site, User
from medwarden.store.open import Store
from medwarden.web.api.access import SessionMay, TokenMay
from medwarden.web.api.v1 import api
from medwarden.web.guard import SIGNED_IN

SignedIn = Callable[..., Client]
Person = Callable[..., User]

# django-allauth guards its own pages: signing in must be open, the rest demands a signed-in person.
OPEN = {"account_login", "account_logout", "account_inactive", "account_reauthenticate"}
OF_ALLAUTH = OPEN | {"account_change_password"}
POSTED = {
    "account_logout",
    "appearance",
    "capture_raw",
    "capture_remove",
    "capture_stop",
    "device_retire",
    "finding_step",
    "findings_step",
    "person_change",
    "person_create",
    "policy_learn",
    "place_plan_import",
    "policy_step",
    "probe_subnet_off",
    "probe_subnet_on",
    "protect_add",
    "protect_end",
    "risk_aliases_change",
    "risk_irrelevant",
    "risk_mds2_attach",
    "risk_mds2_keep",
    "risk_mds2_preview",
    "risk_mds2_standing",
    "risk_scan_import",
    "risk_scan_remove",
    "site_rename",
    "site_vlans",
    "token_create",
    "token_delete",
    "view_delete",
    "view_save",
}


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from patterns(entry, route)
        else:
            yield route, entry


def pages() -> list[tuple[str, URLPattern]]:
    return [(r, p) for r, p in patterns(get_resolver()) if not r.startswith("api/v1/") or p.name == "openapi"]


def ours() -> list[tuple[str, URLPattern]]:
    return [(r, p) for r, p in pages() if p.name not in OF_ALLAUTH and not str(p.name).startswith("mfa_")]


def operations() -> list[tuple[str, str, tuple[object, ...]]]:
    return [
        (method, prefix + path, tuple(operation.auth_callbacks))
        for prefix, router in api._routers
        for path, view in router.path_operations.items()
        for operation in view.operations
        for method in operation.methods
    ]


def permission_of(pattern: URLPattern) -> Permission | None:
    needs = getattr(pattern.callback, "needs")  # noqa: B009 (an unguarded page has none: the test then fails)
    return needs if isinstance(needs, Permission) else None


def address(route: str) -> str:
    device = Device.objects.order_by("pk")[0].pk
    finding = Finding.objects.order_by("pk")[0].pk
    values = {
        "<str:device_id>": device,
        "<str:finding_id>": finding,
        "<str:policy_id>": "none",
        "<slug:kind>": "csv",
        "<slug:site_id>": Site.objects.all()[0].pk,
        "<slug:page>": "devices",
        "<str:entry_id>": "none",
        "<str:grant_id>": "none",
        "<str:capture_id>": "none",
        "<slug:what>": "protected",
        "<slug:feed>": "kev",
        "<slug:form>": "csaf",
        "{capture_id}": "none",
        "<str:answer_id>": "none",
        "{answer_id}": "none",
        "<str:target>": device,
        "<str:name>": "none",
        "<str:proposal>": "none",
        "<int:number>": "0",
        "{name}": "none",
        "<slug:site>": Site.objects.all()[0].pk,
        "<int:user_id>": "0",
        "<int:view_id>": "0",
        "<int:token_id>": "0",
        "{device_id}": device,
        "{finding_id}": finding,
        "{policy_id}": "none",
        "{kind}": "text",
        "{number}": "0",
        "{proposal}": "none",
    }
    for name, value in values.items():
        route = route.replace(name, value)
    route = re.sub(r"<(?:str|slug):\w+>|\{\w+\}", "none", route)
    assert "<" not in route and "{" not in route, route
    return f"/{route}"


def test_there_are_pages_and_operations_to_walk() -> None:
    assert len(ours()) > 30
    assert len(operations()) > 20


@pytest.mark.parametrize(("route", "pattern"), ours(), ids=lambda v: v if isinstance(v, str) else "")
def test_every_page_says_what_it_needs(route: str, pattern: URLPattern) -> None:
    needs = getattr(pattern.callback, "needs", None)
    assert needs == SIGNED_IN or isinstance(needs, Permission), f"/{route} is not guarded"


@pytest.mark.parametrize("operation", operations(), ids=lambda o: f"{o[0]} {o[1]}")
def test_every_operation_says_what_it_needs(operation: tuple[str, str, tuple[object, ...]]) -> None:
    ways = operation[2]
    assert {type(way) for way in ways} == {TokenMay, SessionMay}
    assert len({getattr(way, "permission") for way in ways}) == 1  # noqa: B009


def ask(client: Client, name: str | None, path: str) -> int:
    answer = client.post(path) if name in POSTED else client.get(path)
    answer.close()
    return answer.status_code


def test_strangers_are_led_to_the_login_everywhere(store: Store) -> None:
    client = Client()
    for route, pattern in pages():
        if pattern.name in OPEN or pattern.name in ("mfa_authenticate", "mfa_login_webauthn"):
            continue
        path = address(route.replace("<int:pk>", "1"))
        answer = client.post(path) if pattern.name in POSTED else client.get(path)
        assert answer.status_code in (302, 403), f"{path}: {answer.status_code}"
        if answer.status_code == 302:
            assert "/account/login/" in answer["Location"], path


@pytest.mark.parametrize("role", list(Role))
def test_pages_keep_out_exactly_whom_the_table_keeps_out(role: Role, signed_in: SignedIn) -> None:
    client = signed_in(role)
    client.raise_request_exception = True
    for route, pattern in ours():
        if pattern.name == "live":
            continue  # an endless stream: its guard is the same decorator, asked in test_live
        permission = permission_of(pattern)
        status = ask(client, pattern.name, address(route))
        allowed = permission is None or permission in GRANTS[role]
        assert (status != 403) is allowed, f"{role} {route}: {status}"


@pytest.mark.parametrize("role", list(Role))
def test_operations_keep_out_exactly_whom_the_table_keeps_out(role: Role, signed_in: SignedIn) -> None:
    client = signed_in(role)
    for method, path, ways in operations():
        permission = getattr(ways[0], "permission")  # noqa: B009
        target = address("api/v1" + path)
        answer = client.generic(
            method, target, "" if method == "GET" else "{}", content_type="application/json"
        )
        allowed = permission is None or permission in GRANTS[role]
        assert (answer.status_code != 403) is allowed, f"{role} {method} {path}: {answer.status_code}"


def test_operations_refuse_strangers(store: Store) -> None:
    client = Client()
    for method, path, _ in operations():
        target = address("api/v1" + path)
        answer = client.generic(
            method, target, "" if method == "GET" else "{}", content_type="application/json"
        )
        assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"


def test_a_partial_request_of_a_stranger_moves_the_whole_page(store: Store) -> None:
    answer = Client().get("/devices/", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer["HX-Redirect"] == "/account/login/"


def test_somebody_switched_off_is_a_stranger(signed_in: SignedIn, person: Person) -> None:
    client = signed_in(Role.VIEWER)
    from medwarden.store.models import User

    User.objects.filter(username=Role.VIEWER.value).update(is_active=False)
    assert client.get("/devices/").status_code == 302
    assert client.get("/api/v1/devices").status_code == 401
