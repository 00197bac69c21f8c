"""What a big month adds to the memory of a run on Google Cloud: uploading it to a bucket, loading it into BigQuery.

    python -m benchmarks.cloud_memory --rows 7667792

Belongs here: this platform's two steps on the emulators that the tests use, each in a process of its own, once with a
generated month without a row and once with the big one; and BigQuery's load from a lake on disk, which uploads too.
Memory is the peak of resident memory, imports included. It ends with an error where a step exceeds what is promised:
50 MB more for a load from the bucket, which no row passes through, 100 MB for an upload.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.load import MONTH, YELLOW
from tools.emulators.bigquery import PROJECT, emulated_bigquery
from tools.emulators.gcs import create_bucket, emulated_gcs
from tools.emulators.process import EmulatorMissingError

_BUCKET = "taxi-lake"


def upload(disk: str, bucket: str, warehouse: str) -> int:  # noqa: ARG001
    """A cleaned month from local files into the bucket."""
    from taxi_platform.references import StagedClean
    from taxi_platform.stores.lake.lake import Lake

    clean = _clean(disk)
    files = (Path(disk) / clean.trips_path, Path(disk) / clean.quarantine_path)
    return Lake(bucket).store_clean(StagedClean(MONTH, clean.facts, *files)).facts.trips_rows


def load(disk: str, bucket: str, warehouse: str) -> int:  # noqa: ARG001
    """A month from the bucket into BigQuery."""
    return _load(bucket, warehouse)


def load_from_disk(disk: str, bucket: str, warehouse: str) -> int:  # noqa: ARG001
    """A month from a lake on disk into BigQuery."""
    return _load(disk, warehouse)


def _load(lake: str, warehouse: str) -> int:
    from taxi_platform.stores.bigquery.store import BigQueryStore
    from taxi_platform.stores.lake.lake import Lake

    return BigQueryStore(warehouse).replace_month(YELLOW, _clean(lake), Lake(lake)).counts.trips


def _clean(lake: str) -> Any:
    from taxi_platform.stores.lake.lake import Lake

    clean = Lake(lake).current_clean(MONTH)
    assert clean is not None
    return clean


STEPS: dict[str, tuple[Callable[[str, str, str], int], int]] = {
    "upload": (upload, 100),
    "load": (load, 50),
    "load from disk": (load_from_disk, 100),
}
"""Each step, and the MB that the big month may add to it."""


def measure(step: str, disk: str, bucket: str, warehouse: str) -> None:
    """Run one step here and print what it cost as JSON."""
    start = time.perf_counter()
    rows = STEPS[step][0](disk, bucket, warehouse)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"rows": rows, "wall": time.perf_counter() - start, "peak": peak}))


def compare(rows: int, folder: Path) -> list[str]:
    """Run every step with and without rows, print a line for each, and return those that add too much."""
    code = "import sys; from benchmarks.load import generate; generate(int(sys.argv[1]), sys.argv[2])"
    for count in (0, rows):
        subprocess.run([sys.executable, "-c", code, str(count), str(folder / f"lake{count}")], check=True)
    print(f"yellow, {rows:,} rows, {os.cpu_count()} cores")
    print(f"{'':16}{'rows':>12}{'wall s':>8}{'empty MB':>10}{'peak MB':>10}{'more MB':>10}{'at most':>10}")
    exceeding = []
    for step, (_, most) in STEPS.items():
        empty, full = (_measured(step, count, folder) for count in (0, rows))
        more = (full["peak"] - empty["peak"]) / 1e6
        print(
            f"{step:16}{full['rows']:>12,}{full['wall']:>8.1f}{empty['peak'] / 1e6:>10,.0f}{full['peak'] / 1e6:>10,.0f}"
            f"{more:>10,.0f}{most:>10}",
            flush=True,
        )
        if more > most:
            exceeding.append(step)
    return exceeding


def _measured(step: str, rows: int, folder: Path) -> dict[str, float]:
    """The step by itself, in a part of the bucket and a dataset of its own; a load from the bucket finds its month."""
    bucket, warehouse = f"gs://{_BUCKET}/{rows}", f"bigquery://{PROJECT}/{step.replace(' ', '_')}_{rows}"
    command = [sys.executable, "-m", "benchmarks.cloud_memory", "--measure", step, str(folder / f"lake{rows}")]
    done = subprocess.run([*command, bucket, warehouse], check=True, stdout=subprocess.PIPE, text=True)
    cost: dict[str, float] = json.loads(done.stdout)
    return cost


def main() -> None:
    """Read the options, start the emulators and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=7_667_792, help="trips of the big month")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            with emulated_gcs(folder / "gcs.log") as gcs, emulated_bigquery(folder, gcs) as bigquery:
                create_bucket(gcs, _BUCKET)
                os.environ.update(STORAGE_EMULATOR_HOST=gcs, BIGQUERY_EMULATOR_HOST=bigquery)
                exceeding = compare(options.rows, folder)
        except EmulatorMissingError as error:
            sys.exit(f"the emulators cannot run on this machine: {error}")
    if exceeding:
        sys.exit(f"more memory than promised: {', '.join(exceeding)}")


if __name__ == "__main__":
    main()
