"""Tell which code a parser consists of, and its digest: what was fuzzed is the code, not the name.

A unit is a Python module or one part (``.pxi``) of a native one. A unit needs what it imports from
``medwarden``, a native part also those parts that define the words it uses. Facts and interfaces (``model``,
``kernel``) do not count, nor what stands above the parsers (``app``, ``store``, ``web``, ``cli``) unless a
target begins there. Comments, docstrings and blank lines do not count either.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = "medwarden"
NOT_FOLLOWED = ("kernel", "model", "app", "store", "web", "cli")
_DEFINED = re.compile(
    r"^(?:cdef|cpdef|def|class|ctypedef)\b(?! extern| enum:)"
    r"[^(=:\n]*?\b(\w+)(?:\[[^\]]*\])?[ ]*(?:[(=:,]|$)",
    re.MULTILINE,
)
_ASSIGNED = re.compile(r"^([A-Za-z_]\w*(?:, [A-Za-z_]\w*)*) = ", re.MULTILINE)
_ENUM = re.compile(r"^(?:cdef|cpdef) enum[^\n]*:\n((?:[ \t]+[^\n]*\n|\n)+)", re.MULTILINE)
_IMPORT = re.compile(rf"^from ({PACKAGE}[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)
_INCLUDE = re.compile(r'^include "([^"]+)"', re.MULTILINE)
_DOCSTRING = re.compile(r'^[ \t]*"""[\s\S]*?"""[ \t]*$', re.MULTILINE)
_WORD = re.compile(r"[A-Za-z_]\w*")
_USED = re.compile(r"(?<![\w.])(?:[a-z]+(?=\()|(?=[a-z]*[A-Z_0-9])[A-Za-z_]\w*)")  # else it is a variable
_MEMBER = re.compile(r"^[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
_COMMENT = re.compile(r"  #.*$", re.MULTILINE)


def bare_python(text: str) -> str:
    """Return Python without comments on lines of their own, docstrings and blank lines."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        alone = node.value if isinstance(node, ast.Expr) else None
        if isinstance(alone, ast.Constant) and isinstance(alone.value, str):
            for number in range(alone.lineno, (alone.end_lineno or alone.lineno) + 1):
                lines[number - 1] = ""
    return _bare(lines)


def bare_native(text: str) -> str:
    """Return Cython without comments on lines of their own, docstrings and blank lines."""
    return _bare(_DOCSTRING.sub("", text).splitlines())


def _bare(lines: Iterable[str]) -> str:
    return "\n".join(line.rstrip() for line in lines if line.strip() and not line.lstrip().startswith("#"))


class Native:
    """One native module: which part defines a word, and what each part needs."""

    def __init__(self, module: Path, folders: Iterable[Path]) -> None:
        text = module.read_text()
        self.main = module
        self.parts = [module]
        for name in _INCLUDE.findall(text):
            self.parts.append(next(folder / name for folder in folders if (folder / name).exists()))
        self._bare = {part: bare_native(part.read_text()) for part in self.parts}
        self._from: dict[str, str] = {}
        for source, words in _IMPORT.findall(self._bare[module]):
            self._from |= dict.fromkeys(_WORD.findall(words), source)
        self._home: dict[str, Path] = {}
        for part in self.parts[1:]:
            bare = _COMMENT.sub("", self._bare[part])
            plain = [word for words in _ASSIGNED.findall(bare) for word in _WORD.findall(words)]
            enums = [word for block in _ENUM.findall(bare) for word in _MEMBER.findall(block)]
            self._home |= dict.fromkeys([*_DEFINED.findall(bare), *plain, *enums], part)

    def part_of(self, word: str) -> list[Path]:
        """Return the part that defines ``word``; all of them where that cannot be told."""
        return [self._home[word]] if word in self._home else self.parts

    def bare(self, part: Path) -> str:
        """Return the code of a part; of the module itself only what is no import and no inclusion."""
        text = self._bare[part]
        return _INCLUDE.sub("", _IMPORT.sub("", text)) if part == self.main else text

    def needs(self, part: Path) -> tuple[set[Path], set[str]]:
        """Return the other parts and the Python modules that a part needs."""
        if part == self.main:
            return set(), set()
        words = set(_USED.findall(_COMMENT.sub("", self._bare[part])))
        parts = {self._home[word] for word in words & self._home.keys()} - {part}
        return {self.main, *parts}, {self._from[word] for word in words & self._from.keys()}


@dataclass(frozen=True)
class Code:
    """The files of a parser's units and 16 hexadecimal digits that change with the code of any of them."""

    files: tuple[Path, ...]
    digest: str

    @property
    def native(self) -> int:
        """Return how many parts of native modules belong to it."""
        return sum(file.suffix in {".pyx", ".pxi"} for file in self.files)

    def newer(self, moment: float) -> bool:
        """Tell whether a file of it has changed since ``moment`` (seconds since 1970), or is gone."""
        return any(not file.exists() or file.stat().st_mtime > moment for file in self.files)

    def unbuilt(self) -> bool:
        """Tell whether a native part of it is newer than what was built beside it."""
        for part in self.files:
            if part.suffix in {".pyx", ".pxi"}:
                built = [path.stat().st_mtime for path in part.parent.glob("*.so")]
                if not built or part.stat().st_mtime > max(built):
                    return True
        return False


class Sources:
    """The code below a folder that holds the package, read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bare: dict[Path, str] = {}
        self._needed: dict[Path, set[Path]] = {}

    @cached_property
    def _natives(self) -> dict[Path, Native]:
        """Every native module by its own file and by each of its parts."""
        found: dict[Path, Native] = {}
        modules = sorted(self._folder.rglob("*.pyx"))
        folders = [module.parent for module in modules]
        for module in modules:
            native = Native(module, [module.parent, *folders])
            found |= dict.fromkeys(native.parts, native)
        return found

    def files(self, roots: Iterable[str]) -> list[Path]:
        """Return the files of all units that the modules ``roots`` need, sorted. Raises KeyError for none."""
        waiting: list[Path] = []
        for root in roots:
            begun = list(self._resolved(root, ()))
            if not begun:
                raise KeyError(f"there is no module {root}")
            waiting += begun
        found: set[Path] = set()
        while waiting:
            unit = waiting.pop()
            if unit not in found:
                found.add(unit)
                waiting += self._needs(unit) - found
        return sorted(found)

    def code(self, roots: Iterable[str]) -> Code:
        """Return what these modules consist of. Raises KeyError for a module that there is not."""
        files = self.files(roots)
        digest = hashlib.blake2b(digest_size=8)
        for file in files:
            bare = self._code(file).encode()
            name = file.relative_to(self._folder).as_posix().encode()
            digest.update(b"%b %d\n%b" % (name, len(bare), bare))
        return Code(tuple(files), digest.hexdigest())

    def _code(self, file: Path) -> str:
        if file not in self._bare:
            native = self._natives.get(file)
            self._bare[file] = bare_python(file.read_text()) if native is None else native.bare(file)
        return self._bare[file]

    def _needs(self, unit: Path) -> set[Path]:
        if unit not in self._needed:
            self._needed[unit] = set(self._look(unit))
        return self._needed[unit]

    def _look(self, unit: Path) -> Iterator[Path]:
        native = self._natives.get(unit)
        if native is not None:
            parts, modules = native.needs(unit)
            yield from parts
            for module in modules:
                yield from self._followed(module, ())
            return
        for node in ast.walk(ast.parse(unit.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield from self._followed(node.module, [alias.name for alias in node.names])
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self._followed(alias.name, ())

    def _followed(self, module: str, words: Iterable[str]) -> Iterator[Path]:
        names = module.split(".")
        if names[0] == PACKAGE and not (len(names) > 1 and names[1] in NOT_FOLLOWED):
            yield from self._resolved(module, words)

    def _resolved(self, module: str, words: Iterable[str]) -> Iterator[Path]:
        """Yield the files of a module of which ``words`` are imported; a submodule is a module of its own."""
        place = self._folder / Path(*module.split("."))
        words = list(words)
        if place.with_suffix(".pyx").exists():
            native = self._natives[place.with_suffix(".pyx")]
            yield from {part for word in words for part in native.part_of(word)} if words else native.parts
        elif place.with_suffix(".py").exists():
            yield place.with_suffix(".py")
        elif place.is_dir():
            inner = [w for w in words if any((place / w).with_suffix(s).exists() for s in (".py", ".pyx"))]
            inner += [w for w in words if (place / w / "__init__.py").exists()]
            for word in inner:
                yield from self._followed(f"{module}.{word}", ())
            if len(inner) < len(words) or not words:
                yield place / "__init__.py"
