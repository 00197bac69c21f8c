"""Bytes a trip takes in the lake and in BigQuery, and what all of a dataset costs to keep.

    python -m benchmarks.storage --trips 1.8e9

Belongs here: measuring a generated month, and multiplying. BigQuery's logical sizes: cloud.google.com/bigquery/pricing,
"Data size calculation" (8 bytes a number, date or datetime, 2 and its UTF-8 bytes a string, nothing a null).
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from taxi_platform.cleaning import clean_month
from taxi_platform.contracts import CONTRACTS
from taxi_platform.ingest import stage_raw
from taxi_platform.sources import open_source

__all__ = ["logical_bytes"]

_GCS_DOLLARS = 0.020
_BIGQUERY_DOLLARS = 0.02
_BIGQUERY_LONG_TERM_DOLLARS = 0.01


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the generated month")
    parser.add_argument("--trips", type=float, default=1.8e9, help="of the whole dataset")
    arguments = parser.parse_args()
    contract = CONTRACTS["yellow"]
    month = contract.month(date(2024, 1, 1))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = open_source("sample", sample_rows=arguments.rows, sample_format="parquet")
        version = source.stat(month)
        assert version is not None
        staged = stage_raw(contract, month, source.fetch(month, version, folder), folder)
        clean = clean_month(contract, staged.raw, staged.file, folder)
        lake = (staged.file.stat().st_size + clean.trips_file.stat().st_size) / arguments.rows
        bigquery = sum(logical_bytes(column) for column in pq.read_table(clean.trips_file).columns) / arguments.rows
    gigabytes = arguments.trips / 2**30
    print(f"lake      {lake:5.0f} bytes a trip (raw and clean): {lake * gigabytes:6.0f} GiB, "
          f"${lake * gigabytes * _GCS_DOLLARS:.2f} a month")  # fmt: skip
    print(f"BigQuery  {bigquery:5.0f} bytes a trip (logical):       {bigquery * gigabytes:6.0f} GiB, "
          f"${bigquery * gigabytes * _BIGQUERY_DOLLARS:.2f} a month, "
          f"${bigquery * gigabytes * _BIGQUERY_LONG_TERM_DOLLARS:.2f} after 90 days unchanged")  # fmt: skip


def logical_bytes(column: pa.ChunkedArray) -> int:
    """Of one column, as BigQuery bills it."""
    filled: int = len(column) - column.null_count
    if pa.types.is_string(column.type):
        text: int = pc.sum(pc.binary_length(column)).as_py() or 0
        return 2 * filled + text
    return 8 * filled


if __name__ == "__main__":
    main()
