"""Rows to one Parquet file of the lake, the way its columns want to be written.

pyiceberg would look through every row for its partition and copy them; an append of ours has one tenant.
Text repeats and goes into dictionaries; counters and times do not, and a dictionary tried first costs more
than the rest of writing them. Statistics are kept of times alone: they are what is asked for.
"""

from __future__ import annotations

import uuid
from typing import IO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionFieldValue, PartitionKey
from pyiceberg.table import Table
from pyiceberg.table.locations import load_location_provider

_COMPRESSION_LEVEL = 1
_ROW_GROUP = 262_144
_SCOPE = ("tenant", "site", "sensor", "batch")
_REPEATED = pa.dictionary(pa.int32(), pa.string())
_TIMES = ("start_ns", "end_ns", "ts_ns", "last_ns")


def laid_out(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return ``rows`` in the order and types of ``schema``; what repeats in all rows is held once."""
    columns, fields = [], []
    for field in schema:
        column = rows[field.name]
        if field.name in _SCOPE:
            column = column if column.type == _REPEATED else column.dictionary_encode()
        elif column.type != field.type:
            column = column.cast(field.type)
        columns.append(column)
        fields.append(field.with_type(column.type))
    return pa.table(columns, schema=pa.schema(fields))


def write_rows(table: Table, rows: pa.Table) -> list[DataFile]:
    """Write ``rows`` to a new file per tenant; they are part of the table once a snapshot names them."""
    tenants = pc.unique(rows["tenant"]).to_pylist()
    if len(tenants) == 1:
        return [_write(table, rows, tenants[0])]
    return [_write(table, rows.filter(pc.equal(rows["tenant"], tenant)), tenant) for tenant in tenants]


def _write(table: Table, rows: pa.Table, tenant: str) -> DataFile:
    schema = table.schema()
    metadata = table.metadata
    key = PartitionKey(
        [PartitionFieldValue(table.spec().fields[0], tenant)], partition_spec=table.spec(), schema=schema
    )
    place = load_location_provider(metadata.location, metadata.properties).new_data_location(
        f"00000-0-{uuid.uuid4()}.parquet", key
    )
    fields = [
        pa.field(
            field.name,
            pa.int32() if field.type == pa.int16() else field.type,  # Iceberg has no shorter integers
            field.nullable,
            {"PARQUET:field_id": str(schema.find_field(field.name).field_id)},
        )
        for field in rows.schema
    ]
    output = table.io.new_output(place)
    with output.create() as stream:
        writer = pq.ParquetWriter(
            cast(IO[bytes], stream),
            pa.schema(fields),
            compression="zstd",
            compression_level=_COMPRESSION_LEVEL,
            use_dictionary=[field.name for field in fields if not pa.types.is_integer(field.type)],
            store_schema=False,  # how a column lay in memory is nothing to its readers
            write_statistics=[field.name for field in fields if field.name in _TIMES],
        )
        writer.write_table(rows.cast(pa.schema(fields)), row_group_size=_ROW_GROUP)
        writer.close()
        statistics = data_file_statistics_from_parquet_metadata(
            parquet_metadata=writer.writer.metadata,
            stats_columns=compute_statistics_plan(schema, metadata.properties),
            parquet_column_mapping=parquet_path_to_id_mapping(schema),
        )
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=place,
        file_format=FileFormat.PARQUET,
        partition=key.partition,
        file_size_in_bytes=len(output),
        sort_order_id=None,
        spec_id=metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )
