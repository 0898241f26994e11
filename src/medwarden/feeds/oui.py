"""The IEEE's registries of MAC addresses: MA-L, MA-M and MA-S as CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, ClassVar

from medwarden.feeds.lines import rows
from medwarden.feeds.origin import provenance, rejected, text
from medwarden.model.feed import Assignment, Entry, FeedManifest, Item, Kind
from medwarden.model.vulnerability import Provenance

_HEADING = ["Registry", "Assignment", "Organization Name", "Organization Address"]
_LENGTHS = {"MA-L": 6, "CID": 6, "MA-M": 7, "MA-S": 9, "IAB": 9}
_HEX = re.compile(r"[0-9A-F]+\Z")


class Oui:
    """Reads the three tables (oui.csv, mam.csv, oui36.csv)."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="oui",
        title="MAC address blocks (OUI)",
        publisher="IEEE Registration Authority",
        licence="public listing",
        home="https://standards.ieee.org/products-programs/regauth/",
        brings="which organisation a block of MAC addresses belongs to",
        changes="every day",
        stale_after_h=24 * 90,
        kinds=(Kind.ASSIGNMENT,),
    )

    addresses: ClassVar[tuple[str, ...]] = (
        "https://standards-oui.ieee.org/oui/oui.csv",
        "https://standards-oui.ieee.org/oui28/mam.csv",
        "https://standards-oui.ieee.org/oui36/oui36.csv",
    )

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell a table by its heading."""
        del name
        return head.removeprefix(b"\xef\xbb\xbf").startswith(",".join(_HEADING).encode())

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield one assignment per row; addresses of organisations are not kept."""
        source = provenance(origin, reference=Oui.manifest.home)
        for number, row in rows(stream, origin.reference):
            if row == _HEADING or not row:
                continue
            if len(row) != len(_HEADING):
                yield rejected(
                    origin, f"line {number}", f"{len(row)} cells, where the heading has {len(_HEADING)}"
                )
                continue
            registry, prefix, organisation = row[0].strip(), row[1].strip().upper(), row[2].strip()
            if _LENGTHS.get(registry) != len(prefix) or _HEX.match(prefix) is None:
                yield rejected(origin, f"line {number}", f"no block {prefix[:20]!r} of {registry[:20]!r}")
                continue
            yield Entry((Assignment(prefix, text(organisation, 300), registry, source),))


FEED = Oui
