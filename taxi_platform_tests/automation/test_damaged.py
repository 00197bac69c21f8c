"""Damaged objects of the lake, and a lake of an earlier release, under runs of this process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from taxi_platform.inspection.status import MonthStatus, month_statuses
from taxi_platform.months import parse_month, parse_month_range
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.lake import Lake
from taxi_platform_tests.automation.conftest import GREEN, Deployment
from taxi_platform_tests.automation.kept import Kept, keeping
from taxi_platform_tests.automation.test_schedules import asked, morning, tick
from taxi_platform_tests.automation.test_withdrawn import last_metadata

MONTHS = "2020-01..2020-08"
PAIR = ("raw", "trips")


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
def two_months(deployment: Deployment, kept: Kept) -> Deployment:
    """January and February in every store."""

    def two_months() -> None:
        deployment.upstream.publish("2020-01..2020-02")
        assert deployment.run("2020-01..2020-02").success

    kept.bring(deployment, two_months)
    return deployment


def statuses(deployment: Deployment) -> list[MonthStatus]:
    return month_statuses(deployment.settings, [GREEN])


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def garbled(file: Path) -> None:
    file.write_bytes(os.urandom(file.stat().st_size))


def emptied(file: Path) -> None:
    os.truncate(file, 0)


DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "2020-01": ("trips/green/month=2020-01/*.parquet", cut),
    "2020-02": ("quarantine/green/month=2020-02/*.parquet", garbled),
    "2020-03": ("raw/green/month=2020-03/*.parquet", emptied),
    "2020-04": ("raw/green/month=2020-04/*.parquet", Path.unlink),
    "2020-05": ("raw/green/month=2020-05/manifest.json", garbled),
    "2020-06": ("raw/green/month=2020-06/manifest.json", Path.unlink),
    "2020-07": ("trips/green/month=2020-07/*.parquet", Path.unlink),
}
"""Month → what of it is damaged, and how; the eighth month stays whole."""


def damage(deployment: Deployment) -> None:
    for pattern, how in DAMAGE.values():
        (file,) = (deployment.settings.data / "lake").glob(pattern)
        how(file)


def test_damage_stops_neither_the_status_nor_other_months_and_the_next_run_mends_it(deployment: Deployment) -> None:
    import duckdb

    deployment.upstream.publish(MONTHS)
    assert deployment.run(MONTHS).success
    before = statuses(deployment)
    assert all(status.is_whole for status in before)
    damage(deployment)

    found = {f"{status.file_month:%Y-%m}": status for status in statuses(deployment)}
    assert [label for label, status in found.items() if status.is_whole] == ["2020-08"]
    assert {s.table_rows["warehouse"] for s in found.values()} == {s.table_rows["warehouse"] for s in before}
    assert asked(tick(deployment, "green_reconciliation", morning(2020, 10, 1)))

    deployment.upstream.publish("2020-08..2020-09", rows=1_100)
    assert deployment.run("2020-08..2020-09").success
    with duckdb.connect(deployment.settings.warehouse, read_only=True) as connection:
        shown = connection.execute("SELECT count(DISTINCT file_month) FROM taxi.raw_green").fetchone()
    assert shown == (9 - 4,), "the months whose raw file and manifest are whole"

    assert deployment.run(MONTHS).success
    mended = statuses(deployment)
    assert all(status.is_whole for status in mended)
    assert mended[:7] == before[:7]
    months = [GREEN.month(day) for day in parse_month_range(MONTHS)]
    assert [Lake(deployment.settings.lake).look(month).problems for month in months] == [()] * 8


@pytest.mark.parametrize(("layer", "failing"), [("trips", "warehouse"), ("quarantine", "warehouse"), ("raw", "trips")])
def test_pages_that_do_not_read_fail_one_run_with_a_sentence_and_the_next_makes_them_again(
    deployment: Deployment, layer: str, failing: str
) -> None:
    """No footer tells of them."""
    deployment.upstream.publish("2020-01..2020-02")
    assert deployment.run("2020-01..2020-02", PAIR[:1] if layer == "raw" else PAIR).success
    (file,) = (deployment.settings.data / f"lake/{layer}/green/month=2020-01").glob("*.parquet")
    middle = file.stat().st_size // 3
    with file.open("r+b") as stream:
        stream.seek(4)
        stream.write(os.urandom(middle))
    result = deployment.run("2020-01..2020-02", [failing])
    assert not result.success
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert "1 of 2 months" in failure.error_display_string
    assert "run green 2020-01 again" in failure.error_display_string
    assert deployment.run("2020-01..2020-02").success
    assert [status.is_whole for status in statuses(deployment)] == [True, True]


def test_a_month_that_upstream_has_no_longer_outlives_its_manifest(two_months: Deployment) -> None:
    deployment = two_months
    (whole, other) = statuses(deployment)
    deployment.upstream.withdraw("2020-01")
    emptied(deployment.settings.data / "lake/raw/green/month=2020-01/manifest.json")
    assert not deployment.run("2020-01").success
    (status, beside) = statuses(deployment)
    assert (status.rows, status.is_whole) == (whole.rows, True)
    assert beside == other


def as_an_earlier_release_left_it(lake: Path, label: str) -> None:
    """Manifests of schema 1 say nothing of trips and quarantine, which have fixed names."""
    file = lake / f"raw/green/month={label}/manifest.json"
    document = json.loads(file.read_text())
    for layer in ("trips", "quarantine"):
        (stored,) = (lake / f"{layer}/green/month={label}").glob("*.parquet")
        stored.rename(stored.with_name(f"{layer}.parquet"))
    keys = ("dataset", "file_month", "current", "upstream", "versions")
    new = {"refused", "accepts_changed_format"}
    old = {"schema_version": 1, **{key: document[key] for key in keys}}
    old["versions"] = [{name: value for name, value in raw.items() if name not in new} for raw in document["versions"]]
    file.write_text(json.dumps(old))


@pytest.mark.parametrize("grace", ["0", "24"])
def test_a_lake_of_an_earlier_release_works_without_fetching_or_cleaning(
    two_months: Deployment, monkeypatch: pytest.MonkeyPatch, grace: str
) -> None:
    monkeypatch.setenv("TAXI_GRACE_HOURS", grace)
    deployment = replace(two_months, settings=Settings.from_environment())
    lake, before = deployment.settings.data / "lake", statuses(deployment)
    for label in ("2020-01", "2020-02"):
        as_an_earlier_release_left_it(lake, label)
    fixed = {lake / f"{layer}/green/month=2020-01/{layer}.parquet" for layer in ("trips", "quarantine")}
    assert statuses(deployment) == before
    assert deployment.run("2020-01..2020-02").success
    january = GREEN.month(parse_month("2020-01"))
    assert not any(last_metadata(deployment, layer, january)["changed"] for layer in ("raw", "trips", "warehouse"))
    assert statuses(deployment) == before
    assert all(file.exists() for file in fixed)

    deployment.upstream.publish("2020-01", rows=1_100)
    assert deployment.run("2020-01").success
    assert all(status.is_whole for status in statuses(deployment))
    assert [file.exists() for file in fixed] == [grace != "0"] * 2
