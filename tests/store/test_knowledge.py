"""Numbers of editions are given once: who was judged by one of another file is told to look at everything."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from tests.feeds import making

from medwarden.app.knowledge import import_files
from medwarden.store.knowledge import FILE, FOLDER, Knowledge

KEPT = 8


def publish(home: Path, day: int) -> int:
    """Let a catalogue hold one record of a day; return the number of that edition."""
    path = home.parent / "kev.json"
    path.write_bytes(making.kev(f"CVE-2026-10{day:03d}", day=f"2026-01-{day:02d}"))
    import_files(home, [path], unsigned=True)
    with Knowledge(home) as knowledge:
        return knowledge.newest


def nth(home: Path) -> int:
    with Knowledge(home) as knowledge:
        return knowledge.edition(knowledge.newest).nth


def complete(home: Path, edition: int) -> bool:
    with Knowledge(home) as knowledge:
        return knowledge.changed_since(edition).complete


def remove(home: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        (home / FOLDER / f"{FILE}{ending}").unlink(missing_ok=True)


def test_knowledge_that_starts_over_gives_other_numbers(home: Path) -> None:
    numbers = [publish(home, day) for day in range(1, 4)]
    assert all(complete(home, number) for number in (0, *numbers))
    assert nth(home) == 3
    remove(home)
    assert not complete(home, numbers[-1]), "there is none"
    fresh = [publish(home, day) for day in range(1, 5)]
    assert set(fresh).isdisjoint(numbers)
    assert sorted(fresh) == fresh
    assert fresh[0] > numbers[-1]
    assert nth(home) == 4, "people are shown how many there were"
    assert not any(complete(home, number) for number in numbers)
    assert all(complete(home, number) for number in (0, *fresh))


def test_knowledge_that_is_put_back_as_it_was_does_not_tell_of_what_came_after(
    home: Path, tmp_path: Path
) -> None:
    then = [publish(home, day) for day in range(1, 3)]
    shutil.copytree(home / FOLDER, tmp_path / "aside")
    lost = [publish(home, day) for day in range(3, 6)]
    shutil.rmtree(home / FOLDER)
    shutil.copytree(tmp_path / "aside", home / FOLDER)
    assert not any(complete(home, number) for number in lost), "newer than what there is"
    fresh = publish(home, 6)
    assert fresh not in lost
    assert not any(complete(home, number) for number in lost), "older than what there is, and not of it"
    assert all(complete(home, number) for number in (*then, fresh))


def test_a_file_of_an_earlier_release_counts_on_and_knows_what_it_holds(home: Path) -> None:
    first, second = publish(home, 1), publish(home, 2)
    with sqlite3.connect(home / FOLDER / FILE) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        for old, counted in ((first, 1), (second, 2)):
            db.execute("UPDATE edition SET id = ? WHERE id = ?", (counted, old))
            db.execute("UPDATE part SET edition = ? WHERE edition = ?", (counted, old))
        db.execute("UPDATE feed SET edition = 2")
        db.execute("DROP TABLE given")
    db.close()
    assert complete(home, 1)
    assert not complete(home, 3)
    assert publish(home, 3) > second
    for day in range(4, 4 + KEPT):
        publish(home, day)
    with Knowledge(home) as knowledge:
        assert knowledge.gave(2), "although it is no longer kept"
        assert not knowledge.gave(3)
