"""This platform without DuckDB: the stores that the other ways fill as well."""

from __future__ import annotations

from benchmarks.peers.peer import Peer, Work
from benchmarks.peers.platform import CHECK, run

PEER = Peer(
    title="this platform, `TAXI_WAREHOUSE=off`",
    does="lake, cleaned, PostgreSQL, marts",
    leaves_out="DuckDB",
    settings="`taxi run`",
    requirements=(),
    check=CHECK,
)

if __name__ == "__main__":
    run(Work.of_command(), TAXI_WAREHOUSE="off")
