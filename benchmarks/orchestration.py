"""What orchestration costs: 24 small months as one run, as a run a month, and without Dagster.

    python -m benchmarks.orchestration --months 24

Belongs here: CPU seconds of worker processes, imports included: one process a run, as the command runs it. The work
is the same in all three: generated months fetched, cleaned, loaded into the lake, DuckDB and PostgreSQL (whose server
is up throughout and not counted), and their marts made. Orchestration is what a process takes beyond the one without
Dagster: events, checks and what is looked at again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from taxi_platform.machine.pandas_free import go_without_pandas
from taxi_platform.months import add_months, month_label, parse_month_range

_ASSETS = 6
"""Raw, trips, and in each of two stores the tables and the marts."""
_FIRST = date(2018, 1, 1)


def main() -> None:
    """Measure the three ways and print them side by side; with ``--worker``, be one of their processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--one-run-only", action="store_true", help="Not a run a month, which takes its time.")
    parser.add_argument("--worker", choices=["direct", "dagster"], help=argparse.SUPPRESS)
    parser.add_argument("--span", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        go_without_pandas()  # as the command does
        span = parse_month_range(arguments.span)
        _without_dagster(span) if arguments.worker == "direct" else _as_a_run(span)
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(json.dumps({"cpu": used.ru_utime + used.ru_stime}))
        return
    months = [add_months(_FIRST, i) for i in range(arguments.months)]
    _compare(months, arguments.rows, one_run_only=arguments.one_run_only)


def _compare(months: Sequence[date], rows: int, *, one_run_only: bool) -> None:
    span = f"{month_label(months[0])}..{month_label(months[-1])}"
    work = _measured("direct", [span], rows)
    print(f"{len(months)} months of {rows:,} rows, {_ASSETS} assets; CPU seconds of worker processes")
    print(f"  without Dagster    {work:7.1f}")
    ways = {"one run": [span]} | ({} if one_run_only else {"a run a month": [month_label(month) for month in months]})
    for name, spans in ways.items():
        cpu = _measured("dagster", spans, rows)
        each = (cpu - work) / len(months) / _ASSETS
        print(f"  {name:<18} {cpu:7.1f}   orchestration per month and asset {each:.3f}")


def _measured(worker: str, spans: Sequence[str], rows: int) -> float:
    """CPU seconds of one process per span, all on one fresh platform."""
    from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres

    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder, "postgres")).running() as postgres:
        environment = {
            **os.environ,
            "TAXI_DATA": folder,
            "TAXI_SOURCE": "sample",
            "TAXI_SAMPLE_ROWS": str(rows),
            "TAXI_POSTGRES": postgres,
        }
        command = [sys.executable, "-m", "benchmarks.orchestration", "--worker", worker, "--span"]
        return sum(_run([*command, span], environment) for span in spans)


def _run(command: list[str], environment: dict[str, str]) -> float:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return float(json.loads(done.stdout.splitlines()[-1])["cpu"])


def _as_a_run(months: Sequence[date]) -> None:
    """As the command does it: the shipped job over the months, recorded in the instance."""
    from taxi_platform.cli.instance import opened_instance
    from taxi_platform.cli.launch import build_repository, run_job
    from taxi_platform.orchestration.jobs import job_name
    from taxi_platform.orchestration.partitions import run_tags
    from taxi_platform.settings import Settings

    settings = Settings.from_environment()
    with opened_instance(settings) as instance:
        if not run_job(instance, build_repository(settings), job_name("green"), run_tags(months)).success:
            sys.exit("the run failed")


def _without_dagster(months: Sequence[date]) -> None:
    """The same calls on the same number of threads."""
    from taxi_platform.cleaning import clean_month
    from taxi_platform.cleaning.options import CleaningOptions
    from taxi_platform.contracts import CONTRACTS
    from taxi_platform.ingest import stage_raw
    from taxi_platform.marts import marts_of
    from taxi_platform.settings import Settings
    from taxi_platform.sources import open_source
    from taxi_platform.stores.lake.lake import Lake
    from taxi_platform.stores.model import MartStore

    settings, contract = Settings.from_environment(), CONTRACTS["green"]
    source, lake = open_source("sample", sample_rows=settings.sample_rows), Lake(settings.lake)

    def bring(day: date) -> None:
        month = contract.month(day)
        version = source.stat(month)
        assert version is not None
        with tempfile.TemporaryDirectory(dir=settings.data) as name:
            folder = Path(name)
            raw = lake.store_raw(stage_raw(contract, month, source.fetch(month, version, folder), folder))
            with lake.local_copy(raw.path) as file:
                lake.store_clean(clean_month(contract, raw, file, folder, CleaningOptions()))

    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        stores = [stack.enter_context(store.opened()) for store in settings.tables.values()]
        list(pool.map(bring, months))
        for store in stores:
            clean = [lake.current_clean(contract.month(day)) for day in months]
            list(pool.map(lambda c, store=store: store.replace_month(contract, c, lake), clean))
            store.refresh_views([contract])
            assert isinstance(store, MartStore)
            list(pool.map(lambda day, store=store: store.make_marts(contract, marts_of(contract), day), months))
            store.refresh_mart_views([contract])


if __name__ == "__main__":
    main()
