"""Read large XML reports of strangers element by element, without ever holding the whole document.

Over expat: a document type may be named (Qualys and nmap do), but no entity declared and nothing fetched;
depth, size of a record and length of texts are bounded. XML 1.0, fifth edition.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from medwarden.kernel.errors import MalformedInput
from medwarden.transport.xml_pieces import XmlPieces

MOST_DEPTH = 64
MOST_ELEMENTS = 400_000
"""Elements of one record: a host with all that was found on it."""
MOST_TEXT = 64 << 20
"""Letters of one record, those of attributes included."""
LONGEST = 200_000
"""Letters kept of one element's text."""
_DECLARED = re.compile(rb"""\A\s*<\?xml[^>]{0,80}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,32})["']""")
_LATIN = frozenset({b"iso-8859-1", b"latin1", b"latin-1", b"windows-1252", b"iso-8859-15"})

Take = Callable[[Element], None]
Begin = Callable[[str, Mapping[str, str]], None]


def root_of(head: bytes) -> bytes:
    """Return the name of the root element of a document that begins with ``head``; empty where it is none."""
    text = head.lstrip(b"\xef\xbb\xbf\r\n\t ")
    while True:
        found = re.match(
            rb"<\?[^>]{0,400}\?>\s*|<!--.{0,2000}?-->\s*|<!DOCTYPE[^>\[]{0,400}>\s*", text, re.DOTALL
        )
        if found is None or not found.end():
            break
        text = text[found.end() :]
    named = re.match(rb"<([A-Za-z_][\w.-]{0,63})[\s>/]", text)
    return named.group(1) if named else b""


class XmlRecords:
    """Hands on each element whose path ends in one of ``records``, whole, and forgets it.

    ``records`` maps a tag to who takes it; the outermost match counts. ``begin`` hears of every element
    outside of records when it begins, with its attributes.
    """

    def __init__(self, source: str, records: Mapping[str, Take], begin: Begin | None = None) -> None:
        self._source, self._records, self._begin = source, records, begin
        self._parser: expat.XMLParserType | None = None
        self._pieces: XmlPieces | None = None
        self._builder: TreeBuilder | None = None
        self._depth = self._opened_at = self._inside = self._letters = self._kept = 0

    def feed(self, piece: bytes) -> None:
        """Take the next piece. Raises MalformedInput with the offset where the document is broken."""
        self._parse(piece, False)

    def finish(self) -> None:
        """Say that the document ends. Raises MalformedInput where it ends too early."""
        self._parse(b"", True)

    def _parse(self, piece: bytes, final: bool) -> None:
        parser = self._parser or self._made(piece)
        self._pieces = self._pieces or XmlPieces(parser, self._source)
        try:
            self._pieces.feed(piece, final)
        except expat.ExpatError as error:
            reason = f"broken XML: {expat.ErrorString(error.code)}"
            raise MalformedInput(self._source, reason, max(parser.ErrorByteIndex, 0)) from error

    def _made(self, piece: bytes) -> expat.XMLParserType:
        declared = _DECLARED.match(piece.lstrip(b"\xef\xbb\xbf"))
        # Only encodings that expat knows by itself: others would be looked up among Python's codecs.
        encoding = "iso-8859-1" if declared and declared.group(1).lower() in _LATIN else None
        if encoding is None and not piece.startswith((b"\xff\xfe", b"\xfe\xff")):
            encoding = "utf-8"
        parser = self._parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse
        return parser

    def _refuse(self, *_: object) -> int:
        raise MalformedInput(self._source, "the document declares entities, which no scanner's report does")

    def _doctype(self, _name: str, _system: str | None, _public: str | None, internal: int) -> None:
        if internal:
            self._refuse()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise MalformedInput(self._source, f"elements more than {MOST_DEPTH} deep", self._offset())
        if self._builder is None:
            if tag not in self._records:
                if self._begin is not None:
                    self._begin(tag, attributes)
                return
            self._builder, self._opened_at = TreeBuilder(), self._depth
            self._inside = self._letters = 0
        self._inside += 1
        self._kept = 0
        if self._inside > MOST_ELEMENTS:
            raise MalformedInput(self._source, f"a record of over {MOST_ELEMENTS:,} elements", self._offset())
        self._count(sum(map(len, attributes.values())))
        self._builder.start(tag, attributes)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._builder is None:
            return
        self._builder.end(tag)
        self._kept = 0
        if self._depth < self._opened_at:
            element, self._builder = self._builder.close(), None
            self._records[tag](element)

    def _text(self, data: str) -> None:
        if self._builder is None or self._kept >= LONGEST:
            return
        self._kept += len(data)
        self._count(len(data))
        self._builder.data(data)

    def _count(self, letters: int) -> None:
        self._letters += letters
        if self._letters > MOST_TEXT:
            raise MalformedInput(
                self._source, f"a record of over {MOST_TEXT >> 20} MiB of text", self._offset()
            )

    def _offset(self) -> int:
        return 0 if self._parser is None else max(self._parser.CurrentByteIndex, 0)


def text_at(element: Element, path: str) -> str:
    """Return the text of the first element at ``path`` below ``element``, stripped; empty without one."""
    return (element.findtext(path) or "").strip()
