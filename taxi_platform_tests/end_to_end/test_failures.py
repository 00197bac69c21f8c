"""What somebody reads of a month that failed: after ``dagster asset materialize``, and on Dagster's pages."""

from __future__ import annotations

from datetime import date

import dagster as dg
import pytest

from taxi_platform.orchestration.keys import asset_key
from taxi_platform.sources.sample.writing import write_month
from taxi_platform_tests.support.platform import Done, Platform

SENTENCE = "is cut off: its gzip data ends before its end mark"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A good month upstream, and one that is cut off."""
    folder = tmp_path_factory.mktemp("failures")
    (folder / "upstream" / "green").mkdir(parents=True)
    for number in (1, 2):
        file = folder / "upstream" / "green" / f"green_tripdata_2021-0{number}.csv.gz"
        write_month("green", date(2021, number, 1), 1_000, file, "csv.gz")
    file.write_bytes(file.read_bytes()[:10_000])
    source = {"TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": str(folder / "upstream")}
    return Platform(folder, {**source, "TAXI_DATA": str(folder / "data")})


def materialize(platform: Platform, *arguments: str) -> Done:
    return platform.dagster("asset", "materialize", "-m", "taxi_platform.definitions", *arguments)


def assert_it_fails_in_a_sentence(done: Done, sentence: str) -> None:
    assert done.code != 0
    assert sentence in done.err
    for trace in ("Stack Trace", "Traceback", 'File "'):
        assert trace not in done.err, done.err


def test_a_failed_month_is_one_sentence_everywhere(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    one, range_ = ("--select", "green_raw"), ("--partition-range", "2021-01-01...2021-02-01")
    assert_it_fails_in_a_sentence(materialize(platform, *one, *range_), SENTENCE)
    monkeypatch.setenv("DAGSTER_HOME", str(platform.data / "dagster"))
    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs()
        assert run.tags["taxi/months"] == "2021-01..2021-02"
        (failure,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        assert failure.dagster_event is not None
        data = failure.dagster_event.step_failure_data
        assert data.error is not None
        assert data.error.message.startswith("1 of 2 months of green_raw failed:\n2021-02: ")
        assert (data.error.stack, data.error.cause) == ([], None)
        assert data.user_failure_data is not None
        assert set(data.user_failure_data.metadata) == {"failed_months"}
        seen = instance.fetch_observations(asset_key("raw", "green"), limit=10).records
    (observation,) = [record.asset_observation for record in seen]
    assert observation is not None
    assert observation.partition == "2021-02-01"
    assert SENTENCE in str(observation.metadata["failed"].value)


@pytest.mark.parametrize("select", ["green_raw", "green_trips"])
def test_a_range_that_runs_backwards_is_a_sentence(platform: Platform, select: str) -> None:
    done = materialize(platform, "--select", select, "--partition-range", "2021-02-01...2021-01-01")
    sentence = "the range 2021-02-01...2021-01-01 runs backwards: name the earlier month first"
    assert_it_fails_in_a_sentence(done, sentence)


def test_a_job_over_months_without_a_month_is_a_sentence(platform: Platform) -> None:
    done = platform.dagster("job", "execute", "-m", "taxi_platform.definitions", "-j", "green_months")
    assert_it_fails_in_a_sentence(done, "the run names no month of green: choose partitions in the web interface")
