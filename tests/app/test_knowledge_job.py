"""Work on knowledge beside everything else: one at a time, told as it goes, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from pytest_django.plugin import DjangoDbBlocker
from tests.feeds import making
from tests.feeds.upstream import Upstream, first_look, upstream
from tests.store.conftest import DeltaMaker, heard  # noqa: F401 - a fixture
from tests.transport.publisher import status as answers

from medwarden.app import knowledge_job as jobs
from medwarden.app import knowledge_schedule as schedule
from medwarden.app.knowledge_job import Job, Keeper, last_job, note_age, run, start
from medwarden.app.knowledge_settings import Schedule, SyncSettings, write_settings
from medwarden.app.knowledge_status import status
from medwarden.kernel.errors import ConfigurationError
from medwarden.store.folder import FolderLock
from medwarden.store.knowledge import Knowledge
from medwarden.store.open import open_store

NS = 1_000_000_000
DEADLINE_S = 300.0


@pytest.fixture(autouse=True)
def _database(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield
    Keeper.close()


@pytest.fixture
def home(tmp_path: Path, migrated: Path) -> Path:
    return Path(shutil.copytree(migrated, tmp_path / "home"))


@pytest.fixture
def web(home: Path) -> Iterator[Upstream]:
    with upstream(home) as told:
        yield told


def daily(*feeds: str) -> Schedule:
    """Return a schedule that is on, and comes to its time of day half a day from now.

    Nearer to that time a look that failed is not tried again by itself, and one that was made falls due anew.
    """
    at = datetime.now(UTC) + timedelta(hours=12)
    return Schedule(on=True, at=f"{at:%H:%M}", jitter_minutes=0, feeds=feeds)


def reach(web: Upstream, **more: object) -> None:
    """Let the data folder reach the server in place of all publishers."""
    settings = SyncSettings(mirrors={"https://": f"{web.url}/"})
    write_settings(web.home, msgspec.structs.replace(settings, **more))


def over(home: Path) -> Job:
    """Return the job once it is over."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        jobs.reap()
        found = last_job(home)
        if found is not None and not found.running:
            return found
        time.sleep(0.05)
    raise AssertionError("the job did not end")


def edition(home: Path, feed: str) -> bool:
    return next(s for s in status(home) if s.manifest.id == feed).edition is not None


def test_a_file_is_taken_in_by_a_process_of_its_own_and_its_upload_thrown_away(home: Path) -> None:
    uploads = home / "knowledge" / "uploads"
    uploads.mkdir(parents=True)
    (uploads / "abc").write_bytes(making.kev("CVE-2026-10001"))
    begun = start(home, Job("import", "user:anna", paths=(str(uploads / "abc"),), unsigned=True))
    assert begun.pid != os.getpid()
    with pytest.raises(ConfigurationError, match="already: wait until that is done"):
        start(home, Job("sync", "user:ben"))
    done = over(home)
    assert done.errors == ()
    assert done.sentences[0] == "1 files of 1 sources were read"
    assert "Nothing changes for the devices of this hospital" in done.sentences
    assert edition(home, "kev")
    assert list(uploads.iterdir()) == []
    with open_store(home, writer=False):
        from medwarden.store.models import AuditEntry

        row = AuditEntry.objects.get(action="knowledge.imported")
        assert row.actor == "user:anna"
        assert json.loads(row.after)["done"][0]["feed"] == "kev"


def test_what_cannot_be_taken_in_is_said(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "kev.json"
    path.write_bytes(making.kev("CVE-2026-10001"))
    done = run(home, Job("import", "user:anna", paths=(str(path),)))
    assert "say --unsigned where you vouch" in done.errors[0]
    assert path.exists()
    assert not edition(home, "kev")


def test_one_piece_of_work_at_a_time(home: Path) -> None:
    from medwarden.kernel.errors import ResourceError

    with FolderLock(home, jobs.LOCK), pytest.raises(ResourceError):
        run(home, Job("sync", "user:anna"))
    with pytest.raises(ConfigurationError, match="nothing to be done"):
        run(home)


def test_publishers_are_asked_by_a_process_of_its_own(web: Upstream) -> None:
    web.files = first_look("kev")
    reach(web)
    start(web.home, Job("sync", "user:anna", feeds=("kev", "epss")))
    done = over(web.home)
    assert done.sentences[0] == "2 sources were asked, 1 had something new"
    assert done.errors[0].startswith("epss: ")
    assert "has no such file" in done.errors[0]
    assert edition(web.home, "kev")


def test_a_look_that_is_killed_is_said_to_be_cut_and_changes_nothing(web: Upstream) -> None:
    web.files = first_look("kev")
    web.instead[next(iter(web.files))] = answers(429, Retry_After="60")
    reach(web)
    begun = start(web.home, Job("sync", "user:anna", feeds=("kev",)))
    while not web.asked:
        time.sleep(0.02)
    os.kill(begun.pid, signal.SIGKILL)
    cut = over(web.home)
    assert cut.cut
    assert not edition(web.home, "kev")
    web.instead.clear()
    start(web.home, Job("sync", "user:anna", feeds=("kev",)))
    assert over(web.home).errors == ()
    assert edition(web.home, "kev")


def test_nothing_calls_out_where_nobody_turned_it_on(web: Upstream) -> None:
    web.files = first_look("kev")
    reach(web)
    with open_store(web.home, writer=True):
        Keeper(web.home).tick()
    assert last_job(web.home) is None
    assert web.asked == []


def test_the_worker_looks_when_the_schedule_asks_and_once(web: Upstream) -> None:
    web.files = first_look("kev")
    reach(web, schedule=daily("kev"))
    with open_store(web.home, writer=True, role="worker"):
        keeper = Keeper(web.home)
        keeper.tick()
        done = over(web.home)
        assert (done.kind, done.actor, done.errors) == ("scheduled", "system", ())
        assert edition(web.home, "kev")
        assert schedule.due_now(web.home, time.time_ns()) is None
        from medwarden.store.models import AuditEntry

        assert AuditEntry.objects.filter(action="knowledge.synced_by_schedule").count() == 1
        asked = len(web.asked)
        Keeper(web.home).tick()
        assert len(web.asked) == asked


def test_the_worker_that_runs_with_the_console_looks_by_itself(web: Upstream) -> None:
    web.files = first_look("kev")
    reach(web, schedule=daily("kev"))
    worker = subprocess.Popen([sys.executable, "-m", "medwarden", "worker", "--home", str(web.home)])
    try:
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end and not edition(web.home, "kev"):
            assert worker.poll() is None
            time.sleep(0.1)
        assert edition(web.home, "kev")
    finally:
        worker.terminate()
        worker.wait(DEADLINE_S)


def test_a_look_by_schedule_that_fails_is_tried_again_for_what_failed(web: Upstream) -> None:
    web.files = first_look("kev")
    reach(web, schedule=daily("kev", "epss"))
    done = run(web.home, Job("scheduled", "system"))
    assert done.errors[0].startswith("epss: ")
    looks = schedule.read_looks(web.home)
    assert (looks.failed, looks.tries) == (("epss",), 1)
    due = schedule.next_look(daily(), looks, time.time_ns())
    assert due is not None
    assert due.again
    assert due.feeds == ("epss",)
    assert run(web.home, Job("scheduled", "system")).sentences == ("Nothing is due",)


def test_what_grows_old_is_written_to_the_audit_once(home: Path) -> None:
    path = home.parent / "kev.json"
    path.write_bytes(making.kev("CVE-2026-10001"))
    run(home, Job("import", "user:anna", paths=(str(path),), unsigned=True))
    with open_store(home, writer=True):
        from medwarden.store.models import AuditEntry

        note_age(home)
        note_age(home)
        rows = AuditEntry.objects.filter(action="knowledge.stale")
        assert [json.loads(row.after) for row in rows] == [["kev"]]
        write_settings(home, SyncSettings(stale_after={"kev": 80_000}))
        note_age(home)
        assert [json.loads(row.after) for row in rows.all()] == [["kev"], []]


def test_new_knowledge_says_whom_it_concerns(
    home: Path,
    tmp_path: Path,
    heard: DeltaMaker,  # noqa: F811
) -> None:
    from tests.app.test_vulnerabilities import advisory

    with open_store(home, writer=True):
        from medwarden.store.changes import Change
        from medwarden.store.delta import apply_delta
        from medwarden.store.models import Device

        with Change("sensor:s", "heard", site="main") as change:
            apply_delta(change, heard(1, 2, 3))
        Device.objects.update(vendor="B. Braun", model="Infusomat Space", firmware="2.0", stale=False)
    path = tmp_path / "advisory.json"
    path.write_text(json.dumps(advisory("MADE-1", "<= 2.5")))
    done = run(home, Job("import", "user:anna", paths=(str(path),), unsigned=True))
    assert done.errors == ()
    assert "1 new vulnerability concerns 3 devices, all of them surely" in done.sentences
    assert any(s.startswith("The risk score of 3 devices changed") for s in done.sentences)
    changed = advisory("MADE-1", "<= 1.5")
    changed["document"]["tracking"]["current_release_date"] = "2020-02-02T00:00:00Z"  # type: ignore[index]
    path.write_text(json.dumps(changed))
    done = run(home, Job("import", "user:anna", paths=(str(path),), unsigned=True))
    assert "1 vulnerability no longer concerns 3 devices" in done.sentences
    with Knowledge(home) as knowledge:
        assert knowledge.check() == []
