"""Under what claims of records and advisories are looked up: a device needs only those that it may meet.

A claim is filed under the maker as written, under the family of an operating system, under the name of a
program and under its package. What a block of records comes to (:func:`filed`) depends on these records and
on this code alone, so it can be kept (:class:`Shelf`) and laid together with that of other blocks in their
order: an engine that takes from a shelf says what one says that all records were put into.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from medwarden.model import vulnerability
from medwarden.model.vulnerability import Advisory, ProductClaim, Vulnerability
from medwarden.risk.matching import names, platforms, software, updates
from medwarden.risk.matching.platforms import system
from medwarden.risk.matching.software import package, software_key
from medwarden.risk.matching.updates import Updates

RESTS_ON = (__name__, *(each.__name__ for each in (vulnerability, names, platforms, software, updates)))
"""Modules whose code decides what a block comes to, this one among them: what is kept lasts as long."""
_WORDS_OF_A_SYSTEM = 4


class Entry(NamedTuple):
    """One claim with where it stands."""

    claim: ProductClaim
    vulnerability: str
    advisory: str  # empty for a record of the vulnerability itself
    title: str


class RouteKind(StrEnum):
    """What a claim is looked up by."""

    MAKER = "maker"
    SYSTEM = "system"
    PROGRAM = "program"
    PACKAGE = "package"


class Route(NamedTuple):
    """Where a claim is looked up: a maker as written, a family of systems, a program's or package's key."""

    kind: RouteKind
    key: str


class Shelf(Protocol):
    """Claims that were filed before, taken as they are needed, in the order of their records."""

    def makers(self) -> Iterable[str]:
        """Return the makers as written, in the order in which they are first named."""
        ...

    def take(self, route: Route) -> list[Entry]:
        """Return the claims under a route."""
        ...

    def builds(self) -> Iterable[tuple[str, str]]:
        """Return pairs of an article and a build that it makes."""
        ...

    def products(self) -> Mapping[str, Iterable[str]]:
        """Return the products of each maker as both are written."""
        ...


def routes_of(claim: ProductClaim) -> list[Route]:
    """Return where a claim is looked up."""
    found: list[Route] = []
    if claim.purl:
        named = package(claim.purl)
        if named is not None:
            found.append(Route(RouteKind.PACKAGE, named.key))
    if claim.part in ("o", "") and not claim.product.endswith("_firmware"):
        named_system = system(claim.product)
        if named_system is not None and (claim.part == "o" or _is_system(claim.product)):
            found.append(Route(RouteKind.SYSTEM, named_system.family))
            if claim.part == "o":
                return found
    if claim.part in ("a", "") and claim.product:
        found.append(Route(RouteKind.PROGRAM, software_key(claim.product)))
    found.append(Route(RouteKind.MAKER, claim.vendor))
    return found


def _is_system(product: str) -> bool:
    """Tell whether a text names a system itself, not a product that runs on one."""
    return len(re.findall(r"\w+", product)) <= _WORDS_OF_A_SYSTEM


def entries_of(record: Vulnerability | Advisory, learnt: Updates) -> list[Entry]:
    """Return what a record or an advisory claims; ``learnt`` learns which builds updates make."""
    if isinstance(record, Vulnerability):
        if record.rejected:
            return []
        claims = learnt.completed(record.claims, record.remedies) if record.remedies else record.claims
        return [Entry(claim, record.id, "", "") for claim in claims]
    return [
        Entry(claim, each.id or record.id, record.id, record.title)
        for each in record.vulnerabilities
        if not each.rejected
        for claim in learnt.completed(each.claims, each.remedies)
    ]


class Filed(msgspec.Struct, frozen=True):
    """What a block of records comes to: claims by route, and what is asked of all blocks at once.

    ``products`` are the products of each maker in the order of filing, ``builds`` articles with the builds
    they make, ``about`` the vulnerabilities that each advisory speaks of, rejected ones among them.
    """

    entries: dict[Route, list[Entry]]
    products: dict[str, list[str]]
    builds: list[tuple[str, str]]
    about: dict[str, list[str]]


def filed(records: Iterable[Vulnerability | Advisory]) -> Filed:
    """Return what a block of records comes to."""
    found = Filed({}, {}, [], {})
    products: dict[str, dict[str, None]] = {}
    learnt = Updates()
    for record in records:
        if isinstance(record, Advisory):
            ids = dict.fromkeys(each.id or record.id for each in record.vulnerabilities)
            found.about[record.id] = list(ids)
        for entry in entries_of(record, learnt):
            for route in routes_of(entry.claim):
                found.entries.setdefault(route, []).append(entry)
                if route.kind is RouteKind.MAKER:
                    products.setdefault(route.key, {})[entry.claim.product] = None
    found.products.update((maker, list(each)) for maker, each in products.items())
    found.builds.extend(learnt.learnt())
    return found


_FIELDS = ProductClaim.__struct_fields__
_DEFAULTS = msgspec.structs.astuple(ProductClaim(vulnerability.ProductStatus.AFFECTED, "", ""))
_ALWAYS = 3
"""Fields of a claim that have no default."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[ProductClaim, str, str, str]]).decode


def pack(entries: Sequence[Entry]) -> bytes:
    """Return entries as bytes, without what a claim leaves open."""
    return _encode([(_said(entry.claim), *entry[1:]) for entry in entries])


def _said(claim: ProductClaim) -> dict[str, object]:
    return {
        name: value
        for at, (name, value, default) in enumerate(
            zip(_FIELDS, msgspec.structs.astuple(claim), _DEFAULTS, strict=True)
        )
        if at < _ALWAYS or value != default
    }


def unpack(data: bytes) -> list[Entry]:
    """Return the entries that were packed. Raises msgspec.MsgspecError for bytes that are none."""
    return [Entry(*each) for each in _decode(data)]
