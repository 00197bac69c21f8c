"""What Dagster's instance knows about finished runs, as plain facts.

Belongs here: which have ended since, and why a run failed. Does not: what follows from it (``policy``). Nothing here
reads a private name of Dagster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import dagster as dg

from taxi_platform.contracts.contract import Contract
from taxi_platform.orchestration.alerts.policy import FailedStep, FinishedRun
from taxi_platform.orchestration.automation.run_history import attempt_of, cause
from taxi_platform.orchestration.automation.sensors import MOST_ATTEMPTS
from taxi_platform.orchestration.jobs import job_name
from taxi_platform.orchestration.keys import place
from taxi_platform.orchestration.partitions import run_months

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

__all__ = ["Ended", "ended_since", "facts", "newest_end"]

_EVENTS: tuple[Literal[dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS], ...] = (
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_SUCCESS,
)


class Ended(NamedTuple):
    """The event that ended the run."""

    storage_id: int
    run_id: str


def newest_end(instance: DagsterInstance) -> int:
    """The storage id of the last event that ended a run; 0 if there is none."""
    newest = [instance.fetch_run_status_changes(event, limit=1).records for event in _EVENTS]
    return max((record.storage_id for records in newest for record in records), default=0)


def ended_since(instance: DagsterInstance, after: int, limit: int) -> list[Ended]:
    """Events that ended runs after that storage id, in order, failures and successes merged; at most ``2 * limit``."""
    ended: list[Ended] = []
    horizon: int | None = None
    for event in _EVENTS:
        records = instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(event, after_storage_id=after), limit=limit, ascending=True
        ).records
        ended += [Ended(record.storage_id, record.event_log_entry.run_id) for record in records]
        if len(records) == limit:  # there may be more: nothing beyond the last one is complete
            horizon = min(records[-1].storage_id, horizon or records[-1].storage_id)
    return sorted(end for end in ended if horizon is None or end.storage_id <= horizon)


def facts(run: DagsterRun, instance: DagsterInstance, contracts: Mapping[str, Contract]) -> FinishedRun:
    """The facts of a run, and why it failed if it did."""
    subject = _subject(run, contracts)
    months = _months(run, contracts.get(subject))
    failed: tuple[FailedStep, ...] = ()
    problem = None
    if run.status == dg.DagsterRunStatus.FAILURE:
        failed = tuple(_failed_steps(run.run_id, instance, months))
        problem = None if failed else _run_problem(run.run_id, instance)
    return FinishedRun(
        run_id=run.run_id,
        subject=subject,
        months=months,
        assets=_assets(run),
        failed=failed,
        problem=problem,
        is_repetition=1 < attempt_of(run.tags) < MOST_ATTEMPTS,
    )


def _subject(run: DagsterRun, datasets: Mapping[str, Contract]) -> str:
    by_job = {job_name(dataset): dataset for dataset in datasets}
    if run.job_name in by_job:
        return by_job[run.job_name]
    assets = run.asset_selection or ()
    places = map(place, assets)
    named = sorted({at.dataset for at in places if at is not None and at.dataset in datasets})
    return ", ".join(named or sorted(key.to_user_string() for key in assets)) or run.job_name


def _months(run: DagsterRun, contract: Contract | None) -> tuple[str, ...]:
    months = run_months(contract, run.tags) if contract else None
    return tuple(month.label for month in months or ())


def _assets(run: DagsterRun) -> frozenset[str] | None:
    if run.step_keys_to_execute:
        return frozenset(map(_asset, run.step_keys_to_execute))
    return frozenset(key.to_user_string() for key in run.asset_selection) if run.asset_selection else None


def _asset(step_key: str) -> str:
    """The asset of a step. Dagster names a step after the asset's key: ``marts__revenue`` for ``marts/revenue``."""
    return step_key.replace("__", "/")


def _failed_steps(run_id: str, instance: DagsterInstance, months: tuple[str, ...]) -> Iterator[FailedStep]:
    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records:
        event = record.event_log_entry.dagster_event
        if event is None or event.step_key is None:
            continue
        data = event.step_failure_data
        given = data.user_failure_data
        by_month: Mapping[str, Any] = {}
        if given is not None and (failed_months := given.metadata.get("failed_months")) is not None:
            by_month = failed_months.value if isinstance(failed_months.value, dict) else {}
        sentence = (given and given.description) or cause(data.error)
        yield FailedStep(
            _asset(event.step_key), {m: str(s) for m, s in by_month.items()} or dict.fromkeys(months or ("",), sentence)
        )


def _run_problem(run_id: str, instance: DagsterInstance) -> str:
    """The run's own error; if something else ended the run, Dagster's last report of it, such as a killed worker."""
    kinds = {dg.DagsterEventType.ENGINE_EVENT, dg.DagsterEventType.RUN_FAILURE}
    reported = ""
    for record in instance.get_records_for_run(run_id, of_type=kinds).records:
        event = record.event_log_entry.dagster_event
        if event is not None and event.event_type == dg.DagsterEventType.RUN_FAILURE:
            error = getattr(event.event_specific_data, "error", None)
            return cause(error) if error else f"{event.message} {reported}".strip()
        reported = event.message or reported if event is not None else reported
    return "the run failed without a reason"
