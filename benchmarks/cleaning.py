"""What it costs to clean a raw month by all rules: this platform's way beside DuckDB's window functions and pandas.

    python -m benchmarks.cleaning --rows 7667792
    python -m benchmarks.cleaning --rows 1000000 --copies 2     # a file that holds its month twice

Each way runs in a process of its own, after another, on the same generated file, and must reject the same rows. CPU
seconds are of the whole process, imports included; the peak is that of its resident memory. Run it on an idle machine:
wall seconds say little otherwise. Only this platform's way converts types and writes the rejected rows as JSON text.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from taxi_platform.machine.pandas_free import go_without_pandas

_MONTH = date(2019, 3, 1)
_KEY = (
    "VendorID",
    "tpep_pickup_datetime",
    "tpep_dropoff_datetime",
    "PULocationID",
    "DOLocationID",
    "trip_distance",
)
_KIB_PER_UNIT = 1 / 1024 if sys.platform == "darwin" else 1  # ru_maxrss counts bytes there


def with_this_platform(source: Path, folder: Path) -> int:
    """`clean_month`: streaming, in memory that does not grow with the month."""
    import pyarrow.parquet as pq

    from taxi_platform.cleaning import clean_month
    from taxi_platform.contracts import CONTRACTS
    from taxi_platform.machine.memory import thrifty_pool
    from taxi_platform.references import RawMonth

    contract = CONTRACTS["yellow"]
    raw = RawMonth(
        month=contract.month(_MONTH),
        version="benchmark",
        path=source.name,
        rows=pq.read_metadata(source).num_rows,
        unparsed_rows=0,
        size=source.stat().st_size,
        source_url="",
        source_token="",
        etag=None,
        sha256="",
        source_size=0,
        schema_fingerprint="",
        fetched_at="",
    )
    thrifty_pool()  # as a run does
    return clean_month(contract, raw, source, folder).facts.quarantined_rows


def with_duckdb(source: Path, folder: Path) -> int:
    """Window functions over the whole month; what does not fit into memory goes to disk."""
    import duckdb

    key = ", ".join(_KEY)
    with duckdb.connect(config={"temp_directory": str(folder / "spill")}) as sql:
        upstream = ", ".join(f'"{row[0]}"' for row in sql.execute(f"DESCRIBE FROM '{source}'").fetchall())
        sql.execute(
            f"""
            CREATE TABLE judged AS WITH ranked AS (
                SELECT *, round(total_amount * 100) AS cents,
                    row_number() OVER (PARTITION BY {upstream} ORDER BY file_row_number) AS copy,
                    row_number() OVER (PARTITION BY {key}, cents ORDER BY file_row_number) AS k
                FROM read_parquet('{source}', file_row_number = true)
            ), paired AS (
                SELECT *, cents <> 0 AND count(*) OVER (PARTITION BY {key}, abs(cents), k) = 2 AS void FROM ranked
            )
            SELECT *, list_filter([
                CASE WHEN tpep_pickup_datetime IS NULL OR tpep_dropoff_datetime IS NULL
                    THEN 'timestamp_missing' END,
                CASE WHEN tpep_pickup_datetime < DATE '{_MONTH}' - INTERVAL 1 DAY
                    OR tpep_pickup_datetime >= DATE '{_MONTH}' + INTERVAL 1 MONTH + INTERVAL 1 DAY
                    THEN 'pickup_outside_file_month' END,
                CASE WHEN tpep_dropoff_datetime < tpep_pickup_datetime THEN 'dropoff_before_pickup' END,
                CASE WHEN tpep_dropoff_datetime - tpep_pickup_datetime > INTERVAL 24 HOUR
                    THEN 'duration_over_24h' END,
                CASE WHEN PULocationID NOT BETWEEN 1 AND 265 OR DOLocationID NOT BETWEEN 1 AND 265
                    THEN 'unknown_location' END,
                CASE WHEN trip_distance < 0 OR trip_distance > 1000 THEN 'distance_impossible' END,
                CASE WHEN copy > 1 THEN 'exact_duplicate' END,
                CASE WHEN void THEN 'void_pair' END,
                CASE WHEN total_amount < 0 AND NOT void THEN 'negative_total' END
            ], lambda reason: reason IS NOT NULL) AS reasons
            FROM paired
            """
        )
        options = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
        sql.execute(f"COPY (SELECT {upstream} FROM judged WHERE reasons = []) TO '{folder}/trips.parquet' {options}")
        rejected = f"SELECT file_row_number AS raw_row, reasons, {upstream} FROM judged WHERE reasons <> []"
        counted = sql.execute(f"COPY ({rejected}) TO '{folder}/quarantine.parquet' {options}").fetchone()
        assert counted is not None
        return int(counted[0])


def with_pandas(source: Path, folder: Path) -> int:
    """The month as one DataFrame."""
    import pandas as pd

    frame = pd.read_parquet(source)
    pickup, dropoff = frame["tpep_pickup_datetime"], frame["tpep_dropoff_datetime"]
    start, end = pd.Timestamp(_MONTH), pd.Timestamp(_MONTH) + pd.DateOffset(months=1)
    day = pd.Timedelta(days=1)
    total, distance = frame["total_amount"], frame["trip_distance"]
    cents = (total * 100).round()
    key = [frame[name] for name in _KEY]
    rank = frame.groupby([*key, cents.rename("cents")], dropna=False).cumcount()
    alike = frame.groupby([*key, cents.abs().rename("size"), rank.rename("k")], dropna=False)
    void = (cents != 0) & cents.notna() & (alike["VendorID"].transform("size") == 2)
    places = [frame[name] for name in ("PULocationID", "DOLocationID")]
    reasons = pd.DataFrame(
        {
            "timestamp_missing": pickup.isna() | dropoff.isna(),
            "pickup_outside_file_month": (pickup < start - day) | (pickup >= end + day),
            "dropoff_before_pickup": dropoff < pickup,
            "duration_over_24h": dropoff - pickup > day,
            "unknown_location": pd.concat([p.notna() & ~p.between(1, 265) for p in places], axis=1).any(axis=1),
            "distance_impossible": (distance < 0) | (distance > 1000),
            "exact_duplicate": frame.duplicated(),
            "void_pair": void,
            "negative_total": (total < 0) & ~void,
        }
    )
    rejected = reasons.any(axis=1)
    frame[~rejected].to_parquet(folder / "trips.parquet", compression="zstd")
    names = reasons[rejected].apply(lambda row: list(reasons.columns[row]), axis=1)
    frame[rejected].assign(reasons=names).to_parquet(folder / "quarantine.parquet", compression="zstd")
    return int(rejected.sum())


WAYS: dict[str, Callable[[Path, Path], int]] = {
    "taxi_platform": with_this_platform,
    "DuckDB, windows": with_duckdb,
    "pandas": with_pandas,
}


def generate(rows: int, copies: int, path: Path) -> None:
    """Write a month of the built-in sample source, as often into one file as asked for."""
    import pyarrow.parquet as pq

    from taxi_platform.sources.sample import write_month

    once = path.with_suffix(".once")
    write_month("yellow", _MONTH, rows, once, "parquet")
    if copies == 1:
        once.rename(path)
        return
    with pq.ParquetFile(once) as month, pq.ParquetWriter(path, month.schema_arrow, compression="zstd") as writer:
        for _ in range(copies):
            for group in range(month.num_row_groups):
                writer.write_table(month.read_row_group(group))


def measure(way: str, source: Path) -> None:
    """Run one way here and print what it cost as JSON."""
    if way != "pandas":
        go_without_pandas()  # as the command does, and a script without pandas in its environment
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        start = time.perf_counter()
        rejected = WAYS[way](source, Path(folder))
        wall = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_SELF)
    peak = usage.ru_maxrss * _KIB_PER_UNIT / 1024
    print(json.dumps({"rejected": rejected, "cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "peak_mib": peak}))


def in_own_process(*options: str) -> str:
    """Run this module once more; a peak of memory counts what the starting process has, so that one stays small."""
    command = [sys.executable, "-m", "benchmarks.cleaning", *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def compare(source: Path, without: Sequence[str]) -> bool:
    """Run every way in a process of its own and print a line for each; whether all reject as many rows."""
    print(f"{source.name}: {source.stat().st_size / 2**20:,.0f} MiB, {os.cpu_count()} cores")
    print(f"{'':18}{'rejected':>12}{'CPU s':>8}{'wall s':>8}{'peak MiB':>10}")
    rejected = set()
    for way in (way for way in WAYS if way not in without):
        cost = json.loads(in_own_process("--measure", way, "--file", str(source)))
        rejected.add(cost["rejected"])
        print(f"{way:18}{cost['rejected']:>12,}{cost['cpu']:>8.1f}{cost['wall']:>8.1f}{cost['peak_mib']:>10,.0f}")
    return len(rejected) == 1


def main() -> int:
    """Read the options and compare; 1 where the ways disagree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the generated month")
    parser.add_argument("--copies", type=int, default=1, help="how often the file holds the month")
    parser.add_argument("--without", action="append", default=[], choices=WAYS, help="leave a way out")
    parser.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.file)
        return 0
    if options.file:
        generate(options.rows, options.copies, options.file)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"yellow_tripdata_{_MONTH:%Y-%m}.parquet"
        in_own_process("--rows", str(options.rows), "--copies", str(options.copies), "--file", str(source))
        if compare(source, options.without):
            return 0
    print("the ways disagree about which rows to reject")
    return 1


if __name__ == "__main__":
    sys.exit(main())
