"""What others say of a device: the hospital's own books, and the guesses of scanners.

An entry in an inventory is somebody's word: mostly right, sometimes out of date. It is weighed below what a
device says of itself and above what its network stack looks like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from medwarden.inventory.replaced import replaced
from medwarden.knowledge.fingerprints.rules import TRUST
from medwarden.knowledge.makers import known_maker, short_name
from medwarden.knowledge.taxonomy import categories
from medwarden.model.device import Ballot, Device, DeviceClass
from medwarden.model.evidence import LedgerEntry

_STATED = {
    "inventory.model": ("model", "strong"),
    "inventory.serial": ("serial", "strong"),
    "inventory.firmware": ("firmware", "likely"),
    "inventory.os_version": ("os_version", "likely"),
}
_VERSIONS = frozenset({"inventory.firmware", "inventory.os", "inventory.os_version"})
"""Columns in which a later list tells what became of a device; of the others, lists may disagree."""
_WINDOWS = re.compile(r"(?:microsoft )?(windows(?: server| ce| embedded)?)\b\s*(.*)", re.IGNORECASE)
_WINDOWS_NAMES = {
    "windows": "Windows",
    "windows server": "Windows Server",
    "windows ce": "Windows CE",
    "windows embedded": "Windows Embedded",
}
_LETTERS = re.compile(r"[^0-9a-z]")


def book_ballots(device: Device) -> Iterator[Ballot]:
    """Yield the votes of inventories (``inventory.*``) and of scanners' guesses (``nmap.*``)."""
    former = replaced(device.ledger, _VERSIONS, 1)
    for entry in device.ledger:
        if (entry.field, entry.value) in former:
            continue
        stated = _STATED.get(entry.field)
        if stated is not None:
            yield _vote(*stated, entry.value, entry)
        elif entry.field == "inventory.vendor":
            maker = known_maker(entry.value)
            yield _vote("vendor", "strong" if maker else "likely", short_name(entry.value), entry)
        elif entry.field == "inventory.category":
            yield from _kind(entry)
        elif entry.field == "inventory.os":
            yield from _system(entry, "likely")
        elif entry.field == "nmap.os_version":
            yield from _system(entry, "hint")


def _vote(level: str, trust: str, label: str, entry: LedgerEntry) -> Ballot:
    rule = f"{'book' if entry.field.startswith('inventory.') else 'scanner'}-{level}"
    return Ballot(level, label.strip(), TRUST[trust], rule, entry.field, entry.value)


def _kind(entry: LedgerEntry) -> Iterator[Ballot]:
    """Yield the category that an entry names by id or name, or the class."""
    key = _folded(entry.value)
    category = _categories().get(key)
    if category is not None:
        yield _vote("category", "strong", category, entry)
        return
    for member in DeviceClass:
        if member is not DeviceClass.UNKNOWN and _folded(member.value) == key:
            yield _vote("class", "strong", member.value, entry)


@cache
def _categories() -> dict[str, str]:
    """Return category ids by their folded id, name, and name without what stands in brackets."""
    found: dict[str, str] = {}
    for category in categories().values():
        if category.device_class is DeviceClass.UNKNOWN:
            continue
        for words in (category.id, category.name, category.name.partition("(")[0]):
            found.setdefault(_folded(words), category.id)
    return found


def _folded(words: str) -> str:
    return _LETTERS.sub("", words.casefold())


def _system(entry: LedgerEntry, trust: str) -> Iterator[Ballot]:
    """Yield the operating system; of Windows, name and version apart."""
    found = _WINDOWS.fullmatch(entry.value.strip())
    if found is None:
        yield _vote("os", trust, entry.value, entry)
        return
    yield _vote("os", trust, _WINDOWS_NAMES[" ".join(found[1].lower().split())], entry)
    if found[2]:
        yield _vote("os_version", "hint", found[2], entry)
