"""Steps of one run in threads: what they may do at the same time, and what each keeps for itself."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import date

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from taxi_platform.cli.launch import run_job
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.executor import steps_in_threads
from taxi_platform.orchestration.interrupts import Interrupts
from taxi_platform.orchestration.io_managers.isolation import Metadata, recorded, store_each

_SECONDS = 60
"""To wait for another thread; only a test that fails waits so long."""
JANUARY, FEBRUARY = TripMonth("green", date(2021, 1, 1)), TripMonth("green", date(2021, 2, 1))


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    logs = {"managed_python_loggers": ["taxi_platform"], "python_log_level": "INFO"}
    overrides = {"python_logs": logs, "telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("instance")), overrides=overrides) as opened:
        yield opened


def run(instance: dg.DagsterInstance, *assets: dg.AssetsDefinition, **resources: object) -> dg.JobExecutionResult:
    """All of those assets, in one run."""
    jobs = [dg.define_asset_job("all_of_them")]
    definitions = dg.Definitions(assets=assets, jobs=jobs, resources=resources, executor=steps_in_threads)
    return run_job(instance, definitions.get_repository_def(), "all_of_them", {})


def step_of(entry: dg.EventLogEntry) -> tuple[str | None, str]:
    return entry.step_key, entry.user_message


def test_steps_that_do_not_need_each_other_run_at_the_same_time(instance: dg.DagsterInstance) -> None:
    meeting = threading.Barrier(2, timeout=_SECONDS)
    threads = set()

    @dg.asset
    def lake() -> None:
        threads.add(threading.current_thread())

    @dg.asset(deps=[lake])
    def warehouse() -> None:
        meeting.wait()

    @dg.asset(deps=[lake])
    def postgres() -> None:
        meeting.wait()

    assert run(instance, lake, warehouse, postgres).success
    assert threads == {threading.main_thread()}, "a step that is alone is in the main thread"


def test_a_step_that_fails_leaves_the_others(instance: dg.DagsterInstance) -> None:
    has_failed, done = threading.Event(), []

    @dg.asset
    def bad_warehouse() -> None:
        has_failed.set()
        raise ValueError("the disk is full")

    @dg.asset
    def postgres() -> None:
        assert has_failed.wait(_SECONDS)

    @dg.asset(deps=[postgres])
    def postgres_mart() -> None:
        done.append("postgres_mart")

    @dg.asset(deps=[bad_warehouse])
    def warehouse_mart() -> None:
        done.append("warehouse_mart")

    result = run(instance, bad_warehouse, postgres, postgres_mart, warehouse_mart)
    assert not result.success
    assert done == ["postgres_mart"]
    assert {key.to_user_string() for key in instance.get_asset_keys()} >= {"postgres", "postgres_mart"}
    assert not instance.get_latest_materialization_event(dg.AssetKey("bad_warehouse"))


def test_each_step_has_its_own_lines(instance: dg.DagsterInstance) -> None:
    meeting = threading.Barrier(2, timeout=_SECONDS)
    logger = logging.getLogger("taxi_platform.test")

    def asset(name: str) -> dg.AssetsDefinition:
        def load(month: TripMonth) -> Metadata:
            logger.info("%s loads %s", name, month.label)
            return {}

        @dg.asset(name=name)
        def step() -> None:
            meeting.wait()
            logger.info("%s begins", name)
            store_each([JANUARY, FEBRUARY], load, at_once=2)
            meeting.wait()

        return step

    result = run(instance, asset("warehouse"), asset("postgres"))
    said = [step_of(entry) for entry in instance.all_logs(result.run_id) if "_" not in entry.user_message]
    for name in ("warehouse", "postgres"):
        lines = [f"{name} begins", f"{name} loads 2021-01", f"{name} loads 2021-02"]
        assert sorted(line for line in said if line[1] in lines) == [(name, line) for line in lines]


class Months(dg.ConfigurableIOManager):
    """Stores the months that an asset returned, each by the function it returned beside them."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        assert isinstance(obj, tuple)
        months, store = obj
        with recorded(context) as outcome:
            store_each(months, store, at_once=1, outcome=outcome)

    def load_input(self, context: dg.InputContext) -> None:
        """Nothing is loaded."""


def test_an_interrupt_ends_steps_in_threads_and_what_is_stored_is_recorded(instance: dg.DagsterInstance) -> None:
    is_ended, stored = threading.Event(), []
    partitions = dg.MonthlyPartitionsDefinition("2021-01-01")

    def for_ever(month: TripMonth) -> Metadata:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                time.sleep(0.01)
        finally:
            stored.append(month)
            is_ended.set()

    def one_by_one(month: TripMonth) -> Metadata:
        assert month == JANUARY or is_ended.wait(_SECONDS)
        stored.append(month)
        return {"changed": True}

    january_is_recorded = threading.Event()

    @dg.asset(partitions_def=partitions, io_manager_key="months")
    def endless() -> object:
        assert january_is_recorded.wait(_SECONDS)
        return (JANUARY,), for_ever

    @dg.asset(partitions_def=partitions, io_manager_key="months")
    def two_months() -> object:
        def store(month: TripMonth) -> Metadata:
            if month == FEBRUARY:
                january_is_recorded.set()
            return one_by_one(month)

        return (JANUARY, FEBRUARY), store

    assert not run(instance, endless, two_months, months=Months()).success
    assert stored == [JANUARY, JANUARY, FEBRUARY]
    assert instance.get_materialized_partitions(dg.AssetKey("two_months")) == {"2021-01-01", "2021-02-01"}
    assert not instance.get_materialized_partitions(dg.AssetKey("endless"))


def test_an_interrupt_does_not_reach_what_is_not_to_be_interrupted() -> None:
    interrupts, seen = Interrupts(), []
    told = threading.Event()

    def work() -> None:
        with interrupts.let_in():
            pass
        assert told.wait(_SECONDS)
        seen.append("outside")
        try:
            with interrupts.let_in():
                seen.append("inside")
        except DagsterExecutionInterruptedError:
            seen.append("interrupted")

    thread = threading.Thread(target=work)
    thread.start()
    interrupts.tell()
    told.set()
    thread.join()
    assert seen == ["outside", "interrupted"]
