"""A stint of fuzzing: what counts, what is a finding, and what is kept of it."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

import pytest
from fuzz.engine import Finding, Stint, Target, apart, recorded, told
from fuzz.ledger import Ledger

from fuzz import engine


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FOUND", tmp_path / "found")
    monkeypatch.setattr(engine, "CRASHES", tmp_path / "crashes")


def longer(data: bytes, pool: Sequence[bytes], chance: random.Random) -> bytes:
    """Mutate by adding an octet."""
    del pool
    return (data + bytes((chance.randrange(256),)))[:64]


def length(data: bytes, chance: random.Random) -> Hashable:
    del chance
    return len(data)


def target(check: Callable[[bytes, random.Random], Hashable]) -> Target:
    return Target("made", ("medwarden.dissect.dns",), check, lambda: [b"", b"a"], longer)


def crashes(tmp_path: Path) -> list[bytes]:
    return [path.read_bytes() for path in (tmp_path / "crashes").glob("made-*.bin")]


def test_inputs_that_lead_somewhere_new_are_changed_further_and_kept_for_the_next_stint() -> None:
    first = apart(target(length), 0.2, 1)
    assert first.finding == ""
    assert first.outcomes == 65
    assert first.inputs > 65
    assert first.seconds >= 0.2
    assert [len(data) for data in engine.read_found("made")] == list(range(2, 65))
    again = apart(target(length), 0.0, 2)
    assert (again.inputs, again.outcomes) == (65, 65)


def test_what_escapes_is_a_finding_and_its_input_is_kept(tmp_path: Path) -> None:
    def check(data: bytes, chance: random.Random) -> Hashable:
        if len(data) == 9:
            raise Finding("nine")
        return length(data, chance)

    stint = apart(target(check), 30, 1)
    assert stint.finding == "Finding: nine"
    assert stint.seconds < 30
    assert [len(data) for data in crashes(tmp_path)] == [9]


def test_an_input_that_takes_too_long_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "HANG_SECONDS", 0.05)

    def check(data: bytes, chance: random.Random) -> Hashable:
        while len(data) == 3:
            try:
                len(data)
            except Exception:  # noqa: BLE001 - what no parser may do, and what must not hide a hang
                return 0
        return length(data, chance)

    assert apart(target(check), 30, 1).finding.startswith("Hang")
    assert [len(data) for data in crashes(tmp_path)] == [3]


def test_a_process_that_dies_has_found_something_and_the_input_is_known(tmp_path: Path) -> None:
    def check(data: bytes, chance: random.Random) -> Hashable:
        if len(data) == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return length(data, chance)

    stint = apart(target(check), 30, 1)
    assert stint.finding == "its process ended with status -9"
    assert [len(data) for data in crashes(tmp_path)] == [5]


def test_memory_is_bound(tmp_path: Path) -> None:
    def check(data: bytes, chance: random.Random) -> Hashable:
        del chance
        return bytes(engine.MOST_MEMORY) if data else b""

    assert apart(target(check), 1, 1).finding.startswith("MemoryError")
    assert crashes(tmp_path) == [b"a"]


def test_an_interrupt_ends_a_stint_early_and_it_counts() -> None:
    def check(data: bytes, chance: random.Random) -> Hashable:
        if len(data) == 20:
            os.kill(os.getppid(), signal.SIGTERM)
        return length(data, chance)

    began = time.process_time()
    stint = apart(target(check), 300, 1)
    assert stint.ended
    assert stint.finding == ""
    assert stint.inputs > 20
    assert time.process_time() - began < 300


def test_the_ledger_has_what_a_stint_came_to(tmp_path: Path) -> None:
    made = target(length)
    ledger = Ledger(tmp_path / "ledger.csv")
    recorded(made, Stint(60.0, 6000, 7), "d" * 16, ledger)
    row = recorded(made, Stint(60.0, 6000, 9), "d" * 16, ledger)
    assert (row.clean_s, row.inputs, row.outcomes) == (120.0, 12000, 9)
    words = told(made, Stint(60.0, 6000, 9), row)
    assert words == "made: 6000 inputs in 60 s (100/s), 9 outcomes, no finding; 120 s clean"
    row = recorded(made, Stint(1.0, 1, 1, "Finding: nine"), "d" * 16, ledger)
    assert row.clean_s == 0.0
    assert "FOUND Finding: nine; 0 s clean" in told(made, Stint(1.0, 1, 1, "Finding: nine"), row)


def test_what_is_kept_for_the_next_stint_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MOST_FOUND", 100)
    engine.write_found("made", [bytes(40), b"b" * 40, b"c" * 40])
    assert engine.read_found("made") == [b"b" * 40, b"c" * 40]
