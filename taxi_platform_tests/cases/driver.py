"""Runs ``taxi run`` over one case after another, in one process, and notes what stands in every store afterwards.

    python -m taxi_platform_tests.cases.driver CASES.json OUTCOMES.json

Belongs here: one instance, one source folder, one server for all cases, which replace one another's months. Does not:
what should come of a case. The settings come from the environment, as for every command.

A case: {"name", "source", "dataset", "month", "before"}; its files lie in the folder NAME beside CASES.json, as the
source lays them out, and those of the month before it in NAME/before.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click.testing
import duckdb
import pyarrow as pa

from taxi_platform.cli import main as taxi
from taxi_platform.contracts import CONTRACTS
from taxi_platform.months import TripMonth, parse_month
from taxi_platform.settings import Settings
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.postgres.store import PostgresStore


def _bring(case: dict[str, Any], folder: Path) -> click.testing.Result:
    """The case's file in the place of the one before, and the command."""
    layout = folder / case["source"]
    shutil.copytree(layout, os.environ["TAXI_SOURCE_URL"], dirs_exist_ok=True)
    return click.testing.CliRunner().invoke(
        taxi, ["run", "--datasets", case["dataset"], "--months", case["month"]], env={"COLUMNS": "200"}
    )


def _stores(month: TripMonth) -> dict[str, Any]:
    """Store → its trips and rejected rows of the month, in the order of all their columns."""
    settings, contract = Settings.from_environment(), CONTRACTS[month.dataset]
    lake, server = Lake(settings.lake), PostgresStore(settings.postgres.get_secret_value())
    warehouse_store = DuckDBStore(settings.warehouse)
    found: dict[str, Any] = {"raw_version": None, "raw_rows": None}
    if (clean := lake.current_clean(month)) is None or (raw := lake.current_raw(month)) is None:
        return found
    found |= {"raw_version": raw.sha256, "raw_rows": raw.rows}
    for table, path in ((contract.trips, clean.trips_path), (contract.quarantine, clean.quarantine_path)):
        with lake.open_parquet(path) as file:
            found[f"lake {table.name}"] = _rows(file.read())
        for kind, store in (("duckdb", warehouse_store), ("postgres", server)):
            read = store.read_months(table.qualified_name, [month.first_day]).read_all()
            found[f"{kind} {table.name}"] = _rows(read)
    with duckdb.connect(settings.warehouse, read_only=True) as warehouse:
        view = f"SELECT * FROM taxi.raw_{month.dataset} WHERE file_month = ?"
        found["raw view"] = len(warehouse.execute(view, [month.first_day]).fetchall())
    return found


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    return sorted(rows, key=lambda row: [repr(value) for value in row.values()])


def _outcome(case: dict[str, Any], folder: Path) -> dict[str, Any]:
    month = TripMonth(case["dataset"], parse_month(case["month"]))
    before = None
    if case["before"]:
        first = _bring(case, folder / "before")
        before = {"exit": first.exit_code, "text": first.output, **_stores(month)}
    done = _bring(case, folder)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return {"before": before, "exit": done.exit_code, "text": done.output, **_stores(month)}


def main(cases: Path, outcomes: Path) -> None:
    """Run them all; an outcome for each."""
    found = {case["name"]: _outcome(case, cases.parent / case["name"]) for case in json.loads(cases.read_text())}
    outcomes.write_text(json.dumps(found, default=str))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
