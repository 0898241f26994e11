"""Lists of ends of support that a hospital keeps or gets from makers: CSV, TSV or XLSX.

A row says of a maker's model, perhaps of a version, what ends on which day. Days may stand in one column,
with what ends in another, or in a column for each ending (``End of sale``, ``End of support`` ...). Headings
are told by their words in several languages and may be mapped by hand. RFC 4180; ECMA-376 (SpreadsheetML).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import islice

import msgspec

from medwarden.kernel.errors import MalformedInput
from medwarden.model.book import RowProblem
from medwarden.model.evidence import clean
from medwarden.model.life_cycle import Ending
from medwarden.sensors.delimited_text import HEADING_WITHIN
from medwarden.sensors.equipment_headings import IGNORE, date_of, day_first, demand_headings
from medwarden.sensors.logs.inventory_headings import folded
from medwarden.sensors.table_rows import Row, RowProblems, sound_rows, tables

LARGEST = 32 << 20
MOST_ROWS = 200_000
MOST_PROBLEMS = 1_000
_MOST_COLUMNS = 200

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
    found = tables(
        document,
        source,
        lambda cells: len(_columns(cells, own)),
        most_rows=MOST_ROWS,
        most_columns=_MOST_COLUMNS,
    )
    for rows in found:
        heading = _heading(rows, own)
        if heading is not None:
            demand_headings(own, heading, source)
            return _read(heading, rows, own, days_first)
    raise MalformedInput(
        source, "none of its first lines is a heading with a model and a day: map its columns by hand"
    )


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
    for row in islice(rows, HEADING_WITHIN):
        fields = set(_columns(row.cells or (), own).values())
        if row.cells and "model" in fields and fields & {"day", *(ending.value for ending in Ending)}:
            return row.cells
    return None


def _read(
    heading: list[str], rows: Iterator[Row], own: Mapping[str, str], days_first: bool | None
) -> SupportList:
    columns = _columns(heading, own)
    problems = RowProblems(MOST_PROBLEMS)
    kept = [
        (line, {field: clean(cells[at]) for at, field in columns.items()})
        for line, cells in sound_rows(rows, heading, MOST_ROWS, problems)
    ]
    dated = {"day", *(ending.value for ending in Ending)}
    order = days_first
    if order is None:
        order = day_first(text for _, said in kept for field, text in said.items() if field in dated and text)
    ends = [end for line, said in kept for end in _ends(line, said, order, problems)]
    return SupportList(
        columns=tuple((heading[at], field) for at, field in columns.items()),
        unmapped=tuple(name for at, name in enumerate(heading) if name and at not in columns),
        ends=tuple(ends),
        problems=problems.named(),
        rejected=problems.rejected,
    )


def _ends(line: int, said: Mapping[str, str], order: bool | None, problems: RowProblems) -> list[ListedEnd]:
    """Return the ends that a row says; one that says none is refused with the reason."""
    model = said.get("model", "")
    if not model:
        problems.add(line, "it names no model")
        return []
    found: list[ListedEnd] = []
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
        found.append(
            ListedEnd(
                line, said.get("vendor", "")[:200], model[:300], ending, date.fromisoformat(day),
                said.get("version", "")[:200], url if url.startswith(("https://", "http://")) else "",
            )
        )  # fmt: skip
    if wrong or not found:
        problems.add(line, wrong or "it names no day", rejected=not found)
    return found


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
