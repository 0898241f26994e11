"""FHIR resources as lists of named values, from JSON and XML, whole or cut off.

HL7 FHIR R4 and R5: 2.6.1 (XML), 2.6.2 (JSON), Bundle, contained resources. Every value knows its path within
its resource; what belongs to which resource of a Bundle is kept apart, because what may be told
depends on the kind of resource.
"""

from __future__ import annotations

from xml.parsers import expat

import msgspec

from medwarden.dissect.json_values import MAX_TEXT, MAX_VALUES, json_values
from medwarden.kernel.errors import MalformedInput

MAX_DEPTH = 32
MAX_RESOURCES = 256

Numbers = tuple[int, ...]


class Resource(msgspec.Struct):
    """One resource: its type ("" while not said) and its values.

    A value is (names on the way to it, positions on the way to it, text).
    """

    type: str = ""
    values: list[tuple[tuple[str, ...], Numbers, str]] = msgspec.field(default_factory=list)

    def texts(self, *path: str) -> list[str]:
        """Return the values at ``path``."""
        return [text for names, _, text in self.values if names == path]

    def has(self, *path: str) -> bool:
        """Tell whether anything stands at or below ``path``."""
        return any(names[: len(path)] == path for names, _, _ in self.values)

    def grouped(self, *path: str) -> list[dict[str, str]]:
        """Return the items of the list at ``path``, each with the values directly in it."""
        groups: dict[Numbers, dict[str, str]] = {}
        for names, numbers, text in self.values:
            if names[:-1] == path:
                groups.setdefault(numbers, {})[names[-1]] = text
        return list(groups.values())


def resources(document: bytes, is_xml: bool, complete: bool) -> list[Resource]:
    """Return the resources of a body, those of a Bundle and contained ones each by itself.

    Raises MalformedInput when the body is neither JSON nor XML, as it says.
    """
    return _of_xml(document, complete) if is_xml else _of_json(document, complete)


def _of_json(document: bytes, complete: bool) -> list[Resource]:
    found: dict[tuple[str | int, ...], Resource] = {}
    for path, text in json_values(document, "fhir", complete):
        size = _root(path)
        if path[:size] not in found and len(found) >= MAX_RESOURCES:
            continue
        resource = found.setdefault(path[:size], Resource())
        names = tuple(part for part in path[size:] if isinstance(part, str))
        numbers = tuple(part for part in path[size:] if isinstance(part, int))
        if names == ("resourceType",):
            resource.type = text
        else:
            resource.values.append((names, numbers, text))
    return list(found.values())


def _root(path: tuple[str | int, ...]) -> int:
    """Return how much of a path leads to the resource that the value belongs to."""
    size = 0
    while True:
        rest = path[size : size + 3]
        if len(rest) == 3 and rest[0] in ("entry", "parameter") and rest[2] == "resource":
            size += 3
        elif rest[:1] == ("contained",) and len(rest) > 1 and isinstance(rest[1], int):
            size += 2
        else:
            return size


class _Level(msgspec.Struct):
    resource: Resource
    names: tuple[str, ...]
    numbers: Numbers
    counts: dict[str, int] = msgspec.field(default_factory=dict)


class _XmlReader:
    def __init__(self) -> None:
        self.found: list[Resource] = []
        self.open: list[_Level] = []
        self.values = 0

    def refuse(self, *_: object) -> None:
        raise MalformedInput("fhir", "XML document type declarations are not accepted")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise MalformedInput("fhir", f"XML nests deeper than {MAX_DEPTH}")
        name = name.rpartition(" ")[2][:128]
        top = self.open[-1] if self.open else None
        if top is None or top.names[-1:] in (("resource",), ("contained",)):
            level = _Level(Resource(name), (), ())
            if len(self.found) < MAX_RESOURCES:
                self.found.append(level.resource)
        else:
            number = top.counts.get(name, 0)
            top.counts[name] = number + 1
            level = _Level(top.resource, (*top.names, name), (*top.numbers, number))
        self.open.append(level)
        value = attributes.get("value")
        if value is not None and level.names and self.values < MAX_VALUES:
            self.values += 1
            # The last number counts the value itself: a list of values is one group, as in JSON.
            level.resource.values.append((level.names, level.numbers[:-1], value[:MAX_TEXT]))

    def end(self, _name: str) -> None:
        self.open.pop()


def _of_xml(document: bytes, complete: bool) -> list[Resource]:
    reader = _XmlReader()
    encoding = "utf-16" if document[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    parser = expat.ParserCreate(encoding, " ")
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(document, complete)
    except expat.ExpatError as error:
        reason = f"XML: {expat.ErrorString(error.code)}"
        raise MalformedInput("fhir", reason, parser.ErrorByteIndex) from error
    return reader.found
