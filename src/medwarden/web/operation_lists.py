"""The lists of Operations: what a URL asks for, shared by pages and exports, and rows to take away."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec
from django.http import HttpRequest

from medwarden.inventory.clinical_peers import ClinicalName
from medwarden.kernel.clock import iso
from medwarden.store import queries
from medwarden.store.captures import SORTS as CAPTURE_SORTS
from medwarden.store.captures import CaptureFilter, CaptureRow, captures
from medwarden.store.queries.probing import ProbeFilter, ProbeRow, ProtectionRow, probe_log, protections
from medwarden.store.queries.scope import MOST_ROWS, Page
from medwarden.web.paging import PER_PAGE, sort_of
from medwarden.web.recent import recently
from medwarden.web.scope import scope_of

T = TypeVar("T")
Row = dict[str, object]

NAME_SORTS = ("name", "devices", "last")
BATTERY_SORTS = ("charge", "equipment", "place", "last")
PROTECTION_SORTS = ("value", "who", "since", "until")
LOG_SORTS = ("time", "ip", "prober", "outcome")
CAPTURE_STATES = ("running", "done", "failed")
OUTCOMES = ("answered", "refused", "silent", "closed", "unreachable", "malformed")


def text_of(request: HttpRequest) -> str:
    """Return what is searched for."""
    return request.GET.get("q", "").strip()[:100]


def names_asked(request: HttpRequest) -> tuple[list[ClinicalName], str]:
    """Return the clinical names that match, sorted, and the sort."""
    text = text_of(request).lower()
    found = recently(queries.clinical_peers, scope_of(request).store)
    chosen = [name for name in found.titles if not text or _mentions(name, text)]
    sort = sort_of(request, NAME_SORTS, "name")
    keys: dict[str, Callable[[ClinicalName], object]] = {
        "name": lambda name: name.name,
        "devices": lambda name: len(name.uses),
        "last": lambda name: max((use.last_seen for use in name.uses), default=0),
    }
    chosen.sort(key=keys[sort.removeprefix("-")], reverse=sort.startswith("-"))  # type: ignore[arg-type]  # each key gives one kind of value
    return chosen, sort


def _mentions(name: ClinicalName, text: str) -> bool:
    said = [name.name, *name.facilities]
    for use in name.uses:
        said += [use.label, *use.addresses]
    return any(text in part.lower() for part in said)


def batteries_asked(request: HttpRequest) -> tuple[list[queries.BatteryRow], str]:
    """Return the batteries that match, sorted (one that told no charge last), and the sort."""
    text = text_of(request).lower()
    found = recently(queries.battery_levels, scope_of(request).store)
    chosen = [
        row
        for row in found
        if not text
        or any(text in (part or "").lower() for part in (row.label, row.battery.equipment, row.location))
    ]
    sort = sort_of(request, BATTERY_SORTS, "charge")
    name, falling = sort.removeprefix("-"), sort.startswith("-")
    if name == "charge":
        none = -1 if falling else 101
        chosen.sort(key=lambda r: none if r.battery.percent is None else r.battery.percent, reverse=falling)
    elif name == "last":
        chosen.sort(key=lambda row: row.battery.seen, reverse=falling)
    elif name == "place":
        chosen.sort(key=lambda row: row.location or "~", reverse=falling)
    else:
        chosen.sort(key=lambda row: row.battery.equipment or row.label, reverse=falling)
    return chosen, sort


def protections_asked(
    request: HttpRequest, offset: int, limit: int = PER_PAGE
) -> tuple[Page[ProtectionRow], str]:
    """Return a page of the do-not-probe list as the URL asks, and the sort."""
    sort = sort_of(request, PROTECTION_SORTS, "-since")
    page = protections(
        scope_of(request).store,
        text=text_of(request),
        ended=request.GET.get("ended") == "yes",
        sort=sort,
        offset=offset,
        limit=limit,
    )
    return page, sort


def log_asked(request: HttpRequest, offset: int, limit: int = PER_PAGE) -> tuple[Page[ProbeRow], str]:
    """Return a page of the questions sent and refused as the URL asks, and the sort."""
    scope, text = scope_of(request), text_of(request)
    outcome = request.GET.get("outcome", "")
    sort = sort_of(request, LOG_SORTS, "-time")
    address = _address(text)
    wanted = ProbeFilter(
        ip=address or "",
        text="" if address else text,
        outcome=(outcome,) if outcome in OUTCOMES else (),
        since_ns=scope.since_ns,
    )
    return probe_log(scope.store, wanted, sort=sort, offset=offset, limit=limit), sort


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def captures_asked(request: HttpRequest, offset: int, limit: int = PER_PAGE) -> tuple[Page[CaptureRow], str]:
    """Return a page of the captures as the URL asks, and the sort."""
    state = request.GET.get("state", "")
    wanted = CaptureFilter(
        device=request.GET.get("device", "")[:40],
        state=(state,) if state in CAPTURE_STATES else (),
        text=text_of(request),
    )
    sort = sort_of(request, tuple(CAPTURE_SORTS), "-created")
    return captures(scope_of(request).store, wanted, sort=sort, offset=offset, limit=limit), sort


_USE = ("device", "label", "addresses", "claimed", "roles", "count", "first_seen", "last_seen")
_TIMES = ("_ns", "_seen")
_PRIVATE = ("process", "folder", "took_ns")


def _name_rows(request: HttpRequest) -> Iterator[Row]:
    for name in names_asked(request)[0]:
        for use in name.uses:
            row: Row = {"kind": name.kind.value, "name": name.name, "facilities": list(name.facilities)}
            yield row | _readable({field: getattr(use, field) for field in _USE})


def _battery_rows(request: HttpRequest) -> Iterator[Row]:
    for row in batteries_asked(request)[0]:
        told = row.battery
        yield {
            "device": told.device,
            "label": row.label,
            "equipment": told.equipment,
            "category": row.category,
            "location": row.location,
            "percent": told.percent,
            "power": told.power,
            "last_seen": iso(told.seen),
        }


def _all(
    ask: Callable[[HttpRequest, int, int], tuple[Page[T], str]],
) -> Callable[[HttpRequest], Iterator[Row]]:
    def rows(request: HttpRequest) -> Iterator[Row]:
        offset, total = 0, 1
        while offset < total:
            page, _ = ask(request, offset, MOST_ROWS)
            for item in page.items:
                yield _readable(msgspec.to_builtins(item))
            offset, total = offset + MOST_ROWS, page.total

    return rows


def _readable(row: Row) -> Row:
    """Return a row with times in RFC 3339 and without what only this machine needs."""
    found: Row = {}
    for name, value in row.items():
        if name in _PRIVATE:
            continue
        timed = name.endswith(_TIMES) and isinstance(value, int)
        found[name.removesuffix("_ns")] = iso(value) if timed and isinstance(value, int) else value
    return found


def _header(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(f.removesuffix("_ns") for f in struct.__struct_fields__ if f not in _PRIVATE)


class Export(msgspec.Struct, frozen=True):
    """A list that can be taken away: its rows for a request, and its columns."""

    rows: Callable[[HttpRequest], Iterator[Row]]
    header: Iterable[str]


EXPORTS: dict[str, Export] = {
    "names": Export(_name_rows, ("kind", "name", "facilities", *_USE)),
    "batteries": Export(
        _battery_rows,
        ("device", "label", "equipment", "category", "location", "percent", "power", "last_seen"),
    ),
    "protected": Export(_all(protections_asked), _header(ProtectionRow)),
    "query": Export(_all(log_asked), _header(ProbeRow)),
    "captures": Export(_all(captures_asked), _header(CaptureRow)),
}
