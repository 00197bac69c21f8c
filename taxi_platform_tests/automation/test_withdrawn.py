"""Months that upstream withdraws, taken out of real stores by runs of this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from taxi_platform.inspection.status import MonthStatus, month_statuses
from taxi_platform.months import TripMonth, parse_month
from taxi_platform.orchestration.automation.repairs import layers_to_repair
from taxi_platform.orchestration.keys import asset_key
from taxi_platform.orchestration.metadata import ROWS, WITHDRAWN
from taxi_platform.stores.lake.lake import Lake
from taxi_platform_tests.automation.conftest import ALL, GREEN, Deployment
from taxi_platform_tests.automation.kept import Kept, keeping
from taxi_platform_tests.automation.test_schedules import morning, tick

REMOVE = {"green_raw": {"config": {"remove_withdrawn": True}}}
FEBRUARY = GREEN.month(parse_month("2020-02"))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Kept]:
    with keeping(tmp_path_factory.mktemp("kept"), postgres_server) as kept:
        yield kept


@pytest.fixture
def tmp_path(kept: Kept) -> Path:
    return kept.emptied()


@pytest.fixture
def variables(variables: dict[str, str], kept: Kept) -> dict[str, str]:
    """What is superseded goes at once."""
    return {**variables, "TAXI_POSTGRES": kept.database, "TAXI_GRACE_HOURS": "0"}


@pytest.fixture
def withdrawn(deployment: Deployment, kept: Kept) -> Deployment:
    """Three months everywhere, of which upstream has no longer the middle one."""

    bring_withdrawn(deployment, kept)
    return deployment


@pytest.fixture
def removed(deployment: Deployment, kept: Kept) -> Deployment:
    """The same, after a run has taken that month out of every store."""

    def removed() -> None:
        bring_withdrawn(deployment, kept)
        result = deployment.run("2020-02", config=REMOVE)
        assert result.success
        deployment.evaluate()

    kept.bring(deployment, removed)
    return deployment


def bring_withdrawn(deployment: Deployment, kept: Kept) -> None:
    def withdrawn() -> None:
        deployment.upstream.publish("2020-01..2020-03")
        assert deployment.run("2020-01..2020-03").success
        deployment.evaluate()
        deployment.upstream.withdraw("2020-02")

    kept.bring(deployment, withdrawn)


def lake(deployment: Deployment) -> Lake:
    return Lake(deployment.settings.lake)


def status(deployment: Deployment, month: TripMonth = FEBRUARY) -> MonthStatus:
    (found,) = [s for s in month_statuses(deployment.settings, [GREEN]) if s.file_month == month.first_day]
    return found


def last_metadata(deployment: Deployment, layer: str, month: TripMonth = FEBRUARY) -> dict[str, Any]:
    key = asset_key(layer, "green")
    (record,) = deployment.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=[month.partition_key]), limit=1
    ).records
    assert record.asset_materialization is not None
    return {name: value.value for name, value in record.asset_materialization.metadata.items()}


def failed_checks(result: dg.ExecuteInProcessResult) -> list[str]:
    return [e.check_name for e in result.get_asset_check_evaluations() if not e.passed]


def test_a_run_over_a_withdrawn_month_takes_it_out_of_every_store(withdrawn: Deployment) -> None:
    before = {label: status(withdrawn, GREEN.month(parse_month(label))) for label in ("2020-01", "2020-03")}
    result = withdrawn.run("2020-01..2020-03", config=REMOVE)
    assert result.success
    assert failed_checks(result) == []
    assert status(withdrawn).rows == (None,) * 5
    assert status(withdrawn).is_gone
    for label, was in before.items():
        assert status(withdrawn, GREEN.month(parse_month(label))) == was
        assert was.is_whole
    folder = withdrawn.settings.data / "lake"
    assert not list((folder / "trips/green/month=2020-02").iterdir())
    assert not list((folder / "quarantine/green/month=2020-02").iterdir())


def test_its_history_says_that_it_was_withdrawn_and_its_versions_stay(withdrawn: Deployment) -> None:
    versions = lake(withdrawn).raw_versions(FEBRUARY)
    assert withdrawn.run("2020-02", config=REMOVE).success
    for layer in ALL:
        metadata = last_metadata(withdrawn, layer)
        assert (metadata[WITHDRAWN], metadata[ROWS], metadata["changed"]) == (True, 0, True)
    assert lake(withdrawn).raw_versions(FEBRUARY) == versions
    assert lake(withdrawn).manifest(FEBRUARY).is_withdrawn
    assert lake(withdrawn).count_raw(FEBRUARY, versions[0].version) == 1_000
    # Dagster cannot take a partition back.
    assert withdrawn.recorded("raw") == {"2020-01", "2020-02", "2020-03"}


def test_the_other_stores_follow_by_automation_and_once(withdrawn: Deployment) -> None:
    assert withdrawn.run("2020-02", ["raw"], REMOVE).success
    assert withdrawn.evaluate() == {layer: {"2020-02"} for layer in ALL[1:]}
    assert withdrawn.run("2020-02", ALL[1:]).success
    assert status(withdrawn).is_gone
    assert withdrawn.evaluate() == {}


def test_a_second_run_finds_nothing_to_do_and_nothing_follows_it(removed: Deployment) -> None:
    assert removed.run("2020-02", ["raw"], REMOVE).success
    assert last_metadata(removed, "raw")["changed"] is False
    assert removed.evaluate() == {}


def test_without_the_parameter_the_month_fails_and_stays(withdrawn: Deployment) -> None:
    was = status(withdrawn)
    result = withdrawn.run("2020-02")
    assert not result.success
    assert status(withdrawn) == was
    assert was.is_whole


def test_a_month_that_was_never_published_fails_with_the_parameter_too(withdrawn: Deployment) -> None:
    result = withdrawn.run("2020-04", config=REMOVE)
    assert not result.success
    assert "2020-04" not in withdrawn.recorded("raw")
    (failure,) = [e for e in result.all_events if e.is_step_failure and e.step_key == "green_raw"]
    assert "has no file for green 2020-04" in failure.step_failure_data.error_display_string


def test_a_month_that_is_published_again_comes_back(removed: Deployment) -> None:
    removed.upstream.publish("2020-02")
    assert removed.run("2020-02").success
    assert status(removed).is_whole
    assert len(lake(removed).raw_versions(FEBRUARY)) == 1
    assert last_metadata(removed, "raw")["changed"] is True


def test_raw_views_show_it_no_longer(withdrawn: Deployment) -> None:
    import duckdb

    def months() -> list[tuple[str]]:
        with duckdb.connect(withdrawn.settings.warehouse, read_only=True) as connection:
            sql = "SELECT DISTINCT strftime(file_month, '%Y-%m') FROM taxi.raw_green ORDER BY 1"
            return connection.execute(sql).fetchall()

    assert months() == [("2020-01",), ("2020-02",), ("2020-03",)]
    assert withdrawn.run("2020-02", ["raw"], REMOVE).success
    assert months() == [("2020-01",), ("2020-03",)]
    withdrawn.upstream.withdraw("2020-01")
    withdrawn.upstream.withdraw("2020-03")
    assert withdrawn.run("2020-01..2020-03", ["raw"], REMOVE).success
    with pytest.raises(duckdb.CatalogException, match="raw_green"):
        months()


@pytest.mark.parametrize("done", [1, 2, 3])
def test_the_reconciliation_finishes_what_a_killed_run_left(withdrawn: Deployment, done: int) -> None:
    assert withdrawn.run("2020-02", ALL[:done], REMOVE).success
    layers = layers_to_repair(status(withdrawn))
    assert layers == {1: ALL[1:], 2: ALL[2:], 3: ALL[3:]}[done]
    assert withdrawn.run("2020-02", layers).success
    assert status(withdrawn).is_gone
    assert layers_to_repair(status(withdrawn)) == ()


@pytest.mark.parametrize("left", ["trips", "quarantine"])
def test_half_a_pair_that_a_kill_left_is_no_month_and_is_removed(withdrawn: Deployment, left: str) -> None:
    folder = withdrawn.settings.data / f"lake/{left}/green/month=2020-02"
    (stored,) = folder.glob("*.parquet")
    content = stored.read_bytes()
    assert withdrawn.run("2020-02", config=REMOVE).success
    stored.write_bytes(content)
    assert status(withdrawn).is_gone
    withdrawn.upstream.publish("2020-02", rows=1_100)
    assert withdrawn.run("2020-02", ["raw", "trips"]).success
    (standing,) = folder.glob("*.parquet")
    assert standing != stored


def test_nothing_is_reconciled_of_a_month_that_is_gone(removed: Deployment) -> None:
    data = tick(removed, "green_reconciliation", morning(2020, 9, 1))
    assert data.run_requests == []
    assert data.skip_message


def test_checks_over_all_months_pass_with_a_withdrawn_one_among_them(removed: Deployment) -> None:
    job = removed.definitions.resolve_implicit_global_asset_job_def()
    names = [("green_trips", "nothing_lost"), ("green_trips", "contract_known")]
    names += [(f"green_{layer}", "same_as_lake") for layer in ALL[2:]]
    keys = frozenset(dg.AssetCheckKey(dg.AssetKey(key), name) for key, name in names)
    only_checks = job.get_subset(asset_selection=frozenset(), asset_check_selection=keys)
    result = only_checks.execute_in_process(instance=removed.instance)
    assert len(result.get_asset_check_evaluations()) == len(keys)
    assert failed_checks(result) == []


def test_an_earlier_version_of_a_withdrawn_month_can_be_loaded_once(removed: Deployment) -> None:
    (version,) = lake(removed).raw_versions(FEBRUARY)
    config = {"green_trips": {"config": {"raw_version": version.version}}}
    assert removed.run("2020-02", ALL[1:], config).success
    loaded = status(removed)
    assert loaded.rows[1:3] != (None, None)
    assert dict(loaded.table_rows) == dict.fromkeys(("warehouse", "postgres"), loaded.trips_rows)


def test_a_selected_version_brings_a_withdrawn_month_back(withdrawn: Deployment) -> None:
    (version,) = lake(withdrawn).raw_versions(FEBRUARY)
    was = status(withdrawn)
    assert withdrawn.run("2020-02", config=REMOVE).success
    assert withdrawn.run("2020-02", config={"green_raw": {"config": {"select_version": version.version}}}).success
    assert status(withdrawn).rows == was.rows
    assert status(withdrawn).is_selected
