"""Capture one device on demand: begin, list, stop, fetch without patients or, for few, as it is.

Files lie under ``captures/`` of the data folder, for its owner alone and within a quota. What leaves
goes through the sanitiser unless a named person with the right to it asks for the raw packets and says why.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.query_rules import person_may
from medwarden.app.sanitise import Sanitised, sanitise_capture
from medwarden.app.stop_signals import stopped_by_signals
from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.model.role import Permission
from medwarden.sensors.device_capture import CaptureLimits, DeviceCapture
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.captures import CaptureRow
    from medwarden.store.changes import Change

FOLDER = "captures"
QUOTA_MEGABYTES = 4096
"""Mebibytes that all captures of a data folder may take together."""

GRACE_S = 120
"""A capture ends at its time limit; so much later it must have."""

_LOCK = "capture-rules"


class Asked(msgspec.Struct, frozen=True):
    """What is to be captured, why, and who asks; ``person`` is somebody of the console."""

    device: str
    interface: str
    reason: str
    actor: str
    person: str | None = None
    limits: CaptureLimits = CaptureLimits()


def capture_device(
    home: Path, asked: Asked, *, on_begin: Callable[[str], None] | None = None, quota: int = QUOTA_MEGABYTES
) -> CaptureRow:
    """Capture a device until a limit, a stop or SIGINT/SIGTERM; return the job as it ended.

    Raises ConfigurationError for a device that is not known, no reason, or no room in the quota;
    ResourceError where the interface cannot be captured.
    """
    from medwarden.app.inventory import one_device

    with open_store(home, writer=True, role=f"capture-{os.getpid()}"):
        from medwarden.store.captures import NewCapture, begin_capture, capture, is_stop_asked
        from medwarden.store.changes import Change
        from medwarden.store.queries import Scope

        actor = person_may(asked.person, Permission.CAPTURE_DEVICE) if asked.person else asked.actor
        device = one_device(asked.device)
        limits = asked.limits
        used = taken_megabytes(home)
        if used + limits.megabytes > quota:
            raise ConfigurationError(
                f"captures take {used} of {quota} MiB already: remove some, or ask for fewer megabytes"
            )
        base = home.resolve() / FOLDER
        wanted = NewCapture(
            device.id,
            device.label,
            asked.interface,
            device.macs,
            () if device.macs else device.ips,
            int(limits.seconds),
            limits.megabytes,
            limits.packets,
            str(base),
            os.getpid(),
        )
        with Change(actor, asked.reason, site=device.site) as change:
            identifier = begin_capture(change, wanted)
        try:
            comment = f"{identifier}: {device.label}, for {actor}: {asked.reason}"
            running = DeviceCapture(
                wanted.interface, wanted.macs, wanted.ips, base / identifier, limits, comment=comment
            )
        except (ConfigurationError, ResourceError) as error:
            _end(identifier, actor, device.site, None, str(error))
            raise
        with running, stopped_by_signals(running.stop):
            if on_begin is not None:
                on_begin(identifier)
            try:
                running.run(lambda: is_stop_asked(identifier))
            finally:
                _end(identifier, actor, device.site, running, running.captured.error)
        row = capture(Scope(), identifier)
        assert row is not None
        return row


def _end(identifier: str, actor: str, site: str, running: DeviceCapture | None, error: str) -> None:
    from medwarden.store.captures import end_capture
    from medwarden.store.changes import Change

    done = None if running is None else running.captured
    with Change(actor, error or "the capture ended", site=site) as change:
        end_capture(
            change,
            identifier,
            ended_by="" if done is None else done.ended_by or "interrupted",
            error=error,
            packets=0 if done is None else done.packets,
            dropped=0 if done is None else done.dropped,
            size=0 if done is None else done.bytes,
            files=[] if done is None else done.files,
        )


def capture_rows(home: Path) -> list[dict[str, object]]:
    """Return the captures as plain rows, the latest first; one whose process is gone is called lost."""
    with open_store(home, writer=False):
        from medwarden.store.captures import captures
        from medwarden.store.queries import Scope

        rows: list[dict[str, object]] = []
        for row in captures(Scope(), limit=1000).items:
            plain: dict[str, object] = msgspec.to_builtins(row)
            plain["state"] = present_state(row, wall_clock())
            rows.append(plain)
        return rows


def present_state(row: CaptureRow, now_ns: int) -> str:
    """Return the state of a capture; one that should run and whose process is gone is called lost.

    A process that outlives the capture's time limit by more than :data:`GRACE_S` is another one that got
    its number.
    """
    if row.state != "running":
        return row.state
    overdue = now_ns > row.created_ns + (row.seconds + GRACE_S) * NANOSECONDS
    return "lost" if overdue or not Path(f"/proc/{row.process}").exists() else "running"


def stop_stored(change: Change, row: CaptureRow) -> None:
    """Ask a running capture to end; a lost one is ended here, with the files that it left.

    For a store that is open already (the console). Raises ConfigurationError for one that has ended.
    """
    from medwarden.store.captures import ask_to_stop, end_capture

    if present_state(row, change.now_ns) != "lost":
        ask_to_stop(change, row.id)
        return
    left = sorted(Path(row.folder).glob("*.pcapng"), key=lambda path: path.stat().st_mtime_ns)
    end_capture(
        change,
        row.id,
        ended_by="lost",
        error="its process ended without a word",
        packets=0,
        dropped=0,
        size=sum(path.stat().st_size for path in left),
        files=[path.name for path in left],
    )


def remove_stored(change: Change, row: CaptureRow) -> None:
    """Delete the files of an ended capture on a store that is open already; ConfigurationError if it runs."""
    from medwarden.store.captures import remove_capture

    remove_capture(change, row.id)
    for name in row.files:
        (Path(row.folder) / name).unlink(missing_ok=True)


def stop_capture(home: Path, identifier: str, actor: str, reason: str) -> None:
    """Ask a running capture to end, which it does within a second; a lost one is ended here."""
    with open_store(home, writer=True, role=_LOCK):
        from medwarden.store.captures import ask_to_stop, capture
        from medwarden.store.changes import Change
        from medwarden.store.queries import Scope

        row = capture(Scope(), identifier)
        with Change(actor, reason or "stopped") as change:
            if row is None:
                ask_to_stop(change, identifier)
            else:
                stop_stored(change, row)


def export_capture(
    home: Path,
    identifier: str,
    target: Path,
    *,
    actor: str,
    person: str | None = None,
    reason: str = "",
    raw: bool = False,
) -> Sanitised | None:
    """Write a capture to ``target``: without patients, or as it is with ``raw``; audited beforehand.

    Raw packets need a ``person`` whose role carries EXPORT_RAW_CAPTURE, and a reason: ConfigurationError
    otherwise, and where there is no such capture or ``target`` is there already. Returns the report of the
    sanitiser, None for raw.
    """
    if raw and (person is None or not reason.strip()):
        raise ConfigurationError(
            "raw packets hold patients: name who answers for it (--as) and why (--reason)"
        )
    if target.exists() or target.is_symlink():
        raise ConfigurationError(f"{target} is there already: name another or remove it")
    with open_store(home, writer=True, role=_LOCK):
        from medwarden.store.captures import capture, record_export
        from medwarden.store.changes import Change
        from medwarden.store.queries import Scope

        needed = Permission.EXPORT_RAW_CAPTURE if raw else Permission.CAPTURE_DEVICE
        who = person_may(person, needed) if person is not None else actor
        row = capture(Scope(), identifier)
        if row is None:
            raise ConfigurationError(f"there is no capture {identifier[:40]!r}: see `medwarden capture list`")
        files_of(row)
        with Change(who, reason or "fetched", site=row.site) as change:
            record_export(change, identifier, raw=raw, target=str(target))
        return write_capture(row, target, raw=raw)


def files_of(row: CaptureRow) -> list[Path]:
    """Return the files of an ended capture, oldest packets first.

    Raises ConfigurationError while it runs, where it has none, and where they are gone from the disk.
    """
    files = [Path(row.folder) / name for name in row.files]
    if row.state == "running" or not files:
        raise ConfigurationError(f"capture {row.id} has no files to fetch (it is {row.state})")
    gone = [path.name for path in files if not path.is_file()]
    if gone:
        raise ConfigurationError(f"capture {row.id}: {gone[0]} is no longer in {row.folder}")
    return files


def write_capture(row: CaptureRow, target: Path, *, raw: bool) -> Sanitised | None:
    """Put the files of a ring together (sections of one pcapng) and write them, cleaned as one capture.

    Nothing is audited here: who lets packets out does that first. Raises what :func:`files_of` does, and
    ResourceError where ``target`` cannot be written.
    """
    files = files_of(row)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=files[0].parent, prefix=".whole-") as folder:
        whole = Path(folder) / "whole.pcapng"
        try:
            with whole.open("xb") as out:
                for path in files:
                    with path.open("rb") as part:
                        shutil.copyfileobj(part, out)
            if not raw:
                return sanitise_capture(whole, target)
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as out, whole.open("rb") as part:
                shutil.copyfileobj(part, out)
        except OSError as error:
            raise ResourceError(f"{target}: cannot be written ({error.strerror})") from error
    return None


def remove_files(home: Path, identifier: str, actor: str, reason: str) -> None:
    """Delete the files of an ended capture; that it was made stays on record."""
    with open_store(home, writer=True, role=_LOCK):
        from medwarden.store.captures import capture, remove_capture
        from medwarden.store.changes import Change
        from medwarden.store.queries import Scope

        row = capture(Scope(), identifier)
        with Change(actor, reason or "removed") as change:
            if row is None:
                remove_capture(change, identifier)
            else:
                remove_stored(change, row)


def taken_megabytes(home: Path) -> int:
    """Return how many mebibytes all captures of the folder take."""
    base = home.resolve() / FOLDER
    size = sum(path.stat().st_size for path in base.rglob("*.pcapng")) if base.is_dir() else 0
    return -(-size // (1 << 20))
