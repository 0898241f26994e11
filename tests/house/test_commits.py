"""What may not be in the project: registry hosts, machine paths, secrets, large files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 1 << 20


def tracked() -> list[Path]:
    """Return the files git tracks, or skip where there is no git work tree (a source archive)."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing is tracked here")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def test_no_registry_host_or_machine_path_is_committed() -> None:
    org, com, slash = "o" + "rg", "co" + "m", "/"
    hosts = rf"pypi[.]{org}|pythonhosted[.]{org}|npmjs[.]({org}|{com})|deb[.]debian[.]{org}|crates[.]io"
    paths = rf"(?<![:\w]){slash}root{slash}|{slash}tmp{slash}bash_jobs|{slash}work{slash}(main|steering|[.])"
    pattern = re.compile(f"{hosts}|{paths}")
    found = []
    for path in tracked():
        if not path.is_file():
            continue
        text = path.read_text(errors="ignore") if path.stat().st_size < LARGEST else ""
        if match := pattern.search(text):
            found.append(f"{path.relative_to(ROOT)}: {match.group()}")
    assert found == []


def test_no_file_is_larger_than_a_mebibyte() -> None:
    big = [str(p.relative_to(ROOT)) for p in tracked() if p.is_file() and p.stat().st_size > LARGEST]
    trained = ROOT / "src" / "medwarden" / "knowledge" / "models" / "shipped.mwm"
    assert trained.stat().st_size < 3 * LARGEST
    assert [name for name in big if ROOT / name != trained] == []


def test_no_private_key_is_committed() -> None:
    begin = b"-----BEGIN "
    holders = [
        str(p.relative_to(ROOT))
        for p in tracked()
        if p.is_file() and re.search(begin + rb"(RSA |EC |OPENSSH )?PRIVATE KEY", p.read_bytes())
    ]
    assert holders == []
