"""The files a person named: folders walked, and what is no input told apart from what is broken."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from medwarden.kernel.errors import ConfigurationError
from medwarden.sensors.capture_file import sniff

CAPTURE_SUFFIXES = frozenset({".pcap", ".pcapng", ".cap", ".trace", ".dmp", ".erf", ".snoop", ".ntar"})
_PACKED_SUFFIXES = frozenset({".gz", ".zst", ".zstd"})


class Inputs(msgspec.Struct, frozen=True):
    """What there is to read, in a stable order, and what lies beside it in the folders named.

    ``beside`` holds files found in folders that neither look like a capture nor are called like one;
    a file named by itself is never among them.
    """

    files: tuple[Path, ...]
    beside: tuple[Path, ...]


def find_inputs(named: Iterable[str | Path]) -> Inputs:
    """Return the inputs among ``named`` files and folders, each once.

    Raises ConfigurationError for a path that does not exist.
    """
    files: dict[Path, None] = {}
    beside: dict[Path, None] = {}
    for name in named:
        path = Path(name)
        if not path.exists() and not path.is_symlink():
            raise ConfigurationError(f"{path}: there is no such file or folder")
        if not path.is_dir():
            files[path] = None
            continue
        for member in sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".")):
            (files if _is_capture(member) else beside)[member] = None
    return Inputs(tuple(files), tuple(p for p in beside if p not in files))


def _is_capture(path: Path) -> bool:
    suffixes = [s.lower() for s in path.suffixes]
    while suffixes and suffixes[-1] in _PACKED_SUFFIXES:
        suffixes.pop()
    if suffixes and suffixes[-1] in CAPTURE_SUFFIXES:
        return True
    try:
        return sniff(path) is not None
    except OSError:
        return True  # unreadable: reading it will say why, in words
