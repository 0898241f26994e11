"""How makers are called: one short vendor name for the many registered and printed forms of it."""

from __future__ import annotations

import re
from functools import cache, lru_cache

import msgspec

from medwarden.knowledge.packaged import load_yaml
from medwarden.model.device import DeviceClass

_LEGAL = re.compile(
    r"[,.]?\s*\b(?:inc|incorporated|corp|corporation|co|company|ltd|limited|llc|lp|plc|gmbh|ag|kg|kgaa|se|sa|s\.a|"
    r"spa|s\.p\.a|srl|s\.r\.l|bv|b\.v|nv|n\.v|ab|as|a/s|aps|oy|oyj|pty|pte|kk|k\.k|sas|sarl|sdn|bhd|international|"
    r"technologies|technology|electronics|systems|communications|networks|group|holdings?)\b\.?$",
    re.IGNORECASE,
)
_WORD_END = re.compile(r"[^0-9a-zà-ÿ]|$")


_LONGEST = 200
"""Letters of a name in which a legal form is looked for: each look takes time with the square of them."""


class MakerName(msgspec.Struct, frozen=True):
    """A maker as people call it, with what its devices most probably are (None: many kinds).

    ``only`` where it makes hardly anything else than ``category``; ``prefix`` is how far its MAC prefix
    alone may be trusted to name the vendor of the device, ``hosts`` whether its computers are built into
    devices of others.
    """

    name: str
    starts: tuple[str, ...]
    device_class: DeviceClass | None = msgspec.field(default=None, name="class")
    category: str | None = None
    only: bool = False
    prefix: str = "strong"
    hosts: bool = False


class ModuleMaker(msgspec.Struct, frozen=True):
    """Makers whose parts others build in; ``device_class`` where such parts sit in one class alone."""

    starts: tuple[str, ...]
    device_class: DeviceClass | None = msgspec.field(default=None, name="class")


class _File(msgspec.Struct):
    makers: tuple[MakerName, ...]
    modules: tuple[ModuleMaker, ...]


class _Index:
    """Entries by the first three characters of their starts, longest start first."""

    def __init__(self) -> None:
        file = load_yaml("makers.yaml", _File)
        self.names = {maker.name: maker for maker in file.makers}
        self._makers: dict[str, list[tuple[str, MakerName]]] = {}
        self._modules: dict[str, list[tuple[str, ModuleMaker]]] = {}
        for maker in file.makers:
            for start in maker.starts:
                self._makers.setdefault(start[:2], []).append((start, maker))
        for module in file.modules:
            for start in module.starts:
                self._modules.setdefault(start[:2], []).append((start, module))
        for entries in self._makers.values():
            entries.sort(key=lambda entry: -len(entry[0]))

    def maker(self, text: str) -> MakerName | None:
        for start, maker in self._makers.get(text[:2], ()):
            if text.startswith(start) and _WORD_END.match(text, len(start)):
                return maker
        return None

    def printed(self) -> dict[str, str]:
        return {start: maker.name for entries in self._makers.values() for start, maker in entries}

    def module(self, text: str) -> ModuleMaker | None:
        for start, module in self._modules.get(text[:2], ()):
            if text.startswith(start) and _WORD_END.match(text, len(start)):
                return module
        return None


@cache
def _index() -> _Index:
    return _Index()


@lru_cache(maxsize=8192)
def known_maker(text: str) -> MakerName | None:
    """Return the maker that ``text`` (a registered name, a manufacturer field) begins with, or None."""
    return _index().maker(text.strip().lower())


def maker_named(vendor: str) -> MakerName | None:
    """Return the maker of that short name, or None where the table does not have it."""
    return _index().names.get(vendor)


@lru_cache(maxsize=8192)
def module_maker(registered: str) -> ModuleMaker | None:
    """Return the entry of a maker of modules, chips or boards, or None for other makers."""
    return _index().module(registered.strip().lower())


@cache
def printed_names() -> dict[str, str]:
    """Return every printed beginning that the table knows, in lower case, with the maker's short name."""
    return _index().printed()


def is_module_maker(registered: str) -> bool:
    """Tell whether the name is that of a maker of modules, chips or boards that others build in."""
    return module_maker(registered) is not None


@lru_cache(maxsize=8192)
def short_name(text: str) -> str:
    """Return the short name of the maker, or ``text`` without its legal form where it is not known."""
    maker = known_maker(text)
    if maker is not None:
        return maker.name
    name = text.strip()
    if len(name) > _LONGEST:
        return name
    while True:
        shorter = _LEGAL.sub("", name).rstrip(" ,.&-")
        if shorter == name or not shorter:
            return name
        name = shorter
