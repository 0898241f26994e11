"""SPDX bills of materials: 2.2 and 2.3 as JSON and tag-value (ISO/IEC 5962:2021), 3.0 as JSON-LD."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator

from medwarden.kernel.errors import MalformedInput
from medwarden.knowledge.sbom import Draft, objects_of, text_of

_SAYS_NOTHING = frozenset({"", "NOASSERTION", "NONE"})
_NEEDS = frozenset({"DEPENDS_ON", "CONTAINS", "DYNAMIC_LINK", "STATIC_LINK"})
_NEEDED = frozenset({"DEPENDENCY_OF", "CONTAINED_BY", "RUNTIME_DEPENDENCY_OF"})
_PARTY = re.compile(r"^(?:Organization|Person|Tool):\s*")
_MAIL = re.compile(r"\s*\([^()]*@[^()]*\)")
_LONGEST_LINE = 1 << 20
_MOST_LICENCES = 50


def spdx_json(told: dict[str, object], source: str) -> Draft:
    """Read a bill from its decoded JSON, of SPDX 2 or 3. Raises MalformedInput where it is neither."""
    if isinstance(told.get("@graph"), list):
        return _graph(told, source)
    version = text_of(told, "spdxVersion")
    if not version.startswith("SPDX-"):
        raise MalformedInput(source, "JSON that is neither CycloneDX nor SPDX")
    creation = told.get("creationInfo")
    draft = Draft(f"{version} JSON"[:40], name=text_of(told, "name"), said_at=text_of(creation, "created"))
    for package in objects_of(told, "packages"):
        references = [
            (text_of(r, "referenceType"), text_of(r, "referenceLocator"))
            for r in objects_of(package, "externalRefs")
        ]
        hashes = {
            text_of(c, "algorithm")[:20]: text_of(c, "checksumValue")[:200]
            for c in objects_of(package, "checksums")
        }
        _add(
            draft,
            source,
            text_of(package, "SPDXID"),
            text_of(package, "name"),
            text_of(package, "versionInfo"),
            text_of(package, "supplier") or text_of(package, "originator"),
            text_of(package, "primaryPackagePurpose"),
            references,
            [text_of(package, "licenseDeclared"), text_of(package, "licenseConcluded")],
            hashes,
        )
    for relation in objects_of(told, "relationships"):
        _relate(
            draft,
            text_of(relation, "spdxElementId"),
            text_of(relation, "relationshipType"),
            text_of(relation, "relatedSpdxElement"),
        )
    return draft


def _add(
    draft: Draft,
    source: str,
    ref: str,
    name: str,
    version: str,
    supplier: str,
    purpose: str,
    references: list[tuple[str, str]],
    licences: list[str],
    hashes: dict[str, str],
) -> None:
    by_kind = dict(reversed(references))
    texts = {
        "version": version if version not in _SAYS_NOTHING else "",
        "supplier": "" if supplier in _SAYS_NOTHING else _MAIL.sub("", _PARTY.sub("", supplier[:1000])),
        "kind": purpose.casefold(),
        "purl": by_kind.get("purl", ""),
        "cpe": by_kind.get("cpe23Type", "") or by_kind.get("cpe22Type", ""),
    }
    draft.add(source, ref, name, texts, [one for one in licences if one not in _SAYS_NOTHING], hashes)


def _relate(draft: Draft, one: str, kind: str, other: str) -> None:
    if kind in _NEEDED:
        draft.depend(other, one)
    elif kind in _NEEDS:
        draft.depend(one, other)


def spdx_tags(document: bytes, source: str) -> Draft:
    """Read a bill from tag-value text."""
    draft = Draft("SPDX tag-value")
    package: dict[str, list[str]] | None = None
    in_file = False

    def close() -> None:
        if package is not None:
            _tagged(draft, source, package)

    for tag, value in _tags(_decoded(document), source):
        if tag == "SPDXVersion":
            draft.format = f"{value} tag-value"[:40]
        elif tag == "DocumentName":
            draft.name = value
        elif tag == "Created":
            draft.said_at = value
        elif tag == "Relationship":
            parts = value.split()
            if len(parts) >= 3:
                _relate(draft, parts[0], parts[1], parts[2])
        elif tag == "PackageName":
            close()
            package, in_file = {tag: [value]}, False
        elif tag in ("FileName", "SnippetSPDXID", "LicenseID"):
            in_file = True  # what follows is of the file, not of the package
        elif package is not None and not in_file and len(package.setdefault(tag, [])) < 1000:
            package[tag].append(value)
    close()
    return draft


def _decoded(document: bytes) -> str:
    """Return text as it was meant: UTF-8 as SPDX asks for, else as Windows writes it."""
    try:
        return document.decode("utf-8-sig")
    except UnicodeDecodeError:
        return document.decode("cp1252", "replace")


def _tags(text: str, source: str) -> Iterator[tuple[str, str]]:
    """Yield tags and values; a value between <text> and </text> may have several lines."""
    waiting: list[str] | None = None
    tag = ""
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        line = line.rstrip("\n")
        if len(line) > _LONGEST_LINE:
            raise MalformedInput(source, f"line {number} is longer than any")
        if waiting is not None:
            before, end, _ = line.partition("</text>")
            waiting.append(before)
            if end:
                yield tag, "\n".join(waiting).strip()
                waiting = None
            continue
        tag, colon, value = line.partition(":")
        value = value.strip()
        if not colon or line.startswith("#"):
            continue
        if value.startswith("<text>"):
            inner, end, _ = value.removeprefix("<text>").partition("</text>")
            if not end:
                waiting = [inner]
                continue
            value = inner.strip()
        yield tag.strip(), value
    if waiting is not None:
        raise MalformedInput(source, f"the text of {tag} has no end")


def _tagged(draft: Draft, source: str, package: dict[str, list[str]]) -> None:
    def first(tag: str) -> str:
        return next(iter(package.get(tag, ())), "")

    references = []
    for value in package.get("ExternalRef", ()):
        parts = value.split(None, 2)
        if len(parts) == 3:
            references.append((parts[1], parts[2]))
    hashes = {}
    for value in package.get("PackageChecksum", ()):
        algorithm, _, digest = value.partition(":")
        hashes[algorithm.strip()[:20]] = digest.strip()[:200]
    _add(
        draft,
        source,
        first("SPDXID"),
        first("PackageName"),
        first("PackageVersion"),
        first("PackageSupplier") or first("PackageOriginator"),
        first("PrimaryPackagePurpose"),
        references,
        [first("PackageLicenseDeclared"), first("PackageLicenseConcluded")],
        hashes,
    )


def _graph(told: dict[str, object], source: str) -> Draft:
    """Read SPDX 3: a graph in which packages, agents, licences and relations name one another."""
    elements = objects_of(told, "@graph")
    draft = Draft("SPDX-3 JSON-LD")
    names: dict[str, str] = {}
    licences: dict[str, list[str]] = {}
    expressions: dict[str, str] = {}
    for element in elements:
        identifier = text_of(element, "spdxId") or text_of(element, "@id")
        names[identifier] = text_of(element, "name")
        if text_of(element, "type").endswith("LicenseExpression"):
            expressions[identifier] = text_of(element, "simplelicensing_licenseExpression")
        elif text_of(element, "type") == "CreationInfo":
            draft.said_at = draft.said_at or text_of(element, "created")
            draft.format = f"SPDX-{text_of(element, 'specVersion') or '3'} JSON-LD"[:40]
        elif text_of(element, "type") == "SpdxDocument":
            draft.name = text_of(element, "name")
    for element in elements:
        if text_of(element, "type") not in ("Relationship", "LifecycleScopedRelationship"):
            continue
        _graph_relation(element, draft, licences)
    for element in elements:
        if text_of(element, "type") == "software_Package":
            identifier = text_of(element, "spdxId") or text_of(element, "@id")
            said = [expressions.get(one, one.rpartition("/")[2]) for one in licences.get(identifier, ())]
            _graph_package(element, identifier, draft, source, names.get, said)
    return draft


def _graph_relation(element: dict[str, object], draft: Draft, licences: dict[str, list[str]]) -> None:
    kind, one, several = text_of(element, "relationshipType"), text_of(element, "from"), element.get("to")
    for other in several if isinstance(several, list) else [several]:
        if not isinstance(other, str):
            continue
        if kind in ("dependsOn", "contains", "hasDynamicLink", "hasStaticLink"):
            draft.depend(one, other)
        elif kind in ("hasDeclaredLicense", "hasConcludedLicense"):
            known = licences.setdefault(one, [])
            if len(known) < _MOST_LICENCES:
                known.append(other)


def _graph_package(
    element: dict[str, object],
    identifier: str,
    draft: Draft,
    source: str,
    named: Callable[[str], str | None],
    licences: list[str],
) -> None:
    references = [
        (
            "purl" if text_of(r, "externalIdentifierType") == "packageUrl" else "cpe23Type",
            text_of(r, "identifier"),
        )
        for r in objects_of(element, "externalIdentifier")
        if text_of(r, "externalIdentifierType") in ("packageUrl", "cpe23")
    ]
    if text_of(element, "software_packageUrl"):
        references.insert(0, ("purl", text_of(element, "software_packageUrl")))
    hashes = {
        text_of(h, "algorithm")[:20]: text_of(h, "hashValue")[:200]
        for h in objects_of(element, "verifiedUsing")
    }
    _add(
        draft,
        source,
        identifier,
        text_of(element, "name"),
        text_of(element, "software_packageVersion"),
        named(text_of(element, "suppliedBy")) or "",
        text_of(element, "software_primaryPurpose"),
        references,
        licences,
        hashes,
    )
