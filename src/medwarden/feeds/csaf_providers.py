"""Providers of CSAF documents (CSAF 2.0, section 7): metadata, ROLIE, directories, digests, signatures."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec

from medwarden.feeds.download import Arrived, Desk, each
from medwarden.feeds.json_stream import decoded
from medwarden.feeds.openpgp import Keys, is_available
from medwarden.feeds.vouching import folded
from medwarden.kernel.errors import RemoteServiceError
from medwarden.transport.http import Limits
from medwarden.transport.pace import Pace

_PACE = Pace(20, 1.0)
_MOST_DOCUMENTS = 100_000
_MOST_IN_A_ROW = 5
_MOST_NAMED = 5
_DOCUMENT = Limits(most_bytes=64 << 20, most_seconds=600.0)
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

    A document that fails (its digest or signature does not hold, it cannot be had) is left out, named and
    asked for again at the next look; the others come. A provider whose metadata or list fails brings
    nothing this time.
    """
    return each(desk, desk.sources.csaf, _of_provider)


def metadata_url(provider: str) -> str:
    """Return the address of a provider's metadata; a domain's well-known one (7.1.9)."""
    return provider if "://" in provider else f"https://{provider}/.well-known/csaf/provider-metadata.json"


def _found(desk: Desk, provider: str) -> str:
    """Return where the metadata of a domain lies: well-known address, security.txt, DNS name (7.3.1)."""
    if "://" in provider:
        return provider
    known = f"found {provider}"
    if desk.state.get(known):
        return desk.state[known]
    url = metadata_url(provider)
    if desk.get_if_there(url, _PACE) is None:
        url = _of_security_txt(desk, provider) or f"https://csaf.data.security.{provider}"
        if not _is_there(desk, url):
            raise RemoteServiceError(
                f"{provider} publishes no CSAF metadata where CSAF 2.0 says (well-known address,"
                " security.txt, csaf.data.security): ask the publisher, and name the address itself"
            )
    desk.state[known] = url
    return url


def _is_there(desk: Desk, url: str) -> bool:
    """Tell whether a file can be had; a name that nobody registered is a no as well."""
    try:
        return desk.get_if_there(url, _PACE) is not None
    except RemoteServiceError:
        return False


def _of_security_txt(desk: Desk, domain: str) -> str:
    text = desk.get_if_there(f"https://{domain}/.well-known/security.txt", _PACE) or b""
    fields = (line.partition(":") for line in text.decode("utf-8", "replace").splitlines())
    return next(
        (v.strip() for name, _, v in fields if name.strip().lower() == "csaf" and "https://" in v), ""
    )


def _of_provider(desk: Desk, provider: str) -> list[Arrived]:
    url = _found(desk, provider)
    metadata = _read(desk, url, _Metadata)
    trusted = metadata.role == "csaf_trusted_provider"
    keys = _keys(desk, metadata, url)
    if trusted and keys is None and metadata.public_openpgp_keys:
        desk.notes.append(
            f"signatures of {metadata.publisher.name[:60]} are not checked: install medwarden[openpgp]"
        )
    mark, at, again = f"since {url}", f"at {url}", f"again {url}"
    since = desk.state.get(mark, "")
    seen, owed = (frozenset(desk.state.get(key, "").split()) for key in (at, again))
    offers = sorted(
        {offer.url: offer for d in metadata.distributions for offer in _offers(desk, d, url)}.values(),
        key=lambda offer: (offer.updated, offer.url),
    )
    wanted = [
        offer
        for offer in offers
        if offer.updated > since
        or not offer.updated
        or (offer.updated == since and offer.url not in seen)
        or offer.url in owed
    ]
    if len(wanted) > _MOST_DOCUMENTS:
        raise RemoteServiceError(f"{url} lists more than {_MOST_DOCUMENTS} documents")
    publishers = _spoken_for(desk, provider, url, metadata.publisher.name)
    came, failed, stopped = _taken(desk, wanted, keys, trusted, publishers)
    reached = offers if stopped is None else wanted[:stopped]
    newest = max([since, *(offer.updated for offer in reached)])
    desk.state[mark] = newest
    desk.state[at] = "\n".join(
        sorted({o.url for o in reached if o.updated == newest} | (seen if newest == since else set()))
    )
    desk.state[again] = "\n".join(sorted(failed if stopped is None else {*failed, *owed}))
    return came


def _spoken_for(desk: Desk, provider: str, url: str, named: str) -> tuple[str, ...]:
    """Return the publishers whose word the signatures of a provider prove.

    That is who its metadata named when it was met, and whom a person added. Whoever can change the metadata
    can change the name and the keys in it alike, so another name is told and proves nothing.
    """
    met = desk.state.setdefault(f"publisher {url}", named)
    if folded(met) != folded(named):
        desk.notes.append(
            f"{url} was met as the provider of {met[:60]} and now says that it is of {named[:60]}: if that is"
            " right, let it speak for that name as well"
        )
    return tuple(name for name in (met, *desk.sources.vouches.get(provider, ())) if name)


def _taken(
    desk: Desk, wanted: list[Offer], keys: Keys | None, trusted: bool, publishers: tuple[str, ...]
) -> tuple[list[Arrived], list[str], int | None]:
    """Return documents that came, addresses of those that failed, and where it was given up (None: nowhere).

    After some failures one after another the provider is given up for this time: what came stays.
    """
    came: list[Arrived] = []
    failed: list[str] = []
    in_a_row = 0
    for number, offer in enumerate(wanted):
        try:
            document = _document(desk, offer, keys, trusted, publishers)
        except RemoteServiceError as error:
            failed.append(offer.url)
            in_a_row += 1
            if len(failed) <= _MOST_NAMED:
                desk.failures.append(str(error))
            if in_a_row >= _MOST_IN_A_ROW:
                rest = len(wanted) - number - 1
                desk.failures.append(f"{offer.url.split('/')[2]} was given up, {rest} documents are left")
                return came, failed, number + 1
            continue
        in_a_row = 0
        if document is not None:
            came.append(document)
    if len(failed) > _MOST_NAMED:
        desk.failures.append(f"{len(failed) - _MOST_NAMED} more documents failed")
    return came, failed, None


def _keys(desk: Desk, metadata: _Metadata, url: str) -> Keys | None:
    if not metadata.public_openpgp_keys or not is_available():
        return None
    held = []
    for key in metadata.public_openpgp_keys:
        data = desk.get_if_there(_address(url, key.url), _PACE)
        if data is not None:
            held.append((key.fingerprint, data))
    if not held:
        raise RemoteServiceError(f"{url} names public keys and none of them can be had: nothing was changed")
    return Keys(held, metadata.publisher.name or url)


def _address(within: str, said: str) -> str:
    """Return the address that a provider names in a file of its own (RFC 3986, 5)."""
    try:
        return urljoin(within, said)
    except ValueError as error:
        raise RemoteServiceError(f"{within} names what is no address: nothing was changed") from error


def _offers(desk: Desk, distribution: _Distribution, url: str) -> Iterator[Offer]:
    if distribution.rolie is not None:
        for feed in distribution.rolie.feeds:
            if feed.tlp_label.upper() in _OPEN:
                yield from _of_rolie(desk, _address(url, feed.url))
    elif distribution.directory_url:
        yield from _of_directory(desk, _address(url, distribution.directory_url.rstrip("/") + "/"))


def _of_rolie(desk: Desk, url: str) -> Iterator[Offer]:
    for entry in _read(desk, url, _RolieDocument).feed.entry:
        document = entry.content.src or next((link.href for link in entry.link if link.rel == "self"), "")
        if not document:
            continue
        yield Offer(
            url=_address(url, document),
            updated=_instant(entry.updated, url),
            hashes=tuple(_address(url, link.href) for link in entry.link if link.rel == "hash"),
            signature=next((_address(url, li.href) for li in entry.link if li.rel == "signature"), ""),
        )


def _instant(text: str, url: str) -> str:
    """Return a time in one form, so that times of different offsets compare as they follow each other."""
    try:
        moment = datetime.fromisoformat(text.strip())
        whole = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return whole.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except (ValueError, OverflowError) as error:  # a day before the first or after the last one
        raise RemoteServiceError(f"{url} dates a document {text[:40]!r}: nothing was changed") from error


def _of_directory(desk: Desk, url: str) -> Iterator[Offer]:
    """Yield what ``changes.csv`` lists (path and date), or all of ``index.txt`` where there is none."""
    changes = desk.get_if_there(url + "changes.csv", _PACE)
    if changes is not None:
        try:
            rows = [row for row in csv.reader(changes.decode("utf-8", "replace").splitlines()) if row]
        except csv.Error as error:
            raise RemoteServiceError(f"{url}changes.csv cannot be read ({error})") from error
        if any(len(row) != 2 for row in rows):
            raise RemoteServiceError(f"{url}changes.csv is no list of paths and dates: nothing was changed")
        listed = [(row[0], _instant(row[1], f"{url}changes.csv")) for row in rows]
    else:
        path = desk.get(url + "index.txt", pace=_PACE)
        lines = path.read_text("utf-8", "replace").splitlines() if path else []
        listed = [(line.strip(), "") for line in lines if line.strip()]
    for path_in, updated in listed:
        document = _address(url, path_in)
        if not path_in.lower().endswith(".json"):
            continue
        if urlsplit(document).netloc != urlsplit(url).netloc:
            raise RemoteServiceError(f"{url} lists a document elsewhere: {path_in[:100]}")
        yield Offer(document, updated, (document + ".sha512", document + ".sha256"), document + ".asc")


def _document(
    desk: Desk, offer: Offer, keys: Keys | None, trusted: bool, publishers: tuple[str, ...]
) -> Arrived | None:
    """Return a document whose digest and signature hold; None for one that did not change."""
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
    path = desk.get(
        offer.url,
        pace=_PACE,
        remember=not offer.updated,
        sha256=digests.get("sha256", ""),
        sha512=digests.get("sha512", ""),
        limits=_DOCUMENT,
    )
    if path is None:
        return None
    signed = _signed(desk, path, offer, keys, trusted)
    return Arrived(path, offer.url, verified=signed, publishers=publishers)


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
