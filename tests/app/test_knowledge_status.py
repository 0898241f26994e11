"""How old knowledge is, when that is too old, and who is told."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.feeds import making

from medwarden.app.knowledge import import_files
from medwarden.app.knowledge_settings import SyncSettings, write_settings
from medwarden.app.knowledge_status import FeedStatus, standing, status
from medwarden.cli.main import run
from medwarden.store.knowledge import Knowledge

HOUR = 3_600_000_000_000


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def brought(home: Path, tmp_path: Path, day: str) -> FeedStatus:
    path = tmp_path / "kev.json"
    path.write_bytes(making.kev("CVE-2026-10001", day=day))
    assert import_files(home, [path], unsigned=True).errors == ()
    return next(s for s in status(home) if s.manifest.id == "kev")


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def test_fresh_knowledge_turns_stale_with_time(home: Path, tmp_path: Path) -> None:
    kev = brought(home, tmp_path, today())
    assert not kev.stale
    assert kev.stale_after_h == 72
    (later,) = [s for s in status(home, time.time_ns() + 100 * HOUR) if s.manifest.id == "kev"]
    assert later.stale
    assert "should not be older than 3 days" in later.warning


def test_a_file_that_a_person_brings_is_as_old_as_its_publisher_says(home: Path, tmp_path: Path) -> None:
    kev = brought(home, tmp_path, "2024-02-02")
    assert kev.stale
    assert kev.looked_ns - kev.as_of_ns > 300 * 24 * HOUR


def test_files_without_a_date_are_not_called_fresh(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "oui.csv"
    path.write_bytes(making.oui(("MA-L", "A0FFEE", "Acme")))
    import_files(home, [path], unsigned=True)
    assert next(s for s in status(home) if s.manifest.id == "oui").undated
    assert not brought(home, tmp_path, today()).undated


def test_the_operator_says_from_when_a_feed_is_stale(home: Path, tmp_path: Path) -> None:
    kev = brought(home, tmp_path, today())
    write_settings(home, SyncSettings(stale_after={"kev": 24 * 365}))
    (later,) = [s for s in status(home, kev.looked_ns + 200 * HOUR) if s.manifest.id == "kev"]
    assert (later.stale, later.stale_after_h) == (False, 24 * 365)


def test_a_clock_that_was_moved_back_is_not_freshness(home: Path, tmp_path: Path) -> None:
    kev = brought(home, tmp_path, today())
    with Knowledge(home, writable=True) as knowledge, knowledge.change():
        knowledge.db.execute("UPDATE feed SET looked_ns = looked_ns + ?", (1000 * HOUR,))
        knowledge.db.execute("UPDATE edition SET proof = 'transport'")
    (moved,) = [s for s in status(home, kev.looked_ns) if s.manifest.id == "kev"]
    assert moved.stale
    assert "this machine's clock was moved" in moved.warning


def test_a_failure_is_told_with_when_it_was_tried(home: Path, tmp_path: Path) -> None:
    kev = brought(home, tmp_path, today())
    with Knowledge(home, writable=True) as knowledge:
        knowledge.note_failure("kev", "the house burnt down")
    whole = standing(home)
    assert whole.failed == ("kev",)
    assert "the house burnt down" in whole.sentences[0]
    (after,) = [s for s in status(home) if s.manifest.id == "kev"]
    assert after.tried_ns > kev.tried_ns


def test_the_command_ends_with_what_it_found(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check = ["knowledge", "status", "--check", "--home", str(home)]
    assert run(check) == 3
    assert "No knowledge was taken in yet" in capsys.readouterr().err
    brought(home, tmp_path, today())
    assert run(check) == 0
    assert capsys.readouterr().err == ""
    write_settings(home, SyncSettings(stale_after={"kev": 1}))
    with Knowledge(home, writable=True) as knowledge, knowledge.change():
        knowledge.db.execute("UPDATE feed SET looked_ns = looked_ns - ?", (30 * HOUR,))
    assert run(check) == 3
    assert "30 hours old, should not be older than 1 hour\n" in capsys.readouterr().err
    with Knowledge(home, writable=True) as knowledge, knowledge.change():
        knowledge.db.execute("UPDATE block SET data = x'00'")
    assert run(check) == 1
