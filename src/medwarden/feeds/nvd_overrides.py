"""Corrections to NVD's configurations that Anchore publishes: CPE names for CVEs that NVD left without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, ClassVar

import msgspec

from medwarden.feeds.identifiers import is_cve
from medwarden.feeds.json_stream import decoded, document
from medwarden.feeds.nvd import Configuration, claims_of
from medwarden.feeds.origin import provenance, rejected, text
from medwarden.model.feed import Entry, FeedManifest, Item, Kind
from medwarden.model.vulnerability import Provenance, Vulnerability


class _Annotation(msgspec.Struct):
    cve_id: str
    description: str = ""
    reason: str = ""
    modified: str = ""
    published: str = ""
    references: list[str] = []


class _Cve(msgspec.Struct):
    configurations: list[Configuration] = []


class _Override(msgspec.Struct):
    annotation: _Annotation = msgspec.field(name="_annotation")
    cve: _Cve = msgspec.field(default_factory=_Cve)


class NvdOverrides:
    """Reads one file per CVE."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="nvd_overrides",
        title="Corrections to NVD (nvd-data-overrides)",
        publisher="Anchore",
        licence="CC0-1.0",
        home="https://github.com/anchore/nvd-data-overrides",
        brings="affected products by CPE where NVD has none",
        changes="every day",
        stale_after_h=24 * 30,
        kinds=(Kind.VULNERABILITY,),
    )

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell a correction by its annotation."""
        del name
        return b'"_annotation"' in head and b'"cve_id"' in head

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield the claims of a correction; one that empties a rejected record says so."""
        data = document(stream, origin.reference)
        try:
            held = decoded(data, _Override)
            if not is_cve(held.annotation.cve_id):
                raise ValueError(f"{held.annotation.cve_id[:40]!r} is no CVE id")
            claims = claims_of(held.cve.configurations)
        except ValueError as error:
            yield rejected(origin, "byte 0", error)
            return
        about = held.annotation
        yield Entry(
            (
                Vulnerability(
                    id=about.cve_id,
                    title="",
                    description=text(about.description),
                    provenance=provenance(origin, about.modified),
                    published=about.published,
                    claims=claims,
                    references=tuple(dict.fromkeys(about.references)),
                    rejected=not claims and "rejected" in about.reason,
                ),
            )
        )


FEED = NvdOverrides
