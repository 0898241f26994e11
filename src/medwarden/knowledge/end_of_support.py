"""When an operating system stops getting security updates, by name and version.

Desktop and server editions that share a build are named together (``7 or Server 2008 R2``); the later
of the two dates counts, so that no supported system is called unsupported.
"""

from __future__ import annotations

from datetime import date
from functools import cache

import msgspec

from medwarden.knowledge.packaged import load_yaml


class _System(msgspec.Struct, frozen=True):
    versions: dict[str, date] = msgspec.field(default_factory=dict)
    always: date | None = None


class WindowsRelease(msgspec.Struct, frozen=True):
    """The system and version that a build number of Windows belongs to."""

    os: str
    version: str


class _File(msgspec.Struct, frozen=True):
    systems: dict[str, _System]
    windows_builds: dict[str, tuple[str, str]]


@cache
def _file() -> _File:
    return load_yaml("end_of_support.yaml", _File)


def support_ends(os: str, os_version: str | None) -> date | None:
    """Return the last day with security updates of a system, or None where the table does not say.

    A version is looked up as it is, then without its last parts (``10.15.7``, ``10.15``, ``10``), then
    without what follows its first word (``10 22H2``). Without a version only systems whose every version
    is past its end have a date.
    """
    system = _file().systems.get(os)
    if system is None:
        return None
    version = (os_version or "").strip()
    while version:
        if version in system.versions:
            return system.versions[version]
        version = version.rpartition("." if "." in version else " ")[0]
    return system.always


def windows_release(build: str) -> WindowsRelease | None:
    """Return the release of a Windows build written ``major.minor.build`` (further parts ignored)."""
    found = _file().windows_builds.get(".".join(build.split(".")[:3]))
    return None if found is None else WindowsRelease(*found)
