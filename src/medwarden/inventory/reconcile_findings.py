"""What reconciliation tells as findings: retired in a book and heard, on the network and in no book."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from medwarden.kernel.clock import NANOSECONDS, iso
from medwarden.kernel.ids import stable_id
from medwarden.knowledge.reconciliation import ReconciliationRules
from medwarden.knowledge.taxonomy import criticality, medical
from medwarden.model.book import Standing
from medwarden.model.device import Device
from medwarden.model.finding import Finding, FindingEvidence, FindingKind, Severity

KIND = FindingKind.ASSET
RETIRED_HEARD, NOT_IN_BOOKS = "asset_retired_heard", "asset_not_in_books"

_DAY = 86_400 * NANOSECONDS
_VERSION = "reconcile-1"


class BookedAs(msgspec.Struct, frozen=True):
    """The row of a book that a device is: book, key, what it says and since when (nanoseconds UTC)."""

    book: str
    key: str
    said: Mapping[str, str]
    since_ns: int


def book_findings(
    devices: Iterable[Device],
    booked: Mapping[str, Sequence[BookedAs]],
    rules: ReconciliationRules,
    now_ns: int,
) -> list[Finding]:
    """Return the findings of a site's devices; ``booked`` holds their rows by device.

    A device that one book calls retired and another calls active is not told: the books disagree.
    """
    found: list[Finding] = []
    for device in devices:
        rows = booked.get(device.id, ())
        statuses = {row.said.get("status", "") for row in rows}
        heard = device.last_seen >= now_ns - rules.heard_days * _DAY
        if rules.findings.retired_heard and heard and statuses == {Standing.RETIRED.value}:
            found.append(_retired(device, rows[0]))
        if rules.findings.not_in_books and not rows:
            found.append(_unbooked(device))
    return found


def _retired(device: Device, row: BookedAs) -> Finding:
    return Finding(
        id=stable_id("f", device.site, device.id, RETIRED_HEARD, row.book),
        kind=KIND,
        type=RETIRED_HEARD,
        severity=Severity.HIGH if medical(device.category) else Severity.MEDIUM,
        device=device.id,
        title=f"Retired in the books and on the network: {device.label}",
        detail=(
            f"{row.book} calls it retired ({row.key}, so since {iso(row.since_ns)[:10]}), "
            f"and it was heard on {iso(device.last_seen)[:10]}."
        ),
        fix=(
            "Find out who uses it: take it off the network and erase patient data on it, or correct the "
            "book. Until then it gets neither maintenance nor updates."
        ),
        evidence=(
            FindingEvidence(
                f"book.{row.book}", f"status {row.said.get('status')}", row.since_ns, row.since_ns
            ),
        ),
        first_seen=row.since_ns,
        last_seen=device.last_seen,
        rule_version=_VERSION,
    )


def _unbooked(device: Device) -> Finding:
    grave = medical(device.category) and criticality(device.category) >= 4
    return Finding(
        id=stable_id("f", device.site, device.id, NOT_IN_BOOKS, ""),
        kind=KIND,
        type=NOT_IN_BOOKS,
        severity=Severity.MEDIUM if grave else Severity.LOW,
        device=device.id,
        title=f"On the network and in no book: {device.label}",
        detail="No row of any book of this site is this device.",
        fix="Enter it in the book it belongs to, pin it to its row, or take it off the network.",
        evidence=_addresses(device),
        first_seen=device.first_seen,
        last_seen=device.last_seen,
        rule_version=_VERSION,
    )


def _addresses(device: Device) -> tuple[FindingEvidence, ...]:
    """Return by which addresses a device was heard: its MAC addresses, its IP addresses where it has none."""
    field, addresses = ("mac", device.macs) if device.macs else ("ip", device.ips)
    if not addresses:
        return ()
    return (FindingEvidence(field, " ".join(addresses), device.first_seen, device.last_seen),)
