"""How long products are supported: endoflife.date's product pages (YAML before Markdown) and its API (v1)."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import IO, ClassVar

import msgspec
import yaml

from medwarden.feeds.json_stream import Records, decoded
from medwarden.feeds.lines import told_by_its_start
from medwarden.feeds.origin import provenance, rejected, text
from medwarden.kernel.errors import MalformedInput
from medwarden.model.feed import About, Cycle, Entry, FeedManifest, Item, Kind, LifeCycle
from medwarden.model.vulnerability import Provenance

_MOST_PAGE = 2 << 20


class _Cycle(msgspec.Struct, rename="camel"):
    release_cycle: str | int | float
    release_label: str = ""
    release_date: object = None
    eoas: object = None
    eol: object = None
    eoes: object = None
    discontinued: object = None
    latest: str | int | float | None = None


class _Page(msgspec.Struct, rename="camel"):
    title: str
    permalink: str
    releases: list[_Cycle]
    category: str = ""
    release_label: str = ""
    identifiers: list[dict[str, str]] = []


class _Latest(msgspec.Struct):
    name: str = ""


class _Release(msgspec.Struct, rename="camel"):
    name: str
    label: str = ""
    release_date: str | None = None
    is_eol: bool | None = None
    eol_from: str | None = None
    eoas_from: str | None = None
    eoes_from: str | None = None
    discontinued_from: str | None = None
    latest: _Latest | None = None


class _Identifier(msgspec.Struct):
    id: str
    type: str = ""


class _Product(msgspec.Struct):
    name: str
    label: str
    releases: list[_Release]
    category: str = ""
    identifiers: list[_Identifier] = []


class _Answer(msgspec.Struct):
    generated_at: str = ""
    total: int | None = None


class EndOfLife:
    """Reads pages of the repository and the API's answer with all products (``/api/v1/products/full``)."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="end_of_life",
        title="End of support (endoflife.date)",
        publisher="endoflife.date",
        licence="MIT",
        home="https://endoflife.date/",
        brings="end of sale, support and life of operating systems, software and devices by release",
        changes="every day",
        stale_after_h=24 * 14,
        kinds=(Kind.LIFE_CYCLE,),
    )

    addresses: ClassVar[tuple[str, ...]] = ("https://endoflife.date/api/v1/products/full",)

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell a page by its front matter, an answer by its schema."""
        del name
        if head.startswith((b"---\n", b"---\r\n")):
            return b"\npermalink:" in head and (b"\nreleases:" in head or b"releaseCycle:" in head)
        return head.lstrip()[:1] == b"{" and b'"schema_version"' in head and b'"isEol"' in head

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield one life cycle per product."""
        buffered, start = told_by_its_start(stream)
        if start == b"-":
            yield _page(buffered.read(_MOST_PAGE + 1), origin)
        else:
            yield from _answer(buffered, origin)


def _answer(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
    records = Records(stream, origin.reference, "result")
    for found in records:
        try:
            held = decoded(found.data, _Product)
        except ValueError as error:
            yield rejected(origin, f"byte {found.offset}", error)
            continue
        cycles = tuple(
            Cycle(
                name=release.name,
                label=release.label,
                released=release.release_date,
                support_ends=release.eoas_from,
                security_ends=release.eol_from,
                extended_ends=release.eoes_from,
                ended=release.is_eol if release.eol_from is None else None,
                latest=release.latest.name if release.latest else "",
                sale_ends=release.discontinued_from,
            )
            for release in held.releases
        )
        yield Entry(
            (
                LifeCycle(
                    id=held.name,
                    title=held.label,
                    category=held.category,
                    cycles=cycles,
                    provenance=provenance(origin, reference=f"https://endoflife.date/{held.name}"),
                    identifiers=tuple(i.id for i in held.identifiers),
                    url=f"https://endoflife.date/{held.name}",
                ),
            )
        )
    try:
        about = decoded(records.header, _Answer)
    except ValueError as error:
        yield rejected(origin, "heading", error)
        return
    yield About("v1", about.generated_at, about.total)


def _page(data: bytes, origin: Provenance) -> Item:
    if len(data) > _MOST_PAGE:
        raise MalformedInput(origin.reference, f"a page of more than {_MOST_PAGE >> 20} MiB")
    matter = data.replace(b"\r\n", b"\n")[4:].partition(b"\n---")[0]
    try:
        words = matter.decode()
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(words, yaml.CSafeLoader)):
            raise ValueError("YAML aliases are not accepted")
        held = msgspec.convert(yaml.load(words, yaml.CSafeLoader), _Page)
        cycles = tuple(_cycle(cycle, held.release_label) for cycle in held.releases)
    except yaml.YAMLError as error:
        return rejected(origin, "front matter", str(error).replace("\n", " "))
    except (ValueError, RecursionError) as error:
        return rejected(origin, "front matter", error)
    name = held.permalink.strip("/")
    return Entry(
        (
            LifeCycle(
                id=name,
                title=text(held.title, 300),
                category=held.category,
                cycles=cycles,
                provenance=provenance(origin, reference=f"https://endoflife.date/{name}"),
                identifiers=tuple(value for pair in held.identifiers for value in pair.values()),
                url=f"https://endoflife.date/{name}",
            ),
        )
    )


def _cycle(held: _Cycle, label: str) -> Cycle:
    name = str(held.release_cycle)
    return Cycle(
        name=name,
        label=held.release_label or label.replace("__RELEASE_CYCLE__", name),
        released=_day(held.release_date),
        support_ends=_day(held.eoas),
        security_ends=_day(held.eol),
        extended_ends=_day(held.eoes),
        ended=held.eol if isinstance(held.eol, bool) else None,
        latest="" if held.latest is None else str(held.latest),
        sale_ends=_day(held.discontinued),
    )


def _day(value: object) -> str | None:
    """Return a date as ISO 8601; True and False tell that it is over or not, without a day."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value[:10] if isinstance(value, str) and value[:4].isdigit() else None


FEED = EndOfLife
