"""The front door: what loads, what it costs, and that parts can be swapped without touching an asset."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.orchestration.build import build_definitions
from taxi_platform.orchestration.io_managers.values import CleanMonths, RawMonths
from taxi_platform.orchestration.jobs import job_name
from taxi_platform.references import StagedRaw
from taxi_platform.settings import Settings

HEAVY = ("google", "pandas", "duckdb", "pyarrow.dataset", "numpy", "requests", "psycopg", "dagster_gcp", "matplotlib")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"TAXI_DATA": str(tmp_path), "TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "2000"})


def test_loading_definitions_imports_no_heavy_library() -> None:
    program = (
        "import sys, taxi_platform.definitions as d; d.defs.get_repository_def();"
        f"print(*[m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_definitions_load_and_every_dataset_has_its_layers_and_its_job(settings: Settings) -> None:
    defs = build_definitions(settings)
    dg.Definitions.validate_loadable(defs)
    repository = defs.get_repository_def()
    keys = {key.to_user_string() for key in repository.assets_defs_by_key}
    for dataset in CONTRACTS:
        assert {f"{dataset}_{layer}" for layer in ("raw", "trips", "warehouse", "postgres")} <= keys
        assert repository.has_job(job_name(dataset))
    assert {"zones", "zones_warehouse", "zones_postgres"} <= keys


def test_no_store_is_asked_whose_it_is_before_the_lake_knows_itself(settings: Settings) -> None:
    """Steps that do not wait for each other run at once, and dates, codes and missing shapes tell nothing of a lake."""
    graph = build_definitions(settings).resolve_asset_graph()
    tells = {dg.AssetKey("zones"), *(dg.AssetKey(f"{dataset}_raw") for dataset in CONTRACTS)}
    stores = set(settings.tables)
    written = [key for key in graph.executable_asset_keys if any(name in key.to_user_string() for name in stores)]
    assert len(written) > 20
    for key in written:
        assert tells & graph.get_ancestor_asset_keys(key), key


def test_each_dataset_starts_with_its_own_first_month(settings: Settings) -> None:
    repository = build_definitions(settings).get_repository_def()
    for dataset, contract in CONTRACTS.items():
        partitions = repository.assets_defs_by_key[dg.AssetKey(f"{dataset}_raw")].partitions_def
        assert partitions is not None
        assert partitions.get_first_partition_key() == contract.first_month.isoformat()


def test_the_columns_of_a_table_are_shown_with_their_descriptions(settings: Settings) -> None:
    repository = build_definitions(settings).get_repository_def()
    key = dg.AssetKey("green_warehouse")
    schema = repository.assets_defs_by_key[key].metadata_by_key[key]["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    assert [column.name for column in schema.columns] == list(CONTRACTS["green"].trips.column_names)
    assert all(column.description for column in schema.columns)


def test_every_column_is_shown_with_those_that_it_comes_from(settings: Settings) -> None:
    repository = build_definitions(settings).get_repository_def()

    def sources(asset: str) -> dict[str, set[str]]:
        key = dg.AssetKey(asset)
        lineage = repository.assets_defs_by_key[key].metadata_by_key[key]["dagster/column_lineage"]
        assert list(lineage.deps_by_column) == list(CONTRACTS[asset.partition("_")[0]].trips.column_names)
        return {
            name: {f"{dep.asset_key.to_user_string()}.{dep.column_name}" for dep in deps}
            for name, deps in lineage.deps_by_column.items()
        }

    trips = sources("green_trips")
    assert trips["file_month"] == set()
    assert trips["pickup_location_id"] == {"green_raw.PULocationID"}
    assert trips["rate_code_id"] == {"green_raw.RatecodeID", "green_raw.RateCodeID"}
    points = {"green_raw.Pickup_longitude", "green_raw.Pickup_latitude"}
    assert points | {"zone_shapes.geometry_feet"} <= trips["derived_pickup_location_id"]
    assert all(of for name, of in trips.items() if name != "file_month")
    assert sources("green_postgres") == {name: {f"green_trips.{name}"} for name in trips}


class CountingIOManager(dg.IOManager):
    """Keeps nothing but the number of records of what it is given."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def handle_output(self, context: dg.OutputContext, obj: RawMonths) -> None:
        for month in obj:
            with obj.open(month) as staged:
                assert isinstance(staged, StagedRaw)
                self.seen[month.label] = staged.raw.rows

    def load_input(self, context: dg.InputContext) -> CleanMonths:
        raise NotImplementedError


def test_an_io_manager_is_swapped_without_touching_an_asset(settings: Settings) -> None:
    counting = CountingIOManager()
    defs = build_definitions(settings, overrides={"lake_io": counting})
    result: Any = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey("green_raw")], partition_key="2021-07-01"
    )
    assert result.success
    assert counting.seen == {"2021-07": 2000}


@pytest.mark.parametrize("off", [("postgres",), ("warehouse",), ("warehouse", "postgres")])
def test_a_store_that_is_off_has_nothing_in_the_definitions(off: tuple[str, ...], tmp_path: Path) -> None:
    variables = {f"TAXI_{store.upper()}": "off" for store in off}
    definitions = build_definitions(Settings.from_environment({"TAXI_DATA": str(tmp_path), **variables}))
    dg.Definitions.validate_loadable(definitions)
    repository = definitions.get_repository_def()
    named = {
        *(key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()),
        *(key.to_user_string() for key in repository.asset_graph.asset_check_keys),
        *repository.get_top_level_resources(),
        *(sensor.name for sensor in repository.sensor_defs),
        *(job.name for job in repository.get_all_jobs()),
    }
    assert not [name for name in named for store in off if store in name]
    (on,) = {"warehouse", "postgres"} - {*off} or {"raw"}
    assert [name for name in named if on in name]
