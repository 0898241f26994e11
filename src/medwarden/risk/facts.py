"""Questions that several factors ask of a device: ledger entries, services and conversations as evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from medwarden.model.device import Conversation, Device, Service
from medwarden.model.evidence import LedgerEntry
from medwarden.model.finding import FindingEvidence
from medwarden.risk.context import RiskContext

MOST = 8
"""Evidence shown with one factor; the ledger keeps the rest."""

_indexed: tuple[tuple[LedgerEntry, ...], dict[str, list[LedgerEntry]]] = ((), {})
"""The ledger that was asked last, by field: every factor asks the same one, one device after the other."""

YES = frozenset({"yes", "true", "1"})


def said(device: Device, *fields: str, where: Callable[[str], bool] | None = None) -> tuple[LedgerEntry, ...]:
    """Return the ledger entries of ``fields`` whose value, in lower case, ``where`` accepts."""
    global _indexed
    held = _indexed
    if held[0] is not device.ledger:
        by_field: dict[str, list[LedgerEntry]] = {}
        for entry in device.ledger:
            by_field.setdefault(entry.field, []).append(entry)
        held = _indexed = (device.ledger, by_field)
    index = held[1]
    if index.keys().isdisjoint(fields):
        return ()
    if len(fields) == 1:
        found = index[fields[0]]
    else:
        wanted = frozenset(fields)
        found = [e for e in device.ledger if e.field in wanted]
    return tuple(found if where is None else (e for e in found if where(e.value.lower())))


def affirmed(device: Device, *fields: str) -> tuple[LedgerEntry, ...]:
    """Return the entries of ``fields`` that say yes."""
    return said(device, *fields, where=YES.__contains__)


def from_ledger(entries: Iterable[LedgerEntry]) -> tuple[FindingEvidence, ...]:
    """Return ledger entries as evidence of a finding, most often heard first."""
    ordered = sorted(entries, key=lambda e: (-e.count, e.field, e.value))
    return tuple(
        FindingEvidence(e.field, e.value, e.first_seen, e.last_seen, e.count) for e in ordered[:MOST]
    )


def from_talk(conversations: Iterable[Conversation], context: RiskContext) -> tuple[FindingEvidence, ...]:
    """Return conversations in words as evidence of a finding, most flows first."""
    ordered = sorted(conversations, key=lambda c: (-c.flows, c.port, c.peer_ip or "", c.peer_device or ""))
    return tuple(
        FindingEvidence(
            "conversation",
            f"{'to' if c.role == 'client' else 'from'} {context.peer(c)}, "
            f"{c.application or 'unrecognised'} on {c.transport}/{c.port}",
            c.first_seen,
            c.last_seen,
            c.flows,
        )
        for c in ordered[:MOST]
    )


def from_services(services: Iterable[Service]) -> tuple[FindingEvidence, ...]:
    """Return offered services in words as evidence of a finding, most used first."""
    ordered = sorted(services, key=lambda s: (-s.flows, s.port))
    return tuple(
        FindingEvidence(
            "service",
            f"{s.application or 'unrecognised'} on {s.transport}/{s.port}, "
            f"{s.clients} client{'' if s.clients == 1 else 's'}",
            s.first_seen,
            s.last_seen,
            s.flows,
        )
        for s in ordered[:MOST]
    )


def talk(
    device: Device,
    *applications: str,
    role: str | None = None,
    scope: str | None = None,
    port: int | None = None,
) -> tuple[Conversation, ...]:
    """Return answered conversations over ``applications``, or on ``port`` where none was recognised."""
    return tuple(
        c
        for c in device.conversations
        if c.established
        and (role is None or c.role == role)
        and (scope is None or c.scope == scope)
        and (c.application in applications or (c.application is None and port is not None and c.port == port))
    )


def offers(device: Device, *applications: str, ports: tuple[int, ...] = ()) -> tuple[Service, ...]:
    """Return services over any of ``applications``, or, where none was recognised, on one of ``ports``."""
    return tuple(
        s
        for s in device.services
        if s.application in applications or (s.application is None and s.port in ports)
    )


def named(values: Iterable[str], most: int = 3) -> str:
    """Return distinct ``values`` as a phrase: ``a, b and 4 more``."""
    distinct = sorted(set(values))
    if len(distinct) > most:
        return f"{', '.join(distinct[:most])} and {len(distinct) - most} more"
    return " and ".join([", ".join(distinct[:-1]), distinct[-1]]) if len(distinct) > 1 else "".join(distinct)


def quantity(number: int, noun: str, plural: str | None = None) -> str:
    """Return ``number`` with its noun: ``1 peer``, ``3 peers``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
