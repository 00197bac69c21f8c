"""Runs on Celery's workers: a real broker and a real worker; two messages of one run, and a worker that is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher import LaunchRunContext, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import pack_value
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from taxi_platform.errors import SettingsError
from taxi_platform.orchestration.workers import WorkersLauncher, serve_runs
from taxi_platform_tests.support.broker import Broker
from taxi_platform_tests.support.forked import run_module

ROOT = Path(__file__).resolve().parents[1]
FRAGMENT = ROOT / "deploy" / "docker" / "instance" / "workers.yaml"
PATIENCE = 60.0


@dg.op
def waits() -> None:
    """Says that it began, and goes on when it may."""
    folder = Path(os.environ["DAGSTER_HOME"])
    with (folder / "begun").open("a") as file:
        file.write("begun\n")
    while not (folder / "go").exists():
        time.sleep(0.05)


@dg.job(executor_def=dg.in_process_executor)
def waits_job() -> None:
    waits()


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@dataclass
class Host:
    """A worker, the instance whose runs it executes, and the clock of the launcher that asks for it."""

    instance: dg.DagsterInstance
    launcher: WorkersLauncher
    process: subprocess.Popen[bytes]
    home: Path
    now: float = 0.0

    def begun(self) -> int:
        file = self.home / "begun"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def launched(self) -> str:
        origin = dg.reconstructable(waits_job).get_python_origin()
        run = self.instance.create_run_for_job(waits_job, status=dg.DagsterRunStatus.STARTING, job_code_origin=origin)
        self.launcher.launch_run(LaunchRunContext(run, workspace=None))
        return run.run_id

    def deliver_again(self, run_id: str) -> None:
        """The same message of the same task."""
        origin = self.run(run_id).job_code_origin
        assert origin is not None
        packed = pack_value(ExecuteRunArgs(origin, run_id, self.instance.get_ref()))
        task_id = self.run(run_id).tags[DAGSTER_CELERY_TASK_ID_TAG]
        self.launcher._execute.si(packed).apply_async(task_id=task_id, queue="dagster")

    def run(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def health(self, run_id: str) -> WorkerStatus:
        return self.launcher.check_run_worker_health(self.run(run_id)).status


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Two runs at a time, in the processes of ``taxi worker``, until the test that kills it."""
    folder = tmp_path_factory.mktemp("host")
    home = folder / "home"
    home.mkdir()
    policies = "run_monitoring: { enabled: true }\ntelemetry: { enabled: false }\n"
    (home / "dagster.yaml").write_text(f"{FRAGMENT.read_text()}\n{policies}")
    broker = Broker(folder).start()
    with contextlib.ExitStack() as stack:
        stack.callback(broker.stop)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("TAXI_BROKER", broker.url)
        patch.setenv("DAGSTER_HOME", str(home))
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(home)))
        launcher = instance.run_launcher
        assert isinstance(launcher, WorkersLauncher)
        log = stack.enter_context((folder / "worker.log").open("wb"))
        command = [sys.executable, "-m", "taxi_platform.cli", "worker", "--concurrency", "2"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        stack.callback(process.wait)
        stack.callback(stop, process)
        host = Host(instance, launcher, process, home)
        launcher._clock = lambda: host.now
        yield host


def stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def test_a_run_that_ends_is_told_apart_from_one_whose_worker_ended(host: Host) -> None:
    (host.home / "go").touch()
    run_id = host.launched()
    until(lambda: host.run(run_id).is_finished, "the run to end")
    assert host.run(run_id).status is dg.DagsterRunStatus.SUCCESS
    until(lambda: host.health(run_id) is WorkerStatus.FAILED, "its task to end")  # it is not asked for ended runs
    (host.home / "go").unlink()
    elsewhere = host.instance.create_run_for_job(waits_job, status=dg.DagsterRunStatus.STARTED)
    assert host.health(elsewhere.run_id) is WorkerStatus.RUNNING
    assert host.launcher.terminate(elsewhere.run_id) is False


def test_a_message_that_comes_twice_is_executed_once_and_a_worker_that_is_gone_is_noticed(host: Host) -> None:
    before = host.begun()
    run_id = host.launched()
    until(lambda: host.begun() > before, "the run to begin")
    # The same once more, as a broker does that delivers twice; the other process is free to take it.
    host.deliver_again(run_id)
    until(lambda: "another message of run" in (host.home.parent / "worker.log").read_text(), "the second message")
    assert host.health(run_id) is WorkerStatus.RUNNING
    host.now += 1_000
    assert host.health(run_id) is WorkerStatus.RUNNING

    os.killpg(host.process.pid, signal.SIGKILL)
    host.process.wait()
    assert host.health(run_id) is WorkerStatus.RUNNING  # silent for no time yet
    host.now += 30
    assert host.health(run_id) is WorkerStatus.RUNNING
    host.now += 31
    assert host.health(run_id) is WorkerStatus.FAILED
    assert host.begun() == before + 1


def test_a_worker_without_its_launcher_or_broker_says_so(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: { enabled: false }\n")
    with pytest.raises(SettingsError, match="starts runs where they are asked for"):
        serve_runs(tmp_path, 1, "taxi")
    (tmp_path / "dagster.yaml").write_text(FRAGMENT.read_text())
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("TAXI_", "DAGSTER_"))}
    environment = {**outside, "DAGSTER_HOME": str(tmp_path)}
    done = run_module("taxi_platform.cli", ["worker"], tmp_path, environment, PATIENCE)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: TAXI_BROKER, which ")
    assert len(done.err.splitlines()) == 1


def test_only_a_redis_server_can_be_the_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dagster.yaml").write_text(FRAGMENT.read_text())
    monkeypatch.setenv("TAXI_BROKER", "amqp://user:secret@host")
    with pytest.raises(SettingsError, match="only a Redis server can be one") as refusal:
        _ = InstanceRef.from_dir(str(tmp_path)).run_launcher
    assert "secret" not in str(refusal.value)
