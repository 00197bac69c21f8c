"""Nothing hides a change: what becomes of the stores when runs are executed again, are interrupted, or came too early.

Real stores, real runs, real records; that the daemon asks for what is found here is in ``test_running``.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from taxi_platform import cleaning, ingest
from taxi_platform.errors import StoreError
from taxi_platform.inspection.status import month_statuses
from taxi_platform.orchestration.automation.record_job import RECORD_JOB
from taxi_platform.orchestration.automation.recorded import recorded_versions
from taxi_platform.orchestration.keys import asset_key
from taxi_platform.orchestration.metadata import DATA_VERSION, RAW_VERSION, VERSION
from taxi_platform.references import Refusal
from taxi_platform.stores.lake.lake import Lake
from taxi_platform_tests.automation.conftest import ALL, GREEN, Deployment
from taxi_platform_tests.automation.kept import Kept, keeping
from taxi_platform_tests.automation.test_conditions import BELOW_RAW, RAW, follows
from taxi_platform_tests.support.forked import run_module

MARCH = GREEN.month(GREEN.first_month.replace(year=2020, month=3))

KILLED_BEFORE_ITS_EVENT = """
import os, signal
from dagster._cli import main
from taxi_platform.orchestration.io_managers import isolation

isolation.record = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
main()
"""
"""A module that is Dagster's command, but for that."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Kept]:
    with keeping(tmp_path_factory.mktemp("kept"), postgres_server) as kept:
        yield kept


@pytest.fixture
def tmp_path(kept: Kept) -> Path:
    return kept.emptied()


@pytest.fixture
def variables(variables: dict[str, str], kept: Kept) -> dict[str, str]:
    return {**variables, "TAXI_POSTGRES": kept.database}


@pytest.fixture
def march(deployment: Deployment, kept: Kept) -> Deployment:
    """A month in every store, found unchanged by the run whose id is the newest; then it was published again."""

    def march() -> None:
        deployment.upstream.publish("2020-03")
        assert deployment.run("2020-03").success
        assert deployment.run("2020-03").success
        assert deployment.evaluate() == {}
        deployment.upstream.publish("2020-03", rows=1_100)

    kept.bring(deployment, march)
    return deployment


@pytest.fixture
def loaded(deployment: Deployment, kept: Kept) -> Deployment:
    """January and February in every store, then March and April in the lake's raw layer."""

    def loaded() -> None:
        deployment.upstream.publish("2020-01..2020-04")
        assert deployment.run("2020-01..2020-02").success
        assert deployment.run("2020-03..2020-04", RAW).success

    kept.bring(deployment, loaded)
    return deployment


def rows(deployment: Deployment) -> dict[str, tuple[int | None, ...]]:
    return {f"{status.file_month:%Y-%m}": status.rows for status in month_statuses(deployment.settings, [GREEN])}


def newest_run(deployment: Deployment) -> dg.DagsterRun:
    return deployment.instance.get_runs(limit=1)[0]


def test_an_old_run_that_found_nothing_new_is_executed_again_after_upstream_published_anew(march: Deployment) -> None:
    # Dagster gives a re-execution the tags of its run, whatever they say of that one.
    assert march.run("2020-03", RAW, tags=newest_run(march).tags).success
    assert march.evaluate() == follows("2020-03")
    assert march.run("2020-03", BELOW_RAW).success
    assert march.evaluate() == {}
    assert {month.is_whole for month in month_statuses(march.settings, [GREEN])} == {True}
    assert rows(march)["2020-03"][0] == 1_100


def test_so_it_is_from_failure(march: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run found raw unchanged and failed at trips; the republished month came in between."""
    march.upstream.publish("2020-03")
    config = {"green_trips": {"config": {"drop_zero_passengers": True}}}
    with monkeypatch.context() as patch:
        patch.setattr(cleaning, "clean_month", disk_is_full)
        assert not march.run("2020-03", config=config).success
    failed = newest_run(march)
    march.upstream.publish("2020-03", rows=1_100)
    assert march.run("2020-03", RAW).success
    # "From failure" cleans with the tags of the failed run, and ends before the tables.
    assert march.run("2020-03", ["trips"], config, tags=failed.tags).success
    assert march.evaluate() == follows("2020-03", layers=("warehouse", "postgres"))


def disk_is_full(*_: object) -> None:
    raise StoreError("no space left")


def test_a_worker_that_is_killed_between_manifest_and_event_hides_no_change(
    deployment: Deployment, tmp_path: Path
) -> None:
    """The instance is on disk, so that another process can record what it did."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").touch()
    (home / "killed.py").write_text(KILLED_BEFORE_ITS_EVENT)
    deployment.upstream.publish("2020-03")
    with dg.DagsterInstance.from_config(str(home)) as on_disk:
        march = replace(deployment, instance=on_disk)
        assert march.run("2020-03").success
        assert march.evaluate() == {}
        march.upstream.publish("2020-03", rows=1_100)
        asset = ("-m", "taxi_platform.definitions", "--select", "green_raw", "--partition", "2020-03-01")
        environment = {**os.environ, "DAGSTER_HOME": str(home)}
        done = run_module("killed", ("asset", "materialize", *asset), home, environment, timeout=300)
        assert done.code == -signal.SIGKILL
        current = Lake(march.settings.lake).current_raw(MARCH)
        assert current is not None
        assert current.rows == 1_100
        assert march.evaluate() == {}
        result = march.run("2020-03", RAW)
        assert result.success
        (event,) = result.asset_materializations_for_node("green_raw")
        assert event.metadata["changed"].value is False
        assert march.evaluate() == follows("2020-03")


def test_a_range_that_is_interrupted_records_what_it_stored_and_that_is_followed(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.upstream.publish("2020-01..2020-08")
    deployment.evaluate()
    staged: list[str] = []

    def interrupted(read: Callable[..., Any]) -> Callable[..., Any]:
        def stage_raw(contract: Any, month: Any, *arguments: Any) -> Any:
            staged.append(month.label)
            if len(staged) == 4:
                os.kill(os.getpid(), signal.SIGINT)  # as "Terminate" does with the worker of a run
            return read(contract, month, *arguments)

        return stage_raw

    monkeypatch.setattr(ingest, "stage_raw", interrupted(ingest.stage_raw))
    with contextlib.suppress(KeyboardInterrupt):
        assert not deployment.run("2020-01..2020-08", RAW).success
    stored = {month.label for month in Lake(deployment.settings.lake).months("green")}
    assert 3 <= len(stored) < 8
    assert deployment.recorded("raw") == stored
    assert deployment.evaluate() == follows(*stored)


def test_months_from_before_automation_was_switched_on_are_followed(loaded: Deployment) -> None:
    assert loaded.evaluate() == follows("2020-03", "2020-04")
    assert loaded.evaluate() == {}


def test_what_is_on_record_is_read_once_however_often_a_month_was_run(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01..2020-02")
    for _ in range(3):
        assert deployment.run("2020-01..2020-02", ["raw", "trips"]).success
    read: list[int] = []
    storage = deployment.instance.event_log_storage
    fetch = storage.fetch_materializations

    def counted(*arguments: Any, **more: Any) -> Any:
        result = fetch(*arguments, **more)
        read.append(len(result.records))
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "fetch_materializations", counted)
        for _ in range(3):
            trips = recorded_versions(deployment.instance, asset_key("trips", "green"))
            raw = recorded_versions(deployment.instance, asset_key("raw", "green"))
    assert read == [2, 2]
    assert set(raw) == set(trips) == {"2020-01-01", "2020-02-01"}
    for month in raw:
        assert trips[month][RAW_VERSION] == raw[month][VERSION]
        assert trips[month][DATA_VERSION].startswith(raw[month][VERSION])
    assert recorded_versions(deployment.instance, asset_key("postgres", "green")) == {}


def test_every_layer_names_the_versions_of_each_month_of_a_range(loaded: Deployment) -> None:
    raw, trips, *tables = (recorded_versions(loaded.instance, asset_key(layer, "green")) for layer in ALL)
    assert len({versions[VERSION] for versions in raw.values()}) == 4
    assert set(trips) == {"2020-01-01", "2020-02-01"}
    for month in trips:
        assert trips[month][RAW_VERSION] == raw[month][VERSION]
        assert [table[month][DATA_VERSION] for table in tables] == [trips[month][DATA_VERSION]] * 2


@pytest.mark.parametrize("history", ["none", "under the keys of an earlier release"])
def test_a_new_instance_over_a_whole_lake_gets_its_record_by_one_run_that_moves_nothing(
    loaded: Deployment, history: str
) -> None:
    before = {path: path.stat().st_mtime_ns for path in loaded.settings.data.rglob("*.parquet")}
    times = loaded_at(loaded)
    for month in ("2020-01", "2020-02", "2020-03", "2020-04"):
        loaded.upstream.withdraw(month)  # nothing can be fetched
    old = [recorded_versions(loaded.instance, asset_key(layer, "green")) for layer in ALL]
    with dg.DagsterInstance.ephemeral() as new:
        if history == "under the keys of an earlier release":
            for layer, day in product(ALL, ("2020-01-01", "2020-02-01")):
                new.report_runless_asset_event(dg.AssetMaterialization([layer, "green"], partition=day))
        anew = replace(loaded, instance=new)
        request = ask_to_record(anew)
        assert isinstance(request, dg.RunRequest)
        job = anew.definitions.resolve_job_def(RECORD_JOB)
        assert job.execute_in_process(instance=new, run_config=request.run_config).success
        assert [recorded_versions(new, asset_key(layer, "green")) for layer in ALL] == old
        assert anew.evaluate() == follows("2020-03", "2020-04")
        assert isinstance(ask_to_record(anew), dg.SkipReason)
        # A second run finds everything on record.
        assert job.execute_in_process(instance=new, run_config=request.run_config).success
        assert len(new.fetch_materializations(asset_key("raw", "green"), 100).records) == 4
    assert {path: path.stat().st_mtime_ns for path in loaded.settings.data.rglob("*.parquet")} == before
    assert loaded_at(loaded) == times


def test_a_month_of_which_every_version_was_refused_has_nothing_to_record(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01")
    assert deployment.run("2020-01").success
    lake = Lake(deployment.settings.lake)
    month = GREEN.month(date(2020, 1, 1))
    with dg.DagsterInstance.ephemeral() as new:
        anew = replace(deployment, instance=new)
        request = ask_to_record(anew)
        assert isinstance(request, dg.RunRequest)
        # The day is part of it: one that fails is asked for again tomorrow.
        assert re.fullmatch(r"record\|[0-9a-f]{16}\|\d{4}-\d{2}-\d{2}", request.run_key or "")
        (raw,) = lake.raw_versions(month)
        lake.refuse_raw(month, raw.version, Refusal("another format", "c1"))
        assert isinstance(ask_to_record(anew), dg.SkipReason)


def loaded_at(deployment: Deployment) -> list[Any]:
    import psycopg

    with psycopg.connect(deployment.settings.postgres.get_secret_value()) as connection:
        return connection.execute("SELECT file_month, loaded_at FROM taxi.months ORDER BY 1").fetchall()


def ask_to_record(deployment: Deployment) -> dg.RunRequest | dg.SkipReason:
    """One tick of the sensor that looks for months without a record."""
    repository = deployment.definitions.get_repository_def()
    resources = {"lake": repository.get_top_level_resources()["lake"]}
    with dg.build_sensor_context(deployment.instance, repository_def=repository, resources=resources) as context:
        result = repository.get_sensor_def("unrecorded_months")(context)
    assert isinstance(result, dg.RunRequest | dg.SkipReason)
    return result
