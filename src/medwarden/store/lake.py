"""The telemetry lake: flows and evidence in Apache Iceberg tables, queried by DuckDB in process.

The process that takes batches in and the one that keeps the files in order write in turn, under a lock of
the lake's own; reading is for any number. A batch is appended once however often it is offered: the id of
the batch stands in the snapshot that added it, committed with the data in one step
(https://iceberg.apache.org/spec/, snapshots).
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import IntegerType, LongType, NestedField, StringType

from medwarden.model.tables import EVIDENCE_LAKE_SCHEMA, FLOW_LAKE_SCHEMA
from medwarden.store.integrity import Damage, sha256_of
from medwarden.store.lake_files import (
    ROOT_PROPERTY,
    SCHEME,
    close_ledger,
    files_on_disk,
    open_ledger,
    resolve,
)
from medwarden.store.lake_writing import laid_out, write_rows
from medwarden.store.storage_errors import storage_errors

__all__ = ["BATCH_PROPERTY", "TABLES", "Lake"]

NAMESPACE = "medwarden"
CATALOG_FILE = "catalog.sqlite3"
LOCK_FILE = "lock-write"
BATCH_PROPERTY = "medwarden.batch"
_BATCH_SEPARATOR = "\n"
TABLES: dict[str, pa.Schema] = {"flows": FLOW_LAKE_SCHEMA, "evidence": EVIDENCE_LAKE_SCHEMA}
TIME_COLUMN = {"flows": "start_ns", "evidence": "ts_ns"}
_ORDER = {
    "flows": [("client_device", "ascending"), ("start_ns", "ascending")],
    "evidence": [("device", "ascending"), ("ts_ns", "ascending")],
}
EXPIRE_EVERY = 50
KEEP_SNAPSHOTS = 10
SMALL_FILE = 32 * 1024 * 1024
COMPACT_AT = 64
GRACE_SECONDS = 600
_PROPERTIES = {
    "write.parquet.compression-codec": "zstd",
    "commit.manifest.min-count-to-merge": "50",
    "commit.manifest-merge.enabled": "true",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "10",
    # Statistics of text columns cost more than they prune; times and devices are what is asked for.
    "write.metadata.metrics.default": "none",
    **{f"write.metadata.metrics.column.{name}": "full" for name in ("start_ns", "end_ns", "ts_ns")},
}


class Lake:
    """The lake of one data folder. Close it after use.

    ``catalog`` names another catalogue than the lake's own: a copy of it, to see what it refers to.
    """

    def __init__(self, root: Path, *, writer: bool, catalog: Path | None = None) -> None:
        self.root = root.resolve()
        self.writer = writer
        self._appends = dict.fromkeys(TABLES, 0)
        self._tables: dict[str, Table] = {}
        self._mark = secrets.token_bytes(16)
        with storage_errors(self.root):
            self._ledger = open_ledger(self.root)
            self._catalog = SqlCatalog(
                "lake",
                **{
                    "uri": f"sqlite:///{catalog or self.root / CATALOG_FILE}",
                    "py-io-impl": "medwarden.store.lake_files.LakeFileIO",
                    ROOT_PROPERTY: str(self.root),
                },
            )
            if writer:
                with self._writing():
                    self._catalog.create_namespace_if_not_exists(NAMESPACE)
                    self._tables = {name: self._open_or_create(name) for name in TABLES}
                    self._recover()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Be the only writer meanwhile, with the tables as the writer before left them.

        The lock's file holds the mark of who wrote last. A table that another process has changed must
        not be compacted as it was: files that are gone would be merged, and their rows doubled.
        """
        descriptor = os.open(self.root / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.pread(descriptor, len(self._mark), 0) != self._mark:
                for table in self._tables.values():
                    table.refresh()
                os.pwrite(descriptor, self._mark, 0)
            yield
        finally:
            os.close(descriptor)

    def _open_or_create(self, name: str) -> Table:
        identifier = (NAMESPACE, name)
        try:
            return self._catalog.load_table(identifier)
        except NoSuchTableError:
            return self._catalog.create_table(
                identifier,
                _iceberg_schema(TABLES[name]),
                location=f"{SCHEME}{name}",
                partition_spec=PartitionSpec(
                    PartitionField(source_id=1, field_id=1000, transform=IdentityTransform(), name="tenant")
                ),
                properties=_PROPERTIES,
            )

    def _recover(self) -> None:
        """Learn what a killed process had committed, and drop what it had not."""
        for name, table in self._tables.items():
            self._ledger.add_batches(name, _batches_of(table))
        self.clean_orphans()

    def close(self) -> None:
        """Release the databases."""
        self._catalog.engine.dispose()
        close_ledger(self.root)

    # -- writing

    def append_once(self, table: str, batch_id: str, rows: pa.Table) -> bool:
        """Append ``rows`` to ``table`` unless it holds ``batch_id`` already; tell whether it was done.

        ``rows`` has the columns of :data:`TABLES`, in any order. When this returns, data, metadata and
        catalogue are on the disk. An empty batch leaves no trace. Raises ResourceError where the disk is
        full or fails; then the table is as it was.
        """
        return self.append_each_once(table, [(batch_id, rows)]) == 1

    def append_each_once(
        self,
        table: str,
        batches: Sequence[tuple[str, pa.Table]],
        extents: Mapping[str, str] | None = None,
    ) -> int:
        """Append several batches (id, rows) in one commit, each under its own id; return how many were new.

        A commit flushes several files to the disk, whatever it holds, so many small batches belong
        together. Which batches share a commit does not matter for recognising them later. ``extents`` says
        how far the inputs of batches were read with them, for :meth:`extent`.
        """
        fresh = {
            batch_id: rows
            for batch_id, rows in batches
            if rows.num_rows and not self._ledger.has_batch(table, batch_id)
        }
        if not fresh:
            return 0
        schema = TABLES[table]
        noted = extents or {}
        names = [*fresh, *(f"{batch}\t{noted[batch]}" for batch in fresh if noted.get(batch))]
        with storage_errors(self.root), self._writing():
            together = pa.concat_tables([laid_out(rows, schema) for rows in fresh.values()])
            written = write_rows(self._tables[table], together)
            with (
                self._tables[table].transaction() as transaction,
                transaction.update_snapshot(
                    snapshot_properties={BATCH_PROPERTY: _BATCH_SEPARATOR.join(names)}
                ).merge_append() as append,
            ):
                for file in written:
                    append.append_data_file(file)
            self._ledger.add_batches(table, names)
        self._appends[table] += 1
        if self._appends[table] % EXPIRE_EVERY == 0:
            self.maintain(table)
        return len(fresh)

    def extent(self, batch_id: str) -> str | None:
        """Return how far the input of a batch was read with it; None where the lake does not hold it.

        A process may be killed between storing a batch and acknowledging it. An input that grows would be
        read further the next time, and what is new would share the number of what is stored.
        """
        for table in TABLES:
            extent = self._ledger.extent(table, batch_id)
            if extent is not None:
                return extent
        return None

    def maintain(self, table: str) -> None:
        """Compact where there are many small files, expire old snapshots, delete what nobody refers to."""
        with storage_errors(self.root), self._writing():
            self._compact(table)
            self._expire(table)
            self.clean_orphans(table)

    def _expire(self, name: str) -> None:
        table = self._tables[name]
        snapshots = sorted(table.metadata.snapshots, key=lambda s: s.sequence_number or 0)
        old = [s.snapshot_id for s in snapshots[:-KEEP_SNAPSHOTS]]
        if old:
            # The ids of their batches stay in the ledger.
            self._ledger.add_batches(name, _batches_of(table))
            table.maintenance.expire_snapshots().by_ids(old).commit()
            table.refresh()

    def _compact(self, name: str) -> None:
        table = self._tables[name]
        groups: dict[str, list[DataFile]] = {}
        for task in table.scan().plan_files():
            if task.file.file_size_in_bytes < SMALL_FILE:
                groups.setdefault(str(task.file.partition[0]), []).append(task.file)
        for files in groups.values():
            if len(files) >= COMPACT_AT:
                self._rewrite(table, name, files)

    def _rewrite(self, table: Table, name: str, files: Sequence[DataFile]) -> None:
        """Replace ``files`` by one file with the same rows, sorted by device and time."""
        paths = [str(resolve(self.root, file.file_path)) for file in files]
        merged = pa.concat_tables([_read_parquet(path, TABLES[name]) for path in paths])
        merged = merged.sort_by(_ORDER[name])
        with table.transaction() as transaction:
            written = list(_dataframe_to_data_files(transaction.table_metadata, merged, table.io))
            with transaction.update_snapshot(
                snapshot_properties={"medwarden.compacted": str(len(files))}
            ).overwrite() as overwrite:
                for file in files:
                    overwrite.delete_data_file(file)
                for file in written:
                    overwrite.append_data_file(file)
        table.refresh()

    def clean_orphans(self, table: str | None = None, *, grace_seconds: int = GRACE_SECONDS) -> int:
        """Delete files that no snapshot refers to and return how many: left by a kill or by compaction.

        Younger ones than ``grace_seconds`` stay, because a reader may have planned with them.
        """
        names = [table] if table else list(TABLES)
        oldest = time.time() - grace_seconds
        gone = []
        for name in names:
            kept = self.referenced(name)
            for path in files_on_disk(self.root):
                relative = path.relative_to(self.root).as_posix()
                ours = relative.startswith(f"{name}/")
                if ours and relative not in kept and path.stat().st_mtime < oldest:
                    path.unlink()
                    gone.append(relative)
        self._ledger.forget(gone)
        return len(gone)

    def _load(self, name: str) -> Table | None:
        try:
            return self._catalog.load_table((NAMESPACE, name))
        except NoSuchTableError:
            return None

    def referenced(self, name: str) -> set[str]:
        """Return the paths of all files that the table's present metadata leads to."""
        table = self._load(name)
        if table is None:
            return set()
        found = {table.metadata_location, *(entry.metadata_file for entry in table.metadata.metadata_log)}
        manifests = {}
        for snapshot in table.metadata.snapshots:
            found.add(snapshot.manifest_list)
            manifests.update({m.manifest_path: m for m in snapshot.manifests(table.io)})
        for path, manifest in manifests.items():
            found.add(path)
            found.update(
                entry.data_file.file_path
                for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True)
            )
        return {location.removeprefix(SCHEME) for location in found}

    # -- reading

    def data_files(self, table: str, *, since: int | None = None, until: int | None = None) -> list[Path]:
        """Return the data files that hold the table's rows, those alone that may have the times asked for.

        ``since`` and ``until`` (exclusive) are nanoseconds UTC.
        """
        loaded = self._load(table)
        if loaded is None:
            return []
        column = TIME_COLUMN[table]
        bounds = [f"{column} >= {int(since)}"] if since is not None else []
        bounds += [f"{column} < {int(until)}"] if until is not None else []
        tasks = loaded.scan(row_filter=" and ".join(bounds) if bounds else AlwaysTrue()).plan_files()
        return [resolve(self.root, task.file.file_path) for task in tasks]

    def query(
        self,
        sql: str,
        parameters: Sequence[object] = (),
        *,
        tenant: str,
        sites: Sequence[str] | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> pa.Table:
        """Return the result of one DuckDB SELECT over the views ``flows`` and ``evidence``.

        The views hold the rows of ``tenant`` alone, of ``sites`` where given, and of the times asked for.
        The statement cannot reach other files or the network. Raises duckdb.Error for a wrong one.
        """
        database = duckdb.connect(":memory:")
        try:
            readable: list[str] = []
            for name in TABLES:
                files = [str(path) for path in self.data_files(name, since=since, until=until)]
                _create_view(database, name, files, tenant, sites, since, until)
                readable += files
            database.execute(f"SET allowed_paths = {_listed(readable)}")
            database.execute("SET python_enable_replacements = false")
            database.execute("SET enable_external_access = false")
            database.execute("SET lock_configuration = true")
            return database.sql(sql, params=list(parameters)).to_arrow_table()
        finally:
            database.close()

    def count(self, table: str, *, tenant: str) -> int:
        """Return how many rows of ``tenant`` a table holds."""
        result = self.query(f"SELECT count(*) AS n FROM {_known(table)}", tenant=tenant)  # noqa: S608
        return int(result["n"][0].as_py())

    def flows_of_device(
        self,
        ids: Sequence[str],
        *,
        tenant: str,
        sites: Sequence[str] | None = None,
        since: int | None = None,
        until: int | None = None,
        limit: int = 1000,
    ) -> pa.Table:
        """Return the flows a device had a part in, the latest first.

        ``ids`` are the ids it had over time: flows keep the id of the time they were written
        (:func:`medwarden.store.queries.ids_over_time`).
        """
        return self.query(
            "SELECT * FROM flows WHERE list_contains(?, client_device) OR list_contains(?, server_device)"
            " ORDER BY start_ns DESC, flow_id LIMIT ?",
            [list(ids), list(ids), limit],
            tenant=tenant,
            sites=sites,
            since=since,
            until=until,
        )

    # -- checking

    def check(self) -> list[Damage]:
        """Compare every file the tables refer to with the digest it was written with, and name bad ones."""
        digests = self._ledger.digests()
        faults = {
            path: self._fault(path, digest)
            for path, digest in sorted(digests.items())
            if (self.root / path).exists()
        }
        bad = [Damage(f"lake/{path}", fault) for path, fault in faults.items() if fault]
        if any(faults[path] and not path.endswith(".parquet") for path in faults):
            return bad  # metadata that was altered must not be followed to what it refers to
        for name in TABLES:
            try:
                referenced = self.referenced(name)
            except OSError as error:
                bad.append(Damage(f"lake/{name}", f"its metadata cannot be read ({error})"))
                continue
            unseen = sorted(referenced - faults.keys())
            bad.extend(Damage(f"lake/{path}", self._fault(path, digests.get(path))) for path in unseen)
        return bad

    def _fault(self, path: str, digest: tuple[int, str] | None) -> str:
        if digest is None:
            return "there is no digest to compare it with"
        try:
            if (self.root / path).stat().st_size != digest[0]:
                return f"it has {(self.root / path).stat().st_size} bytes, {digest[0]} were written"
            if sha256_of(self.root / path) != digest[1]:
                return "its content is not what was written"
        except OSError as error:
            return f"it cannot be read ({error.strerror})"
        return ""


def _iceberg_schema(schema: pa.Schema) -> Schema:
    """Return an Arrow schema as Iceberg's, which has no integers below 32 bits."""
    return Schema(
        *(
            NestedField(
                field_id=number,
                name=field.name,
                field_type=StringType()
                if pa.types.is_string(field.type)
                else LongType()
                if pa.types.is_int64(field.type)
                else IntegerType(),
                required=not field.nullable,
            )
            for number, field in enumerate(schema, 1)
        )
    )


def _batches_of(table: Table) -> Iterator[str]:
    for snapshot in table.metadata.snapshots:
        batches = snapshot.summary.additional_properties.get(BATCH_PROPERTY) if snapshot.summary else None
        if batches:
            yield from batches.split(_BATCH_SEPARATOR)


def _read_parquet(path: str, schema: pa.Schema) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(path, partitioning=None).select(schema.names).cast(schema)


def _known(table: str) -> str:
    if table not in TABLES:
        raise KeyError(table)
    return table


def _create_view(
    database: duckdb.DuckDBPyConnection,
    name: str,
    files: Sequence[str],
    tenant: str,
    sites: Sequence[str] | None,
    since: int | None,
    until: int | None,
) -> None:
    column = TIME_COLUMN[name]
    if not files:
        database.register(f"{name}_rows", TABLES[name].empty_table())
        source = f"{name}_rows"
    else:
        source = f"read_parquet({_listed(files)}, hive_partitioning = false)"
    conditions = ["tenant = " + _quoted(tenant)]
    if sites is not None:
        conditions.append(f"list_contains({_listed(sites)}::VARCHAR[], site)")
    if since is not None:
        conditions.append(f"{column} >= {int(since)}")
    if until is not None:
        conditions.append(f"{column} < {int(until)}")
    database.execute(f"CREATE VIEW {name} AS SELECT * FROM {source} WHERE " + " AND ".join(conditions))  # noqa: S608


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _listed(texts: Sequence[str]) -> str:
    return "[" + ", ".join(_quoted(text) for text in texts) + "]"
