"""MITRE ATT&CK for enterprise and ICS: tactics, techniques, mitigations and assets from STIX 2 bundles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, ClassVar

import msgspec

from medwarden.feeds.json_stream import Records, decoded
from medwarden.feeds.origin import provenance, rejected, text
from medwarden.model.feed import Entry, FeedManifest, Item, Kind, Technique
from medwarden.model.vulnerability import Provenance

_TYPES = frozenset({"attack-pattern", "x-mitre-tactic", "course-of-action", "x-mitre-asset"})
_ID = re.compile(r"(?:TA?|M|A)[0-9]{4}(?:\.[0-9]{3})?\Z")
_CHAINS = {
    "mitre-attack": "enterprise-attack",
    "mitre-ics-attack": "ics-attack",
    "mitre-mobile-attack": "mobile-attack",
}


class _Type(msgspec.Struct):
    type: str
    id: str


class _Reference(msgspec.Struct):
    source_name: str = ""
    external_id: str = ""
    url: str = ""


class _Phase(msgspec.Struct):
    kill_chain_name: str = ""
    phase_name: str = ""


class _Object(msgspec.Struct):
    type: str
    name: str
    description: str = ""
    modified: str = ""
    external_references: list[_Reference] = []
    kill_chain_phases: list[_Phase] = []
    x_mitre_domains: list[str] = []
    x_mitre_platforms: list[str] = []
    revoked: bool = False
    x_mitre_deprecated: bool = False


class Attack:
    """Reads bundles of any size; what is no tactic, technique, mitigation or asset is passed over."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="attack",
        title="MITRE ATT&CK (enterprise, ICS)",
        publisher="MITRE",
        licence="ATT&CK terms of use (royalty-free, keep the notice)",
        home="https://attack.mitre.org/",
        brings="tactics and techniques by id, which findings refer to",
        changes="twice a year",
        stale_after_h=24 * 240,
        kinds=(Kind.TECHNIQUE,),
    )

    addresses: ClassVar[tuple[str, ...]] = (
        "https://raw.githubusercontent.com/mitre-attack/attack-stix-data/master/enterprise-attack/enterprise-attack.json",
        "https://raw.githubusercontent.com/mitre-attack/attack-stix-data/master/ics-attack/ics-attack.json",
    )

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell a STIX bundle that speaks of ATT&CK."""
        del name
        return (
            head.lstrip()[:1] == b"{"
            and b'"objects"' in head
            and b'"bundle' in head
            and (b"mitre-attack" in head or b"x_mitre_" in head)
        )

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield one technique per object that is one."""
        for found in Records(stream, origin.reference, "objects"):
            try:
                kind = decoded(found.data, _Type).type
                if kind not in _TYPES:
                    yield Entry()
                    continue
                technique = _technique(decoded(found.data, _Object), origin)
            except ValueError as error:
                yield rejected(origin, f"byte {found.offset}", error)
                continue
            yield Entry((technique,) if technique else ())


def _technique(held: _Object, origin: Provenance) -> Technique | None:
    """Return the technique; None for the mitigations of old editions, which had the ids of techniques."""
    own = next((r for r in held.external_references if r.source_name in _CHAINS), None)
    if own is None or _ID.match(own.external_id) is None:
        raise ValueError("no id of ATT&CK")
    if held.type == "course-of-action" and not own.external_id.startswith("M"):
        return None
    chains = (_CHAINS.get(p.kill_chain_name, "") for p in held.kill_chain_phases)
    return Technique(
        id=own.external_id,
        name=text(held.name, 300),
        description=text(held.description),
        provenance=provenance(origin, held.modified, own.url),
        type=held.type,
        domains=tuple(held.x_mitre_domains) or tuple(dict.fromkeys(c for c in chains if c)),
        tactics=tuple(dict.fromkeys(p.phase_name for p in held.kill_chain_phases)),
        platforms=tuple(held.x_mitre_platforms),
        url=own.url,
        withdrawn=held.revoked or held.x_mitre_deprecated,
    )


FEED = Attack
