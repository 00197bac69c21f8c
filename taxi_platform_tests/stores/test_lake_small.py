"""Small objects of the lake are read without Arrow's threads: one of them aborted a command whose work was done.

A thread of Arrow's may hold Python's bytes for a moment longer than the read, and the interpreter's end then finds it
within C++: "terminate called without an active exception", and the exit code 134 after a run that was good.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform.stores.lake.lake import ZONES_PATH, Lake

READING = """
import os, sys
import pyarrow as pa, pyarrow.parquet as pq
from taxi_platform.stores.lake.lake import Lake

def threads():
    return len(os.listdir("/proc/self/task"))

lake, before = Lake(sys.argv[1]), threads()
zones, dates, stored = lake.zones(), lake.dimensions.rows("dates"), lake.dimensions.stored("codes")
assert zones.num_rows and dates.num_rows and stored.rows
print(threads() - before)
zones_object = pa.BufferReader(open(sys.argv[2], "rb").read())
pq.ParquetFile(zones_object).read(use_threads=True)
print(threads() - before)
"""


def test_reading_small_objects_starts_no_thread(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    lookup = tmp_path / "zones.csv"
    lookup.write_bytes(lookup_csv())
    lake.store_zones(lookup, source_url="file", source_token="a", etag=None, sha256="b", fetched_at="2026-01-01")
    for dimension in DIMENSIONS.values():
        lake.dimensions.store(dimension)
    child = subprocess.run(
        [sys.executable, "-c", READING, str(tmp_path / "lake"), str(tmp_path / "lake" / ZONES_PATH)],
        # Arrow's other allocators have threads of their own.
        env={**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    ours, with_threads = map(int, child.stdout.split())
    assert ours == 0
    assert with_threads > 0, "what is counted does not show Arrow's threads"
