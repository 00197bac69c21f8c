"""Runs of the shipped jobs in this process, and what became of each month.

Belongs here: launching a run and reading its events. Does not: which months (``running``, ``versions``), any work on
them (``assets``), and the tables people read (``report``).
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from taxi_platform.cli.report import MonthWork
from taxi_platform.contracts.model import Contract
from taxi_platform.instance import opened_instance
from taxi_platform.months import TripMonth, month_label, parse_month
from taxi_platform.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

__all__ = ["ready_instance", "run_range", "run_zones", "show_progress"]

_RANGE_FAILURE = "failed_months"


@contextlib.contextmanager
def ready_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance, with PostgreSQL up between runs: starting it for each would cost half a second a time."""
    from taxi_platform.resources import PostgresResource, resources

    postgres = resources(settings).get("postgres")
    with opened_instance(settings) as instance:
        if not isinstance(postgres, PostgresResource):
            yield instance
            return
        with postgres.running():
            yield instance


def show_progress() -> None:
    """The platform's own log lines on stderr; Dagster's, one per event, stay in the run's log."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("taxi_platform")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def run_zones(instance: dg.DagsterInstance) -> str | None:
    """The zone lookup into every store; what is wrong where that fails, None where it does not."""
    from taxi_platform.jobs import ZONES_JOB
    from taxi_platform.launch import run_job

    zones = run_job(instance, ZONES_JOB, {}, _config({}))
    return None if zones.success else _first_error(instance, zones.run_id)


def run_range(
    instance: dg.DagsterInstance,
    contract: Contract,
    months: Sequence[date],
    ops: Mapping[str, Any],
    work: dict[TripMonth, MonthWork],
) -> None:
    """Run the dataset's job over contiguous months, with that configuration of its ops, and note what it did in `work`.

    Where months fail, the good ones are run again without them, so that they reach every store.
    """
    from taxi_platform.jobs import job_name
    from taxi_platform.launch import run_job
    from taxi_platform.partitions import contiguous_ranges, run_tags

    result = run_job(instance, job_name(contract.dataset), run_tags(months), _config(ops))
    _note_work(instance, result.run_id, contract, work)
    if result.success:
        return
    failed = _failed_months(instance, result.run_id)
    for month in months:
        if not failed or month_label(month) in failed:
            work[contract.month(month)].error = failed.get(month_label(month)) or _first_error(instance, result.run_id)
    if failed:
        for rest in contiguous_ranges(m for m in months if month_label(m) not in failed):
            run_range(instance, contract, rest, ops, work)


def _note_work(instance: dg.DagsterInstance, run_id: str, contract: Contract, work: dict[TripMonth, MonthWork]) -> None:
    import dagster as dg

    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        event = entry.dagster_event
        materialization = event and event.step_materialization_data.materialization
        if not materialization or not materialization.partition:
            continue
        done = work[contract.month(parse_month(materialization.partition))]
        metadata: dict[str, Any] = {key: value.value for key, value in materialization.metadata.items()}
        done.seconds += metadata.get("seconds", 0.0)
        done.changed |= bool(metadata.get("changed"))


def _failed_months(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    """Month → its own sentence, from the failure that the IO manager raised; empty where something else broke."""
    failed: dict[str, str] = {}
    for failure in _failures(instance, run_id):
        if failure.user_failure_data and _RANGE_FAILURE in failure.user_failure_data.metadata:
            failed.update(failure.user_failure_data.metadata[_RANGE_FAILURE].value)
    return failed


def _first_error(instance: dg.DagsterInstance, run_id: str) -> str:
    from taxi_platform.run_history import cause

    for failure in _failures(instance, run_id):
        return cause(failure.error)
    return "the run failed; its log in the Dagster UI says why"


def _failures(instance: dg.DagsterInstance, run_id: str) -> Iterable[Any]:
    import dagster as dg

    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        if entry.dagster_event:
            yield entry.dagster_event.step_failure_data


def _config(ops: Mapping[str, Any]) -> dict[str, Any]:
    """Run configuration that keeps Dagster's own event lines off the terminal."""
    return {"ops": dict(ops), "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
