"""The stack of the compose file, each service a process of its own: a month asked for in the web interface arrives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import psycopg
import pytest
import requests
from typing_extensions import LiteralString

from taxi_platform_tests.deploy.composed import Composed
from tools.graphql import Webserver

pytestmark = pytest.mark.long


def secret(stack: Composed, name: str) -> str:
    return Path(stack.config["secrets"][name]["file"]).read_text()


def rows(stack: Composed, sql: LiteralString) -> list[tuple[object, ...]]:
    """As the reader of the trips database."""
    password = secret(stack, "taxi_reader_password")
    host = stack["trips-db"].address
    with psycopg.connect(host=host, dbname="taxi", user="taxi_reader", password=password) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def month(stack: Composed, webserver: Webserver) -> str:
    """A month materialized through the web interface, and the zones; the run's id."""
    assert webserver.wait(webserver.launch("taxi_zones")) == "SUCCESS"
    run = webserver.launch("green_months", "2021-06")
    assert webserver.wait(run) == "SUCCESS", stack["code-location"].log.read_text()
    return run


def test_a_month_asked_for_in_the_interface_is_in_every_store(stack: Composed, month: str) -> None:
    done = stack["code-location"].run("taxi", "status", "--json")
    assert done.returncode == 0, done.stderr
    (status,) = json.loads(done.stdout)
    assert (status["dataset"], status["file_month"], status["raw_rows"]) == ("green", "2021-06-01", 2000)
    assert status["trips_rows"] + status["quarantined_rows"] == 2000
    assert status["warehouse_rows"] == status["postgres_rows"] == status["trips_rows"]


def test_whoever_reads_the_trips_sees_the_new_month(stack: Composed, month: str) -> None:
    ((trips,),) = rows(stack, "SELECT count(*) FROM taxi.green_trips")
    ((in_view,),) = rows(stack, "SELECT count(*) FROM taxi.trips WHERE pickup_zone IS NOT NULL")
    assert 0 < int(str(in_view)) <= int(str(trips))


def test_what_is_not_the_daemon_knows_that_it_lives(stack: Composed, month: str) -> None:
    address = f"http://{stack['monitor'].address}:9464"
    assert requests.get(f"{address}/healthz", timeout=60).text == "ok\n"
    assert "taxi_daemon_heartbeat_timestamp_seconds" in requests.get(f"{address}/metrics", timeout=60).text


def test_the_daemon_is_healthy_and_launched_the_run(stack: Composed, webserver: Webserver, month: str) -> None:
    assert webserver.unhealthy_daemons() == []
    sql = "SELECT count(*) FROM runs WHERE status = 'SUCCESS' AND run_id = %s"
    password = secret(stack, "dagster_password")
    host = stack["dagster-db"].address
    with psycopg.connect(host=host, dbname="dagster", user="dagster", password=password) as connection:
        assert connection.execute(sql, [month]).fetchone() == (1,)


def test_the_web_server_may_not_load_trips(stack: Composed) -> None:
    passfile = Path(stack["webserver"].environment["PGPASSFILE"])
    assert [line.split(":")[3] for line in passfile.read_text().splitlines()] == ["dagster"]
    assert passfile.stat().st_mode & 0o077 == 0


def test_no_password_is_in_an_environment_or_a_log(stack: Composed, month: str) -> None:
    passwords = [Path(entry["file"]).read_text() for entry in stack.config["secrets"].values()]
    assert all(len(password) == 48 for password in passwords)
    shown = [text for s in stack.services.values() for text in (*s.environment.values(), *s.command)]
    shown += [s.log.read_text() for s in stack.services.values() if s.log.exists()]
    assert not [password for password in passwords if any(password in text for text in shown)]


def test_stopping_the_code_location_waits_for_its_run_and_the_next_one_takes_over(
    stack: Composed, webserver: Webserver, month: str
) -> None:
    under_way = webserver.launch("green_months", "2021-07")
    webserver.wait(under_way, until="STARTED")
    stack["code-location"].stop()
    assert webserver.status(under_way) == "SUCCESS"
    stack["code-location"].start()
    stack["code-location"].wait_until_healthy()
    webserver.reload()
    assert webserver.code_location() == "RepositoryLocation"
    assert webserver.wait(webserver.launch("green_months", "2021-08")) == "SUCCESS"
    months = rows(stack, "SELECT DISTINCT file_month::text FROM taxi.green_trips ORDER BY 1")
    assert months == [("2021-06-01",), ("2021-07-01",), ("2021-08-01",)]


def test_init_runs_again_before_every_start_and_takes_a_new_password_over(
    stack: Composed, compose_folder: Path, month: str
) -> None:
    file = compose_folder / "secrets" / "taxi_reader_password"
    before = file.read_text()
    file.write_text("with 'quotes', a \\ and a : in it")
    try:
        for name in ("dagster-roles", "trips-roles", "init"):
            shutil.rmtree(stack[name].root)
            stack.lay_out(stack[name])
            stack[name].complete()
        assert rows(stack, "SELECT count(*) > 0 FROM taxi.green_trips") == [(True,)]
    finally:
        file.write_text(before)
