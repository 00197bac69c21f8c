"""What it costs to make the marts of a month, beside loading that month, in DuckDB and in PostgreSQL.

    python -m benchmarks.marts --rows 1000000 --rows 2000000 --rows 7667792

Each store works in a process of its own, on a month that is generated for it. CPU seconds are of that process and, for
PostgreSQL, of the embedded server too; resident memory is the process's own peak. The look at marts that have not
changed is measured as well.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from benchmarks.load import MONTH, YELLOW, generate
from taxi_platform.marts import marts_of
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.warehouse import open_warehouse

STORES = ("duckdb", "postgres")


def measure(store: str, folder: Path) -> None:
    """Load the month, make its marts, look at them again; print what each cost as JSON."""
    if store == "duckdb":
        print(json.dumps(_costs(open_warehouse(str(folder / "warehouse.duckdb")), folder, list)))
        return
    from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres
    from taxi_platform.stores.postgres.store import PostgresStore

    with EmbeddedPostgres(folder / "postgres").running() as url:
        (lock,) = (folder / "postgres").rglob("postmaster.pid")
        server = psutil.Process(int(lock.read_text().split()[0]))
        # Autovacuum would look at the month's new rows while its marts are made, and the server's CPU is counted.
        with lock.with_name("postgresql.conf").open("a") as settings:
            settings.write("\nautovacuum = off\n")
        server.send_signal(signal.SIGHUP)
        print(json.dumps(_costs(PostgresStore(url), folder, lambda: [server, *server.children(recursive=True)])))


def _costs(store: Any, folder: Path, servers: Callable[[], list[psutil.Process]]) -> dict[str, Any]:
    lake, marts = Lake(str(folder / "lake")), marts_of(YELLOW)
    clean = lake.current_clean(MONTH)
    assert clean is not None
    steps: dict[str, Callable[[], Any]] = {
        "load": lambda: store.replace_month(YELLOW, clean, lake),
        "marts": lambda: store.make_marts(YELLOW, marts, MONTH.first_day),
        "unchanged": lambda: store.make_marts(YELLOW, marts, MONTH.first_day),
    }
    costs: dict[str, Any] = {}
    for name, step in steps.items():
        before, start = _cpu(servers()), time.perf_counter()
        done = step()
        wall = time.perf_counter() - start
        time.sleep(0.2)  # the session's process has ended by then, and its server counts it
        costs[name] = {"cpu": _cpu(servers()) - before, "wall": wall}
        assert done.changed == (name != "unchanged")
    costs["peak_mib"] = psutil.Process().memory_info().rss / 2**20
    return costs


def _cpu(servers: list[psutil.Process]) -> float:
    """CPU seconds of this process and of a server with all its processes, ended ones too."""
    own = psutil.Process().cpu_times()
    total = own.user + own.system
    for number, process in enumerate(servers):
        times = process.cpu_times()
        total += times.user + times.system
        total += times.children_user + times.children_system if number == 0 else 0
    return float(total)


def main() -> None:
    """Read the options and measure every store with every number of rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, action="append", help="trips of the generated month; may be repeated")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure[0], Path(options.measure[1]))
        return
    print(f"yellow, {os.cpu_count()} cores, {len(marts_of(YELLOW))} marts; CPU s and wall s")
    print(f"{'':10}{'rows':>11}{'load':>16}{'marts':>16}{'unchanged':>16}{'marts : load':>14}{'MiB':>6}")
    for rows in options.rows or [1_000_000]:
        for store in STORES:
            with tempfile.TemporaryDirectory() as folder:
                generate(rows, f"{folder}/lake", like_a_city=True)
                command = [sys.executable, "-m", "benchmarks.marts", "--measure", store, folder]
                costs = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            cells = "".join(f"{costs[s]['cpu']:>8.2f}{costs[s]['wall']:>8.2f}" for s in ("load", "marts", "unchanged"))
            ratio = costs["marts"]["cpu"] / costs["load"]["cpu"]
            print(f"{store:10}{rows:>11,}{cells}{ratio:>14.2f}{costs['peak_mib']:>6.0f}", flush=True)


if __name__ == "__main__":
    main()
