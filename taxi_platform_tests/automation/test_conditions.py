"""Declarative automation, evaluated at fixed dates over runs that really happened."""

from __future__ import annotations

import dagster as dg

from taxi_platform.orchestration.jobs import ZONES_JOB
from taxi_platform_tests.automation.conftest import ALL, Deployment

BELOW_RAW = ALL[1:]
RAW = ["raw"]


def follows(*months: str, layers: tuple[str, ...] = BELOW_RAW) -> dict[str, set[str]]:
    return {layer: set(months) for layer in layers}


def test_a_new_month_is_followed_once_however_old_it_is(deployment: Deployment) -> None:
    deployment.upstream.publish("2021-08,2021-06,2019-02")
    assert deployment.evaluate("2021-09-20") == {}
    for newest_lagged_old in ("2021-08", "2021-06", "2019-02"):
        assert deployment.run(newest_lagged_old, RAW).success
        assert deployment.evaluate("2021-09-20") == follows(newest_lagged_old)
        assert deployment.evaluate("2021-09-20") == {}


def test_a_first_deployment_is_followed_with_all_its_months_at_once(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-06..2021-08")
    assert deployment.evaluate("2021-09-20") == {}
    assert deployment.run("2020-06..2021-08", RAW).success
    months = {f"{year}-{month:02}" for year in (2020, 2021) for month in range(1, 13)}
    fifteen = {month for month in months if "2020-06" <= month <= "2021-08"}
    assert deployment.evaluate("2021-09-20") == follows(*fifteen)


def test_an_unchanged_month_is_not_followed_and_a_republished_one_is(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01..2020-03")
    assert deployment.run("2020-01..2020-03").success
    deployment.evaluate("2021-09-20")
    assert deployment.run("2020-02", RAW).success
    assert deployment.run("2020-01..2020-02", RAW).success
    assert deployment.evaluate("2021-09-21") == {}
    deployment.upstream.publish("2020-02", rows=1_100)
    assert deployment.run("2020-02", RAW).success
    assert deployment.evaluate("2021-09-22") == follows("2020-02")


def test_fetching_again_the_same_bytes_is_no_change(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01")
    assert deployment.run("2020-01").success
    deployment.evaluate()
    assert deployment.run("2020-01", RAW, {"green_raw": {"config": {"force": True}}}).success
    assert deployment.evaluate() == {}


def test_a_run_through_every_layer_leaves_nothing_to_follow(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01..2020-02")
    deployment.evaluate()
    assert deployment.run("2020-01..2020-02").success
    assert deployment.evaluate() == {}


def test_the_good_months_of_a_range_with_a_bad_one_are_followed_into_every_store(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01..2020-05")
    deployment.upstream.publish_broken("2020-03")
    deployment.evaluate()
    assert not deployment.run("2020-01..2020-05").success
    good = {"2020-01", "2020-02", "2020-04", "2020-05"}
    assert deployment.recorded("raw") == good
    assert deployment.evaluate() == follows(*good)
    assert deployment.evaluate() == {}
    for months in ("2020-01..2020-02", "2020-04..2020-05"):
        assert deployment.run(months, BELOW_RAW).success
    assert all(deployment.recorded(layer) == good for layer in ALL)
    assert deployment.evaluate() == {}


def test_what_cannot_be_cleaned_is_asked_for_once_and_the_tables_only_for_the_rest(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01..2020-02")
    deployment.evaluate()
    assert deployment.run("2020-01..2020-02", RAW).success
    (stored,) = (deployment.settings.data / "lake/raw/green/month=2020-02").glob("*.parquet")
    stored.write_bytes(b"not what was stored")
    assert deployment.evaluate() == follows("2020-01", "2020-02")
    assert not deployment.run("2020-01..2020-02", BELOW_RAW).success
    assert deployment.recorded("trips") == {"2020-01"}
    assert deployment.evaluate() == follows("2020-01", layers=("warehouse", "postgres"))
    assert deployment.evaluate() == {}


def test_a_month_that_changes_while_it_is_being_asked_for_is_asked_for_again(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01")
    deployment.evaluate()
    assert deployment.run("2020-01", RAW).success
    assert deployment.evaluate() == follows("2020-01")
    deployment.upstream.publish("2020-01", rows=1_100)
    assert deployment.run("2020-01", RAW).success
    assert deployment.evaluate() == follows("2020-01")


def test_a_layer_that_is_run_by_hand_takes_the_tables_with_it(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01")
    assert deployment.run("2020-01").success
    deployment.evaluate()
    assert deployment.run("2020-01", ["trips"]).success
    assert deployment.evaluate() == {}
    assert deployment.run("2020-01", ["trips"], {"green_trips": {"config": {"drop_zero_passengers": True}}}).success
    assert deployment.evaluate() == follows("2020-01", layers=("warehouse", "postgres"))


def test_the_zone_tables_follow_the_zones(deployment: Deployment) -> None:
    job = deployment.definitions.resolve_job_def(ZONES_JOB)
    zones = dg.AssetKey("zones")
    tables = {dg.AssetKey("zones_warehouse"), dg.AssetKey("zones_postgres")}
    deployment.evaluate()
    for expected in (tables, set()):
        assert job.execute_in_process(instance=deployment.instance, asset_selection=[zones]).success
        result = deployment.evaluate_all()
        assert {key for key in tables if result.get_requested_partitions(key)} == expected
        assert job.execute_in_process(instance=deployment.instance, asset_selection=[*tables]).success
