"""Security advisories of the Common Security Advisory Framework (OASIS CSAF 2.0 and 2.1), of any provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, ClassVar

import msgspec

from medwarden.feeds.csaf_products import Branch, Product, Relationship, products_of
from medwarden.feeds.csaf_providers import documents
from medwarden.feeds.download import Arrived, Desk
from medwarden.feeds.identifiers import is_cve
from medwarden.feeds.json_stream import decoded, document
from medwarden.feeds.origin import provenance, rejected, text
from medwarden.feeds.remedies import fixes
from medwarden.feeds.versions import spans_of
from medwarden.model.feed import Entry, FeedManifest, Item, Kind
from medwarden.model.vulnerability import (
    Advisory,
    Cvss,
    ProductClaim,
    ProductStatus,
    Provenance,
    Remedy,
    Vulnerability,
)

_STATUSES = {
    "known_affected": ProductStatus.AFFECTED,
    "first_affected": ProductStatus.AFFECTED,
    "last_affected": ProductStatus.AFFECTED,
    "known_not_affected": ProductStatus.NOT_AFFECTED,
    "fixed": ProductStatus.FIXED,
    "first_fixed": ProductStatus.FIXED,
    "recommended": ProductStatus.RECOMMENDED,
    "under_investigation": ProductStatus.UNDER_INVESTIGATION,
    "unknown": ProductStatus.UNDER_INVESTIGATION,  # CSAF 2.1
}
_OPENING = 2048
_CATEGORIES = frozenset({"summary", "description", "details"})


class _Note(msgspec.Struct):
    category: str = ""
    text: str = ""


class _Link(msgspec.Struct):
    category: str = "external"
    url: str = ""


class _Publisher(msgspec.Struct):
    name: str
    namespace: str = ""


class _Tracking(msgspec.Struct):
    id: str
    current_release_date: str
    initial_release_date: str = ""
    version: str = ""
    status: str = ""


class _Document(msgspec.Struct):
    category: str
    csaf_version: str
    title: str
    publisher: _Publisher
    tracking: _Tracking
    notes: list[_Note] = []
    references: list[_Link] = []


class _Group(msgspec.Struct):
    group_id: str
    product_ids: list[str]


class _Tree(msgspec.Struct):
    branches: list[Branch] = []
    full_product_names: list[Product] = []
    relationships: list[Relationship] = []
    product_groups: list[_Group] = []


class _Weakness(msgspec.Struct):
    id: str = ""


class _Id(msgspec.Struct):
    text: str = ""
    system_name: str = ""


class _Vector(msgspec.Struct, rename="camel"):
    version: str
    vector_string: str
    base_score: float


class _Score(msgspec.Struct):
    products: list[str] = []
    cvss_v2: _Vector | None = None
    cvss_v3: _Vector | None = None
    cvss_v4: _Vector | None = None


class _Metric(msgspec.Struct):
    content: _Score = msgspec.field(default_factory=_Score)


class _Remediation(msgspec.Struct):
    category: str
    details: str = ""
    date: str = ""
    url: str = ""
    product_ids: list[str] = []
    group_ids: list[str] = []


class _Vulnerability(msgspec.Struct):
    cve: str = ""
    ids: list[_Id] = []
    title: str = ""
    cwe: _Weakness | None = None
    cwes: list[_Weakness] = []
    notes: list[_Note] = []
    references: list[_Link] = []
    release_date: str = ""
    product_status: dict[str, list[str]] = {}
    remediations: list[_Remediation] = []
    scores: list[_Score] = []
    metrics: list[_Metric] = []


class _Csaf(msgspec.Struct):
    document: _Document
    product_tree: _Tree = msgspec.field(default_factory=_Tree)
    vulnerabilities: list[_Vulnerability] = []


class Csaf:
    """Reads one document per file."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="csaf",
        title="Security advisories (CSAF)",
        publisher="CISA and makers",
        licence="by document; CISA's are TLP:CLEAR and in the public domain",
        home="https://www.cisa.gov/news-events/cybersecurity-advisories",
        brings="advisories on medical and industrial devices with products, versions and remedies",
        changes="several times a week",
        stale_after_h=72,
        kinds=(Kind.ADVISORY,),
    )

    @staticmethod
    def fetch(desk: Desk) -> Iterator[Arrived]:
        """Yield the documents of all providers that changed since."""
        return documents(desk)

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell a document by its parts, and from the schema of such documents, which has an id of its own."""
        del name
        return b'"csaf_version"' in head and b'"document"' in head and b'"$id"' not in head[:_OPENING]

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield the advisory of a document with its vulnerabilities."""
        data = document(stream, origin.reference)
        try:
            yield Entry((_advisory(decoded(data, _Csaf), origin),))
        except ValueError as error:
            yield rejected(origin, "byte 0", error)


def _advisory(csaf: _Csaf, origin: Provenance) -> Advisory:
    about = csaf.document
    if not about.csaf_version.startswith("2."):
        raise ValueError(f"CSAF version {about.csaf_version[:10]!r}")
    if not about.tracking.id.strip():
        raise ValueError("a document without an id")
    tree = csaf.product_tree
    products = products_of(tree.branches, tree.full_product_names, tree.relationships)
    groups = {group.group_id: tuple(group.product_ids) for group in tree.product_groups}
    page = next((r.url for r in about.references if r.category == "self" and not r.url.endswith(".json")), "")
    own = next((r.url for r in about.references if r.category == "self"), "")
    source = provenance(origin, about.tracking.current_release_date, page or own)
    return Advisory(
        id=about.tracking.id.strip(),
        title=text(about.title, 500),
        publisher=text(about.publisher.name, 200),
        provenance=source,
        published=about.tracking.initial_release_date,
        url=page or own,
        summary=_note(about.notes),
        vulnerabilities=tuple(
            _of_vulnerability(
                v, f"{about.tracking.id.strip()}#{n}", products, groups, source, about.publisher.name
            )
            for n, v in enumerate(csaf.vulnerabilities, 1)
        ),
    )


def _note(notes: list[_Note]) -> str:
    return text(next((n.text for n in notes if n.category in _CATEGORIES), ""))


def _of_vulnerability(
    held: _Vulnerability,
    fallback: str,
    products: dict[str, ProductClaim],
    groups: dict[str, tuple[str, ...]],
    source: Provenance,
    publisher: str,
) -> Vulnerability:
    if held.cve and not is_cve(held.cve):
        raise ValueError(f"{held.cve[:40]!r} is no CVE id")
    own = next((i.text for i in held.ids if i.text), "")
    return Vulnerability(
        id=held.cve or own or fallback,
        title=text(held.title, 500),
        description=_note(held.notes),
        provenance=source,
        published=held.release_date,
        cwes=tuple(w.id for w in (held.cwe, *held.cwes) if w is not None and w.id),
        scores=tuple(
            Cvss(vector.version, vector.vector_string, vector.base_score, publisher)
            for score in (*held.scores, *(m.content for m in held.metrics))
            for vector in (score.cvss_v2, score.cvss_v3, score.cvss_v4)
            if vector is not None
        ),
        claims=tuple(_claims(held.product_status, products)),
        remedies=tuple(_remedy(r, groups) for r in held.remediations),
        references=tuple(dict.fromkeys(r.url for r in held.references if r.url)),
    )


def _claims(statuses: dict[str, list[str]], products: dict[str, ProductClaim]) -> Iterator[ProductClaim]:
    seen: set[tuple[str, ProductStatus]] = set()
    for name, ids in statuses.items():
        status = _STATUSES.get(name)
        if status is None:
            raise ValueError(f"a product status {name[:30]!r}")
        for id in ids:
            if (id, status) in seen:
                continue
            seen.add((id, status))
            if id not in products:
                raise ValueError(f"a status of the product {id[:60]!r}, which the document does not list")
            yield msgspec.structs.replace(products[id], status=status, spans=spans_of(products[id].version))


def _remedy(held: _Remediation, groups: dict[str, tuple[str, ...]]) -> Remedy:
    ids = [*held.product_ids, *(id for group in held.group_ids for id in groups.get(group, ()))]
    return Remedy(
        category=held.category,
        text=text(held.details),
        url=held.url,
        date=held.date,
        products=tuple(dict.fromkeys(ids)),
        fixes=fixes(held.category, held.details),
    )


FEED = Csaf
