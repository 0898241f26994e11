"""Which values a newer one replaced: the version that a device told before it was brought up to date."""

from __future__ import annotations

from collections.abc import Container, Iterable

from medwarden.model.evidence import LedgerEntry

Said = tuple[str, str]
"""A field and its value."""


def replaced(ledger: Iterable[LedgerEntry], fields: Container[str], apart_ns: int) -> frozenset[Said]:
    """Return what was said for the last time ``apart_ns`` before another value of its field was first said.

    A ledger sums up: values that take turns overlap in time, and none of them replaced the other.
    """
    held: dict[str, dict[str, tuple[int, int]]] = {}
    for entry in ledger:
        if entry.field in fields:
            values = held.setdefault(entry.field, {})
            first, last = values.get(entry.value, (entry.first_seen, entry.last_seen))
            values[entry.value] = min(first, entry.first_seen), max(last, entry.last_seen)
    return frozenset(
        (field, value)
        for field, values in held.items()
        if len(values) > 1
        for value, (_, last) in values.items()
        if any(first - last >= apart_ns for other, (first, _) in values.items() if other != value)
    )
