"""The categories of connected devices in a hospital, and what each means for care.

The table is ``taxonomy.csv``: one line a category with its class, whether it is a medical device, how
much a life depends on it (1 to 5), how likely it holds patient data, the ports it typically serves or
speaks to, the DICOM modalities (PS3.3 C.7.3.1.1.1) it produces and the FDA product codes of its kind.
Criticality and patient data are judgements, the codes were checked against the FDA classification file.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources

import msgspec

from medwarden.kernel.errors import InternalError
from medwarden.model.device import DeviceClass

UNKNOWN = "unknown"
UNKNOWN_MEDICAL = "unknown_medical"


class Category(msgspec.Struct, frozen=True):
    """One kind of device. ``phi`` is high, medium, low or none; ``ports`` are ``tcp/104`` or a range."""

    id: str
    name: str
    device_class: DeviceClass
    medical: bool
    criticality: int
    phi: str
    ports: tuple[str, ...]
    dicom_modalities: tuple[str, ...]
    fda_product_codes: tuple[str, ...]


def _read(row: dict[str, str]) -> Category:
    return Category(
        id=row["id"],
        name=row["name"],
        device_class=DeviceClass(row["class"]),
        medical=row["medical"] == "yes",
        criticality=int(row["criticality"]),
        phi=row["phi"],
        ports=tuple(row["ports"].split()),
        dicom_modalities=tuple(row["dicom_modalities"].split()),
        fda_product_codes=tuple(row["fda_product_codes"].split()),
    )


@cache
def categories() -> dict[str, Category]:
    """Return all categories by id, in the order of the table."""
    text = (resources.files("medwarden.knowledge") / "taxonomy.csv").read_text(encoding="utf-8")
    return {row["id"]: _read(row) for row in csv.DictReader(text.splitlines())}


def category(category_id: str) -> Category:
    """Return the category of that id; raises InternalError for an id that is not in the table."""
    try:
        return categories()[category_id]
    except KeyError:
        raise InternalError(f"there is no device category {category_id!r} in the taxonomy") from None


def class_of(category_id: str | None) -> DeviceClass:
    """Return the class a category belongs to; None (abstained) belongs to the unknown class."""
    return DeviceClass.UNKNOWN if category_id is None else category(category_id).device_class


def medical(category_id: str | None) -> bool:
    """Tell whether devices of that category are medical devices."""
    return category_id is not None and category(category_id).medical


def criticality(category_id: str | None) -> int:
    """Return how much a life depends on such a device, 1 to 5; an unknown device counts as 3."""
    return category(category_id or UNKNOWN).criticality


def name_of(category_id: str | None) -> str:
    """Return how a person calls the category."""
    return category(category_id or UNKNOWN).name
