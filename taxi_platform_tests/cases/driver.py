"""Brings one case after another and notes what stands in every store afterwards.

    python -m taxi_platform_tests.cases.driver CASES.json OUTCOMES.json

Belongs here: one source folder, one lake, one server for all cases, which replace one another's months; by ``taxi run``
(the command above, whose settings come from the environment), or by the job that it runs, in this process. Does not:
what should come of a case.

A case: {"name", "source", "dataset", "month", "before"}; its files lie in the folder NAME beside CASES.json, as the
source lays them out, and those of the month before it in NAME/before.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click.testing
import dagster as dg
import duckdb
import pyarrow as pa

from taxi_platform.cli import main as taxi
from taxi_platform.cli.launch import build_repository
from taxi_platform.cli.report import MonthWork
from taxi_platform.cli.runs import Session, run_range
from taxi_platform.contracts import CONTRACTS
from taxi_platform.inspection.status import month_statuses
from taxi_platform.months import TripMonth, month_label, parse_month
from taxi_platform.settings import Settings
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.postgres.store import PostgresStore

__all__ = ["by_command", "by_job", "outcomes"]


class Done(NamedTuple):
    """What somebody is told of a month: the exit code and the words."""

    exit: int
    text: str


Bring = Callable[[TripMonth], Done]


def by_command(month: TripMonth) -> Done:
    """``taxi run``, in this process; its settings come from the environment."""
    choice = ["--datasets", month.dataset, "--months", month_label(month.first_day)]
    done = click.testing.CliRunner().invoke(taxi, ["run", *choice], env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(done.exit_code, done.output)


@contextmanager
def by_job(settings: Settings) -> Iterator[Bring]:
    """The job that the command runs, recorded in memory; its definitions are built once for all months."""
    with dg.DagsterInstance.ephemeral() as instance:
        session = Session(instance, build_repository(settings), threading.Event())

        def bring(month: TripMonth) -> Done:
            contract, work = CONTRACTS[month.dataset], {month: MonthWork()}
            run_range(session, contract, [month.first_day], {}, work)
            (status,) = month_statuses(settings, [contract], {month.dataset: [month.first_day]})
            return Done(int(bool(work[month].error) or not status.is_whole), work[month].error or "")

        yield bring


def outcomes(cases: Sequence[dict[str, Any]], folder: Path, settings: Settings, bring: Bring) -> dict[str, Any]:
    """An outcome for each of the cases, whose files are in the folder, by its name."""
    found = {case["name"]: _outcome(case, folder / case["name"], settings, bring) for case in cases}
    plain: dict[str, Any] = json.loads(json.dumps(found, default=str))
    return plain


def _outcome(case: dict[str, Any], folder: Path, settings: Settings, bring: Bring) -> dict[str, Any]:
    month = TripMonth(case["dataset"], parse_month(case["month"]))

    def brought(folder: Path) -> dict[str, Any]:
        """With the files of that folder in the place of those before."""
        shutil.copytree(folder / case["source"], settings.source_url or "", dirs_exist_ok=True)
        return {**bring(month)._asdict(), **_stores(month, settings)}

    before = brought(folder / "before") if case["before"] else None
    return {"before": before, **brought(folder)}


def _stores(month: TripMonth, settings: Settings) -> dict[str, Any]:
    """Store → its trips and rejected rows of the month, in the order of all their columns."""
    contract = CONTRACTS[month.dataset]
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


def main(cases: Path, found: Path) -> None:
    """Bring them all by the command, and write the outcomes."""
    settings = Settings.from_environment()
    found.write_text(json.dumps(outcomes(json.loads(cases.read_text()), cases.parent, settings, by_command)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
