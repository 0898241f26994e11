"""CVE records of format 5 with the containers of their numbering authority and of others (ADP)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, ClassVar

import msgspec

from medwarden.feeds.cpe import read_cpe
from medwarden.feeds.cve5_changes import changed_records
from medwarden.feeds.download import Arrived, Desk
from medwarden.feeds.identifiers import cwe_of, is_cve
from medwarden.feeds.json_stream import decoded, document
from medwarden.feeds.origin import provenance, rejected, text
from medwarden.feeds.versions import EVERY, bounded, exactly, is_plain, opens_below, spans_of
from medwarden.model.feed import Entry, FeedManifest, Item, Kind, Record
from medwarden.model.vulnerability import (
    Cvss,
    Exploitation,
    ProductClaim,
    ProductStatus,
    Provenance,
    Remedy,
    VersionSpan,
    Vulnerability,
)

_STATUSES = {
    "affected": ProductStatus.AFFECTED,
    "unaffected": ProductStatus.NOT_AFFECTED,
    "unknown": ProductStatus.UNDER_INVESTIGATION,
}
_SCORES = ("cvssV4_0", "cvssV3_1", "cvssV3_0", "cvssV2_0")


class _Text(msgspec.Struct, rename="camel"):
    value: str = ""
    lang: str = ""
    cwe_id: str = ""
    description: str = ""


class _Change(msgspec.Struct):
    at: str
    status: str


class _Version(msgspec.Struct, rename="camel"):
    version: str = ""
    status: str = "affected"
    less_than: str | None = None
    less_than_or_equal: str | None = None
    version_type: str = ""
    changes: list[_Change] = []


class _Affected(msgspec.Struct, rename="camel"):
    vendor: str = ""
    product: str = ""
    package_name: str = ""
    package_url: str = msgspec.field(default="", name="packageURL")
    default_status: str = ""
    versions: list[_Version] = []
    platforms: list[str] = []
    cpes: list[str] = []


class _Problem(msgspec.Struct):
    descriptions: list[_Text] = []


class _Reference(msgspec.Struct):
    url: str = ""
    tags: list[str] = []


class _Score(msgspec.Struct, rename="camel"):
    version: str
    vector_string: str
    base_score: float


class _Provider(msgspec.Struct, rename="camel"):
    short_name: str = ""
    date_updated: str = ""


class _Container(msgspec.Struct, rename="camel"):
    title: str = ""
    descriptions: list[_Text] = []
    affected: list[_Affected] = []
    metrics: list[dict[str, msgspec.Raw]] = []
    problem_types: list[_Problem] = []
    references: list[_Reference] = []
    solutions: list[_Text] = []
    workarounds: list[_Text] = []
    rejected_reasons: list[_Text] = []
    provider_metadata: _Provider = msgspec.field(default_factory=_Provider)


class _Containers(msgspec.Struct):
    cna: _Container
    adp: list[_Container] = []


class _Metadata(msgspec.Struct, rename="camel"):
    cve_id: str
    state: str
    date_published: str = ""
    date_updated: str = ""


class _CveRecord(msgspec.Struct, rename="camel"):
    data_type: str
    data_version: str
    cve_metadata: _Metadata
    containers: _Containers


class _Content(msgspec.Struct):
    options: list[dict[str, str]] = []


class _Other(msgspec.Struct):
    type: str = ""
    content: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))


class Cve5:
    """Reads one record per file, as in CVEProject/cvelistV5 and CISA's vulnrichment."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="cve5",
        title="CVE list (record format 5, with CISA's enrichment)",
        publisher="CVE Program",
        licence="CVE terms of use; CISA ADP CC0-1.0",
        home="https://github.com/CVEProject/cvelistV5",
        brings="CVE records of their authorities with affected versions and scores, CISA's SSVC",
        changes="all day",
        stale_after_h=48,
        kinds=(Kind.VULNERABILITY, Kind.EXPLOITATION),
    )

    @staticmethod
    def fetch(desk: Desk) -> Iterator[Arrived]:
        """Yield the whole list, later the records that changed since."""
        return changed_records(desk)

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell a record by its data type, or by its metadata where that stands far behind."""
        del name
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        return start == b"{" and (
            b'"CVE_RECORD"' in head or (b'"cveMetadata"' in head and b'"containers"' in head)
        )

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield the vulnerability of a record, and CISA's word on its use where it stands there."""
        data = document(stream, origin.reference)
        try:
            yield Entry(tuple(_records(decoded(data, _CveRecord), origin)))
        except ValueError as error:
            yield rejected(origin, "byte 0", error)


def _records(record: _CveRecord, origin: Provenance) -> Iterator[Record]:
    about, cna = record.cve_metadata, record.containers.cna
    if record.data_type != "CVE_RECORD" or not record.data_version.startswith("5."):
        raise ValueError(f"data type {record.data_type[:20]!r} of version {record.data_version[:10]!r}")
    if not is_cve(about.cve_id):
        raise ValueError(f"{about.cve_id[:40]!r} is no CVE id")
    containers = (cna, *record.containers.adp)
    source = provenance(origin, about.date_updated, f"https://www.cve.org/CVERecord?id={about.cve_id}")
    withdrawn = about.state == "REJECTED"
    yield Vulnerability(
        id=about.cve_id,
        title=text(cna.title, 500),
        description=text(_english(cna.rejected_reasons if withdrawn else cna.descriptions)),
        provenance=source,
        published=about.date_published,
        cwes=_cwes(containers),
        scores=tuple(score for container in containers for score in _scores(container)),
        claims=tuple(
            claim
            for container in containers
            for affected in container.affected
            for claim in _claims(affected)
        ),
        remedies=tuple(_remedies(cna)),
        references=tuple(dict.fromkeys(r.url for c in containers for r in c.references if r.url)),
        rejected=withdrawn,
    )
    use = _use(about.cve_id, containers, source)
    if use is not None:
        yield use


def _english(texts: list[_Text]) -> str:
    return next((t.value for t in texts if t.lang.startswith("en")), texts[0].value if texts else "")


def _cwes(containers: tuple[_Container, ...]) -> tuple[str, ...]:
    texts = (t for c in containers for problem in c.problem_types for t in problem.descriptions)
    return tuple(dict.fromkeys(filter(None, (cwe_of(t.cwe_id or t.description) for t in texts))))


def _scores(container: _Container) -> Iterator[Cvss]:
    for metric in container.metrics:
        for name in _SCORES:
            if name in metric:
                score = msgspec.json.decode(metric[name], type=_Score)
                yield Cvss(
                    score.version,
                    score.vector_string,
                    score.base_score,
                    container.provider_metadata.short_name,
                )


def _remedies(container: _Container) -> Iterator[Remedy]:
    for category, texts in (("vendor_fix", container.solutions), ("workaround", container.workarounds)):
        words = text(_english(texts))
        if words:
            yield Remedy(category=category, text=words)


def _use(cve: str, containers: tuple[_Container, ...], source: Provenance) -> Exploitation | None:
    said: dict[str, str] = {}
    added = ""
    exploits = dict.fromkeys(
        f"URL:{text(r.url, 500)}" for c in containers for r in c.references if r.url and "exploit" in r.tags
    )
    for container in containers[1:]:  # the first is of the numbering authority, the others add to it
        for metric in container.metrics:
            if "other" not in metric:
                continue
            other = msgspec.json.decode(metric["other"], type=_Other)
            if other.type == "ssvc":
                for option in msgspec.json.decode(other.content, type=_Content).options:
                    said |= option
            elif other.type == "kev":
                added = str(msgspec.json.decode(other.content, type=dict[str, object]).get("dateAdded", ""))
    if not said and not added and not exploits:
        return None
    automatable = {"yes": True, "no": False}.get(said.get("Automatable", "").lower())
    return Exploitation(
        id=cve,
        kev_added=added,
        activity=said.get("Exploitation", "").lower(),
        automatable=automatable,
        impact=said.get("Technical Impact", "").lower(),
        exploits=tuple(exploits),
        sources=(source,),
    )


def _claims(affected: _Affected) -> Iterator[ProductClaim]:
    """Yield the claims on one product: per status those versions that are plain, and one per odd text.

    Versions of commits say nothing that a device would tell and are left out where others stand beside
    them. The default status comes last: it holds for every version that is not listed.
    """
    versions = [v for v in affected.versions if v.version_type != "git"]
    plain: dict[ProductStatus, list[VersionSpan]] = {}
    for version in versions:
        status = _STATUSES.get(version.status)
        if status is None:
            raise ValueError(f"a version of status {version.status[:30]!r}")
        spans = _spans(version)
        if spans:
            for each, span in _changed(status, spans, version.changes):
                plain.setdefault(each, []).append(span)
        else:
            yield _claim(affected, status, version=_words(version))
    for status, found in plain.items():
        yield _claim(affected, status, spans=tuple(dict.fromkeys(found)))
    default = _STATUSES.get(affected.default_status)
    if default is ProductStatus.AFFECTED or (default is ProductStatus.NOT_AFFECTED and not affected.versions):
        yield _claim(affected, default, spans=(EVERY,))
    elif not versions and default is not ProductStatus.NOT_AFFECTED:
        yield _claim(
            affected, ProductStatus.AFFECTED, version="commits only" if affected.versions else "unspecified"
        )


def _claim(
    affected: _Affected, status: ProductStatus, version: str = "", spans: tuple[VersionSpan, ...] = ()
) -> ProductClaim:
    cpe = next((c for c in affected.cpes if read_cpe(c)), "")
    name = read_cpe(cpe)
    return ProductClaim(
        status=status,
        vendor=text(affected.vendor, 300),
        product=text(affected.product or affected.package_name, 300),
        version=version,
        spans=spans,
        part=name.part if name else "",
        cpe=cpe,
        purl=affected.package_url,
        platforms=tuple(affected.platforms),
    )


def _spans(version: _Version) -> tuple[VersionSpan, ...]:
    high = version.less_than if version.less_than is not None else version.less_than_or_equal
    if high is None:
        return spans_of(version.version) if not is_plain(version.version) else exactly(version.version)
    low = None if opens_below(version.version) else version.version
    if high.strip() in ("*", ""):
        return (EVERY,) if low is None else bounded(low, True, None, False)
    if low is not None and low == high and version.less_than is None:
        return exactly(low)
    return bounded(low, True, high, version.less_than is None)


def _changed(
    status: ProductStatus, spans: tuple[VersionSpan, ...], changes: list[_Change]
) -> Iterator[tuple[ProductStatus, VersionSpan]]:
    """Yield the parts of a range whose status changes at versions within it (CVE record, ``changes``)."""
    if len(spans) != 1 or not changes or not all(is_plain(c.at) and c.status in _STATUSES for c in changes):
        for span in spans:
            yield status, span
        return
    whole = spans[0]
    low, low_included = whole.low, whole.low_included
    for change in changes:
        yield status, VersionSpan(low=low, low_included=low_included, high=change.at, high_included=False)
        status, low, low_included = _STATUSES[change.status], change.at, True
    yield (
        status,
        VersionSpan(low=low, low_included=low_included, high=whole.high, high_included=whole.high_included),
    )


def _words(version: _Version) -> str:
    parts = [version.version]
    if version.less_than is not None:
        parts.append(f"< {version.less_than}")
    if version.less_than_or_equal is not None:
        parts.append(f"<= {version.less_than_or_equal}")
    return text(" ".join(part for part in parts if part), 300) or "unspecified"


FEED = Cve5
