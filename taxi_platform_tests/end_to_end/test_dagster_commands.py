"""Dagster's own commands, as the docs have them, beside ``taxi dev``: its daemon takes up what they ask for."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import requests

import taxi_platform
from taxi_platform.orchestration.keys import asset_key
from taxi_platform_tests.support.platform import Platform

WORKSPACE = ("-w", str(Path(taxi_platform.__file__).with_name("workspace.yaml")))
STATES = """{ repositoriesOrError { ... on RepositoryConnection { nodes {
  schedules { name scheduleState { status } }
  sensors { name sensorState { status ticks(limit: 1) { status } } }
} } } }"""


def wait(what: str, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def zones_arrived(instance: dg.DagsterInstance) -> bool:
    runs = instance.get_runs(dg.RunsFilter(job_name="taxi_zones", statuses=[dg.DagsterRunStatus.SUCCESS]))
    return bool(runs)


class Daemon:
    def __init__(self, platform: Platform, home: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self.process = platform.start("dev", "--port", str(self.port))
        self.home = home

    def states(self) -> dict[str, Any]:
        """Schedule or sensor → its state, as the daemon's own workspace has it; nothing while that is not there."""
        try:
            answer = requests.post(f"http://127.0.0.1:{self.port}/graphql", json={"query": STATES}, timeout=60).json()
        except requests.RequestException:
            return {}
        nodes = answer["data"]["repositoriesOrError"].get("nodes") or []
        schedules = {s["name"]: s["scheduleState"] for node in nodes for s in node["schedules"]}
        return schedules | {s["name"]: s["sensorState"] for node in nodes for s in node["sensors"]}


@pytest.mark.long
def test_the_daemon_takes_up_what_documented_commands_ask_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = {"TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "1000", "TAXI_DATA": str(tmp_path / "data")}
    platform = Platform(tmp_path, sample)
    home = platform.data / "dagster"
    daemon = Daemon(platform, home)
    try:
        wait("the web interface", lambda: daemon.states() or daemon.process.poll() is not None)
        tag = '{"dagster/partition": "2021-05-01"}'
        for command in (
            ("job", "launch", *WORKSPACE, "-j", "taxi_zones"),
            ("job", "launch", *WORKSPACE, "-j", "green_months", "--tags", tag),
            (
                "job",
                "backfill",
                *WORKSPACE,
                "-j",
                "green_months",
                "--from",
                "2021-04-01",
                "--to",
                "2021-04-01",
                "--noprompt",
            ),
            ("schedule", "start", *WORKSPACE, "green_sweep"),
            ("sensor", "start", *WORKSPACE, "zones_published"),
        ):
            done = platform.dagster(*command)
            assert done.code == 0, done.text
        monkeypatch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            postgres = asset_key("postgres", "green")
            months = {"2021-04-01", "2021-05-01"}
            wait("the zones, which the sensor asks for", lambda: zones_arrived(instance))
            wait("the launched runs", lambda: instance.get_materialized_partitions(postgres) == months)
        wait("the schedule", lambda: daemon.states()["green_sweep"]["status"] == "RUNNING")
    finally:
        # All of them at once: in a shell's background, Ctrl-C is ignored by whatever it starts.
        if daemon.process.poll() is None:
            os.killpg(daemon.process.pid, signal.SIGKILL)
        printed = platform.finish(daemon.process)
    # Not a line for each look of a sensor.
    assert "Checking for new runs for sensor" not in printed.text
    assert "is superseded" not in printed.text
