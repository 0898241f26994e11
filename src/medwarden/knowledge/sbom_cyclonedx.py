"""CycloneDX bills of materials (ECMA-424), as JSON and as XML."""

from __future__ import annotations

from xml.parsers import expat

from medwarden.kernel.errors import MalformedInput
from medwarden.knowledge.sbom import MOST_NESTED, Draft, objects_of, text_of

_MOST_TEXT = 4096
_NAMESPACE = "http://cyclonedx.org/schema/bom/"
_IN_PRODUCT = frozenset({"metadata", "components", "component"})
"""Elements that a component of the product itself may stand in."""


def cyclonedx_json(told: dict[str, object], source: str) -> Draft:
    """Read a bill from its decoded JSON; nested components count like others and belong to their parent."""
    draft = Draft(f"CycloneDX {text_of(told, 'specVersion')} JSON"[:40])
    metadata = told.get("metadata")
    about = metadata.get("component") if isinstance(metadata, dict) else None
    draft.name, draft.version = text_of(about, "name"), text_of(about, "version")
    draft.said_at = text_of(metadata, "timestamp")
    waiting = [(one, 0, "") for one in reversed(objects_of(told, "components"))]
    if isinstance(about, dict):
        waiting += [(one, 1, text_of(about, "bom-ref")) for one in reversed(objects_of(about, "components"))]
    while waiting:
        record, depth, parent = waiting.pop()
        if depth > MOST_NESTED:
            raise MalformedInput(source, f"components nest deeper than {MOST_NESTED}")
        ref = text_of(record, "bom-ref")
        group, name = text_of(record, "group"), text_of(record, "name")
        texts = {
            "version": text_of(record, "version"),
            "kind": text_of(record, "type"),
            "supplier": text_of(record.get("supplier"), "name")
            or text_of(record, "publisher")
            or text_of(record, "author"),
            "purl": text_of(record, "purl"),
            "cpe": text_of(record, "cpe"),
        }
        hashes = {text_of(h, "alg")[:20]: text_of(h, "content")[:200] for h in objects_of(record, "hashes")}
        draft.add(
            source, ref, f"{group}/{name}" if group and name else name, texts, _licences(record), hashes
        )
        if parent and ref:
            draft.depend(parent, ref)
        waiting += [(one, depth + 1, ref) for one in reversed(objects_of(record, "components"))]
    for dependency in objects_of(told, "dependencies"):
        on = dependency.get("dependsOn")
        for one in on if isinstance(on, list) else ():
            if isinstance(one, str):
                draft.depend(text_of(dependency, "ref"), one)
    return draft


def _licences(record: dict[str, object]) -> list[str]:
    found = []
    for choice in objects_of(record, "licenses"):
        licence = choice.get("license")
        found.append(text_of(choice, "expression") or text_of(licence, "id") or text_of(licence, "name"))
    return found


class _Open:
    """A component element whose end has not come."""

    def __init__(self, kind: str, ref: str, depth: int) -> None:
        self.ref = ref
        self.depth = depth
        self.texts: dict[str, str] = {"kind": kind}
        self.name = self.group = ""
        self.licences: list[str] = []
        self.hashes: dict[str, str] = {}


class _Reader:
    """Reads the elements of a bill as they come; holds the open components and no tree."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.draft = Draft("")
        self.path: list[str] = []
        self.open: list[_Open] = []
        self.needing: list[str] = []
        self.text: list[str] = []
        self.length = 0
        self.algorithm = ""

    def refuse(self, *_: object) -> None:
        raise MalformedInput(self.source, "XML document type declarations are not accepted")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        uri, _, local = name.rpartition(" ")
        if not self.path:
            if local != "bom" or not uri.startswith(_NAMESPACE):
                raise MalformedInput(self.source, "XML that is no CycloneDX bill of materials")
            self.draft.format = f"CycloneDX {uri.removeprefix(_NAMESPACE)} XML"[:40]
        if len(self.path) > 4 * MOST_NESTED:
            raise MalformedInput(self.source, f"elements nest deeper than {4 * MOST_NESTED}")
        self.path.append(local)
        self.text, self.length = [], 0
        if local == "component":
            self.open.append(_Open(attributes.get("type", ""), attributes.get("bom-ref", ""), len(self.path)))
        elif local == "hash":
            self.algorithm = attributes.get("alg", "")[:20]
        elif local == "dependency":
            ref = attributes.get("ref", "")
            if self.needing:
                self.draft.depend(self.needing[-1], ref)
            self.needing.append(ref)

    def characters(self, data: str) -> None:
        if self.length < _MOST_TEXT:
            self.text.append(data[: _MOST_TEXT - self.length])
            self.length += len(data)

    def end(self, _name: str) -> None:
        local, text = self.path.pop(), "".join(self.text).strip()
        self.text, self.length = [], 0
        if local == "dependency":
            self.needing.pop()
        elif local == "component":
            self._close(self.open.pop())
        elif self.open:
            self._detail(self.open[-1], local, text)
        elif self.path == ["bom", "metadata"] and local == "timestamp":
            self.draft.said_at = text

    def _detail(self, component: _Open, local: str, text: str) -> None:
        """Take what an element inside a component says, not what stands in references or evidence of it."""
        inside = self.path[component.depth :]
        if not inside:
            self._own(component, local, text)
        elif inside == ["supplier"] and local == "name":
            component.texts["supplier"] = text
        elif (inside == ["licenses"] and local == "expression") or (
            inside == ["licenses", "license"] and local in ("id", "name")
        ):
            component.licences.append(text)
        elif inside == ["hashes"] and local == "hash":
            component.hashes[self.algorithm] = text[:200]

    def _own(self, component: _Open, local: str, text: str) -> None:
        if local in ("version", "purl", "cpe"):
            component.texts[local] = text
        elif local in ("publisher", "author"):
            component.texts.setdefault("supplier", text)
        elif local == "name":
            component.name = text
        elif local == "group":
            component.group = text

    def _close(self, component: _Open) -> None:
        if self.path == ["bom", "metadata"]:
            self.draft.name, self.draft.version = component.name, component.texts.get("version", "")
            return
        if self.path[:1] != ["bom"] or not _IN_PRODUCT.issuperset(self.path[1:]):
            return  # an ancestor (pedigree), the tool that wrote the bill, who annotated it
        name = f"{component.group}/{component.name}" if component.group and component.name else component.name
        self.draft.add(
            self.source, component.ref, name, component.texts, component.licences, component.hashes
        )
        if self.open and self.open[-1].ref and component.ref:
            self.draft.depend(self.open[-1].ref, component.ref)


def cyclonedx_xml(document: bytes, source: str) -> Draft:
    """Read a bill from XML. A document type declaration is refused, so there is no entity to expand."""
    reader = _Reader(source)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise MalformedInput(source, f"XML that is not well-formed ({error})") from error
    except (ValueError, LookupError) as error:  # an encoding that there is not
        raise MalformedInput(source, f"XML that cannot be decoded ({error})") from error
    return reader.draft
