"""What a commit leaves to be done is done by whoever comes next, where a process was killed between."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker
from tests.app import killed
from tests.store.conftest import migrated  # noqa: F401 - a fixture

from medwarden.app import reconcile
from medwarden.app.fingerprints import load_own
from medwarden.app.judge import judge_stale
from medwarden.app.learning import RULES_FILE
from medwarden.app.models import load_model, local_file
from medwarden.app.worker import renew
from medwarden.knowledge.fingerprints.rules import own_rules
from medwarden.store.open import open_store

ROOT = Path(__file__).parents[2]
TENANT, SITE = "default", "main"


@pytest.fixture(scope="module")
def folders(
    migrated: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> dict[str, Path]:
    """Return folders in which all is ready for each deed, and such in which it was done undisturbed."""
    base = tmp_path_factory.mktemp("folders")
    made: dict[str, Path] = {}
    ready = base / "empty"
    shutil.copytree(migrated, ready)
    with django_db_blocker.unblock():
        _in(ready, killed.prepare)
        for deed in ("hear", "bring_book", "define", "answer"):
            made[f"before {deed}"] = ready
            done = Path(shutil.copytree(ready, base / deed))
            _in(done, getattr(killed, deed), settle)
            made[f"after {deed}"] = ready = done
    load_own(made["before hear"])
    load_model(made["before hear"])
    return made


def _in(home: Path, *deeds: Any) -> None:
    reconcile._last.clear()
    with open_store(home, writer=True):
        for deed in deeds:
            deed()


def settle() -> None:
    """Be the next process, a worker, for as long as there is anything to do."""
    from medwarden.store.models import OwedWork

    for _ in range(10):
        renew()
        reconcile._last.clear()
        if not judge_stale(TENANT, SITE) and not OwedWork.objects.exists():
            return
    raise AssertionError(f"owed for ever: {list(OwedWork.objects.values())}")


def state() -> dict[str, object]:
    """Return what follows from what was stored, as far as it does not name times."""
    from medwarden.store.models import AttributeValue, BookMatch, Device, Finding, RiskScore

    return {
        "labels": set(Device.objects.values_list("pk", "category", "vendor", "serial", "stale")),
        "findings": sorted(Finding.objects.values_list("device_id", "type", "state")),
        "attributes": set(AttributeValue.objects.values_list("device_id", "value", "rule", "why")),
        "matches": set(BookMatch.objects.values_list("key", "device_id", "state")),
        "scored": RiskScore.objects.filter(current=True).count(),
        "rules": [rule.id for rule in own_rules()],
    }


def forget(home: Path) -> None:
    """Let the process label as before: what a folder was taught holds for the process."""
    (home / "fingerprints" / RULES_FILE).unlink(missing_ok=True)
    load_own(home)
    local_file(home).unlink(missing_ok=True)
    load_model(home)


@pytest.fixture
def home(folders: dict[str, Path], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    deed = killed.STEPS[request.getfixturevalue("step")][1]
    copied = Path(shutil.copytree(folders[f"before {deed}"], tmp_path / "home"))
    yield copied
    forget(copied)


@pytest.mark.parametrize("step", list(killed.STEPS))
def test_whoever_comes_next_takes_up_what_a_killed_process_owed(
    step: str, home: Path, folders: dict[str, Path], tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.app.killed", str(home), step],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
    undisturbed = Path(shutil.copytree(folders[f"after {killed.STEPS[step][1]}"], tmp_path / "other"))
    with django_db_blocker.unblock():
        with open_store(undisturbed, writer=True):
            load_own(undisturbed)
            load_model(undisturbed)
            wanted = state()
        with open_store(home, writer=True):
            settle()
            found = state()
            reconcile._last.clear()
            assert judge_stale(TENANT, SITE) == 0
            again = state()
    assert found == wanted
    assert again == found
