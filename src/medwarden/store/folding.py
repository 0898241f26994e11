"""Bulk statements that fold increments into rows: insert, or add, take the smallest, the largest.

One description per table serves both the upsert of a batch and the merge of two devices, so the
two cannot disagree about what a column means.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Fold(StrEnum):
    """How a new value joins the one that stands."""

    SUM = "{c} = {t}.{c} + excluded.{c}"
    MIN = "{c} = min({t}.{c}, excluded.{c})"
    MAX = "{c} = max({t}.{c}, excluded.{c})"
    LATEST = "{c} = excluded.{c}"
    KNOWN = "{c} = coalesce(excluded.{c}, {t}.{c})"  # a new value, unless there is none


class FoldedTable(NamedTuple):
    """A table with its unique key and the way each other column folds."""

    table: str
    key: tuple[str, ...]
    folds: dict[str, Fold]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns in the order of a row: tenant, site, key, folded ones."""
        return ("tenant_id", "site_id", *self.key, *self.folds)

    def _conflict(self) -> str:
        changes = ", ".join(fold.format(c=column, t=self.table) for column, fold in self.folds.items())
        return f"ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {changes}"

    def upsert(self) -> str:
        """Return the statement that folds one row in."""
        marks = ", ".join(["%s"] * len(self.columns))
        return f"INSERT INTO {self.table} ({', '.join(self.columns)}) VALUES ({marks}) {self._conflict()}"  # noqa: S608

    def move(self, column: str) -> tuple[str, str]:
        """Return two statements that give the rows of one device to another.

        ``column`` is ``device_id`` or ``peer_device``. The first takes (kept, gone) and folds the rows in
        under the new id, the second takes (gone,) and deletes the old ones.
        """
        chosen = ", ".join("%s" if name == column else name for name in self.columns)
        fold = (
            f"INSERT INTO {self.table} ({', '.join(self.columns)}) SELECT {chosen} FROM {self.table}"  # noqa: S608
            f" WHERE {column} = %s {self._conflict()}"
        )
        return fold, f"DELETE FROM {self.table} WHERE {column} = %s"  # noqa: S608

    def taken_from(self, source: str, where: str, *, mapped: bool = False) -> str:
        """Return the statement that folds in the rows of table ``source`` (named r) that fit ``where``.

        Where ``mapped``, ids of identities become those of the devices they are part of.
        """
        chosen = ", ".join(self._mapped(name) if mapped else f"r.{name}" for name in self.columns)
        joins = ""
        if mapped:
            joins = " LEFT JOIN store_identity d ON d.id = r.device_id"
            if "peer_device" in self.key:
                joins += " LEFT JOIN store_identity p ON p.id = r.peer_device"
        latest = "r.last_seen, r.id" if "last_seen" in self.folds else "r.id"
        return (
            f"INSERT INTO {self.table} ({', '.join(self.columns)}) SELECT {chosen} FROM {source} r{joins}"  # noqa: S608
            f" WHERE {where} ORDER BY {latest} {self._conflict()}"
        )

    @staticmethod
    def _mapped(column: str) -> str:
        alias = {"device_id": "d", "peer_device": "p"}.get(column)
        return f"r.{column}" if alias is None else f"coalesce({alias}.device_id, r.{column})"


_SEEN = {"first_seen": Fold.MIN, "last_seen": Fold.MAX}

INTERFACES = FoldedTable(
    "store_interface",
    ("device_id", "mac"),
    {**_SEEN, "randomised": Fold.LATEST, "virtual": Fold.LATEST},
)
ADDRESSES = FoldedTable(
    "store_address",
    ("device_id", "ip", "mac"),
    {**_SEEN, "source": Fold.LATEST, "current": Fold.LATEST, "address_order": Fold.LATEST},
)
EVIDENCE = FoldedTable(
    "store_evidenceentry",
    ("device_id", "field", "value", "source", "sensor"),
    {**_SEEN, "count": Fold.SUM},
)
SERVICES = FoldedTable(
    "store_service",
    ("device_id", "transport", "port"),
    {
        **_SEEN,
        "application": Fold.KNOWN,
        "clients": Fold.MAX,
        "flows": Fold.SUM,
        "bytes": Fold.SUM,
    },
)
CONVERSATIONS = FoldedTable(
    "store_conversation",
    ("device_id", "role", "peer_device", "peer_ip", "transport", "port"),
    {
        **_SEEN,
        "peer_name": Fold.KNOWN,
        "scope": Fold.LATEST,
        "application": Fold.KNOWN,
        "flows": Fold.SUM,
        "packets": Fold.SUM,
        "bytes_sent": Fold.SUM,
        "bytes_received": Fold.SUM,
        "established": Fold.MAX,
    },
)
ACTIVITY = FoldedTable(
    "store_activityhour",
    ("device_id", "hour"),
    {"flows": Fold.SUM, "packets": Fold.SUM, "bytes_sent": Fold.SUM, "bytes_received": Fold.SUM},
)
PARTS = (INTERFACES, ADDRESSES, EVIDENCE, SERVICES, CONVERSATIONS, ACTIVITY)
"""Tables whose rows belong to a device."""

APART = {
    table.table: table._replace(table=f"store_identity{name}")
    for table, name in zip(
        PARTS, ("interface", "address", "evidence", "service", "conversation", "activity"), strict=True
    )
}
"""By table of the inventory, the one that keeps rows of the identities of a device apart."""
