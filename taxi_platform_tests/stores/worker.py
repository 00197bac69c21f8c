"""A process of its own that loads months, for tests of several processes at one store.

``python -m taxi_platform_tests.stores.worker STORE LAKE MONTH...`` prints per month whether the store changed. With
``PAUSE=1`` in the environment it stops for good in the middle of the first month, after a line that says so.
"""
# ruff: noqa: T201 - what it prints is what tests read

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path
from typing import IO, Any

import pyarrow.parquet as pq

from taxi_platform.contracts import CONTRACTS
from taxi_platform.months import TripMonth, parse_month
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import TableStore
from taxi_platform.stores.postgres.store import PostgresStore

ROOT = Path(__file__).parents[2]


class PausingLake(Lake):
    """Stops the process in the middle of a month: after the trips, or (PostgreSQL) within their COPY."""

    def local_copy(self, path: str) -> AbstractContextManager[Path]:
        return self._pipe() if path.startswith("quarantine") else super().local_copy(path)

    @contextmanager
    def _pipe(self) -> Iterator[Path]:
        """A named pipe instead of the file: reading it waits for a writer."""
        pipe = Path(self.url) / "pipe"
        os.mkfifo(pipe)
        print(f"half {pipe}", flush=True)
        yield pipe

    def open_parquet(self, path: str) -> pq.ParquetFile:
        file = super().open_parquet(path)
        batches = file.iter_batches

        def pausing(*arguments: Any, **options: Any) -> Iterator[Any]:
            yield from batches(*arguments, **options)
            print("half", flush=True)
            time.sleep(600)

        file.iter_batches = pausing
        return file


def start(store: TableStore, lake: Lake, *months: date, pause: bool = False) -> subprocess.Popen[str]:
    """Load green months in a process of its own."""
    url = store.url if isinstance(store, PostgresStore) else str(store.path) if isinstance(store, DuckDBStore) else ""
    return subprocess.Popen(
        [sys.executable, "-m", "taxi_platform_tests.stores.worker", url, lake.url, *map(str, months)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PAUSE": "1" if pause else ""},
    )


def ends(process: subprocess.Popen[str]) -> list[str]:
    """What it printed, once it ended well."""
    with process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return output.split()


def killed_half_way(process: subprocess.Popen[str]) -> None:
    """Kill it with SIGKILL once it is in the middle of its month."""
    with process:
        stdout: IO[str] | None = process.stdout
        assert stdout is not None
        half, _, pipe = stdout.readline().rstrip("\n").partition(" ")
        assert half == "half"
        # Opening a pipe waits until it is being read: the trips are in by then.
        with open(pipe or os.devnull, "w"):  # noqa: PTH123
            process.kill()
            process.wait()


def main(url: str, lake_url: str, *months: str) -> None:
    lake = PausingLake(lake_url) if os.environ.get("PAUSE") else Lake(lake_url)
    store: TableStore = PostgresStore(url) if url.startswith("postgresql:") else DuckDBStore(url)
    for month in months:
        clean = lake.current_clean(TripMonth("green", parse_month(month)))
        assert clean is not None
        print(store.replace_month(CONTRACTS["green"], clean, lake).changed, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
