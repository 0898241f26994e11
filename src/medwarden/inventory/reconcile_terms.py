"""What speaks for and against a row of a book being a device: terms whose sum is a log odds.

After Fellegi and Sunter, "A Theory for Record Linkage" (1969): a term is the logarithm of how much more
probable an observation is for one thing than for two. How often a value occurs by chance is counted in the
house itself, so that a model of four hundred pumps says little and a serial number almost everything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from medwarden.inventory.reconcile_sides import Census, Side
from medwarden.inventory.reconcile_text import likeness, misread_form, near_serials, transposed_macs

SAME, ALIKE, NEAR, DIFFERS = "same", "alike", "near", "differs"

_SERIAL_FLOOR, _MISREAD_FLOOR, _MAC_FLOOR = 1e-7, 2e-6, 1e-7
_SWAPPED_FLOOR, _TAG_FLOOR, _NAME_FLOOR, _IP_FLOOR = 3e-5, 1e-5, 1e-5, 2e-3
_MOST_DESCRIPTIVE = 6.5
"""No description says more than this: only what names one device may decide alone."""


class Term(msgspec.Struct, frozen=True):
    """One comparison: a field, how row and device compare in it, and its part of the log odds.

    ``veto`` says that the two must not be called one without a person, whatever else agrees.
    """

    field: str
    outcome: str
    book: str
    device: str
    weight: float
    veto: bool = False


def terms(row: Side, device: Side, census: Census) -> list[Term]:
    """Return the comparisons of a row with a device; with the census' prior they add up to the log odds."""
    found = [
        *_serial(row, device, census),
        *_mac(row, device, census),
        *_tag(row, device, census),
        *_name(row, device, census),
        *_ip(row, device, census),
    ]
    exact = any(t.field == "serial" and t.outcome == SAME for t in found)
    found += _made(row, device, census)
    found += _category(row, device, census, exact)
    found += _placed(row, device, census)
    return found


def _gain(agree: float, chance: float) -> float:
    return math.log(agree / min(max(chance, 1e-9), 1.0))


def _serial(row: Side, device: Side, census: Census) -> Iterator[Term]:
    if not row.serials or not device.serials:
        return
    shared = next((s for s in row.serials if s in device.serials), None)
    if shared is not None:
        floor = _SERIAL_FLOOR if len(shared) >= 6 else 1e-5 if len(shared) >= 4 else 1e-3
        yield Term("serial", SAME, shared, shared, _gain(0.9, census.chance("serial", shared, floor)))
        return
    mine, theirs = row.serials[0], device.serials[0]
    for one in row.serials:
        for other in device.serials:
            form = misread_form(one)
            if form and form == misread_form(other):
                floor = _MISREAD_FLOOR if len(form) >= 5 else 1e-3
                weight = _gain(0.1, census.chance("misread", form, floor))
                yield Term("serial", ALIKE, one, other, weight)
                return
            if near_serials(one, other):
                mine, theirs = one, other
    if near_serials(mine, theirs):
        # neighbours off one production line differ by one digit: a slip is no more probable than that
        yield Term("serial", NEAR, mine, theirs, -1.5)
    else:
        yield Term("serial", DIFFERS, mine, theirs, -7.0, veto=True)


def _mac(row: Side, device: Side, census: Census) -> Iterator[Term]:
    if not row.macs or not device.macs:
        return
    shared = [mac for mac in row.macs if mac in device.macs]
    if shared:
        chance = min(census.chance("mac", mac, _MAC_FLOOR) for mac in shared)
        yield Term("mac", SAME, shared[0], shared[0], _gain(0.9, chance))
        return
    swapped = {other: mac for mac in row.macs for other in transposed_macs(mac)}
    near = next((mac for mac in device.macs if mac in swapped), None)
    if near is not None:
        yield Term("mac", NEAR, swapped[near], near, _gain(0.03, _SWAPPED_FLOOR))
    else:
        yield Term("mac", DIFFERS, row.macs[0], device.macs[0], -2.0)


def _tag(row: Side, device: Side, census: Census) -> Iterator[Term]:
    for tag in row.tags:
        chance = census.chance("tag", tag, _TAG_FLOOR)
        if tag in device.tags:
            yield Term("asset_tag", SAME, tag, tag, _gain(0.9, chance))
            return
        within = next((name for name in device.names if tag in name), None)
        if within is not None:
            yield Term("asset_tag", ALIKE, tag, within, _gain(0.3, chance))
            return


def _name(row: Side, device: Side, census: Census) -> Iterator[Term]:
    if not row.names or not device.names:
        return
    shared = next((name for name in row.names if name in device.names), None)
    if shared is not None:
        yield Term("name", SAME, shared, shared, _gain(0.7, census.chance("name", shared, _NAME_FLOOR)))
    else:
        yield Term("name", DIFFERS, row.names[0], device.names[0], -1.2)


def _ip(row: Side, device: Side, census: Census) -> Iterator[Term]:
    if not row.ips or not device.ips:
        return
    shared = next((ip for ip in row.ips if ip in device.ips), None)
    if shared is not None:
        yield Term("ip", SAME, shared, shared, _gain(0.5, census.chance("ip", shared, _IP_FLOOR)))
    else:
        yield Term("ip", DIFFERS, row.ips[0], device.ips[0], -0.5)


def _made(row: Side, device: Side, census: Census) -> Iterator[Term]:
    """Compare maker and model; of the two the one that says more."""
    shown = (row.shown.get("model", ""), device.shown.get("model", ""))
    if row.vendor and device.vendor and row.vendor != device.vendor:
        yield Term("vendor", DIFFERS, row.vendor, device.vendor, -4.0)
        return
    if row.model and device.model:
        like = likeness(row.model, device.model)
        share = census.share("model", f"{device.vendor} {device.model}")
        if like >= 0.85:
            gain = min(_gain(0.85 * like, share), _MOST_DESCRIPTIVE)
            yield Term("model", SAME if like == 1.0 else ALIKE, *shown, gain)
            return
        if like < 0.55:
            yield Term("model", DIFFERS, *shown, -4.0 if like == 0.0 else -3.0)
            return
    if row.vendor and device.vendor:
        share = census.share("vendor", device.vendor)
        yield Term("vendor", SAME, row.vendor, device.vendor, min(_gain(0.9, share), 4.0))


def _category(row: Side, device: Side, census: Census, exact: bool) -> Iterator[Term]:
    if not row.category or not device.category:
        return
    if row.category == device.category:
        if not (row.model and device.model):
            share = census.share("category", device.category)
            yield Term("category", SAME, row.category, device.category, min(_gain(0.9, share), 3.0))
    elif row.device_class != device.device_class:
        veto = device.category_sure and not exact
        yield Term("category", DIFFERS, row.category, device.category, -3.0, veto=veto)
    else:
        yield Term("category", DIFFERS, row.category, device.category, -1.5)


def _placed(row: Side, device: Side, census: Census) -> Iterator[Term]:
    """Compare the finest part of the place that both sides name."""
    if (
        row.room
        and device.room
        and (not row.building or not device.building or row.building == device.building)
    ):
        if row.room == device.room:
            share = census.share("room", f"{device.building} {device.room}")
            yield Term("room", SAME, row.room, device.room, min(_gain(0.6, share), 5.0))
        else:
            yield Term("room", DIFFERS, row.room, device.room, -0.8)
    elif row.place and row.place == device.place:
        yield Term(
            "location",
            SAME,
            row.place,
            device.place,
            min(_gain(0.6, census.share("place", device.place)), 5.0),
        )
    elif row.building and device.building and row.building != device.building:
        yield Term("building", DIFFERS, row.building, device.building, -0.8)
    if row.department and device.department and not (row.room and row.room == device.room):
        if row.department == device.department:
            share = census.share("department", device.department)
            yield Term("department", SAME, row.department, device.department, min(_gain(0.7, share), 3.0))
        else:
            yield Term("department", DIFFERS, row.department, device.department, -0.6)
