"""Workers that share an instance in PostgreSQL and no disk: who lives, who is lost, what a lost one still writes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from taxi_platform.orchestration.jobs import job_name
from taxi_platform.orchestration.keys import asset_key
from taxi_platform.orchestration.leases import LEASE_TAG, ServerLeases, leases_of
from taxi_platform.orchestration.resources import StagingResource
from taxi_platform.stores.postgres.leases import PostgresLeases
from taxi_platform_tests.automation.conftest import Deployment
from taxi_platform_tests.support.upstream import Fault, serve

SECONDS = 3.0
QUIET = "every run that crashed is seen to"
_HOLDER = """
import sys
from taxi_platform.stores.postgres.leases import PostgresLeases
with PostgresLeases(sys.argv[1], float(sys.argv[2])).hold(sys.argv[3], lambda: print("taken", flush=True)):
    sys.stdin.readline()
"""


@contextmanager
def holder(url: str, name: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lease until it is told to end."""
    command = [sys.executable, "-c", _HOLDER, url, str(SECONDS), name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        try:
            yield process
        finally:
            process.kill()


@retry(retry=retry_if_exception_type(AssertionError), stop=stop_after_delay(60), wait=wait_fixed(0.1), reraise=True)
def until(holds: Callable[[], bool]) -> None:
    assert holds()


@pytest.fixture
def leases(postgres_database: str) -> PostgresLeases:
    return PostgresLeases(postgres_database, SECONDS)


@pytest.fixture
def instance(postgres_database: str) -> Iterator[dg.DagsterInstance]:
    """One whose record is in a database of its own, as the automation's fixtures take it."""
    url = postgres_database.replace("postgresql://", "postgresql+psycopg2://")
    with dg.instance_for_test(overrides={"storage": {"postgres": {"postgres_url": url}}}) as instance:
        yield instance


def started(deployment: Deployment, tags: dict[str, str] | None = None) -> str:
    job = deployment.definitions.resolve_job_def(job_name("green"))
    return deployment.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags).run_id


def server_leases(deployment: Deployment) -> ServerLeases:
    leases = leases_of(deployment.instance, Path("nowhere"), SECONDS)
    assert isinstance(leases, ServerLeases)
    return leases


def ends(session: psycopg.Connection[tuple[object, ...]]) -> None:
    """As an administrator, or a server that starts again, ends every lease's session."""
    session.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'taxi_platform lease' "
        "AND datname = current_database()"
    )


def test_a_killed_worker_frees_its_lease_at_once_and_another_keeps_its_own(
    leases: PostgresLeases, postgres_database: str
) -> None:
    with holder(postgres_database, "alive"), holder(postgres_database, "dead") as dead:
        assert leases.held(["alive", "dead", "never"]) == {"alive", "dead"}
        dead.kill()
        until(lambda: leases.held(["alive", "dead"]) == {"alive"})


def test_a_worker_that_says_nothing_any_more_loses_its_lease_and_takes_it_again_when_it_is_back(
    leases: PostgresLeases, postgres_database: str
) -> None:
    """As one whose host was cut off: no connection is closed, and nothing arrives."""
    with holder(postgres_database, "cut off") as worker:
        worker.send_signal(signal.SIGSTOP)
        until(lambda: leases.held(["cut off"]) == set())
        worker.send_signal(signal.SIGCONT)
        until(lambda: leases.held(["cut off"]) == {"cut off"})


def test_a_lease_outlives_its_session_and_two_hold_one_together(leases: PostgresLeases, postgres_database: str) -> None:
    taken: list[str] = []
    with (
        leases.hold("run", lambda: taken.append("first")),
        psycopg.connect(postgres_database.replace("taxi@", "postgres@"), autocommit=True) as admin,
    ):
        with leases.hold("run", lambda: taken.append("second")):
            assert taken == ["first", "second"]
        assert leases.held(["run"]) == {"run"}
        ends(admin)
        until(lambda: taken == ["first", "second", "first"])
        assert leases.held(["run"]) == {"run"}
    assert leases.held(["run"]) == set()


def test_a_run_is_lost_that_nobody_held_in_two_looks(deployment: Deployment) -> None:
    leases = server_leases(deployment)
    never, run_id = started(deployment), started(deployment)
    with leases.hold(run_id):
        assert leases.lost({}, now=0.0) == ([], {})
    retried = started(deployment, tags={LEASE_TAG: run_id})  # a retry has its parent's tags before it has a lease
    lost, seen = leases.lost({}, now=0.0)
    assert (lost, seen) == ([], {run_id: 0.0})
    assert leases.lost(seen, now=SECONDS / 2) == ([run_id], {})
    with leases.hold(run_id):  # its session broke, and it is back
        assert leases.lost(seen, now=SECONDS / 2) == ([], {})
    assert {never, retried}.isdisjoint(seen)


def test_the_sensor_ends_a_run_whose_worker_has_gone_with_its_machine(deployment: Deployment) -> None:
    repository, instance = deployment.definitions.get_repository_def(), deployment.instance
    alive, dead = started(deployment), started(deployment)
    leases = server_leases(deployment)
    with leases.hold(dead):
        pass
    looks: list[str] = []
    with leases.hold(alive):
        for cursor in (None, json.dumps({dead: 0.0})):  # 0.0: many looks ago
            with dg.build_sensor_context(
                instance=instance,
                repository_def=repository,
                sensor_name="crashed_runs",
                cursor=cursor,
                resources={"staging": StagingResource(folder="nowhere", lease_seconds=SECONDS, one_host=None)},
            ) as context:
                result = repository.get_sensor_def("crashed_runs")(context)
                assert isinstance(result, dg.SkipReason)
                looks.append(f"{result.skip_message} {list(json.loads(context.cursor or ''))}")
    assert looks == [f"{QUIET} ['{dead}']", f"run {dead} has lost its worker, and is ended []"]
    statuses = {run.run_id: run.status for run in instance.get_runs()}
    assert statuses == {alive: dg.DagsterRunStatus.STARTED, dead: dg.DagsterRunStatus.FAILURE}


def test_a_run_holds_its_lease_on_the_server_and_leaves_no_file(deployment: Deployment) -> None:
    seen: list[set[str]] = []
    deployment.upstream.publish("2020-01")
    leases = server_leases(deployment)
    with serve(deployment.upstream.folder) as server:
        deployment.settings = deployment.settings.model_copy(update={"source_url": server.url})
        server.fail("green/green_tripdata_2020-01.csv.gz", Fault.reset(after=100), method="GET")
        runs = deployment.instance.get_runs
        server.on_fault = lambda: seen.append({run.run_id for run in runs() if LEASE_TAG in run.tags})
        result = deployment.run("2020-01", ["raw"])
    assert result.success
    assert seen == [{result.run_id}]
    assert leases.lost({}, now=0.0) == ([], {})
    assert not (deployment.settings.data / "staging/runs").exists()


def test_a_worker_that_comes_back_to_a_run_that_was_ended_writes_no_further_month(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01..2020-02")
    run_id = started(deployment)
    ended = deployment.instance.get_run_by_id(run_id)
    assert ended is not None
    deployment.instance.report_run_failed(ended, "lost")
    with server_leases(deployment).hold(run_id):  # as when its session opens again
        result = deployment.run("2020-01..2020-02", ["raw"])
    assert not result.success
    assert deployment.recorded("raw") == set()
    failure = next(event for event in result.all_events if event.is_step_failure)
    assert f"its run {run_id} was ended meanwhile" in str(failure.event_specific_data)
    assert deployment.run("2020-01..2020-02", ["raw"]).success
    assert deployment.instance.get_materialized_partitions(asset_key("raw", "green")) == {"2020-01-01", "2020-02-01"}
