"""The stream: guarded, says that something changed, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from django.test import Client

from medwarden.model.role import Role
from medwarden.store.models import AuditEntry, Device
from medwarden.store.open import Store
from medwarden.web.views import live


def test_strangers_get_no_stream(store: Store) -> None:
    assert Client().get("/live/").status_code == 302


def test_the_mark_moves_with_decisions_and_with_packets(
    store: Store, signed_in: Callable[..., Client]
) -> None:
    before = live.mark_of("default")
    assert live.mark_of("default") == before
    device = Device.objects.order_by("pk")[0]
    Device.objects.filter(pk=device.pk).update(last_seen=2**62)
    heard = live.mark_of("default")
    assert heard != before
    decisions = AuditEntry.objects.count()
    signed_in(Role.ANALYST).get("/devices/export.csv").close()
    assert AuditEntry.objects.count() > decisions
    assert live.mark_of("default") != heard
    assert live.mark_of("another") == (None,) * len(heard)


def test_the_stream_tells_of_a_change_once(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = iter([(1,), (1,), (2,), (2,), (2,)])

    async def mark(_tenant: str) -> live.Mark:
        return next(marks)

    monkeypatch.setattr(live, "current_mark", mark)
    monkeypatch.setattr(live, "LOOK_EVERY", 0.0)

    async def read() -> list[bytes]:
        stream = live.changes("default")
        return [await anext(stream), await anext(stream)]

    first, second = asyncio.run(read())
    assert first.startswith(b"retry: ")
    assert second == b"event: change\ndata: 1\n\n"


def test_the_stream_ends_so_that_the_person_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def mark(_tenant: str) -> live.Mark:
        return (1,)

    monkeypatch.setattr(live, "current_mark", mark)
    monkeypatch.setattr(live, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(live, "LONGEST", 0.0)

    async def read() -> list[bytes]:
        return [part async for part in live.changes("default")]

    assert len(asyncio.run(read())) == 1
