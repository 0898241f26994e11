"""The shape of the house: long files and functions are counted and need a reason."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "medwarden"
LONGEST_FILE = 500
LONGEST_FUNCTION = 60
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}

# Every entry is a debt with a reason; a test below fails when one is no longer needed.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}


def modules() -> list[Path]:
    return [p for p in sorted(SOURCE.rglob("*.py")) if "migrations" not in p.parts]


def long_files() -> dict[str, int]:
    lengths = {str(p.relative_to(SOURCE)): len(p.read_text().splitlines()) for p in modules()}
    return {name: length for name, length in lengths.items() if length > LONGEST_FILE}


def long_functions() -> dict[str, int]:
    found: dict[str, int] = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    found[f"{path.relative_to(SOURCE)}:{node.name}"] = length
    return found


def test_no_file_is_long_without_a_reason() -> None:
    assert {n: c for n, c in long_files().items() if n not in LONG_FILES} == {}


def test_no_function_is_long_without_a_reason() -> None:
    assert {n: c for n, c in long_functions().items() if n not in LONG_FUNCTIONS} == {}


def test_the_allow_lists_hold_nothing_that_is_no_longer_long() -> None:
    assert set(LONG_FILES) <= set(long_files())
    assert set(LONG_FUNCTIONS) <= set(long_functions())


def test_no_module_is_named_after_nothing() -> None:
    assert [p for p in modules() if p.stem in FORBIDDEN_NAMES] == []


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_every_module_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path} has no docstring"


def test_tests_mirror_the_source() -> None:
    """A test file of a floor is named after the file it tests, or after a behaviour listed here."""
    behaviours = {
        "conformance", "captures", "oracle", "privacy", "hostile", "bounds", "throughput", "crash",
        "tamper", "disk_full", "repeatable", "repetitions", "contract", "pages", "guards", "console",
        "accessibility", "fuzz", "replay", "stack", "flows", "reassess",
    }  # fmt: skip
    strays: list[str] = []
    for test in sorted((ROOT / "tests").rglob("test_*.py")):
        floor = test.relative_to(ROOT / "tests").parts[0]
        if floor in {"house", "browser", "product"} or not (SOURCE / floor).is_dir():
            continue
        name = test.stem.removeprefix("test_")
        names = {p.stem for p in (SOURCE / floor).rglob("*.p*") if p.suffix in {".py", ".pyx", ".pxi"}}
        names |= {p.name for p in (SOURCE / floor).rglob("*") if p.is_dir()}
        if name not in names and not any(word in name for word in behaviours):
            strays.append(str(test.relative_to(ROOT)))
    assert strays == []
