"""Queries of people, in PostgreSQL's SQL.

Belongs here: running one query, and the Arrow types of its result. Does not: the platform's own tables, whose types are
declared (``copy``).
"""
# ruff: noqa: TID253 - imported only once a session is opened

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from psycopg.types.numeric import FloatLoader
from psycopg.types.string import TextLoader

from taxi_platform.stores.postgres.connection import PostgresConnection

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["result"]

_BATCH_ROWS = 8_192
_TYPES = {
    "bool": "bool",
    "int2": "int16",
    "int4": "int32",
    "int8": "int64",
    "float4": "float32",
    "float8": "float64",
    "numeric": "float64",  # an average, or a sum of whole numbers: no type of Arrow has any number of digits
    "date": "date32",
    "timestamp": "timestamp[us]",
    "bytea": "binary",
}
"""PostgreSQL's name of a type → Arrow's. An array of text is a list, any other type text, as it is printed."""


def result(connection: PostgresConnection, sql: str) -> Iterator[Any]:
    """Give the schema of the query's result, then its rows in batches.

    The query is run as that of a cursor, which takes a SELECT and nothing else. A cursor also streams.

    Raises:
        psycopg.Error: the server refuses it.
    """
    import pyarrow as pa

    _read_other_types_as_text(connection)
    with connection.cursor("taxi_query") as cursor:
        cursor.execute(sql.encode())
        schema = pa.schema(
            (column.name, _arrow_type(connection, column.type_code)) for column in cursor.description or []
        )
        yield schema
        while rows := cursor.fetchmany(_BATCH_ROWS):
            cells = zip(*rows, strict=True)
            arrays = [pa.array(values, field.type) for field, values in zip(schema, cells, strict=True)]
            yield pa.record_batch(arrays, schema=schema)


def _read_other_types_as_text(connection: PostgresConnection) -> None:
    for info in connection.adapters.types:
        if info.name not in _TYPES:
            connection.adapters.register_loader(info.oid, TextLoader)
        if info.array_oid and info.name != "text":
            connection.adapters.register_loader(info.array_oid, TextLoader)
    connection.adapters.register_loader("numeric", FloatLoader)


def _arrow_type(connection: PostgresConnection, oid: int) -> pa.DataType:
    import pyarrow as pa

    info = connection.adapters.types.get(oid)
    if info is None or oid == info.array_oid:
        return pa.list_(pa.string()) if info is not None and info.name == "text" else pa.string()
    return pa.type_for_alias(_TYPES.get(info.name, "string"))
