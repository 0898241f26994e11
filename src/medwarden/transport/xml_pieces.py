"""Hand an XML document to expat piece by piece, in time that grows with the document and no faster.

Expat looks at what a piece leaves unfinished again from its beginning when the next one comes (before its
version 2.6 with every piece): a tag, comment or instruction without end takes time that grows with the square
of its length. So their length is bounded; text and CDATA sections are told as they come and are not.
"""

from __future__ import annotations

from xml.parsers import expat

from medwarden.kernel.errors import MalformedInput

LONGEST = 1 << 20
"""Bytes of one tag with its attributes, one comment or one instruction."""


class XmlPieces:
    """A document on its way to ``parser``.

    ``source`` names it in errors; no tag, comment or instruction may be longer than ``longest`` bytes.
    """

    def __init__(self, parser: expat.XMLParserType, source: str, longest: int = LONGEST) -> None:
        self._parser, self._source, self._longest = parser, source, longest
        self._fed = 0

    def feed(self, piece: bytes, final: bool = False) -> None:
        """Parse the next piece.

        Raises ExpatError as the parser does, and MalformedInput where a tag, comment or instruction has begun
        more than ``longest`` bytes ago and not ended.
        """
        self._parser.Parse(piece, final)
        self._fed += len(piece)
        begun = self._parser.CurrentByteIndex
        if not final and self._fed - begun > self._longest:
            raise MalformedInput(self._source, "an XML tag, comment or instruction without end", begun)
