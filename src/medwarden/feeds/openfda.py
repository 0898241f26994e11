"""What openFDA's answers have in common: a heading, records under ``results``, dates in two forms."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import IO, TypeVar

import msgspec

from medwarden.feeds.download import Arrived, Desk
from medwarden.feeds.json_stream import Records, decoded
from medwarden.feeds.origin import rejected
from medwarden.kernel.errors import RemoteServiceError
from medwarden.model.feed import About, Entry, Item, Record
from medwarden.model.vulnerability import Provenance
from medwarden.transport.http import Limits
from medwarden.transport.pace import Pace

_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{\s*\"(?:meta|results)\"")
_DAY = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")

_T = TypeVar("_T")


class _Count(msgspec.Struct):
    skip: int = 0
    limit: int = 0
    total: int = 0


class _Meta(msgspec.Struct):
    last_updated: str = ""
    results: _Count | None = None


class _Answer(msgspec.Struct):
    meta: _Meta = msgspec.field(default_factory=_Meta)


def is_answer(head: bytes, *fields: bytes) -> bool:
    """Tell an answer of openFDA whose records have these fields."""
    return _START.match(head) is not None and b'"results"' in head and all(field in head for field in fields)


def answers(
    stream: IO[bytes], origin: Provenance, type: type[_T], make: Callable[[_T], Record | None]
) -> Iterator[Item]:
    """Yield what is made of each record of an answer or of a file for download; None passes it over."""
    records = Records(stream, origin.reference, "results")
    for found in records:
        try:
            record = make(decoded(found.data, type))
        except ValueError as error:
            yield rejected(origin, f"byte {found.offset}", error)
            continue
        yield Entry(() if record is None else (record,))
    try:
        meta = decoded(records.header, _Answer).meta
    except ValueError as error:
        yield rejected(origin, "heading", error)
        return
    count = meta.results
    expected = None if count is None else min(count.limit or count.total, max(0, count.total - count.skip))
    yield About("", meta.last_updated, expected)


def day(text: str) -> str:
    """Return a date as ISO 8601; openFDA writes 20200131 in enforcement reports. '' where it is none."""
    found = _DAY.match(text)
    return "-".join(found.groups()) if found else ""


class _Part(msgspec.Struct):
    file: str


class _Export(msgspec.Struct):
    export_date: str
    partitions: list[_Part]


class _Exports(msgspec.Struct):
    results: dict[str, dict[str, _Export]]


DOWNLOADS = "https://api.fda.gov/download.json"
_API = "https://api.fda.gov/device"
_PAGE = 1000
_MOST_SINCE = 100_000
_FILES = Limits(most_bytes=4 << 30, most_seconds=4 * 3600.0)
_PACE = Pace(240, 60.0)
_TOTAL = re.compile(rb'"total"\s*:\s*([0-9]{1,9})')


def downloads(desk: Desk, endpoint: str, field: str) -> Iterator[Arrived]:
    """Yield the files that openFDA offers of an endpoint, or after the first time the records since.

    ``field`` is the date by which records are asked for. Pages are followed by openFDA's own ``Link`` header
    (``search_after``), which alone leads beyond 25,000 records; where far more are new, the files come again.
    """
    path = desk.get(DOWNLOADS, pace=_PACE)
    try:
        export = decoded(path.read_bytes() if path else b"", _Exports).results["device"][endpoint]
    except (ValueError, KeyError) as error:
        raise RemoteServiceError(f"{DOWNLOADS} does not list device/{endpoint} ({error})") from error
    since = desk.state.get("since", "")
    if since == export.export_date:
        return
    if since:
        came = _since(desk, endpoint, field, since, export.export_date)
        if came is not None:
            yield from came
            desk.state["since"] = export.export_date
            return
    for part in export.partitions:
        path = desk.get(part.file, pace=_PACE, limits=_FILES, keep=True)
        if path is not None:
            yield Arrived(path, part.file)
    desk.state["since"] = export.export_date


def _since(desk: Desk, endpoint: str, field: str, start: str, end: str) -> list[Arrived] | None:
    """Return the pages of records since a day, or None where the files are the shorter way."""
    came: list[Arrived] = []
    url = f"{_API}/{endpoint}.json?search={field}:[{start}+TO+{end}]&limit={_PAGE}"
    key = desk.sources.keys.get("openfda", "")
    while url:
        try:
            path = desk.get(
                url, pace=_PACE, headers={"Authorization": f"Basic {_basic(key)}"} if key else None
            )
        except RemoteServiceError as error:
            if not came and "has no such file" in str(error):
                return []  # openFDA answers 404 where nothing matches
            raise
        if path is None:
            return came
        with path.open("rb") as file:
            found = _TOTAL.search(file.read(4096))
        if found is None:
            raise RemoteServiceError(f"{url}: the answer does not begin as openFDA's do: nothing was changed")
        total = int(found.group(1))
        if total > _MOST_SINCE:
            return None
        came.append(Arrived(path, url))
        url = desk.onward
        if len(came) * _PAGE < total and not url:
            raise RemoteServiceError(
                f"openFDA says that {total} records are new and names no further page after {len(came)}:"
                " nothing was changed"
            )
        if url and not url.startswith(_API):
            raise RemoteServiceError(f"openFDA leads on to {url[:100]}: nothing was changed")
    return came


def _basic(key: str) -> str:
    """Return an API key as openFDA takes it in a header (the user of HTTP Basic, without a password)."""
    return b64encode(f"{key}:".encode()).decode()
