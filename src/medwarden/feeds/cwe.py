"""MITRE's Common Weakness Enumeration: the XML catalogue (schema 6 and 7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, ClassVar
from xml.parsers import expat

from medwarden.feeds.origin import provenance, rejected, text
from medwarden.kernel.errors import MalformedInput
from medwarden.model.feed import About, Entry, FeedManifest, Item, Kind, Weakness
from medwarden.model.vulnerability import Provenance
from medwarden.transport.xml_pieces import XmlPieces

_PIECE = 1 << 16
_DEEPEST = 64
_MOST_TEXT = 100_000


class Cwe:
    """Reads weaknesses; categories and views are no weaknesses and passed over."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="cwe",
        title="Kinds of weakness (CWE)",
        publisher="MITRE",
        licence="CWE terms of use (free)",
        home="https://cwe.mitre.org/data/downloads.html",
        brings="names and relations of the kinds of weakness that CVE records refer to",
        changes="a few times a year",
        stale_after_h=24 * 200,
        kinds=(Kind.WEAKNESS,),
        whole=True,
    )

    addresses: ClassVar[tuple[str, ...]] = ("https://cwe.mitre.org/data/xml/cwec_latest.xml.zip",)

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell the catalogue by its root element."""
        del name
        return b"<Weakness_Catalog" in head[:2000]

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield one weakness per element, as the file is read."""
        reader = _Reader(origin)
        while piece := stream.read(_PIECE):
            reader.feed(piece, last=False)
            yield from reader.taken()
        reader.feed(b"", last=True)
        yield from reader.taken()


class _Reader:
    """Handlers of expat; a document type declaration is refused, so that no entity is ever expanded."""

    def __init__(self, origin: Provenance) -> None:
        self._origin = origin
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._pieces = XmlPieces(self._parser, origin.reference)
        self._path: list[str] = []
        self._weakness: dict[str, str] | None = None
        self._parents: list[str] = []
        self._words: list[str] = []
        self._items: list[Item] = []

    def feed(self, piece: bytes, last: bool) -> None:
        try:
            self._pieces.feed(piece, last)
        except expat.ExpatError as error:
            raise MalformedInput(
                self._origin.reference, f"XML: {expat.ErrorString(error.code)}", self._parser.CurrentByteIndex
            ) from error

    def taken(self) -> list[Item]:
        taken, self._items = self._items, []
        return taken

    def _refuse(self, *_: object) -> None:
        raise MalformedInput(self._origin.reference, "XML document type declarations are not accepted")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= _DEEPEST:
            raise MalformedInput(self._origin.reference, "XML nests too deeply")
        self._path.append(name)
        if name == "Weakness_Catalog":
            self._items.append(About(attributes.get("Version", ""), attributes.get("Date", "")))
        elif name == "Weakness" and self._path[-2:-1] == ["Weaknesses"]:
            self._weakness, self._parents, self._words = attributes, [], []
        elif name == "Related_Weakness" and attributes.get("Nature") == "ChildOf":
            self._parents.append(f"CWE-{attributes.get('CWE_ID', '')}")

    def _text(self, words: str) -> None:
        if self._weakness is not None and self._path[-2:] == ["Weakness", "Description"]:
            if sum(map(len, self._words)) > _MOST_TEXT:
                raise MalformedInput(self._origin.reference, "a description without end")
            self._words.append(words)

    def _end(self, name: str) -> None:
        self._path.pop()
        if name != "Weakness" or self._weakness is None or self._path[-1:] != ["Weaknesses"]:
            return
        held, self._weakness = self._weakness, None
        number = held.get("ID", "")
        if not number.isdigit() or not held.get("Name"):
            place = f"byte {self._parser.CurrentByteIndex}"
            self._items.append(
                rejected(self._origin, place, f"a weakness {number[:20]!r} without number or name")
            )
            return
        self._items.append(
            Entry(
                (
                    Weakness(
                        id=f"CWE-{number}",
                        name=text(held["Name"], 300),
                        description=text("".join(self._words)),
                        provenance=provenance(
                            self._origin, reference=f"https://cwe.mitre.org/data/definitions/{number}.html"
                        ),
                        abstraction=held.get("Abstraction", ""),
                        status=held.get("Status", ""),
                        parents=tuple(dict.fromkeys(self._parents)),
                    ),
                )
            )
        )


FEED = Cwe
