"""Records of old runs are deleted, so that an instance that runs for years does not grow for ever.

Belongs here: which runs can go, the job that deletes them, and its schedule. Does not: the months themselves; no row of
any store is touched.

A run is kept, however old it is, if something still stands on its events: the newest materialization, observation or
failed attempt of any partition, the newest result of any check, or a younger run that retries it. Without the events,
Dagster would show such a partition as missing, and automation would bring it again. So what is kept does not grow with
time but with the number of months.
"""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg

from taxi_platform.orchestration.automation.schedules import TIME_ZONE
from taxi_platform.settings import Settings

__all__ = ["RETENTION_JOB", "build_retention_job", "build_retention_schedule", "delete_old_runs", "old_runs"]

RETENTION_JOB = "taxi_retention"
NIGHTLY = "30 4 * * *"
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_AT_ONCE = 500
"""Records to read with one query."""


def old_runs(instance: dg.DagsterInstance, before: datetime, checks: Collection[dg.AssetCheckKey]) -> list[str]:
    """Ids of the runs that ended before that time and that nothing stands on any more, the oldest first.

    Args:
        instance: whose runs are looked at.
        before: in UTC.
        checks: the checks whose newest results are kept.
    """
    ended = [run for run in _ended_runs(instance) if _end(run) < before.timestamp()]
    if not ended:
        return []
    old = {run.dagster_run.run_id for run in ended} - _needed(instance, checks)
    # Dagster looks the first run of a retry up, and shows neither if it is missing.
    old -= {
        known for run in _retries(instance) if run.run_id not in old for known in (run.root_run_id, run.parent_run_id)
    }
    return [run.dagster_run.run_id for run in reversed(ended) if run.dagster_run.run_id in old]


def delete_old_runs(instance: dg.DagsterInstance, runs: Iterable[str]) -> int:
    """Delete those runs with their events and captured logs; returns how many there were.

    A kill leaves whole runs, and a run without its events, which the next deletion takes.
    """
    count = 0
    for run_id in runs:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
        _delete_file(instance, run_id)
        count += 1
    return count


def build_retention_job(checks: Iterable[dg.AssetChecksDefinition], settings: Settings) -> dg.JobDefinition:
    """The job that deletes the records of runs older than `Settings.keep_runs_days`."""
    keys = [key for definition in checks for key in definition.check_keys]
    days = settings.keep_runs_days

    @dg.op
    def delete_records_of_old_runs(context: dg.OpExecutionContext) -> None:
        before = datetime.now(timezone.utc) - timedelta(days=days)
        count = delete_old_runs(context.instance, old_runs(context.instance, before, keys))
        context.log.info(f"deleted the records of {count} runs that ended before {before:%Y-%m-%d}")

    @dg.job(
        name=RETENTION_JOB,
        executor_def=dg.in_process_executor,
        description=f"Deletes the records of runs of more than {days} days ago that no partition or check stands on.",
    )
    def retention() -> None:
        delete_records_of_old_runs()

    return retention


def build_retention_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Every night; on by default wherever automation is."""
    return dg.ScheduleDefinition(
        name=RETENTION_JOB,
        job_name=RETENTION_JOB,
        cron_schedule=NIGHTLY,
        execution_timezone=TIME_ZONE,
        default_status=(
            dg.DefaultScheduleStatus.RUNNING if settings.automation == "on" else dg.DefaultScheduleStatus.STOPPED
        ),
        description=f"Deletes the records of runs of more than {settings.keep_runs_days} days ago.",
    )


def _ended_runs(instance: dg.DagsterInstance) -> Iterator[dg.RunRecord]:
    """The newest first, some at a time."""
    cursor = None
    while records := instance.get_run_records(dg.RunsFilter(statuses=_ENDED), limit=_AT_ONCE, cursor=cursor):
        yield from records
        cursor = records[-1].dagster_run.run_id


def _end(run: dg.RunRecord) -> float:
    """When the run ended, in seconds since 1970; one that was called off before it began has no end of its own."""
    return run.end_time or run.update_timestamp.replace(tzinfo=timezone.utc).timestamp()


def _retries(instance: dg.DagsterInstance) -> Iterator[dg.DagsterRun]:
    """The runs that retry another one."""
    cursor = None
    while runs := instance.get_runs(dg.RunsFilter(), limit=_AT_ONCE, cursor=cursor):
        yield from (run for run in runs if run.parent_run_id)
        cursor = runs[-1].run_id


def _needed(instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey]) -> set[str]:
    """Ids of the runs that the present state of partitions and checks stands on."""
    storage = instance.event_log_storage
    needed: set[str] = set()
    for asset in instance.all_asset_keys():
        attempts = storage.get_latest_asset_partition_materialization_attempts_without_materializations(asset)
        needed.update(run_id for run_id, _ in attempts.values())
        needed.update(_runs_of_newest(instance, asset, dg.DagsterEventType.ASSET_MATERIALIZATION))
        needed.update(_runs_of_newest(instance, asset, dg.DagsterEventType.ASSET_OBSERVATION))
    needed.update(info.latest_planned_run_id for info in storage.get_asset_check_partition_info(list(checks)))
    newest = storage.get_latest_asset_check_execution_by_key(list(checks))
    needed.update(record.run_id for record in newest.values())
    return needed


def _runs_of_newest(instance: dg.DagsterInstance, asset: dg.AssetKey, kind: dg.DagsterEventType) -> Iterator[str]:
    """Ids of the runs with the newest event of that kind of each partition, or of the whole asset."""
    is_made = kind is dg.DagsterEventType.ASSET_MATERIALIZATION
    fetch = instance.fetch_materializations if is_made else instance.fetch_observations
    yield from (record.run_id for record in fetch(asset, 1).records)
    newest: Sequence[int] = sorted(instance.get_latest_storage_id_by_partition(asset, kind).values())
    for start in range(0, len(newest), _AT_ONCE):
        some = dg.AssetRecordsFilter(asset, storage_ids=newest[start : start + _AT_ONCE])
        yield from (record.run_id for record in fetch(some, _AT_ONCE).records)


def _delete_file(instance: dg.DagsterInstance, run_id: str) -> None:
    """Delete the file in which Dagster's SQLite keeps one run's events; it deletes the rows and leaves the file."""
    from dagster._core.storage.event_log import SqliteEventLogStorage

    storage = instance.event_log_storage
    storage = getattr(storage, "event_log_storage", storage)
    if isinstance(storage, SqliteEventLogStorage):
        Path(storage.path_for_shard(run_id)).unlink(missing_ok=True)
