"""Tables that leave medwarden: whoever writes one makes its cells harmless."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import medwarden

SOURCE = Path(medwarden.__file__).parent
NEUTRAL = {"neutral_text", "neutral_cell", "csv_cells", "csv_text"}


def writers() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield each function that makes a writer of CSV."""
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text("utf-8")
        if "csv.writer" not in text and "csv.DictWriter" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and {"writer", "DictWriter"} & _called(node, "csv"):
                yield f"{path.relative_to(SOURCE)}:{node.name}", node


def _called(node: ast.AST, module: str) -> set[str]:
    """Return the names of what is called of a module (of any, or none, where it is empty)."""
    found = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Call):
            function = each.func
            if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
                if not module or function.value.id == module:
                    found.add(function.attr)
            elif isinstance(function, ast.Name) and not module:
                found.add(function.id)
    return found


WRITERS = list(writers())


def test_there_are_tables() -> None:
    assert len(WRITERS) > 5


@pytest.mark.parametrize(("name", "function"), WRITERS, ids=[name for name, _ in WRITERS])
def test_whoever_writes_a_table_makes_its_cells_harmless(name: str, function: ast.FunctionDef) -> None:
    assert NEUTRAL & _called(function, ""), (
        f"{name} writes cells as they come: devices choose what they are called"
    )
