"""Every evidence field that anything looks at is told by a dissector or a log, or documented as derived."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from medwarden.dissect.registry import dissectors
from medwarden.knowledge.fingerprints.rules import DERIVED_FIELDS, FIELD_GROUPS, fingerprints
from medwarden.sensors.logs.registry import parsers

SOURCE = Path(__file__).resolve().parents[2] / "src" / "medwarden"
TOLD = {field for dissector in dissectors() for field in dissector.manifest.fields}
TOLD |= {field for parser in parsers() for field in parser.manifest.fields}
KNOWN = TOLD | set(DERIVED_FIELDS)
PROTOCOLS = {field.partition(".")[0] for field in KNOWN}
FIELD = re.compile(r"([a-z][a-z0-9_]*)(\.[a-z0-9_]+)+")
FILE_ENDINGS = (".yaml", ".csv", ".json", ".html", ".pcap", ".gz", ".db")
ASGI_MESSAGES = {"http.response.start", "http.response.body"}
READERS = ("inventory", "knowledge", "risk", "policy", "assessment", "app", "cli", "store", "web")


def looked_at(path: Path) -> Iterator[str]:
    """Yield the strings of a module that read like an evidence field of a known protocol."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        text = node.value
        if text.endswith(FILE_ENDINGS) or text in ASGI_MESSAGES or not FIELD.fullmatch(text):
            continue
        if text.partition(".")[0] in PROTOCOLS:
            yield text


def modules() -> list[Path]:
    found = [path for floor in READERS for path in sorted((SOURCE / floor).rglob("*.py"))]
    return [path for path in found if "migrations" not in path.parts]


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_code_looks_at_fields_that_are_told(path: Path) -> None:
    assert sorted(set(looked_at(path)) - KNOWN) == []


def test_fingerprints_look_at_fields_that_are_told() -> None:
    missing = {
        f"{rule.id}: {field}"
        for rule in fingerprints()
        for test in rule.tests
        for field in test.fields
        if field not in KNOWN
    }
    assert sorted(missing) == []


def test_examples_of_fingerprints_show_fields_that_are_told() -> None:
    shown = {
        f"{rule.id}: {field}"
        for rule in fingerprints()
        for example in (*rule.matches, *rule.misses)
        for field, _ in rule.example(example)
        if field not in KNOWN
    }
    assert sorted(shown) == []


def test_groups_of_fields_name_fields_that_are_told() -> None:
    assert sorted({f for group in FIELD_GROUPS.values() for f in group} - KNOWN) == []


def test_the_reader_of_strings_finds_fields() -> None:
    found = {field for path in modules() for field in looked_at(path)}
    assert {"dicom.ae_title", "smb.dialect", "dhcp.host_name"} <= found
