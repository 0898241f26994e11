"""Who talks to whom: the matrix of the store as graph elements, heat and rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, get_args

from medwarden.knowledge import taxonomy
from medwarden.store.queries import Cell, Edge
from medwarden.store.queries.traffic import Axis
from medwarden.web.device_page import mark_of, pair_edges
from medwarden.web.templatetags.console import size

AXES: dict[Axis, str] = {
    "device_class": "Classes",
    "category": "Categories",
    "subnet": "Subnets",
    "vendor": "Vendors",
}
OUTSIDE = ("internet", "multicast", "broadcast", "internal")
TO_EVERYBODY = ("multicast", "broadcast")
AMONG = "among themselves"
MOST_EDGES = 60
MOST_GROUPS = 24


def axis_of(text: str) -> Axis:
    """Return the axis a URL names, categories where it names none."""
    found = [axis for axis in get_args(Axis) if axis == text]
    return found[0] if found else "category"


def group_name(axis: Axis, value: str) -> str:
    """Return how a person calls a group."""
    if value in OUTSIDE:
        return {"internet": "Internet", "internal": "Inside, not a known device"}.get(
            value, value.capitalize()
        )
    if value == "unknown":
        return "Not identified"
    if axis == "category" and value in taxonomy.categories():
        return taxonomy.name_of(value)
    return value


class Box(NamedTuple):
    """One field of the matrix: volume, heat from 0 to 4, where it leads."""

    bytes: int
    heat: int
    url: str


def elements(axis: Axis, cells: list[Cell], link: Callable[[str, str], str]) -> list[dict[str, object]]:
    """Return graph elements of the largest flows; several ports of one application are one edge.

    What goes to everybody (multicast, broadcast) is left to the matrix: it would hide the rest. What a
    group says among itself is one edge.
    """
    volumes: dict[tuple[str, str, str], int] = {}
    for cell in cells:
        if cell.server in TO_EVERYBODY:
            continue
        if cell.client == cell.server:
            among = (cell.client, cell.server, AMONG)
            volumes[among] = volumes.get(among, 0) + cell.bytes
            continue
        key = (cell.client, cell.server, cell.application or f"{cell.transport}/{cell.port}")
        volumes[key] = volumes.get(key, 0) + cell.bytes
    largest = sorted(volumes, key=lambda k: -volumes[k])[:MOST_EDGES]
    names = dict.fromkeys(name for client, server, _ in largest for name in (client, server))
    nodes: list[dict[str, object]] = [
        {
            "data": {
                "id": name,
                "label": group_name(axis, name),
                "kind": "outside" if name in OUTSIDE else "group",
                "title": group_name(axis, name),
            }
        }
        for name in names
    ]
    marks: dict[str, int] = {}
    edges: list[dict[str, object]] = [
        {
            "data": {
                "id": f"e{number}",
                "source": client,
                "target": server,
                "label": application,
                "mark": mark_of(application, marks),
                "volume": volumes[client, server, application],
                "title": f"{application}, {size(volumes[client, server, application])}",
                "href": link(client, server),
            }
        }
        for number, (client, server, application) in enumerate(largest)
    ]
    return nodes + edges


def grid(
    axis: Axis, cells: list[Cell], link: Callable[[str, str], str]
) -> tuple[list[tuple[str, str]], list[tuple[str, str, list[Box | None]]]]:
    """Return the matrix: columns (value, name) and rows (value, name, boxes), largest groups first."""
    volumes: dict[tuple[str, str], int] = {}
    for cell in cells:
        volumes[cell.client, cell.server] = volumes.get((cell.client, cell.server), 0) + cell.bytes
    rows = _largest(volumes, 0)
    columns = _largest(volumes, 1)
    most = max(volumes.values(), default=1)
    drawn: list[tuple[str, str, list[Box | None]]] = []
    for client in rows:
        boxes: list[Box | None] = []
        for server in columns:
            volume = volumes.get((client, server))
            boxes.append(None if volume is None else Box(volume, _heat(volume, most), link(client, server)))
        drawn.append((client, group_name(axis, client), boxes))
    return [(server, group_name(axis, server)) for server in columns], drawn


def _largest(volumes: dict[tuple[str, str], int], side: int) -> list[str]:
    sums: dict[str, int] = {}
    for key, volume in volumes.items():
        sums[key[side]] = sums.get(key[side], 0) + volume
    return sorted(sums, key=lambda name: (-sums[name], name))[:MOST_GROUPS]


def _heat(volume: int, most: int) -> int:
    """Return 1 to 4: one step for every factor of a hundred below the largest."""
    return max(1, 4 - (len(str(max(most, 1))) - len(str(max(volume, 1)))) // 2)


def between(
    edges: list[Edge], names: dict[str, tuple[str, str | None, str, str]], link: Callable[[str], str]
) -> list[dict[str, object]]:
    """Return graph elements of the conversations between devices."""
    shown = edges[:MOST_EDGES]
    ids = dict.fromkeys(one for e in shown for one in (e.client, e.server))
    nodes: list[dict[str, object]] = []
    for one in ids:
        row = names.get(one)
        data: dict[str, object] = {
            "id": one,
            "label": row[0] if row else one,
            "kind": "device" if row else "outside",
            "title": row[0] if row else one,
        }
        if row:
            data |= {"href": link(one), "level": row[3]}
        nodes.append({"data": data})
    talk: dict[tuple[str, str], dict[str, int]] = {}
    for e in shown:
        volumes = talk.setdefault((e.client, e.server), {})
        application = e.application or f"{e.transport}/{e.port}"
        volumes[application] = volumes.get(application, 0) + e.bytes
    drawn: list[dict[str, object]] = [{"data": edge} for edge in pair_edges(talk)]
    return nodes + drawn
