"""The registry of clinical names: which device answers to which AE title and HL7 application, and disputes.

DICOM application entity titles (PS3.8 section 7.1.1.3) and HL7 application and facility (MSH-3 to MSH-6) are
all that many systems tell friend from stranger by. Nobody hands them out centrally, so two systems come to
share one, a title moves unnoticed, or somebody borrows the archive's. :func:`registry_of` builds the
registry from what devices said of themselves and were called by; nothing is stored for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

import msgspec

from medwarden.inventory.spoken_for import speaks_for_others
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry

SETTLED_NS = 24 * 3600 * 1_000_000_000
"""A title that was one device's for so long is taken for its own when another turns up with it."""

_TITLES_AS_DELIVERED = """
AETITLE AE_TITLE ANY-SCP ANYSCP ANY-SCU ANYSCU CLEARCANVAS CLIENTAE CONQUEST CONQUESTSRV1 DCM4CHEE
DCMQRSCP DICOM DICOMSCP DICOMSCU DICOM_SCP ECHOSCU FINDSCU GETSCU HOROS LOCALAE MICRODICOM MODALITY
MOVESCU MY_AE ORTHANC OSIRIX PYNETDICOM QRSCP RADIANT SCP SCU SERVERAE STORAGESCP STORESCP STORESCU
STORE_SCP TEST WEASIS
"""
_DEFAULT_TITLES = frozenset(_TITLES_AS_DELIVERED.split())
"""Titles that toolkits and viewers come with, in capitals."""
_APPLICATIONS_AS_DELIVERED = """
APP APPLICATION HL7 HL7APP HL7SENDER MIRTH MLLP RECEIVER SENDER SENDINGAPP SENDING_APPLICATION SENDAPP
TEST TESTAPP
"""
_DEFAULT_APPLICATIONS = frozenset(_APPLICATIONS_AS_DELIVERED.split())


class NameKind(StrEnum):
    """Whose name it is."""

    AE_TITLE = "ae_title"
    HL7_APPLICATION = "hl7_application"


class ConflictKind(StrEnum):
    """What is wrong with a name."""

    SHARED = "shared"  # two devices use it at the same time
    SPOOF_SUSPECTED = "spoof_suspected"  # a newcomer uses the name of a device that has had it for long
    MOVED = "moved"  # one device stopped using it, then another began
    MISDIRECTED = "misdirected"  # a device is called by a name that is another's
    UNANSWERED = "unanswered"  # called by it, no device answers to it
    UNKNOWN_DESTINATION = "unknown_destination"  # images are moved to a title that no device has
    DEFAULT = "default"  # a title as the software came with


class NameUse(msgspec.Struct, frozen=True):
    """One device's use of a name.

    ``claimed``: it said the name of itself, or accepted being called by it; otherwise it was only called.
    ``roles`` are those of the device in the protocol (``storage_scp``), times nanoseconds UTC.
    """

    device: str
    label: str
    addresses: tuple[str, ...]
    claimed: bool
    roles: tuple[str, ...]
    first_seen: int
    last_seen: int
    count: int


class ClinicalName(msgspec.Struct, frozen=True):
    """An AE title, or an HL7 application with the facilities it was named together with."""

    kind: NameKind
    name: str
    uses: tuple[NameUse, ...]
    facilities: tuple[str, ...] = ()

    @property
    def holders(self) -> tuple[NameUse, ...]:
        """Return the uses by devices that claim the name, the oldest first."""
        return tuple(use for use in self.uses if use.claimed)


class NameConflict(msgspec.Struct, frozen=True):
    """A dispute over a name: the devices in it (the rightful or older one first), since when, and why."""

    kind: ConflictKind
    name_kind: NameKind
    name: str
    devices: tuple[str, ...]
    since: int
    sentence: str


class ClinicalPeers(msgspec.Struct, frozen=True):
    """The registry: names in alphabetical order, conflicts with the gravest first."""

    titles: tuple[ClinicalName, ...]
    conflicts: tuple[NameConflict, ...]

    def of_device(self, device: str) -> tuple[ClinicalName, ...]:
        """Return the names that a device claims."""
        return tuple(t for t in self.titles if any(use.device == device for use in t.holders))


_GRAVITY = {kind: place for place, kind in enumerate(ConflictKind)} | {
    ConflictKind.SPOOF_SUSPECTED: -1,
    ConflictKind.UNKNOWN_DESTINATION: 0,
}


def registry_of(devices: Iterable[Device]) -> ClinicalPeers:
    """Build the registry from the ledgers of ``devices``, as they are at one time."""
    known = list(devices)
    names = sorted(_names(known), key=lambda n: (n.kind, n.name))
    conflicts = [conflict for name in names for conflict in _conflicts(name)]
    conflicts += _unknown_destinations(known, names)
    conflicts.sort(key=lambda c: (_GRAVITY[c.kind], c.name_kind, c.name, c.devices))
    return ClinicalPeers(tuple(names), tuple(conflicts))


def _names(devices: Sequence[Device]) -> Iterator[ClinicalName]:
    for kind, claimed, called in (
        (NameKind.AE_TITLE, "dicom.ae_title", "dicom.called_ae_title"),
        (NameKind.HL7_APPLICATION, "hl7.sending_application", "hl7.receiving_application"),
    ):
        uses: dict[str, list[NameUse]] = {}
        facilities: dict[str, set[str]] = {}
        for device in devices:
            for use_of, name in _uses(device, kind, claimed, called):
                uses.setdefault(name, []).append(use_of)
                if kind is NameKind.HL7_APPLICATION:
                    facilities.setdefault(name, set()).update(_facilities(device))
        for name, found in uses.items():
            found.sort(key=lambda use: (not use.claimed, use.first_seen, use.device))
            yield ClinicalName(kind, name, tuple(found), tuple(sorted(facilities.get(name, ()))))


def _uses(device: Device, kind: NameKind, claimed: str, called: str) -> Iterator[tuple[NameUse, str]]:
    """Yield how one device uses names: what it claims, and what it is called by without claiming it."""
    own = {entry.value for entry in device.ledger if entry.field == claimed}
    if kind is NameKind.HL7_APPLICATION and _passes_on(device, own):
        own = set()  # an engine sends on under the names of those it has messages from
    merged: dict[str, list[LedgerEntry]] = {}
    for entry in device.ledger:
        if (entry.field == claimed and entry.value in own) or entry.field == called:
            merged.setdefault(entry.value, []).append(entry)
    protocol = "dicom.role" if kind is NameKind.AE_TITLE else "hl7.role"
    roles = tuple(sorted({entry.value for entry in device.ledger if entry.field == protocol}))
    for name, entries in merged.items():
        telling = [e for e in entries if e.field == claimed] or entries
        yield (
            NameUse(
                device.id,
                device.label,
                device.ips or device.macs,
                name in own,
                roles,
                min(e.first_seen for e in telling),
                max(e.last_seen for e in telling),
                sum(e.count for e in telling),
            ),
            name,
        )


def _passes_on(device: Device, own: set[str]) -> bool:
    """Tell whether a device sends HL7 on for others: many names, and messages come to it as well.

    A gateway for bedside equipment has names of its own and counts as one, not as an engine.
    """
    if len(own) < 2 or speaks_for_others(device.ledger):
        return False
    received = any(e.field == "hl7.ack_code" for e in device.ledger)
    return device.category == "interface_engine" or (received and len(own) > 2)


def _facilities(device: Device) -> set[str]:
    return {e.value for e in device.ledger if e.field in ("hl7.sending_facility", "hl7.receiving_facility")}


def _conflicts(name: ClinicalName) -> Iterator[NameConflict]:
    holders = name.holders
    yield from _disputes(name, holders)
    for use in name.uses:
        if use.claimed:
            continue
        if holders:
            yield _conflict(
                ConflictKind.MISDIRECTED,
                name,
                (holders[0], use),
                use.first_seen,
                f"{use.label} is called {name.name}, but that is {holders[0].label}.",
            )
        elif name.kind is NameKind.AE_TITLE:
            # Of HL7 receivers many never send; being called by a name is all they have.
            yield _conflict(
                ConflictKind.UNANSWERED,
                name,
                (use,),
                use.first_seen,
                f"{use.label} is called {name.name} and never accepted it; no device answers to it.",
            )
    defaults = _DEFAULT_TITLES if name.kind is NameKind.AE_TITLE else _DEFAULT_APPLICATIONS
    if holders and name.name.strip().upper() in defaults:
        yield _conflict(
            ConflictKind.DEFAULT,
            name,
            holders,
            holders[0].first_seen,
            f"{name.name} is a name that software comes with; whoever guesses it passes for "
            f"{holders[0].label}.",
        )


def _disputes(name: ClinicalName, holders: Sequence[NameUse]) -> Iterator[NameConflict]:
    """Compare each holder with the oldest one still there when it came, or else with the one before."""
    for place, after in enumerate(holders[1:], 1):
        there = [use for use in holders[:place] if use.last_seen >= after.first_seen]
        before = there[0] if there else max(holders[:place], key=lambda use: use.last_seen)
        if after.first_seen > before.last_seen:
            kind = ConflictKind.MOVED
            sentence = f"{name.name} was {_words(before, after)} and is {_words(after, before)} now."
        elif after.first_seen - before.first_seen >= SETTLED_NS:
            kind = ConflictKind.SPOOF_SUSPECTED
            sentence = (
                f"{_words(after, before)} uses {name.name}, which has long been "
                f"{_words(before, after)} and still is."
            )
        else:
            kind = ConflictKind.SHARED
            sentence = f"{_words(before, after)} and {_words(after, before)} both use {name.name}."
        yield _conflict(kind, name, (before, after), after.first_seen, sentence)


def _words(use: NameUse, other: NameUse) -> str:
    """Return how to call a device beside another: with its address where both have one label."""
    return use.label if use.label != other.label else f"{use.label} at {', '.join(use.addresses[:1])}"


def _unknown_destinations(devices: Sequence[Device], names: Sequence[ClinicalName]) -> Iterator[NameConflict]:
    """Yield titles that images were to be moved to (PS3.4 C.4.2) and that no device claims."""
    claimed = {name.name for name in names if name.kind is NameKind.AE_TITLE and name.holders}
    for device in devices:
        for entry in device.values("dicom.move_destination"):
            if entry.value not in claimed:
                yield NameConflict(
                    ConflictKind.UNKNOWN_DESTINATION,
                    NameKind.AE_TITLE,
                    entry.value,
                    (device.id,),
                    entry.first_seen,
                    f"{device.label} had images sent to {entry.value}, which no known device answers to.",
                )


def _conflict(
    kind: ConflictKind, name: ClinicalName, uses: Sequence[NameUse], since: int, sentence: str
) -> NameConflict:
    return NameConflict(kind, name.kind, name.name, tuple(use.device for use in uses), since, sentence)
