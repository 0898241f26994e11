"""The order of versions: of packages by their ecosystem's rules, of devices by an order of our own.

Makers of devices number software with letters and digits (A.01.09, U61, R4.1L1, 2018-1, 1.3.1 Build 13,
1.8.4 Service Pack 01). :attr:`DeviceVersion.key` is a total order over such texts; :func:`compare` adds that
some pairs mean nothing beside each other (U61 and 2.3.6) and answers None for them. Packages are compared by
``univers`` where their scheme is known.
"""

from __future__ import annotations

import re
from functools import lru_cache
from types import MappingProxyType

import msgspec
from univers import versions as schemes
from univers.nuget import InvalidNuGetVersion

_LEAD = re.compile(
    r"^(?:(?:software|firmware|sw|fw|version|versions|ver|release|releases|rel|revision|rev)\b[\s.:#-]*)+",
    re.IGNORECASE,
)
_PIECE = re.compile(r"[0-9]+|[a-z]+|[^a-z0-9]+")
_ALPHANUMERIC = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_RANKS = MappingProxyType({"dev": -5, "alpha": -4, "beta": -3, "pre": -2, "rc": -1})
"""Words of versions before the release they lead to."""
_PATCHES = MappingProxyType(
    {"sp": "sp", "servicepack": "sp", "p": "p", "patch": "p", "hf": "hf", "hotfix": "hf", "u": "u"}
)
_PHRASES = (
    (re.compile(r"\bservice\s*pack\b"), "sp"),
    (re.compile(r"\bhot\s*fix\b"), "hf"),
    (re.compile(r"\bpatch\b"), "patch"),
    (re.compile(r"\bbuild\b"), "build"),
    (re.compile(r"\bupdate\b"), "upd"),
)
LONGEST = 120
"""Characters of a version that are looked at."""

Element = tuple[int, int, str]
"""Rank, number, letters: words before a release, the end, letters, numbers, in this order."""

_END: Element = (0, 0, "")


class DeviceVersion(msgspec.Struct, frozen=True):
    """A version taken apart. ``series`` are letters glued to its first number (the U of U61).

    ``given`` are its elements with the zeros at the end that ``elements`` leave out,
    ``dotted`` tells whether only numbers and dots remain, ``wild`` whether it stands for all
    that begin with it (2.x, the revision N), ``tens`` whether its last number is the first digit of those it
    stands for (C.0x).
    """

    text: str
    elements: tuple[Element, ...]
    given: tuple[Element, ...]
    series: str
    dotted: bool
    wild: bool
    tens: bool = False

    @property
    def key(self) -> tuple[Element, ...]:
        """Return what orders all versions; equal for 1.0 and v1.0.0."""
        return (*self.elements, _END)


@lru_cache(maxsize=65536)
def device_version(text: str) -> DeviceVersion | None:
    """Take a version apart; None where it has neither a number nor a single letter to go by."""
    plain = _LEAD.sub("", text.strip()[:LONGEST].lower()).strip(" .,;:-_()")
    for phrase, short in _PHRASES:
        plain = phrase.sub(short, plain)
    plain = re.sub(r"^[vr](?=[\s.]*[0-9])[\s.]*", "", plain)
    plain = re.sub(r"(?:\.x)+$", ".x", plain)
    if not plain or not (any("0" <= c <= "9" for c in plain) or re.fullmatch(r"[a-z]{1,2}", plain)):
        return None
    wild = bool(re.fullmatch(r"[a-z]", plain)) or bool(re.search(r"(?:^|[.0-9\s-])[x*]$", plain))
    tens = bool(re.search(r"[0-9]x$", plain))
    pieces = _PIECE.findall(plain[:-1] if wild and len(plain) > 1 else plain)
    elements = tuple(_element(piece) for piece in pieces if piece[0] in _ALPHANUMERIC)
    if tens:
        elements = (*elements[:-1], (2, elements[-1][1] * 10, ""))
    return DeviceVersion(
        text=text.strip(),
        elements=elements if wild else _trimmed(elements),
        given=elements,
        series=_series(pieces),
        dotted=bool(re.fullmatch(r"[0-9.]+", plain)),
        wild=wild,
        tens=tens,
    )


def _element(piece: str) -> Element:
    if "0" <= piece[0] <= "9":
        return (2, int(piece), "")
    rank = _RANKS.get(piece)
    if rank is not None:
        return (rank, 0, piece)
    return (1, 0, _PATCHES.get(piece, piece))


def _trimmed(elements: tuple[Element, ...]) -> tuple[Element, ...]:
    """Leave out the zeros at the end: 1.0 is 1.0.0."""
    end = len(elements)
    while end > 1 and elements[end - 1] == (2, 0, ""):
        end -= 1
    return elements[:end]


def _series(pieces: list[str]) -> str:
    """Return the letters that a version begins with; a single letter and a mark (B.02) is no series."""
    if not pieces or not "a" <= pieces[0][0] <= "z":
        return ""
    if len(pieces[0]) == 1 and (len(pieces) == 1 or not "0" <= pieces[1][0] <= "9"):
        return "*"
    return pieces[0]


def comparable(one: DeviceVersion, other: DeviceVersion) -> bool:
    """Tell whether two versions mean something beside each other: the same way of numbering."""
    return one.series == other.series and _dated(one) == _dated(other)


def _dated(version: DeviceVersion) -> bool:
    """Tell whether a version begins with a year: 2018-1."""
    return bool(version.elements) and 1990 <= version.elements[0][1] <= 2099


def compare(one: DeviceVersion, other: DeviceVersion) -> int | None:
    """Return -1, 0 or 1, or None where the two are numbered in different ways."""
    if not comparable(one, other):
        return None
    return (one.key > other.key) - (one.key < other.key)


def begins(longer: DeviceVersion, shorter: DeviceVersion) -> bool:
    """Tell whether ``longer`` goes on where ``shorter`` ends, as 2.3.1 and 2.3 (and not 1.1 and 1.0)."""
    size = len(shorter.given)
    return len(longer.given) > size and longer.given[:size] == shorter.given


def stands_for(wild: DeviceVersion, version: DeviceVersion) -> bool:
    """Tell whether ``version`` is one of those that a version with a wild card stands for."""
    if not wild.wild:
        return False
    size = len(wild.elements)
    mine = version.elements + ((2, 0, ""),) * (size - len(version.elements))
    if not wild.tens:
        return mine[:size] == wild.elements
    return mine[: size - 1] == wild.elements[:-1] and 0 <= mine[size - 1][1] - wild.elements[-1][1] < 10


_SCHEMES: MappingProxyType[str, type[schemes.Version]] = MappingProxyType(
    {
        "semver": schemes.SemverVersion,
        "npm": schemes.SemverVersion,
        "cargo": schemes.SemverVersion,
        "golang": schemes.GolangVersion,
        "maven": schemes.MavenVersion,
        "rpm": schemes.RpmVersion,
        "deb": schemes.DebianVersion,
        "debian": schemes.DebianVersion,
        "apk": schemes.AlpineLinuxVersion,
        "alpine": schemes.AlpineLinuxVersion,
        "pypi": schemes.PypiVersion,
        "python": schemes.PypiVersion,
        "gem": schemes.RubygemsVersion,
        "nuget": schemes.NugetVersion,
        "composer": schemes.ComposerVersion,
        "openssl": schemes.OpensslVersion,
    }
)
SCHEMES = frozenset(_SCHEMES)
"""Names of the schemes that packages are compared by (the types of a purl and of a vers range)."""


def compare_packages(scheme: str, one: str, other: str) -> int | None:
    """Return -1, 0 or 1 by the rules of ``scheme``; None where either is no version of it.

    A scheme without rules of its own is compared in the order of device versions.
    """
    kind = _SCHEMES.get(scheme)
    if kind is None:
        left, right = device_version(one), device_version(other)
        return None if left is None or right is None else compare(left, right)
    try:
        first, second = kind(one), kind(other)
        if first == second:
            return 0
        return -1 if first < second else 1
    except (schemes.InvalidVersion, InvalidNuGetVersion, ValueError, TypeError, AttributeError, IndexError):
        return None
