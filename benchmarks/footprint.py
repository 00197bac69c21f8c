"""Bytes a row takes upstream, in the lake and in each store of tables: what ``taxi run --plan`` multiplies.

    python -m benchmarks.footprint --rows 500000
    python -m benchmarks.footprint --published FOLDER

Belongs here: measuring generated months in real stores. Does not: the plan (``taxi_platform.inspection.planning``,
which has the figures as `FOOTPRINTS`).

Of each dataset a month of 1,000 rows is brought, then a large one, then its marts; each figure is the growth of the
folders between two of these, for each row of the large one. PostgreSQL's log of changes is not counted. BigQuery's are
the logical bytes that it bills. The second command counts the rows of upstream's own files in a folder
of them; generated files take more bytes a row than those do.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.storage import logical_bytes
from taxi_platform.contracts import CONTRACTS

_SMALL, _LARGE = "2020-01", "2020-02"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--datasets", default=",".join(CONTRACTS))
    parser.add_argument("--published", type=Path, help="a folder with upstream's own files, however deep in it")
    arguments = parser.parse_args()
    if arguments.published:
        _count(arguments.published)
        return
    for dataset in arguments.datasets.split(","):
        with tempfile.TemporaryDirectory() as name:
            print(dataset, json.dumps(_measured(Path(name), dataset, arguments.rows)), flush=True)


def _count(folder: Path) -> None:
    """Print the bytes a row of each dataset's files takes, by format."""
    for dataset in CONTRACTS:
        csv = {path: _csv_rows(path) for path in folder.rglob(f"{dataset}_tripdata_*.csv.gz")}
        parquet = {path: pq.read_metadata(path).num_rows for path in folder.rglob(f"{dataset}_tripdata_*.parquet")}
        for name, rows in (("csv.gz", csv), ("parquet", parquet)):
            if rows:
                print(dataset, name, round(sum(path.stat().st_size for path in rows) / sum(rows.values()), 1))


def _csv_rows(path: Path) -> int:
    with gzip.open(path) as lines:
        return sum(1 for _ in lines) - 1


def _measured(folder: Path, dataset: str, rows: int) -> dict[str, float]:
    _run(folder, dataset, _SMALL, 1_000, marts="off")
    before = _sizes(folder)
    _run(folder, dataset, _LARGE, rows, marts="off")
    tables = _sizes(folder)
    _run(folder, dataset, _LARGE, rows, marts="on")
    marts = _sizes(folder)
    found = {place: round((tables[place] - before[place]) / rows, 1) for place in tables}
    found |= {f"{place}_marts": round((marts[place] - tables[place]) / rows, 1) for place in ("duckdb", "postgresql")}
    (trips,) = folder.glob(f"lake/trips/{dataset}/month={_LARGE}/*.parquet")
    found["bigquery"] = round(sum(logical_bytes(column) for column in pq.read_table(trips).columns) / rows, 1)
    (manifest,) = folder.glob(f"lake/raw/{dataset}/month={_LARGE}/manifest.json")
    csv = json.loads(manifest.read_text())["versions"][0]["source_size"]
    _run(folder, dataset, _LARGE, rows, marts="off", file_format="parquet")
    parquet = json.loads(manifest.read_text())["versions"][-1]["source_size"]
    return {"csv.gz": round(csv / rows, 1), "parquet": round(parquet / rows, 1), **found}


def _run(folder: Path, dataset: str, month: str, rows: int, *, marts: str, file_format: str = "csv.gz") -> None:
    environment = {"TAXI_DATA": str(folder), "TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": str(rows)}
    environment |= {"TAXI_MARTS": marts, "TAXI_SAMPLE_FORMAT": file_format}
    if file_format == "parquet":
        environment |= {"TAXI_WAREHOUSE": "off", "TAXI_POSTGRES": "off"}
    command = [sys.executable, "-m", "taxi_platform.cli", "run", "--datasets", dataset, "--months", month]
    given = {**os.environ, **environment}
    done = subprocess.run(command, env=given, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"taxi run failed: {done.stderr}")


def _sizes(folder: Path) -> dict[str, int]:
    return {
        "lake": _size(folder / "lake" / "raw") + _size(folder / "lake" / "trips") + _size(folder / "lake/quarantine"),
        "duckdb": _size(folder / "warehouse.duckdb"),
        "postgresql": _size(folder / "postgres" / "data" / "base"),
    }


def _size(place: Path) -> int:
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files)


if __name__ == "__main__":
    main()
