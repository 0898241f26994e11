"""Small captures made by hand, and a store to take them in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker
from tests.flowcore import packets as made
from tests.store.conftest import migrated  # noqa: F401 - a fixture

from medwarden.store.open import Store, open_store


@pytest.fixture
def store(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Store]:
    """Return an open, empty data folder."""
    with django_db_blocker.unblock(), open_store(tmp_path / "home", writer=True) as opened:
        yield opened


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Return a capture in which two devices say who they are."""
    path = tmp_path / "two.pcap"
    frames = [
        made.udp_frame(b"<134>Jan  2 03:04:05 ct01 app[7]: hello", src=514, dst=514),
        made.udp_frame(b"<134>Jan  2 03:04:05 ris02 app[7]: hello", src=514, dst=514, back=True),
    ]
    path.write_bytes(made.pcap((made.START + i * made.SECOND, frame) for i, frame in enumerate(frames)))
    return path
