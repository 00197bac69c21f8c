"""A version that somebody has selected holds against runs, the sensor and the reconciliation, until upstream moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from taxi_platform.inspection.status import MonthStatus, month_statuses
from taxi_platform.months import parse_month
from taxi_platform.orchestration.automation.repairs import layers_to_repair
from taxi_platform.orchestration.automation.sensors import DENIALS_BEFORE_REMOVAL
from taxi_platform.orchestration.partitions import recent_months
from taxi_platform.stores.lake.lake import Lake
from taxi_platform_tests.automation.conftest import ALL, GREEN, Deployment
from taxi_platform_tests.automation.kept import Kept, keeping
from taxi_platform_tests.automation.test_sensors import asked, ticks

NEWEST = [month.label for month in recent_months(GREEN, 6)]
LABEL = NEWEST[0]
MONTH = GREEN.month(parse_month(LABEL))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Kept]:
    with keeping(tmp_path_factory.mktemp("kept"), postgres_server) as kept:
        yield kept


@pytest.fixture
def tmp_path(kept: Kept) -> Path:
    return kept.emptied()


@pytest.fixture
def variables(variables: dict[str, str], kept: Kept) -> dict[str, str]:
    return {**variables, "TAXI_POSTGRES": kept.database, "TAXI_LOOKBACK_MONTHS": "6", "TAXI_WITHDRAWN": "remove"}


def select(version: str) -> dict[str, Any]:
    return {"green_raw": {"config": {"select_version": version}}}


@pytest.fixture
def selected(deployment: Deployment, kept: Kept) -> Deployment:
    """A month of 1,000 rows everywhere, selected, where upstream has since had 1,200; and others beside it."""

    def there() -> None:
        for rows in (1_000, 1_200):
            deployment.upstream.publish(f"{LABEL}..{NEWEST[3]}", rows)
            assert deployment.run(f"{LABEL}..{NEWEST[3]}").success
        (first, _) = Lake(deployment.settings.lake).raw_versions(MONTH)
        assert deployment.run(LABEL, config=select(first.version)).success

    kept.bring(deployment, there)
    return deployment


def status(deployment: Deployment) -> MonthStatus:
    (found,) = month_statuses(deployment.settings, [GREEN], {"green": [MONTH.first_day]})
    return found


def test_every_store_holds_the_selected_version_and_nothing_is_reconciled(selected: Deployment) -> None:
    assert status(selected).raw_rows == 1_000
    assert status(selected).is_whole
    assert layers_to_repair(status(selected)) == ()


def test_the_other_layers_follow_a_selection_of_raw_by_automation(selected: Deployment) -> None:
    (_, second) = Lake(selected.settings.lake).raw_versions(MONTH)
    today = date.today().isoformat()  # noqa: DTZ011 - any day after the month has its partition
    selected.evaluate(today)
    assert selected.run(LABEL, ["raw"], select(second.version)).success
    assert selected.evaluate(today) == {layer: {LABEL} for layer in ALL[1:]}


def test_neither_the_sensor_nor_a_run_brings_back_what_upstream_had_before(selected: Deployment) -> None:
    assert [asked(data) for data in ticks(selected, 2)] == [[], []]
    assert selected.run(LABEL).success
    assert status(selected).raw_rows == 1_000
    forced = {"green_raw": {"config": {"force": True}}}
    assert selected.run(LABEL, config=forced).success
    assert status(selected).raw_rows == 1_000


def test_another_version_upstream_ends_it(selected: Deployment) -> None:
    selected.upstream.publish(LABEL, rows=1_300)
    (data,) = ticks(selected, 1)
    assert asked(data) == [[LABEL, LABEL]]
    assert selected.run(LABEL).success
    assert status(selected).raw_rows == 1_300
    assert not status(selected).is_selected
    assert [asked(data) for data in ticks(selected, 2)] == [[], []]


def test_the_sensor_takes_no_selected_month_out_of_the_stores(selected: Deployment) -> None:
    selected.upstream.withdraw(LABEL)
    selected.upstream.withdraw(NEWEST[1])
    assert asked(ticks(selected, DENIALS_BEFORE_REMOVAL)[-1]) == []
    selected.upstream.publish(LABEL, rows=1_200)
    assert asked(ticks(selected, DENIALS_BEFORE_REMOVAL)[-1]) == [[NEWEST[1], NEWEST[1]]]


def test_an_unknown_version_or_several_months_are_refused_and_change_nothing(selected: Deployment) -> None:
    was = status(selected)
    assert not selected.run(LABEL, config=select("v9")).success
    assert not selected.run(f"{LABEL}..{NEWEST[1]}", config=select("v9")).success
    assert status(selected) == was
