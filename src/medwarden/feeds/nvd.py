"""NIST's National Vulnerability Database: answers of its API 2.0 and its yearly files of the same form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, ClassVar

import msgspec

from medwarden.feeds.cpe import read_cpe
from medwarden.feeds.download import Arrived, Desk
from medwarden.feeds.identifiers import cwe_of, is_cve
from medwarden.feeds.json_stream import Records, decoded
from medwarden.feeds.nvd_pages import pages
from medwarden.feeds.origin import provenance, rejected, text
from medwarden.feeds.versions import EVERY
from medwarden.model.feed import About, Entry, FeedManifest, Item, Kind
from medwarden.model.vulnerability import (
    Cvss,
    Exploitation,
    ProductClaim,
    ProductStatus,
    Provenance,
    VersionSpan,
    Vulnerability,
)

_MOST_PLATFORMS = 64


class _Text(msgspec.Struct):
    value: str = ""
    lang: str = ""


class _Score(msgspec.Struct, rename="camel"):
    version: str
    vector_string: str
    base_score: float


class _Metric(msgspec.Struct, rename="camel"):
    cvss_data: _Score
    source: str = ""


class _Weakness(msgspec.Struct):
    description: list[_Text] = []


class _CpeMatch(msgspec.Struct, rename="camel"):
    criteria: str
    vulnerable: bool = True
    version_start_including: str | None = None
    version_start_excluding: str | None = None
    version_end_including: str | None = None
    version_end_excluding: str | None = None


class _Node(msgspec.Struct, rename="camel"):
    operator: str = "OR"
    negate: bool = False
    cpe_match: list[_CpeMatch] = []


class Configuration(msgspec.Struct):
    """One alternative of products that are affected together (NVD API 2.0, ``configurations``)."""

    nodes: list[_Node] = []
    operator: str = "OR"
    negate: bool = False


class _Reference(msgspec.Struct):
    url: str = ""
    tags: list[str] = []


class _Cve(msgspec.Struct, rename="camel"):
    id: str
    published: str = ""
    last_modified: str = ""
    vuln_status: str = ""
    descriptions: list[_Text] = []
    metrics: dict[str, msgspec.Raw] = {}
    weaknesses: list[_Weakness] = []
    configurations: list[Configuration] = []
    references: list[_Reference] = []


class _Held(msgspec.Struct):
    cve: _Cve


class _Answer(msgspec.Struct, rename="camel"):
    total_results: int
    results_per_page: int
    start_index: int = 0
    timestamp: str = ""


class Nvd:
    """Reads pages of the API and files of the same form."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="nvd",
        title="National Vulnerability Database (NVD)",
        publisher="NIST",
        licence="public domain (US government)",
        home="https://nvd.nist.gov/",
        brings="CVE records with CVSS scores, affected products by CPE, links to exploits",
        changes="all day",
        stale_after_h=48,
        kinds=(Kind.VULNERABILITY, Kind.EXPLOITATION),
    )

    @staticmethod
    def fetch(desk: Desk) -> Iterator[Arrived]:
        """Yield all pages, later those of records that changed since (``lastModStartDate``)."""
        return pages(desk)

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell an answer of the API by its format."""
        del name
        return b'"NVD_CVE"' in head and b'"vulnerabilities"' in head

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield one vulnerability per CVE, and the references that are marked as exploits where there are."""
        records = Records(stream, origin.reference, "vulnerabilities")
        for found in records:
            try:
                cve = decoded(found.data, _Held).cve
                record = _vulnerability(cve, origin)
                use = _exploits(cve, record.provenance)
                yield Entry((record,) if use is None else (record, use))
            except ValueError as error:
                yield rejected(origin, f"byte {found.offset}", error)
        try:
            about = decoded(records.header, _Answer)
        except ValueError as error:
            yield rejected(origin, "heading", error)
            return
        expected = min(about.results_per_page, max(0, about.total_results - about.start_index))
        yield About("2.0", about.timestamp, expected)


def _vulnerability(cve: _Cve, origin: Provenance) -> Vulnerability:
    if not is_cve(cve.id):
        raise ValueError(f"{cve.id[:40]!r} is no CVE id")
    description = next((d.value for d in cve.descriptions if d.lang.startswith("en")), "")
    return Vulnerability(
        id=cve.id,
        title="",
        description=text(description),
        provenance=provenance(origin, cve.last_modified, f"https://nvd.nist.gov/vuln/detail/{cve.id}"),
        published=cve.published,
        cwes=tuple(
            dict.fromkeys(filter(None, (cwe_of(d.value) for w in cve.weaknesses for d in w.description)))
        ),
        scores=tuple(_scores(cve.metrics)),
        claims=claims_of(cve.configurations),
        references=tuple(dict.fromkeys(r.url for r in cve.references if r.url)),
        rejected=cve.vuln_status == "Rejected",
    )


def _exploits(cve: _Cve, source: Provenance) -> Exploitation | None:
    """Return the references that NVD's analysts tag as exploits, or None without any."""
    found = dict.fromkeys(
        f"URL:{text(reference.url, 500)}"
        for reference in cve.references
        if reference.url and "Exploit" in reference.tags
    )
    return Exploitation(id=cve.id, exploits=tuple(found), sources=(source,)) if found else None


def _scores(metrics: dict[str, msgspec.Raw]) -> Iterator[Cvss]:
    for name, raw in metrics.items():
        if not name.startswith("cvssMetric"):
            continue  # SSVC and what else may come beside scores
        for metric in msgspec.json.decode(raw, type=list[_Metric]):
            score = metric.cvss_data
            yield Cvss(score.version, score.vector_string, score.base_score, metric.source)


def claims_of(configurations: list[Configuration]) -> tuple[ProductClaim, ...]:
    """Return the products of configurations; those that are not vulnerable are platforms of the others."""
    claims: dict[tuple[str, ...], ProductClaim] = {}
    for configuration in configurations:
        if configuration.negate:
            raise ValueError("a configuration that is negated")
        platforms: tuple[str, ...] = ()
        if configuration.operator == "AND" or any(node.operator == "AND" for node in configuration.nodes):
            platforms = tuple(
                dict.fromkeys(
                    m.criteria for n in configuration.nodes for m in n.cpe_match if not m.vulnerable
                )
            )[:_MOST_PLATFORMS]
        for node in configuration.nodes:
            for match in node.cpe_match:
                if match.vulnerable:
                    _claim(match, platforms, claims)
    return tuple(claims.values())


def _claim(match: _CpeMatch, platforms: tuple[str, ...], claims: dict[tuple[str, ...], ProductClaim]) -> None:
    name = read_cpe(match.criteria)
    if name is None:
        raise ValueError(f"{match.criteria[:60]!r} is no CPE name")
    low = match.version_start_including or match.version_start_excluding
    high = match.version_end_including or match.version_end_excluding
    version = "" if name.version in ("*", "-") else name.version
    if version and name.update not in ("*", "-"):
        version = f"{version} {name.update}"
    if low or high:
        span = VersionSpan(
            low=low,
            low_included=match.version_start_excluding is None,
            high=high,
            high_included=match.version_end_including is not None,
        )
    else:
        span = VersionSpan(exact=version) if version else EVERY
    generic = match.criteria if low or high or not version else _without_version(match.criteria)
    key = (generic, *platforms)
    known = claims.get(key)
    claims[key] = (
        ProductClaim(
            status=ProductStatus.AFFECTED,
            vendor=name.vendor,
            product=name.product,
            spans=(span,),
            part=name.part,
            cpe=generic,
            platforms=platforms,
        )
        if known is None
        else msgspec.structs.replace(known, spans=(*known.spans, span))
    )


def _without_version(criteria: str) -> str:
    """Return a CPE name with any version, so that the versions of one product make one claim."""
    cells = criteria.split(":")
    if "\\:" in criteria or len(cells) != 13:
        return criteria
    return ":".join((*cells[:5], "*", "*", *cells[7:]))


FEED = Nvd
