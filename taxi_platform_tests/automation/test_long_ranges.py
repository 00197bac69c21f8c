"""A backfill over many months becomes runs of a year, and its pools hold wherever these are: Dagster's own daemons."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget, ModuleTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.run_coordinator import QueuedRunCoordinatorDaemon
from dagster._grpc.server import GrpcServerProcess

from taxi_platform.orchestration.keys import asset_key
from taxi_platform.settings import Settings
from taxi_platform_tests.automation.conftest import Deployment

LOCATION = "taxi_platform"
LAYERS = ("raw", "trips", "warehouse")
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
YEARS = [("2014-01-01", "2014-12-01"), ("2015-01-01", "2015-12-01"), ("2016-01-01", "2016-06-01")]
MONTHS = [f"{year}-{month:02}-01" for year in (2014, 2015, 2016) for month in range(1, 13)][:30]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in {"DATA": str(tmp_path), "POSTGRES": "off", "MARTS": "off", "RUN_MONTHS": "12"}.items():
        monkeypatch.setenv(f"TAXI_{name}", value)
    return Settings.from_environment()


@pytest.fixture
def workspace(settings: Settings, postgres_database: str) -> Iterator[WorkspaceProcessContext]:
    """The code location beside an instance in PostgreSQL with the shipped pools, whose queue is asked by hand."""
    assert settings.months_of_a_run == 12
    (origin,) = ModuleTarget("taxi_platform.definitions", None, None, LOCATION).create_origins()
    configured = {
        "storage": {"postgres": {"postgres_url": postgres_database.replace("postgresql:", "postgresql+psycopg2:")}},
        "concurrency": {"runs": {"max_concurrent_runs": 10}, "pools": {"default_limit": 2, "granularity": "run"}},
        # Runs are handed over and never begin, so that each keeps its places.
        "run_launcher": {"module": "dagster._core.test_utils", "class": "MockedRunLauncher"},
    }
    with (
        dg.instance_for_test(overrides=configured) as instance,
        GrpcServerProcess(
            instance_ref=instance.get_ref(),
            location_name=LOCATION,
            loadable_target_origin=origin.loadable_target_origin,
            startup_timeout=300,
            wait_on_exit=True,
        ) as server,
        create_test_daemon_workspace_context(
            GrpcServerTarget("localhost", server.port, server.socket, LOCATION), instance
        ) as context,
    ):
        yield context


def ranges(runs: Sequence[dg.DagsterRun]) -> list[tuple[str, str]]:
    return sorted((run.tags[RANGE[0]], run.tags[RANGE[1]]) for run in runs)


@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources`:DeprecationWarning")  # Dagster's own call
def test_a_backfill_is_a_run_a_year_with_every_layer_in_it_and_two_at_a_time_use_a_store(
    workspace: WorkspaceProcessContext,
) -> None:
    instance, keys = workspace.instance, [asset_key(layer, "green") for layer in LAYERS]
    backfill = PartitionBackfill.from_asset_partitions(
        asset_graph=workspace.create_request_context().asset_graph,
        backfill_id="long",
        tags={},
        backfill_timestamp=time.time(),
        asset_selection=keys,
        partition_names=MONTHS,
        dynamic_partitions_store=instance,
        all_partitions=False,
        title=None,
        description=None,
        run_config=None,
    )
    instance.add_backfill(backfill)
    list(execute_backfill_iteration(workspace, logging.getLogger("backfill")))
    assert ranges(runs := instance.get_runs()) == YEARS
    assert all(run.asset_selection == set(keys) for run in runs)
    found = instance.get_backfill("long")
    assert found is not None
    assert found.status is BulkActionStatus.REQUESTED

    # Dagster 1.13 does this when its queue first sees a run of the pool, and counts from its next look.
    for pool in ("upstream", "warehouse"):
        instance.event_log_storage.initialize_concurrency_limit_to_default(pool)
    queue = QueuedRunCoordinatorDaemon(interval_seconds=5)
    list(queue.run_iteration(workspace))
    statuses = sorted(run.status.value for run in instance.get_runs())
    assert statuses == ["QUEUED", "STARTING", "STARTING"]


def test_a_run_of_more_months_than_a_backfill_would_give_it_brings_all_of_them(deployment: Deployment) -> None:
    """As `taxi run` makes it: what limits a backfill's runs limits no other."""
    deployment.settings = deployment.settings.model_copy(update={"run_months": 1})
    deployment.upstream.publish("2020-01..2020-02")
    assert deployment.run("2020-01..2020-02").success
    assert deployment.recorded("postgres") == {"2020-01", "2020-02"}


@pytest.mark.parametrize(
    ("given", "longest"),
    [({}, None), ({"TAXI_RUN_MONTHS": "6"}, 6)],
)
def test_a_laptops_backfill_is_one_run_unless_it_is_told_otherwise(given: dict[str, str], longest: int | None) -> None:
    assert Settings.from_environment(given).months_of_a_run == longest


def test_many_hosts_share_a_backfill_by_the_year() -> None:
    shared = {"TAXI_HOSTS": "many", "TAXI_LAKE": "s3://bucket", "TAXI_WAREHOUSE": "off", "TAXI_POSTGRES": "off"}
    assert Settings.from_environment(shared).months_of_a_run == 12
    assert Settings.from_environment({**shared, "TAXI_RUN_MONTHS": "3"}).months_of_a_run == 3
