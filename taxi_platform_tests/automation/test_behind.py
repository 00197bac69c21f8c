"""Months that are behind although every count agrees: found in real stores, and repaired."""

from __future__ import annotations

import gzip
from datetime import datetime
from zoneinfo import ZoneInfo

import psycopg
import pytest

from taxi_platform.cleaning import version
from taxi_platform.inspection.status import MonthStatus, month_statuses
from taxi_platform.months import parse_month
from taxi_platform.orchestration.automation.repairs import layers_to_repair
from taxi_platform_tests.automation.conftest import GREEN, Deployment
from taxi_platform_tests.automation.test_schedules import asked, tick

BELOW = ("trips", "warehouse", "postgres")


def statuses(deployment: Deployment) -> list[MonthStatus]:
    return month_statuses(deployment.settings, [GREEN])


def behind(deployment: Deployment) -> dict[str, set[str]]:
    return {f"{s.file_month:%Y-%m}": set(s.behind) for s in statuses(deployment) if s.state == "behind"}


def compress_again(deployment: Deployment, month: str) -> None:
    """Other bytes, and so another version, with the very same records."""
    file = deployment.upstream.path(parse_month(month))
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()), 1))


def test_each_layer_of_another_version_with_equal_counts_is_behind_and_is_repaired(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.upstream.publish("2020-01..2020-02")
    assert deployment.run("2020-01..2020-02").success
    before = {s.file_month: s.rows for s in statuses(deployment)}
    assert behind(deployment) == {}

    # raw v2 beside trips of v1
    compress_again(deployment, "2020-01")
    assert deployment.run("2020-01", ["raw"]).success
    assert behind(deployment) == {"2020-01": {"trips"}}
    assert deployment.run("2020-01", BELOW).success

    # a cleaning revision: every month, in the lake; then lake c2 beside tables of c1
    monkeypatch.setattr(version, "CLEANING_REVISION", version.CLEANING_REVISION + 1)
    assert behind(deployment) == {"2020-01": {"trips"}, "2020-02": {"trips"}}
    at = datetime(2021, 9, 2, 6, tzinfo=ZoneInfo("America/New_York"))
    assert asked(tick(deployment, "green_reconciliation", at)) == [("2020-01..2020-02", list(BELOW))]
    assert deployment.run("2020-01..2020-02", ["trips"]).success
    assert behind(deployment) == {month: {"warehouse", "postgres"} for month in ("2020-01", "2020-02")}
    result = deployment.run("2020-01..2020-02", ["warehouse"])
    assert result.success
    assert {e.check_name: e.passed for e in result.get_asset_check_evaluations()} == {"same_as_lake": True}
    assert behind(deployment) == {month: {"postgres"} for month in ("2020-01", "2020-02")}
    assert deployment.run("2020-01..2020-02", ["postgres"]).success

    # a table that says it is of another version
    with psycopg.connect(deployment.settings.postgres.get_secret_value()) as connection:
        connection.execute("UPDATE taxi.months SET data_version = 'c0' WHERE file_month = '2020-02-01'")
    assert behind(deployment) == {"2020-02": {"postgres"}}
    (month,) = (s for s in statuses(deployment) if s.behind)
    assert layers_to_repair(month) == ("postgres",)
    assert deployment.run("2020-02", ["postgres"]).success
    assert behind(deployment) == {}
    assert {s.file_month: s.rows for s in statuses(deployment)} == before
    assert {s.state for s in statuses(deployment)} == {"whole"}
