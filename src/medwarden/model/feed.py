"""What a feed is: a publisher's files in, records with provenance out; and the records that are its own.

Every record of a publisher becomes an :class:`Entry` (what was made of it; empty where it holds nothing of
ours) or a :class:`Rejected` (where it stood and why it could not be read): read = kept + passed + rejected.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import IO, ClassVar, Protocol

import msgspec

from medwarden.model.recall import Recall
from medwarden.model.vulnerability import Advisory, Exploitation, Provenance, Vulnerability


class Kind(StrEnum):
    """What a record is about."""

    VULNERABILITY = "vulnerability"
    ADVISORY = "advisory"
    EXPLOITATION = "exploitation"
    RECALL = "recall"
    LIFE_CYCLE = "life_cycle"
    TECHNIQUE = "technique"
    WEAKNESS = "weakness"
    PRODUCT_CODE = "product_code"
    LISTING = "listing"
    ASSIGNMENT = "assignment"


class Cycle(msgspec.Struct, frozen=True):
    """One release line of a product; dates are ISO 8601, None where the publisher gives none.

    ``ended`` tells whether support ended (or will never end: False) where the publisher says so without a
    date. ``extended`` is the end of support that is paid for, ``sale_ends`` the end of sale.
    """

    name: str
    label: str = ""
    released: str | None = None
    support_ends: str | None = None
    security_ends: str | None = None
    extended_ends: str | None = None
    ended: bool | None = None
    latest: str = ""
    sale_ends: str | None = None


class LifeCycle(msgspec.Struct, frozen=True):
    """How long the releases of one product are supported."""

    id: str
    title: str
    category: str
    cycles: tuple[Cycle, ...]
    provenance: Provenance
    identifiers: tuple[str, ...] = ()  # cpe: and pkg: as published
    url: str = ""


class Technique(msgspec.Struct, frozen=True):
    """A tactic, technique, mitigation or asset of MITRE ATT&CK by its id (T0855, TA0108, M0801)."""

    id: str
    name: str
    description: str
    provenance: Provenance
    type: str = ""  # the STIX type
    domains: tuple[str, ...] = ()
    tactics: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    url: str = ""
    withdrawn: bool = False


class Weakness(msgspec.Struct, frozen=True):
    """A kind of flaw by its CWE id (CWE-79); ``parents`` are the weaknesses it is a case of."""

    id: str
    name: str
    description: str
    provenance: Provenance
    abstraction: str = ""
    status: str = ""
    parents: tuple[str, ...] = ()


class ProductCode(msgspec.Struct, frozen=True):
    """An FDA product code; ``device_class`` is 1 to 3, U, N or F; None where the source does not say."""

    id: str
    name: str
    device_class: str
    provenance: Provenance
    regulation: str = ""
    panel: str = ""
    implant: bool | None = None
    life_support: bool | None = None


class Listing(msgspec.Struct, frozen=True):
    """A product as registered under its UDI-DI; ``gmdn`` are the names of its GMDN terms."""

    id: str
    brand: str
    model: str
    company: str
    provenance: Provenance
    catalogue: str = ""
    description: str = ""
    status: str = ""
    published: str = ""
    other_identifiers: tuple[str, ...] = ()
    product_codes: tuple[str, ...] = ()
    gmdn: tuple[str, ...] = ()
    mri_safety: str = ""


class Assignment(msgspec.Struct, frozen=True):
    """A block of MAC addresses: ``id`` is its prefix in hexadecimal digits (6, 7 or 9 of them)."""

    id: str
    organisation: str
    registry: str
    provenance: Provenance


Record = (
    Vulnerability
    | Advisory
    | Exploitation
    | Recall
    | LifeCycle
    | Technique
    | Weakness
    | ProductCode
    | Listing
    | Assignment
)

TYPES: dict[Kind, type[msgspec.Struct]] = {
    Kind.VULNERABILITY: Vulnerability,
    Kind.ADVISORY: Advisory,
    Kind.EXPLOITATION: Exploitation,
    Kind.RECALL: Recall,
    Kind.LIFE_CYCLE: LifeCycle,
    Kind.TECHNIQUE: Technique,
    Kind.WEAKNESS: Weakness,
    Kind.PRODUCT_CODE: ProductCode,
    Kind.LISTING: Listing,
    Kind.ASSIGNMENT: Assignment,
}
KINDS: dict[type[msgspec.Struct], Kind] = {held: kind for kind, held in TYPES.items()}


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What was made of one record of the publisher; nothing where it holds nothing that we keep."""

    records: tuple[Record, ...] = ()


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A record that could not be read: where it stood (file and byte, line or record) and why."""

    where: str
    reason: str


class About(msgspec.Struct, frozen=True, gc=False):
    """What a file says of itself: the publisher's version, its date (RFC 3339), how many records it has."""

    version: str = ""
    updated: str = ""
    expected: int | None = None


Item = Entry | Rejected | About


class FeedManifest(msgspec.Struct, frozen=True):
    """How a feed declares itself.

    ``id`` is the ``feed`` of its records' provenance; ``changes`` says in words how often the publisher
    brings something new; after ``stale_after_h`` hours without a look the feed counts as stale. ``whole``:
    one file is all there is, and a newer one takes its place; otherwise files add to and replace each
    other record by record. ``kinds`` are the kinds of record it may bring.
    """

    id: str
    title: str
    publisher: str
    licence: str
    home: str
    brings: str
    changes: str
    stale_after_h: int
    kinds: tuple[Kind, ...]
    whole: bool = False


class Feed(Protocol):
    """A reader of one publisher's files; see :mod:`medwarden.feeds.registry`."""

    manifest: ClassVar[FeedManifest]

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell from a file's name and first 64 KiB whether it is of this feed; the content decides."""

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield what a file holds; ``origin.reference`` names it.

        Raises MalformedInput where the file as a whole cannot be read or ends in its middle: then nothing
        of it may be kept.
        """
