"""What a VEX document says: one status for one vulnerability and one product, with its grounds."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class VexStatus(StrEnum):
    """The four words of VEX (CISA, Minimum Requirements for VEX, 2.4.1)."""

    NOT_AFFECTED = "not_affected"
    AFFECTED = "affected"
    FIXED = "fixed"
    UNDER_INVESTIGATION = "under_investigation"


JUSTIFICATIONS = frozenset(
    {
        "component_not_present",
        "vulnerable_code_not_present",
        "vulnerable_code_not_in_execute_path",
        "vulnerable_code_cannot_be_controlled_by_adversary",
        "inline_mitigations_already_exist",
    }
)
"""Why a product is not affected, in the words of VEX (same source, 2.4.2; CSAF 2.0, 3.2.3.5.1)."""


class VexProduct(msgspec.Struct, frozen=True):
    """A product as a document names it; what it does not say is ''. ``name`` is its full name or address."""

    name: str
    vendor: str = ""
    product: str = ""
    version: str = ""
    cpe: str = ""
    purl: str = ""


class Statement(msgspec.Struct, frozen=True):
    """One statement. ``place`` is where it stands in the document, ``names`` the vulnerability's ids."""

    place: str
    names: tuple[str, ...]
    product: VexProduct
    says: VexStatus
    justification: str = ""
    text: str = ""


class Problem(msgspec.Struct, frozen=True):
    """Something that could not be read: where it stands and why."""

    place: str
    reason: str


class Reading(msgspec.Struct, frozen=True):
    """A document that was read. ``by_vendor`` is False where its author says to be no maker (CSAF)."""

    form: str
    document: str
    version: str
    author: str
    published: str
    statements: tuple[Statement, ...]
    problems: tuple[Problem, ...]
    by_vendor: bool = True


# ---------------------------------------------------------------- out


class OwnProduct(msgspec.Struct, frozen=True):
    """A kind of device, or one device, as the hospital knows it. ``id`` is stable and says nothing."""

    id: str
    vendor: str
    product: str
    version: str = ""
    cpe: str = ""
    purl: str = ""
    serials: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return maker, product and version in one line."""
        return (
            " ".join(part for part in (self.vendor, self.product, self.version) if part) or "unnamed device"
        )


class OwnVerdict(msgspec.Struct, frozen=True):
    """What the hospital says of a vulnerability and a product; ``action`` is what is done where affected."""

    vulnerability: str
    product: OwnProduct
    says: VexStatus
    justification: str = ""
    text: str = ""
    action: str = ""
    action_kind: str = "mitigation"
    title: str = ""
    since_ns: int = 0


class Issuer(msgspec.Struct, frozen=True):
    """Who issues a document: its name and an address (URI) that stands for it."""

    name: str
    namespace: str


class Revision(msgspec.Struct, frozen=True):
    """One version of a document: its number from 1 on, and when it was made (RFC 3339)."""

    number: int
    date: str
