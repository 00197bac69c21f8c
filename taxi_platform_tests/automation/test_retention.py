"""Old runs go, and the partitions of every asset stand as before."""

# No postponed annotations here: Dagster reads the types of arguments when it gets the function.
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.orchestration.automation.retention import RETENTION_JOB, delete_old_runs, old_runs
from taxi_platform.orchestration.build import build_definitions
from taxi_platform.settings import Settings

MONTHS = dg.StaticPartitionsDefinition(["2020-01", "2020-02", "2020-03"])
LATER = datetime.now(timezone.utc) + timedelta(days=1)
FAILS = "test/fails"


@dg.asset(partitions_def=MONTHS)
def trips(context: dg.AssetExecutionContext) -> None:
    if context.run.tags.get(FAILS):
        raise ValueError("as it was told")
    context.log_event(dg.AssetObservation("upstream", partition=context.partition_key))


@dg.asset
def zones() -> None:
    pass


@dg.asset_check(asset=zones)
def whole() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


ASSETS = dg.Definitions(assets=[trips, zones], asset_checks=[whole], jobs=[dg.define_asset_job("all", [trips, zones])])
CHECKS = [dg.AssetCheckKey(dg.AssetKey("zones"), "whole")]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as local:
        yield local


def run(instance: dg.DagsterInstance, asset: str, month: str | None = None, **tags: str) -> str:
    job = ASSETS.resolve_implicit_global_asset_job_def()
    selection: Any = [dg.AssetKey(asset)]
    done = job.execute_in_process(
        instance=instance, asset_selection=selection, partition_key=month, raise_on_error=False, tags=tags
    )
    return done.run_id


def state(instance: dg.DagsterInstance) -> dict[str, Any]:
    """What Dagster derives the partitions and checks from."""
    storage, key = instance.event_log_storage, dg.AssetKey("trips")
    return {
        "materialized": sorted(instance.get_materialized_partitions(key)),
        "newest": instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION),
        "observed": instance.get_latest_storage_id_by_partition(
            dg.AssetKey("upstream"), dg.DagsterEventType.ASSET_OBSERVATION
        ),
        "failed": storage.get_latest_asset_partition_materialization_attempts_without_materializations(key),
        "zones": instance.get_latest_materialization_event(dg.AssetKey("zones")),
        "checks": storage.get_latest_asset_check_execution_by_key(CHECKS),
    }


def test_runs_that_nothing_stands_on_go_with_their_files_and_the_partitions_stand_as_before(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    replaced = [run(instance, "trips", "2020-01"), run(instance, "trips", "2020-02", **{FAILS: "yes"})]
    replaced += [run(instance, "zones")]
    kept = [run(instance, "trips", "2020-01"), run(instance, "trips", "2020-02")]
    kept += [run(instance, "trips", "2020-03", **{FAILS: "yes"}), run(instance, "zones")]
    before = state(instance)
    assert set(before["failed"]) == {"2020-03"}

    found = old_runs(instance, LATER, CHECKS)
    assert found == replaced
    assert delete_old_runs(instance, found) == 3
    assert state(instance) == before
    assert {run.run_id for run in instance.get_runs()} == set(kept)
    assert not [path for path in tmp_path.rglob("*") for gone in replaced if gone in path.name]
    assert old_runs(instance, LATER, CHECKS) == []


def test_runs_of_the_last_days_and_runs_under_way_are_kept(instance: dg.DagsterInstance) -> None:
    first = run(instance, "trips", "2020-01")
    run(instance, "trips", "2020-01")
    under_way = instance.create_run_for_job(ASSETS.resolve_job_def("all"), status=dg.DagsterRunStatus.STARTED)
    assert old_runs(instance, LATER - timedelta(days=2), CHECKS) == []
    assert old_runs(instance, LATER, CHECKS) == [first]
    assert instance.has_run(under_way.run_id)


def test_the_run_that_a_kept_one_retries_is_kept(instance: dg.DagsterInstance) -> None:
    crashed = run(instance, "trips", "2020-01", **{FAILS: "yes"})
    job = ASSETS.resolve_implicit_global_asset_job_def()
    again = instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, parent_run_id=crashed, root_run_id=crashed
    )
    run(instance, "trips", "2020-01")
    assert old_runs(instance, LATER, CHECKS) == []
    instance.delete_run(again.run_id)
    assert old_runs(instance, LATER, CHECKS) == [crashed]


def test_the_platforms_own_job_deletes_by_its_setting_every_night_where_automation_is_on(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    settings = Settings.from_environment(
        {"TAXI_DATA": str(tmp_path), "TAXI_AUTOMATION": "on", "TAXI_POSTGRES": "off", "TAXI_KEEP_RUNS_DAYS": "30"}
    )
    definitions = build_definitions(settings, [CONTRACTS["green"]])
    schedule = definitions.resolve_schedule_def(RETENTION_JOB)
    assert (schedule.cron_schedule, schedule.default_status) == ("30 4 * * *", dg.DefaultScheduleStatus.RUNNING)
    run(instance, "trips", "2020-01")
    run(instance, "trips", "2020-01")
    assert definitions.resolve_job_def(RETENTION_JOB).execute_in_process(instance=instance).success
    assert len(instance.get_runs()) == 3
