"""A replay that was cut off between identifying and scoring is finished by the next."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from medwarden.app import judge
from medwarden.app.replay import replay_captures
from medwarden.store.open import open_store


def test_what_was_identified_and_not_scored_is_scored_by_the_next_replay(
    capture: Path, tmp_path: Path, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object, **__: object) -> None:
        raise RuntimeError("the machine lost its power")

    home = tmp_path / "home"
    with django_db_blocker.unblock():
        monkeypatch.setattr(judge, "_assess", cut_off)
        with pytest.raises(RuntimeError):
            replay_captures([capture], home)
        monkeypatch.undo()
        with open_store(home, writer=False):
            from medwarden.store.models import Device, RiskScore

            assert Device.objects.filter(stale=False, score_due_ns__isnull=False).count() == 2
            assert not RiskScore.objects.exists()
        again = replay_captures([capture], home)
        assert again.new_devices == 0
        with open_store(home, writer=False):
            assert RiskScore.objects.filter(current=True).count() == 2
            assert not Device.objects.filter(score_due_ns__isnull=False).exists()
