"""The list of devices as a URL: filter, columns, sort and page, shared by page, export and API."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec
from django.http import QueryDict

from medwarden.kernel.clock import iso
from medwarden.kernel.printable import neutral_cell
from medwarden.knowledge import taxonomy
from medwarden.store import queries
from medwarden.store.queries import DeviceFilter, DeviceRow
from medwarden.store.queries.devices import SORTS

PER_PAGE = (25, 50, 100, 250)
DEFAULT_PER_PAGE = 50
DEFAULT_SORT = "-risk"


class Column(NamedTuple):
    """One column: key in the URL, heading, sort key ('' where it cannot be sorted by), whether numeric."""

    key: str
    title: str
    sort: str
    numeric: bool = False
    shown: bool = True


COLUMNS = (
    Column("name", "Device", "name"),
    Column("category", "Category", "category"),
    Column("model", "Vendor, model", "vendor"),
    Column("ip", "Address", "ip"),
    Column("mac", "MAC", "", shown=False),
    Column("os", "Operating system", "os", shown=False),
    Column("subnet", "Subnet", "subnet", shown=False),
    Column("confidence", "Confidence", "", numeric=True),
    Column("risk", "Risk", "risk", numeric=True),
    Column("findings", "Findings", "findings", numeric=True),
    Column("class", "Class", "class", shown=False),
    Column("firmware", "Firmware", "", shown=False),
    Column("serial", "Serial", "", shown=False),
    Column("managed", "Managed", "", shown=False),
    Column("phi", "Patient data", "", shown=False),
    Column("support", "Support ends", "support", numeric=True, shown=False),
    Column("location", "Place", "", shown=False),
    Column("site", "Site", "", shown=False),
    Column("first_seen", "First seen", "first_seen", numeric=True, shown=False),
    Column("last_seen", "Last seen", "last_seen", numeric=True),
)
_BY_KEY = {c.key: c for c in COLUMNS}


class Facet(NamedTuple):
    """One filter of the list: its parameter in the URL, words, and field of the filter."""

    parameter: str
    title: str
    field: str
    menu: bool = True


FACETS = (
    Facet("class", "Class", "device_class"),
    Facet("category", "Category", "category"),
    Facet("vendor", "Vendor", "vendor"),
    Facet("level", "Risk", "level"),
    Facet("subnet", "Subnet", "subnet"),
    Facet("managed", "Managed", "managed"),
    Facet("phi", "Patient data", "phi"),
    Facet("model", "Model", "model", menu=False),
    Facet("os", "Operating system", "os", menu=False),
    Facet("location", "Place", "location", menu=False),
    Facet("finding", "Finding", "finding", menu=False),
    Facet("support", "Support ends", "support", menu=False),
    Facet("unsure", "Not sure from", "unsure", menu=False),
    Facet("doubt", "Because", "doubt", menu=False),
)


DOUBTS = {
    "contradicted": (
        "What it says contradicts itself",
        "Look at both sides on its page and answer which is right.",
    ),
    "strange": (
        "What it says leads no further",
        "Answer what it is once: all that say the same are then known.",
    ),
    "silent": (
        "Only its addresses were heard",
        "A mirror of its own switch, or a log of the server it talks to, would hear more.",
    ),
    "sealed": (
        "All it says is encrypted",
        "DHCP, SNMP, an inventory list or a careful query would tell its kind.",
    ),
    "no_dhcp": (
        "No lease of it was heard",
        "The DHCP server's log, or a mirror of its VLAN, shows its fingerprint and name.",
    ),
    "private_mac": (
        "Its MAC address names no maker",
        "Certificates, the wireless controller or a list of managed devices would settle it.",
    ),
    "no_mac": (
        "Known by its address alone",
        "The ARP table of its router (SNMP), or a sensor in its own segment, shows its MAC address.",
    ),
}
"""Reasons for doubt (:class:`medwarden.inventory.doubt.Doubt`): words, and what would help."""


SUPPORT = {"ended": "Ended", "year": "Within a year", "later": "Later"}
"""When support ends, in words."""

OWN = "own."
"""Before the name of one of the hospital's own attributes in the URL."""


class DeviceList(NamedTuple):
    """What a URL asks of the list."""

    wanted: DeviceFilter
    sort: str
    columns: tuple[Column, ...]
    page: int
    per_page: int

    @property
    def offset(self) -> int:
        """Return how many rows lie before this page."""
        return (self.page - 1) * self.per_page


def asked(query: QueryDict, last_seen_since: int | None = None) -> DeviceList:
    """Read the list's parameters; values that make no sense fall back to the ordinary ones."""
    wanted = DeviceFilter(
        text=query.get("q", "").strip()[:200],
        last_seen_since=last_seen_since,
        added_since=_whole(query.get("added_since")),
        risk_from=_whole(query.get("risk_from")),
        likelihood_from=_whole(query.get("likelihood_from")),
        likelihood_to=_whole(query.get("likelihood_to")),
        impact_from=_whole(query.get("impact_from")),
        impact_to=_whole(query.get("impact_to")),
        gateway=True if query.get("gateway") == "yes" else None,
        retired=query.get("retired") == "yes",
    )
    chosen = {f.field: tuple(query.getlist(f.parameter)[:50]) for f in FACETS}
    own = {
        parameter.removeprefix(OWN): tuple(query.getlist(parameter)[:50])
        for parameter in list(query)[:50]
        if parameter.startswith(OWN)
    }
    wanted = msgspec.structs.replace(wanted, attributes=own, **chosen)
    sort = query.get("sort", DEFAULT_SORT)
    per_page = _whole(query.get("per")) or DEFAULT_PER_PAGE
    return DeviceList(
        wanted,
        sort if sort.removeprefix("-") in SORTS else DEFAULT_SORT,
        _columns(query.get("columns", "")),
        max(1, _whole(query.get("page")) or 1),
        per_page if per_page in PER_PAGE else DEFAULT_PER_PAGE,
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else None


def _columns(text: str) -> tuple[Column, ...]:
    chosen = [_BY_KEY[key] for key in dict.fromkeys(text.split(",")) if key in _BY_KEY]
    if not chosen:
        return tuple(c for c in COLUMNS if c.shown)
    first = _BY_KEY["name"]
    return (first, *(c for c in chosen if c is not first))


class Choice(NamedTuple):
    """One value of a filter: its words, how many devices have it, whether it is chosen, where it leads."""

    value: str
    label: str
    number: int
    chosen: bool
    url: str


class Menu(NamedTuple):
    """One filter with its values."""

    facet: Facet
    choices: tuple[Choice, ...]
    chosen: int


def label_of(parameter: str, value: str) -> str:
    """Return how a person calls a filter's value."""
    plain = value.removeprefix("!")
    if plain == queries.UNKNOWN:
        text = "Not identified" if parameter in ("class", "category", "vendor", "model") else "Not known"
    elif parameter == "category" and plain in taxonomy.categories():
        text = taxonomy.name_of(plain)
    elif parameter in ("level", "managed", "phi", "finding"):
        text = plain.replace("_", " ").capitalize()
    elif parameter == "support":
        text = SUPPORT.get(plain, plain)
    elif parameter == "doubt":
        text = DOUBTS.get(plain, (plain, ""))[0]
    else:
        text = plain
    return f"Not {text}" if value.startswith("!") else text


def toggled(query: QueryDict, parameter: str, value: str) -> str:
    """Return the URL with a filter's value added or taken away; paging starts anew."""
    changed = query.copy()
    values = changed.getlist(parameter)
    changed.setlist(parameter, [v for v in values if v != value] if value in values else [*values, value])
    changed.pop("page", None)
    return f"?{changed.urlencode()}"


def menus(query: QueryDict, counts: dict[str, dict[str, int]], most: int = 40) -> list[Menu]:
    """Return the filter menus with counts; chosen values are listed even where nothing is left of them."""
    found = []
    for facet in FACETS:
        if not facet.menu:
            continue
        chosen = query.getlist(facet.parameter)
        values = dict(list(counts.get(facet.field, {}).items())[:most])
        for value in chosen:
            values.setdefault(value, 0)
        choices = tuple(
            Choice(v, label_of(facet.parameter, v), n, v in chosen, toggled(query, facet.parameter, v))
            for v, n in values.items()
        )
        found.append(Menu(facet, choices, len(chosen)))
    return found


def chips(query: QueryDict) -> list[tuple[str, str, str]]:
    """Return (words, value, URL without it) for every filter in the URL."""
    found = []
    for facet in FACETS:
        found += [
            (facet.title, label_of(facet.parameter, value), toggled(query, facet.parameter, value))
            for value in query.getlist(facet.parameter)
        ]
    for parameter in [p for p in query if p.startswith(OWN)]:
        for value in query.getlist(parameter):
            words = parameter.removeprefix(OWN).replace("_", " ").capitalize()
            found.append((words, value, toggled(query, parameter, value)))
    for parameter, title in (
        ("q", "Search"),
        ("risk_from", "Risk at least"),
        ("likelihood_from", "Likelihood at least"),
        ("likelihood_to", "Likelihood at most"),
        ("impact_from", "Impact at least"),
        ("impact_to", "Impact at most"),
        ("gateway", "Gateway"),
        ("retired", "Retired"),
        ("added_since", "Added"),
    ):
        value = query.get(parameter, "")
        if value:
            changed = query.copy()
            changed.pop(parameter, None)
            changed.pop("page", None)
            label = "since then" if parameter == "added_since" else value
            found.append((title, label, f"?{changed.urlencode()}"))
    return found


EXPORT_FIELDS = tuple(f for f in DeviceRow.__struct_fields__ if f not in ("confidence", "added_ns"))
_LEVELS = ("class", "category", "vendor", "model")


def export_row(row: DeviceRow) -> dict[str, object]:
    """Return a row as exports carry it: times in RFC 3339, confidence per level."""
    plain: dict[str, object] = {f: getattr(row, f) for f in EXPORT_FIELDS}
    for field in ("first_seen", "last_seen", "retired_at"):
        value = getattr(row, field)
        plain[field] = None if value is None else iso(value)
    for level in _LEVELS:
        plain[f"confidence_{level}"] = row.confidence.get(level)
    return plain


def _cell(value: object) -> object:
    if isinstance(value, list | tuple):
        return " ".join(str(v) for v in value)
    return "" if value is None else value


def csv_lines(rows: Iterable[dict[str, object]], header: Iterable[str]) -> Iterator[str]:
    """Yield CSV (RFC 4180) line by line, formulas neutralised."""
    names = list(header)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(names)
    for row in rows:
        if buffer.tell() > 32_768:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
        writer.writerow([neutral_cell(_cell(row[name])) for name in names])
    yield buffer.getvalue()


def json_lines(rows: Iterable[dict[str, object]]) -> Iterator[str]:
    """Yield a JSON array piece by piece."""
    start = "[\n"
    for row in rows:
        yield start + msgspec.json.encode(row).decode()
        start = ",\n"
    yield "[]\n" if start == "[\n" else "\n]\n"


CSV_HEADER = (*EXPORT_FIELDS, *(f"confidence_{level}" for level in _LEVELS))
