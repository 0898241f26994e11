"""Status statements of CSAF 2.0 and 2.1 documents: the VEX profile (4.5), and advisories that say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from medwarden.risk.work.vex.reading import Collected, Json, Wrong, list_of, names_of, object_of, text
from medwarden.risk.work.vex.statement import Reading, Statement, VexProduct, VexStatus

_STATUSES = {
    "known_affected": VexStatus.AFFECTED,
    "first_affected": VexStatus.AFFECTED,
    "last_affected": VexStatus.AFFECTED,
    "known_not_affected": VexStatus.NOT_AFFECTED,
    "fixed": VexStatus.FIXED,
    "first_fixed": VexStatus.FIXED,
    "under_investigation": VexStatus.UNDER_INVESTIGATION,
}
_LEFT_OUT = frozenset({"recommended", "unknown"})
_DEEPEST = 64
_MOST_PRODUCTS = 50_000
_LEVELS = {"vendor": "vendor", "product_name": "product", "product_version": "version"}


def is_csaf(held: Json) -> bool:
    """Tell a CSAF document by its version."""
    document = held.get("document")
    return isinstance(document, dict) and "csaf_version" in document


def read(held: Json) -> Reading:
    """Read a document; raises Wrong where it is not of version 2, or has no id, publisher or products."""
    about = object_of(held.get("document"), "document")
    if not text(about.get("csaf_version"), "document.csaf_version").startswith("2."):
        raise Wrong("document.csaf_version", "only CSAF 2.0 and 2.1 are read")
    tracking = object_of(about.get("tracking"), "document.tracking")
    publisher = object_of(about.get("publisher"), "document.publisher")
    tree = object_of(held.get("product_tree"), "product_tree")
    products = dict(_products(tree))
    groups = {
        text(object_of(g, "product_tree.product_groups").get("group_id"), "product_tree.product_groups"): [
            text(p, "product_tree.product_groups")
            for p in list_of(object_of(g, "product_tree.product_groups").get("product_ids"), "product_ids")
        ]
        for g in list_of(tree.get("product_groups"), "product_tree.product_groups")
    }
    found = Collected()
    for number, each in enumerate(list_of(held.get("vulnerabilities"), "vulnerabilities")):
        place = f"vulnerabilities[{number}]"
        found.take(lambda each=each, place=place: _statements(each, place, products, groups))  # type: ignore[misc]
    return Reading(
        form="csaf",
        document=text(tracking.get("id"), "document.tracking.id", needed=True, longest=300),
        version=text(tracking.get("version"), "document.tracking.version", longest=40),
        author=text(publisher.get("name"), "document.publisher.name", needed=True, longest=200),
        published=text(tracking.get("current_release_date"), "document.tracking", longest=40),
        statements=tuple(found.statements),
        problems=tuple(found.problems),
        by_vendor=text(publisher.get("category"), "document.publisher.category") == "vendor",
    )


def _products(tree: Json) -> Iterator[tuple[str, VexProduct]]:
    seen: set[str] = set()
    for id, product in _listed(tree):
        if id in seen:
            raise Wrong("product_tree", f"the product id {id[:60]!r} is given twice")
        if len(seen) >= _MOST_PRODUCTS:
            raise Wrong("product_tree", f"more than {_MOST_PRODUCTS:,} products")
        seen.add(id)
        yield id, product


def _listed(tree: Json) -> Iterator[tuple[str, VexProduct]]:
    stack = [
        (f"product_tree.branches[{n}]", branch, VexProduct(""), 0)
        for n, branch in enumerate(list_of(tree.get("branches"), "product_tree.branches"))
    ]
    while stack:
        place, value, above, depth = stack.pop()
        if depth > _DEEPEST:
            raise Wrong(place, "branches are nested too deep")
        branch = object_of(value, place)
        name = text(branch.get("name"), f"{place}.name", longest=400)
        level = _LEVELS.get(text(branch.get("category"), f"{place}.category").removesuffix("_range"), "")
        here = _with(above, level, name)
        if branch.get("product") is not None:
            yield _named(object_of(branch["product"], f"{place}.product"), f"{place}.product", here)
        children = list_of(branch.get("branches"), f"{place}.branches")
        stack += [(f"{place}.branches[{n}]", child, here, depth + 1) for n, child in enumerate(children)]
    for n, value in enumerate(list_of(tree.get("full_product_names"), "product_tree.full_product_names")):
        place = f"product_tree.full_product_names[{n}]"
        yield _named(object_of(value, place), place, VexProduct(""))
    for n, value in enumerate(list_of(tree.get("relationships"), "product_tree.relationships")):
        place = f"product_tree.relationships[{n}].full_product_name"
        yield _named(
            object_of(object_of(value, place).get("full_product_name"), place), place, VexProduct("")
        )


def _with(above: VexProduct, level: str, name: str) -> VexProduct:
    return VexProduct(
        "",
        name if level == "vendor" else above.vendor,
        name if level == "product" else above.product,
        name if level == "version" else above.version,
    )


def _named(value: Json, place: str, above: VexProduct) -> tuple[str, VexProduct]:
    id = text(value.get("product_id"), f"{place}.product_id", needed=True, longest=400)
    name = text(value.get("name"), f"{place}.name", needed=True, longest=400)
    helper = object_of(value.get("product_identification_helper"), f"{place}.product_identification_helper")
    purls = list_of(helper.get("purls"), place)
    purl = text(helper.get("purl") or (purls[0] if purls else None), f"{place}.purl", longest=400)
    cpe = text(helper.get("cpe"), f"{place}.cpe", longest=400)
    return id, VexProduct(name, above.vendor, above.product or name, above.version, cpe, purl)


def _statements(
    each: object, place: str, products: Mapping[str, VexProduct], groups: Mapping[str, list[str]]
) -> Iterator[Statement]:
    held = object_of(each, place)
    ids = [
        text(object_of(i, f"{place}.ids").get("text"), f"{place}.ids")
        for i in list_of(held.get("ids"), f"{place}.ids")
    ]
    names = names_of([text(held.get("cve"), f"{place}.cve"), *ids], place)
    flags = _by_product(held, "flags", "label", place, groups)
    impacts = _by_product(held, "threats", "details", place, groups, "impact")
    todo = _by_product(held, "remediations", "details", place, groups)
    for status, listed in object_of(held.get("product_status"), f"{place}.product_status").items():
        where = f"{place}.product_status.{status[:30]}"
        if status in _LEFT_OUT:
            continue
        if status not in _STATUSES:
            raise Wrong(where, "no product status of CSAF")
        for number, value in enumerate(list_of(listed, where)):
            id = text(value, f"{where}[{number}]", needed=True, longest=400)
            if id not in products:
                raise Wrong(f"{where}[{number}]", f"the product {id[:60]!r} is not listed")
            says = _STATUSES[status]
            grounds = impacts.get(id) or impacts.get("") or ""
            action = todo.get(id) or todo.get("") or ""
            yield Statement(
                f"{where}[{number}]",
                names,
                products[id],
                says,
                flags.get(id, "") if says is VexStatus.NOT_AFFECTED else "",
                grounds or (action if says is not VexStatus.NOT_AFFECTED else ""),
            )


def _by_product(
    held: Json, part: str, field: str, place: str, groups: Mapping[str, list[str]], category: str = ""
) -> dict[str, str]:
    """Return the first text of a part for each product id; under '' what is said of all."""
    found: dict[str, str] = {}
    for number, value in enumerate(list_of(held.get(part), f"{place}.{part}")):
        where = f"{place}.{part}[{number}]"
        each = object_of(value, where)
        if category and each.get("category") != category:
            continue
        said = text(each.get(field), f"{where}.{field}")
        named = [text(i, where) for i in list_of(each.get("product_ids"), where)]
        for group in list_of(each.get("group_ids"), where):
            named += groups.get(text(group, where), [])
        for id in named or [""]:
            found.setdefault(id, said)
    return found
