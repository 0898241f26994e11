"""CISA's catalogue of Known Exploited Vulnerabilities: which ones are in use, and by when to act."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, ClassVar

import msgspec

from medwarden.feeds.identifiers import is_cve
from medwarden.feeds.json_stream import Records, decoded
from medwarden.feeds.lines import rows, told_by_its_start
from medwarden.feeds.origin import provenance, rejected
from medwarden.model.feed import About, Entry, FeedManifest, Item, Kind
from medwarden.model.vulnerability import Exploitation, Provenance


class _Listed(msgspec.Struct, rename="camel"):
    cve: str = msgspec.field(name="cveID")
    date_added: str
    due_date: str = ""
    known_ransomware_campaign_use: str = "Unknown"


class _Catalogue(msgspec.Struct, rename="camel"):
    catalog_version: str
    date_released: str
    count: int


class Kev:
    """Reads the catalogue in JSON or CSV, as published at cisa.gov and mirrored in cisagov/kev-data."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="kev",
        title="Known exploited vulnerabilities (KEV)",
        publisher="CISA",
        licence="CC0-1.0",
        home="https://www.cisa.gov/known-exploited-vulnerabilities-catalog",
        brings="vulnerabilities that are used in attacks, with due dates and ransomware campaigns",
        changes="several times a week",
        stale_after_h=72,
        kinds=(Kind.EXPLOITATION,),
        whole=True,
    )

    addresses: ClassVar[tuple[str, ...]] = (
        "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
    )

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell the catalogue by the members that only it has, or by the heading of its table."""
        del name
        first = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0].replace(b'"', b"")
        table = first.startswith(b"cveID,") and b",dateAdded," in first
        return table or (b'"catalogVersion"' in head and b'"$schema"' not in head)

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield one exploitation per entry of the catalogue."""
        buffered, start = told_by_its_start(stream)
        return _of_json(buffered, origin) if start == b"{" else _of_table(buffered, origin)


def _of_json(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
    records = Records(stream, origin.reference, "vulnerabilities")
    for found in records:
        try:
            yield _entry(decoded(found.data, _Listed), origin)
        except ValueError as error:
            yield rejected(origin, f"byte {found.offset}", error)
    try:
        about = decoded(records.header, _Catalogue)
    except ValueError as error:
        yield rejected(origin, "heading", error)
        return
    yield About(about.catalog_version, about.date_released, about.count)


def _of_table(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
    """Read the table, which does not say of when it is: it is as new as its newest entry."""
    heading: list[str] = []
    newest = ""
    for number, row in rows(stream, origin.reference):
        if not heading:
            heading = row
            continue
        if not row:
            continue
        try:
            if len(row) != len(heading):
                raise ValueError(f"{len(row)} cells, where the heading has {len(heading)}")
            listed = msgspec.convert(dict(zip(heading, row, strict=True)), _Listed)
            yield _entry(listed, origin)
        except ValueError as error:
            yield rejected(origin, f"line {number}", error)
            continue
        newest = max(newest, listed.date_added)
    yield About("", newest)


def _entry(listed: _Listed, origin: Provenance) -> Entry:
    if not is_cve(listed.cve):
        raise ValueError(f"{listed.cve[:40]!r} is no CVE id")
    return Entry(
        (
            Exploitation(
                id=listed.cve,
                kev_added=listed.date_added,
                kev_due=listed.due_date,
                ransomware=listed.known_ransomware_campaign_use == "Known",
                sources=(provenance(origin, listed.date_added, Kev.manifest.home),),
            ),
        )
    )


FEED = Kev
