"""What templates must not do: things that only fail on data that tests seldom have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import medwarden.web

TEMPLATES = sorted((Path(medwarden.web.__file__).parent / "templates").rglob("*.html"))
_ELEMENT = re.compile(r"\|\s*\w+:[A-Za-z_][\w.]*\.\d")


def test_there_are_templates() -> None:
    assert len(TEMPLATES) > 60


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_filter_is_given_an_element_of_a_list(path: Path) -> None:
    """A filter's argument is looked up even when it is not needed, and an empty list has no element."""
    found = [m.group(0) for m in _ELEMENT.finditer(path.read_text(encoding="utf-8"))]
    assert found == [], "say {% firstof %} instead, which takes the first that is there"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_tag_runs_over_the_end_of_a_line(path: Path) -> None:
    """Django takes such a tag for text: the reader sees it, and a form sends it back."""
    lines = path.read_text(encoding="utf-8").splitlines()
    broken = [
        number
        for number, line in enumerate(lines, 1)
        if line.count("{{") != line.count("}}") or line.count("{%") != line.count("%}")
    ]
    assert broken == []
