"""A device as engines, pages and exports see it: identity over time with the evidence behind it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from medwarden.model.evidence import LedgerEntry
from medwarden.model.place import Place
from medwarden.model.statement import Statement


class DeviceClass(StrEnum):
    """Top of the hierarchy class > category > vendor > model > OS and firmware."""

    IOMT = "IoMT"
    IOT = "IoT"
    OT = "OT"
    IT = "IT"
    NET = "NET"
    UNKNOWN = "unknown"


class Attribute(msgspec.Struct, frozen=True):
    """One value medwarden stands behind to a degree, and what it rests on.

    ``confidence`` is a probability between 0 and 1. ``field`` is a concluded field (``vendor``) or
    an evidence field (``dhcp.host_name``, then confidence 1: it was heard).
    """

    field: str
    value: str
    confidence: float
    evidence: tuple[LedgerEntry, ...] = ()


class Ballot(msgspec.Struct, frozen=True, gc=False):
    """One vote for a label: which rule, on which evidence, with what weight."""

    level: str  # class, category, vendor, model, os, os_version, firmware, serial, managed
    label: str
    weight: float
    rule: str  # fingerprint or rule id
    evidence_field: str
    evidence_value: str


class Verdict(msgspec.Struct, frozen=True):
    """The answer at one level: label or None (abstained), confidence, runner-up and ballots."""

    level: str
    label: str | None
    confidence: float
    runner_up: str | None = None
    runner_up_confidence: float = 0.0
    ballots: tuple[Ballot, ...] = ()


class Service(msgspec.Struct, frozen=True, gc=False):
    """Something the device offers: a listening port that was seen to answer."""

    transport: str
    port: int
    application: str | None
    first_seen: int
    last_seen: int
    clients: int
    flows: int
    bytes: int


class Conversation(msgspec.Struct, frozen=True, gc=False):
    """Traffic of one device with one peer over one service, summed up.

    ``peer_device`` is None for an address that is no device of ours (``peer_ip`` then says who);
    ``scope`` is internal, internet, multicast or broadcast; ``role`` tells whether our device is the
    client or the server.
    """

    device: str
    role: str
    peer_device: str | None
    peer_ip: str | None
    peer_name: str | None
    scope: str
    transport: str
    port: int
    application: str | None
    first_seen: int
    last_seen: int
    flows: int
    packets: int
    bytes_sent: int
    bytes_received: int
    established: bool


class Device(msgspec.Struct, frozen=True):
    """Everything known of one device. Absent facts are None, never guessed."""

    id: str
    site: str
    macs: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    vlans: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    device_class: DeviceClass = DeviceClass.UNKNOWN
    category: str | None = None
    vendor: str | None = None
    model: str | None = None
    os: str | None = None
    os_version: str | None = None
    firmware: str | None = None
    serial: str | None = None
    managed: bool | None = None
    location: str | None = None
    subnet: str | None = None
    phi: bool | None = None  # seen to carry patient data; None: cannot tell
    first_seen: int = 0
    last_seen: int = 0
    verdicts: tuple[Verdict, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    services: tuple[Service, ...] = ()
    conversations: tuple[Conversation, ...] = ()
    place: Place | None = None
    statements: tuple[Statement, ...] = ()

    @property
    def label(self) -> str:
        """Return how a person calls the device: its first name, else maker and model, else an address."""
        if self.names:
            return self.names[0]
        made = " ".join(part for part in (self.vendor, self.model) if part)
        address = (self.ips or self.macs or (self.id,))[0]
        return f"{made} ({address})" if made else address

    def verdict(self, level: str) -> Verdict | None:
        """Return the verdict at ``level``, or None where nothing was asked at that level."""
        return next((v for v in self.verdicts if v.level == level), None)

    def values(self, field: str) -> tuple[LedgerEntry, ...]:
        """Return the ledger entries of one evidence field."""
        return tuple(e for e in self.ledger if e.field == field)
