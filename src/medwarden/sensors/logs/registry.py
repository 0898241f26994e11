"""Find every log parser of this package and check what they declare.

A module takes part by naming its class in a module-level ``PARSER``; nothing else registers it.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable
from functools import cache

import medwarden.sensors.logs
from medwarden.dissect.registry import dissectors
from medwarden.kernel.errors import InternalError
from medwarden.model.log_source import Framing, LogManifest, LogParser, Tells

HEAD = 1 << 16
"""Bytes from the start of an input by which it is recognised."""

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_FIELD = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+\Z")


@cache
def parsers() -> tuple[type[LogParser], ...]:
    """Return the classes of all log parsers by name. Raises InternalError when a manifest is wrong."""
    found: list[type[LogParser]] = []
    for module_info in pkgutil.iter_modules(medwarden.sensors.logs.__path__, "medwarden.sensors.logs."):
        module = importlib.import_module(module_info.name)
        parser: type[LogParser] | None = getattr(module, "PARSER", None)
        if parser is not None:
            found.append(parser)
    check_manifests(found)
    return tuple(sorted(found, key=lambda parser: parser.manifest.name))


@cache
def dissected_fields() -> frozenset[str]:
    """Return every evidence field that a dissector of packets may state."""
    return frozenset(field for dissector in dissectors() for field in dissector.manifest.fields)


def own_fields(manifest: LogManifest) -> tuple[str, ...]:
    """Return the fields of a source that no dissector states: they must bear the source's own prefix."""
    return tuple(field for field in manifest.fields if field not in dissected_fields())


def recognise(head: bytes) -> type[LogParser] | None:
    """Return the parser of an input that begins with ``head`` (up to :data:`HEAD` bytes), or None.

    Documents are asked first: their first bytes are the plainest. Forms of their own are asked before
    ``general`` ones (any table with a heading, any line with a header). Datagrams are no files and never
    asked.
    """
    for general in (False, True):
        for framing in (Framing.DOCUMENT, Framing.LINES):
            for parser in parsers():
                if parser.manifest.framing is not framing or getattr(parser, "general", False) is not general:
                    continue
                if parser.recognises(head):
                    return parser
    return None


def parser_named(name: str) -> type[LogParser]:
    """Return the parser whose manifest has this name. Raises InternalError where there is none."""
    for parser in parsers():
        if parser.manifest.name == name:
            return parser
    raise InternalError(f"no log parser is called {name!r}")


def check_manifests(found: Iterable[type[LogParser]]) -> None:
    """Hold manifests to the rules of :class:`~medwarden.model.log_source.LogManifest`.

    Raises InternalError naming the parser and the rule it breaks.
    """
    seen: dict[str, type[LogParser]] = {}
    for parser in found:
        manifest = parser.manifest
        other = seen.setdefault(manifest.name, parser)
        if other is not parser:
            raise InternalError(
                f"log parsers {other.__module__} and {parser.__module__} share the name {manifest.name!r}"
            )
        for problem in _problems(manifest):
            raise InternalError(f"log parser {parser.__module__} ({manifest.name}): {problem}")


def _problems(manifest: LogManifest) -> Iterable[str]:
    if not _NAME.match(manifest.name):
        yield "its name must be snake case"
    if not manifest.title or not manifest.reference:
        yield "title and reference must say what it is and where it is described"
    if not manifest.tells:
        yield "it tells nothing"
    if any(not isinstance(told, Tells) for told in manifest.tells):
        yield "what it tells must be of Tells"
    for field in manifest.fields:
        if not _FIELD.match(field):
            yield f"field {field!r} must read <protocol>.<name> in snake case"
    if len(set(manifest.fields)) != len(manifest.fields):
        yield "a field is named twice"
    spoken = {field.partition(".")[0] for field in dissected_fields()}
    for field in own_fields(manifest):
        if field.partition(".")[0] in spoken:
            yield f"field {field!r} is not among those that dissectors state of that protocol"
    if any(not 0 < port < 65536 for port in manifest.ports):
        yield "a port lies outside 1 to 65535"
    if (manifest.framing is Framing.DATAGRAMS) and not manifest.ports:
        yield "no port would ever bring it a datagram"
