"""Find every dissector of this package and check what they declare.

A module takes part by naming its class in a module-level ``DISSECTOR``; nothing else registers it.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable
from functools import cache

import medwarden.dissect
from medwarden.kernel.errors import InternalError
from medwarden.model.segment import Dissector, DissectorManifest, Transport

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_FIELD = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+\Z")


@cache
def dissectors() -> tuple[type[Dissector], ...]:
    """Return the classes of all dissectors, medical ones first and then by name.

    Medical dissectors come first because some of them refine a carrier (SDC is SOAP over HTTP) and
    the first that recognises a payload takes it. Raises InternalError when a manifest is wrong.
    """
    found: list[type[Dissector]] = []
    for module_info in pkgutil.iter_modules(medwarden.dissect.__path__, "medwarden.dissect."):
        module = importlib.import_module(module_info.name)
        dissector: type[Dissector] | None = getattr(module, "DISSECTOR", None)
        if dissector is not None:
            found.append(dissector)
    check_manifests(found)
    return tuple(sorted(found, key=lambda d: (not d.manifest.medical, d.manifest.name)))


def check_manifests(found: Iterable[type[Dissector]]) -> None:
    """Hold manifests to the rules of :class:`~medwarden.model.segment.DissectorManifest`.

    Raises InternalError naming the dissector and the rule it breaks.
    """
    seen: dict[str, type[Dissector]] = {}
    for dissector in found:
        manifest = dissector.manifest
        other = seen.setdefault(manifest.name, dissector)
        if other is not dissector:
            raise InternalError(
                f"dissectors {other.__module__} and {dissector.__module__} share the name {manifest.name!r}"
            )
        for problem in _problems(manifest):
            raise InternalError(f"dissector {dissector.__module__} ({manifest.name}): {problem}")


def _problems(manifest: DissectorManifest) -> Iterable[str]:
    if not _NAME.match(manifest.name):
        yield "its name must be snake case"
    if not manifest.title or not manifest.reference:
        yield "title and reference must say what it is and where it is specified"
    if not manifest.transports:
        yield "it names no transport"
    if not manifest.fields:
        yield "it names no field"
    for field in manifest.fields:
        if not _FIELD.match(field):
            yield f"field {field!r} must read <protocol>.<name> in snake case"
    if len(set(manifest.fields)) != len(manifest.fields):
        yield "a field is named twice"
    if any(not 0 < port < 65536 for port in manifest.ports):
        yield "a port lies outside 1 to 65535"
    if any(not 0 <= ethertype < 65536 for ethertype in manifest.ethertypes):
        yield "an ethertype lies outside 0 to 65535"
    if (Transport.ETHERNET in manifest.transports) != bool(manifest.ethertypes):
        yield "ethertypes and the Ethernet transport go together"
    if any(not start for start in manifest.starts):
        yield "an empty start would match every payload"
    if manifest.stream_bytes < 0:
        yield "stream_bytes is negative"
    carried = Transport.TCP in manifest.transports or Transport.UDP in manifest.transports
    if carried and not (manifest.ports or manifest.starts or manifest.sniff):
        yield "no port, start or sniffing would ever bring it a payload"
