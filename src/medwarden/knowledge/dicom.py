"""What DICOM identifiers say about maker and kind: roots, toolkits, programs, modalities, storage classes."""

from __future__ import annotations

from functools import cache, lru_cache

import msgspec

from medwarden.knowledge.packaged import load_yaml


class Program(msgspec.Struct, frozen=True):
    """A program recognised by the start of its implementation version name."""

    starts: str
    category: str
    vendor: str | None = None


class _Together(msgspec.Struct, frozen=True):
    modalities: frozenset[str]
    category: str


class DicomKnowledge(msgspec.Struct, frozen=True):
    """The whole table; see ``dicom.yaml`` for the meaning of each part."""

    roots: dict[str, str]
    toolkits: dict[str, str]
    programs: tuple[Program, ...]
    modalities: dict[str, str]
    together: tuple[_Together, ...]
    consoles: frozenset[str]
    storage: dict[str, str]


@cache
def dicom_knowledge() -> DicomKnowledge:
    """Return the packaged table."""
    return load_yaml("dicom.yaml", DicomKnowledge)


def _longest_root(uid: str, roots: dict[str, str]) -> str | None:
    while uid:
        if uid in roots:
            return roots[uid]
        uid = uid.rpartition(".")[0]
    return None


@lru_cache(maxsize=4096)
def maker_of_uid(uid: str) -> str | None:
    """Return the maker whose root an implementation class UID (PS3.7 D.3.3.2) has; None for toolkits."""
    if toolkit_of_uid(uid) is not None:
        return None
    return _longest_root(uid, dicom_knowledge().roots)


@lru_cache(maxsize=4096)
def toolkit_of_uid(uid: str) -> str | None:
    """Return the toolkit whose root an implementation class UID has, or None."""
    return _longest_root(uid, dicom_knowledge().toolkits)


@lru_cache(maxsize=4096)
def program_of(version_name: str) -> Program | None:
    """Return the program that an implementation version name gives away, or None."""
    lowered = version_name.lower()
    return next((p for p in dicom_knowledge().programs if lowered.startswith(p.starts.lower())), None)


@lru_cache(maxsize=4096)
def modality_of_storage(sop_class: str) -> str | None:
    """Return the modality whose images a storage SOP class (by name) holds; None for what all kinds store."""
    table = dicom_knowledge().storage
    starts = [start for start in table if sop_class.startswith(start)]
    return table[max(starts, key=len)] if starts else None


def kind_of_modalities(modalities: frozenset[str]) -> str | None:
    """Return the category of a device that makes images of exactly these modalities; None if no single one.

    Modalities that every kind of system produces (reports, presentation states, captures) do not count.
    """
    known = dicom_knowledge()
    telling = modalities & known.modalities.keys()
    kinds = {known.modalities[modality] for modality in telling}
    if len(kinds) == 1:
        return kinds.pop()
    return next((pair.category for pair in known.together if pair.modalities == telling), None)
