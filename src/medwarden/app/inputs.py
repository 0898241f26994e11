"""The files a person named: folders walked, and what is no input told apart from what is broken."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from medwarden.kernel.errors import ConfigurationError
from medwarden.sensors.capture_file import sniff
from medwarden.sensors.log_files import form_of

CAPTURE_SUFFIXES = frozenset({".pcap", ".pcapng", ".cap", ".trace", ".dmp", ".erf", ".snoop", ".ntar"})
_PACKED_SUFFIXES = frozenset({".gz", ".zst", ".zstd"})


class Inputs(msgspec.Struct, frozen=True):
    """What there is to read, in a stable order, and what lies beside it in the folders named.

    ``beside`` holds files found in folders that are neither a capture, nor called like one, nor a known log;
    a file named by itself is never among them. A folder that holds no input, or cannot be looked into,
    stands among ``files``: reading it says so.
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
        found = dict.fromkeys(_members(path))
        captures = dict.fromkeys(member for member in found if member.is_dir() or _is_input(member))
        files |= captures or {path: None}
        beside |= {member: None for member in found if member not in captures}
    return Inputs(tuple(files), tuple(p for p in beside if p not in files))


def _members(folder: Path) -> list[Path]:
    """Return the files beneath a folder, sorted, and the folders beneath it that cannot be looked into."""
    members: list[Path] = []

    def shut(error: OSError) -> None:
        members.append(Path(error.filename))

    for place, _, names in os.walk(folder, onerror=shut):
        members += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(member for member in members if member.is_file() or member.is_dir())


def _is_input(path: Path) -> bool:
    suffixes = [s.lower() for s in path.suffixes]
    while suffixes and suffixes[-1] in _PACKED_SUFFIXES:
        suffixes.pop()
    if suffixes and suffixes[-1] in CAPTURE_SUFFIXES:
        return True
    # What cannot be read may be an input: reading it will say why it cannot.
    return not os.access(path, os.R_OK) or sniff(path) is not None or form_of(path) is not None
