"""The inventory as a hierarchy: which levels a URL shows, their groups, and the tree that is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from django.http import QueryDict

from medwarden.store.queries import UNKNOWN, Kind
from medwarden.web.templatetags.console import category_name

LEVELS = ("class", "category", "vendor", "model")
"""Levels of the hierarchy, as parameters of the URL."""

_FIELDS = {"class": "device_class", "category": "category", "vendor": "vendor", "model": "model"}
_MOST_CHILDREN = 24


class Group(NamedTuple):
    """Devices that share an answer at one level: what the drawing and the table show.

    ``value`` is what filters use, ``label`` what people read; ``children`` are the groups one level down.
    """

    level: str
    value: str
    label: str
    devices: int
    risky: int
    unsure: int
    children: tuple[Group, ...] = ()

    @property
    def known(self) -> bool:
        """Tell whether the level is answered for these devices."""
        return self.value != UNKNOWN


def chosen(query: QueryDict) -> dict[str, str]:
    """Return the levels that a URL has chosen, from the most general on."""
    return {level: str(query[level]) for level in LEVELS if query.get(level)}


def shown(path: dict[str, str]) -> tuple[str, ...]:
    """Return the two levels to draw beneath what is chosen; one where only the last is left."""
    deepest = max((LEVELS.index(level) for level in path), default=-1)
    return LEVELS[deepest + 1 : deepest + 3]


def value_at(kind: Kind, level: str) -> str:
    """Return the answer of a kind at a level, ``unknown`` where it is open."""
    return getattr(kind, _FIELDS[level]) or UNKNOWN


def label_at(level: str, value: str) -> str:
    """Return how a person reads an answer at a level."""
    if value == UNKNOWN:
        return {"class": "Not identified", "category": "No category"}.get(level, f"No {level}")
    return category_name(value) if level == "category" else value


def groups(kinds: Iterable[Kind], levels: Sequence[str]) -> tuple[Group, ...]:
    """Return the groups at the first of ``levels`` with those of the next inside, largest first."""
    if not levels:
        return ()
    level, *below = levels
    members: dict[str, list[Kind]] = {}
    for kind in kinds:
        members.setdefault(value_at(kind, level), []).append(kind)
    found = [
        Group(
            level,
            value,
            label_at(level, value),
            sum(k.devices for k in inside),
            sum(k.risky for k in inside),
            sum(k.unsure for k in inside),
            groups(inside, below),
        )
        for value, inside in members.items()
    ]
    return tuple(sorted(found, key=lambda g: (-g.devices, g.label)))


def under(kinds: Iterable[Kind], path: dict[str, str]) -> list[Kind]:
    """Return the kinds that have every answer of ``path``."""
    return [k for k in kinds if all(value_at(k, level) == value for level, value in path.items())]


def tree(found: Iterable[Group], url: Callable[[Group, Group | None], str]) -> list[dict[str, object]]:
    """Return the nodes of the drawing; ``url`` says where a group (and its parent) leads."""

    def node(group: Group, parent: Group | None) -> dict[str, object]:
        drawn = group.children[:_MOST_CHILDREN]
        children = [node(child, group) for child in drawn]
        rest = sum(child.devices for child in group.children[_MOST_CHILDREN:])
        if rest:
            more = len(group.children) - len(drawn)
            children.append({"name": f"{more} more", "value": rest, "href": url(group, parent)})
        return {
            "name": group.label,
            "value": group.devices,
            "known": group.known,
            "href": url(group, parent),
            **({"children": children} if children else {}),
        }

    return [node(group, None) for group in found]
