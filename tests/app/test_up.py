"""Roles as children: restarted when they die, given up when they keep dying, ended with the parent."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker
from tests.ports import reserved_port
from tests.waiting import PATIENCE

from medwarden.app import up
from medwarden.kernel.errors import ResourceError
from medwarden.store.folder import FolderLock


def role(code: str) -> up._Role:
    """Return a role whose program is a line of Python."""
    made = up._Role("stand-in", [])
    made.command = [sys.executable, "-c", code]
    return made


def test_a_role_that_dies_is_started_again_and_at_last_given_up() -> None:
    said: list[str] = []
    dying = role("raise SystemExit(3)")
    dying.start()
    with pytest.raises(ResourceError, match=r"the stand-in ended 5 times in a row \(status 3\)"):
        while True:
            assert dying.process is not None
            dying.process.wait(PATIENCE)
            up._watch(dying, said.append)
    assert said == ["the stand-in ended (status 3); starting it again"] * 4


def test_a_role_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "_END_SECONDS", 5)
    deaf = role("import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)")
    willing = role("import time; time.sleep(600)")
    deaf.process = subprocess.Popen(deaf.command, stdout=subprocess.PIPE)
    assert deaf.process.stdout is not None
    deaf.process.stdout.readline()  # from here on it ignores the signal
    willing.start()
    up._end_all([deaf, willing])
    deaf.process.stdout.close()
    assert willing.process is not None
    assert deaf.process.returncode == -signal.SIGKILL
    assert willing.process.returncode == -signal.SIGTERM


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    """Kill a process that started a role; the kernel ends the role."""
    script = (
        "import sys, time; from medwarden.app import up; r = up._Role('x', []);"
        "r.command = [sys.executable, '-c', 'import time; print(1, flush=True); time.sleep(600)'];"
        "r.start(); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"1\n"
    parent.kill()
    parent.wait(PATIENCE)
    assert parent.stdout.read() == b"", "the pipe is at its end once the child, too, is gone"
    parent.stdout.close()


def test_a_second_up_is_refused_before_anything_is_started(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    home = tmp_path / "home"
    port = reserved_port()
    with django_db_blocker.unblock():
        prepared = up.prepare(home, "127.0.0.1", port, lambda: "first-password")
        assert prepared == up.Prepared(f"https://localhost:{port}", "first-password")
        with (
            FolderLock(home, up.LOCK),
            pytest.raises(ResourceError, match="already running on this folder"),
        ):
            up.prepare(home, "127.0.0.1", port, lambda: None)
        with FolderLock(home, up.LOCK), pytest.raises(ResourceError, match="already running"):
            up.run(home, lambda line: None, port=port)
