"""A retry that Dagster's daemon overlooks is launched all the same: the real daemon and a real instance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import pytest
from dagster._core.remote_representation.code_location import CodeLocation
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon

from taxi_platform import recovery
from taxi_platform.contracts import CONTRACTS
from taxi_platform.definitions import build_definitions
from taxi_platform.jobs import job_name
from taxi_platform.settings import Settings

# Dagster's daemon calls its logger by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")

DEFINITIONS = build_definitions(Settings.from_environment({}), [CONTRACTS["green"]])


@dataclass
class Daemon:
    """An instance whose retries are queued and go no further, and its daemon, which looks when it is told to."""

    instance: dg.DagsterInstance
    workspace: WorkspaceProcessContext
    location: CodeLocation

    def look(self) -> None:
        for _ in EventLogConsumerDaemon().run_iteration(self.workspace):
            pass

    def tick(self) -> str:
        """Evaluate the sensor; why it did what it did."""
        repository = DEFINITIONS.get_repository_def()
        with dg.build_sensor_context(
            instance=self.instance, repository_def=repository, sensor_name="overlooked_retries"
        ) as context:
            result = repository.get_sensor_def("overlooked_retries")(context)
        assert isinstance(result, dg.SkipReason)
        return str(result.skip_message)

    def started_run(self, **tags: str) -> dg.DagsterRun:
        (repository,) = self.location.get_repositories().values()
        origin = repository.get_full_job(job_name("green")).get_remote_origin()
        return self.instance.create_run_for_job(
            DEFINITIONS.resolve_job_def(job_name("green")),
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

    def will_retry(self, run: dg.DagsterRun) -> str:
        found = self.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found.tags["dagster/will_retry"]


@pytest.fixture(scope="module")
def workspace() -> Iterator[tuple[dg.DagsterInstance, WorkspaceProcessContext]]:
    settings = {
        "run_retries": {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False},
        "run_coordinator": {"module": "dagster.core.run_coordinator", "class": "QueuedRunCoordinator"},
    }
    target = ModuleTarget("taxi_platform.definitions", None, None, "taxi_platform")
    with (
        dg.instance_for_test(overrides=settings) as instance,
        create_test_daemon_workspace_context(target, instance) as context,
    ):
        yield instance, context


@pytest.fixture
def daemon(workspace: tuple[dg.DagsterInstance, WorkspaceProcessContext]) -> Iterator[Daemon]:
    instance, context = workspace
    daemon = Daemon(instance, context, context.create_request_context().get_code_location("taxi_platform"))
    daemon.look()  # its first look only remembers where the log ends
    yield daemon
    for run in instance.get_runs():
        instance.delete_run(run.run_id)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "_PATIENCE", -1.0)


def test_a_crash_that_the_daemon_sees_needs_no_help(daemon: Daemon, impatient: None) -> None:
    run = daemon.started_run()
    daemon.instance.report_run_failed(run)
    daemon.look()
    assert daemon.retries() == [run.run_id]
    assert daemon.tick() == "no retry was overlooked"


@pytest.mark.usefixtures("impatient")
def test_an_overlooked_retry_is_launched_once(daemon: Daemon) -> None:
    run = daemon.lose_a_retry()
    assert run.run_id in daemon.tick()
    daemon.look()
    assert daemon.retries() == [run.run_id]
    assert daemon.tick() == "no retry was overlooked"
    daemon.look()
    assert daemon.retries() == [run.run_id]


def test_the_daemon_is_given_its_time(daemon: Daemon) -> None:
    daemon.lose_a_retry()
    assert daemon.tick() == "no retry was overlooked"


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
    assert daemon.tick() == "no retry was overlooked"


@pytest.mark.usefixtures("impatient")
def test_runs_of_other_code_locations_are_left_alone(daemon: Daemon) -> None:
    other = dg.Definitions(jobs=[dg.define_asset_job("elsewhere")], assets=[]).resolve_job_def("elsewhere")
    run = daemon.instance.create_run_for_job(other, status=dg.DagsterRunStatus.STARTED)
    daemon.instance.report_run_failed(run)
    assert daemon.tick() == "no retry was overlooked"
