"""What it costs to load a clean month into tables: this platform's stores beside two plain ways into PostgreSQL.

    python -m benchmarks.load --rows 1369765
    python -m benchmarks.load --rows 7667792 --without pandas

Each way runs in a process of its own, after another, from the same Parquet files, into an embedded PostgreSQL or a new
DuckDB file. CPU seconds and the peak of resident memory are the loading process's own, imports included, and those of
the PostgreSQL server stand beside them. The plain ways and the floors write the trips alone, into a table
without index.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psutil

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import ColumnType
from taxi_platform.contracts.schemas import arrow_schema, postgres_columns
from taxi_platform.machine.pandas_free import go_without_pandas
from taxi_platform.months import TripMonth, parse_month

MONTH = TripMonth("yellow", date(2021, 1, 1))
YELLOW = CONTRACTS["yellow"]
_BATCH_ROWS = 131_072


@dataclass(frozen=True)
class Place:
    """Where rows come from and go to."""

    lake: str
    postgres: str
    folder: Path


def with_postgres_store(place: Place) -> int:
    """`PostgresStore`: Arrow batches by binary COPY into a new partition, indexed, counted, exchanged."""
    from taxi_platform.stores.postgres.store import PostgresStore

    return _load(PostgresStore(place.postgres), place.lake)


def with_duckdb_store(place: Place) -> int:
    """`DuckDBStore`: one transaction, 100 MB for DuckDB."""
    from taxi_platform.stores.duckdb.store import DuckDBStore

    return _load(DuckDBStore(place.folder / "warehouse.duckdb"), place.lake)


def _load(store: Any, lake_url: str) -> int:
    from taxi_platform.stores.lake.lake import Lake

    lake = Lake(lake_url)
    clean = lake.current_clean(MONTH)
    assert clean is not None
    rows: int = store.replace_month(YELLOW, clean, lake).counts.trips
    return rows


def with_csv_copy(place: Place) -> int:
    """psycopg and pyarrow: COPY of CSV text, batch by batch."""
    import psycopg
    import pyarrow as pa
    from pyarrow import csv

    with psycopg.connect(place.postgres) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE plain_csv ({postgres_columns(YELLOW.trips)})")
        with cursor.copy("COPY plain_csv FROM STDIN (FORMAT csv, FREEZE)") as copy, _trips(place.lake) as file:
            for batch in file.iter_batches(32_768, use_threads=False):
                text = pa.BufferOutputStream()
                csv.write_csv(batch, text, csv.WriteOptions(include_header=False))
                copy.write(text.getvalue().to_pybytes())
        return cursor.rowcount


def with_pgpq(place: Place, table: str = "floor") -> int:
    """The floor: binary COPY of each batch as it is, into a bare table."""
    import pgpq
    import psycopg

    with psycopg.connect(place.postgres) as connection, connection.cursor() as cursor, _trips(place.lake) as file:
        cursor.execute(f"CREATE TABLE {table} ({postgres_columns(YELLOW.trips)})")
        encoder = pgpq.ArrowToPostgresBinaryEncoder(arrow_schema(YELLOW.trips))
        with cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary, FREEZE)") as copy:
            copy.write(encoder.write_header())
            for batch in file.iter_batches(32_768, use_threads=False):
                copy.write(encoder.write_batch(batch))
            copy.write(encoder.finish())
        return cursor.rowcount


def with_pgpq_and_index(place: Place) -> int:
    """The floor with the index of times that the platform gives every month."""
    import psycopg

    rows = with_pgpq(place, "floor_with_index")
    with psycopg.connect(place.postgres) as connection:
        for name in YELLOW.trips.cluster_by:
            if next(c for c in YELLOW.trips.columns if c.name == name).type is ColumnType.TIMESTAMP:
                connection.execute(f"CREATE INDEX ON floor_with_index USING brin ({name})")
    return rows


def with_duckdb_insert(place: Place) -> int:
    """The floor: DuckDB's own ``INSERT … SELECT``, at the memory that the platform gives it."""
    import duckdb

    from taxi_platform.contracts.schemas import duckdb_columns
    from taxi_platform.stores.lake.lake import Lake

    lake = Lake(place.lake)
    clean = lake.current_clean(MONTH)
    assert clean is not None
    config: dict[str, Any] = {"memory_limit": "100MB", "threads": 2, "preserve_insertion_order": False}
    with (
        duckdb.connect(str(place.folder / "floor.duckdb"), config=config) as connection,
        lake.local_copy(clean.trips_path) as file,
    ):
        connection.execute(f"CREATE TABLE trips ({duckdb_columns(YELLOW.trips)})")
        sql = "INSERT INTO trips BY NAME SELECT * FROM read_parquet(?, hive_partitioning = false)"
        done = connection.execute(sql, [str(file)]).fetchone()
        assert done is not None
        return int(done[0])


def with_pandas(place: Place) -> int:
    """The usual lines: `DataFrame.to_sql` in chunks."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(place.postgres.replace("postgresql://", "postgresql+psycopg2://"))
    rows = 0
    with engine.begin() as connection, _trips(place.lake) as file:
        for batch in file.iter_batches(100_000):
            batch.to_pandas().to_sql("plain_pandas", connection, if_exists="append", index=False)
            rows += batch.num_rows
    engine.dispose()
    return rows


@contextlib.contextmanager
def _trips(lake_url: str) -> Any:
    from taxi_platform.stores.lake.lake import Lake

    lake = Lake(lake_url)
    clean = lake.current_clean(MONTH)
    assert clean is not None
    with lake.open_parquet(clean.trips_path) as file:
        yield file


WAYS: dict[str, Callable[[Place], int]] = {
    "PostgresStore": with_postgres_store,
    "pgpq, floor": with_pgpq,
    "floor, index": with_pgpq_and_index,
    "DuckDBStore": with_duckdb_store,
    "INSERT, floor": with_duckdb_insert,
    "csv copy": with_csv_copy,
    "pandas": with_pandas,
}


def _city(random: Any, first_day: date, done: int, count: int, total: int) -> dict[str, Any]:
    """The next ``count`` trips after ``done`` of ``total``, as a city has them and upstream's files bring them.

    Few zones have most, what is far takes long and costs much, and a month's file goes through its days: of two rows in
    a row, 97 to 99 in a hundred of the real files begin within one hour.
    """
    import numpy as np

    # Sixty zones have nine of ten trips, as in Manhattan. Zones lie in a plane, and a trip takes what its way takes.
    places = np.random.default_rng(2).uniform(0, 8, (266, 2))
    zones, busy = np.arange(1, 266), np.exp(-np.arange(265) / 26.0)
    pickups, dropoffs = (random.choice(zones, count, p=busy / busy.sum()) for _ in range(2))
    way = np.hypot(*(places[pickups] - places[dropoffs]).T) + 0.4
    miles = np.round(way * random.lognormal(0, 0.1, count), 2)
    minutes = 2 + miles * 5 * random.lognormal(0, 0.25, count)
    fare = np.round((2.5 + 2.5 * miles + 0.3 * minutes) * 2) / 2
    tip = np.round(fare * random.choice([0, 0.2, 0.25], count), 2)
    lasts = monthrange(first_day.year, first_day.month)[1] * 86_400
    seconds = (done + np.arange(count)) / total * lasts + random.uniform(-1800, 1800, count)
    pickup = np.datetime64(first_day, "us") + seconds.clip(0, lasts - 1).astype("timedelta64[s]")
    return {
        "pickup_datetime": pickup,
        "dropoff_datetime": pickup + (minutes * 60).astype("timedelta64[s]"),
        "pickup_location_id": pickups,
        "dropoff_location_id": dropoffs,
        "passenger_count": random.integers(1, 4, count),
        "payment_type": random.integers(1, 3, count),
        "rate_code_id": random.choice([1, 2, 5], count, p=[0.96, 0.03, 0.01]),
        "trip_distance": miles,
        "fare_amount": fare,
        "tip_amount": tip,
        "total_amount": np.round(fare + tip + 3.3, 2),
    }


def generate(
    rows: int, lake_url: str, label: str = MONTH.label, version: str = "v1", *, like_a_city: bool = False
) -> None:
    """Put a clean month of so many trips into a lake, and a hundredth as many quarantined rows.

    Every cell is random, or zones, times and amounts belong together where the month is to be like a city's.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from taxi_platform.references import FACTS_KEY, CleanFacts, StagedClean
    from taxi_platform.stores.lake.lake import Lake

    random = np.random.default_rng(1)
    month = TripMonth(MONTH.dataset, parse_month(label))

    def column(field: pa.Field, count: int, known: dict[str, Any]) -> pa.Array:
        if field.name in known:
            return pa.array(known[field.name])
        if field.name == "file_month":
            return pa.array([month.first_day] * count)
        if pa.types.is_timestamp(field.type):
            start = np.datetime64(month.first_day, "us")
            return pa.array(start + random.integers(0, 31 * 86_400, count).astype("timedelta64[s]"))
        if pa.types.is_list(field.type):
            return pa.array([["negative_total"]] * count)
        if pa.types.is_string(field.type):
            return pa.array(["N"] * count)
        if pa.types.is_integer(field.type):
            return pa.array(
                random.integers(1, 266, count), mask=None if not field.nullable else random.random(count) < 0.1
            )
        return pa.array(np.round(random.random(count) * 60, 2), mask=random.random(count) < 0.1)

    facts = CleanFacts(version, "r1", rows + rows // 100, rows, rows // 100, {"negative_total": rows // 100})
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for table, total in ((YELLOW.trips, rows), (YELLOW.quarantine, rows // 100)):
            schema = arrow_schema(table).with_metadata({FACTS_KEY: json.dumps(facts.to_json()).encode()})
            files.append(Path(folder) / f"{table.name}.parquet")
            with pq.ParquetWriter(files[-1], schema, compression="zstd", compression_level=1) as writer:
                for done in range(0, total, _BATCH_ROWS):
                    count = min(_BATCH_ROWS, total - done)
                    city = like_a_city and table is YELLOW.trips
                    known = _city(random, month.first_day, done, count, total) if city else {}
                    columns = [column(field, count, known).cast(field.type) for field in schema]
                    writer.write_table(pa.table(columns, schema=schema))
        Lake(lake_url).store_clean(StagedClean(month, facts, *files))


def measure(way: str, place: Place) -> None:
    """Run one way here and print what it cost as JSON."""
    if way != "pandas":
        go_without_pandas()  # as the command does, and a script without pandas in its environment
    start = time.perf_counter()
    rows = WAYS[way](place)
    wall = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cost = {"rows": rows, "cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "peak_mib": usage.ru_maxrss / 1024}
    print(json.dumps(cost))


def compare(rows: int, ways: list[str]) -> None:
    """Run every way in a process of its own and print a line for each."""
    from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres

    with tempfile.TemporaryDirectory() as folder:
        lake = f"{folder}/lake"
        code = "import sys; from benchmarks.load import generate; generate(int(sys.argv[1]), sys.argv[2])"
        subprocess.run([sys.executable, "-c", code, str(rows), lake], check=True)
        print(f"yellow, {rows:,} rows, {os.cpu_count()} cores")
        print(f"{'':16}{'rows':>12}{'CPU s':>8}{'server':>8}{'wall s':>8}{'rows/s':>10}{'peak MiB':>10}")
        with EmbeddedPostgres(Path(folder) / "postgres").running() as postgres:
            (lock,) = Path(folder, "postgres").rglob("postmaster.pid")
            server = psutil.Process(int(lock.read_text().split()[0]))
            for way in ways:
                before = _cpu_of(server)
                command = [sys.executable, "-m", "benchmarks.load", "--measure", way, lake, postgres, folder]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                cost = json.loads(done.stdout)
                time.sleep(0.2)  # the session's process has ended by then, and its server counts it
                beside = _cpu_of(server) - before
                print(
                    f"{way:16}{cost['rows']:>12,}{cost['cpu']:>8.1f}{beside:>8.1f}{cost['wall']:>8.1f}"
                    f"{cost['rows'] / cost['wall']:>10,.0f}{cost['peak_mib']:>10,.0f}",
                    flush=True,
                )


def _cpu_of(server: psutil.Process) -> float:
    """CPU seconds of a server with all its processes, ended ones too."""
    running = sum(sum(process.cpu_times()[:2]) for process in (server, *server.children(recursive=True)))
    return float(running + sum(server.cpu_times()[2:4]))


def main() -> None:
    """Read the options and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000, help="trips of the generated month")
    parser.add_argument("--without", action="append", default=[], choices=WAYS, help="leave a way out")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        way, lake, postgres, folder = options.measure
        measure(way, Place(lake, postgres, Path(folder)))
    else:
        compare(options.rows, [way for way in WAYS if way not in options.without])


if __name__ == "__main__":
    main()
