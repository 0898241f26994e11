"""Lists of ends of support that a hospital keeps or gets from makers: CSV, TSV or XLSX.

A row says of a maker's model, perhaps of a version, what ends on which day. Days may stand in one column,
with what ends in another, or in a column for each ending (``End of sale``, ``End of support`` ...). Headings
are told by their words in several languages and may be mapped by hand. RFC 4180; ECMA-376 (SpreadsheetML).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import msgspec
import python_calamine

from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.book import RowProblem
from medwarden.model.evidence import clean
from medwarden.model.life_cycle import Ending
from medwarden.sensors.equipment_headings import IGNORE, date_of, day_first
from medwarden.sensors.logs.inventory_headings import cell_text, folded
from medwarden.sensors.logs.inventory_table import archive_refusal

LARGEST = 32 << 20
MOST_ROWS = 200_000
MOST_PROBLEMS = 1_000
_MOST_COLUMNS = 200
_HEADING_WITHIN = 20
_ARCHIVE = b"PK\x03\x04"
_DELIMITERS = ",;\t|"

FIELDS: dict[str, str] = {
    "vendor": "Maker",
    "model": "Model",
    "version": "Version of firmware or software",
    "ending": "What ends",
    "day": "Day on which it ends",
    "url": "Where it is said",
    **{ending.value: f"Day of the end of {ending.value}" for ending in Ending},
}
"""What a column may say, with the words people use for it."""

_HEADINGS: Mapping[str, str] = {
    "vendor": """vendor maker manufacturer manufacturername make mfr mfg oem brand company hersteller
        fabricant fabricante produttore fabrikant supplier""",
    "model": """model modelname modelnumber modelno product productname productnumber productid pid sku
        devicemodel equipment equipmentmodel partnumber affectedproduct modell gerat geratetyp produkt modele
        produit modelo producto modello prodotto""",
    "version": """version firmware firmwareversion software softwareversion release swversion revision""",
    "ending": """ending whatends event milestone milestonetype type stage lifecyclestage phase status art
        ereignis""",
    "day": """day date enddate milestonedate effectivedate datum enddatum datefin fecha data""",
    "url": """url link source sourceurl reference announcement bulletin notice quelle lien enlace""",
    "sale": """endofsale endofsaledate eos eosale lastorderdate lastorder endoforder endofmarketing
        discontinued discontinueddate productdiscontinuationdate lastbuy lasttimebuy verkaufsende
        abkundigung finduvente findevente finddecommercialisation""",
    "support": """endofsupport endofsupportdate eosupport eosdate lastdateofsupport ldos lastdayofsupport
        endofservice endofservicedate eosl endofservicelife endofguaranteedsupport eogs
        servicesupportdiscontinuationdate supportende serviceende findesupport findesoporte finedelsupporto
        endofhardwaresupport""",
    "security": """endofsecurityupdates endofsecuritysupport securityupdatesend endofsecurity
        endofvulnerabilitysupport endofvulnerabilitysecuritysupport securitysupportend endofsoftwaresupport
        endofsoftwaremaintenance eoswm endofupdates sicherheitsupdatesbis""",
    "life": """endoflife endoflifedate eol eoldate endofuse endofusefullife lebensende findevie findevida
        finevita""",
}
_KNOWN = {word: field for field, words in _HEADINGS.items() for word in words.split()}
_ENDINGS = {
    **{word: Ending(field) for word, field in _KNOWN.items() if field in set(Ending)},
    "sale": Ending.SALE,
    "sales": Ending.SALE,
    "support": Ending.SUPPORT,
    "service": Ending.SUPPORT,
    "security": Ending.SECURITY,
    "securityupdates": Ending.SECURITY,
    "updates": Ending.SECURITY,
    "life": Ending.LIFE,
    "use": Ending.LIFE,
}

Row = tuple[int, list[str] | None]


class ListedEnd(msgspec.Struct, frozen=True):
    """One end of a model, from the line (from 1) of the list that says it."""

    line: int
    vendor: str
    model: str
    ending: Ending
    day: date
    version: str = ""
    url: str = ""


class SupportList(msgspec.Struct, frozen=True):
    """A list as it was read: which column says what, columns left aside, ends, and lines with problems."""

    columns: tuple[tuple[str, str], ...]
    unmapped: tuple[str, ...]
    ends: tuple[ListedEnd, ...]
    problems: tuple[RowProblem, ...] = ()
    rejected: int = 0


def read_support_list(
    document: bytes, source: str, own: Mapping[str, str] | None = None, *, days_first: bool | None = None
) -> SupportList:
    """Read a list from the bytes of a file that people call ``source``.

    ``own`` maps headings to :data:`FIELDS`; ``days_first`` says how 03/04/2026 is meant where the list itself
    does not tell. Raises MalformedInput where it is no table or no line of it names a model and a day, and
    ConfigurationError where ``own`` names a heading that is not there.
    """
    own = own or {}
    if len(document) > LARGEST:
        raise MalformedInput(source, f"larger than {LARGEST >> 20} MiB, which no list of models is")
    tables = _sheets(document, source) if document.startswith(_ARCHIVE) else iter([_text_rows(document, own)])
    for rows in tables:
        heading = _heading(rows, own)
        if heading is None:
            continue
        there = {folded(cell) for cell in heading}
        missing = [name for name in own if folded(name) not in there]
        if missing:
            raise ConfigurationError(
                f"{source}: no column is headed {missing[0][:60]!r}: "
                f"its headings are {', '.join(cell for cell in heading if cell)[:400]}"
            )
        return _read(heading, rows, own, days_first)
    raise MalformedInput(
        source, "none of its first lines is a heading with a model and a day: map its columns by hand"
    )


def _sheets(document: bytes, source: str) -> Iterator[Iterator[Row]]:
    reason = archive_refusal(document)
    if reason is not None:
        raise MalformedInput(source, reason)
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(document))
        for name in book.sheet_names:
            values = book.get_sheet_by_name(name).to_python(
                skip_empty_area=False, nrows=MOST_ROWS + _HEADING_WITHIN
            )
            yield (
                (line, [cell_text(value).removesuffix("T00:00:00") for value in row[: _MOST_COLUMNS + 1]])
                for line, row in enumerate(values, 1)
            )
    except (python_calamine.CalamineError, OSError, ValueError, KeyError) as error:
        raise MalformedInput(source, f"no readable spreadsheet ({type(error).__name__})") from error


def _text_rows(document: bytes, own: Mapping[str, str]) -> Iterator[Row]:
    text = _decoded(document)
    first = text[: 1 << 16].splitlines()[:_HEADING_WITHIN]
    delimiter = max(_DELIMITERS, key=lambda mark: max((_fit(line, mark, own) for line in first), default=0))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    while True:
        begun = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error:  # a cell longer than csv takes, or a NUL
            yield begun, None
            continue
        if row is None:
            return
        yield begun, [cell_text(value) for value in row[: _MOST_COLUMNS + 1]]


def _decoded(document: bytes) -> str:
    if document[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return document.decode("utf-16", errors="replace")
    try:
        return document.decode("utf-8-sig")
    except UnicodeDecodeError:
        return document.decode("cp1252", errors="replace")


def _fit(line: str, delimiter: str, own: Mapping[str, str]) -> int:
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return 0
    return len(_columns(cells, own))


def _columns(headings: Sequence[str], own: Mapping[str, str]) -> dict[int, str]:
    """Return which column says what; of several columns for one field the first counts."""
    asked = {folded(heading): field for heading, field in own.items()}
    found: dict[int, str] = {}
    for number, heading in enumerate(headings[:_MOST_COLUMNS]):
        key = folded(heading)
        field = asked.get(key) if key in asked else _KNOWN.get(key)
        if field and field != IGNORE and field not in found.values():
            found[number] = field
    return found


def _heading(rows: Iterator[Row], own: Mapping[str, str]) -> list[str] | None:
    """Return the first of the first rows that names a model and a day; the rows behind it stay to be read."""
    for number, (_, cells) in enumerate(rows):
        fields = set(_columns(cells or (), own).values())
        if cells and "model" in fields and fields & {"day", *(ending.value for ending in Ending)}:
            return cells
        if number + 1 >= _HEADING_WITHIN:
            return None
    return None


class _Reading:
    """What is made of the rows: ends, and what is wrong with lines."""

    def __init__(self) -> None:
        self.ends: list[ListedEnd] = []
        self.problems: list[RowProblem] = []
        self.rejected = 0

    def refuse(self, line: int, reason: str, *, rejected: bool = True) -> None:
        self.rejected += rejected
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(RowProblem(line, reason, rejected))


def _read(
    heading: list[str], rows: Iterator[Row], own: Mapping[str, str], days_first: bool | None
) -> SupportList:
    columns = _columns(heading, own)
    reading = _Reading()
    kept: list[tuple[int, dict[str, str]]] = []
    for line, cells in rows:
        if cells is None:
            reading.refuse(line, "a row that is no CSV")
        elif not any(cells):
            continue
        elif len(kept) >= MOST_ROWS:
            reading.refuse(line, f"beyond {MOST_ROWS:,} rows")
        elif len(cells) < len(heading) or any(cells[len(heading) :]):
            # a lost delimiter shifts every value behind it under a wrong heading
            reading.refuse(line, f"{len(cells)} cells, where the heading has {len(heading)}")
        else:
            kept.append((line, {field: clean(cells[at]) for at, field in columns.items()}))
    dated = {"day", *(ending.value for ending in Ending)}
    order = days_first
    if order is None:
        order = day_first(text for _, said in kept for field, text in said.items() if field in dated and text)
    for line, said in kept:
        _row(line, said, order, reading)
    return SupportList(
        columns=tuple((heading[at], field) for at, field in columns.items()),
        unmapped=tuple(name for at, name in enumerate(heading) if name and at not in columns),
        ends=tuple(reading.ends),
        problems=tuple(sorted(reading.problems, key=lambda problem: problem.line)),
        rejected=reading.rejected,
    )


def _row(line: int, said: Mapping[str, str], order: bool | None, reading: _Reading) -> None:
    """Add the ends that a row says; one that says none is refused with the reason."""
    model = said.get("model", "")
    if not model:
        reading.refuse(line, "it names no model")
        return
    before = len(reading.ends)
    wrong = ""
    for ending, text in _days(said):
        if ending is None:
            wrong = f"{said.get('ending', '')[:40]!r} does not say what ends"
            continue
        day = date_of(text, order)
        if day is None:
            wrong = f"{text[:40]!r} is no day, or could be two"
            continue
        url = said.get("url", "")[:500]
        reading.ends.append(
            ListedEnd(
                line, said.get("vendor", "")[:200], model[:300], ending, date.fromisoformat(day),
                said.get("version", "")[:200], url if url.startswith(("https://", "http://")) else "",
            )
        )  # fmt: skip
    if wrong or len(reading.ends) == before:
        reading.refuse(line, wrong or "it names no day", rejected=len(reading.ends) == before)


def _days(said: Mapping[str, str]) -> Iterator[tuple[Ending | None, str]]:
    """Yield what ends and the text of the day: of a column for each ending, else of the one for all."""
    for ending in Ending:
        if said.get(ending.value):
            yield ending, said[ending.value]
    if said.get("day"):
        named = said.get("ending", "")
        yield (ending_of(named) if named else Ending.SUPPORT), said["day"]


def ending_of(words: str) -> Ending | None:
    """Return what ends by a text such as ``End of Sale (EoS)``, or None where it says none."""
    plain = folded(words)
    if plain in _ENDINGS:
        return _ENDINGS[plain]
    for word in sorted(_ENDINGS, key=len, reverse=True):
        if len(word) > 5 and word in plain:
            return _ENDINGS[word]
    return None
