"""Makers by the numbers that protocols give them.

The table is ``vendor_ids.csv``: the evidence field, the number, the maker's short name and, where the maker
makes nothing else of a hospital's, the category. Sources: the list of BACnet vendor ids (ASHRAE SSPC 135),
of CIP vendor ids (ODVA) and of KNX manufacturers (KNX Association), as far as they make devices that stand
in hospitals.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources

import msgspec


class NumberedMaker(msgspec.Struct, frozen=True):
    """A maker's short name and what its devices are, where they are of one kind."""

    name: str
    category: str | None


@cache
def numbered_makers() -> dict[tuple[str, str], NumberedMaker]:
    """Return all makers by evidence field and number as text."""
    text = (resources.files("medwarden.knowledge") / "vendor_ids.csv").read_text(encoding="utf-8")
    return {
        (row["field"], row["id"]): NumberedMaker(row["vendor"], row["category"] or None)
        for row in csv.DictReader(text.splitlines())
    }


def numbered_maker(field: str, number: str) -> NumberedMaker | None:
    """Return the maker that ``number`` stands for in ``field``, or None where the table has none."""
    return numbered_makers().get((field, number))
