"""This platform with all its stores and no marts: what it did before there were any."""

from __future__ import annotations

from benchmarks.peers.peer import Peer, Work
from benchmarks.peers.platform import CHECK, run

PEER = Peer(
    title="this platform, `--without-marts`",
    does="lake, cleaned, DuckDB, PostgreSQL",
    leaves_out="marts",
    settings="`taxi run`",
    requirements=(),
    check=CHECK,
)

if __name__ == "__main__":
    run(Work.of_command(), "--without-marts")
