"""A process of its own that loads months, for tests of several processes at one store.

Belongs here: the process, and starting it. Does not: what is expected of it (``sharing``).

``python -m taxi_platform.stores.testing.worker OPENER ADDRESS LAKE MONTH...`` prints per month whether the store
changed. The opener is ``module:name`` of what takes the address. With ``PAUSE=1`` in the environment it stops for good
in the middle of the first month, after a line that says so.
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
from taxi_platform.months import TripMonth, parse_month
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import TableStore

__all__ = ["Process", "ends", "killed_half_way", "start"]

Process = subprocess.Popen[str]


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
            print("half", flush=True)
            time.sleep(600)

        read = file.read

        def pausing_read(*arguments: Any, **options: Any) -> Any:
            table = read(*arguments, **options)
            print("half", flush=True)
            time.sleep(600)
            return table

        file.iter_batches, file.read = pausing, pausing_read
        return file


def start(opener: str, address: str, lake: Lake, *months: date, pause: bool = False) -> Process:
    """Load green months in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", __name__, opener, address, lake.url, *map(str, months)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PAUSE": "1" if pause else ""},
    )


def ends(process: Process) -> list[str]:
    """What it printed, once it ended well."""
    with process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return output.split()


def killed_half_way(process: Process) -> None:
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


def main(opener: str, address: str, lake_url: str, *months: str) -> None:
    """Load those months into the store at that address."""
    lake = PausingLake(lake_url) if os.environ.get("PAUSE") else Lake(lake_url)
    module, _, name = opener.partition(":")
    store: TableStore = getattr(importlib.import_module(module), name)(address)
    for month in months:
        clean = lake.current_clean(TripMonth("green", parse_month(month)))
        assert clean is not None
        print(store.replace_month(CONTRACTS["green"], clean, lake).changed, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
