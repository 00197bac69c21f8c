"""The stack with workers on three hosts of a network: one backfill of four datasets, and what goes wrong meanwhile.

The server's parts are the compose files' (PostgreSQL, Redis, code location, web server, daemon), a worker is what
``deploy/workers/install`` lays out, and lake and warehouse are the emulated clouds. Each host has a network namespace
and a folder of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import pack_value

from taxi_platform.orchestration.workers import WorkersLauncher
from taxi_platform_tests.deploy.composed import Composed
from taxi_platform_tests.deploy.tools import REPOSITORY
from taxi_platform_tests.support.hosts import Host, network
from taxi_platform_tests.support.running import RunningPlatform
from tools.emulators import bigquery, gcs
from tools.emulators.process import EmulatorMissingError
from tools.graphql import Webserver

pytestmark = [pytest.mark.long, pytest.mark.soak]

PREFIX = "10.213.7"
EMULATORS = f"{PREFIX}.1"
DATASETS = ("yellow", "green", "fhv", "fhvhv")
FIRST, LAST, MONTHS = "2021-01", "2021-04", 4
ROWS = 2_000
LAYERS = ("raw", "trips", "warehouse", "postgres")
TASK = "dagster-celery/task_id"


@dataclass
class Worker:
    """A host and the service that `install` made of it."""

    host: Host
    root: Path
    variables: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """As systemd does, by the unit."""
        unit = (self.root / "etc/systemd/system/taxi-worker.service").read_text()
        own = dict(pair.split("=", 1) for pair in re.findall(r"^Environment=(.*)$", unit, re.MULTILINE)[0].split())
        places = {name: re.sub(r"^/(?=var|etc)", f"{self.root}/", value) for name, value in own.items()}
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.root), **places, **self.variables}
        (line,) = re.findall(r"^ExecStart=/opt/taxi/bin/(.*)$", unit, re.MULTILINE)
        told = [part.replace("${TAXI_CONCURRENCY}", environment["TAXI_CONCURRENCY"]) for part in shlex.split(line)]
        command = self.host.command(str(Path(sys.executable).with_name(told[0])), *told[1:])
        with (self.root / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.root, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def log(self) -> str:
        return (self.root / "worker.log").read_text()

    def has_begun(self, run_id: str) -> bool:
        return f"{run_id} - " in self.log


@dataclass
class Fleet:
    """Server and workers."""

    stack: Composed
    workers: list[Worker]
    platform: RunningPlatform

    def runs(self, *statuses: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
        return list(self.platform.instance.get_runs(dg.RunsFilter(statuses=list(statuses))))

    def run(self, run_id: str) -> dg.DagsterRun:
        found = self.platform.instance.get_run_by_id(run_id)
        assert found is not None
        return found

    def worker_of(self, run: dg.DagsterRun) -> Worker:
        return next(worker for worker in self.workers if worker.has_begun(run.run_id))

    def deliver_again(self, run: dg.DagsterRun) -> None:
        launcher = self.platform.instance.run_launcher
        assert isinstance(launcher, WorkersLauncher)
        assert run.job_code_origin is not None
        packed = pack_value(ExecuteRunArgs(run.job_code_origin, run.run_id, self.platform.instance.get_ref()))
        launcher._execute.si(packed).apply_async(task_id=run.tags[TASK], queue="dagster")

    def status(self) -> list[dict[str, Any]]:
        done = self.stack["code-location"].run("taxi", "status", "--json")
        assert done.stdout, done.stderr
        statuses: list[dict[str, Any]] = json.loads(done.stdout)
        return statuses

    def beginnings(self) -> Counter[str]:
        """Run → how many processes began to execute it."""
        return Counter(
            run.run_id
            for run in self.runs()
            for entry in self.platform.instance.all_logs(run.run_id)
            if entry.message.startswith("Started process for run")
        )


@pytest.fixture
def fleet(compose_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(network(PREFIX, 3))
        try:
            lake = stack.enter_context(gcs.emulated_gcs(tmp_path / "gcs.log", EMULATORS))
            warehouse = stack.enter_context(bigquery.emulated_bigquery(tmp_path, lake, EMULATORS))
        except EmulatorMissingError as error:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no emulator: {error}")
        bucket = f"taxi-{uuid.uuid4().hex[:12]}"
        gcs.create_bucket(lake, bucket)
        emulated = {"STORAGE_EMULATOR_HOST": lake, "BIGQUERY_EMULATOR_HOST": warehouse}
        settings = {
            "TAXI_SOURCE": "sample",
            "TAXI_SAMPLE_ROWS": str(ROWS),
            "TAXI_DATASETS": ",".join(DATASETS),
            "TAXI_MARTS": "off",
            "TAXI_HOSTS": "many",
            "TAXI_RUN_MONTHS": str(MONTHS // 2),
            "TAXI_LAKE": f"gs://{bucket}",
            "TAXI_WAREHOUSE": f"bigquery://{bigquery.PROJECT}/taxi_hosts?location=US",
        }
        private = {"TAXI_PRIVATE_ADDRESS": EMULATORS, "TAXI_BROKER_PASSWORD": "secret"}
        files = ("compose.yaml", "compose.workers.yaml")
        variables = {**settings, **private}
        composed = Composed(
            compose_folder, tmp_path / "state", variables, files=files, network=PREFIX, outside=emulated
        )
        stack.enter_context(composed.up(without=("pgadmin", "monitor")))
        server = composed["code-location"].environment
        shared = ("TAXI_BROKER", "DAGSTER_POSTGRES_URL", "TAXI_POSTGRES")
        told = {**settings, **emulated, **{name: server[name] for name in shared}, "TAXI_CONCURRENCY": "1"}
        workers = [
            Worker(host, laid_out(tmp_path / host.name, Path(server["PGPASSFILE"])), told) for host in made.hosts
        ]
        for worker in workers:
            stack.callback(worker.kill)
            worker.start()
        for name in (*shared, "PGPASSFILE"):
            monkeypatch.setenv(name, server[name])
        home = Path(server["DAGSTER_HOME"])
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(home)))
        for pool in ("upstream", "warehouse", "postgres"):
            instance.event_log_storage.set_concurrency_slots(pool, 4)
        url = f"http://{composed['webserver'].address}:3000"
        yield Fleet(composed, workers, RunningPlatform(url, home, instance, composed["daemon"].log))


def laid_out(root: Path, passwords: Path) -> Path:
    installed = subprocess.run(
        [str(REPOSITORY / "deploy/workers/install")], env={**os.environ, "DESTDIR": str(root)}, check=False
    )
    assert installed.returncode == 0
    (root / "etc/taxi/pgpass").write_text(passwords.read_text())
    return root


def test_a_backfill_over_three_hosts_loses_nothing_and_does_nothing_twice(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    started, platform = time.monotonic(), fleet.platform
    assert Webserver(platform.url).wait(Webserver(platform.url).launch("taxi_zones")) == "SUCCESS"
    assets = [f"{dataset}_{layer}" for dataset in DATASETS for layer in LAYERS]
    backfill = platform.backfill_of(assets, FIRST, LAST)

    def at_work() -> list[dg.DagsterRun]:
        return [
            run
            for run in fleet.runs(dg.DagsterRunStatus.STARTED)
            if any(w.has_begun(run.run_id) for w in fleet.workers)
        ]

    platform.wait("a run on every host", lambda: len(at_work()) == 3)
    killed, cut, twice = at_work()
    fleet.deliver_again(twice)
    fleet.stack["run-queue"].stop()
    fleet.worker_of(killed).kill()
    fleet.worker_of(cut).host.cut()
    broken = time.monotonic()
    fleet.stack["run-queue"].start()
    fleet.stack["run-queue"].wait_until_healthy()
    fleet.worker_of(killed).start()

    def noticed() -> bool:
        return all(fleet.run(run.run_id).status is dg.DagsterRunStatus.FAILURE for run in (killed, cut))

    platform.wait("both lost runs to be noticed", noticed)
    seen = time.monotonic()
    fleet.worker_of(cut).host.mend()

    def ended() -> bool:
        found = platform.instance.get_backfill(backfill)
        return found is not None and found.status.value.startswith("COMPLETED") and not fleet.runs(*UNFINISHED)

    platform.wait("the backfill to end", ended)
    statuses = fleet.status()
    assert {(status["dataset"], status["raw_rows"]) for status in statuses} == {(name, ROWS) for name in DATASETS}
    assert len(statuses) == MONTHS * len(DATASETS)
    for status in statuses:
        assert status["trips_rows"] + status["quarantined_rows"] == ROWS
        assert status["warehouse_rows"] == status["postgres_rows"] == status["trips_rows"]
    runs = [run for run in fleet.runs() if run.tags.get("dagster/backfill") == backfill and not run.parent_run_id]
    assert len(runs) == 2 * len(DATASETS)
    assert set(fleet.beginnings().values()) == {1}
    assert platform.instance.run_monitoring_start_timeout_seconds == 3600  # of runs that wait for a free worker
    assert f"another message of run {twice.run_id}" in "".join(worker.log for worker in fleet.workers)
    assert {run.parent_run_id for run in fleet.runs(dg.DagsterRunStatus.SUCCESS)} >= {killed.run_id, cut.run_id}
    took, noticed_after = time.monotonic() - started, seen - broken
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(fleet.workers)} hosts, {len(statuses)} months of {ROWS} rows in {took:.0f} s; "
            f"lost runs were noticed {noticed_after:.0f} s after their hosts were gone\n"
        )


UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
)
