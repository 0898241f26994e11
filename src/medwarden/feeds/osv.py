"""Vulnerabilities of software packages in the form of OSV (ossf.github.io/osv-schema)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, ClassVar

import msgspec

from medwarden.feeds.download import Arrived, Desk
from medwarden.feeds.identifiers import is_cve
from medwarden.feeds.json_stream import decoded, document
from medwarden.feeds.origin import provenance, rejected, text
from medwarden.feeds.osv_changes import ecosystems
from medwarden.feeds.versions import opens_below
from medwarden.model.feed import Entry, FeedManifest, Item, Kind
from medwarden.model.vulnerability import (
    ProductClaim,
    ProductStatus,
    Provenance,
    VersionSpan,
    Vulnerability,
)

_MOST_VERSIONS = 400
_TYPES = {
    "pypi": "pypi", "npm": "npm", "maven": "maven", "go": "golang", "nuget": "nuget", "crates": "cargo",
    "packagist": "composer", "rubygems": "gem", "hex": "hex", "pub": "pub", "oss-fuzz": "generic",
    "debian": "deb/debian", "alpine": "apk/alpine", "ubuntu": "deb/ubuntu",
}  # fmt: skip


class _Package(msgspec.Struct):
    ecosystem: str
    name: str
    purl: str = ""


class _Range(msgspec.Struct):
    type: str
    events: list[dict[str, str]] = []


class _Affected(msgspec.Struct):
    package: _Package | None = None
    ranges: list[_Range] = []
    versions: list[str] = []


class _Reference(msgspec.Struct):
    url: str = ""


class _Specific(msgspec.Struct):
    cwe_ids: list[str] = []


class _Osv(msgspec.Struct):
    id: str
    modified: str
    aliases: list[str] = []
    published: str = ""
    withdrawn: str = ""
    summary: str = ""
    details: str = ""
    affected: list[_Affected] = []
    references: list[_Reference] = []
    database_specific: _Specific | None = None


class Osv:
    """Reads one vulnerability per file; scores come as vectors alone and are left to other feeds."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="osv",
        title="Vulnerabilities of software packages (OSV)",
        publisher="OpenSSF",
        licence="by source; mostly CC-BY-4.0",
        home="https://osv.dev/",
        brings="affected versions of packages, for software bills of materials",
        changes="all day",
        stale_after_h=24 * 14,
        kinds=(Kind.VULNERABILITY,),
    )

    on_request: ClassVar[bool] = True  # only the ecosystems that an operator names

    @staticmethod
    def fetch(desk: Desk) -> Iterator[Arrived]:
        """Yield the archive of each ecosystem that is chosen, later the records that changed."""
        return ecosystems(desk)

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell a record by the fields that the schema demands."""
        del name
        return head.lstrip()[:1] == b"{" and all(
            field in head for field in (b'"id"', b'"modified"', b'"affected"', b'"ecosystem"')
        )

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield the vulnerability of a record under its CVE id where it has one."""
        data = document(stream, origin.reference)
        try:
            held = decoded(data, _Osv)
            claims = tuple(claim for affected in held.affected for claim in _claims(affected))
        except ValueError as error:
            yield rejected(origin, "byte 0", error)
            return
        yield Entry(
            (
                Vulnerability(
                    id=next((alias for alias in (held.id, *held.aliases) if is_cve(alias)), held.id),
                    title=text(held.summary, 500),
                    description=text(held.details),
                    provenance=provenance(origin, held.modified, f"https://osv.dev/vulnerability/{held.id}"),
                    published=held.published,
                    cwes=tuple(held.database_specific.cwe_ids) if held.database_specific else (),
                    claims=claims,
                    references=tuple(dict.fromkeys(r.url for r in held.references if r.url)),
                    rejected=bool(held.withdrawn),
                ),
            )
        )


def _claims(affected: _Affected) -> Iterator[ProductClaim]:
    package = affected.package
    if package is None:
        return
    spans = [span for held in affected.ranges if held.type != "GIT" for span in _spans(held)]
    if not spans:
        spans = [VersionSpan(exact=version) for version in affected.versions[:_MOST_VERSIONS]]
    kind = _TYPES.get(package.ecosystem.partition(":")[0].lower().removesuffix(".io"), "")
    name = package.name.replace(":", "/") if kind == "maven" else package.name
    yield ProductClaim(
        status=ProductStatus.AFFECTED,
        vendor="",
        product=text(package.name, 300),
        version="" if spans else "commits only",
        spans=tuple(dict.fromkeys(spans)),
        part="a",
        purl=package.purl or (f"pkg:{kind}/{name}" if kind else ""),
        platforms=(package.ecosystem,),
    )


def _spans(held: _Range) -> Iterator[VersionSpan]:
    """Yield the stretches between events: introduced, then fixed or last affected (OSV, ``events``)."""
    low: str | None = None
    begun = False
    for event in held.events:
        if "introduced" in event:
            low, begun = (None if opens_below(event["introduced"]) else event["introduced"]), True
        elif begun and ("fixed" in event or "last_affected" in event):
            high = event.get("fixed") or event.get("last_affected")
            yield VersionSpan(low=low, high=high, high_included="fixed" not in event)
            begun = False
    if begun:
        yield VersionSpan(low=low)


FEED = Osv
