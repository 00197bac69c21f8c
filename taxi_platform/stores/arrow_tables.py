"""Tables that are declared by their rows: makes a declaration from an Arrow schema, and converts rows to it.

Belongs here: which Arrow type becomes which column type, and the refusal of types that no store keeps. Does not:
stores, and the Python objects that rows come in (``orchestration.io_managers.frames``).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType, Table
from taxi_platform.errors import StoreError
from taxi_platform.stores.model import SCHEMA, split_name

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["check_own_name", "conformed", "declared"]

_NAME = re.compile(r"[A-Za-z_]\w{0,54}", re.ASCII)
_LONGEST_COLUMN = 63
"""In bytes. PostgreSQL cuts off longer names."""
_TYPES = {
    "int8": ColumnType.SMALLINT,
    "uint8": ColumnType.SMALLINT,
    "int16": ColumnType.SMALLINT,
    "uint16": ColumnType.INTEGER,
    "int32": ColumnType.INTEGER,
    "uint32": ColumnType.BIGINT,
    "int64": ColumnType.BIGINT,
    "uint64": ColumnType.BIGINT,
    "halffloat": ColumnType.DOUBLE,
    "float": ColumnType.DOUBLE,
    "double": ColumnType.DOUBLE,
    "bool": ColumnType.BOOLEAN,
    "string": ColumnType.TEXT,
    "large_string": ColumnType.TEXT,
    "string_view": ColumnType.TEXT,
    "date32[day]": ColumnType.DATE,
    "date64[ms]": ColumnType.DATE,
    **{f"timestamp[{unit}]": ColumnType.TIMESTAMP for unit in ("s", "ms", "us", "ns")},
}
_ADVICE = {
    "null": "it is null in every row, so give it a type",
    "timestamp": "a time with a zone: store New York wall-clock time or UTC, without the zone",
    "decimal": "cast it to float64, or to text",
}


def check_own_name(qualified_name: str) -> None:
    """Check the name of a user's table.

    Raises:
        StoreError: some store cannot use the name, or it is in the platform's own schema.
    """
    schema, name = split_name(qualified_name)
    if not (_NAME.fullmatch(schema) and _NAME.fullmatch(name)):
        raise StoreError(
            f"{qualified_name!r} cannot be a table's name: write schema.table, of letters, digits and underscores"
        )
    if schema.lower() == SCHEMA:
        raise StoreError(f"the schema {SCHEMA} is the platform's own: give {qualified_name} another schema")


def declared(qualified_name: str, schema: pa.Schema, existing: Table | None, *, monthly: bool) -> Table:
    """The declaration of a table for rows of that Arrow schema.

    Args:
        qualified_name: ``schema.table``.
        schema: the rows' schema; a field's metadata may have a ``description``.
        existing: the table as the store has it now. A month's rows take its types, because pandas turns integers into
            floats as soon as one is missing. A column that is null in every row takes its type too.
        monthly: whether ``file_month`` is the month whose rows are replaced; it becomes the first column if missing.

    Raises:
        StoreError: a name cannot be used or comes twice, or not every store has a type.
    """
    known = {column.name: column for column in existing.columns} if existing else {}
    kept = [name for name in known if monthly and name not in schema.names]
    _check_names(qualified_name, [*schema.names, *kept])
    columns = []
    for field in schema:
        takes_type = monthly or str(field.type) == "null"
        column = _column(qualified_name, field, known.get(field.name) if takes_type else None)
        columns.append(FILE_MONTH if monthly and field.name == FILE_MONTH.name else column)
    if monthly and FILE_MONTH not in columns:
        columns.insert(0, FILE_MONTH)
    own_schema, name = split_name(qualified_name)
    return Table(name, "", tuple(columns), schema=own_schema)


def conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Convert a batch to a schema that has every column of it.

    Raises:
        StoreError: a value would change, or a required column has nulls.
    """
    import pyarrow as pa

    columns = []
    for field in schema:
        try:
            columns.append(batch.column(field.name).cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            kind = batch.schema.field(field.name).type
            raise StoreError(f"the column {field.name} is {kind} and cannot become {field.type}: {error}") from error
        if not field.nullable and columns[-1].null_count:
            raise StoreError(f"the column {field.name} has rows without a value, and it says where they belong")
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _check_names(table: str, names: list[str]) -> None:
    for name in names:
        if not name.strip() or len(name.encode()) > _LONGEST_COLUMN:
            raise StoreError(f"{table} cannot have a column {name!r}: a name has 1 to {_LONGEST_COLUMN} bytes")
    twice = [name for name, count in Counter(name.lower() for name in names).items() if count > 1]
    if twice:
        raise StoreError(f"{table} cannot have two columns {', '.join(twice)}: stores do not tell A from a in names")
    if not names:
        raise StoreError(f"{table} cannot be a table without columns")


def _column(table: str, field: pa.Field, existing: Column | None) -> Column:
    description = (field.metadata or {}).get(b"description", b"").decode()
    if existing is not None:
        return Column(field.name, existing.type, description or existing.description)
    return Column(field.name, _column_type(table, field.name, field.type), description)


def _column_type(table: str, name: str, kind: pa.DataType) -> ColumnType:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):  # a pandas category
        return _column_type(table, name, kind.value_type)
    found = _TYPES.get(str(kind))
    if found is None:
        advice = next((text for prefix, text in _ADVICE.items() if str(kind).startswith(prefix)), "cast it to text")
        raise StoreError(f"the column {name} of {table} is {kind}, which not every store keeps: {advice}")
    return found
