"""What steps store beside their own asset is in Dagster too: quarantine, and views and records over all datasets."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from taxi_platform.months import parse_month
from taxi_platform.orchestration.automation.record_job import RECORD_JOB, record_config
from taxi_platform.orchestration.keys import QUARANTINE, asset_key
from taxi_platform.stores.lake.lake import Lake
from taxi_platform_tests.automation.conftest import GREEN, Deployment

LAYERS = ("raw", "trips", "warehouse")


@pytest.fixture
def variables(variables: dict[str, str]) -> dict[str, str]:
    return {**variables, "TAXI_POSTGRES": "off"}


def newest(instance: dg.DagsterInstance, key: dg.AssetKey, label: str | None = None) -> dict[str, Any]:
    partitions = None if label is None else [f"{label}-01"]
    records = instance.fetch_materializations(dg.AssetRecordsFilter(key, asset_partitions=partitions), limit=1).records
    assert records[0].asset_materialization is not None
    return {name: value.value for name, value in records[0].asset_materialization.metadata.items()}


def how_often(instance: dg.DagsterInstance, *keys: str) -> list[int]:
    return [len(instance.fetch_materializations(dg.AssetKey(key), limit=100).records) for key in keys]


def assert_quarantine(deployment: Deployment, instance: dg.DagsterInstance, label: str) -> None:
    """What is recorded of the month's quarantine is what its objects in the lake are."""
    lake = Lake(deployment.settings.lake)
    clean = lake.current_clean(GREEN.month(parse_month(label)))
    assert clean is not None
    found = newest(instance, asset_key(QUARANTINE, "green"), label)
    with lake.open_parquet(clean.quarantine_path) as file:
        assert found["dagster/partition_row_count"] == file.metadata.num_rows
    assert found["dagster/uri"] == lake.uri(clean.quarantine_path)
    assert (found["data_version"], found["raw_rows"]) == (clean.facts.version, clean.facts.raw_rows)
    assert {f"rejected/{reason}": rows for reason, rows in clean.facts.reasons.items()}.items() <= found.items()


def test_quarantine_and_views_are_recorded_with_what_stores_them(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01..2020-02")
    assert deployment.run("2020-01..2020-02", LAYERS).success
    assert deployment.recorded(QUARANTINE) == {"2020-01", "2020-02"}
    for label in ("2020-01", "2020-02"):
        assert_quarantine(deployment, deployment.instance, label)
    of_all = ("trips_warehouse", "months_warehouse", "views")
    assert [0 < times <= 2 for times in how_often(deployment.instance, *of_all)] == [True] * 3
    assert newest(deployment.instance, dg.AssetKey("trips_warehouse"))["months"] == "2020-01, 2020-02"
    assert newest(deployment.instance, dg.AssetKey("views"))["file"] == str(deployment.settings.views)

    # Unchanged: of months it is recorded, of views nothing.
    before = how_often(deployment.instance, "green_quarantine", *of_all)
    assert deployment.run("2020-01..2020-02", LAYERS).success
    assert how_often(deployment.instance, "green_quarantine", *of_all) == [before[0] + 2, *before[1:]]
    assert newest(deployment.instance, asset_key(QUARANTINE, "green"), "2020-01")["changed"] is False
    assert deployment.evaluate() == {}


@pytest.mark.long
def test_quarantine_is_recorded_of_the_months_that_are_stored_and_of_withdrawn_ones(deployment: Deployment) -> None:
    """A month fails alone: of the other one it is recorded."""
    deployment.upstream.publish("2020-01..2020-02")
    assert deployment.run("2020-01..2020-02", ["raw", "trips"]).success
    deployment.upstream.publish("2020-01..2020-02", rows=1_500)
    assert deployment.run("2020-01..2020-02", ["raw"]).success
    lake = Lake(deployment.settings.lake)
    raw = lake.current_raw(GREEN.month(parse_month("2020-02")))
    assert raw is not None
    (deployment.settings.data / "lake" / raw.path).write_bytes(b"PAR1 not PAR1")
    assert not deployment.run("2020-01..2020-02", ["trips"]).success
    assert_quarantine(deployment, deployment.instance, "2020-01")
    assert newest(deployment.instance, asset_key(QUARANTINE, "green"), "2020-02")["raw_rows"] < 1_500

    deployment.upstream.withdraw("2020-01")
    config = {"green_raw": {"config": {"remove_withdrawn": True}}}
    assert deployment.run("2020-01", ["raw", "trips"], config=config).success
    assert newest(deployment.instance, asset_key(QUARANTINE, "green"), "2020-01")["withdrawn"] is True


@pytest.mark.long
def test_a_new_instance_is_told_of_quarantine(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01")
    assert deployment.run("2020-01", LAYERS).success
    job = deployment.definitions.resolve_job_def(RECORD_JOB)
    with dg.DagsterInstance.ephemeral() as new:
        for _ in range(2):
            assert job.execute_in_process(instance=new, run_config={"ops": record_config(["green"])}).success
        assert_quarantine(deployment, new, "2020-01")
        assert how_often(new, "green_quarantine", "green_trips") == [1, 1]


def test_they_are_in_the_graph_and_no_step_is_theirs(deployment: Deployment) -> None:
    graph = deployment.definitions.resolve_asset_graph()
    names = ("green_quarantine", "trips_warehouse", "months_warehouse", "views")
    assert [graph.get(dg.AssetKey(name)).is_executable for name in names] == [False] * 4
    quarantine = graph.get(asset_key(QUARANTINE, "green"))
    assert quarantine.parent_keys == {asset_key("raw", "green")}
    assert quarantine.partitions_def == graph.get(asset_key("trips", "green")).partitions_def
    columns = quarantine.metadata["dagster/column_schema"].columns
    assert [column.name for column in columns] == list(GREEN.quarantine.column_names)
