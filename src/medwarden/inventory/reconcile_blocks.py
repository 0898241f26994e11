"""Which rows and devices are compared at all: those that share something that could make them one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from medwarden.inventory.reconcile_sides import Side
from medwarden.inventory.reconcile_text import likeness, misread_form, transposed_macs

MOST_IN_BLOCK = 40
"""Rows or devices that may share one value of an identifier; a value of more identifies nobody."""

MOST_PLACED = 2500
"""Pairs that one model at one place may give."""

Pair = tuple[int, int]


def candidate_pairs(rows: Sequence[Side], devices: Sequence[Side]) -> set[Pair]:
    """Return index pairs (row, device) that are worth a comparison."""
    pairs: set[Pair] = set()
    for block in _identifier_blocks(rows, devices):
        pairs |= block
    pairs |= _described(rows, devices)
    return pairs


def _identifier_blocks(rows: Sequence[Side], devices: Sequence[Side]) -> Iterator[set[Pair]]:
    yield _joined(((s, i) for i, r in enumerate(rows) for s in r.serials), _index(d.serials for d in devices))
    yield _joined(
        ((misread_form(s), i) for i, r in enumerate(rows) for s in r.serials),
        _index([misread_form(s) for s in d.serials] for d in devices),
    )
    by_mac = _index(d.macs for d in devices)
    yield _joined(((mac, i) for i, r in enumerate(rows) for mac in r.macs), by_mac)
    yield _joined(
        (
            (near, i)
            for i, r in enumerate(rows)
            for mac in r.macs
            if mac not in by_mac
            for near in transposed_macs(mac)
        ),
        by_mac,
    )
    by_name = _index(d.names for d in devices)
    yield _joined(((name, i) for i, r in enumerate(rows) for name in r.names), by_name)
    yield _joined(((ip, i) for i, r in enumerate(rows) for ip in r.ips), _index(d.ips for d in devices))
    yield _joined(((tag, i) for i, r in enumerate(rows) for tag in r.tags), _index(d.tags for d in devices))
    yield _tags_in_names(rows, by_name)


def _index(values: Iterable[Iterable[str]]) -> dict[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for number, several in enumerate(values):
        for value in dict.fromkeys(several):
            if value:
                found[value].append(number)
    return found


def _joined(of_rows: Iterable[tuple[str, int]], by_value: dict[str, list[int]]) -> set[Pair]:
    by_row: defaultdict[str, list[int]] = defaultdict(list)
    for value, row in of_rows:
        if value in by_value:
            by_row[value].append(row)
    return {
        (row, device)
        for value, some in by_row.items()
        if len(some) <= MOST_IN_BLOCK and len(by_value[value]) <= MOST_IN_BLOCK
        for row in some
        for device in by_value[value]
    }


def _tags_in_names(rows: Sequence[Side], by_name: dict[str, list[int]]) -> set[Pair]:
    """Find asset tags within host names, by every run of characters of a tag's length."""
    tags: defaultdict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        for tag in row.tags:
            tags[tag].append(number)
    lengths = sorted({len(tag) for tag in tags})
    pairs: set[Pair] = set()
    for name, devices in by_name.items():
        if len(devices) > MOST_IN_BLOCK:
            continue
        for length in lengths:
            for start in range(len(name) - length + 1):
                some = tags.get(name[start : start + length], ())
                if len(some) <= MOST_IN_BLOCK:
                    pairs.update((row, device) for row in some for device in devices)
    return pairs


def _described(rows: Sequence[Side], devices: Sequence[Side]) -> set[Pair]:
    """Pair rows and devices of one model that are at one place, or are the only few of their model."""
    models_of_devices = _by_model(devices)
    pairs: set[Pair] = set()
    for (vendor, model), some in _by_model(rows).items():
        if not model:
            continue
        fitting = [
            device
            for (other_vendor, other), those in models_of_devices.items()
            if other
            and (not vendor or not other_vendor or vendor == other_vendor)
            and likeness(model, other) >= 0.85
            for device in those
        ]
        if not fitting:
            continue
        if len(some) * len(fitting) <= 64:
            pairs.update((row, device) for row in some for device in fitting)
        for kind in ("room", "department", "place"):
            at: defaultdict[str, list[int]] = defaultdict(list)
            for device in fitting:
                at[getattr(devices[device], kind)].append(device)
            here: defaultdict[str, list[int]] = defaultdict(list)
            for row in some:
                here[getattr(rows[row], kind)].append(row)
            for value, those in here.items():
                if value and len(those) * len(at.get(value, ())) <= MOST_PLACED:
                    pairs.update((row, device) for row in those for device in at.get(value, ()))
    return pairs


def _by_model(sides: Sequence[Side]) -> dict[tuple[str, str], list[int]]:
    found: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for number, side in enumerate(sides):
        found[side.vendor, side.model].append(number)
    return found
