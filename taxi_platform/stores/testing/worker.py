"""A process of its own that loads months or makes their marts, for tests of several processes at one store.

Belongs here: the process, and starting it. Does not: what is expected of it (``sharing``).

``python -m taxi_platform.stores.testing.worker OPENER ADDRESS LAKE MONTH...`` prints per month whether the store
changed. The opener is ``module:name`` of what takes the address. With ``PAUSE`` in the environment it stops for good in
the middle of the first month, after a line that says so: with `A_MONTH` while it loads that, with `ALL_MARTS` when all
of the month's marts have their rows.
"""
# ruff: noqa: T201 - what it prints is what tests read

from __future__ import annotations

import importlib
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
from taxi_platform.marts import marts_of
from taxi_platform.months import TripMonth, parse_month
from taxi_platform.stores import bookkeeping
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import MartStore, TableStore

__all__ = ["ALL_MARTS", "A_MONTH", "Process", "ends", "half_way", "killed_half_way", "start"]

Process = subprocess.Popen[str]
A_MONTH, ALL_MARTS = "month", "marts"


class PausingLake(Lake):
    """Stops the process in the middle of a month, once the store has read a table of it, or the first rows."""

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
            _pause()

        read = file.read

        def pausing_read(*arguments: Any, **options: Any) -> Any:
            table = read(*arguments, **options)
            _pause()
            return table

        file.iter_batches, file.read = pausing, pausing_read
        return file


def start(opener: str, address: str, lake: Lake, *months: date, pause: str = "") -> Process:
    """Load green months, or make their marts, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", __name__, opener, address, lake.url, *map(str, months)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PAUSE": pause},
    )


def ends(process: Process) -> list[str]:
    """What it printed, once it ended well."""
    with process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return output.split()


def killed_half_way(process: Process) -> None:
    """Kill it with SIGKILL once it is in the middle of its month."""
    with half_way(process):
        process.kill()


@contextmanager
def half_way(process: Process) -> Iterator[None]:
    """The process in the middle of its month; it is to be killed before the context ends."""
    with process:
        stdout: IO[str] | None = process.stdout
        assert stdout is not None
        half, _, pipe = stdout.readline().rstrip("\n").partition(" ")
        assert half == "half"
        try:
            # Opening a pipe waits until it is being read: the trips are in by then.
            with open(pipe or os.devnull, "w"):  # noqa: PTH123
                yield
        finally:
            process.kill()
            process.wait()


def _pause() -> None:
    print("half", flush=True)
    time.sleep(600)


def main(opener: str, address: str, lake_url: str, *months: str) -> None:
    """Load those months into the store at that address, or make their marts there."""
    pause, green = os.environ.get("PAUSE", ""), CONTRACTS["green"]
    makes_marts = pause == ALL_MARTS
    if makes_marts:
        # Stores import the function by name, so this comes before they are imported.
        bookkeeping.check_marts = lambda *_: _pause()
    lake = PausingLake(lake_url) if pause == A_MONTH else Lake(lake_url)
    module, _, name = opener.partition(":")
    store: TableStore = getattr(importlib.import_module(module), name)(address)
    for month in map(parse_month, months):
        if makes_marts:
            assert isinstance(store, MartStore)
            print(store.make_marts(green, marts_of(green), month).changed, flush=True)
            continue
        clean = lake.current_clean(TripMonth("green", month))
        assert clean is not None
        print(store.replace_month(green, clean, lake).changed, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
