"""Measure reconciliation: precision and recall on simulated hospitals with dirty books, and time.

    PYTHONPATH=. .venv/bin/python bench/reconcile.py [SEEDS [DEVICES [LARGE]]]

Seeds from 100 on were not looked at in development. Precision: accepted pairs that are right; recall: devices
that are in the books and on the network and were put together (a row or its copy counts). ``named`` is
the share of these whose row has a serial, MAC, name or address of theirs at all, with the recall among them.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from tests.inventory.dirty_books import Dirty, dirty_hospital

from medwarden.inventory.reconcile import MatchState, Pairing, reconcile
from medwarden.inventory.reconcile_sides import Side, device_side, row_side
from medwarden.inventory.reconcile_text import misread_form


class Figures(NamedTuple):
    """Counts of one hospital: accepted pairs, right ones, devices to find, those with an identifier."""

    accepted: int
    right: int
    findable: int
    named: int
    right_named: int
    offered: int


def figures(dirty: Dirty, rows: Sequence[Side], devices: Sequence[Side], found: list[Pairing]) -> Figures:
    """Compare what was found with the truth."""

    def correct(pairing: Pairing) -> bool:
        return dirty.truth.get(dirty.clones.get(pairing.key, pairing.key)) == pairing.device

    accepted = [p for p in found if p.state is MatchState.MATCHED]
    right = {p.device for p in accepted if correct(p)}
    named = sharing(rows, devices, dirty.truth)
    offered = {p.device for p in found if p.state is MatchState.AMBIGUOUS and correct(p)} - right
    findable = set(dirty.truth.values())
    return Figures(len(accepted), len(right), len(findable), len(named), len(right & named), len(offered))


def sharing(rows: Sequence[Side], devices: Sequence[Side], truth: dict[str, str]) -> set[str]:
    """Return the devices whose row has an identifier of theirs, misread or not: others are only described."""
    by_key = {side.key: side for side in (*rows, *devices)}
    found = set()
    for key, device in truth.items():
        one, other = by_key[key], by_key[device]
        alike = {misread_form(s) for s in one.serials} & {misread_form(s) for s in other.serials}
        if alike or any(set(getattr(one, f)) & set(getattr(other, f)) for f in ("macs", "names", "ips")):
            found.add(device)
    return found


def measured(seed: int, devices: int) -> Figures:
    """Reconcile one hospital and print its line."""
    dirty = dirty_hospital(seed, devices)
    began = time.process_time()
    rows = [row_side(record) for record in dirty.rows]
    sides = [device_side(device) for device in dirty.devices]
    found = reconcile(rows, sides)
    spent = time.process_time() - began
    told = figures(dirty, rows, sides, found)
    line(str(seed), len(rows), len(sides), told, spent)
    return told


def line(name: str, rows: int, devices: int, told: Figures, spent: float) -> None:
    """Print one line of the table."""
    print(
        f"{name:>6} {rows:>7} {devices:>8} {told.accepted:>9} {told.right / max(told.accepted, 1):>10.4f} "
        f"{told.right / max(told.findable, 1):>7.4f} {told.named / max(told.findable, 1):>7.3f} "
        f"{told.right_named / max(told.named, 1):>13.4f} {told.offered / max(told.findable, 1):>8.4f} "
        f"{spent:>7.1f}"
    )


def main() -> None:
    """Print the table."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    devices = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    large = int(sys.argv[3]) if len(sys.argv) > 3 else 11_400
    print("  seed    rows  devices  accepted  precision  recall   named  recall(named)  offered   CPU s")
    told = [measured(seed, devices) for seed in range(100, 100 + seeds)]
    line("all", 0, 0, Figures(*(sum(column) for column in zip(*told, strict=True))), 0)
    if large:
        measured(99, large)
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
