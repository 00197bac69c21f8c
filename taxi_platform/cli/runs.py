"""Runs of the shipped jobs in this process, and the result of each month.

Belongs here: launching a run and reading its events. Does not: which months (``running``, ``versions``), any work on
them (``orchestration.assets``), and the printed tables (``report``).
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from taxi_platform.cli.instance import opened_instance
from taxi_platform.cli.interrupts import ends_at_ctrl_c
from taxi_platform.cli.report import MonthWork
from taxi_platform.contracts.contract import Contract
from taxi_platform.errors import RunCanceledError
from taxi_platform.months import TripMonth, month_label, parse_month
from taxi_platform.orchestration.keys import place
from taxi_platform.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

__all__ = ["Session", "interruptible", "run_range", "run_record", "run_zones", "show_progress"]

_RANGE_FAILURE = "failed_months"
_INTERRUPTED = "The command that runs it was interrupted."


@dataclass
class Session:
    """The jobs that this process runs, the instance that records them, and whether Ctrl-C was pressed."""

    instance: dg.DagsterInstance
    repository: dg.RepositoryDefinition
    interrupted: threading.Event

    def run(
        self, job: str, tags: Mapping[str, str], ops: Mapping[str, Any], assets: Collection[dg.AssetKey] | None = None
    ) -> dg.JobExecutionResult:
        """Run a job to its end, with that configuration of its ops."""
        from taxi_platform.cli.launch import run_job

        return run_job(self.instance, self.repository, job, tags, _config(ops), assets)

    def under_way(self) -> Iterator[dg.DagsterRun]:
        """Runs of this process that have not ended."""
        from taxi_platform.cli.launch import runs_under_way

        for run_id in runs_under_way():
            run = self.instance.get_run_by_id(run_id)
            if run is not None and not run.is_finished:
                yield run


@contextlib.contextmanager
def interruptible(settings: Settings, work: Mapping[TripMonth, MonthWork]) -> Iterator[Session]:
    """A session that brings those months. Ctrl-C ends the process, and prints how many of them are finished."""
    wanted = {"raw", "trips", *settings.tables, *settings.marts_in}
    sessions: list[Session] = []

    def sentence() -> str:
        finished = sum(done.layers >= wanted for done in work.values())
        return f"Stopped: {finished} of {len(work)} months finished; run again to continue"

    def is_canceling() -> None:
        # If nobody cancels an interrupted run, Dagster takes it for a crashed one, and its daemon starts it again.
        for session in sessions:
            for run in session.under_way():
                session.instance.report_run_canceling(run, _INTERRUPTED)

    def is_canceled() -> None:
        for session in sessions:
            for run in session.under_way():
                session.instance.report_run_canceled(run, _INTERRUPTED)

    with (
        ends_at_ctrl_c(sentence, is_canceling, is_canceled) as interrupted,
        _ready_instance(settings) as instance,
    ):
        from taxi_platform.cli.launch import build_repository

        sessions.append(Session(instance, build_repository(settings), interrupted))
        yield sessions[0]


@contextlib.contextmanager
def _ready_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance, with embedded servers running between runs, because starting them for each costs half a second.

    They start while Dagster is imported.
    """

    def start(servers: contextlib.ExitStack) -> None:
        for store in settings.tables.values():
            servers.enter_context(store.opened())

    with contextlib.ExitStack() as servers, ThreadPoolExecutor(1, thread_name_prefix="servers") as beside:
        started = beside.submit(start, servers)
        with opened_instance(settings) as instance:
            from taxi_platform.orchestration.hosts import check_hosts, one_host_only

            check_hosts(instance, one_host_only(settings))
            started.result()
            yield instance


def show_progress() -> None:
    """Print the platform's own log lines on stderr; Dagster's lines, one per event, stay in the run's log."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("taxi_platform")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def run_zones(session: Session) -> str | None:
    """Bring the zone lookup into every store; returns the reason if that fails, otherwise None."""
    from taxi_platform.orchestration.jobs import ZONES_JOB

    zones = session.run(ZONES_JOB, {}, {})
    _check_not_canceled(session, zones.run_id)
    return None if zones.success else _first_error(session.instance, zones.run_id)


def run_record(session: Session, settings: Settings, datasets: Sequence[str]) -> None:
    """Record months of the lake that the instance does not know, because it is new or was restored."""
    from taxi_platform.orchestration.automation.record_job import RECORD_JOB, record_config, unrecorded_months
    from taxi_platform.stores.lake.lake import Lake

    lake = Lake(settings.lake, wait_seconds=settings.wait_seconds)
    wanted = [dataset for dataset in datasets if unrecorded_months(session.instance, lake, dataset)]
    if wanted:
        session.run(RECORD_JOB, {}, record_config(wanted))


def run_range(
    session: Session,
    contract: Contract,
    months: Sequence[date],
    ops: Mapping[str, Any],
    work: dict[TripMonth, MonthWork],
    layers: Sequence[str] | None = None,
) -> None:
    """Run the dataset's job over contiguous months, with that configuration of its ops, and note the results in `work`.

    If layers are named, only those run. If some months fail, the good ones are run again without them, so that they
    reach every store.
    """
    from taxi_platform.orchestration.jobs import job_name
    from taxi_platform.orchestration.keys import asset_key
    from taxi_platform.orchestration.partitions import contiguous_ranges, run_tags

    assets = None if layers is None else [asset_key(layer, contract.dataset) for layer in layers]
    result = session.run(job_name(contract.dataset), run_tags(months), ops, assets)
    _note_work(session.instance, result.run_id, contract, work)
    _check_not_canceled(session, result.run_id)
    if result.success:
        return
    failed = _failed_months(session.instance, result.run_id)
    for month in months:
        if not failed or month_label(month) in failed:
            work[contract.month(month)].error = failed.get(month_label(month)) or _first_error(
                session.instance, result.run_id
            )
    if failed:
        for rest in contiguous_ranges(m for m in months if month_label(m) not in failed):
            run_range(session, contract, rest, ops, work, layers)


def _check_not_canceled(session: Session, run_id: str) -> None:
    import dagster as dg

    run = session.instance.get_run_by_id(run_id)
    assert run is not None, "it has just run"
    if session.interrupted.is_set() and run.status is dg.DagsterRunStatus.FAILURE:
        session.instance.report_run_canceled(run, _INTERRUPTED)
    if session.interrupted.is_set() or run.status in (dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.CANCELING):
        raise RunCanceledError(f"the run {run_id} of {run.job_name} was cancelled: run it again to continue")


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
        at = place(materialization.asset_key)
        assert at is not None, "a dataset's job has no assets but ours"
        done.layers.add(at.layer)


def _failed_months(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    """Month → its own sentence, from the failure that the IO manager raised; empty where something else broke."""
    failed: dict[str, str] = {}
    for failure in _failures(instance, run_id):
        if failure.user_failure_data and _RANGE_FAILURE in failure.user_failure_data.metadata:
            failed.update(failure.user_failure_data.metadata[_RANGE_FAILURE].value)
    return failed


def _first_error(instance: dg.DagsterInstance, run_id: str) -> str:
    from taxi_platform.orchestration.automation.run_history import cause

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
