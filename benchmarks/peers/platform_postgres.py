"""This platform without DuckDB and marts: the stores that the other ways fill as well, and nothing made of them."""

from __future__ import annotations

from benchmarks.peers.peer import Peer, Work
from benchmarks.peers.platform import CHECK, run

PEER = Peer(
    title="this platform, `TAXI_WAREHOUSE=off`, `--without-marts`",
    does="lake, cleaned, PostgreSQL",
    leaves_out="DuckDB, marts",
    settings="`taxi run`",
    requirements=(),
    check=CHECK,
)

if __name__ == "__main__":
    run(Work.of_command(), "--without-marts", TAXI_WAREHOUSE="off")
