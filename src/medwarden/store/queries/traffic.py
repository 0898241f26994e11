"""Who talks to whom: conversations folded into a matrix of categories or subnets."""

from __future__ import annotations

from typing import Literal

import msgspec
from django.db import connection

from medwarden.store.queries.scope import Scope

Axis = Literal["category", "subnet", "device_class", "vendor"]
_AXES: dict[str, str] = {
    "category": "category",
    "subnet": "subnet",
    "device_class": "device_class",
    "vendor": "vendor",
}


class Cell(msgspec.Struct, frozen=True):
    """Traffic from clients of one group to servers of another, over one application.

    Groups are values of the axis, ``unknown`` where a device has none, or the scope (``internet``,
    ``multicast``, ``broadcast``, ``internal``) where the server is no device of ours.
    """

    client: str
    server: str
    transport: str
    port: int
    application: str | None
    clients: int
    servers: int
    flows: int
    bytes: int
    last_seen: int


def matrix(
    scope: Scope, axis: Axis = "category", *, since: int | None = None, limit: int = 2000
) -> list[Cell]:
    """Return who talks to whom over what, largest volume first, at most ``limit`` cells.

    Each conversation counts once, from its client's side. ``since`` leaves out what was last seen
    before it.
    """
    column = _AXES[axis]
    condition, parameters = scope.sql("c")
    if since is not None:
        condition += " AND c.last_seen >= %s"
        parameters.append(since)
    # Only names from the fixed table above and bound parameters go into the statement.
    statement = f"""
        SELECT coalesce(d.{column}, 'unknown'),
               CASE WHEN c.peer_device = '' THEN c.scope ELSE coalesce(p.{column}, 'unknown') END,
               c.transport, c.port, max(c.application),
               count(DISTINCT c.device_id),
               count(DISTINCT CASE WHEN c.peer_device = '' THEN c.peer_ip ELSE c.peer_device END),
               sum(c.flows), sum(c.bytes_sent + c.bytes_received), max(c.last_seen)
        FROM store_conversation c
        JOIN store_device d ON d.id = c.device_id
        LEFT JOIN store_device p ON p.id = c.peer_device AND c.peer_device <> ''
        WHERE {condition} AND c.role = 'client'
        GROUP BY 1, 2, 3, 4
        ORDER BY 9 DESC LIMIT %s
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, limit])
        return [Cell(*row) for row in cursor.fetchall()]


class Edge(msgspec.Struct, frozen=True):
    """Traffic between two devices over one service, from the client's side."""

    client: str
    server: str
    transport: str
    port: int
    application: str | None
    flows: int
    bytes: int
    last_seen: int


def edges(
    scope: Scope, client_group: str, server_group: str, axis: Axis = "category", *, limit: int = 500
) -> list[Edge]:
    """Return the conversations between devices behind one pair of groups of the matrix."""
    column = _AXES[axis]
    condition, parameters = scope.sql("c")
    statement = f"""
        SELECT c.device_id, CASE WHEN c.peer_device = '' THEN c.peer_ip ELSE c.peer_device END,
               c.transport, c.port, c.application, c.flows,
               c.bytes_sent + c.bytes_received, c.last_seen
        FROM store_conversation c
        JOIN store_device d ON d.id = c.device_id
        LEFT JOIN store_device p ON p.id = c.peer_device AND c.peer_device <> ''
        WHERE {condition} AND c.role = 'client' AND coalesce(d.{column}, 'unknown') = %s
          AND CASE WHEN c.peer_device = '' THEN c.scope ELSE coalesce(p.{column}, 'unknown') END = %s
        ORDER BY 7 DESC LIMIT %s
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, client_group, server_group, limit])
        return [Edge(*row) for row in cursor.fetchall()]
