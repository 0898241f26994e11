"""A notice as it is compared with devices: what its sources say of it together, product by product.

The FDA tells of one recall in two places (``device/recall`` has the product code, ``device/enforcement`` the
class); makers send letters, some as CSAF documents. All become a :class:`Notice` with one :class:`Scope` for
each product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from medwarden.model.recall import Recall, RecallClass
from medwarden.model.vulnerability import Advisory, ProductClaim, ProductStatus, VersionSpan

MAKER = "maker"
CSAF = "csaf"
"""Origins of notices that come from no feed: entered by a person, or read from a document."""

_ENDED = ("terminated", "completed", "closed")
_LONGEST_TITLE = 160
_CONCERNED = (ProductStatus.AFFECTED, ProductStatus.UNDER_INVESTIGATION)


class Scope(msgspec.Struct, frozen=True, omit_defaults=True):
    """One product that a notice speaks of, and what limits it to some units.

    ``codes`` is the publisher's free text; the other fields are what a reader or a person made of it.
    ``version`` is a text on firmware versions, ``made`` one on dates of manufacture. Empty ones say nothing.
    """

    maker: str
    product: str
    models: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()  # UDI-DI
    codes: str = ""
    lots: tuple[str, ...] = ()
    serials: tuple[str, ...] = ()
    serial_spans: tuple[VersionSpan, ...] = ()
    firmware: tuple[VersionSpan, ...] = ()
    version: str = ""
    made: str = ""


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """A recall, a field safety notice or a letter: what, why, what to do, about which products.

    ``origin`` is the feed, :data:`MAKER` or :data:`CSAF`; ``sources`` are all that tell of it. ``begun`` and
    ``ended`` are days (ISO 8601). ``ongoing`` is False once its publisher calls it ended.
    """

    id: str
    title: str
    maker: str
    origin: str
    reason: str = ""
    action: str = ""
    recall_class: RecallClass = RecallClass.UNCLASSIFIED
    status: str = ""
    begun: str = ""
    ended: str = ""
    ongoing: bool = True
    product_codes: tuple[str, ...] = ()
    scopes: tuple[Scope, ...] = ()
    url: str = ""
    sources: tuple[str, ...] = ()


def of_recalls(records: Sequence[Recall]) -> Notice:
    """Return what the sources of one recall say together; the longer text and the given class count.

    ``records`` is not empty.
    """
    ordered = sorted(records, key=lambda record: (not record.product_codes, record.provenance.feed))
    first = ordered[0]
    longest = max(ordered, key=lambda record: len(record.codes))
    ended = _first(record.ended for record in ordered)
    statuses = [record.status for record in ordered if record.status]
    return Notice(
        id=first.id,
        title=_title(first.title or first.product),
        maker=_first(record.maker for record in ordered),
        origin=first.provenance.feed,
        reason=_first(record.reason for record in ordered),
        action=_first(record.action for record in ordered if record.provenance.feed != "fda_enforcement"),
        recall_class=next(
            (r.recall_class for r in ordered if r.recall_class is not RecallClass.UNCLASSIFIED),
            RecallClass.UNCLASSIFIED,
        ),
        status=_first(statuses),
        begun=_first(record.begun for record in ordered),
        ended=ended,
        ongoing=not ended and not any(s.lower().startswith(_ENDED) for s in statuses),
        product_codes=tuple(dict.fromkeys(code for record in ordered for code in record.product_codes)),
        scopes=(
            Scope(
                maker=_first(record.maker for record in ordered),
                product=max((record.product for record in ordered), key=len),
                models=_all(record.models for record in ordered),
                identifiers=_all(record.device_identifiers for record in ordered),
                codes=longest.codes,
            ),
        ),
        url=_first(record.url for record in ordered),
        sources=tuple(dict.fromkeys(record.provenance.feed for record in ordered)),
    )


def of_advisory(advisory: Advisory) -> Notice:
    """Return a CSAF document as a notice: one scope for each product it calls affected or looks into."""
    claims: dict[tuple[str, str, str], ProductClaim] = {}
    for record in advisory.vulnerabilities:
        for claim in record.claims:
            if claim.status in _CONCERNED:
                claims.setdefault((claim.vendor, claim.product, claim.version), claim)
    remedies = [r.text for record in advisory.vulnerabilities for r in record.remedies if r.text]
    return Notice(
        id=advisory.id.replace("/", "-"),  # it is part of an address
        title=_title(advisory.title),
        maker=advisory.publisher or _first(claim.vendor for claim in claims.values()),
        origin=CSAF,
        reason=advisory.summary or _first(record.title for record in advisory.vulnerabilities),
        action="\n".join(dict.fromkeys(remedies))[:8000],
        begun=advisory.published[:10],
        scopes=tuple(_scope(claim) for claim in claims.values()),
        url=advisory.url,
        sources=(CSAF,),
    )


def _scope(claim: ProductClaim) -> Scope:
    return Scope(
        maker=claim.vendor,
        product=claim.name or claim.product,
        models=tuple(dict.fromkeys((claim.product, *claim.model_numbers))),
        serials=claim.serial_numbers,
        firmware=tuple(span for span in claim.spans if span != VersionSpan()),
        version="" if claim.spans else claim.version,
    )


def _title(text: str) -> str:
    first = " ".join(text.split())
    return first if len(first) <= _LONGEST_TITLE else first[: _LONGEST_TITLE - 1] + "…"


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")


def _all(several: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for one in several for each in one))
