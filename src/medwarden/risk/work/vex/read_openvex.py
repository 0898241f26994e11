"""OpenVEX 0.2.0 (openvex.dev): statements on products by purl, CPE or any address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medwarden.risk.work.vex.reading import (
    Collected,
    Json,
    Wrong,
    list_of,
    names_of,
    object_of,
    product_by_address,
    text,
)
from medwarden.risk.work.vex.statement import JUSTIFICATIONS, Reading, Statement, VexProduct, VexStatus

_CONTEXT = "https://openvex.dev/ns"


def is_openvex(held: Json) -> bool:
    """Tell an OpenVEX document by its context."""
    return str(held.get("@context", "")).startswith(_CONTEXT)


def read(held: Json) -> Reading:
    """Read a document; raises Wrong where it has no id, author or list of statements."""
    author = text(held.get("author"), "author", needed=True, longest=200)
    document = text(held.get("@id"), "@id", needed=True, longest=300)
    found = Collected()
    for number, each in enumerate(list_of(held.get("statements"), "statements")):
        place = f"statements[{number}]"
        found.take(lambda each=each, place=place: _statements(each, place, held))  # type: ignore[misc]
    version = held.get("version")
    return Reading(
        form="openvex",
        document=document,
        version=str(version)[:40] if isinstance(version, int | str) else "",
        author=author,
        published=text(held.get("timestamp"), "timestamp", longest=40),
        statements=tuple(found.statements),
        problems=tuple(found.problems),
    )


def _statements(each: object, place: str, held: Json) -> Iterator[Statement]:
    said = object_of(each, place)
    status = text(said.get("status"), f"{place}.status", needed=True)
    if status not in set(VexStatus):
        raise Wrong(f"{place}.status", f"{status[:40]!r} is none of {', '.join(VexStatus)}")
    names = _names(said.get("vulnerability"), f"{place}.vulnerability")
    justification = text(said.get("justification"), f"{place}.justification")
    impact = text(said.get("impact_statement"), f"{place}.impact_statement")
    if justification and justification not in JUSTIFICATIONS:
        raise Wrong(f"{place}.justification", f"{justification[:40]!r} is no justification of OpenVEX")
    if status == VexStatus.NOT_AFFECTED and not (justification or impact):
        raise Wrong(place, "not affected needs a justification or an impact_statement")
    notes = text(said.get("status_notes"), f"{place}.status_notes")
    action = text(said.get("action_statement"), f"{place}.action_statement")
    products = list_of(said.get("products", held.get("products")), f"{place}.products")
    if not products:
        raise Wrong(f"{place}.products", "names no product")
    for number, product in enumerate(products):
        where = f"{place}.products[{number}]"
        yield Statement(
            where,
            names,
            _product(product, where),
            VexStatus(status),
            justification,
            impact or notes or action,
        )


def _names(value: object, place: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return names_of([value.strip()], place)
    said = object_of(value, place)
    aliases: Sequence[object] = list_of(said.get("aliases"), f"{place}.aliases")
    first = text(said.get("name"), f"{place}.name") or text(said.get("@id"), f"{place}.@id")
    return names_of([first, *(text(a, f"{place}.aliases") for a in aliases)], place)


def _product(value: object, place: str) -> VexProduct:
    if isinstance(value, str):
        return product_by_address(text(value, place, needed=True, longest=400))
    said = object_of(value, place)
    ids = object_of(said.get("identifiers"), f"{place}.identifiers")
    purl = text(ids.get("purl"), f"{place}.identifiers.purl", longest=400)
    cpe = text(ids.get("cpe23") or ids.get("cpe22"), f"{place}.identifiers.cpe23", longest=400)
    address = text(said.get("@id"), f"{place}.@id", longest=400) or purl or cpe
    if not address:
        raise Wrong(place, "names no product")
    return product_by_address(address, cpe, purl)
