"""The catalogue of devices a hospital may own (``catalogue.yaml``): published makers and models."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import msgspec
import yaml

from medwarden.simulation.systems import SYSTEMS, System


class Model(msgspec.Struct, frozen=True):
    """One model of one maker. ``prefixes`` are IEEE prefixes of its interfaces, ``facts`` what it says."""

    category: str
    vendor: str
    name: str
    prefixes: tuple[bytes, ...]
    systems: tuple[System, ...]
    firmware: tuple[str, ...]
    weight: int
    facts: dict[str, Any]

    def fact(self, name: str, otherwise: str = "") -> str:
        """Return a fact as text."""
        return str(self.facts.get(name, otherwise))


@cache
def models() -> dict[str, tuple[Model, ...]]:
    """Return all models by category, in the order of the catalogue."""
    text = (resources.files("medwarden.simulation") / "catalogue.yaml").read_text(encoding="utf-8")
    data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    found: dict[str, list[Model]] = {}
    for row in data["models"]:
        prefixes = tuple(bytes.fromhex(digits) for key in row["n"] for digits in data["interfaces"][key])
        model = Model(
            row["c"],
            row["v"],
            row["m"],
            prefixes,
            tuple(SYSTEMS[key] for key in row["s"]),
            tuple(row["f"]),
            row["w"],
            row["x"],
        )
        found.setdefault(model.category, []).append(model)
    return {category: tuple(rows) for category, rows in found.items()}
