"""What every store can hold in a cell. A cell beyond it is ``unparseable`` for all stores, so that they never differ.

Belongs here: the bounds, each with its source. Does not: checking cells (``cleaning.storable``). A type that
is not named has the same range everywhere: whole numbers are two's complement of 2, 4 or 8 bytes in Parquet, DuckDB and
PostgreSQL, and of 8 in BigQuery; doubles are IEEE 754 in all four.

* A timestamp: BigQuery's DATETIME has years 1 to 9999
  (https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#datetime_type), and so has Python's, by
  which rows are read. Wider are PostgreSQL (4713 BC to 294276 AD,
  https://www.postgresql.org/docs/current/datatype-datetime.html), DuckDB (290309 BC to 294247 AD,
  https://duckdb.org/docs/stable/sql/data_types/timestamp) and Parquet (64 bits of microseconds).
* A double: all of them hold infinities, but no measure and no amount is infinite. NaN means a missing number: null.
* Text: UTF-8 by Parquet's definition of STRING
  (https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#string), which DuckDB and BigQuery insist on;
  without NUL (https://www.postgresql.org/docs/current/datatype-character.html). In PostgreSQL a B-tree index takes a
  third of a page, 2,704 bytes (https://www.postgresql.org/docs/current/btree.html), and the two ends that a BRIN index
  keeps have to fit into 8,152 bytes together.
* The text of a rejected row is not a cell of a trip. A record has at most 16 MiB, and an escape has at most six
  characters a byte, so the text stays below the 100 MB that BigQuery allows for a row
  (https://cloud.google.com/bigquery/quotas#load_jobs).
"""

from __future__ import annotations

from datetime import datetime

__all__ = ["FIRST_INSTANT", "LAST_INSTANT", "LONGEST_RECORD", "LONGEST_TEXT"]

FIRST_INSTANT = datetime(1, 1, 1)
LAST_INSTANT = datetime(9999, 12, 31, 23, 59, 59, 999_999)
LONGEST_TEXT = 2048
"""In bytes of UTF-8."""
LONGEST_RECORD = 16 << 20
"""Bytes of one line of a CSV file, or of one text in a Parquet file. Anything longer is not a record."""
