"""A disk that fills: said in a sentence, nothing corrupt, and once there is room it goes on where it was."""

from __future__ import annotations

import ctypes
import gzip
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.product.conftest import WARD, medwarden
from tests.product.test_replay import lake_rows, rows

_MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of its own with 24 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or libc.mount(b"tmpfs", bytes(place), b"tmpfs", 0, b"size=24m"):
        pytest.skip("only root may mount a file system of its own")
    yield place
    assert libc.umount2(bytes(place), 0) == 0, os.strerror(ctypes.get_errno())


def fill(place: Path, leave: int) -> Path:
    """Fill the file system of ``place`` up to ``leave`` bytes and return the file that does it."""
    ballast = place / "ballast"
    free = shutil.disk_usage(place).free
    with ballast.open("wb") as file:
        file.write(bytes(max(0, free - leave)))
    return ballast


@pytest.mark.parametrize("leave", [300_000, 1_200_000])
def test_a_replay_that_fills_the_disk_says_so_and_completes_later(
    small_disk: Path, prepared: Path, tmp_path: Path, leave: int
) -> None:
    capture = tmp_path / "ward.pcap"
    capture.write_bytes(gzip.decompress(WARD.read_bytes()))
    home = Path(shutil.copytree(prepared, small_disk / "home"))
    undisturbed = Path(shutil.copytree(prepared, tmp_path / "undisturbed"))
    ballast = fill(small_disk, leave)
    full = medwarden("replay", capture, home=home)
    assert full.returncode == 1, full.stderr
    assert "defect" not in full.stderr
    (sentence,) = full.stderr.splitlines()
    assert str(home) in sentence
    assert "full" in sentence or "No space left" in sentence or "free space" in sentence
    ballast.unlink()
    completed = medwarden("replay", capture, home=home)
    assert completed.returncode == 0, completed.stderr
    assert medwarden("replay", capture, home=undisturbed).returncode == 0
    assert rows(home) == rows(undisturbed)
    assert lake_rows(home) == lake_rows(undisturbed)
    checks = medwarden("doctor", "--json", home=home)
    assert '"data folder","ok":false' not in checks.stdout
    assert '"stored file","ok":false' not in checks.stdout
    assert '"audit chain","ok":true' in checks.stdout


def test_a_folder_that_cannot_be_made_for_want_of_space_is_named(small_disk: Path) -> None:
    ballast = fill(small_disk, 0)
    outcome = medwarden("replay", WARD, home=small_disk / "home")
    assert outcome.returncode == 1
    assert len(outcome.stderr.splitlines()) == 1, outcome.stderr
    assert str(small_disk) in outcome.stderr
    ballast.unlink()
    assert medwarden("replay", WARD, home=small_disk / "home").returncode == 0


def test_reports_are_written_whole_or_not_at_all(small_disk: Path) -> None:
    out = small_disk / "out"
    assert medwarden("assess", WARD, "--out", out).returncode == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    ballast = fill(small_disk, 8_192)
    full = medwarden("assess", WARD, "--out", out)
    assert full.returncode == 1
    (sentence,) = full.stderr.splitlines()
    assert "report.html cannot be written (No space left on device)" in sentence
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    ballast.unlink()
