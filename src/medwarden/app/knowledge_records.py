"""What each source says of one thing (a CVE, an advisory, a recall), and where each word came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from medwarden.feeds.registry import feed_named
from medwarden.model.feed import (
    Assignment,
    Kind,
    LifeCycle,
    Listing,
    ProductCode,
    Record,
    Technique,
    Weakness,
)
from medwarden.model.recall import Recall
from medwarden.model.vulnerability import Advisory, Exploitation, Provenance, Vulnerability
from medwarden.risk.exploits import count
from medwarden.store.knowledge import Edition, Knowledge

_LONGEST = 400
_PROOFS = {
    "publisher": "the publisher's own signature or digest was checked and holds",
    "transport": "it came from the publisher's address over TLS",
    "unsigned": "a person brought it and vouched for it",
    "demonstration": "it is part of the demonstration: facts as first published, not followed since",
}


class Word(msgspec.Struct, frozen=True):
    """What one source says, in a sentence or two, and where it came from.

    ``reference`` is the file, page or address, ``updated`` the publisher's date of the record, ``read_ns``
    when it was taken in here. ``verified``: the publisher's signature was checked for this record and holds.
    ``edition`` tells which of the feed's it is in, counted, ``proof`` in words what speaks for that.
    """

    id: str
    kind: Kind
    feed: str
    source: str
    says: str
    reference: str
    updated: str
    read_ns: int
    verified: bool
    edition: int
    proof: str


def words_on(home: Path, id: str) -> tuple[Word, ...]:
    """Return what every source in use says of an id; CVE ids may be written in small letters."""
    wanted = id.strip()
    with Knowledge(home) as knowledge:
        states = knowledge.states()
        found = knowledge.said_of(wanted) or knowledge.said_of(wanted.upper())
        return tuple(
            word for feed, kind, record in found for word in _words(feed, kind, record, states[feed].edition)
        )


def technique_names(home: str, ids: Sequence[str]) -> dict[str, str]:
    """Return the names of techniques of ATT&CK by id, as far as the feed was brought."""
    with Knowledge(Path(home)) as knowledge:
        return {
            id: record.name
            for id in ids
            for _, _, record in knowledge.said_of(id)
            if isinstance(record, Technique)
        }


def _words(feed: str, kind: Kind, record: Record, edition: Edition | None) -> Iterator[Word]:
    title = feed_named(feed).manifest.title
    proof = edition.proof if edition else ""
    said = _PROOFS.get(proof, f"it came in a bundle signed with the key {proof.removeprefix('bundle ')}")
    for source in _sources(record):
        yield Word(
            id=record.id,
            kind=kind,
            feed=feed,
            source=title,
            says=_says(record)[:_LONGEST],
            reference=source.reference,
            updated=source.updated,
            read_ns=source.read_ns,
            verified=source.verified,
            edition=edition.nth if edition else 0,
            proof=said,
        )


def _sources(record: Record) -> tuple[Provenance, ...]:
    return record.sources if isinstance(record, Exploitation) else (record.provenance,)


def _says(record: Record) -> str:
    match record:
        case Vulnerability():
            scores = ", ".join(f"CVSS {score.version} {score.score}" for score in record.scores)
            return " · ".join(part for part in (record.title or record.description, scores) if part)
        case Advisory():
            return f"{record.title}: {len(record.vulnerabilities)} vulnerabilities"
        case Exploitation():
            return _use(record)
        case Recall():
            return f"{record.product}: {record.reason}"
        case LifeCycle():
            return f"{record.title}: {len(record.cycles)} releases"
        case Listing():
            return f"{record.company}: {record.brand} {record.model}"
        case Technique() | Weakness():
            return f"{record.name}. {record.description}"
        case ProductCode():
            return f"{record.name}, class {record.device_class}"
        case Assignment():
            return record.organisation


def _use(record: Exploitation) -> str:
    said = []
    if record.kev_added:
        said.append(f"used in attacks, in CISA's catalogue since {record.kev_added}")
    if record.ransomware:
        said.append("used by ransomware")
    if record.epss is not None:
        said.append(f"used within 30 days with a probability of {record.epss:.1%}")
    if record.exploits:
        said.append(count(record).words)
    if record.activity:
        said.append(f"CISA calls its use {record.activity}")
    return "; ".join(said)
