from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from medwarden.kernel.errors import InternalError, ResourceError
from medwarden.store import lake as lake_module
from medwarden.store.lake import Lake
from medwarden.store.lake_files import DurableStream, resolve

from .conftest import TableMaker

MINE: dict[str, Any] = {"tenant": "default", "site": "main", "sensor": "s", "batch": "b"}


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    (tmp_path / "lake").mkdir()
    opened = Lake(tmp_path / "lake", writer=True)
    yield opened
    opened.close()


def ids(lake: Lake, tenant: str = "default") -> list[int]:
    found = lake.query("SELECT flow_id FROM flows ORDER BY 1", tenant=tenant)
    return [int(number) for number in found["flow_id"].to_pylist()]


def test_a_batch_is_appended_once(lake: Lake, flows: TableMaker) -> None:
    assert lake.append_once("flows", "b0", flows(5, **MINE))
    assert not lake.append_once("flows", "b0", flows(5, **MINE))
    assert lake.append_once("flows", "b1", flows(5, 5, **MINE))
    assert ids(lake) == list(range(10))


def test_the_two_tables_know_their_own_batches(lake: Lake, flows: TableMaker, facts: TableMaker) -> None:
    assert lake.append_once("flows", "b0", flows(2, **MINE))
    assert lake.append_once("evidence", "b0", facts(3, **MINE))
    assert (lake.count("flows", tenant="default"), lake.count("evidence", tenant="default")) == (2, 3)


def test_all_values_come_back(lake: Lake, flows: TableMaker) -> None:
    rows = flows(20, **MINE, vlan=None, application=None)
    lake.append_once("flows", "b0", rows)
    names = ", ".join(rows.column_names)
    back = lake.query(f"SELECT {names} FROM flows ORDER BY flow_id", tenant="default")
    assert back.to_pylist() == rows.to_pylist()


def test_an_empty_batch_leaves_no_trace(lake: Lake, flows: TableMaker) -> None:
    assert not lake.append_once("flows", "b0", flows(0, **MINE))
    assert lake.data_files("flows") == []
    assert ids(lake) == []


def test_what_was_committed_before_a_kill_is_known_after_it(
    tmp_path: Path, flows: TableMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lake").mkdir()
    first = Lake(tmp_path / "lake", writer=True)
    with monkeypatch.context() as patch:
        # The process dies after the commit of the table and before the ledger learns of it.
        patch.setattr(first._ledger, "add_batches", lambda *_: None)
        assert first.append_once("flows", "b0", flows(5, **MINE))
    first.close()
    second = Lake(tmp_path / "lake", writer=True)
    assert not second.append_once("flows", "b0", flows(5, **MINE))
    assert ids(second) == list(range(5))
    second.close()


def test_a_batch_is_known_after_its_snapshot_expired(lake: Lake, flows: TableMaker) -> None:
    for number in range(lake_module.KEEP_SNAPSHOTS + 3):
        lake.append_once("flows", f"b{number}", flows(1, number, **MINE))
    lake.maintain("flows")
    assert len(lake._tables["flows"].metadata.snapshots) == lake_module.KEEP_SNAPSHOTS
    assert not lake.append_once("flows", "b0", flows(1, **MINE))
    assert ids(lake) == list(range(lake_module.KEEP_SNAPSHOTS + 3))


def test_compaction_keeps_every_row_and_sorts(
    lake: Lake, flows: TableMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_module, "COMPACT_AT", 4)
    for number in range(6):
        lake.append_once("flows", f"b{number}", flows(10, number * 10, **MINE))
    other = {**MINE, "tenant": "other"}
    lake.append_once("flows", "other", flows(3, **other))
    before = lake.query("SELECT * FROM flows ORDER BY flow_id", tenant="default")
    lake.maintain("flows")
    assert len(lake.data_files("flows")) == 2
    assert lake.query("SELECT * FROM flows ORDER BY flow_id", tenant="default").equals(before)
    stored = lake.query("SELECT client_device, start_ns FROM flows", tenant="default").to_pylist()
    assert stored == sorted(stored, key=lambda row: (row["client_device"], row["start_ns"]))
    assert ids(lake, "other") == [0, 1, 2]
    assert lake.append_once("flows", "after", flows(1, 60, **MINE))
    assert lake.check() == []


def test_orphans_are_deleted_and_nothing_else(lake: Lake, flows: TableMaker) -> None:
    lake.append_once("flows", "b0", flows(5, **MINE))
    orphan = lake.root / "flows" / "data" / "tenant=default" / "left-by-a-kill.parquet"
    orphan.write_bytes(b"half")
    assert lake.clean_orphans() == 0  # too young: a reader might have planned with it
    os.utime(orphan, (1, 1))
    assert lake.clean_orphans() == 1
    assert not orphan.exists()
    assert ids(lake) == list(range(5))
    assert lake.check() == []


def test_one_flipped_byte_in_any_file_is_found_and_named(
    tmp_path: Path, flows: TableMaker, facts: TableMaker
) -> None:
    (tmp_path / "lake").mkdir()
    lake = Lake(tmp_path / "lake", writer=True)
    for number in range(3):
        lake.append_once("flows", f"b{number}", flows(5, **MINE))
        lake.append_once("evidence", f"b{number}", facts(5, **MINE))
    assert lake.check() == []
    files = sorted(
        p for table in ("flows", "evidence") for p in (lake.root / table).rglob("*") if p.is_file()
    )
    kinds = {path.suffix for path in files}
    assert kinds == {".parquet", ".avro", ".json"}
    for path in files:
        good = path.read_bytes()
        bad = bytearray(good)
        bad[len(bad) // 2] ^= 0x10
        path.write_bytes(bytes(bad))
        assert f"lake/{path.relative_to(lake.root)}" in {damage.path for damage in lake.check()}, path
        path.write_bytes(good)
    assert lake.check() == []
    lake.close()


def test_a_missing_or_shortened_file_is_found_and_named(lake: Lake, flows: TableMaker) -> None:
    lake.append_once("flows", "b0", flows(5, **MINE))
    (path,) = lake.data_files("flows")
    name = f"lake/{path.relative_to(lake.root)}"
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    assert [(d.path, d.fault) for d in lake.check()] == [
        (name, f"it has {len(data) - 1} bytes, {len(data)} were written")
    ]
    path.unlink()
    assert [(d.path, d.fault) for d in lake.check()] == [
        (name, "it cannot be read (No such file or directory)")
    ]


def test_a_reader_sees_its_tenant_and_sites_alone(lake: Lake, flows: TableMaker) -> None:
    for number, (tenant, site) in enumerate([("default", "main"), ("default", "north"), ("other", "main")]):
        scope = {**MINE, "tenant": tenant, "site": site}
        lake.append_once("flows", f"b{number}", flows(2, number * 2, **scope))
    assert ids(lake) == [0, 1, 2, 3]
    assert ids(lake, "other") == [4, 5]
    assert ids(lake, "x' OR '1'='1") == []
    north = lake.query("SELECT flow_id FROM flows ORDER BY 1", tenant="default", sites=("north",))
    assert north["flow_id"].to_pylist() == [2, 3]
    assert lake.query("SELECT * FROM flows", tenant="default", sites=()).num_rows == 0


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM '/etc/hostname'",
        "COPY flows TO '/tmp/medwarden-should-not-exist.csv'",
        "ATTACH '/tmp/medwarden-should-not-exist.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SELECT * FROM tenant",
    ],
)
def test_a_statement_reaches_nothing_else(lake: Lake, flows: TableMaker, statement: str) -> None:
    lake.append_once("flows", "b0", flows(2, **MINE))
    with pytest.raises(duckdb.Error):
        lake.query(statement, tenant="default")
    assert not Path("/tmp/medwarden-should-not-exist.csv").exists()


def test_flows_of_a_device_in_a_time(lake: Lake, flows: TableMaker) -> None:
    lake.append_once("flows", "b0", flows(70, **MINE))
    found = lake.flows_of_device(["client_device-3"], tenant="default", since=10, until=40)
    starts = found["start_ns"].to_pylist()
    assert starts == [38, 31, 24, 17, 10]
    both = lake.flows_of_device(["client_device-3", "server_device-4"], tenant="default", limit=3)
    assert both["start_ns"].to_pylist() == [67, 66, 60]


def test_times_asked_for_leave_out_files(lake: Lake, flows: TableMaker) -> None:
    for number in range(3):
        lake.append_once("flows", f"b{number}", flows(10, number * 10, **MINE))
    assert len(lake.data_files("flows")) == 3
    assert len(lake.data_files("flows", since=10, until=20)) == 1
    assert lake.data_files("flows", since=1000) == []


def test_the_lake_can_be_moved(tmp_path: Path, lake: Lake, flows: TableMaker) -> None:
    lake.append_once("flows", "b0", flows(5, **MINE))
    moved = tmp_path / "elsewhere"
    shutil.copytree(lake.root, moved)
    shutil.move(lake.root / "flows", tmp_path / "gone")
    other = Lake(moved, writer=True)
    assert ids(other) == list(range(5))
    assert other.append_once("flows", "b1", flows(5, 5, **MINE))
    assert other.check() == []
    other.close()


def test_a_full_disk_is_said_in_a_sentence_and_harms_nothing(
    lake: Lake, flows: TableMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.append_once("flows", "b0", flows(5, **MINE))

    real = DurableStream.write
    for room in (0, 40):  # the data file does not fit, or the metadata does not
        calls = iter(range(1000))

        def write(self: DurableStream, data: bytes, /, room: int = room, calls: Iterator[int] = calls) -> int:
            if next(calls) >= room:
                raise OSError(28, "No space left on device")
            return real(self, data)

        with monkeypatch.context() as patch:
            patch.setattr(DurableStream, "write", write)
            with pytest.raises(ResourceError, match=r"No space left.*nothing that was acknowledged"):
                lake.append_once("flows", "b1", flows(500, 5, **MINE))
        assert ids(lake) == list(range(5))
    assert lake.append_once("flows", "b1", flows(5, 5, **MINE))
    assert ids(lake) == list(range(10))
    assert lake.check() == []


def test_locations_outside_the_lake_are_refused(tmp_path: Path) -> None:
    assert resolve(tmp_path, "lake:flows/a") == tmp_path / "flows" / "a"
    for location in ("lake:../a", "lake:/etc/passwd", "file:///etc/passwd", "/etc/passwd"):
        with pytest.raises(InternalError):
            resolve(tmp_path, location)


def test_arrow_columns_may_come_in_any_order(lake: Lake, flows: TableMaker) -> None:
    rows = flows(3, **MINE)
    shuffled: pa.Table = rows.select(list(reversed(rows.column_names)))
    assert lake.append_once("flows", "b0", shuffled)
    assert ids(lake) == [0, 1, 2]


def test_two_writers_that_compact_the_same_files_double_nothing(
    lake: Lake, flows: TableMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_module, "COMPACT_AT", 4)
    worker = Lake(lake.root, writer=True)
    try:
        for number in range(6):
            lake.append_once("flows", f"b{number}", flows(2, 2 * number, **MINE))
        lake.maintain("flows")
        worker.maintain("flows")
        assert lake.append_once("flows", "b6", flows(2, 12, **MINE))
        worker.maintain("flows")
        lake.maintain("flows")
        assert ids(lake) == list(range(14))
    finally:
        worker.close()
