"""Invented patients and staff: names nobody bears, so that a search for them finds only leaks."""

# ruff: noqa: E501 - tables are read by columns
from __future__ import annotations

from random import Random

import msgspec

_FIRST = (
    "Aurelindra", "Balthazon", "Clementyra", "Dobrawenka", "Ebenezir", "Floribunda", "Gundelinde", "Hyazinthus",
    "Isidorix", "Jaromilla", "Kasimirra", "Leopoldinus", "Mirabellis", "Nepomukka", "Ottokarius", "Philomenka",
    "Quirinalda", "Rosamundis", "Sigiswinda", "Theofanius", "Ulrikemor", "Valtrudis", "Wendelgard", "Xaverinka",
)  # fmt: skip
_ROOTS = (
    "Zweifel",
    "Quasten",
    "Obermoos",
    "Wrzescz",
    "Findle",
    "Kranich",
    "Distel",
    "Mauer",
    "Nebel",
    "Rauten",
    "Silber",
    "Tannen",
)
_ENDINGS = (
    "steinhuber",
    "thalinger",
    "zynskova",
    "burykamp",
    "moosgruber",
    "wurzenbach",
    "quellendorf",
    "zapfenreit",
    "hollerstedt",
    "rabenfurt",
)
_STAFF = (
    "Ambros",
    "Brixen",
    "Calder",
    "Dornach",
    "Elsner",
    "Farkas",
    "Grendel",
    "Hellwig",
    "Imhof",
    "Jovanek",
    "Kersting",
    "Lomnitz",
)


class Patient(msgspec.Struct, frozen=True):
    """One planted identity in the shapes that messages use."""

    name: str
    identifier: str
    born: str
    sex: str
    account: str

    def pid(self) -> tuple[str, str, str, str]:
        """Return name, identifier, birth date and sex."""
        return self.name, self.identifier, self.born, self.sex


def invent(seed: int, site: int, count: int) -> list[Patient]:
    """Return the patients of a site."""
    rng = Random(f"{seed}/patients/{site}")  # noqa: S311 - a simulation must be repeatable
    patients = []
    for number in range(count):
        family = rng.choice(_ROOTS) + rng.choice(_ENDINGS)
        born = f"{rng.randrange(1930, 2022)}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
        patients.append(
            Patient(
                f"{family}^{rng.choice(_FIRST)}", f"MRN{site}{77_000_000 + number * 13 + rng.randrange(13)}", born,
                rng.choice("MF"), f"VN{site}{rng.randrange(10**8, 10**9)}",
            )
        )  # fmt: skip
    return patients


def staff(seed: int, count: int) -> list[str]:
    """Return names of operators and physicians in DICOM form."""
    rng = Random(f"{seed}/staff")  # noqa: S311 - a simulation must be repeatable
    return [f"{rng.choice(_STAFF)}{rng.choice(_ENDINGS)[:4]}^{rng.choice(_FIRST)[:6]}" for _ in range(count)]
