"""What is counted ahead is what the pages ask for: after it, no page counts anything dear anew."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import pytest
from django.test import Client

from medwarden.model.role import Role
from medwarden.store import queries
from medwarden.web import recent
from medwarden.web.warming import dear, warm

PAGES = (
    "/devices/",
    "/devices/kinds/",
    "/devices/sureness/",
    "/findings/",
    "/places/",
    "/map/",
    "/operations/names/",
    "/operations/batteries/",
    "/sensors/sight/",
)


def test_pages_find_their_counts_made(
    signed_in: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(Role.VIEWER)
    recent.forget()
    warm()
    asked: list[object] = []
    counted = recent._computed

    def watched(key: Hashable, compute: Callable[[], object]) -> object:
        asked.append(key)
        return counted(key, compute)

    monkeypatch.setattr(recent, "_computed", watched)
    for page in PAGES:
        assert client.get(page).status_code == 200
    assert asked == []
    assert len(dear(queries.Scope())) >= len(PAGES)
