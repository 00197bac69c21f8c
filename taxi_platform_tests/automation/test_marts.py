"""Marts follow their tables: of a month that comes, is republished, refused or withdrawn, fails, or is defined anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import dagster as dg
import duckdb
import pytest

from taxi_platform import marts
from taxi_platform.inspection.status import month_statuses, opened_tables
from taxi_platform.marts import marts_of
from taxi_platform.months import TripMonth, parse_month
from taxi_platform.orchestration.automation.repairs import layers_to_repair
from taxi_platform.orchestration.jobs import job_name
from taxi_platform.orchestration.keys import MART_LAYERS, asset_key
from taxi_platform.stores import bookkeeping
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import StoreOfMarts
from taxi_platform.stores.testing.marts import assert_marts
from taxi_platform_tests.automation.conftest import ALL, GREEN, Deployment
from taxi_platform_tests.automation.test_refused import shifted

JANUARY, FEBRUARY = (GREEN.month(parse_month(label)) for label in ("2020-01", "2020-02"))
EVERYTHING = (*ALL, *MART_LAYERS)


@pytest.fixture
def variables(variables: dict[str, str]) -> dict[str, str]:
    return {**variables, "TAXI_MARTS": "on"}


def are_right(deployment: Deployment, *months: TripMonth) -> None:
    """In every store the marts of exactly those months, which are what the lake's rows add up to."""
    lake = Lake(deployment.settings.lake)
    with opened_tables(deployment.settings) as stores:
        assert len(stores) == 2
        for store in stores.values():
            held = cast("StoreOfMarts", store).held_marts(GREEN)
            assert list(held) == [month.first_day for month in months]
            for month in months:
                clean = lake.current_clean(month)
                assert clean is not None
                assert_marts(cast("StoreOfMarts", store), GREEN, clean, lake)


def behind(deployment: Deployment) -> dict[str, Any]:
    return {f"{s.file_month:%Y-%m}": dict(s.behind) for s in month_statuses(deployment.settings, [GREEN]) if s.behind}


def asked(deployment: Deployment) -> dict[str, set[str]]:
    """One tick of automation: layer of marts → months that it asks for."""
    result = deployment.evaluate_all()
    found = {layer: result.get_requested_partitions(asset_key(layer, "green")) for layer in MART_LAYERS}
    return {layer: {key[:7] for key in keys if key} for layer, keys in found.items() if keys}


@pytest.mark.long
def test_marts_follow_a_month_through_all_that_happens_to_it(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.upstream.publish("2020-01..2020-02")
    result = deployment.run("2020-01..2020-02", EVERYTHING)
    assert result.success
    evaluations = [e for e in result.get_asset_check_evaluations() if e.check_name == "marts_add_up"]
    assert [e.passed for e in evaluations] == [True, True]
    assert {e.metadata["months_in_all"].value for e in evaluations} == {2}
    are_right(deployment, JANUARY, FEBRUARY)
    assert behind(deployment) == {}
    metadata = last_metadata(deployment, "postgres_marts")
    assert metadata["trips"] == trips(deployment)

    # Republished, by runs of tables only: the marts are those of before, are shown, and automation asks for them.
    deployment.upstream.publish("2020-02", rows=1_500)
    before = trips(deployment)
    assert deployment.run("2020-02").success
    assert behind(deployment)["2020-02"].keys() == set(MART_LAYERS)
    assert all(s.startswith("made from version ") for s in behind(deployment)["2020-02"].values())
    assert asked(deployment) == {layer: {"2020-02"} for layer in MART_LAYERS}
    assert deployment.run("2020-02", MART_LAYERS).success
    assert trips(deployment) > before
    are_right(deployment, JANUARY, FEBRUARY)

    # Failed: whatever upstream has, the month and its marts stay.
    deployment.upstream.publish_broken("2020-02")
    assert not deployment.run("2020-02", EVERYTHING).success
    are_right(deployment, JANUARY, FEBRUARY)

    # Refused: cleaning stops the run, and marts stay with the trips of the version before.
    shifted(deployment)
    for _ in range(2):  # when it is cleaned, and when it is known to be refused
        assert not deployment.run("2020-02", EVERYTHING).success
        (_, status) = month_statuses(deployment.settings, [GREEN])
        assert (status.state, status.behind) == ("refused", {})
        assert asked(deployment) == {}
        are_right(deployment, JANUARY, FEBRUARY)
    deployment.upstream.publish("2020-02", rows=1_500)
    assert deployment.run("2020-02", EVERYTHING).success
    are_right(deployment, JANUARY, FEBRUARY)

    # Defined anew: nothing was recorded of it, so the reconciliation repairs it, in the marts alone.
    select = marts.queries.select
    monkeypatch.setattr(marts.queries, "select", lambda *of: f"{select(*of)}\n" if of[0] == "measured" else select(*of))
    monkeypatch.setattr(bookkeeping, "_DEFINED", {})  # as in a new process
    (status, _) = month_statuses(deployment.settings, [GREEN])
    assert layers_to_repair(status) == MART_LAYERS
    assert "mart_service_day" in status.behind["warehouse_marts"]
    assert deployment.run("2020-01..2020-02", MART_LAYERS).success
    assert behind(deployment) == {}

    # Withdrawn: no store has any of it.
    deployment.upstream.withdraw("2020-02")
    config = {"green_raw": {"config": {"remove_withdrawn": True}}}
    withdrawn = deployment.run("2020-02", EVERYTHING, config=config)
    assert withdrawn.success
    assert all(e.passed for e in withdrawn.get_asset_check_evaluations())
    are_right(deployment, JANUARY)
    assert last_metadata(deployment, "warehouse_marts")["withdrawn"] is True

    # Published again: it is as if it had never been away.
    deployment.upstream.publish("2020-02", rows=1_500)
    assert deployment.run("2020-02", EVERYTHING).success
    are_right(deployment, JANUARY, FEBRUARY)


@pytest.mark.long
def test_marts_that_fail_in_one_store_fail_alone_and_are_repaired(deployment: Deployment) -> None:
    """A row of the republished month is lost in the warehouse, so that its marts do not add up."""
    deployment.upstream.publish("2020-01..2020-02")
    assert deployment.run("2020-01..2020-02", EVERYTHING).success
    deployment.upstream.publish("2020-01..2020-02", rows=1_500)
    assert deployment.run("2020-01..2020-02").success
    lost = "DELETE FROM taxi.green_trips WHERE rowid = (SELECT max(rowid) FROM taxi.green_trips WHERE file_month = "
    with duckdb.connect(deployment.settings.warehouse) as connection:
        connection.execute(f"{lost} DATE '2020-02-01')")
    result = deployment.run("2020-01..2020-02", MART_LAYERS)
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert failed.step_key == "green_warehouse_marts"
    assert failed.step_failure_data.user_failure_data is not None
    sentences: Any = failed.step_failure_data.user_failure_data.metadata["failed_months"].value
    assert list(sentences) == ["2020-02"]
    assert "is not stored: its rows have" in sentences["2020-02"]
    (january, february) = month_statuses(deployment.settings, [GREEN])
    assert january.is_whole
    assert february.behind.keys() == {"warehouse", "warehouse_marts"}
    assert february.behind["warehouse_marts"].startswith("made from version ")
    assert deployment.run("2020-02", layers_to_repair(february)).success
    assert behind(deployment) == {}
    are_right(deployment, JANUARY, FEBRUARY)


def test_marts_are_made_with_their_month_and_checked(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01")
    result = deployment.run("2020-01", EVERYTHING)
    assert result.success
    assert add_up(result) == {"green_warehouse_marts": True, "green_postgres_marts": True}
    are_right(deployment, JANUARY)

    # What the web interface plots over the months.
    lake = Lake(deployment.settings.lake)
    clean = lake.current_clean(JANUARY)
    assert clean is not None
    with lake.open_parquet(clean.trips_path) as file:
        amounts = file.read(columns=["total_amount"])["total_amount"].drop_null().to_pylist()
    for layer in MART_LAYERS:
        plotted = last_metadata(deployment, layer, JANUARY)
        assert (plotted["trips"], plotted["revenue_dollars"]) == (
            clean.facts.trips_rows,
            sum(round(amount * 100) for amount in amounts) / 100,
        )

    # A hand changes one mart: of the two stores' checks one fails.
    with duckdb.connect(deployment.settings.warehouse) as connection:
        connection.execute("UPDATE taxi.green_mart_tips_month SET trips = trips + 1 WHERE rowid = 0")
    keys = frozenset(dg.AssetCheckKey(asset_key(layer, "green"), "marts_add_up") for layer in MART_LAYERS)
    job = deployment.definitions.resolve_job_def(job_name("green"))
    checked = job.get_subset(asset_selection=frozenset(), asset_check_selection=keys).execute_in_process(
        instance=deployment.instance, raise_on_error=False
    )
    assert add_up(checked) == {"green_warehouse_marts": False, "green_postgres_marts": True}


def add_up(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Asset → whether its marts have the trips that the store has."""
    found = [e for e in result.get_asset_check_evaluations() if e.check_name == "marts_add_up"]
    return {e.asset_key.to_user_string(): e.passed for e in found}


def last_metadata(deployment: Deployment, layer: str, month: TripMonth = FEBRUARY) -> dict[str, Any]:
    filtered = dg.AssetRecordsFilter(asset_key(layer, "green"), asset_partitions=[month.partition_key])
    (record,) = deployment.instance.fetch_materializations(filtered, limit=1).records
    assert record.asset_materialization is not None
    return {name: value.value for name, value in record.asset_materialization.metadata.items()}


def trips(deployment: Deployment) -> int:
    clean = Lake(deployment.settings.lake).current_clean(FEBRUARY)
    assert clean is not None
    return clean.facts.trips_rows


def test_a_platform_without_marts_has_none_and_misses_none(deployment: Deployment) -> None:
    off = replace(deployment, settings=deployment.settings.model_copy(update={"marts": "off"}))
    keys = off.definitions.resolve_asset_graph().get_all_asset_keys()
    assert not [key for key in keys if "marts" in key.to_user_string()]
    off.upstream.publish("2020-01")
    assert off.run("2020-01").success
    (status,) = month_statuses(off.settings, [GREEN])
    assert status.is_whole
    assert {name: status.to_json()[f"{name}_rows"] for name in MART_LAYERS} == dict.fromkeys(MART_LAYERS, "off")
    (missed,) = month_statuses(deployment.settings, [GREEN])
    assert missed.behind == dict.fromkeys(MART_LAYERS, "not made yet")


def test_the_columns_of_marts_are_shown_with_those_that_they_come_from(deployment: Deployment) -> None:
    key = asset_key("postgres_marts", "green")
    metadata = deployment.definitions.resolve_asset_graph().get(key).metadata
    schema, lineage = metadata["dagster/column_schema"], metadata["dagster/column_lineage"]
    names = {f"{mart.name}.{column.name}" for mart in marts_of(GREEN) for column in mart.columns}
    assert {column.name for column in schema.columns} == names == lineage.deps_by_column.keys()
    tables = asset_key("postgres", "green")
    of = {name: {(dep.asset_key, dep.column_name) for dep in deps} for name, deps in lineage.deps_by_column.items()}
    assert of["mart_service_day.total_cents"] == {(tables, "total_amount")}
    assert of["mart_service_day.duration_seconds"] == {(tables, "pickup_datetime"), (tables, "dropoff_datetime")}
    assert of["mart_service_day.trips"] == set()
