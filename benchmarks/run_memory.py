"""Peak memory and time of one whole ``taxi run`` of a generated month.

    python -m benchmarks.run_memory --rows 7667792

Belongs here: watching the process tree from outside. The PostgreSQL server counts apart: it would be another machine's
in production. Memory is the sum of unique set sizes (USS), read every 50 ms, so that shared pages count once a process.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

_INTERVAL_SECONDS = 0.05


def main() -> None:
    """Run, watch, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=7_667_792)
    parser.add_argument("--dataset", default="yellow")
    parser.add_argument("--month", default="2019-03")
    parser.add_argument("--format", default="csv.gz", choices=["csv.gz", "parquet"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "TAXI_DATA": folder,
            "TAXI_SOURCE": "sample",
            "TAXI_SAMPLE_ROWS": str(arguments.rows),
            "TAXI_SAMPLE_FORMAT": arguments.format,
        }
        command = [sys.executable, "-m", "taxi_platform.cli", "run"]
        options = ["--datasets", arguments.dataset, "--months", arguments.month]
        started = time.perf_counter()
        run = psutil.Popen([*command, *options], env=environment, cwd=folder)
        peaks = _watch(run, folder)
        seconds = time.perf_counter() - started
    if run.returncode:
        sys.exit(f"taxi run failed with exit code {run.returncode}")
    print(f"\n{arguments.rows:,} rows, {arguments.format}: {seconds:.1f} s, {arguments.rows / seconds:,.0f} rows/s")
    print(f"peak memory: taxi {peaks['taxi'] / 1e6:,.0f} MB, PostgreSQL server apart {peaks['postgres'] / 1e6:,.0f} MB")


def _watch(run: psutil.Popen, folder: str) -> Counter[str]:
    peaks: Counter[str] = Counter()
    while run.poll() is None:
        server = _server(folder)
        now = Counter(taxi=_memory(run), postgres=_memory(server) if server else 0)
        for kind, size in now.items():
            peaks[kind] = max(peaks[kind], size)
        time.sleep(_INTERVAL_SECONDS)
    return peaks


def _memory(process: psutil.Process) -> int:
    """Unique memory of a process and its children, in bytes; 0 for what has ended meanwhile."""
    total = 0
    try:
        for member in [process, *process.children(recursive=True)]:
            total += member.memory_full_info().uss
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        pass
    return total


def _server(folder: str) -> psutil.Process | None:
    """The embedded server: it is nobody's child, but its data folder names it."""
    try:
        return psutil.Process(int((Path(folder) / "postgres" / "data" / "postmaster.pid").read_text().split()[0]))
    except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
        return None


if __name__ == "__main__":
    main()
