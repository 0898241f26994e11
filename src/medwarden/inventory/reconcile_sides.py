"""The two sides of a reconciliation, rows of a book and devices of the network, ready to be compared."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from medwarden.inventory.reconcile_text import (
    SHORTEST_TAG,
    misread_form,
    model_form,
    name_form,
    serial_form,
    vendor_form,
    word_form,
)
from medwarden.knowledge.category_words import category_of_words
from medwarden.knowledge.oui import is_locally_administered
from medwarden.knowledge.taxonomy import class_of
from medwarden.model.book import BookRecord
from medwarden.model.device import Device

TAG_FIELDS = ("inventory.asset_tag", "glpi.asset_tag", "smbios.asset_tag", "lldp.asset_id")
"""Evidence fields that hold an asset tag."""

_SERIALS_HEARD = 8
_NAMES_COMPARED = 8
_NO_SERIALS = frozenset(
    {
        "",
        "NA",
        "NONE",
        "UNKNOWN",
        "TBD",
        "DEFAULTSTRING",
        "TOBEFILLEDBYOEM",
        "SYSTEMSERIALNUMBER",
        "123456789",
    }
)


class Side(msgspec.Struct, frozen=True, gc=False):
    """One row or device in forms that can be compared; ``shown`` holds what stands there, by field."""

    key: str
    serials: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    vendor: str = ""
    model: str = ""
    category: str | None = None
    category_sure: bool = False
    building: str = ""
    room: str = ""
    department: str = ""
    place: str = ""
    shown: dict[str, str] = {}

    @property
    def device_class(self) -> str:
        """Return the class of the category, or the empty string."""
        return class_of(self.category).value if self.category else ""


def row_side(record: BookRecord) -> Side:
    """Return a row of a book to compare."""
    said = record.said
    vendor = vendor_form(said.get("vendor", ""))
    return Side(
        key=record.key,
        serials=_serials([said.get("serial", "")]),
        macs=_fixed(said.get("mac", "").split()),
        ips=tuple(said.get("ip", "").split()),
        names=_names([said.get("name", "")]),
        tags=_tags([said.get("asset_tag", "")]),
        vendor=vendor,
        model=model_form(said.get("model", ""), vendor),
        category=category_of_words(said.get("category", "")),
        category_sure=True,
        building=word_form(said.get("building", "")),
        room=word_form(said.get("room", "")),
        department=word_form(said.get("department", "")),
        place=word_form(said.get("location", "")),
        shown=said,
    )


def device_side(device: Device, sure: float = 0.9) -> Side:
    """Return a device to compare; its category counts as sure from a confidence of ``sure`` on.

    What books said before is left out, or a wrong match would confirm itself.
    """
    own = [e for e in device.ledger if not e.field.startswith("statement.")]
    serials = [e.value for e in own if e.field.rpartition(".")[2] in ("serial", "serial_number")]
    if device.serial and not _by_statement(device, "serial"):
        serials.insert(0, device.serial)
    verdict = device.verdict("category")
    place = device.place
    vendor = vendor_form(_unless_stated(device, "vendor", device.vendor))
    category = _unless_stated(device, "category", device.category) or None
    return Side(
        key=device.id,
        serials=_serials(serials[:_SERIALS_HEARD]),
        macs=_fixed(device.macs),
        ips=device.ips,
        names=_names(device.names),
        tags=_tags([e.value for e in own if e.field in TAG_FIELDS]),
        vendor=vendor,
        model=model_form(_unless_stated(device, "model", device.model), vendor),
        category=category,
        category_sure=verdict is not None and verdict.label is not None and verdict.confidence >= sure,
        building=word_form(place.building or "") if place else "",
        room=word_form(place.room or "") if place else "",
        department=word_form(place.department or "") if place else "",
        place=word_form(device.location or ""),
        shown=_shown(device, serials),
    )


def _by_statement(device: Device, level: str) -> bool:
    """Tell whether an answer rests on what a book says alone."""
    verdict = device.verdict(level)
    if verdict is None or not device.statements:
        return False
    for_it = [b for b in verdict.ballots if b.level == level and b.label == verdict.label]
    return bool(for_it) and all(b.evidence_field == "statement.book" for b in for_it)


def _unless_stated(device: Device, level: str, value: str | None) -> str:
    return "" if value is None or _by_statement(device, level) else value


def _shown(device: Device, serials: Sequence[str]) -> dict[str, str]:
    place = device.place
    shown = {
        "serial": serials[0] if serials else "",
        "mac": " ".join(device.macs),
        "ip": " ".join(device.ips),
        "name": device.names[0] if device.names else "",
        "vendor": device.vendor or "",
        "model": device.model or "",
        "category": device.category or "",
        "firmware": device.firmware or "",
        "os": device.os or "",
        "os_version": device.os_version or "",
        "department": (place.department if place else None) or "",
        "building": (place.building if place else None) or "",
        "floor": (place.floor if place else None) or "",
        "room": (place.room if place else None) or "",
        "location": device.location or "",
    }
    return {field: value for field, value in shown.items() if value}


def _serials(texts: Iterable[str]) -> tuple[str, ...]:
    forms = dict.fromkeys(serial_form(text) for text in texts)
    return tuple(f for f in forms if len(f) >= 3 and f not in _NO_SERIALS and len(set(f)) > 1)


def _fixed(macs: Iterable[str]) -> tuple[str, ...]:
    return tuple(mac for mac in macs if not is_locally_administered(mac))


def _names(names: Iterable[str]) -> tuple[str, ...]:
    forms = dict.fromkeys(name_form(name) for name in list(names)[:_NAMES_COMPARED])
    return tuple(form for form in forms if len(form) >= 3)


def _tags(tags: Iterable[str]) -> tuple[str, ...]:
    forms = dict.fromkeys(name_form(tag.replace(".", "")) for tag in tags)
    return tuple(f for f in forms if len(f) >= SHORTEST_TAG and any(c.isdigit() for c in f))


class Census:
    """How common each value is on either side: what a rare value says, a common one does not."""

    def __init__(self, rows: Sequence[Side], devices: Sequence[Side]) -> None:
        self.rows, self.devices = len(rows), len(devices)
        self.larger = max(self.rows, self.devices, 1)
        self.prior = -math.log(self.larger)
        self._row_counts = self._counted(rows)
        self._device_counts = self._counted(devices)

    @staticmethod
    def _counted(sides: Sequence[Side]) -> dict[str, Counter[str]]:
        counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("serial", "misread", "mac", "ip", "name", "tag", "model", "vendor",
                                         "category", "room", "department", "place")
        }  # fmt: skip
        for side in sides:
            counts["serial"].update(side.serials)
            counts["misread"].update({misread_form(s) for s in side.serials})
            counts["mac"].update(side.macs)
            counts["ip"].update(side.ips)
            counts["name"].update(side.names)
            counts["tag"].update(side.tags)
            counts["model"][f"{side.vendor} {side.model}"] += 1
            counts["vendor"][side.vendor] += 1
            counts["category"][side.category or ""] += 1
            counts["room"][f"{side.building} {side.room}"] += 1
            counts["department"][side.department] += 1
            counts["place"][side.place] += 1
        return counts

    def chance(self, kind: str, value: str, floor: float) -> float:
        """Return how probable it is that a row and a device that are not one share ``value``."""
        most = max(self._row_counts[kind][value], self._device_counts[kind][value])
        return min(floor + max(most - 1, 0) / self.larger, 1.0)

    def share(self, kind: str, value: str) -> float:
        """Return which part of the devices has ``value`` of a descriptive kind; never none."""
        total = max(self.devices, 1)
        return min((max(self._device_counts[kind][value] - 1, 0) + 0.5) / total, 1.0)
