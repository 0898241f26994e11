from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.store import folder
from medwarden.store.folder import FolderLock

HOLDER = """
import sys, time
from pathlib import Path
from medwarden.store.folder import FolderLock
FolderLock(Path(sys.argv[1]), "writer").acquire()
print("held", flush=True)
time.sleep(600)
"""


def hold(home: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(home)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_database_is_private_though_the_folder_is_not(tmp_path: Path) -> None:
    home = tmp_path / "data"
    home.mkdir(mode=0o755)
    folder.prepare(home)
    (home / folder.DATABASE_FILE).write_bytes(b"kept")
    folder.prepare(home)
    assert (home / folder.DATABASE_FILE).read_bytes() == b"kept"
    assert stat.S_IMODE((home / folder.DATABASE_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE((home / folder.LAKE_FOLDER).stat().st_mode) == 0o700


def test_keys_are_private_and_stay(tmp_path: Path) -> None:
    home = tmp_path / "data"
    folder.prepare(home)
    keys = {name: (home / name).read_text() for name in (folder.SECRET_KEY_FILE, folder.AUDIT_KEY_FILE)}
    for name in keys:
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    assert len(set(keys.values())) == 2
    folder.prepare(home)
    assert keys == {name: (home / name).read_text() for name in keys}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match=r"not empty.*thesis\.txt"):
        folder.prepare(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(ConfigurationError, match="not a folder"):
        folder.prepare(path)
    with pytest.raises(ConfigurationError, match="not a folder"):
        folder.prepare(path / "below")


def test_a_newer_layout_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "data"
    folder.prepare(home)
    (home / folder.VERSION_FILE).write_text("99\n")
    with pytest.raises(ConfigurationError, match="newer medwarden"):
        folder.prepare(home)


def test_reading_needs_a_folder_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no medwarden data yet"):
        folder.check(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_second_writer_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    process = hold(tmp_path)
    try:
        with pytest.raises(ResourceError, match=rf"already running on this folder \(pid {process.pid}\)"):
            FolderLock(tmp_path, "writer").acquire()
        FolderLock(tmp_path, "serve").acquire().release()  # another role is another lock
    finally:
        process.kill()
        process.communicate()


def test_a_killed_writer_leaves_no_lock(tmp_path: Path) -> None:
    process = hold(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with FolderLock(tmp_path, "writer"):
        assert (tmp_path / "lock-writer").read_text().strip() == str(os.getpid())


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "head"
    folder.replace_durably(path, b"one")
    folder.replace_durably(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["head"]
