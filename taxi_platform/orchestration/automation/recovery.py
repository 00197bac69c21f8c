"""The sensor that finds what Dagster misses: runs whose worker has died, and retries that were never launched.

Belongs here: finding and reporting such runs. Does not: deciding what is retried (``run_retries`` in ``dagster.yaml``)
and launching the retry (Dagster's daemon).

**Workers.** The code server reports a worker that dies. If the code server dies too, as when a machine goes down,
nobody does. The run then counts as started until ``max_runtime_seconds``, and keeps its place in the queue and its
months. Its lease shows that the worker has died.

**Retries.** Dagster 1.13 stores a run's failure first and marks the run as failed a moment later. Its daemon looks at
new failures every five seconds. If it looks in that moment, the run does not count as failed, and the daemon never
looks again. The run then has the tag ``dagster/will_retry`` for good, nothing retries it, and its backfill waits for
ever. If the failure is reported again later, when the run is marked, the daemon sees it.
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import dagster as dg

from taxi_platform.orchestration.automation.run_history import WILL_RETRY, is_ours, retry
from taxi_platform.orchestration.leases import RunLeases
from taxi_platform.orchestration.resources import StagingResource

__all__ = ["build_recovery_sensor"]

_PATIENCE = 30.0
"""Seconds that the daemon gets to launch a retry: several of its looks."""
_OLDEST = timedelta(days=1)
_MOST_REPORTS = 3
"""After so many reports something else prevents the retry, and the run counts as failed."""

_BACKFILL = "dagster/backfill"
_BACKFILL_GOES_ON = ("REQUESTED", "CANCELING", "FAILING")


def build_recovery_sensor() -> dg.SensorDefinition:
    """The sensor, which runs from the start. It starts nothing that Dagster has not decided on already."""

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
        done = list(_ended(context, staging.leases(context.instance), time.time()))
        done += [_settled(run, context.instance) for run in _overlooked(context, time.time())]
        for sentence in done:
            context.log.warning(sentence)
        return dg.SkipReason("; ".join(done) or "every run that crashed is seen to")

    return crashed_runs


def _ended(context: dg.SensorEvaluationContext, leases: RunLeases, now: float) -> Iterator[str]:
    """End the runs of this code location that are started but have no worker; yields which."""
    lost, seen = leases.lost(json.loads(context.cursor or "{}"), now)
    context.update_cursor(json.dumps(seen))
    for run_id in lost:
        run = context.instance.get_run_by_id(run_id)
        if run is None or not is_ours(run, context):
            continue
        if run.status is dg.DagsterRunStatus.STARTED:
            message = "The worker of this run has gone: it was killed, or its machine went down."
            context.instance.report_run_failed(run, message)
            yield f"run {run_id} has lost its worker, and is ended"
        elif not run.is_finished:
            continue  # being cancelled, which run monitoring finishes
        leases.forget(run_id)


def _overlooked(context: dg.SensorEvaluationContext, now: float) -> Iterator[dg.DagsterRun]:
    """Runs of this code location whose retry should have been launched by now."""
    since = datetime.fromtimestamp(now, timezone.utc) - _OLDEST
    announced = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], tags={WILL_RETRY: "true"}, updated_after=since)
    for record in context.instance.get_run_records(announced):
        run, ended = record.dagster_run, record.end_time or record.update_timestamp.timestamp()
        if retry(run, context.instance) == "coming" and now - ended > _PATIENCE and is_ours(run, context):
            yield run


def _settled(run: dg.DagsterRun, instance: dg.DagsterInstance) -> str:
    """Report the failure again, or remove the tag if Dagster will not retry; returns which."""
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
    """Why Dagster refuses to retry the run whatever its tags say: the run's backfill has ended."""
    backfill_id = run.tags.get(_BACKFILL)
    backfill = instance.get_backfill(backfill_id) if backfill_id else None
    if backfill_id is None or (backfill is not None and backfill.status.value in _BACKFILL_GOES_ON):
        return None
    return f"its backfill {backfill_id} has ended"
