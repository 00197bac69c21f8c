"""What every store can hold in a cell: a cell outside is ``unparseable`` for all, so that no two differ over it.

Belongs here: the bounds, each with whom it comes from. Does not: looking at cells (``cleaning.storable``). A type that
is not named has the same range everywhere: whole numbers are two's complement of 2, 4 or 8 bytes in Parquet, DuckDB and
PostgreSQL, and of 8 in BigQuery; doubles are IEEE 754 in all four.

* A timestamp: BigQuery's DATETIME has years 1 to 9999
  (https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#datetime_type), and so has Python's, by
  which rows are read. Wider are PostgreSQL (4713 BC to 294276 AD,
  https://www.postgresql.org/docs/current/datatype-datetime.html), DuckDB (290309 BC to 294247 AD,
  https://duckdb.org/docs/stable/sql/data_types/timestamp) and Parquet (64 bits of microseconds).
* A double: infinities are held by all of them, but no measure and no amount is one. What is not a number (NaN) is a
  missing number: null.
* Text: UTF-8 by Parquet's definition of STRING
  (https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#string), which DuckDB and BigQuery insist on;
  without NUL (https://www.postgresql.org/docs/current/datatype-character.html). In PostgreSQL a B-tree index takes a
  third of a page, 2,704 bytes (https://www.postgresql.org/docs/current/btree.html), and the two ends that a BRIN index
  keeps have to fit into 8,152 bytes together.
* A rejected row's text is no cell of a trip: of a record of at most 16 MiB, and with escapes of at most six characters
  a byte, it stays below the 100 MB of a row that BigQuery loads (https://cloud.google.com/bigquery/quotas#load_jobs).
"""

from __future__ import annotations

from datetime import datetime

__all__ = ["FIRST_INSTANT", "LAST_INSTANT", "LONGEST_RECORD", "LONGEST_TEXT"]

FIRST_INSTANT = datetime(1, 1, 1)
LAST_INSTANT = datetime(9999, 12, 31, 23, 59, 59, 999_999)
LONGEST_TEXT = 2048
"""Bytes of UTF-8."""
LONGEST_RECORD = 16 << 20
"""Bytes of a CSV file's line, and of a text in a Parquet file: whatever is longer is no record."""
