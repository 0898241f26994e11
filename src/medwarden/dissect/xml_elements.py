"""Read small XML documents of strangers: SOAP messages and device descriptions.

Namespaces in XML 1.0 over expat. A document type declaration is refused, so that there is no
entity to expand and no external file to fetch; size, depth and the number of elements are bounded.
"""

from __future__ import annotations

import re
from xml.parsers import expat

import msgspec

from medwarden.kernel.errors import MalformedInput

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_ELEMENTS = 4096
MAX_TEXT = 4096
MAX_NAMESPACES = 64

_DECLARED = re.compile(rb"""\A\s*<\?xml[^>]{0,80}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,32})["']""")
_LATIN = frozenset({b"iso-8859-1", b"latin1", b"latin-1", b"windows-1252", b"iso-8859-15"})


class Element(msgspec.Struct, gc=False):
    """One element in document order.

    ``path`` holds the local names from the root down to the element itself; ``namespace`` is the
    URI ("" for none); ``text`` is its own character data, stripped and cut to :data:`MAX_TEXT`;
    ``prefixes`` are the namespace declarations in scope, for QNames in content.
    """

    path: tuple[str, ...]
    namespace: str
    text: str
    prefixes: dict[str, str]


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.elements: list[Element] = []
        self.open: list[Element] = []
        self.texts: list[list[str]] = []
        self.declared: dict[str, str] = {}

    def refuse(self, *_: object) -> None:
        raise MalformedInput(self.source, "XML document type declarations are not accepted")

    def namespace(self, prefix: str | None, uri: str | None) -> None:
        self.declared[prefix or ""] = uri or ""

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        if len(self.open) >= MAX_DEPTH or len(self.elements) >= MAX_ELEMENTS:
            raise MalformedInput(self.source, "XML nests too deeply or has too many elements")
        uri, _, local = name.rpartition(" ")
        parent = self.open[-1] if self.open else None
        prefixes = parent.prefixes if parent else {}
        if self.declared:
            if len(prefixes) + len(self.declared) > MAX_NAMESPACES:
                raise MalformedInput(self.source, "XML declares too many namespaces")
            prefixes = prefixes | self.declared
            self.declared = {}
        element = Element((*(parent.path if parent else ()), local[:128]), uri, "", prefixes)
        self.elements.append(element)
        self.open.append(element)
        self.texts.append([])

    def end(self, _name: str) -> None:
        self.open.pop().text = "".join(self.texts.pop()).strip()[:MAX_TEXT]

    def characters(self, data: str) -> None:
        pieces = self.texts[-1]
        if len(pieces) < 64:
            pieces.append(data[:MAX_TEXT])


def xml_elements(document: bytes, source: str) -> list[Element]:
    """Return the elements of ``document`` in document order, at most :data:`MAX_ELEMENTS`.

    ``source`` names the protocol in errors. Raises MalformedInput when the document is not
    well-formed, has a document type declaration or exceeds a bound.
    """
    if len(document) > MAX_BYTES:
        raise MalformedInput(source, f"XML document of {len(document)} bytes is too long")
    reader = _Reader(source)
    # Only the encodings expat knows by itself: others would be looked up among Python's codecs.
    if document[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    else:
        document = document.rstrip(b"\0\r\n\t ")
        declared = _DECLARED.match(document)
        encoding = "iso-8859-1" if declared and declared[1].lower() in _LATIN else "utf-8"
    parser = expat.ParserCreate(encoding, " ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.StartNamespaceDeclHandler = reader.namespace
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        reason = f"XML: {expat.ErrorString(error.code)}"
        raise MalformedInput(source, reason, parser.ErrorByteIndex) from error
    return reader.elements
