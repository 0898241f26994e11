"""A book in memory looks at the conversations that the store loads with a device."""

from __future__ import annotations

import random
import sys

import pytest
from tests.store.conftest import home, migrated, store

from medwarden.inventory import book as module
from medwarden.inventory.book import Book
from medwarden.model.device import Conversation
from medwarden.model.inventory_delta import ConversationIncrement, DeviceChange, InventoryDelta, KeyKind
from medwarden.store.open import Store

__all__ = ["home", "migrated", "store"]

NOW = 1_790_000_000 * 10**9


def test_of_a_device_that_talks_with_very_many_both_look_at_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many were heard last at one time: which of them count does not depend on the order they came in."""
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta
    from medwarden.store.queries import complete_devices

    for owner in (module, sys.modules[complete_devices.__module__]):
        monkeypatch.setattr(owner, "MOST_CONVERSATIONS", 50)
    talks = [
        ConversationIncrement(
            "d-1",
            role,
            peer,
            ip,
            None,
            "internal",
            transport,
            port,
            None,
            NOW,
            NOW + n % 3,
            1,
            9,
            90 + n,
            90,
            True,
        )
        for n, (role, peer, ip, transport, port) in enumerate(
            (role, None if n % 2 else f"d-{n:03d}", f"10.0.0.{n}" if n % 2 else None, transport, port)
            for role in ("client", "server")
            for n in range(2, 12)
            for transport, port in (("tcp", 443), ("udp", 53), ("tcp", 104))
        )
    ]
    random.Random(4).shuffle(talks)
    device = DeviceChange("d-1", "main", KeyKind.MAC, True, False, NOW, NOW + 3, ())
    delta = InventoryDelta(site="main", devices=(device,), conversations=tuple(talks))
    book = Book("main")
    book.apply(delta)
    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, delta)
    (kept,), (stored,) = list(book.devices()), complete_devices(["d-1"])
    assert len(kept.conversations) == 50 < len(talks)
    assert set(kept.conversations) == set(stored.conversations)
    assert all(isinstance(talk, Conversation) for talk in kept.conversations)
