"""Whether equipment that HL7 messages name is the sender itself or something it speaks for.

A dissector hears one connection; here is the whole ledger. A sender that ever spoke for one piece of
equipment alone, and was not seen to be a gateway, is that equipment: monitors and pumps that send by
themselves seldom repeat their name in MSH-3. Who spoke for several is none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from medwarden.knowledge.fingerprints.index import index
from medwarden.model.evidence import LedgerEntry

_OWN_NAMES = {
    "hl7.source_id": "hl7.equipment",
    "hl7.source_model": "hl7.equipment_namespace",
    "hl7.source_uid": "hl7.equipment_uid",
    "hl7.source_serial": "hl7.equipment_serial",
    "hl7.source_udi": "hl7.equipment_udi",
    "hl7.source_type": "hl7.equipment_type",
    "hl7.source_kind": "hl7.device",
}
"""Field of equipment spoken for -> the same said of oneself."""
_SPOKEN_FOR = frozenset(
    {*_OWN_NAMES, "hl7.source_location", "hl7.source_battery_percent", "hl7.source_power"}
)


_FEWEST_FORWARDED = 2


def speaks_for_others(ledger: Iterable[LedgerEntry]) -> bool:
    """Tell whether a sender of HL7 was heard to speak for equipment that it is not."""
    names: dict[str, set[str]] = {}
    for entry in ledger:
        if entry.field == "hl7.role" and entry.value == "gateway":
            return True
        if entry.field in ("hl7.source_id", "hl7.source_uid", "hl7.source_serial"):
            names.setdefault(entry.field, set()).add(entry.value)
    return any(len(values) > 1 for values in names.values())


def own_words(ledger: tuple[LedgerEntry, ...]) -> tuple[LedgerEntry, ...]:
    """Return a ledger in which equipment is the device's own or not there at all.

    What a gateway says of places is where its equipment stands, not where it stands itself.
    """
    ledger = _without_forwarded(ledger)
    if not any(entry.field in _SPOKEN_FOR for entry in ledger):
        return ledger
    if speaks_for_others(ledger):
        return tuple(e for e in ledger if e.field not in _SPOKEN_FOR and e.field != "hl7.location")
    return tuple(_taken_over(ledger))


def _without_forwarded(ledger: tuple[LedgerEntry, ...]) -> tuple[LedgerEntry, ...]:
    """Return a ledger without the applications (MSH-3) of others that an interface engine passes on.

    Who sends under the names of several products is an engine between them; its own name stays.
    """
    names = {entry.value for entry in ledger if entry.field == "hl7.sending_application"}
    if len(names) < _FEWEST_FORWARDED:
        return ledger
    kinds = {name: _kinds_named(name) for name in names}
    if len({kind for kind in kinds.values() if kind}) < _FEWEST_FORWARDED:
        return ledger
    return tuple(
        entry
        for entry in ledger
        if entry.field != "hl7.sending_application" or "interface_engine" in kinds[entry.value]
    )


def _kinds_named(application: str) -> frozenset[str]:
    return frozenset(
        label
        for match in index().match([("hl7.sending_application", application)])
        for level, label in match.labels
        if level == "category"
    )


def _taken_over(ledger: Iterable[LedgerEntry]) -> Iterator[LedgerEntry]:
    for entry in ledger:
        own = _OWN_NAMES.get(entry.field)
        if own is not None:
            yield msgspec.structs.replace(entry, field=own)
        elif entry.field not in _SPOKEN_FOR:
            yield entry
