"""A fresh data folder for every test: migrated once, then copied; and facts to fill it with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pytest
from pytest_django.plugin import DjangoDbBlocker

from medwarden.model.inventory_delta import (
    ActivityIncrement,
    AddressChange,
    BindingSource,
    ConversationIncrement,
    DeviceChange,
    InterfaceChange,
    InventoryDelta,
    KeyKind,
    LedgerIncrement,
    ServiceIncrement,
)
from medwarden.model.tables import EVIDENCE_LAKE_SCHEMA, FLOW_LAKE_SCHEMA
from medwarden.store.open import Store, open_store

HOUR = 3600 * 1_000_000_000
_ADDED = ("tenant", "site", "sensor", "batch")


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    home = tmp_path_factory.mktemp("template") / "home"
    with django_db_blocker.unblock(), open_store(home, writer=True):
        pass
    return home


@pytest.fixture
def home(tmp_path: Path, migrated: Path) -> Path:
    return Path(shutil.copytree(migrated, tmp_path / "home"))


@pytest.fixture
def store(home: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Store]:
    with django_db_blocker.unblock(), open_store(home, writer=True) as opened:
        yield opened


class TableMaker(Protocol):
    """Makes ``rows`` rows; ``first`` numbers the first of them; ``columns`` replaces constant values."""

    def __call__(self, rows: int, first: int = 0, **columns: object) -> pa.Table: ...


def _table(schema: pa.Schema, rows: int, first: int, columns: dict[str, object]) -> pa.Table:
    arrays = {}
    for field in schema:
        if field.name in _ADDED and field.name not in columns:
            continue
        if field.name in columns:
            values: list[object] = [columns[field.name]] * rows
        elif pa.types.is_string(field.type):
            values = [f"{field.name}-{(first + i) % 7}" for i in range(rows)]
        else:
            values = [first + i for i in range(rows)]
        arrays[field.name] = pa.array(values, field.type)
    return pa.table(arrays)


@pytest.fixture
def flows() -> TableMaker:
    return lambda rows, first=0, **columns: _table(FLOW_LAKE_SCHEMA, rows, first, columns)


@pytest.fixture
def facts() -> TableMaker:
    return lambda rows, first=0, **columns: _table(EVIDENCE_LAKE_SCHEMA, rows, first, columns)


class DeltaMaker(Protocol):
    """Makes what a round in which devices ``numbers`` were heard once would bring."""

    def __call__(self, *numbers: int, site: str = "main", ts: int = 10 * HOUR) -> InventoryDelta: ...


@pytest.fixture
def heard() -> DeltaMaker:
    def make(*numbers: int, site: str = "main", ts: int = 10 * HOUR) -> InventoryDelta:
        ids = {n: f"d-{site}-{n}" for n in numbers}
        macs = {n: f"02:00:00:00:{n // 256:02x}:{n % 256:02x}" for n in numbers}
        return InventoryDelta(
            site=site,
            devices=tuple(
                DeviceChange(i, site, KeyKind.MAC, True, False, ts, ts + 5, (n,)) for n, i in ids.items()
            ),
            interfaces=tuple(InterfaceChange(ids[n], macs[n], False, False, ts, ts + 5) for n in numbers),
            addresses=tuple(
                AddressChange(
                    ids[n], macs[n], f"10.0.{n // 256}.{n % 256}", BindingSource.ARP, True, ts, ts + 5
                )
                for n in numbers
            ),
            ledger=tuple(
                LedgerIncrement(i, "s", "dhcp", "dhcp.host_name", f"host-{n}", ts, ts + 5, 2)
                for n, i in ids.items()
            ),
            services=tuple(
                ServiceIncrement(i, "tcp", 104, "dicom", ts, ts + 5, 3, 4, 500) for i in ids.values()
            ),
            conversations=tuple(
                ConversationIncrement(
                    i, "client", None, "8.8.8.8", None, "internet", "udp", 53, "dns", ts, ts + 5,
                    1, 2, 60, 90, True,
                )
                for i in ids.values()
            ),
            activity=tuple(ActivityIncrement(i, ts - ts % HOUR, 1, 2, 60, 90) for i in ids.values()),
        )  # fmt: skip

    return make
