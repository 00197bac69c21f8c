"""What starts by itself, and what a person may say in the launchpad."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from taxi_platform.errors import SettingsError
from taxi_platform.months import parse_month
from taxi_platform.orchestration.build import build_definitions
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.lake import Lake
from taxi_platform_tests.automation.conftest import GREEN, Deployment

KINDS = ("published", "automation", "sweep", "reconciliation")


def started(**variables: str) -> set[str]:
    """Names of the sensors and schedules of upstream, stores and automation that run without being started."""
    repository = build_definitions(Settings.from_environment(variables)).get_repository_def()
    sensors = {s.name for s in repository.sensor_defs if s.default_status is dg.DefaultSensorStatus.RUNNING}
    schedules = {s.name for s in repository.schedule_defs if s.default_status is dg.DefaultScheduleStatus.RUNNING}
    return {name for name in sensors | schedules if name.endswith(KINDS)}


def of(*datasets: str) -> set[str]:
    return {f"{dataset}_{kind}" for dataset in datasets for kind in KINDS} | {"zones_published", "zones_automation"}


def test_nothing_starts_by_itself() -> None:
    assert started() == set()
    assert started(TAXI_DATASETS="fhv") == set()


def test_automation_starts_for_the_datasets_that_are_named() -> None:
    assert started(TAXI_AUTOMATION="on") == of("yellow", "green")
    assert started(TAXI_AUTOMATION="on", TAXI_DATASETS=" fhvhv , green") == of("fhvhv", "green")


@pytest.mark.parametrize(
    "variables",
    [
        {"TAXI_AUTOMATION": "yes"},
        {"TAXI_DATASETS": "green,blue"},
        {"TAXI_DATASETS": ","},
        {"TAXI_LOOKBACK_MONTHS": "0"},
        {"TAXI_POLL_SECONDS": "often"},
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_variable(variables: dict[str, str]) -> None:
    (name,) = variables
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment(variables)


@pytest.mark.parametrize(
    "config",
    [
        {"green_raw": {"source": "nowhere"}},
        {"green_raw": {"force": "yes"}},
        {"green_raw": {"forse": True}},
        {"green_trips": {"drop_zero_passengers": 1}},
        {"green_trips": {"raw_version": 3}},
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_runs(deployment: Deployment, config: dict[str, Any]) -> None:
    ops = {op: {"config": values} for op, values in config.items()}
    deployment.upstream.publish("2020-01")
    with pytest.raises(dg.DagsterInvalidConfigError):
        deployment.run("2020-01", config=ops)
    assert deployment.instance.get_runs_count() == 0
    assert deployment.recorded("raw") == set()


def test_every_parameter_explains_itself_in_the_launchpad(deployment: Deployment) -> None:
    job = deployment.definitions.resolve_job_def("green_months")
    for op in ("green_raw", "green_trips"):
        fields = job.get_node_named(op).definition.config_schema.config_type.fields  # type: ignore[union-attr]
        assert fields
        assert all(field.description and not field.is_required for field in fields.values())


def test_an_earlier_raw_version_can_be_cleaned_again(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01")
    assert deployment.run("2020-01").success
    (first,) = (deployment.settings.data / "lake/raw/green/month=2020-01").glob("*.parquet")
    deployment.upstream.publish("2020-01", rows=1_300)
    assert deployment.run("2020-01").success
    earlier = {"green_trips": {"config": {"raw_version": first.stem}}}
    assert deployment.run("2020-01", ["trips", "warehouse", "postgres"], earlier).success
    assert total_rows(deployment) == 1_000
    assert not deployment.run("2020-01", ["trips"], {"green_trips": {"config": {"raw_version": "0"}}}).success
    assert total_rows(deployment) == 1_000


def total_rows(deployment: Deployment) -> int:
    """Rows of the clean month, good and bad, counted in the lake's files."""
    counts = Lake(deployment.settings.lake).count_clean(GREEN.month(parse_month("2020-01")))
    assert counts is not None
    return counts.trips + counts.quarantined


def test_generated_months_are_never_mixed_with_a_public_hosts(deployment: Deployment) -> None:
    deployment.settings = deployment.settings.model_copy(
        update={"source": "sample", "source_url": None, "sample_rows": 1_000}
    )
    result = deployment.run("2020-01", ["raw"], {"green_raw": {"config": {"source": "tlc"}}})
    assert not result.success
    assert deployment.recorded("raw") == set()
