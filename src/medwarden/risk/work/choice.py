"""What a person does about one vulnerability of devices alike: chosen from what makers and records say.

Publishers mix remedies: a text of category vendor_fix may say that there is no fix, one called mitigation may
name the release that has it. A fixed version is therefore taken from claims first (a product called fixed,
the end of the affected range), from words only where they speak of this product.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from medwarden.kernel.ids import stable_id
from medwarden.model.vulnerability import (
    Match,
    ProductClaim,
    ProductStatus,
    Remedy,
    VersionSpan,
    Vulnerability,
)
from medwarden.risk.matching.names import plain
from medwarden.risk.matching.profile import Profile
from medwarden.risk.matching.version_order import compare, device_version
from medwarden.risk.matching.version_places import Place, place
from medwarden.risk.matching.versions import bounded, read_versions

CHOICE_RULES = "remedies 1"
"""Raised whenever the same words may lead to another choice than before."""

_LONGEST = 600
_MOST_TEXTS = 4


class ActionKind(StrEnum):
    """What kind of work an action is, in the order in which one is preferred to the next."""

    UPDATE = "update"  # install the maker's version
    PATCH = "patch"  # install updates of the operating system
    COMPONENT = "component"  # ask the maker for a version with the component corrected
    DISABLE = "disable"  # switch a service off
    RESTRICT = "restrict"  # let only the peers it needs reach it
    PASSWORD = "password"  # noqa: S105 (a kind of work)
    REPLACE = "replace"  # the maker supports it no longer
    ASK = "ask"  # the maker has said nothing that helps
    PRACTICE = "practice"  # the advice of a finding
    RECALL = "recall"  # do what a recall asks


class Choice(msgspec.Struct, frozen=True):
    """What to do, on whose word.

    ``subject`` is what makes it one piece of work (maker, product, service). ``target`` is the version to
    reach; where only the end of the affected range is known, ``after`` is that. ``kbs`` are updates of the
    system. ``texts`` are the maker's words and ``meanwhile`` what to do until then, both as (who, text,
    address). ``cpe`` and ``purl`` name the product where the source has them. ``kev_due`` is CISA's day.
    """

    kind: ActionKind
    subject: tuple[str, ...]
    target: str = ""
    after: str = ""
    kbs: tuple[str, ...] = ()
    texts: tuple[tuple[str, str, str], ...] = ()
    meanwhile: tuple[tuple[str, str, str], ...] = ()
    cpe: str = ""
    purl: str = ""
    kev_due: str = ""

    @property
    def key(self) -> str:
        """Return what is the same for everything that the same work closes, over time."""
        return stable_id("wk", self.kind.value, *(plain(part) for part in self.subject))


class Said(msgspec.Struct, frozen=True):
    """A record of a vulnerability and the advisory it stands in ('' for a record of its own)."""

    advisory: str
    publisher: str
    record: Vulnerability


def choose(profile: Profile, match: Match, said: Sequence[Said], kev_due: str = "") -> Choice:
    """Return what to do about ``match``. ``said`` are all records of its vulnerability."""
    claim = match.claim or ProductClaim(ProductStatus.AFFECTED, profile.vendor, profile.model)
    field = next((aspect.evidence_field for aspect in match.aspects if aspect.name == "product"), "model")
    products = _products(match, said)
    remedies = [
        (who, remedy)
        for who, remedy in _remedies(match, claim, said)
        if not _elsewhere(remedy.text, claim, products)
    ]
    texts, meanwhile, gone = _sorted(remedies)
    target, after = _target(_own_version(profile, match), claim, match, said, texts, products)
    rest = {
        "target": target, "after": after, "texts": texts[:_MOST_TEXTS],
        "meanwhile": meanwhile[:_MOST_TEXTS], "cpe": claim.cpe, "purl": claim.purl, "kev_due": kev_due,
    }  # fmt: skip
    kind, subject = _kind(profile, claim, field, rest, gone)
    kbs = tuple(dict.fromkeys(claim.fixed_by)) if kind is ActionKind.PATCH else ()
    return msgspec.convert({"kind": kind, "subject": subject, "kbs": kbs, **rest}, Choice)


def _kind(
    profile: Profile, claim: ProductClaim, field: str, found: Mapping[str, object], gone: bool
) -> tuple[ActionKind, tuple[str, ...]]:
    maker, product = profile.vendor or claim.vendor.strip(), profile.model or claim.product.strip()
    if field == "os":
        system = " ".join(part for part in (profile.os, profile.os_version) if part)
        return ActionKind.PATCH, (system,)
    if field.startswith("sbom:"):
        return ActionKind.COMPONENT, (maker, product, claim.product.strip() or claim.purl)
    if field not in ("model", "vendor", ""):  # a program that runs on it
        return ActionKind.UPDATE, (claim.vendor.strip(), claim.product.strip())
    if found["target"] or found["texts"]:
        return ActionKind.UPDATE, (maker, product)
    words = " ".join(text for _, text, _ in _pairs(found["meanwhile"]))
    service = _service(words)
    if service:
        return ActionKind.DISABLE, (maker, product, service)
    if gone:
        return ActionKind.REPLACE, (maker, product)
    if _RESTRICT.search(words):
        return ActionKind.RESTRICT, (maker, product)
    if _PASSWORD.search(words):
        return ActionKind.PASSWORD, (maker, product)
    return ActionKind.ASK, (maker, product)


def _pairs(value: object) -> tuple[tuple[str, str, str], ...]:
    return msgspec.convert(value, tuple[tuple[str, str, str], ...])


# ---------------------------------------------------------------- remedies

_GONE = re.compile(
    r"\bend[- ]of[- ](?:life|support|service|sale)\b|\bno longer (?:supported|maintained|manufactured|sold|in"
    r" production)\b|\bdiscontinued\b|\bobsolete\b|\bretired from service\b",
    re.IGNORECASE,
)
_RELEASED = re.compile(
    r"\b(?:released?|new (?:software |firmware )?versions?|upgrade|update|install|patched|hotfix|fixed in|"
    r"corrected in|remediate[sd]?|resolve[sd]?|available)\b",
    re.IGNORECASE,
)
_NOT_YET = re.compile(
    r"\b(?:will not|does not|no) (?:be )?(?:issu|releas|provid|offer|plan|updat|fix|patch)\w*|"
    r"\bno (?:fix|patch|update)\b|\bplan(?:s|ned|ning)?\b|\bscheduled\b|"
    r"\bwill (?:be )?(?:release|issue|provide|develop|update)\w*",
    re.IGNORECASE,
)
_RESTRICT = re.compile(
    r"\bisolat\w+|\bsegment\w*|\bfirewall\w*|\bVLANs?\b|\bnetwork zones?\b|\baccess control lists?\b|"
    r"\brestrict\w*[^.]{0,40}\b(?:access|network|traffic)\b|\bnot (?:be )?(?:accessible|reachable|exposed)\b|"
    r"\b(?:minimi[sz]e|limit)\b[^.]{0,30}\b(?:network )?(?:exposure|access)\b|\bVPNs?\b|\bdisconnect\w*",
    re.IGNORECASE,
)
_PASSWORD = re.compile(r"\b(?:passwords?|credentials?)\b", re.IGNORECASE)
_SERVICES = (
    ("SMB 1", re.compile(r"\bSMB\s*v?\.?1(?:\.0)?\b", re.IGNORECASE)),
    ("telnet", re.compile(r"\btelnet\b", re.IGNORECASE)),
    ("FTP", re.compile(r"\bFTP\b")),
    ("remote desktop", re.compile(r"\b(?:RDP|remote desktop)\b", re.IGNORECASE)),
    ("SNMP", re.compile(r"\bSNMP\b")),
    ("Bluetooth", re.compile(r"\bBluetooth\b", re.IGNORECASE)),
    ("wireless networking", re.compile(r"\b(?:wi-?fi|wireless)\b", re.IGNORECASE)),
    ("the web server", re.compile(r"\bweb ?(?:server|interface)\b", re.IGNORECASE)),
    ("UPnP", re.compile(r"\bUPnP\b", re.IGNORECASE)),
    ("VNC", re.compile(r"\bVNC\b")),
    ("remote service", re.compile(r"\bremote (?:access|service|support)\b", re.IGNORECASE)),
)
_OFF = re.compile(
    r"\b(?:disabl\w+|turn\w*(?: \w+){0,4} off|switch\w*(?: \w+){0,4} off|deactivat\w+|unplug\w*)\b[^.]*|"
    r"[^.]*\b(?:should|must|can) be (?:disabled|turned off|switched off|deactivated)\b",
    re.IGNORECASE,
)


def _remedies(match: Match, claim: ProductClaim, said: Sequence[Said]) -> Iterator[tuple[str, Remedy]]:
    """Yield what is said of this product: of the advisory that names it, and of records of no advisory."""
    for each in said:
        if each.advisory and each.advisory != match.advisory:
            continue  # another maker's advisory on the same vulnerability
        for remedy in each.record.remedies:
            if remedy.products and claim.product_id and claim.product_id not in remedy.products:
                continue
            yield each.publisher or each.advisory or each.record.provenance.feed, remedy


def _sorted(
    remedies: Iterable[tuple[str, Remedy]],
) -> tuple[tuple[tuple[str, str, str], ...], tuple[tuple[str, str, str], ...], bool]:
    """Part remedies into those that remove the flaw, those for the time until then, and whether it is old."""
    texts: dict[tuple[str, str, str], None] = {}
    meanwhile: dict[tuple[str, str, str], None] = {}
    gone = False
    for who, remedy in remedies:
        row = (who, remedy.text.strip()[:_LONGEST], remedy.url)
        if not row[1]:
            continue
        gone = gone or _GONE.search(row[1]) is not None
        if remedy.fixes is True or (remedy.category == "mitigation" and _names_release(row[1])):
            texts[row] = None
        elif _OFF.search(row[1]) or _RESTRICT.search(row[1]) or _PASSWORD.search(row[1]):
            meanwhile[row] = None
    return tuple(texts), tuple(meanwhile), gone


def _names_release(text: str) -> bool:
    return bool(_RELEASED.search(text)) and not _NOT_YET.search(text) and bool(_versions_in(text))


def _service(words: str) -> str:
    for sentence in _OFF.findall(words):
        for name, pattern in _SERVICES:
            if pattern.search(sentence):
                return name
    return ""


# ---------------------------------------------------------------- versions

_IN_TEXT = re.compile(
    r"\b(?:versions?|releases?|revisions?|rev\.?|firmware|software|build|v\.?)\s*:?\s*"
    r"(v?[A-Za-z]{0,3}\.?\d+(?:[.\-_]\d+\w*)*[A-Za-z]?\d*)\b",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"\b(?:prior|previous|earlier|before|below|affected|and (?:prior|older)|from|than|of)\s*(?:to|the)?\s*$",
    re.IGNORECASE,
)
_BEHIND = re.compile(r"^\s*(?:and|or)\s+(?:prior|earlier|older|below|previous)", re.IGNORECASE)


def _versions_in(text: str) -> list[str]:
    found = []
    for hit in _IN_TEXT.finditer(text):
        if _BEFORE.search(text[: hit.start()]) or _BEHIND.search(text[hit.end() :]):
            continue
        if device_version(hit.group(1)) is not None:
            found.append(hit.group(1))
    return found


def _own_version(profile: Profile, match: Match) -> str:
    aspect = next((a for a in match.aspects if a.name == "version"), None)
    return aspect.device_value if aspect is not None and aspect.device_value else profile.firmware


def _target(
    own: str,
    claim: ProductClaim,
    match: Match,
    said: Sequence[Said],
    texts: Sequence[tuple[str, str, str]],
    products: Collection[str],
) -> tuple[str, str]:
    """Return the version to reach, or the last affected one where only that is known.

    That a later version exists follows from the latter only where words say so.
    """
    called = _latest(_later(own, _called_fixed(claim, match, said)))
    if called:
        return called, ""
    alone = len(products) <= 1
    spoken = [v for _, text, _ in texts if alone or _names(text, claim.product) for v in _versions_in(text)]
    affected = _affected(claim, match, said)
    named = _latest(v for v in _later(own, spoken) if not affected or place(v, affected) is not Place.IN)
    if named:
        return named, ""
    return _end_of(own, _spans(claim))


def _called_fixed(claim: ProductClaim, match: Match, said: Sequence[Said]) -> Iterator[str]:
    for each in said:
        if each.advisory and each.advisory != match.advisory:
            continue
        for other in each.record.claims:
            if other.status not in (ProductStatus.FIXED, ProductStatus.RECOMMENDED):
                continue
            if plain(other.product) == plain(claim.product) and plain(other.vendor) == plain(claim.vendor):
                spans = other.spans or read_versions(other.version).spans
                yield from (span.exact or span.low or "" for span in spans)


def _products(match: Match, said: Sequence[Said]) -> frozenset[str]:
    """Return the products that the advisory speaks of."""
    return frozenset(
        plain(other.product)
        for each in said
        if each.advisory == match.advisory
        for other in each.record.claims
        if other.product
    )


def _elsewhere(text: str, claim: ProductClaim, products: Collection[str]) -> bool:
    """Tell whether words name other products of the advisory and not this one."""
    if len(products) <= 1 or _names(text, claim.product):
        return False
    return any(_names(text, other) for other in products)


def _names(text: str, product: str) -> bool:
    name = plain(product)
    return len(name) > 2 and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", plain(text)) is not None


def _spans(claim: ProductClaim) -> tuple[VersionSpan, ...]:
    return bounded(claim.spans) or read_versions(claim.version).spans


def _affected(claim: ProductClaim, match: Match, said: Sequence[Said]) -> tuple[VersionSpan, ...]:
    """Return all versions of the product that the advisory calls affected."""
    return tuple(
        span
        for each in said
        if each.advisory == match.advisory
        for other in each.record.claims
        if other.status is ProductStatus.AFFECTED and plain(other.product) == plain(claim.product)
        for span in _spans(other)
    )


def _end_of(own: str, spans: Sequence[VersionSpan]) -> tuple[str, str]:
    inside = [span for span in spans if own and place(own, (span,)) is Place.IN]
    first = [s for s in (inside or spans) if s.high is not None and not s.high_included]
    if first:
        return _latest(span.high or "" for span in first), ""
    last = [_last(span) for span in (inside or spans)]
    return "", _latest(v for v in last if v)


def _last(span: VersionSpan) -> str:
    return span.exact or span.high or ""


def _later(own: str, versions: Iterable[str]) -> list[str]:
    mine = device_version(own) if own else None
    kept = []
    for text in versions:
        version = device_version(text) if text else None
        if version is None:
            continue
        if mine is not None and (compare(version, mine) or 0) < 0:
            continue
        kept.append(text)
    return kept


def _latest(versions: Iterable[str]) -> str:
    known = [(device_version(text), text) for text in versions]
    return max(((v.key, text) for v, text in known if v is not None), default=((), ""))[1]


def latest(versions: Iterable[str]) -> str:
    """Return the highest of some versions by the order of devices' versions; '' for none."""
    return _latest(versions)
