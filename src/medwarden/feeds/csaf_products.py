"""The product tree of a CSAF document (section 3.2.2): branches, names and relationships into products."""

from __future__ import annotations

import msgspec

from medwarden.feeds.cpe import read_cpe
from medwarden.feeds.origin import text
from medwarden.model.vulnerability import ProductClaim, ProductStatus

_MOST_PRODUCTS = 50_000
_DEEPEST = 64


class Helper(msgspec.Struct):
    """What identifies a product beside its name (3.1.3.3)."""

    cpe: str = ""
    purl: str = ""
    purls: list[str] = []
    model_numbers: list[str] = []
    serial_numbers: list[str] = []
    skus: list[str] = []


class Product(msgspec.Struct):
    """A full product name (3.1.3)."""

    name: str
    product_id: str
    product_identification_helper: Helper = msgspec.field(default_factory=Helper)


class Branch(msgspec.Struct):
    """A node of the tree (3.1.2)."""

    category: str
    name: str
    branches: list[Branch] = []
    product: Product | None = None


class Relationship(msgspec.Struct):
    """A product made of two others (3.2.2.4)."""

    category: str
    product_reference: str
    relates_to_product_reference: str
    full_product_name: Product


def products_of(
    branches: list[Branch], names: list[Product], relationships: list[Relationship]
) -> dict[str, ProductClaim]:
    """Return every product by its id, as a claim whose status is still to be set.

    Vendor, product and version are the names of the branches above it. Where the tree has none of them, the
    full name stands for the product. Raises ValueError where an id is given twice or a reference leads
    nowhere.
    """
    found: dict[str, ProductClaim] = {}
    for branch in branches:
        _walk(branch, {}, found, 0)
    for product in names:
        _add(product, {}, found)
    waiting = list(relationships)
    while waiting:
        ready = [
            r for r in waiting if r.product_reference in found and r.relates_to_product_reference in found
        ]
        if not ready:
            raise ValueError(f"a relationship of {waiting[0].product_reference[:60]!r}, which is not listed")
        for relationship in ready:
            _relate(relationship, found)
        waiting = [r for r in waiting if r.full_product_name.product_id not in found]
    return found


def _walk(branch: Branch, above: dict[str, str], found: dict[str, ProductClaim], depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError("a product tree nested too deeply")
    here = above | {branch.category: branch.name}
    if branch.product is not None:
        _add(branch.product, here, found)
    for below in branch.branches:
        _walk(below, here, found, depth + 1)


def _add(product: Product, path: dict[str, str], found: dict[str, ProductClaim]) -> None:
    if product.product_id in found:
        raise ValueError(f"the product id {product.product_id[:60]!r} twice")
    if len(found) >= _MOST_PRODUCTS:
        raise ValueError(f"more than {_MOST_PRODUCTS} products")
    helper = product.product_identification_helper
    version = path.get("product_version") or path.get("product_version_range") or ""
    patch = path.get("patch_level") or path.get("service_pack") or ""
    cpe = read_cpe(helper.cpe)
    found[product.product_id] = ProductClaim(
        status=ProductStatus.AFFECTED,
        vendor=path.get("vendor", ""),
        product=path.get("product_name") or path.get("product_family") or product.name,
        version=text(f"{version} {patch}".strip(), 500),
        part=cpe.part if cpe else "",
        cpe=helper.cpe,
        purl=helper.purl or (helper.purls[0] if helper.purls else ""),
        model_numbers=tuple(dict.fromkeys((*helper.model_numbers, *helper.skus))),
        serial_numbers=tuple(helper.serial_numbers),
        platforms=tuple(p for p in (path.get("architecture"), path.get("host_name")) if p),
        product_id=product.product_id,
        name=text(product.name, 500),
    )


def _relate(relationship: Relationship, found: dict[str, ProductClaim]) -> None:
    """Add the product of a relationship: the first one, on or in the second."""
    product = relationship.full_product_name
    if product.product_id in found:
        raise ValueError(f"the product id {product.product_id[:60]!r} twice")
    part, whole = found[relationship.product_reference], found[relationship.relates_to_product_reference]
    helper = product.product_identification_helper
    platform = " ".join(filter(None, (whole.vendor, whole.product, whole.version)))
    found[product.product_id] = msgspec.structs.replace(
        part,
        product_id=product.product_id,
        name=text(product.name, 500),
        cpe=helper.cpe or part.cpe,
        model_numbers=tuple(
            dict.fromkeys((*part.model_numbers, *helper.model_numbers, *whole.model_numbers))
        ),
        serial_numbers=tuple(dict.fromkeys((*helper.serial_numbers, *whole.serial_numbers))),
        platforms=tuple(dict.fromkeys((*part.platforms, platform))),
    )
