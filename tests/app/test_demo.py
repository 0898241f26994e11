"""The demonstration ward: replayed once, a second time changes nothing."""

from __future__ import annotations

from pathlib import Path

from pytest_django.plugin import DjangoDbBlocker

from medwarden.app.demo import WARD, replay_demo


def test_the_ward_is_replayed_once(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> None:
    assert WARD.is_file()
    with django_db_blocker.unblock():
        first = replay_demo(tmp_path / "home")
        second = replay_demo(tmp_path / "home")
    assert "devices from a capture of an invented ward" in first
    assert second.startswith("demonstration: already there")
