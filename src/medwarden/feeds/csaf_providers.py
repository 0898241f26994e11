"""Providers of CSAF documents (CSAF 2.0, section 7): metadata, ROLIE, directories, digests, signatures."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec

from medwarden.feeds.download import Arrived, Desk, each
from medwarden.feeds.json_stream import decoded
from medwarden.feeds.openpgp import Keys, is_available
from medwarden.kernel.errors import RemoteServiceError
from medwarden.transport.pace import Pace

_PACE = Pace(20, 1.0)
_MOST_DOCUMENTS = 100_000
_OPEN = frozenset({"WHITE", "CLEAR", "UNLABELED", ""})

_T = TypeVar("_T")


class _Key(msgspec.Struct):
    url: str
    fingerprint: str = ""


class _RolieFeed(msgspec.Struct):
    url: str
    tlp_label: str = ""


class _Rolie(msgspec.Struct):
    feeds: list[_RolieFeed] = []


class _Distribution(msgspec.Struct):
    directory_url: str = ""
    rolie: _Rolie | None = None


class _Publisher(msgspec.Struct):
    name: str = ""


class _Metadata(msgspec.Struct):
    canonical_url: str
    role: str = "csaf_publisher"
    publisher: _Publisher = msgspec.field(default_factory=_Publisher)
    public_openpgp_keys: list[_Key] = []
    distributions: list[_Distribution] = []


class _Link(msgspec.Struct):
    href: str
    rel: str = ""


class _Content(msgspec.Struct):
    src: str = ""


class _Entry(msgspec.Struct):
    id: str
    updated: str
    link: list[_Link] = []
    content: _Content = msgspec.field(default_factory=_Content)


class _Feed(msgspec.Struct):
    entry: list[_Entry] = []


class _RolieDocument(msgspec.Struct):
    feed: _Feed


class Offer(msgspec.Struct, frozen=True):
    """A document that a provider lists: where it, its digests and its signature lie, and when it changed."""

    url: str
    updated: str
    hashes: tuple[str, ...]
    signature: str


def documents(desk: Desk) -> Iterator[Arrived]:
    """Yield the documents of every provider that changed since the last look.

    A provider of which anything fails brings nothing this time; the others do.
    """
    return each(desk, desk.sources.csaf, _of_provider)


def metadata_url(provider: str) -> str:
    """Return the address of a provider's metadata; a domain's well-known one (7.1.9)."""
    return provider if "://" in provider else f"https://{provider}/.well-known/csaf/provider-metadata.json"


def _of_provider(desk: Desk, provider: str) -> list[Arrived]:
    url = metadata_url(provider)
    metadata = _read(desk, url, _Metadata)
    trusted = metadata.role == "csaf_trusted_provider"
    keys = _keys(desk, metadata, url)
    if trusted and keys is None and metadata.public_openpgp_keys:
        desk.notes.append(
            f"signatures of {metadata.publisher.name[:60]} are not checked: install medwarden[openpgp]"
        )
    mark = f"since {url}"
    since = desk.state.get(mark, "")
    offers = sorted(
        {offer.url: offer for d in metadata.distributions for offer in _offers(desk, d, since)}.values(),
        key=lambda offer: offer.updated,
    )
    if len(offers) > _MOST_DOCUMENTS:
        raise RemoteServiceError(f"{url} lists more than {_MOST_DOCUMENTS} documents")
    came = [_document(desk, offer, keys, trusted) for offer in offers]
    if offers:
        desk.state[mark] = max(since, offers[-1].updated)
    return came


def _keys(desk: Desk, metadata: _Metadata, url: str) -> Keys | None:
    if not metadata.public_openpgp_keys or not is_available():
        return None
    held = []
    for key in metadata.public_openpgp_keys:
        data = desk.get_if_there(key.url, _PACE)
        if data is not None:
            held.append((key.fingerprint, data))
    if not held:
        raise RemoteServiceError(f"{url} names public keys and none of them can be had: nothing was changed")
    return Keys(held, metadata.publisher.name or url)


def _offers(desk: Desk, distribution: _Distribution, since: str) -> Iterator[Offer]:
    if distribution.rolie is not None:
        for feed in distribution.rolie.feeds:
            if feed.tlp_label.upper() in _OPEN:
                yield from _of_rolie(desk, feed.url, since)
    elif distribution.directory_url:
        yield from _of_directory(desk, distribution.directory_url.rstrip("/") + "/", since)


def _of_rolie(desk: Desk, url: str, since: str) -> Iterator[Offer]:
    for entry in _read(desk, url, _RolieDocument).feed.entry:
        document = entry.content.src or next((link.href for link in entry.link if link.rel == "self"), "")
        if not document or entry.updated <= since:
            continue
        yield Offer(
            url=urljoin(url, document),
            updated=entry.updated,
            hashes=tuple(urljoin(url, link.href) for link in entry.link if link.rel == "hash"),
            signature=next((urljoin(url, li.href) for li in entry.link if li.rel == "signature"), ""),
        )


def _of_directory(desk: Desk, url: str, since: str) -> Iterator[Offer]:
    """Yield what ``changes.csv`` lists (path and date), or all of ``index.txt`` where there is none."""
    changes = desk.get_if_there(url + "changes.csv", _PACE)
    if changes is not None:
        rows = [row for row in csv.reader(changes.decode("utf-8", "replace").splitlines()) if row]
        if any(len(row) != 2 for row in rows):
            raise RemoteServiceError(f"{url}changes.csv is no list of paths and dates: nothing was changed")
        listed = [(row[0], row[1]) for row in rows if row[1] > since]
    else:
        path = desk.get(url + "index.txt", pace=_PACE)
        lines = path.read_text("utf-8", "replace").splitlines() if path else []
        listed = [(line.strip(), "") for line in lines if line.strip()]
    for path_in, updated in listed:
        document = urljoin(url, path_in)
        if not path_in.lower().endswith(".json"):
            continue
        if urlsplit(document).netloc != urlsplit(url).netloc:
            raise RemoteServiceError(f"{url} lists a document elsewhere: {path_in[:100]}")
        yield Offer(document, updated, (document + ".sha512", document + ".sha256"), document + ".asc")


def _document(desk: Desk, offer: Offer, keys: Keys | None, trusted: bool) -> Arrived:
    digests: dict[str, str] = {}
    for url in offer.hashes:
        kind = url.rpartition(".")[2].lower()
        if kind in ("sha256", "sha512") and not digests:
            text = desk.get_if_there(url, _PACE)
            if text is not None:
                digests[kind] = text.decode("ascii", "replace").split()[0].lower() if text.split() else "none"
    if trusted and not digests:
        raise RemoteServiceError(
            f"{offer.url} has no digest, which its provider promises: nothing was changed"
        )
    path = desk.get(offer.url, pace=_PACE, sha256=digests.get("sha256", ""), sha512=digests.get("sha512", ""))
    assert path is not None
    return Arrived(path, offer.url, verified=_signed(desk, path, offer, keys, trusted))


def _signed(desk: Desk, path: Path, offer: Offer, keys: Keys | None, trusted: bool) -> bool:
    if keys is None:
        return False
    signature = desk.get_if_there(offer.signature, _PACE) if offer.signature else None
    if signature is None:
        if trusted:
            raise RemoteServiceError(
                f"{offer.url} has no signature, which its provider promises: nothing was changed"
            )
        return False
    keys.check(path.read_bytes(), signature, offer.url)
    return True


def _read(desk: Desk, url: str, type: type[_T]) -> _T:
    path = desk.get(url, pace=_PACE)
    try:
        return decoded(path.read_bytes() if path else b"", type)
    except ValueError as error:
        raise RemoteServiceError(
            f"{url} is not as CSAF describes it ({error}): nothing was changed"
        ) from error
