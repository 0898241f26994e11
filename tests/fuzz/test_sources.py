"""Which code a parser consists of: what changes its digest and what does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fuzz.sources import Sources

ROOT = Path(__file__).resolve().parents[2]

CORE = """\
from medwarden.dissect.words import WORDS

include "octets.pxi"
include "dns.pxi"
include "http.pxi"
"""
FILES = {
    "dissect/__init__.py": "",
    "dissect/_core.pyx": CORE,
    "dissect/octets.pxi": "cdef enum:\n    MOST = 4  # of dns\n\ncdef int be16(int a):\n    return a\n",
    "dissect/dns.pxi": 'cdef class Message:\n    """One."""\n    cdef f(self):\n        return be16(MOST)\n',
    "dissect/http.pxi": "LONGEST = MOST\ndef head():\n    return WORDS\n",
    "dissect/words.py": "WORDS = ()\n",
    "dissect/dns.py": "from medwarden.dissect._core import Message\nfrom medwarden.dissect import names\n",
    "dissect/names.py": '"""Names."""\n\nfrom medwarden.model.facts import Fact\n\nMOST = 3\n',
    "dissect/http.py": "from medwarden.dissect._core import head\n",
    "dissect/late.py": "def f():\n    import medwarden.dissect.names\n",
    "model/facts.py": "class Fact: ...\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "medwarden" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def names(tree: Path, *roots: str) -> list[str]:
    return [path.relative_to(tree / "medwarden").as_posix() for path in Sources(tree).code(roots).files]


def digest(tree: Path, root: str) -> str:
    return Sources(tree).code([root]).digest


def changes(tree: Path, name: str, text: str) -> set[str]:
    """Return which of the roots have another digest when a file says something else."""
    roots = [f"medwarden.dissect.{name}" for name in ("dns", "http", "names", "late")]
    before = {root: digest(tree, root) for root in roots}
    (tree / "medwarden" / name).write_text(text)
    return {root.rpartition(".")[2] for root in roots if digest(tree, root) != before[root]}


def test_a_parser_consists_of_what_it_imports_and_of_the_native_parts_it_uses(tree: Path) -> None:
    assert names(tree, "medwarden.dissect.dns") == [
        "dissect/_core.pyx", "dissect/dns.pxi", "dissect/dns.py", "dissect/names.py", "dissect/octets.pxi"
    ]  # fmt: skip
    assert names(tree, "medwarden.dissect.http") == [
        "dissect/_core.pyx", "dissect/http.pxi", "dissect/http.py", "dissect/octets.pxi", "dissect/words.py"
    ]  # fmt: skip
    assert names(tree, "medwarden.dissect.late") == ["dissect/late.py", "dissect/names.py"]


def test_the_whole_native_module_has_all_its_parts(tree: Path) -> None:
    parts = ["dissect/_core.pyx", "dissect/dns.pxi", "dissect/http.pxi", "dissect/octets.pxi"]
    assert [name for name in names(tree, "medwarden.dissect._core") if not name.endswith(".py")] == parts


def test_a_change_reaches_those_that_use_it_and_nobody_else(tree: Path) -> None:
    assert changes(tree, "dissect/names.py", "MOST = 4\n") == {"dns", "names", "late"}
    assert changes(tree, "dissect/words.py", "WORDS = (1,)\n") == {"http"}
    octets = FILES["dissect/octets.pxi"] + "\ncdef int more():\n    return 1\n"
    assert changes(tree, "dissect/octets.pxi", octets) == {"dns", "http"}
    assert changes(tree, "dissect/dns.pxi", "cdef class Message:\n    pass\n") == {"dns"}


def test_comments_docstrings_blank_lines_and_imports_of_other_parts_change_nothing(tree: Path) -> None:
    assert changes(tree, "dissect/names.py", '"""A."""\n# why\nMOST = 3\n') == {"dns", "names", "late"}
    assert changes(tree, "dissect/names.py", '"""More\nwords."""\n\n\n    # indented\nMOST = 3\n') == set()
    other = FILES["dissect/dns.pxi"].replace('"""One."""', '"""A\n    b."""')
    assert changes(tree, "dissect/dns.pxi", other) == set()
    assert changes(tree, "dissect/_core.pyx", CORE + "\n# the end\n") == set()
    assert changes(tree, "model/facts.py", "class Fact:\n    a = 1\n") == set()


def test_a_string_that_is_no_docstring_counts(tree: Path) -> None:
    before = changes(tree, "dissect/names.py", 'MOST = (\n    """one"""\n)\n')
    assert before == {"dns", "names", "late"}
    assert changes(tree, "dissect/names.py", 'MOST = (\n    """two"""\n)\n') == {"dns", "names", "late"}


def test_a_module_that_there_is_not_is_named(tree: Path) -> None:
    with pytest.raises(KeyError, match="there is no module"):
        Sources(tree).code(["medwarden.dissect.nobody"])


def test_code_knows_when_it_is_newer_than_what_was_built(tree: Path) -> None:
    code = Sources(tree).code(["medwarden.dissect.dns"])
    for path in code.files:
        os.utime(path, (1000, 1000))
    assert code.unbuilt()
    built = tree / "medwarden" / "dissect" / "_core.so"
    built.touch()
    os.utime(built, (2000, 2000))
    assert not code.unbuilt()
    assert not code.newer(1500)
    os.utime(tree / "medwarden" / "dissect" / "dns.pxi", (3000, 3000))
    assert code.unbuilt()
    assert code.newer(1500)
    assert code.native == 3


def test_the_real_dissectors_are_told_apart() -> None:
    sources = Sources(ROOT / "src")
    dns = {path.name for path in sources.code(["medwarden.dissect.dns"]).files}
    assert {"dns.py", "dns.pxi", "dns_message.py", "octets.pxi", "_core.pyx"} <= dns
    assert not {"http.pxi", "tls.pxi", "dcerpc.pxi", "http.py", "evidence.py"} & dns
    bacnet = {path.name for path in sources.code(["medwarden.dissect.bacnet"]).files}
    assert {"bacnet.py", "connection.py", "connection.pxi"} <= bacnet
    assert "dns.pxi" not in bacnet
