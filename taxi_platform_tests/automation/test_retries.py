"""What is tried again inside a run and what is not; and that a bad month is never recorded."""

from __future__ import annotations

import _thread
import threading
import time
from dataclasses import replace
from datetime import date

import pytest

from taxi_platform.errors import BrokenFileError, StoreBusyError, TransientError, UpstreamChangedError
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.io_managers.isolation import store_each
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.transience import MONTH
from taxi_platform_tests.automation.conftest import ALL, Deployment, Publisher
from taxi_platform_tests.support.upstream import Fault, serve

MONTHS = [TripMonth("green", date(2020, month, 1)) for month in (1, 2, 3)]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxi_platform.orchestration.io_managers.isolation.MONTH", replace(MONTH, first_wait=0.01))


class Flaky:
    """Fails with these errors in turn, then works."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, month: TripMonth) -> dict[str, object]:
        self.calls += 1
        if month == MONTHS[1] and self.errors:
            raise self.errors.pop(0)
        return {"changed": True}


def test_what_may_work_later_is_tried_again() -> None:
    flaky = Flaky(StoreBusyError("held"), UpstreamChangedError("changed"))
    outcome = store_each(MONTHS, flaky, at_once=2)
    assert set(outcome.stored) == set(MONTHS)
    assert flaky.calls == len(MONTHS) + 2


def test_it_is_tried_a_bounded_number_of_times_and_the_other_months_are_kept() -> None:
    flaky = Flaky(*(TransientError(f"time {n}") for n in range(99)))
    outcome = store_each(MONTHS, flaky, at_once=2, attempts=4)
    assert set(outcome.stored) == {MONTHS[0], MONTHS[2]}
    assert [str(error) for error in outcome.failed.values()] == ["time 3"]


def test_an_interrupt_begins_no_month_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes while one month waits for its next attempt."""
    monkeypatch.setattr(
        "taxi_platform.orchestration.io_managers.isolation.MONTH", replace(MONTH, first_wait=99, longest_wait=99)
    )
    held, calls = threading.Event(), list[TripMonth]()

    def store(month: TripMonth) -> dict[str, object]:
        calls.append(month)
        if month == MONTHS[0]:
            held.set()
            raise StoreBusyError("held")
        held.wait()
        time.sleep(0.1)
        _thread.interrupt_main()
        return {}

    with pytest.raises(KeyboardInterrupt):
        store_each(MONTHS[:2], store, at_once=2)
    assert sorted(calls) == MONTHS[:2]


@pytest.mark.parametrize("error", [BrokenFileError("cut"), ValueError("nobody foresaw this")])
def test_what_would_only_fail_again_is_not_tried_again(error: Exception) -> None:
    flaky = Flaky(error)
    outcome = store_each(MONTHS, flaky, at_once=1)
    assert flaky.calls == len(MONTHS)
    assert outcome.failed == {MONTHS[1]: error}


def test_a_file_that_changes_between_the_look_and_the_fetch_is_fetched_as_it_is_now(
    deployment: Deployment, upstream: Publisher
) -> None:
    upstream.publish("2020-01")
    with serve(upstream.folder) as server:
        deployment.settings = deployment.settings.model_copy(update={"source_url": server.url})
        server.fail("green/green_tripdata_2020-01.csv.gz", Fault.reset(after=100), method="GET")
        server.on_fault = lambda: upstream.publish("2020-01", rows=1_200)
        assert deployment.run("2020-01", ["raw"]).success
    assert deployment.recorded("raw") == {"2020-01"}
    assert Lake(deployment.settings.lake).count_raw(MONTHS[0]) == 1_200


def test_a_broken_file_is_fetched_once_and_its_month_is_never_recorded(
    deployment: Deployment, upstream: Publisher
) -> None:
    upstream.publish("2020-01..2020-03")
    upstream.publish_broken("2020-02")
    with serve(upstream.folder) as server:
        deployment.settings = deployment.settings.model_copy(update={"source_url": server.url})
        assert not deployment.run("2020-01..2020-03").success
        assert server.count("GET", "green/green_tripdata_2020-02.csv.gz") == 1
        assert deployment.recorded("raw") == {"2020-01", "2020-03"}
        assert all(deployment.recorded(layer) == set() for layer in ALL[1:])
        upstream.publish("2020-02")
        assert deployment.run("2020-01..2020-03").success
        assert server.count("GET", "green/green_tripdata_2020-01.csv.gz") == 1
    assert all(deployment.recorded(layer) == {"2020-01", "2020-02", "2020-03"} for layer in ALL)
