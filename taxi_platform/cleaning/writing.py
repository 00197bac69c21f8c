"""The two files of a cleaned month.

Belongs here: rows on their way into Parquet, in full row groups, with the facts in the footer. Does not: which rows
go where (``month``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from taxi_platform.contracts.model import ColumnType, Table
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.references import FACTS_KEY, CleanFacts

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["TableFile"]

_GROUP_ROWS = 131_072
"""What engines read in parallel and skip by statistics."""
_GROUP_BYTES = 32 << 20
"""What a writer may hold in memory: groups of long rows, as quarantine has them, are closed earlier."""


class TableFile:
    """A table's rows as one Parquet file, written batch by batch."""

    def __init__(self, table: Table, file: Path) -> None:
        self.num_rows = 0
        """Rows added."""
        self._schema = arrow_schema(table)
        self._writer = pq.ParquetWriter(file, self._schema, **_encodings(table))
        self._start_group()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def add(self, columns: list[pa.Array]) -> None:
        """Append rows, given column by column in the table's order."""
        rows = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        self.num_rows += rows.num_rows
        self._group.append(rows)
        self._group_rows += rows.num_rows
        self._group_bytes += rows.nbytes
        if self._group_rows >= _GROUP_ROWS or self._group_bytes >= _GROUP_BYTES:
            self._write_group()

    def finish(self, facts: CleanFacts) -> None:
        """Write what is left; the facts go into the footer when the file is closed."""
        if self._group:
            self._write_group()
        self._writer.add_key_value_metadata({FACTS_KEY: json.dumps(facts.to_json())})

    def _start_group(self) -> None:
        self._group: list[pa.RecordBatch] = []
        self._group_rows = self._group_bytes = 0

    def _write_group(self) -> None:
        """The writer closes a row group with every call, so batches are gathered first."""
        group = pa.Table.from_batches(self._group, self._schema)
        self._writer.write_table(group, row_group_size=group.num_rows)
        self._start_group()


def _encodings(table: Table) -> dict[str, object]:
    """Differences for what rises slowly, dictionaries for what repeats, neither for free text."""
    rising = {c.name for c in table.columns if c.type in (ColumnType.TIMESTAMP, ColumnType.BIGINT)}
    free = {"raw"} if "raw" in table.column_names else set()
    lists = {c.name: f"{c.name}.list.element" for c in table.columns if c.type is ColumnType.TEXT_LIST}
    return {
        "compression": "zstd",
        "compression_level": 1,
        "column_encoding": dict.fromkeys(rising, "DELTA_BINARY_PACKED"),
        "use_dictionary": [lists.get(name, name) for name in table.column_names if name not in rising | free],
    }
