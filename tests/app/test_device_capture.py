from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker
from tests.flowcore import packets as made
from tests.product.patients import hl7, invented
from tests.waiting import PATIENCE

from medwarden.app import device_capture
from medwarden.app.device_capture import (
    Asked,
    capture_device,
    capture_rows,
    export_capture,
    remove_files,
    stop_capture,
    taken_megabytes,
)
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.model.inventory_delta import DeviceChange, InterfaceChange, InventoryDelta, KeyKind
from medwarden.model.role import Role
from medwarden.sensors.device_capture import CaptureLimits
from medwarden.store.open import open_store
from medwarden.store.queries import Scope

MONITOR, MAC = "d-monitor", "02:00:5e:00:00:0c"


@pytest.fixture(scope="session")
def with_monitor(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    home = tmp_path_factory.mktemp("capture") / "home"
    with django_db_blocker.unblock(), open_store(home, writer=True) as store:
        from medwarden.store.accounts import create_user
        from medwarden.store.changes import Change
        from medwarden.store.ingest import IngestWriter

        writer = IngestWriter(store, "live-x", kind="live")
        state = writer.begin_input("live:x", "x", "live")
        delta = InventoryDelta(
            "main",
            devices=(DeviceChange(MONITOR, "main", KeyKind.MAC, True, False, 1, 2),),
            interfaces=(InterfaceChange(MONITOR, MAC, False, False, 1, 2),),
        )
        writer.commit_batch(state, 0, None, None, delta)
        with Change("test", "test") as change:
            create_user(change, "ada", "correct-horse-battery", Role.ADMINISTRATOR)
            create_user(change, "nina", "correct-horse-battery", Role.NETWORK_ENGINEER)
            create_user(change, "vera", "correct-horse-battery", Role.VIEWER)
        return home


@pytest.fixture
def home(tmp_path: Path, with_monitor: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    with django_db_blocker.unblock():
        yield Path(shutil.copytree(with_monitor, tmp_path / "home"))


def asked(**limits: float) -> Asked:
    return Asked(MONITOR, "lo", "alarms every night", "cli:nina", limits=CaptureLimits(**limits))  # type: ignore[arg-type]


def say(frames: list[bytes]) -> None:
    """Put frames on loopback, where their addresses mean nothing to anybody."""
    try:
        line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    except PermissionError:
        pytest.skip("needs CAP_NET_RAW")
    with line:
        line.bind(("lo", 0))
        for frame in frames:
            line.send(frame)


def captured(home: Path, frames: list[bytes]) -> str:
    """Capture while ``frames`` pass, and return the job."""
    begun = threading.Event()
    row: list[str] = []

    def speak() -> None:
        begun.wait(PATIENCE)
        say(frames)

    thread = threading.Thread(target=speak)
    thread.start()

    def on_begin(identifier: str) -> None:
        row.append(identifier)
        begun.set()

    done = capture_device(home, asked(seconds=PATIENCE, megabytes=1, packets=len(frames)), on_begin=on_begin)
    thread.join()
    assert done.packets == len(frames)
    assert done.ended_by == "packets"
    return row[0]


def audited(home: Path) -> list[tuple[str, str, str]]:
    with open_store(home, writer=False):
        from medwarden.store.models import AuditEntry

        rows = AuditEntry.objects.filter(action__startswith="capture.").order_by("sequence")
        return [(r.action, r.actor, r.reason) for r in rows]


def test_a_capture_leaves_without_patients_and_raw_only_for_who_may(home: Path, tmp_path: Path) -> None:
    patients = invented(3)
    job = captured(home, hl7(patients, 41_000))
    out = tmp_path / "out.pcapng"
    report = export_capture(home, job, out, actor="cli:nina")
    assert report is not None
    assert report.error is None
    text = out.read_bytes()
    assert b"MONITORS" in text
    assert not any(
        word.encode() in text for patient in patients for word in (*patient.words, *patient.numbers)
    )
    assert b"alarms every night" not in text  # nor what people wrote beside it
    for person, reason, says in (
        (None, "court order", "who answers"),
        ("ada", " ", "who answers"),
        ("nina", "court order", "may not export raw capture"),
        ("nobody", "court order", "nobody called"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            export_capture(home, job, tmp_path / "raw", actor="cli:x", person=person, reason=reason, raw=True)
    assert not (tmp_path / "raw").exists()
    raw = tmp_path / "raw.pcapng"
    assert export_capture(home, job, raw, actor="cli:x", person="ada", reason="court order", raw=True) is None
    assert patients[0].family.encode() in raw.read_bytes()
    assert raw.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigurationError, match="there already"):
        export_capture(home, job, out, actor="cli:nina")
    with pytest.raises(ConfigurationError, match="may not capture device"):
        export_capture(home, job, tmp_path / "x", actor="cli:x", person="vera")
    assert audited(home) == [
        ("capture.begun", "cli:nina", "alarms every night"),
        ("capture.ended", "cli:nina", "the capture ended"),
        ("capture.exported", "cli:nina", "fetched"),
        ("capture.exported_raw", "user:ada", "court order"),
    ]
    remove_files(home, job, "cli:nina", "done")
    assert taken_megabytes(home) == 0
    with pytest.raises(ConfigurationError, match="no files"):
        export_capture(home, job, tmp_path / "y", actor="cli:nina")


def test_a_running_capture_is_stopped_by_another_process(home: Path) -> None:
    stopper: list[threading.Thread] = []

    def stop(identifier: str) -> None:
        from medwarden.store.open import Store

        def later() -> None:
            time.sleep(0.2)
            stop_capture(home, identifier, "cli:ben", "enough")
            Store.leave_thread()

        stopper.append(threading.Thread(target=later))
        stopper[0].start()

    row = capture_device(home, asked(seconds=2 * PATIENCE, megabytes=1), on_begin=stop)
    stopper[0].join()
    assert (row.state, row.ended_by, row.stop_asked) == ("done", "stopped", True)
    with pytest.raises(ConfigurationError, match="is running"):
        stop_capture(home, row.id, "cli:ben", "again")
    (listed,) = capture_rows(home)
    assert (listed["id"], listed["who"], listed["reason"]) == (row.id, "cli:nina", "alarms every night")


def test_what_is_refused_leaves_word(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="no device is called"):
        capture_device(home, Asked("d-nobody", "lo", "why", "cli:x"))
    with pytest.raises(ConfigurationError, match="say why"):
        capture_device(home, Asked(MONITOR, "lo", " ", "cli:x"))
    with pytest.raises(ConfigurationError, match="MiB already"):
        capture_device(home, asked(megabytes=200), quota=100)
    with pytest.raises(ConfigurationError, match="may not capture device"):
        capture_device(home, Asked(MONITOR, "lo", "why", "cli:x", "vera"))
    with pytest.raises(ResourceError, match="nosuchif0"):
        capture_device(home, Asked(MONITOR, "nosuchif0", "why", "cli:x"))
    (failed,) = capture_rows(home)
    assert failed["state"] == "failed"
    assert "nosuchif0" in str(failed["error"])
    with open_store(home, writer=True, role="test"):
        from medwarden.store.captures import NewCapture, begin_capture
        from medwarden.store.changes import Change

        with Change("cli:x", "why", site="main") as change:
            new = NewCapture(MONITOR, "m", "lo", (MAC,), (), 1, 1, None, str(home), 2**22 + 1)
            begin_capture(change, new)
    assert capture_rows(home)[0]["state"] == "lost"
    assert made.CLIENT_MAC not in str(capture_rows(home))
    assert device_capture.QUOTA_MEGABYTES > 0


def test_lists_are_of_the_scope_sorted_and_filtered(home: Path) -> None:
    with open_store(home, writer=True):
        from medwarden.store.captures import CaptureFilter, NewCapture, begin_capture, capture, captures
        from medwarden.store.changes import Change

        for number in range(3):
            with Change("cli:x", f"reason {number}", site="main", clock=lambda: 5) as change:
                begin_capture(
                    change, NewCapture(MONITOR, f"m{number}", "lo", (MAC,), (), 1, 1, None, "/x", number)
                )
        page = captures(Scope(), sort="device", limit=2)
        assert ([row.label for row in page.items], page.total) == (["m0", "m1"], 3)
        assert captures(Scope(), CaptureFilter(text="reason 2")).total == 1
        assert captures(Scope(), CaptureFilter(state=("done",))).total == 0
        assert captures(Scope("other")).total == 0
        assert captures(Scope(sites=("north",))).total == 0
        assert capture(Scope("other"), page.items[0].id) is None
        with pytest.raises(ConfigurationError, match="cannot be sorted"):
            captures(Scope(), sort="folder")
