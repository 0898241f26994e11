"""The index of registered products: built from files, asked by UDI, or for a device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from medwarden.kernel.errors import MalformedInput
from medwarden.knowledge.gudid import FILE, Built, Fact, Gudid, Hit, build, build_of, facts_of
from medwarden.knowledge.gudid_files import Alias, Code, Coded, Entry, Listing, Term
from medwarden.knowledge.taxonomy import name_of
from medwarden.model import feed
from medwarden.model.device import Device
from medwarden.store.knowledge import Knowledge
from medwarden.store.open import open_store

FOLDER = "knowledge"
_SURE = 0.9


class Registered(msgspec.Struct, frozen=True):
    """What the registry says of a device: the products it may be, facts of the best, and what that means.

    ``agrees`` tells whether a product code of the best hit belongs to the category that medwarden found;
    None where either is not known. ``problem`` says why a UDI could not be looked up.
    """

    hits: tuple[Hit, ...]
    facts: tuple[Fact, ...]
    categories: tuple[str, ...]
    agrees: bool | None
    problem: str = ""


def index_of(home: Path) -> Path:
    """Return where the index of a data folder lies."""
    return home / FOLDER / FILE


def import_files(home: Path, files: Iterable[Path], progress: Callable[[int], None] | None = None) -> Built:
    """Take files of AccessGUDID, openFDA or the FDA's classification into the index of a data folder."""
    return build(index_of(home), files, progress)


def share(home: Path, ids: Iterable[str], codes: Iterable[str] = ()) -> Built | None:
    """Lay products and product codes that feeds brought into the index; None where there are none.

    ``ids`` are UDI-DI, ``codes`` product codes: those that changed. So a product is found in one place,
    whether it came by ``knowledge sync``, a bundle or ``gudid import``.
    """
    products, classes = frozenset(ids), frozenset(codes)
    if not products and not classes:
        return None
    with Knowledge(home) as knowledge:
        listed = (one for one in (knowledge.listings() if products else ()) if one.id in products)
        known = knowledge.product_codes() if classes else {}
        coded = (known[code] for code in sorted(classes) if code in known)
        return build_of(index_of(home), _entries(listed, coded))


def _entries(listed: Iterable[feed.Listing], coded: Iterable[feed.ProductCode]) -> Iterator[Entry]:
    for one in listed:
        yield Listing(
            di=one.id,
            brand=one.brand,
            model=one.model,
            catalogue=one.catalogue,
            company=one.company,
            description=one.description,
            mri_safety=one.mri_safety,
            status=one.status,
            published=one.published,
        )
        yield from (Coded(one.id, code) for code in one.product_codes)
        yield from (Term(one.id, name) for name in one.gmdn)
        yield from (Alias(other, one.id) for other in one.other_identifiers)
    for code in coded:
        yield Code(
            code=code.id,
            name=code.name,
            device_class=code.device_class,
            regulation=code.regulation,
            specialty=code.panel,
            implant=code.implant,
            life_support=code.life_support,
        )


def lookup(home: Path, udi: str) -> tuple[Hit, tuple[str, ...]] | None:
    """Return the product of a UDI with the names of the categories it may belong to, or None.

    Raises MalformedInput for what is no UDI, ResourceError where there is no index.
    """
    with Gudid(index_of(home)) as gudid:
        hit = gudid.by_udi(udi)
    return None if hit is None else (hit, tuple(sorted(name_of(c) for c in hit.product.categories)))


def registered_at(home: Path, device: str) -> Registered:
    """Return what the registry says of the device with this id, MAC or IP address."""
    with open_store(home, writer=False):
        from medwarden.app.inventory import one_device

        found = one_device(device)
        return registered(home, found)


def registered(home: Path, device: Device) -> Registered:
    """Return what the registry says of a device by the UDI in its books, else by its model; on an open store.

    Raises ResourceError where there is no index.
    """
    from medwarden.store.queries import Scope
    from medwarden.store.queries.books import booked

    problem, hits = "", []
    with Gudid(index_of(home)) as gudid:
        for line in booked(Scope(sites=(device.site,)), device.id):
            udi = line.row.said.get("udi", "") if line.row else ""
            if not udi:
                continue
            try:
                hit = gudid.by_udi(udi)
            except MalformedInput as error:
                problem = str(error)
                continue
            if hit is not None:
                book = line.row.book_name if line.row else ""
                hits.append(Hit(hit.product, hit.score, (*hit.why, f"the UDI stands in {book}")))
            else:
                problem = f"{udi[:60]} is not listed"
        if not hits and device.model:
            hits = gudid.by_model(device.vendor or "", device.model)
    return _judged(device, hits, problem)


def _judged(device: Device, hits: list[Hit], problem: str) -> Registered:
    best = hits[0] if hits and hits[0].score >= _SURE else None
    if best is None:
        return Registered(tuple(hits), (), (), None, problem)
    categories = tuple(sorted(best.product.categories))
    agrees = device.category in categories if categories and device.category else None
    return Registered(tuple(hits), facts_of(best), categories, agrees, problem)
