"""The ten questions of docs/questions.md over marts, beside the same questions over trips, in DuckDB and PostgreSQL.

    python -m benchmarks.questions --rows 1000000

The store has thirteen generated months of yellow trips with so many rows each, so that a year before is there. A time
is the best of three, in seconds of wall clock, of one connection. Answers over trips are exact where those over marts
are whole dollars and minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from taxi_platform.cleaning import clean_month
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.contracts.zones import ZONES
from taxi_platform.ingest import stage_raw
from taxi_platform.marts import marts_of
from taxi_platform.sources.model import Download, Version
from taxi_platform.sources.sample.writing import write_month
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres
from taxi_platform.stores.postgres.store import PostgresStore

PAGE = Path(__file__).parents[1] / "docs" / "questions.md"
YELLOW = CONTRACTS["yellow"]
MONTHS = [*(date(2019, month, 1) for month in range(1, 13)), date(2020, 1, 1)]
_JANUARY = "file_month = DATE '2020-01-01'"

OVER_TRIPS = {
    1: f"""
        SELECT dataset, file_month, pickup_borough, pickup_zone, count(*), sum(total_amount) AS total, avg(total_amount)
        FROM taxi.trips WHERE {_JANUARY}
        GROUP BY dataset, file_month, pickup_location_id, pickup_borough, pickup_zone ORDER BY total DESC LIMIT 20
    """,
    2: """
        WITH quarters AS (
            SELECT dataset, extract(year FROM file_month) AS year, extract(quarter FROM file_month) AS quarter,
                   count(DISTINCT file_month) AS months, sum(total_amount) AS total
            FROM taxi.trips GROUP BY 1, 2, 3
        )
        SELECT mine.*, old.total, 100 * (mine.total - old.total) / old.total FROM quarters AS mine
        LEFT JOIN quarters AS old
            ON old.dataset = mine.dataset AND old.quarter = mine.quarter AND old.year = mine.year - 1
    """,
    3: """
        SELECT dataset, file_month, count(*), avg(fare_amount),
               percentile_disc(0.5) WITHIN GROUP (ORDER BY fare_amount),
               percentile_disc(0.9) WITHIN GROUP (ORDER BY fare_amount),
               percentile_disc(0.95) WITHIN GROUP (ORDER BY fare_amount),
               percentile_disc(0.97) WITHIN GROUP (ORDER BY fare_amount)
        FROM taxi.trips GROUP BY dataset, file_month
    """,
    4: f"""
        SELECT dataset, pickup_zone, dropoff_zone, count(*), avg(duration_seconds) / 60,
               percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_seconds),
               percentile_disc(0.9) WITHIN GROUP (ORDER BY duration_seconds)
        FROM taxi.trips WHERE {_JANUARY}
        GROUP BY dataset, pickup_location_id, dropoff_location_id, pickup_zone, dropoff_zone HAVING count(*) >= 5
    """,
    5: f"""
        SELECT is_weekend, extract(hour FROM pickup_datetime), count(*), count(*) * 1.0 / count(DISTINCT date)
        FROM taxi.trips JOIN taxi.dates ON date = CAST(pickup_datetime AS date)
        WHERE dataset = 'yellow' AND {_JANUARY} GROUP BY 1, 2
    """,
    6: f"""
        SELECT payment_type_name, floor(trip_distance), count(*), avg(CASE WHEN tip_amount > 0 THEN 100.0 ELSE 0 END),
               100 * sum(tip_amount) / nullif(sum(fare_amount), 0)
        FROM taxi.trips WHERE dataset = 'yellow' AND {_JANUARY} AND payment_type IS NOT NULL GROUP BY 1, 2
    """,
    7: f"""
        SELECT dataset, pickup_airport, dropoff_airport, count(*), avg(total_amount), avg(duration_seconds) / 60
        FROM taxi.trips WHERE is_airport_trip AND {_JANUARY} GROUP BY 1, 2, 3
    """,
    8: """
        WITH days AS (
            SELECT CAST(pickup_datetime AS date) AS day, dataset, count(*) AS trips FROM taxi.trips GROUP BY 1, 2
        )
        SELECT day, dataset, trips, 100.0 * trips / sum(trips) OVER (PARTITION BY day) FROM days
    """,
    9: f"""
        WITH zones AS (
            SELECT dataset, file_month, pickup_zone, pickup_location_id, count(*) AS trips FROM taxi.trips
            WHERE file_month IN (DATE '2019-01-01', DATE '2020-01-01') GROUP BY 1, 2, 3, 4
        )
        SELECT mine.*, 100.0 * (mine.trips - old.trips) / old.trips FROM zones AS mine JOIN zones AS old
            ON old.dataset = mine.dataset AND old.pickup_location_id = mine.pickup_location_id
        WHERE mine.{_JANUARY} AND old.file_month = DATE '2019-01-01' AND old.trips >= 10
    """,
    10: """
        SELECT dataset, pickup_datetime < TIMESTAMP '2025-01-05', pickup_in_cbd OR dropoff_in_cbd, count(*),
               count(*) * 1.0 / count(DISTINCT CAST(pickup_datetime AS date)), sum(cbd_congestion_fee)
        FROM taxi.trips WHERE pickup_datetime BETWEEN TIMESTAMP '2024-12-01' AND TIMESTAMP '2025-02-28' GROUP BY 1, 2, 3
    """,
}
"""Question → a query over the trips that answers it."""


def over_marts() -> dict[int, str]:
    """Question → the query of the page; the first where it has two."""
    sections = PAGE.read_text().split("\n## ")[1:]
    found = {int(section.partition(".")[0]): re.search(r"```sql\n(.*?)```", section, re.DOTALL) for section in sections}
    return {number: match[1] for number, match in found.items() if match is not None}


def fill(store: Any, lake: Lake) -> None:
    """Load zones, dates and every month with its marts."""
    lookup = lake.zones()
    assert lookup is not None
    store.replace_table(ZONES, lookup.select(ZONES.column_names))
    dates = DIMENSIONS["dates"].table
    rows = [dict(zip(dates.column_names, row, strict=True)) for row in DIMENSIONS["dates"].rows()]
    store.replace_table(dates, pa.Table.from_pylist(rows, arrow_schema(dates)))
    for first_day in MONTHS:
        clean = lake.current_clean(YELLOW.month(first_day))
        assert clean is not None
        store.replace_month(YELLOW, clean, lake)
        store.make_marts(YELLOW, marts_of(YELLOW), first_day)
    store.refresh_views([YELLOW])
    store.refresh_mart_views([YELLOW])


def generate(lake: Lake, rows: int, folder: Path) -> None:
    """Put generated, cleaned months and the zones into the lake."""
    lookup = folder / "zones.csv"
    lookup.write_bytes(lookup_csv())
    fetched_at = "2026-01-01T00:00:00"
    lake.store_zones(
        lookup, source_url="sample://zones", source_token="t", etag=None, sha256="0", fetched_at=fetched_at
    )
    for first_day in MONTHS:
        with tempfile.TemporaryDirectory(dir=folder) as work:
            file = Path(work) / f"yellow_tripdata_{first_day:%Y-%m}.parquet"
            write_month("yellow", first_day, rows, file, "parquet")
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            download = Download(Version(f"sample://{file.name}", "t", None), file, digest, file.stat().st_size)
            staged = stage_raw(YELLOW, YELLOW.month(first_day), download, Path(work))
            lake.store_raw(staged)
            lake.store_clean(clean_month(YELLOW, staged.raw, staged.file, Path(work)))


@contextmanager
def duckdb_asks(lake: Lake, folder: Path) -> Iterator[Callable[[str], int]]:
    """Runs a query in a DuckDB file, and returns the number of rows."""
    import duckdb

    store = DuckDBStore(folder / "warehouse.duckdb")
    fill(store, lake)
    with closing(duckdb.connect(str(store.path), read_only=True)) as connection:
        yield lambda sql: len(connection.execute(sql).fetchall())


@contextmanager
def postgres_asks(lake: Lake, folder: Path) -> Iterator[Callable[[str], int]]:
    """The same in an embedded PostgreSQL, whose statistics are up to date."""
    import psycopg

    with EmbeddedPostgres(folder / "postgres").running() as url:
        fill(PostgresStore(url), lake)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ANALYZE")
            yield lambda sql: len(connection.execute(sql).fetchall())


def best(ask: Callable[[str], int], sql: str) -> float:
    """Seconds of the fastest of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        ask(sql)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Read the options, fill the stores and ask."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000, help="trips of each generated month")
    rows = parser.parse_args().rows
    print(f"{len(MONTHS)} months of {rows:,} yellow trips; seconds over marts, and over trips")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = Lake(str(folder / "lake"))
        generate(lake, rows, folder)
        for store, asks in (("duckdb", duckdb_asks), ("postgres", postgres_asks)):
            with asks(lake, folder) as ask:
                for number, sql in over_marts().items():
                    marts, trips = best(ask, sql), best(ask, OVER_TRIPS[number])
                    print(f"{store:10}{number:>3}{marts:>9.3f}{trips:>9.3f}", flush=True)


if __name__ == "__main__":
    main()
