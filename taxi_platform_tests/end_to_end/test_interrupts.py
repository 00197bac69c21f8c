"""Ctrl-C in the middle of ``taxi run``: once ends it all, whatever upstream is doing at that moment."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from taxi_platform.orchestration.keys import asset_key
from taxi_platform.sources.sample.writing import write_month
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform_tests.support.platform import Platform
from taxi_platform_tests.support.terminal import CTRL_C, on_a_terminal
from taxi_platform_tests.support.upstream import Fault, Upstream, serve

FEBRUARY, MARCH = "green/green_tripdata_2021-02.csv.gz", "green/green_tripdata_2021-03.csv.gz"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("upstream")
    (folder / "misc").mkdir()
    (folder / "misc" / "taxi_zone_lookup.csv").write_bytes(lookup_csv())
    for dataset, number in (("green", 1), ("green", 2), ("green", 3), ("yellow", 1), ("yellow", 3)):
        (folder / dataset).mkdir(exist_ok=True)
        file = folder / dataset / f"{dataset}_tripdata_2021-{number:02}.csv.gz"
        write_month(dataset, date(2021, number, 1), 1_000, file, "csv.gz")
    return folder


@pytest.fixture
def upstream(files: Path) -> Iterator[Upstream]:
    with serve(files) as running:
        yield running


@pytest.fixture
def platform(upstream: Upstream, tmp_path: Path) -> Platform:
    data = str(tmp_path / "data")
    return Platform(tmp_path, {"TAXI_DATA": data, "TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": upstream.url})


def never_answers(upstream: Upstream, path: str) -> None:
    upstream.fail(path, Fault.slow(3600), times=20, method="GET")


def wait_for_request(upstream: Upstream, path: str) -> None:
    deadline = time.monotonic() + 300
    while not upstream.count("GET", path):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def assert_it_says_only(text: str, sentence: str) -> None:
    assert text.count("Stopped: ") == 1, text
    assert sentence in text
    for bad in ("Traceback", "Error", "interrupt", "failed"):
        assert bad not in text, text


def test_ctrl_c_on_a_terminal_ends_the_command_and_starts_no_other_dataset(
    platform: Platform, upstream: Upstream
) -> None:
    never_answers(upstream, MARCH)
    command = ("run", "--datasets", "green,yellow", "--months", "2021-01,2021-03")
    environment = platform.environment
    with on_a_terminal([sys.executable, "-m", "taxi_platform.cli", *command], platform.folder, environment) as terminal:
        wait_for_request(upstream, MARCH)
        terminal.press(CTRL_C)
        assert terminal.finish() == 130
    assert_it_says_only(terminal.screen, "Stopped: 1 of 4 months finished; run again to continue")
    assert not any("yellow" in request.path for request in upstream.requests)
    assert platform.rows()["green 2021-01"][0] == 1_000


def test_what_was_stored_before_ctrl_c_is_recorded_and_the_run_counts_as_cancelled(
    platform: Platform, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_answers(upstream, FEBRUARY)
    platform.variables.update(TAXI_WAREHOUSE="off", TAXI_POSTGRES="off")
    run = platform.start("run", "--datasets", "green", "--months", "2021-01..2021-02")
    manifest = platform.data / "lake/raw/green/month=2021-01/manifest.json"
    wait_for_request(upstream, FEBRUARY)
    while not manifest.exists():
        assert run.poll() is None
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGINT)
    stopped = platform.finish(run)
    assert stopped.code == 130
    assert_it_says_only(stopped.err, "Stopped: 0 of 2 months finished; run again to continue")
    monkeypatch.setenv("DAGSTER_HOME", str(platform.data / "dagster"))
    with dg.DagsterInstance.get() as instance:
        (months,) = [run for run in instance.get_runs() if run.job_name == "green_months"]
        assert months.status is dg.DagsterRunStatus.CANCELED
        assert instance.get_materialized_partitions(asset_key("raw", "green")) == {"2021-01-01"}


def test_a_command_that_does_not_hear_of_ctrl_c_ends_all_the_same(tmp_path: Path) -> None:
    # The main thread waits in C, as for a database that does not answer, and no Python code runs in it. The handler is
    # for a signal that comes before the wait has begun: the interpreter's own would end the thread there.
    script = """
import hashlib, signal
from taxi_platform.cli.interrupts import ends_at_ctrl_c
with ends_at_ctrl_c(lambda: "Stopped: for a test", lambda: None, lambda: print("abandoned", flush=True)):
    signal.signal(signal.SIGINT, lambda number, frame: None)
    print("waiting", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)
"""
    with on_a_terminal([sys.executable, "-c", script], tmp_path, os.environ) as terminal:
        terminal.wait_for("waiting")
        terminal.press(CTRL_C)
        assert terminal.finish() == 130
    assert "abandoned" in terminal.screen.split("Stopped: for a test")[0]
