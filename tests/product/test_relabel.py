"""Better rules judge anew what was stored: nothing is recorded or replayed a second time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.product.conftest import lines, medwarden

WITHOUT_FINGERPRINTS = """
import sys
from medwarden.knowledge.fingerprints import rules
rules.fingerprints = tuple
from medwarden.cli.main import run
sys.exit(run(["worker", "--once"]))
"""
JUDGED = ("class", "category", "vendor", "model", "os", "os_version", "confidence", "risk")


def judged(home: Path) -> dict[str, dict[str, Any]]:
    """Return what the inventory concludes of each device, by its first MAC address or its id."""
    devices = lines(medwarden("devices", "--json", home=home))
    return {(d["macs"] or [d["id"]])[0]: {key: d[key] for key in JUDGED} for d in devices}


def test_better_rules_judge_stored_evidence_anew(ward_home: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(ward_home, tmp_path / "home"))
    first = judged(home)

    worse = subprocess.run(
        [sys.executable, "-c", WITHOUT_FINGERPRINTS],
        env={**os.environ, "MEDWARDEN_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert worse.returncode == 0, worse.stderr
    poorer = judged(home)
    assert poorer.keys() == first.keys()
    assert sum(d["category"] is None for d in poorer.values()) > sum(
        d["category"] is None for d in first.values()
    )

    better = medwarden("worker", "--once", home=home)
    assert better.returncode == 0, better.stderr
    assert judged(home) == first


def test_the_same_rules_judge_nothing_anew(ward_home: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(ward_home, tmp_path / "home"))
    script = (
        "import sys; from pathlib import Path; from medwarden.store.open import open_store\n"
        "from medwarden.app.worker import renew\n"
        "with open_store(Path(sys.argv[1]), writer=True) as s: print(renew())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(home)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"
