"""FIRST's Exploit Prediction Scoring System: how likely each vulnerability is used within 30 days."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, ClassVar

from medwarden.feeds.identifiers import is_cve
from medwarden.feeds.lines import lines
from medwarden.feeds.origin import provenance, rejected
from medwarden.kernel.errors import MalformedInput
from medwarden.model.feed import About, Entry, FeedManifest, Item, Kind
from medwarden.model.vulnerability import Exploitation, Provenance

_COMMENT = re.compile(
    r"#\s*model_version:([^,\s]{1,40}),\s*score_date:([0-9]{4}-[0-9]{2}-[0-9]{2}[0-9T:.+Z-]*)"
)
_HEADING = "cve,epss,percentile"


class Epss:
    """Reads the daily file: a comment with model and day, a heading, one line per CVE."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="epss",
        title="Exploit prediction scores (EPSS)",
        publisher="FIRST",
        licence="free to use with citation",
        home="https://www.first.org/epss/",
        brings="the probability of exploitation within 30 days for every CVE",
        changes="every day",
        stale_after_h=72,
        kinds=(Kind.EXPLOITATION,),
        whole=True,
    )

    addresses: ClassVar[tuple[str, ...]] = ("https://epss.empiricalsecurity.com/epss_scores-current.csv.gz",)

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell the file by its comment or its heading."""
        del name
        start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        return start.startswith((b"#model_version:", b"# model_version:", _HEADING.encode()))

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield one exploitation per line; the comment says of which day."""
        model, moment, headed = "", origin.updated, False
        source = provenance(origin, reference=Epss.manifest.home)
        for number, _, line in lines(stream, origin.reference):
            if not line:
                continue
            if line.startswith("#"):
                found = _COMMENT.match(line)
                if found:
                    model, moment = found.groups()
                    source = provenance(origin, moment, Epss.manifest.home)
                continue
            if not headed:
                if line.replace(" ", "") != _HEADING:
                    raise MalformedInput(
                        origin.reference, f"line {number} should be the heading {_HEADING!r}"
                    )
                headed = True
                continue
            try:
                yield Entry((_scored(line, moment[:10], source),))
            except ValueError as error:
                yield rejected(origin, f"line {number}", error)
        if not headed:
            raise MalformedInput(origin.reference, "it has no heading")
        yield About(model, moment)


def _scored(line: str, day: str, source: Provenance) -> Exploitation:
    cells = line.split(",")
    if len(cells) != 3:
        raise ValueError(f"{len(cells)} cells, where the heading has 3")
    cve = cells[0].strip()
    if not is_cve(cve):
        raise ValueError(f"{cve[:40]!r} is no CVE id")
    chance, rank = float(cells[1]), float(cells[2])
    if not (0 <= chance <= 1 and 0 <= rank <= 1):
        raise ValueError("a probability outside 0 to 1")
    return Exploitation(id=cve, epss=chance, epss_percentile=rank, epss_day=day, sources=(source,))


FEED = Epss
