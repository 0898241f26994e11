"""The work queue as a URL, shared by page, export and API; and what brings it up to date before."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import NamedTuple

from django.http import QueryDict

from medwarden.app.work import refresh_if_changed
from medwarden.risk.work.choice import ActionKind
from medwarden.risk.work.states import WORDS, WorkState
from medwarden.store.chain import folder_of_database
from medwarden.store.queries.work import SORTS, VIEWS, ActionFilter
from medwarden.web.device_list import Choice, toggled
from medwarden.web.templatetags.console import words

PER_PAGE = 25
PARAMETERS = ("state", "severity", "kind", "owner", "label")
DUE = {"late": "Late", "soon": "Within a week", "later": "Later"}
VIEW_WORDS = {"open": "Open", "accepted": "Accepted", "closed": "Done and seen", "all": "All"}
KINDS = {
    ActionKind.UPDATE: "Update",
    ActionKind.PATCH: "Updates of the system",
    ActionKind.COMPONENT: "Component of the maker",
    ActionKind.DISABLE: "Switch a service off",
    ActionKind.RESTRICT: "Segment",
    ActionKind.PASSWORD: "Passwords",
    ActionKind.REPLACE: "Replace",
    ActionKind.ASK: "Ask the maker",
    ActionKind.PRACTICE: "Settings and practice",
    ActionKind.RECALL: "Recall",
}
_EVERY_S = 10.0
_looked: dict[tuple[Path, str], float] = {}
_turn = threading.Lock()


class WorkList(NamedTuple):
    """What a URL asks of the queue."""

    wanted: ActionFilter
    sort: str
    page: int
    per_page: int

    @property
    def offset(self) -> int:
        """Return how many rows lie before this page."""
        return (self.page - 1) * self.per_page


def up_to_date(tenant: str, *, now: bool = False) -> None:
    """Bring the queue in line with verdicts and findings, looking at most every few seconds."""
    home = folder_of_database()
    if home is None:
        return
    with _turn:
        if not now and time.monotonic() - _looked.get((home, tenant), float("-inf")) < _EVERY_S:
            return
        refresh_if_changed(home, tenant)
        _looked[home, tenant] = time.monotonic()


def asked(query: QueryDict) -> WorkList:
    """Read the list's parameters; values that make no sense fall back to the ordinary ones."""
    chosen = {name: tuple(query.getlist(name)[:50]) for name in PARAMETERS}
    due, view = query.get("due", ""), query.get("view", "open")
    sort, page = query.get("sort", "-priority"), query.get("page", "1")
    wanted = ActionFilter(
        due=due if due in DUE else "",
        exploited=query.get("exploited", "") == "yes",
        vulnerability=query.get("cve", "").strip()[:60],
        device=query.get("device", "")[:40],
        text=query.get("q", "").strip()[:200],
        view=view if view in VIEWS else "open",
        **chosen,
    )
    return WorkList(
        wanted,
        sort if sort.removeprefix("-") in SORTS else "-priority",
        max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 8 else 1,
        PER_PAGE,
    )


def menus(query: QueryDict, counts: dict[str, dict[str, int]]) -> list[tuple[str, str, list[Choice]]]:
    """Return the filter menus (parameter, words, choices) with counts."""
    orders: dict[str, tuple[str, list[str], dict[str, str]]] = {
        "severity": ("Severity", ["critical", "high", "medium", "low", "info"], {}),
        "state": ("State", [s.value for s in WorkState], {s.value: w for s, w in WORDS.items()}),
        "kind": ("Kind of work", [k.value for k in ActionKind], {k.value: w for k, w in KINDS.items()}),
        "owner": ("Owner", sorted(counts["owner"]), {"-": "Nobody"}),
        "label": ("Label", sorted(counts["label"]), {}),
    }
    found = []
    for name, (title, values, said) in orders.items():
        present = [v for v in values if counts[name].get(v) or v in query.getlist(name)]
        if not present:
            continue
        choices = [
            Choice(
                v,
                said.get(v, words(v) if name in ("severity", "state", "kind") else v),
                counts[name].get(v, 0),
                v in query.getlist(name),
                toggled(query, name, v),
            )
            for v in present[:60]
        ]
        found.append((name, title, choices))
    return found


def chips(query: QueryDict) -> list[tuple[str, str, str]]:
    """Return (words, value, URL without it) for every filter in the URL."""
    said = {
        **{s.value: w for s, w in WORDS.items()},
        **{k.value: w for k, w in KINDS.items()},
        **DUE,
        "-": "Nobody",
    }
    found = [
        (words(name), said.get(value, value), toggled(query, name, value))
        for name in PARAMETERS
        for value in query.getlist(name)
    ]
    singles = (
        ("q", "Search"), ("device", "Device"), ("cve", "Vulnerability"), ("due", "Due"),
        ("exploited", "Used in attacks"),
    )  # fmt: skip
    for name, title in singles:
        if query.get(name):
            changed = query.copy()
            changed.pop(name, None)
            value = query.get(name, "")
            found.append((title, said.get(value, value), f"?{changed.urlencode()}"))
    return found
