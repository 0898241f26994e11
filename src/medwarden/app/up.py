"""Everything on this machine: console, worker and sensors as children of one process.

The parent prepares the data folder, starts the roles as processes of their own (a sensor that meets a
hostile packet must not take the console with it), restarts a role that dies, and ends them all by pid.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from medwarden.app.serve import DEFAULT_HOST, DEFAULT_PORT, listen
from medwarden.kernel.errors import ResourceError
from medwarden.store.folder import FolderLock
from medwarden.store.open import open_store

LOCK = "up"
"""Held as long as the roles run: a second ``up`` on a folder ends at once, and says why."""

_TRIES = 5
_PR_SET_PDEATHSIG = 1
_SETTLED_SECONDS = 60.0
_SELDOM_SECONDS = 30.0
_END_SECONDS = 10.0

Say = Callable[[str], None]


class Prepared(msgspec.Struct, frozen=True):
    """What the first start made: the address of the console, and the first log-in where there is one."""

    address: str
    first_password: str | None


class _Role:
    """One child process and how often it had to be started.

    One that is not ``vital`` is never given up: what was found stays in sight while its cable is out.
    """

    def __init__(self, name: str, arguments: Sequence[str], *, vital: bool = True) -> None:
        self.name = name
        self.vital = vital
        self.due: float | None = None
        self.command = [sys.executable, "-m", "medwarden", *arguments]
        self.process: subprocess.Popen[bytes] | None = None
        self.failures = 0
        self.started = 0.0

    def start(self) -> None:
        self.started, self.due = time.monotonic(), None
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            self.command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_end_with_parent
        )


def _end_with_parent() -> None:
    """Let the kernel end this child when the parent dies, however it dies (prctl(2), PR_SET_PDEATHSIG).

    Children are sessions of their own, so that Ctrl-C reaches the parent alone, which ends them in order.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def prepare(home: Path, host: str, port: int, first_user: Callable[[], str | None]) -> Prepared:
    """Create or migrate the data folder, check the port, and set up the first user.

    ``first_user`` makes an administrator where nobody can sign in yet and returns the password; it runs
    on the open store.

    Raises ResourceError (port in use, folder locked, disk full) or ConfigurationError in words.
    """
    listen(host, port).close()
    with open_store(home, writer=True, role=LOCK):
        password = first_user()
    shown = "localhost" if host in ("127.0.0.1", "::1") else host
    address = f"https://{shown}:{port}"
    return Prepared(address, password)


def run(
    home: Path,
    say: Say,
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    interfaces: Sequence[str] = (),
) -> int:
    """Run all roles until SIGTERM or SIGINT; return 0, or 1 when a role would not stay up.

    Raises ResourceError where another ``up`` runs on the folder.
    """
    folder = ["--home", str(home)]
    roles = [_Role("console", ["serve", *folder, "--host", host, "--port", str(port)])]
    roles.append(_Role("worker", ["worker", *folder]))
    if interfaces:
        chosen = [word for name in interfaces for word in ("--interface", name)]
        roles.append(_Role(f"sensor {', '.join(interfaces)}", ["sensor", *folder, *chosen], vital=False))
    ending = False

    def end(_number: int, _frame: object) -> None:
        nonlocal ending
        ending = True

    lock = FolderLock(home, LOCK).acquire()
    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        for role in roles:
            role.start()
        while not ending:
            time.sleep(0.2)
            for role in roles:
                _watch(role, say)
        return 0
    except ResourceError as error:
        say(str(error))
        return 1
    finally:
        _end_all(roles)
        lock.release()
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(role: _Role, say: Say) -> None:
    """Restart a role that ended; when it keeps ending, give up, naming it, or try more seldom."""
    assert role.process is not None
    status = role.process.poll()
    if status is None:
        return
    if role.due is not None:
        if time.monotonic() >= role.due:
            role.start()
        return
    lived = time.monotonic() - role.started
    role.failures = 1 if lived > _SETTLED_SECONDS else role.failures + 1
    if role.failures >= _TRIES and not role.vital:
        if role.failures == _TRIES:
            say(
                f"the {role.name} ended {role.failures} times in a row (status {status}): see above; "
                f"trying again every {_SELDOM_SECONDS:.0f} s"
            )
        role.due = time.monotonic() + _SELDOM_SECONDS
        return
    if role.failures >= _TRIES:
        raise ResourceError(
            f"the {role.name} ended {role.failures} times in a row (status {status}): see above"
        )
    say(f"the {role.name} ended (status {status}); starting it again")
    time.sleep(min(2.0**role.failures / 4, 5.0))
    role.start()


def _end_all(roles: Sequence[_Role]) -> None:
    running = [r.process for r in roles if r.process is not None and r.process.poll() is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + _END_SECONDS
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
