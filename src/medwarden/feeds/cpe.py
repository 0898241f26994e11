"""Names of products by CPE 2.3 and 2.2 (NIST IR 7695): vendor, product and version out of the bound forms."""

from __future__ import annotations

import re
from urllib.parse import unquote

import msgspec

_FIELDS = re.compile(r"((?:[^:\\]|\\.)*+)(?::|\Z)", re.DOTALL)
_QUOTED = re.compile(r"\\(.)", re.DOTALL)
_LONGEST = 1000


class CpeName(msgspec.Struct, frozen=True):
    """The parts of a name that matching compares; ``version`` is '*' for any and '-' for none.

    Underscores of vendor and product are read as spaces, for they stand for them.
    """

    part: str
    vendor: str
    product: str
    version: str
    update: str = "*"
    target_software: str = "*"
    target_hardware: str = "*"


def read_cpe(name: str) -> CpeName | None:
    """Return the parts of a formatted string (``cpe:2.3:``) or URI (``cpe:/``), None for neither."""
    if len(name) > _LONGEST:
        return None
    if name.startswith("cpe:2.3:"):
        cells = [_QUOTED.sub(r"\1", cell) for cell in _FIELDS.findall(name[8:])[:11]]
    elif name.lower().startswith("cpe:/"):
        cells = [unquote(cell) or "*" for cell in name[5:].split(":")]
    else:
        return None
    cells += ["*"] * (11 - len(cells))
    if cells[0] not in ("a", "o", "h", "*"):
        return None
    return CpeName(
        part="" if cells[0] == "*" else cells[0],
        vendor=_spoken(cells[1]),
        product=_spoken(cells[2]),
        version=cells[3],
        update=cells[4],
        target_software=cells[8],
        target_hardware=cells[9],
    )


def _spoken(cell: str) -> str:
    return "" if cell in ("*", "-") else cell.replace("_", " ").strip()
