"""How long readers of PostgreSQL are kept waiting while months are loaded, beside the usual exclusive way.

    python -m benchmarks.blocking
    python -m benchmarks.blocking --rows 2000000 --patience 60

Every case replaces months that stand, in an embedded PostgreSQL. A probe reads the table again and again meanwhile, at
most every ten milliseconds; it is blocked for as long as such a reading takes longer than 25 ms for a lock. The
exclusive way fills a new partition, then asks for ACCESS EXCLUSIVE half a second at a time, with pauses of up to a
quarter of a second; indexes of the table are built as the partition is attached. It gives up after ``--patience``
seconds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from taxi_platform.contracts import CONTRACTS
from taxi_platform.errors import StoreBusyError
from taxi_platform.months import TripMonth

MONTHS = [TripMonth("yellow", date(2021, month, 1)) for month in (1, 2)]
YELLOW = CONTRACTS["yellow"]
TABLE = "taxi.yellow_trips"
INDEXES = ("(pickup_location_id)", "(dropoff_datetime)", "(fare_amount)")
_PROBE_PAUSE, _BLOCKED_FROM = 0.01, 0.025


@dataclass(frozen=True)
class Place:
    """Where rows come from and go to, and how long a load may wait."""

    lakes: tuple[str, str]
    """One with the months as they stand, one with those that replace them."""
    postgres: str
    patience: float


# ---- two ways to load


def with_store(place: Place, month: TripMonth) -> None:
    """As the platform does."""
    _load(place, place.lakes[1], month)


def _load(place: Place, lake_url: str, month: TripMonth) -> None:
    from taxi_platform.stores.lake.lake import Lake
    from taxi_platform.stores.postgres.store import PostgresStore

    lake = Lake(lake_url)
    clean = lake.current_clean(month)
    assert clean is not None
    PostgresStore(place.postgres, wait_seconds=place.patience).replace_month(YELLOW, clean, lake)


def exclusively(place: Place, month: TripMonth) -> None:
    """The trips alone, into a new partition that is exchanged under ACCESS EXCLUSIVE."""
    import psycopg

    from taxi_platform.contracts.schemas import arrow_schema, postgres_columns
    from taxi_platform.stores.lake.lake import Lake
    from taxi_platform.stores.postgres.copy import copy_in

    lake, old = Lake(place.lakes[1]), f"{TABLE}_{month.first_day:%Y_%m}"
    clean = lake.current_clean(month)
    assert clean is not None
    with psycopg.connect(place.postgres) as connection:
        check = f"CHECK (file_month = '{month.first_day}')"
        connection.execute(f"CREATE TABLE {old}_new ({postgres_columns(YELLOW.trips)}, {check})")
        with lake.open_parquet(clean.trips_path) as file:
            copy_in(connection, f"{old}_new", arrow_schema(YELLOW.trips), file.iter_batches(32_768), frozen=True)
        until, pause = time.monotonic() + place.patience, 0.01
        while not _exchanged(connection, old, month):
            if time.monotonic() > until:
                raise StoreBusyError("readers")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)


def _exchanged(connection: Any, old: str, month: TripMonth) -> bool:
    """Whether an attempt of half a second was enough."""
    from psycopg import errors

    try:
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '500ms'")
            connection.execute(f"LOCK TABLE ONLY {TABLE}, ONLY {old} IN ACCESS EXCLUSIVE MODE")
            connection.execute(f"DROP TABLE {old}")
            connection.execute(f"ALTER TABLE {old}_new RENAME TO {old.partition('.')[2]}")
            connection.execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {old} FOR VALUES IN ('{month.first_day}')")
    except errors.LockNotAvailable:
        return False
    return True


WAYS: dict[str, Callable[[Place, TripMonth], None]] = {"exclusive": exclusively, "this platform": with_store}


# ---- what goes on meanwhile


@contextmanager
def an_open_reader(url: str) -> Iterator[None]:
    """A transaction that has read and stays open to the end."""
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute(f"SELECT 1 FROM {TABLE} LIMIT 1")
        yield


@contextmanager
def six_readers(url: str) -> Iterator[None]:
    """Six sessions that read for 0.3 s each, one query after another."""
    import psycopg

    over = threading.Event()

    def read_on() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not over.is_set():
                connection.execute(f"SELECT pg_sleep(0.3) FROM {TABLE} LIMIT 1")

    with ThreadPoolExecutor(6) as pool:
        for _ in range(6):
            pool.submit(read_on)
        try:
            yield
        finally:
            over.set()


@contextmanager
def three_indexes(url: str) -> Iterator[None]:
    """Indexes that somebody has given to the partitioned table."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for columns in INDEXES:
            connection.execute(f"CREATE INDEX ON {TABLE} {columns}")
        yield


class Probe:
    """Reads again and again in a thread of its own; sums up how long it was kept from it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self.blocked = self.longest = self.watched = 0.0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """For as long as the context lasts."""
        thread = threading.Thread(target=self._read_on)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _read_on(self) -> None:
        import psycopg

        with psycopg.connect(self._url, autocommit=True) as connection:
            begun = time.monotonic()
            while not self._over.is_set():
                took = self._waited(connection)
                self.blocked += took
                self.longest = max(self.longest, took)
                time.sleep(_PROBE_PAUSE)
            self.watched = time.monotonic() - begun

    def _waited(self, connection: Any) -> float:
        """Seconds that one reading waited for a lock; none where it was merely slow."""
        from psycopg import errors

        begun = time.monotonic()
        connection.execute(f"SET lock_timeout = {round(_BLOCKED_FROM * 1000)}")
        try:
            connection.execute(f"SELECT 1 FROM {TABLE} LIMIT 1")
        except errors.LockNotAvailable:
            connection.execute("SET lock_timeout = 0")
            connection.execute(f"SELECT 1 FROM {TABLE} LIMIT 1")
            return time.monotonic() - begun
        return 0.0


CASES: dict[str, tuple[Callable[[str], Any] | None, int]] = {
    "nobody else": (None, 1),
    "one open reader, one load": (an_open_reader, 1),
    "one open reader, two loads": (an_open_reader, 2),
    "six readers of 0.3 s back to back": (six_readers, 1),
    "three indexes of the user's": (three_indexes, 1),
}


def measure(way: str, case: str, lakes: tuple[str, str], patience: float) -> str:
    """A line of the table: one way in one case, on a server of its own."""
    from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres

    meanwhile, loads = CASES[case]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = stack.enter_context(EmbeddedPostgres(Path(folder) / "postgres").running())
        place = Place(lakes, url, patience)
        for month in MONTHS[:loads]:
            _load(place, lakes[0], month)
        if meanwhile:
            stack.enter_context(meanwhile(url))
        begun = time.monotonic()
        probe = Probe(url)
        with probe.reading(), ThreadPoolExecutor(loads) as pool:
            futures = [pool.submit(WAYS[way], place, month) for month in MONTHS[:loads]]
            ended = all(not isinstance(future.exception(), StoreBusyError) for future in futures)
            for future in futures:
                if not isinstance(future.exception(), StoreBusyError):
                    future.result()
        took = f"{time.monotonic() - begun:.1f}" if ended else f"> {patience:g}"
        share = probe.blocked / probe.watched
        return f"{case:36}{way:16}{took:>8}{share:>11.1%}{probe.longest:>12.2f}"


def _generate(rows: int, folder: str) -> tuple[str, str]:
    """Two lakes with other versions of the same months, made in processes that give their memory back."""
    code = "import sys; from benchmarks.load import generate; generate(int(sys.argv[1]), *sys.argv[2:])"
    lakes = (f"{folder}/before", f"{folder}/after")
    for lake in lakes:
        for month in MONTHS:
            subprocess.run([sys.executable, "-c", code, str(rows), lake, month.label, Path(lake).name], check=True)
    return lakes


def main() -> None:
    """Read the options and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000, help="trips of each generated month")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds that a load may wait")
    parser.add_argument("--without", action="append", default=[], choices=WAYS, help="leave a way out")
    options = parser.parse_args()
    print(f"yellow, {options.rows:,} rows a month, {os.cpu_count()} cores")
    print(f"{'':36}{'way':16}{'load, s':>8}{'blocked':>11}{'longest, s':>12}")
    with tempfile.TemporaryDirectory() as folder:
        lakes = _generate(options.rows, folder)
        for case in CASES:
            for way in WAYS:
                if way not in options.without:
                    print(measure(way, case, lakes, options.patience), flush=True)


if __name__ == "__main__":
    main()
