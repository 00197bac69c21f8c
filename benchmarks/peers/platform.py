"""This platform, every store: ``taxi run`` of the month."""

from __future__ import annotations

import os
import sys

from benchmarks.peers.peer import AMOUNT, MONTH, Peer, Work

CHECK = (
    "SELECT (SELECT count(*) FROM taxi.yellow_trips) + (SELECT count(*) FROM taxi.yellow_quarantine), "
    f"(SELECT sum({AMOUNT}) FROM taxi.yellow_trips) + "
    f"coalesce((SELECT sum((raw::jsonb ->> '{AMOUNT}')::float8) FROM taxi.yellow_quarantine), 0)"
)
"""Nothing is lost: trips and quarantine together have every row and every amount of the file."""
PEER = Peer(
    title="this platform",
    does="lake, cleaned, DuckDB, PostgreSQL, marts",
    leaves_out="nothing",
    settings="`taxi run`",
    requirements=(),
    check=CHECK,
)


def run(work: Work, *options: str, **more: str) -> None:
    """Become ``taxi run`` with those options over that upstream and that PostgreSQL."""
    variables = {
        "TAXI_DATA": str(work.folder / "data"),
        "TAXI_SOURCE": "dtc",
        "TAXI_SOURCE_URL": work.url,
        "TAXI_POSTGRES": work.postgres,
        **more,
    }
    command = [sys.executable, "-m", "taxi_platform.cli", "run", "--datasets", "yellow", "--months", MONTH]
    os.execve(sys.executable, [*command, *options], {**os.environ, **variables})


if __name__ == "__main__":
    run(Work.of_command())
