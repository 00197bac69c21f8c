"""The ten questions of docs/questions.md over marts, beside the same questions over trips, in DuckDB and PostgreSQL.

    python -m benchmarks.questions --rows 1000000

The store has thirteen generated months of yellow trips with so many rows each, so that a year before is there. A time
is in seconds of wall clock, of one connection: the best of three, or of as many as begin within five seconds. Answers
over trips are exact where those over marts are whole dollars and minutes. The table is Markdown.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.load import YELLOW, generate
from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.contracts.zones import ZONES
from taxi_platform.marts import marts_of
from taxi_platform.marts.questions import QUESTIONS
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres
from taxi_platform.stores.postgres.store import PostgresStore

MONTHS = [*(date(2024, month, 1) for month in range(1, 13)), date(2025, 1, 1)]
"""A year with the month a year before its last; trips in the last two began before and after congestion pricing."""
_JANUARY = "file_month = DATE '2025-01-01'"

STORES = {"duckdb": "DuckDB", "postgres": "PostgreSQL"}
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
            WHERE file_month IN (DATE '2024-01-01', DATE '2025-01-01') GROUP BY 1, 2, 3, 4
        )
        SELECT mine.*, 100.0 * (mine.trips - old.trips) / old.trips FROM zones AS mine JOIN zones AS old
            ON old.dataset = mine.dataset AND old.pickup_location_id = mine.pickup_location_id
        WHERE mine.{_JANUARY} AND old.file_month = DATE '2024-01-01' AND old.trips >= 10
    """,
    10: """
        SELECT dataset, pickup_datetime < TIMESTAMP '2025-01-05', pickup_in_cbd OR dropoff_in_cbd, count(*),
               count(*) * 1.0 / count(DISTINCT CAST(pickup_datetime AS date)), sum(cbd_congestion_fee)
        FROM taxi.trips WHERE pickup_datetime BETWEEN TIMESTAMP '2024-12-01' AND TIMESTAMP '2025-02-28' GROUP BY 1, 2, 3
    """,
}
"""Question → a query over the trips that answers it."""
OVER_MARTS = {
    number: question.answers[0].sql.replace("2020-01-01", "2025-01-01")
    for number, question in enumerate(QUESTIONS, start=1)
}
"""Question → the query of the page, about the last month; the first where it has two."""


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


def generate_year(lake: Lake, rows: int, folder: Path) -> None:
    """Put generated months, as a city has them, and the zones into the lake."""
    lookup = folder / "zones.csv"
    lookup.write_bytes(lookup_csv())
    fetched_at = "2026-01-01T00:00:00"
    lake.store_zones(
        lookup, source_url="sample://zones", source_token="t", etag=None, sha256="0", fetched_at=fetched_at
    )
    for first_day in MONTHS:
        generate(rows, lake.url, f"{first_day:%Y-%m}", f"v{first_day:%Y%m}", like_a_city=True)


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
    """Seconds of the fastest of three, or of as many as begin within five seconds."""
    begin, times = time.perf_counter(), list[float]()
    while len(times) < 3 and (not times or time.perf_counter() - begin < 5):
        start = time.perf_counter()
        ask(sql)
        times.append(time.perf_counter() - start)
    return min(times)


def table(found: Mapping[str, Mapping[int, tuple[float, float]]]) -> str:
    """Store → number of the question → seconds over marts and over trips, as Markdown."""
    lines = [
        f"| | {' | '.join(f'{name}, over marts | over trips' for name in STORES.values())} |",
        f"|---{'|---' * 2 * len(STORES)}|",
    ]
    for number, question in enumerate(QUESTIONS, start=1):
        cells = [f"{seconds:.2f}" for store in STORES for seconds in found[store][number]]
        lines.append(f"| {number}. {question.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Read the options, fill the stores and ask."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000, help="trips of each generated month")
    rows = parser.parse_args().rows
    begin, found = time.perf_counter(), dict[str, dict[int, tuple[float, float]]]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = Lake(str(folder / "lake"))
        generate_year(lake, rows, folder)
        for store, asks in (("duckdb", duckdb_asks), ("postgres", postgres_asks)):
            with asks(lake, folder) as ask:
                found[store] = {
                    number: (best(ask, sql), best(ask, OVER_TRIPS[number])) for number, sql in OVER_MARTS.items()
                }
    minutes = (time.perf_counter() - begin) / 60
    about = f"{len(MONTHS)} months of {rows:,} yellow trips, in seconds; it took {minutes:.0f} minutes in all"
    print(f"{about}:\n\n{table(found)}")


if __name__ == "__main__":
    main()
