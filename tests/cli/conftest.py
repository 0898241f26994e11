"""The command line inside the test process, on copies of a folder that holds the demonstration ward."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from pytest_django.plugin import DjangoDbBlocker

from medwarden.app.demo import WARD
from medwarden.cli.main import run


class Said(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str


Say = Callable[..., Said]


@pytest.fixture(scope="session")
def ward(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    """Return a data folder with the ward; not to be changed."""
    home = tmp_path_factory.mktemp("ward") / "home"
    with django_db_blocker.unblock():
        assert run(["replay", str(WARD), "--home", str(home)]) == 0
    return home


@pytest.fixture
def home(ward: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copytree(ward, tmp_path / "home"))


@pytest.fixture
def say(
    capsys: pytest.CaptureFixture[str], django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Say]:
    """Return ``say(words ..., home=...)``, which runs one command."""

    def _say(*words: object, home: Path | None = None) -> Said:
        if home is not None:
            monkeypatch.setenv("MEDWARDEN_HOME", str(home))
        capsys.readouterr()
        status = run([str(word) for word in words])
        return Said(status, *capsys.readouterr())

    with django_db_blocker.unblock():
        yield _say
