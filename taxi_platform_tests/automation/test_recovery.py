"""Crashed runs that Dagster overlooks are ended and started again: the real daemon, a real instance, killed workers."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_representation.code_location import CodeLocation
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget, ModuleTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._grpc.server import GrpcServerProcess

from taxi_platform.contracts import CONTRACTS
from taxi_platform.orchestration.automation import recovery
from taxi_platform.orchestration.build import build_definitions
from taxi_platform.orchestration.jobs import job_name
from taxi_platform.orchestration.resources import StagingResource
from taxi_platform.settings import Settings
from taxi_platform_tests.automation.conftest import Deployment
from taxi_platform_tests.support.upstream import Fault, serve

# Dagster's daemon calls its logger by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")

LOCATION = "taxi_platform"
QUIET = "every run that crashed is seen to"
_WORKER = """
import sys, time, pathlib
from taxi_platform.machine.leases import lease
with lease(pathlib.Path(sys.argv[1]), sys.argv[2]):
    print("at work", flush=True)
    sys.stdin.readline()
"""


@dataclass
class Daemon:
    """An instance whose retries are queued and go no further, and its daemon, which looks when it is told to."""

    instance: dg.DagsterInstance
    workspace: WorkspaceProcessContext
    location: CodeLocation
    definitions: dg.Definitions
    leases: Path

    def look(self) -> None:
        for _ in EventLogConsumerDaemon().run_iteration(self.workspace):
            pass

    def tick(self) -> str:
        """Evaluate the sensor; why it did what it did."""
        repository = self.definitions.get_repository_def()
        with dg.build_sensor_context(
            instance=self.instance,
            repository_def=repository,
            sensor_name="crashed_runs",
            resources={"staging": StagingResource(folder=str(self.leases.parent), lease_seconds=60, one_host=None)},
        ) as context:
            result = repository.get_sensor_def("crashed_runs")(context)
        assert isinstance(result, dg.SkipReason)
        return str(result.skip_message)

    def started_run(self, **tags: str) -> dg.DagsterRun:
        (repository,) = self.location.get_repositories().values()
        origin = repository.get_full_job(job_name("green")).get_remote_origin()
        return self.instance.create_run_for_job(
            self.definitions.resolve_job_def(job_name("green")),
            remote_job_origin=origin,
            status=dg.DagsterRunStatus.STARTED,
            tags=tags,
        )

    def lose_a_retry(self, **tags: str) -> dg.DagsterRun:
        """A run that crashed, and whose failure the daemon saw before the run was marked as failed."""
        run = self.started_run(**tags)
        storing = self.instance.run_storage.handle_run_event

        def look_first(*args: object) -> None:
            self.look()
            storing(*args)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.instance.run_storage, "handle_run_event", look_first)
            self.instance.report_run_failed(run)
        self.look()
        assert self.retries() == []  # Where this fails, Dagster has mended it, and the module can go.
        return run

    def retries(self) -> list[str | None]:
        return [run.parent_run_id for run in self.instance.get_runs() if run.parent_run_id]

    def found(self, run: dg.DagsterRun) -> dg.DagsterRun:
        found = self.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found

    def will_retry(self, run: dg.DagsterRun) -> str:
        return self.found(run).tags["dagster/will_retry"]

    @contextlib.contextmanager
    def worker(self, run: dg.DagsterRun) -> Iterator[subprocess.Popen[str]]:
        """A process that holds the run's lease until it is told to end."""
        command = [sys.executable, "-c", _WORKER, str(self.leases), run.run_id]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "at work\n"
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture(scope="module")
def code_server() -> Iterator[GrpcServerTarget]:
    """The platform's code location, which all instances of these tests ask."""
    target = ModuleTarget("taxi_platform.definitions", None, None, LOCATION)
    (origin,) = target.create_origins()
    with (
        dg.instance_for_test() as instance,
        GrpcServerProcess(
            instance_ref=instance.get_ref(),
            location_name=LOCATION,
            loadable_target_origin=origin.loadable_target_origin,
            startup_timeout=300,
            wait_on_exit=True,
        ) as server,
    ):
        yield GrpcServerTarget("localhost", server.port, server.socket, LOCATION)


@pytest.fixture
def daemon(code_server: GrpcServerTarget, tmp_path: Path) -> Iterator[Daemon]:
    configured = {
        "run_retries": {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False},
        "run_coordinator": {"module": "dagster.core.run_coordinator", "class": "QueuedRunCoordinator"},
    }
    settings = Settings.from_environment({"TAXI_DATA": str(tmp_path)})
    with (
        dg.instance_for_test(overrides=configured) as instance,
        create_test_daemon_workspace_context(code_server, instance) as context,
    ):
        daemon = Daemon(
            instance,
            context,
            context.create_request_context().get_code_location(LOCATION),
            build_definitions(settings, [CONTRACTS["green"]]),
            tmp_path / "staging" / "runs",
        )
        daemon.look()  # its first look only remembers where the log ends
        yield daemon


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "_PATIENCE", -1.0)


def test_a_run_whose_worker_is_alive_is_left_alone_and_one_whose_worker_was_killed_is_started_again(
    daemon: Daemon,
) -> None:
    alive, dead = daemon.started_run(), daemon.started_run()
    with daemon.worker(alive), daemon.worker(dead) as worker:
        assert daemon.tick() == QUIET
        worker.kill()
        worker.wait()
        assert dead.run_id in daemon.tick()
        daemon.look()
    assert daemon.found(alive).status is dg.DagsterRunStatus.STARTED
    assert daemon.found(dead).status is dg.DagsterRunStatus.FAILURE
    assert daemon.retries() == [dead.run_id]
    assert [file.stem for file in daemon.leases.glob("*")] == [alive.run_id]


def test_of_a_run_whose_worker_has_ended_or_left_no_lease_nothing_is_said(daemon: Daemon) -> None:
    run = daemon.started_run()
    with daemon.worker(run) as worker:
        worker.communicate("end\n")
    daemon.started_run()
    assert daemon.tick() == QUIET
    assert list(daemon.leases.glob("*")) == []


def test_the_lease_of_a_run_that_somebody_else_has_ended_is_cleared_away(daemon: Daemon) -> None:
    run = daemon.started_run()
    with daemon.worker(run) as worker:
        worker.kill()
        worker.wait()
    daemon.instance.report_run_canceled(run)
    assert daemon.tick() == QUIET
    assert daemon.found(run).status is dg.DagsterRunStatus.CANCELED
    assert list(daemon.leases.glob("*")) == []


def test_a_run_holds_its_lease_while_it_works(deployment: Deployment) -> None:
    seen: list[list[str]] = []
    deployment.upstream.publish("2020-01")
    with serve(deployment.upstream.folder) as server:
        leases = deployment.settings.data / "staging/runs"
        deployment.settings = deployment.settings.model_copy(update={"source_url": server.url})
        server.fail("green/green_tripdata_2020-01.csv.gz", Fault.reset(after=100), method="GET")
        server.on_fault = lambda: seen.append([file.stem for file in leases.iterdir()])
        result = deployment.run("2020-01", ["raw"])
    assert result.success
    assert seen == [[result.run_id]]
    assert list(leases.iterdir()) == []


@pytest.mark.usefixtures("impatient")
def test_a_crash_that_the_daemon_sees_needs_no_help(daemon: Daemon) -> None:
    run = daemon.started_run()
    daemon.instance.report_run_failed(run)
    daemon.look()
    assert daemon.retries() == [run.run_id]
    assert daemon.tick() == QUIET


@pytest.mark.usefixtures("impatient")
def test_an_overlooked_retry_is_launched_once(daemon: Daemon) -> None:
    run = daemon.lose_a_retry()
    assert run.run_id in daemon.tick()
    daemon.look()
    assert daemon.retries() == [run.run_id]
    assert daemon.tick() == QUIET
    daemon.look()
    assert daemon.retries() == [run.run_id]


def test_the_daemon_is_given_its_time(daemon: Daemon) -> None:
    daemon.lose_a_retry()
    assert daemon.tick() == QUIET


@pytest.mark.usefixtures("impatient")
def test_a_retry_whose_backfill_has_gone_is_called_off(daemon: Daemon) -> None:
    run = daemon.lose_a_retry(**{"dagster/backfill": "of-yore"})
    assert "its backfill of-yore has ended" in daemon.tick()
    assert daemon.will_retry(run) == "false"
    daemon.look()
    assert daemon.retries() == []


@pytest.mark.usefixtures("impatient")
def test_a_daemon_that_never_answers_is_not_asked_for_ever(daemon: Daemon) -> None:
    run = daemon.lose_a_retry()
    reported = [daemon.tick() for _ in range(4)]
    assert "never started again" in reported[-1]
    assert daemon.will_retry(run) == "false"
    assert daemon.tick() == QUIET


@pytest.mark.usefixtures("impatient")
def test_runs_of_other_code_locations_are_left_alone(daemon: Daemon) -> None:
    other = dg.Definitions(jobs=[dg.define_asset_job("elsewhere")], assets=[]).resolve_job_def("elsewhere")
    run = daemon.instance.create_run_for_job(other, status=dg.DagsterRunStatus.STARTED)
    daemon.instance.report_run_failed(run)
    assert daemon.tick() == QUIET
