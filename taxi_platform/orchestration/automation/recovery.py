"""The sensor that finds what Dagster overlooks: runs whose worker has gone, and retries that were never launched.

Belongs here: finding such runs and reporting them. Does not: deciding what is retried (``run_retries`` in
``dagster.yaml``) and launching it (Dagster's daemon).

**Workers.** The code server reports a worker that dies. When the code server dies as well, as when a machine goes down,
nobody does, and the run counts as started until ``max_runtime_seconds``, with its place in the queue and its months.
Its lease says that the worker has gone.

**Retries.** Dagster 1.13 stores a run's failure first and marks the run as failed a moment later. Its daemon looks at
new failures every five seconds; one that it sees within that moment is no failed run to it, and it never looks again.
The run then says ``dagster/will_retry`` for good, nothing retries it, and its backfill waits for ever. Reported again,
when the run has long been marked, the failure is seen as what it is.
"""

# No postponed annotations here: Dagster reads the types of arguments when it is given the function.
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg

from taxi_platform.machine.leases import forget, lost
from taxi_platform.orchestration.automation.run_history import WILL_RETRY, is_ours, retry
from taxi_platform.orchestration.resources import StagingResource

__all__ = ["build_recovery_sensor"]

_PATIENCE = 30.0
"""Seconds that the daemon has for launching a retry: some of its looks."""
_OLDEST = timedelta(days=1)
_MOST_REPORTS = 3
"""After so many, something else is in the way of the retry, and the run counts as failed."""

_BACKFILL = "dagster/backfill"
_BACKFILL_GOES_ON = ("REQUESTED", "CANCELING", "FAILING")


def build_recovery_sensor() -> dg.SensorDefinition:
    """The sensor, running from the start: it begins nothing that Dagster has not decided on already."""

    @dg.sensor(
        name="crashed_runs",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Ends runs whose worker went down with its machine, and has Dagster look once more at crashed runs that it "
            "meant to start again and overlooked."
        ),
    )
    def crashed_runs(context: dg.SensorEvaluationContext, staging: StagingResource) -> dg.SkipReason:
        done = list(_ended(context, staging.leases))
        done += [_settled(run, context.instance) for run in _overlooked(context, time.time())]
        for sentence in done:
            context.log.warning(sentence)
        return dg.SkipReason("; ".join(done) or "every run that crashed is seen to")

    return crashed_runs


def _ended(context: dg.SensorEvaluationContext, leases: Path) -> Iterator[str]:
    """End those of our runs that were started and that nobody works on; says which."""
    for run_id in lost(leases):
        run = context.instance.get_run_by_id(run_id)
        if run is None or not is_ours(run, context):
            continue
        if run.status is dg.DagsterRunStatus.STARTED:
            message = "The worker of this run has gone: it was killed, or its machine went down."
            context.instance.report_run_failed(run, message)
            yield f"run {run_id} has lost its worker, and is ended"
        elif not run.is_finished:
            continue  # being cancelled: run monitoring sees to that
        forget(leases, run_id)


def _overlooked(context: dg.SensorEvaluationContext, now: float) -> Iterator[dg.DagsterRun]:
    """Our runs whose retry should have been launched by now."""
    since = datetime.fromtimestamp(now, timezone.utc) - _OLDEST
    announced = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], tags={WILL_RETRY: "true"}, updated_after=since)
    for record in context.instance.get_run_records(announced):
        run, ended = record.dagster_run, record.end_time or record.update_timestamp.timestamp()
        if retry(run, context.instance) == "coming" and now - ended > _PATIENCE and is_ours(run, context):
            yield run


def _settled(run: dg.DagsterRun, instance: dg.DagsterInstance) -> str:
    """Report the failure again, or take the promise back where Dagster will not keep it; says which."""
    failures = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
    reason = _why_not(run, instance)
    if reason is None and len(failures) > _MOST_REPORTS:
        reason = f"it was reported {len(failures)} times and never started again"
    if reason is None:
        instance.report_run_failed(run, "The retry of this run was not launched: reported once more.")
        return f"run {run.run_id} was overlooked and is reported once more"
    instance.add_run_tags(run.run_id, {WILL_RETRY: "false"})
    return f"run {run.run_id} is not started again: {reason}"


def _why_not(run: dg.DagsterRun, instance: dg.DagsterInstance) -> str | None:
    """Why Dagster refuses to retry the run, whatever its tags say: with its backfill, the wish for it has ended."""
    backfill_id = run.tags.get(_BACKFILL)
    backfill = instance.get_backfill(backfill_id) if backfill_id else None
    if backfill_id is None or (backfill is not None and backfill.status.value in _BACKFILL_GOES_ON):
        return None
    return f"its backfill {backfill_id} has ended"
