"""``taxi metrics`` on a port: what it answers, what it says of a dead daemon, and how it ends."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
import requests
from dagster._daemon.types import DaemonHeartbeat

from taxi_platform.orchestration.health import SILENT_AFTER
from taxi_platform_tests.support.platform import Platform
from taxi_platform_tests.support.terminal import CTRL_C, on_a_terminal


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    off = {"TAXI_POSTGRES": "off", "TAXI_WAREHOUSE": "off"}
    return Platform(tmp_path, {"TAXI_DATA": str(tmp_path / "data"), "TAXI_SOURCE": "sample", **off})


def beat(instance: dg.DagsterInstance, at: float) -> None:
    for daemon in instance.get_required_daemon_types():
        instance.add_daemon_heartbeat(DaemonHeartbeat(at, daemon, None, []))


def test_a_daemon_that_is_heard_of_and_one_that_is_not(platform: Platform) -> None:
    command = [sys.executable, "-m", "taxi_platform.cli", "metrics", "--port", "0"]
    with on_a_terminal(command, platform.folder, platform.environment) as terminal:
        terminal.wait_for("/metrics and /healthz")
        address = re.search(r"http://127\.0\.0\.1:\d+", terminal.screen)
        assert address is not None

        def answer(path: str) -> tuple[int, str]:
            response = requests.get(f"{address.group()}{path}", timeout=60)
            return response.status_code, response.text

        status, text = answer("/healthz")
        assert (status, "not heard of for ten minutes: " in text) == (503, True)
        with dg.DagsterInstance.from_config(str(platform.data / "dagster")) as instance:
            beat(instance, time.time())
            assert answer("/healthz") == (200, "ok\n")
            beat(instance, time.time() - SILENT_AFTER.total_seconds() - 1)
            assert answer("/healthz")[0] == 503
        status, text = answer("/metrics")
        assert status == 200
        assert 'taxi_daemon_heartbeat_timestamp_seconds{daemon="sensor"}' in text
        assert 'taxi_disk_free_bytes{place="TAXI_DATA"}' in text
        assert answer("/elsewhere")[0] == 404

        second = platform.taxi("metrics", "--port", address.group().rpartition(":")[2])
        assert (second.code, "choose another" in second.text) == (1, True)
        terminal.press(CTRL_C)
        assert terminal.finish() == 0
        assert "Traceback" not in terminal.screen


def test_a_file_is_whole_or_not_there(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "taxi.prom"
    assert platform.taxi("metrics", "--output", str(file)).code == 0
    assert "taxi_look_failed 0.0" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.glob("*prom*")] == ["taxi.prom"]
    done = platform.taxi("metrics", "--output", str(tmp_path / "nowhere" / "taxi.prom"))
    assert (done.code, "cannot be written" in done.text) == (1, True)


def test_a_store_that_does_not_answer_is_said(platform: Platform) -> None:
    nobody = {"TAXI_POSTGRES": "postgresql://127.0.0.1:1/taxi", "TAXI_WAIT_SECONDS": "1"}
    done = platform.taxi("metrics", **nobody)
    assert done.code == 0, done.text
    assert "taxi_look_failed 1.0" in done.out
    assert "taxi_months" not in done.out
