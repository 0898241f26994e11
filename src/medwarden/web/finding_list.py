"""The list of findings as a URL, shared by page, export and API."""

from __future__ import annotations

from typing import NamedTuple

from django.http import QueryDict

from medwarden.kernel.clock import iso
from medwarden.model.finding import FindingKind, FindingState, Severity
from medwarden.store.queries import FindingFilter, FindingRow
from medwarden.store.queries.findings import SORTS
from medwarden.web.device_list import Choice, toggled
from medwarden.web.templatetags.console import type_words, words

PER_PAGE = 50
PARAMETERS = ("state", "severity", "kind", "type", "category")


class FindingList(NamedTuple):
    """What a URL asks of the list. Without a state it shows what wants somebody: open and acknowledged."""

    wanted: FindingFilter
    sort: str
    page: int
    per_page: int

    @property
    def offset(self) -> int:
        """Return how many rows lie before this page."""
        return (self.page - 1) * self.per_page


def asked(query: QueryDict) -> FindingList:
    """Read the list's parameters; values that make no sense fall back to the ordinary ones."""
    chosen = {name: tuple(query.getlist(name)[:50]) for name in PARAMETERS}
    if not chosen["state"]:
        chosen["state"] = (FindingState.OPEN.value, FindingState.ACKNOWLEDGED.value)
    since = query.get("opened_since", "")
    wanted = FindingFilter(
        device=query.get("device", "")[:40],
        text=query.get("q", "").strip()[:200],
        opened_since=int(since) if since.isascii() and since.isdigit() and len(since) < 20 else None,
        **chosen,
    )
    sort = query.get("sort", "-severity")
    page = query.get("page", "1")
    return FindingList(
        wanted,
        sort if sort.removeprefix("-") in SORTS else "-severity",
        max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 10 else 1,
        PER_PAGE,
    )


def menus(query: QueryDict, counts: dict[str, dict[str, int]]) -> list[tuple[str, str, list[Choice]]]:
    """Return the filter menus (parameter, words, choices) with counts."""
    orders = {
        "state": [s.value for s in FindingState],
        "severity": [s.value for s in reversed(Severity)],
        "kind": [k.value for k in FindingKind],
        "type": sorted(counts["type"], key=lambda t: -counts["type"][t])[:40],
    }
    titles = {"state": "State", "severity": "Severity", "kind": "Kind", "type": "Type"}
    return [
        (
            name,
            titles[name],
            [
                Choice(
                    v,
                    _words(name, v),
                    counts[name].get(v, 0),
                    v in query.getlist(name),
                    toggled(query, name, v),
                )
                for v in values
            ],
        )
        for name, values in orders.items()
    ]


def _words(parameter: str, value: str) -> str:
    return type_words(value) if parameter == "type" else words(value)


def chips(query: QueryDict) -> list[tuple[str, str, str]]:
    """Return (words, value, URL without it) for every filter in the URL."""
    found = [
        (words(name), _words(name, value), toggled(query, name, value))
        for name in PARAMETERS
        for value in query.getlist(name)
    ]
    for name, title in (("q", "Search"), ("device", "Device"), ("opened_since", "Opened")):
        if query.get(name):
            changed = query.copy()
            changed.pop(name, None)
            value = "since then" if name == "opened_since" else query.get(name, "")
            found.append((title, value, f"?{changed.urlencode()}"))
    return found


HEADER = (
    "id", "site", "severity", "state", "kind", "type", "title", "device", "device_name", "category", "vendor",
    "model", "detail", "fix", "mitre", "first_seen", "last_seen", "rule_version",
)  # fmt: skip


def export_row(row: FindingRow) -> dict[str, object]:
    """Return a row as exports carry it."""
    plain: dict[str, object] = {name: getattr(row, name) for name in HEADER}
    plain["first_seen"], plain["last_seen"] = iso(row.first_seen), iso(row.last_seen)
    return plain
