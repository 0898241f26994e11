"""Applications that were heard and components of bills of materials against claims on software.

A component is compared by its purl (ECMA-427) where claim and component have one, else by CPE or by name.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec
from packageurl import PackageURL

from medwarden.model.vulnerability import Aspect, MatchState, ProductClaim, ProductStatus
from medwarden.risk.matching.likeness import Closeness
from medwarden.risk.matching.names import plain, shown
from medwarden.risk.matching.profile import Software
from medwarden.risk.matching.verdict import Outcome
from medwarden.risk.matching.version_places import Place, place
from medwarden.risk.matching.versions import Certainty, bounded, read_versions, span_words


class Package(msgspec.Struct, frozen=True):
    """What a purl names: type, namespace and name as one key, and the version."""

    key: str
    scheme: str
    version: str


@lru_cache(maxsize=131072)
def package(purl: str) -> Package | None:
    """Take a purl apart; None for a text that is none."""
    try:
        read = PackageURL.from_string(purl)
    except ValueError:
        return None
    key = "/".join(part for part in (read.type, read.namespace, read.name) if part).lower()
    return Package(key, read.type, read.version or "")


@lru_cache(maxsize=131072)
def software_key(name: str) -> str:
    """Return the name of a program as letters and digits only, without its version."""
    text = plain(name.replace("_", " "))
    text = re.sub(r"\s+(?:for\s+\w+|\(.*\)|v?\d+(?:\.\d+)+.*)$", "", text)
    return re.sub(r"[^a-z0-9+]", "", text)


@lru_cache(maxsize=65536)
def cpe_parts(cpe: str) -> tuple[str, str, str]:
    """Return part, vendor and product of a CPE 2.3 name (NISTIR 7695) or 2.2 URI; empty where it is none."""
    if cpe.startswith("cpe:2.3:"):
        cells = re.split(r"(?<!\\):", cpe)[2:5]
    elif cpe.startswith("cpe:/"):
        cells = cpe[5:].split(":")[:3]
    else:
        return "", "", ""
    part, vendor, product = ([re.sub(r"\\(.)", r"\1", cell) for cell in cells] + ["", "", ""])[:3]
    return part, vendor, product


@lru_cache(maxsize=65536)
def cpe_version(cpe: str) -> str:
    """Return the version in a CPE 2.3 name or 2.2 URI; empty where it names none."""
    if cpe.startswith("cpe:2.3:"):
        cells = re.split(r"(?<!\\):", cpe)[5:6]
    elif cpe.startswith("cpe:/"):
        cells = cpe[5:].split(":")[3:4]
    else:
        return ""
    said = re.sub(r"\\(.)", r"\1", cells[0]) if cells else ""
    return "" if said in ("*", "-") else said


def keys_of(software: Software) -> frozenset[str]:
    """Return the keys under which claims on this program are looked up."""
    keys = {software_key(software.name)}
    if software.purl:
        read = package(software.purl)
        if read is not None:
            keys.add(read.key)
    if software.cpe:
        keys.add(software_key(cpe_parts(software.cpe)[2]))
    return frozenset(key for key in keys if len(key) > 2)


def judge_software(
    claim: ProductClaim, software: Software, source: str, vendor: bool | None
) -> Outcome | None:
    """Return how a claim on a program fits one program of a device, or None where it is another."""
    if claim.status is ProductStatus.RECOMMENDED:
        return None
    read = package(software.purl) if software.purl else None
    named = package(claim.purl) if claim.purl else None
    if read is not None and named is not None:
        if read.key != named.key:
            return None
        vendor = True
    own = software.version or (read.version if read is not None else "")
    reading = read_versions(claim.version) if claim.version and not claim.spans else None
    spans = bounded(claim.spans or (reading.spans if reading is not None else ()))
    wanted = " or ".join(span_words(span) for span in spans[:4]) or "every version"
    unreadable = reading is not None and reading.certainty is Certainty.UNREADABLE
    scheme = named.scheme if named is not None else ""
    if unreadable or (spans and not own):
        where = Place.UNKNOWN
    else:
        where = place(own, spans, scheme)
    agrees = None if where is Place.UNKNOWN else where is Place.IN
    why = {
        Place.IN: f"{own or 'any version'} is among those named ({wanted})",
        Place.ABOVE: f"{own} is later than the named versions ({wanted})",
        Place.BELOW: f"{own} is earlier than the named versions ({wanted})",
        Place.OUT: f"{own} is not among those named ({wanted})",
        Place.UNKNOWN: f"it cannot be told whether {own} is among those named ({wanted})"
        if own
        else "the version of the program is not known",
    }[where]
    aspects = (
        Aspect("vendor", vendor, software.vendor, software.field, claim.vendor, _vendor_words(vendor)),
        Aspect(
            "product", True, software.name, software.field, claim.purl or claim.product, "the same program"
        ),
        Aspect("version", agrees, own, software.field, wanted, why),
    )
    state = _state(claim, where, vendor)
    if state is None:
        return None
    if software.doubt and state is MatchState.CONFIRMED:
        state = MatchState.POTENTIAL
    said = claim.purl or plain(claim.product).startswith(plain(claim.vendor.replace("_project", "")))
    maker = "" if said else f"{shown(claim.vendor)} "
    reason = (
        f"{source} names {maker}{claim.purl or shown(claim.product)}, {wanted}; the device contains "
        f"{shown(software.name)}{' ' + own if own else ''}: {_end(state, aspects, software.doubt)}."
    )
    return Outcome(state, Closeness.SAME, reason, aspects)


def _vendor_words(vendor: bool | None) -> str:
    return "the same maker" if vendor else "who makes the program is not known"


def _end(state: MatchState, aspects: tuple[Aspect, ...], doubt: str = "") -> str:
    """Return the end of the sentence: what follows from the aspects."""
    if state is MatchState.CONFIRMED:
        return "it is affected"
    if state is MatchState.FIXED:
        return f"{aspects[-1].why}, so it is fixed"
    if state is MatchState.NOT_AFFECTED:
        return f"{aspects[-1].why}, so it is not affected"
    doubts = [aspect.why for aspect in aspects if not aspect.agrees]
    doubts += [doubt] if doubt else []
    doubts = doubts or ["the source makes conditions that are not known of the device"]
    return "it may be affected, because " + "; ".join(doubts)


def _state(claim: ProductClaim, where: Place, vendor: bool | None) -> MatchState | None:
    if claim.status in (ProductStatus.FIXED, ProductStatus.NOT_AFFECTED):
        if where is not Place.IN or not vendor:
            return None
        return MatchState.FIXED if claim.status is ProductStatus.FIXED else MatchState.NOT_AFFECTED
    if where is Place.ABOVE:
        return MatchState.FIXED
    if where in (Place.BELOW, Place.OUT):
        return MatchState.NOT_AFFECTED
    if where is Place.IN and vendor and claim.status is ProductStatus.AFFECTED and not claim.platforms:
        return MatchState.CONFIRMED
    return MatchState.POTENTIAL
