"""Software bills of materials: CycloneDX as JSON and XML, SPDX 2 as JSON and tag-value, SPDX 3 as JSON-LD.

A bill comes from a maker's portal or an e-mail, so it is hostile until read: its size, depth and number of
components are bounded, XML with a document type is refused, and whatever is not as published is one
:class:`~medwarden.kernel.errors.MalformedInput`. CycloneDX 1.2 to 1.6 (ECMA-424);
SPDX 2.2, 2.3 (ISO/IEC 5962) and 3.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

import msgspec

from medwarden.kernel.errors import MalformedInput

LARGEST = 64 << 20
"""Bytes of the largest bill that is read."""

MOST_COMPONENTS = 100_000
MOST_NESTED = 64
MOST_OBJECTS = 3_000_000
"""Objects of the largest JSON that is read: a small file of empty ones would fill the memory."""
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_LONGEST = {"name": 400, "version": 200, "supplier": 255, "purl": 700, "cpe": 400, "ref": 512, "kind": 40}
_MOST_HASHES = 16
_MOST_LICENCES = 50
_MOST_DEPENDS = 5000


class Component(msgspec.Struct, frozen=True):
    """One component. ``hashes`` are by algorithm as the bill writes it; ``depends`` are references."""

    ref: str
    name: str
    version: str = ""
    kind: str = ""
    supplier: str = ""
    purl: str = ""
    cpe: str = ""
    licences: tuple[str, ...] = ()
    hashes: dict[str, str] = {}
    depends: tuple[str, ...] = ()


class Bill(msgspec.Struct, frozen=True):
    """A bill as it was read: what it is of, who made it when, its components; ``skipped`` had no name."""

    format: str
    name: str
    version: str
    said_at: str
    components: tuple[Component, ...]
    skipped: int = 0


class Draft(msgspec.Struct):
    """A bill while it is read."""

    format: str
    name: str = ""
    version: str = ""
    said_at: str = ""
    components: dict[str, Component] = {}
    depends: dict[str, dict[str, None]] = {}
    taken: dict[str, int] = {}
    skipped: int = 0

    def add(
        self,
        source: str,
        ref: str,
        name: str,
        texts: Mapping[str, str],
        licences: Iterable[str] = (),
        hashes: Mapping[str, str] | None = None,
    ) -> None:
        """Add a component; one without name is counted, one whose reference is taken gets another."""
        if not name.strip():
            self.skipped += 1
            return
        if len(self.components) >= MOST_COMPONENTS:
            raise MalformedInput(source, f"more than {MOST_COMPONENTS:,} components")
        reference = base = plain(ref or texts.get("purl", "") or f"{name}@{texts.get('version', '')}", "ref")
        while reference in self.components:
            stem = base[:500]
            self.taken[stem] = self.taken.get(stem, 1) + 1
            reference = f"{stem}#{self.taken[stem]}"
        self.components[reference] = Component(
            ref=reference,
            name=plain(name, "name"),
            version=plain(texts.get("version", ""), "version"),
            kind=plain(texts.get("kind", ""), "kind"),
            supplier=plain(texts.get("supplier", ""), "supplier"),
            purl=plain(texts.get("purl", ""), "purl"),
            cpe=plain(texts.get("cpe", ""), "cpe"),
            licences=tuple(
                dict.fromkeys(plain(one, "supplier") for one in islice(licences, _MOST_LICENCES) if one)
            ),
            hashes=dict(list((hashes or {}).items())[:_MOST_HASHES]),
        )

    def depend(self, ref: str, on: str) -> None:
        """Note that a component needs another."""
        known = self.depends.setdefault(ref[:512], {})
        if len(known) < _MOST_DEPENDS:
            known[on[:512]] = None

    def finish(self) -> Bill:
        """Return the bill, dependencies put where they belong."""
        return Bill(
            self.format,
            plain(self.name, "supplier"),
            plain(self.version, "version")[:120],
            plain(self.said_at, "kind"),
            tuple(
                msgspec.structs.replace(c, depends=tuple(self.depends.get(c.ref, ())))
                for c in self.components.values()
            ),
            self.skipped,
        )


def plain(text: str, field: str) -> str:
    """Return text in one line without control characters, cut to what its field holds."""
    longest = _LONGEST[field]
    text = text.strip()[: 4 * longest]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())[:longest].rstrip()


def read_bill(document: bytes, source: str) -> Bill:
    """Read a bill in any of the forms from the bytes of a file that people call ``source``.

    Raises MalformedInput where it is none, breaks off, or is larger or deeper than any bill.
    """
    from medwarden.knowledge.sbom_cyclonedx import cyclonedx_json, cyclonedx_xml
    from medwarden.knowledge.sbom_spdx import spdx_json, spdx_tags

    if len(document) > LARGEST:
        raise MalformedInput(source, f"larger than {LARGEST >> 20} MiB, which no bill of materials is")
    if document[:2] in _UTF_16:  # as shells of Windows write; XML says its encoding itself
        text = document[:40].decode("utf-16", "replace").lstrip()
        document = document if text.startswith("<") else document.decode("utf-16", "replace").encode()
        head = text.encode()
    else:
        head = document[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"<"):
        return cyclonedx_xml(document, source).finish()
    if head.startswith(b"{"):
        if document.count(b"{") > MOST_OBJECTS:
            raise MalformedInput(source, f"more than {MOST_OBJECTS:,} objects, which no bill has")
        try:
            told = msgspec.json.decode(document.lstrip(b"\xef\xbb\xbf"))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise MalformedInput(source, f"no JSON that can be read ({str(error)[:80]})") from error
        told = _unwrapped(told)
        if told.get("bomFormat") == "CycloneDX":
            return cyclonedx_json(told, source).finish()
        return spdx_json(told, source).finish()
    if b"SPDXVersion:" in document[:65536]:
        return spdx_tags(document, source).finish()
    raise MalformedInput(source, "neither CycloneDX nor SPDX")


def _unwrapped(told: dict[str, object]) -> dict[str, object]:
    """Return the bill that another document carries: an export of GitHub, or an in-toto statement."""
    for wrapper in ("sbom", "predicate"):
        inner = told.get(wrapper)
        if isinstance(inner, dict) and ("bomFormat" in inner or "spdxVersion" in inner or "@graph" in inner):
            return inner
    return told


def text_of(record: object, key: str) -> str:
    """Return a member of a JSON object as text, the empty string where there is none."""
    value = record.get(key) if isinstance(record, dict) else None
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""


def objects_of(record: object, key: str) -> list[dict[str, object]]:
    """Return the objects of an array that is a member of a JSON object."""
    value = record.get(key) if isinstance(record, dict) else None
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
