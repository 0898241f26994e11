"""A device in the published form of ``medwarden devices --json`` and of the reports."""

from __future__ import annotations

from collections.abc import Iterable

from medwarden.kernel.clock import iso
from medwarden.model.book import BookFact
from medwarden.model.device import Device, Verdict
from medwarden.model.evidence import LedgerEntry
from medwarden.model.place import PARTS, Place
from medwarden.model.risk import RiskScore

_CONCLUDED = ("class", "category", "vendor", "model", "os", "os_version", "firmware", "serial", "managed")
_SCORED = ("class", "category", "vendor", "model")


def to_contract(device: Device, risk: RiskScore | None, booked: Iterable[BookFact] = ()) -> dict[str, object]:
    """Return the device as plain JSON values, with the keys that the contract promises.

    Absent facts are None. ``attributes`` holds the concluded fields with their confidence and the
    evidence that the ballots rest on, then every field heard, with confidence 1, then what the hospital's
    books say of it (``book.department``). Times are RFC 3339 in UTC.
    """
    return {
        "id": device.id,
        "site": device.site,
        "macs": list(device.macs),
        "ips": list(device.ips),
        "vlans": list(device.vlans),
        "names": list(device.names),
        "class": device.device_class.value,
        "category": device.category,
        "vendor": device.vendor,
        "model": device.model,
        "os": device.os,
        "os_version": device.os_version,
        "firmware": device.firmware,
        "serial": device.serial,
        "confidence": {level: _confidence(device.verdict(level)) for level in _SCORED},
        "managed": device.managed,
        "location": device.location,
        "place": _place(device.place),
        "subnet": device.subnet,
        "first_seen": iso(device.first_seen),
        "last_seen": iso(device.last_seen),
        "risk": None if risk is None else {"score": risk.score, "level": risk.level.value},
        "phi": device.phi,
        "protocols": protocols_of(device),
        "services": [
            {
                "transport": service.transport,
                "port": service.port,
                "application": service.application,
                "clients": service.clients,
                "first_seen": iso(service.first_seen),
                "last_seen": iso(service.last_seen),
            }
            for service in device.services
        ],
        "peers_count": len(peers_of(device)),
        "attributes": [*_concluded(device), *_heard(device), *_booked(booked)],
    }


def _booked(booked: Iterable[BookFact]) -> list[dict[str, object]]:
    return [
        {
            "field": f"book.{fact.field}",
            "value": fact.value,
            "confidence": fact.confidence,
            "evidence": [
                _entry(
                    LedgerEntry(
                        "book", f"book.{fact.field}", fact.value, fact.book, fact.since_ns, fact.seen_ns, 1
                    )
                )
            ],
        }
        for fact in booked
    ]


def _place(place: Place | None) -> dict[str, str | None] | None:
    return None if place is None else {part: getattr(place, part) for part in PARTS}


def _confidence(verdict: Verdict | None) -> float | None:
    return None if verdict is None or verdict.label is None else verdict.confidence


def protocols_of(device: Device) -> list[str]:
    """Return the applications the device was seen to speak, from flows and from what it said, sorted."""
    spoken = {service.application for service in device.services}
    spoken |= {talk.application for talk in device.conversations}
    spoken |= {entry.field.partition(".")[0] for entry in device.ledger}
    return sorted(name for name in spoken - {None, "flow", "mac", "oui"} if name)


def peers_of(device: Device) -> set[str]:
    """Return whom the device was seen to exchange packets with: device ids and addresses."""
    return {
        peer
        for talk in device.conversations
        if talk.scope in ("internal", "internet") and (peer := talk.peer_device or talk.peer_ip) is not None
    }


def _entry(entry: LedgerEntry) -> dict[str, object]:
    return {
        "source": entry.source,
        "field": entry.field,
        "value": entry.value,
        "sensor": entry.sensor,
        "first_seen": iso(entry.first_seen),
        "last_seen": iso(entry.last_seen),
        "count": entry.count,
    }


def _concluded(device: Device) -> list[dict[str, object]]:
    heard = {(entry.field, entry.value): entry for entry in reversed(device.ledger)}
    attributes: list[dict[str, object]] = []
    for level in _CONCLUDED:
        verdict = device.verdict(level)
        if verdict is None or verdict.label is None:
            continue
        supporting = (b for b in verdict.ballots if level == "class" or b.label == verdict.label)
        rests_on = dict.fromkeys((b.evidence_field, b.evidence_value) for b in supporting)
        attributes.append(
            {
                "field": level,
                "value": verdict.label,
                "confidence": verdict.confidence,
                "evidence": [
                    _entry(heard[pair]) if pair in heard else _derived(device, *pair) for pair in rests_on
                ],
            }
        )
    return attributes


def _derived(device: Device, field: str, value: str) -> dict[str, object]:
    """Return evidence that was concluded from addresses or traffic, not heard in one message."""
    return _entry(LedgerEntry("derived", field, value, "", device.first_seen, device.last_seen, 1))


def _heard(device: Device) -> list[dict[str, object]]:
    grouped: dict[tuple[str, str], list[LedgerEntry]] = {}
    for entry in device.ledger:
        grouped.setdefault((entry.field, entry.value), []).append(entry)
    return [
        {"field": field, "value": value, "confidence": 1.0, "evidence": [_entry(entry) for entry in entries]}
        for (field, value), entries in grouped.items()
    ]
