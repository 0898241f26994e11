"""Analyses of vulnerabilities in CycloneDX 1.4 and later, with or beside the bill that they speak of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
from medwarden.risk.work.vex.statement import Reading, Statement, VexProduct, VexStatus

_STATES = {
    "resolved": VexStatus.FIXED,
    "resolved_with_pedigree": VexStatus.FIXED,
    "exploitable": VexStatus.AFFECTED,
    "in_triage": VexStatus.UNDER_INVESTIGATION,
    "false_positive": VexStatus.NOT_AFFECTED,
    "not_affected": VexStatus.NOT_AFFECTED,
}
_GROUNDS = {
    "code_not_present": "vulnerable_code_not_present",
    "code_not_reachable": "vulnerable_code_not_in_execute_path",
    "requires_configuration": "vulnerable_code_cannot_be_controlled_by_adversary",
    "requires_dependency": "vulnerable_code_cannot_be_controlled_by_adversary",
    "requires_environment": "vulnerable_code_cannot_be_controlled_by_adversary",
    "protected_by_compiler": "inline_mitigations_already_exist",
    "protected_at_runtime": "inline_mitigations_already_exist",
    "protected_at_perimeter": "inline_mitigations_already_exist",
    "protected_by_mitigating_control": "inline_mitigations_already_exist",
}
_DEEPEST = 64
_MOST_COMPONENTS = 100_000


def is_cyclonedx(held: Json) -> bool:
    """Tell a CycloneDX document by its name."""
    return held.get("bomFormat") == "CycloneDX"


def read(held: Json) -> Reading:
    """Read a document; raises Wrong where it names no author or no vulnerabilities."""
    metadata = object_of(held.get("metadata"), "metadata")
    components = dict(_components(held, metadata))
    found = Collected()
    for number, each in enumerate(list_of(held.get("vulnerabilities"), "vulnerabilities")):
        place = f"vulnerabilities[{number}]"
        found.take(lambda each=each, place=place: _statements(each, place, components))  # type: ignore[misc]
    version = held.get("version")
    serial = text(held.get("serialNumber"), "serialNumber", longest=300)
    author = _author(metadata)
    return Reading(
        form="cyclonedx",
        document=serial or _title(metadata),
        version=str(version)[:40] if isinstance(version, int | str) else "",
        author=author,
        published=text(metadata.get("timestamp"), "metadata.timestamp", longest=40),
        statements=tuple(found.statements),
        problems=tuple(found.problems),
        by_vendor=bool(author),
    )


def _author(metadata: Json) -> str:
    """Return who made the document: its maker or supplier, else its author; '' where it does not say."""
    main = object_of(metadata.get("component"), "metadata.component")
    for holder, name in (
        (metadata, "manufacturer"), (metadata, "manufacture"), (metadata, "supplier"),
        (main, "manufacturer"), (main, "supplier"),
    ):  # fmt: skip
        said = object_of(holder.get(name), f"metadata.{name}")
        if said.get("name"):
            return text(said["name"], f"metadata.{name}.name", longest=200)
    for number, each in enumerate(list_of(metadata.get("authors"), "metadata.authors")):
        place = f"metadata.authors[{number}]"
        name = text(object_of(each, place).get("name"), f"{place}.name", longest=200)
        if name:
            return name
    return text(main.get("publisher"), "metadata.component.publisher", longest=200)


def _title(metadata: Json) -> str:
    main = object_of(metadata.get("component"), "metadata.component")
    name = text(main.get("name"), "metadata.component.name", longest=200)
    return (
        f"{name} {text(main.get('version'), 'metadata.component.version', longest=60)}".strip() or "unnamed"
    )


def _components(held: Json, metadata: Json) -> Iterator[tuple[str, VexProduct]]:
    stack: list[tuple[str, object, int]] = [("metadata.component", metadata.get("component"), 0)]
    stack += [
        (f"components[{n}]", each, 0) for n, each in enumerate(list_of(held.get("components"), "components"))
    ]
    seen = 0
    while stack:
        place, value, depth = stack.pop()
        seen += 1
        if depth > _DEEPEST or seen > _MOST_COMPONENTS:
            raise Wrong(
                place, "components are nested too deep" if depth > _DEEPEST else "too many components"
            )
        component = object_of(value, place)
        reference = text(component.get("bom-ref"), f"{place}.bom-ref", longest=400)
        if reference:
            yield reference, _product(component, place)
        children = list_of(component.get("components"), f"{place}.components")
        stack += [(f"{place}.components[{n}]", each, depth + 1) for n, each in enumerate(children)]


def _product(component: Json, place: str) -> VexProduct:
    supplier = object_of(component.get("supplier") or component.get("manufacturer"), f"{place}.supplier")
    vendor = (
        text(supplier.get("name"), f"{place}.supplier.name", longest=200)
        or text(component.get("publisher"), f"{place}.publisher", longest=200)
        or text(component.get("group"), f"{place}.group", longest=200)
    )
    name = text(component.get("name"), f"{place}.name", needed=True, longest=300)
    version = text(component.get("version"), f"{place}.version", longest=120)
    cpe = text(component.get("cpe"), f"{place}.cpe", longest=400)
    purl = text(component.get("purl"), f"{place}.purl", longest=400)
    return VexProduct(f"{vendor} {name} {version}".strip(), vendor, name, version, cpe, purl)


def _statements(each: object, place: str, components: Mapping[str, VexProduct]) -> Iterator[Statement]:
    held = object_of(each, place)
    analysis = object_of(held.get("analysis"), f"{place}.analysis")
    references = [
        text(object_of(r, f"{place}.references").get("id"), f"{place}.references")
        for r in list_of(held.get("references"), f"{place}.references")
    ]
    names = names_of([text(held.get("id"), f"{place}.id"), *references], f"{place}.id")
    state = text(analysis.get("state"), f"{place}.analysis.state", needed=True)
    if state not in _STATES:
        raise Wrong(f"{place}.analysis.state", f"{state[:40]!r} is no state of CycloneDX")
    grounds = text(analysis.get("justification"), f"{place}.analysis.justification")
    if grounds and grounds not in _GROUNDS:
        raise Wrong(f"{place}.analysis.justification", f"{grounds[:40]!r} is no justification of CycloneDX")
    detail = text(analysis.get("detail"), f"{place}.analysis.detail")
    says = _STATES[state]
    affects = list_of(held.get("affects"), f"{place}.affects")
    if not affects:
        raise Wrong(f"{place}.affects", "names no product")
    for number, value in enumerate(affects):
        where = f"{place}.affects[{number}]"
        said = object_of(value, where)
        reference = text(said.get("ref"), f"{where}.ref", needed=True, longest=400)
        product = components.get(reference) or _elsewhere(reference)
        for version in _versions(said, where, says):
            kept = product if not version else _versioned(product, version)
            yield Statement(where, names, kept, says, _GROUNDS.get(grounds, ""), detail)


def _elsewhere(reference: str) -> VexProduct:
    """Return the product of a reference into another document (a BOM-Link), by the name it has there."""
    name = reference.rpartition("#")[2] if reference.startswith("urn:cdx:") else reference
    found = product_by_address(name, name=reference)
    return found if found.product else VexProduct(reference, "", name)


def _versioned(product: VexProduct, version: str) -> VexProduct:
    return VexProduct(product.name, product.vendor, product.product, version, product.cpe, product.purl)


def _versions(said: Json, place: str, says: VexStatus) -> Iterator[str]:
    """Yield the versions that a status is said of, '' for all, without those that are told apart."""
    against = {"unaffected"} if says is VexStatus.AFFECTED else {"affected"}
    listed = list_of(said.get("versions"), f"{place}.versions")
    if not listed:
        yield ""
    for number, value in enumerate(listed):
        where = f"{place}.versions[{number}]"
        each = object_of(value, where)
        if each.get("status") in against | {"unknown"}:
            continue
        yield text(each.get("version") or each.get("range"), where, needed=True, longest=200)
