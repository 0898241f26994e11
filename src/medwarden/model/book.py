"""Books of equipment: what the rows of a CMMS, CMDB, ITSM or spreadsheet say, by our names."""

from __future__ import annotations

from enum import StrEnum

import msgspec

FIELDS: dict[str, str] = {
    "record": "Record number",
    "asset_tag": "Asset tag",
    "serial": "Serial number",
    "udi": "UDI",
    "lot": "Lot",
    "mac": "MAC address",
    "ip": "IP address",
    "name": "Host name",
    "vendor": "Maker",
    "model": "Model",
    "category": "Kind of device",
    "firmware": "Firmware",
    "os": "Operating system",
    "os_version": "OS version",
    "department": "Department",
    "building": "Building",
    "floor": "Floor",
    "room": "Room",
    "location": "Place",
    "owner": "Owner",
    "technician": "Technician in charge",
    "last_pm": "Last maintenance",
    "next_pm": "Next maintenance",
    "warranty_until": "Warranty until",
    "manufactured": "Manufactured",
    "purchase_date": "Purchased",
    "cost": "Cost",
    "currency": "Currency",
    "status": "Status",
    "criticality": "Criticality",
}
"""What a book may say of a device, with the words people use for it."""

STAFF = frozenset({"owner", "technician"})
"""Fields that name people: shown only to roles that may see names of staff."""

DATES = frozenset({"last_pm", "next_pm", "warranty_until", "manufactured", "purchase_date"})
SEVERAL = frozenset({"mac", "ip"})
"""Fields that may hold several values, joined by blanks."""

KEYS = ("record", "asset_tag", "serial", "mac", "name", "ip", "udi")
"""What a row is known by from one import to the next: the first of these that it has."""


class Standing(StrEnum):
    """Where a device of a book stands in its life."""

    ACTIVE = "active"
    STORED = "stored"
    LOANED = "loaned"
    REPAIR = "repair"
    MISSING = "missing"
    RETIRED = "retired"


class BookRecord(msgspec.Struct, frozen=True):
    """One row of a book: its key, the line it stands on (from 1) and what it says by :data:`FIELDS`.

    Dates are ISO 8601, MAC addresses lower-case with colons, several of them joined by blanks, ``status``
    a :class:`Standing` where it could be read as one, else the book's own word.
    """

    key: str
    line: int
    said: dict[str, str]


class BookFact(msgspec.Struct, frozen=True):
    """One thing that a row says of the device it was found to be, by :data:`FIELDS`.

    ``confidence`` is how sure it is that the row is the device, 1 where a person said so; it was first said
    at ``since_ns`` and stood there last at ``seen_ns``, in nanoseconds since the epoch.
    """

    field: str
    value: str
    book: str
    confidence: float
    since_ns: int
    seen_ns: int


class RowProblem(msgspec.Struct, frozen=True):
    """A line that could not be used at all (``rejected``), or something in it; why is in ``reason``."""

    line: int
    reason: str
    rejected: bool = True


class EquipmentList(msgspec.Struct, frozen=True):
    """A table as it was read: which column says what, columns left aside, rows and problems.

    ``columns`` are pairs of the table's heading and our field, in the table's order; ``system`` is the
    product whose export it looks like, else ``generic``. ``rejected`` counts the lines that could not be
    used; ``problems`` name the first of them.
    """

    columns: tuple[tuple[str, str], ...]
    unmapped: tuple[str, ...]
    records: tuple[BookRecord, ...]
    problems: tuple[RowProblem, ...]
    system: str = "generic"
    rejected: int = 0
