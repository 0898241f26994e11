"""Growing and rotated logs: each record once, whatever a rotator does and wherever the follower stops."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from tests.waiting import until

from medwarden.app.ingest import Ingest
from medwarden.app.log_follow import Follower
from medwarden.app.log_intake import setting_of
from medwarden.store.open import Store


def record(number: int) -> str:
    """Return a connection of conn.log that no other number has."""
    return (
        f'{{"ts":{1_700_000_000 + number / 100:.6f},"uid":"C{number}",'
        f'"id.orig_h":"10.1.1.{number % 200 + 1}",'
        f'"id.orig_p":{1024 + number % 60000},"id.resp_h":"10.1.2.5","id.resp_p":104,"proto":"tcp",'
        f'"conn_state":"SF","history":"ShADadFf","orig_pkts":5,"resp_pkts":4,"orig_bytes":{number}}}\n'
    )


def records(first: int, last: int) -> str:
    return "".join(record(number) for number in range(first, last))


def follower(store: Store, *paths: Path) -> Follower:
    ingest = Ingest(store, "logs", kind="log")
    return Follower(paths, ingest, setting_of(ingest.token_key))


def settle(following: Follower) -> None:
    for _ in range(8):
        following.look()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "logs" / "current"
    place.mkdir(parents=True)
    return place


def test_a_file_that_grows_is_read_on(store: Store, folder: Path) -> None:
    log = folder / "conn.log"
    following = follower(store, folder)
    log.write_text(records(0, 10))
    settle(following)
    with log.open("a") as file:
        file.write(records(10, 15) + record(15)[:40])
        file.flush()
        settle(following)
        assert store.lake.count("flows", tenant="default") == 15
        assert following.lag().unread == 0
        file.write(record(15)[40:])
    settle(following)
    assert store.lake.count("flows", tenant="default") == 16
    following.close()


def test_the_next_follower_goes_on_where_the_last_one_was(store: Store, folder: Path) -> None:
    log = folder / "conn.log"
    log.write_text(records(0, 10))
    first = follower(store, folder)
    settle(first)
    first.close()
    with log.open("a") as file:
        file.write(records(10, 20))
    second = follower(store, folder)
    settle(second)
    assert store.lake.count("flows", tenant="default") == 20
    second.close()


def test_rename_and_create(store: Store, folder: Path) -> None:
    log = folder / "conn.log"
    log.write_text(records(0, 10))
    following = follower(store, folder)
    settle(following)
    with log.open("a") as file:
        file.write(records(10, 12))  # the writer is not done with the old file when it is renamed
        log.rename(folder / "conn.log.1")
        log.write_text(records(100, 105))
        file.write(records(12, 14))
    settle(following)
    assert store.lake.count("flows", tenant="default") == 19
    assert following.lag().gaps == 0
    following.close()


def test_packed_after_rotation_while_nobody_followed(store: Store, folder: Path) -> None:
    log = folder / "conn.log"
    log.write_text(records(0, 10))
    first = follower(store, folder)
    settle(first)
    first.close()
    with gzip.open(folder / "conn.log.1.gz", "wt") as file:
        file.write(records(0, 15))
    log.write_text(records(200, 203))
    second = follower(store, folder)
    settle(second)
    assert store.lake.count("flows", tenant="default") == 18
    second.close()
    third = follower(store, folder)
    settle(third)
    assert store.lake.count("flows", tenant="default") == 18
    assert third.lag().again == 1
    third.close()


def test_copied_and_cut(store: Store, folder: Path) -> None:
    log = folder / "conn.log"
    log.write_text(records(0, 10))
    following = follower(store, folder)
    settle(following)
    with log.open("a") as file:
        file.write(records(10, 13))  # nobody looks before the copy is made
    shutil.copy(log, folder / "conn.log.1")
    with log.open("r+") as file:
        file.truncate()
        file.write(records(300, 302))
    settle(following)
    assert store.lake.count("flows", tenant="default") == 15
    assert following.lag().gaps == 0
    following.close()


def test_cut_without_a_copy_is_a_gap(store: Store, folder: Path) -> None:
    log = folder / "conn.log"
    log.write_text(records(0, 10))
    following = follower(store, folder)
    settle(following)
    with log.open("r+") as file:
        file.truncate()
        file.write(records(300, 320))  # longer than before: only its beginning tells
    settle(following)
    assert store.lake.count("flows", tenant="default") == 30
    assert following.lag().gaps == 1
    following.close()


def test_moved_into_a_folder_with_a_date(store: Store, folder: Path) -> None:
    log = folder / "conn.log"
    log.write_text(records(0, 10))
    following = follower(store, folder.parent)
    settle(following)
    dated = folder.parent / "2026-11-22"
    dated.mkdir()
    log.rename(dated / "conn.10:00:00-11:00:00.log")
    log.write_text(records(50, 60))
    settle(following)
    assert store.lake.count("flows", tenant="default") == 20
    following.close()


def test_what_is_no_log_is_left_alone(store: Store, folder: Path) -> None:
    (folder / "notes.txt").write_text("nothing that anybody knows\n")
    (folder / "half.log").write_text(record(1)[:20])
    following = follower(store, folder)
    settle(following)
    assert store.lake.count("flows", tenant="default") == 0
    assert following.lag().files == 0
    following.close()


def test_in_a_thread_of_its_own(store: Store, folder: Path) -> None:
    from medwarden.app.storekeeper import Storekeeper

    ingest = Ingest(store, "logs", kind="log")
    keeper = Storekeeper(store)
    following = Follower(
        [folder], ingest, setting_of(ingest.token_key), bring=keeper.bring, poll_seconds=0.01
    )
    (folder / "conn.log").write_text(records(0, 10))
    following.start()
    until(lambda: following.lag().seconds is not None, "the log is known")
    with (folder / "conn.log").open("a") as file:
        file.write(records(10, 20))
    following.stop()
    keeper.end()
    assert store.lake.count("flows", tenant="default") == 20


def test_what_was_stored_and_not_acknowledged_is_not_mixed_with_what_came_since(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power fails after a batch is in the lake and before the ledger knows, and the log grows."""
    from medwarden.store.ingest import IngestWriter

    def fail(*_: object) -> None:
        raise RuntimeError("the machine lost its power")

    log = folder / "conn.log"
    log.write_text(records(0, 10))
    following = follower(store, folder)
    settle(following)
    with log.open("a") as file:
        file.write(records(10, 30))
    with monkeypatch.context() as broken:
        broken.setattr(IngestWriter, "_acknowledge", fail)
        with pytest.raises(RuntimeError):
            following.look()
    following.close()
    assert store.lake.count("flows", tenant="default") == 30  # stored, and nobody knows
    with log.open("a") as file:
        file.write(records(30, 45))
    following = follower(store, folder)
    settle(following)
    following.close()
    assert store.lake.count("flows", tenant="default") == 45


CHILD = """
import sys
from pathlib import Path
from medwarden.store.open import open_store
home, logs = map(Path, sys.argv[1:])
with open_store(home, writer=True) as store:
    from medwarden.app.ingest import Ingest
    from medwarden.app.log_follow import Follower
    from medwarden.app.log_intake import setting_of
    ingest = Ingest(store, "logs", kind="log")
    following = Follower([logs], ingest, setting_of(ingest.token_key), poll_seconds=0.01)
    print("ready", flush=True)
    following._run()
"""


LAST = """for _ in range(8):
        following.look()
    following.close()
    print(store.lake.count("flows", tenant="default"))"""


def test_killed_again_and_again_each_record_is_stored_once(
    tmp_path: Path, folder: Path, store: Store
) -> None:
    """A writer goes on and rotates while the follower is killed with SIGKILL at any moment."""
    home = tmp_path / "killed"
    log = folder / "conn.log"
    written = 0
    for round_ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CHILD), str(home), str(folder)],
            stdout=subprocess.PIPE, env=os.environ | {"MEDWARDEN_HOME": str(home)},
        )  # fmt: skip
        assert child.stdout is not None
        child.stdout.readline()
        for _ in range(20):
            with log.open("a") as file:
                file.write(records(written, written + 25))
            written += 25
            time.sleep(0.01)
        if round_ == 0:
            log.rename(folder / "conn.log.1")
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    following = follower(store, folder)
    settle(following)
    following.close()
    assert store.lake.count("flows", tenant="default") == written
    finish = subprocess.run(
        [
            sys.executable, "-c",
            textwrap.dedent(CHILD).replace("following._run()", LAST),
            str(home), str(folder),
        ],
        capture_output=True, text=True, check=True, env=os.environ | {"MEDWARDEN_HOME": str(home)},
    )  # fmt: skip
    assert finish.stdout.split()[-1] == str(written)
