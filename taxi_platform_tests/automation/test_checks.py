"""Checks over real stores: what they say of good months, and of stores that were changed behind the platform's back."""

from __future__ import annotations

import gzip
from datetime import date
from typing import Any

import dagster as dg

from taxi_platform.orchestration.keys import asset_key
from taxi_platform_tests.automation.conftest import ALL, Deployment


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {f"{e.asset_key.to_user_string()}/{e.check_name}": e for e in result.get_asset_check_evaluations()}


def cell(evaluation: dg.AssetCheckEvaluation, name: str) -> Any:
    return evaluation.metadata[name].value


def test_every_check_passes_on_good_months(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01..2020-04")
    result = deployment.run("2020-01..2020-04")
    assert result.success
    assert {name: check.passed for name, check in checks(result).items()} == {
        "green_raw/looked_after": True,
        "green_trips/nothing_lost": True,
        "green_trips/contract_known": True,
        "green_trips/usual_volume": True,
        "green_trips/usual_nulls": True,
        "green_trips/usual_reasons": True,
        "green_warehouse/same_as_lake": True,
        "green_postgres/same_as_lake": True,
    }


def test_a_page_shows_numbers_and_every_month_not_those_of_the_last_run_only(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01..2020-04")
    assert deployment.run("2020-01..2020-03").success
    found = checks(deployment.run("2020-04"))
    for name in ("green_trips/nothing_lost", "green_warehouse/same_as_lake", "green_postgres/same_as_lake"):
        lines = cell(found[name], "months").splitlines()
        assert [line.split()[1] for line in lines[2:]] == ["2020-04", "2020-03", "2020-02", "2020-01"], name
        assert (cell(found[name], "months_of_the_run"), cell(found[name], "months_in_all")) == (1, 4)
        assert cell(found[name], "months_failing") == 0
    lost = found["green_trips/nothing_lost"]
    counts = [cell(lost, f"{column}_in_all") for column in ("raw", "trips", "quarantined")]
    assert counts[0] == 4_000 == counts[1] + counts[2]


def test_a_month_that_failed_before_stays_a_warning_and_holds_up_no_other(deployment: Deployment) -> None:
    import psycopg

    deployment.upstream.publish("2020-01..2020-02")
    assert deployment.run("2020-01", ALL).success
    with psycopg.connect(deployment.settings.postgres.get_secret_value()) as connection:
        connection.execute("DELETE FROM taxi.green_trips WHERE file_month = '2020-01-01' AND trip_distance > 1")
    job = deployment.definitions.resolve_implicit_global_asset_job_def()
    key = dg.AssetCheckKey(asset_key("postgres", "green"), "same_as_lake")
    only_check = job.get_subset(asset_selection=frozenset(), asset_check_selection=frozenset([key]))
    assert not checks(only_check.execute_in_process(instance=deployment.instance))["green_postgres/same_as_lake"].passed
    found = checks(deployment.run("2020-02", ALL))["green_postgres/same_as_lake"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert cell(found, "months_that_differ") == "2020-01"
    assert checks(deployment.run("2020-01", ALL))["green_postgres/same_as_lake"].passed


def test_months_without_history_are_not_judged_and_it_says_so(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01..2020-04")
    found = checks(deployment.run("2020-01..2020-04", ["raw", "trips"]))
    for name in ("green_trips/usual_volume", "green_trips/usual_nulls", "green_trips/usual_reasons"):
        assert found[name].passed
        assert found[name].description == (
            "not judged 2020-01, 2020-02, 2020-03: the lake has fewer than 3 months of the year before"
        )
    lines = cell(found["green_trips/usual_volume"], "months").splitlines()
    assert ["not judged" in line for line in lines[2:]] == [False, True, True, True]
    assert checks(deployment.run("2020-04", ["raw", "trips"]))["green_trips/usual_volume"].description is None


def test_a_month_far_from_the_year_before_it_is_a_warning(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01..2020-03")
    deployment.upstream.publish("2020-04", rows=2_500)
    result = deployment.run("2020-01..2020-04", ["raw", "trips"])
    assert result.success
    volume = checks(result)["green_trips/usual_volume"]
    assert not volume.passed
    assert volume.severity is dg.AssetCheckSeverity.WARN
    assert cell(volume, "unusual_months") == "2020-04"


def test_a_column_that_upstream_stops_filling_is_a_warning(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01..2020-04")
    path = deployment.upstream.path(date(2020, 4, 1))
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    column = lines[0].split(",").index("trip_distance")
    emptied = [lines[0], *(",".join("" if i == column else v for i, v in enumerate(x.split(","))) for x in lines[1:])]
    path.write_bytes(gzip.compress("\r\n".join(emptied).encode()))
    result = deployment.run("2020-01..2020-04", ["raw", "trips"])
    nulls = checks(result)["green_trips/usual_nulls"]
    assert not nulls.passed
    assert nulls.severity is dg.AssetCheckSeverity.WARN
    assert cell(nulls, "unusual_months") == "2020-04"
    assert "trip_distance" in cell(nulls, "months")


def test_a_reason_that_rejects_far_more_than_usual_is_a_warning(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01..2020-04")
    path = deployment.upstream.path(date(2020, 4, 1))
    header, *lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    column = header.split(",").index("trip_distance")
    far = [
        ",".join("5000" if i == column else v for i, v in enumerate(x.split(","))) for x in lines[: len(lines) // 20]
    ]
    path.write_bytes(gzip.compress("\r\n".join([header, *far, *lines[len(far) :]]).encode()))
    result = deployment.run("2020-01..2020-04", ["raw", "trips"])
    reasons = checks(result)["green_trips/usual_reasons"]
    assert not reasons.passed
    assert reasons.severity is dg.AssetCheckSeverity.WARN
    assert cell(reasons, "unusual_months") == "2020-04"
    assert "distance_impossible | 5." in cell(reasons, "months")
    assert cell(reasons, "months_not_judged") == "2020-01, 2020-02, 2020-03"


def test_rows_that_somebody_deletes_from_a_table_are_found_by_its_check(deployment: Deployment) -> None:
    import psycopg

    deployment.upstream.publish("2020-01..2020-02")
    assert deployment.run("2020-01..2020-02", ALL).success
    with psycopg.connect(deployment.settings.postgres.get_secret_value()) as connection:
        connection.execute("DELETE FROM taxi.green_trips WHERE file_month = '2020-02-01' AND trip_distance > 1")
    job = deployment.definitions.resolve_implicit_global_asset_job_def()
    keys = [dg.AssetCheckKey(asset_key(store, "green"), "same_as_lake") for store in ("warehouse", "postgres")]
    only_checks = job.get_subset(asset_selection=frozenset(), asset_check_selection=frozenset(keys))
    result = only_checks.execute_in_process(instance=deployment.instance)
    found = checks(result)
    assert found["green_warehouse/same_as_lake"].passed
    assert not found["green_postgres/same_as_lake"].passed
    assert found["green_postgres/same_as_lake"].severity is dg.AssetCheckSeverity.ERROR
    assert cell(found["green_postgres/same_as_lake"], "months_that_differ") == "2020-02"
