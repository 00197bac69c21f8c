"""Users' assets and notebooks read trips by annotating an argument."""

# No postponed annotations here: Dagster reads the types of arguments when it is given the function.
from collections import Counter
from datetime import date
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from taxi_platform.errors import StoreError
from taxi_platform.orchestration.betas import knowingly
from taxi_platform.orchestration.build import build_definitions
from taxi_platform.orchestration.resources import resources
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.months import MARCH, staged_raw
from taxi_platform_tests.io_managers.conftest import EVERY_STORE, MONTHS, Desk

pytestmark = pytest.mark.usefixtures("months_loaded")

COLUMNS = ["total_amount", "file_month"]


@knowingly()
def reading(desk: Desk, kind: Any, seen: list[Any], key: str, partitioned: bool = True, **arguments: Any) -> Any:
    """An asset that keeps what it is given, or what is left of a reader when it has been read."""

    def read(trips: Any) -> None:
        seen.append(trips.read_all() if isinstance(trips, pa.RecordBatchReader) else trips)

    read.__annotations__["trips"] = kind
    return dg.asset(
        name="seen",
        ins={"trips": dg.AssetIn(key=key, metadata={"columns": COLUMNS}, **arguments)},
        partitions_def=MONTHS if partitioned else None,
        backfill_policy=dg.BackfillPolicy.single_run() if partitioned else None,
    )(read)


@EVERY_STORE
@pytest.mark.parametrize("kind", [pa.RecordBatchReader, pd.DataFrame])
def test_a_month_is_read_in_the_form_of_the_annotation(desk: Desk, kind: Any) -> None:
    month_in_the_form(desk, kind, desk.trips_key)


@pytest.mark.parametrize("kind", [pa.RecordBatchReader, pa.Table, pd.DataFrame])
def test_a_month_of_the_lake_is_read_in_the_form_of_the_annotation(desk: Desk, kind: Any) -> None:
    month_in_the_form(desk, kind, "green_trips")


def month_in_the_form(desk: Desk, kind: Any, key: str) -> None:
    seen: list[Any] = []
    desk.run(reading(desk, kind, seen, key), partition_key="2020-04-01")
    assert isinstance(seen[0], pd.DataFrame if kind is pd.DataFrame else pa.Table)
    frame = seen[0] if isinstance(seen[0], pd.DataFrame) else seen[0].to_pandas()
    assert list(frame.columns) == COLUMNS
    assert list(frame.total_amount) == [0, 1, 2, 3, 4]
    assert [str(kind) for kind in frame.dtypes] == ["float64", "object"]
    assert set(frame.file_month) == {date(2020, 4, 1)}


@pytest.mark.parametrize("layer", ["store", "lake"])
def test_a_range_of_months_is_read_as_one(desk: Desk, layer: str) -> None:
    seen: list[Any] = []
    key = desk.trips_key if layer == "store" else "green_trips"
    tags = {"dagster/asset_partition_range_start": "2020-03-01", "dagster/asset_partition_range_end": "2020-04-01"}
    desk.run(reading(desk, pa.Table, seen, key), tags=tags)
    assert Counter(seen[0]["file_month"].to_pylist()) == {date(2020, 3, 1): 4, date(2020, 4, 1): 5}


@pytest.mark.parametrize("layer", ["store", "lake"])
def test_an_asset_without_partitions_reads_every_month_there_is(desk: Desk, layer: str) -> None:
    seen: list[Any] = []
    key = desk.trips_key if layer == "store" else "green_trips"
    desk.run(reading(desk, pa.RecordBatchReader, seen, key, partitioned=False))
    assert seen[0].num_rows == 9


@pytest.mark.parametrize("layer", ["store", "lake"])
def test_a_partition_mapping_chooses_months_for_an_asset_without_partitions(desk: Desk, layer: str) -> None:
    seen: list[Any] = []
    key = desk.trips_key if layer == "store" else "green_trips"
    mapping = dg.SpecificPartitionsPartitionMapping(["2020-03-01"])
    desk.run(reading(desk, pa.Table, seen, key, partitioned=False, partition_mapping=mapping))
    assert set(seen[0]["file_month"].to_pylist()) == {date(2020, 3, 1)}


@pytest.mark.parametrize("layer", ["store", "lake"])
def test_a_month_that_is_not_there_is_an_error_not_an_empty_month(desk: Desk, layer: str) -> None:
    key = desk.trips_key if layer == "store" else "green_trips"
    with pytest.raises(StoreError, match=r"2020-05.*: materialize"):
        desk.run(reading(desk, pa.Table, [], key), partition_key="2020-05-01")


@pytest.mark.parametrize("layer", ["store", "lake"])
def test_a_column_that_is_not_there_is_named(desk: Desk, layer: str) -> None:
    @dg.asset(
        ins={
            "trips": dg.AssetIn(
                key=desk.trips_key if layer == "store" else "green_trips", metadata={"columns": ["fare"]}
            )
        },
        partitions_def=MONTHS,
    )
    def mine(trips: pa.Table) -> None: ...

    with pytest.raises(StoreError, match=r"has no column fare.*: it has file_month, vendor_id"):
        desk.run(mine, partition_key="2020-03-01")


def test_another_annotation_is_refused_and_the_three_are_named(desk: Desk) -> None:
    @dg.asset(ins={"trips": dg.AssetIn(key=desk.trips_key)}, partitions_def=MONTHS)
    def mine(trips: dict) -> None: ...  # type: ignore[type-arg]

    with pytest.raises(dg.DagsterInvalidDefinitionError, match=r"RecordBatchReader, pyarrow\.Table or pandas\.Data"):
        desk.run(mine, partition_key="2020-03-01")


@EVERY_STORE
def test_a_notebook_loads_a_month_or_all_of_them(desk: Desk) -> None:
    defs = build_definitions(desk.settings)
    loaded: Any = defs.load_asset_value(desk.trips_key, python_type=pd.DataFrame, partition_key="2020-03-01")
    assert len(loaded) == 4
    with defs.get_asset_value_loader() as loader:
        every: Any = loader.load_asset_value(
            "green_trips", python_type=pa.Table, input_definition_metadata={"columns": COLUMNS}
        )
        assert (every.num_rows, every.column_names) == (9, COLUMNS)
        reader: Any = loader.load_asset_value(desk.trips_key, python_type=pa.RecordBatchReader)
        assert reader.read_all().num_rows == 9


def test_a_notebook_reads_from_a_store_itself(desk: Desk) -> None:
    given: Any = resources(desk.settings)
    assert Lake(desk.settings.lake).months("green")
    with given[desk.io_manager_key.removesuffix("_io")].running() as store:
        rows = store.read_months("taxi.green_trips", [date(2020, 3, 1)], COLUMNS)
        assert rows.read_pandas().total_amount.sum() == 6


def test_a_raw_month_is_read_as_upstream_made_it(desk: Desk, lake: Lake, tmp_path: Any) -> None:
    lake.store_raw(staged_raw(tmp_path / "raw", rows=3, month=MARCH))
    loaded: Any = build_definitions(desk.settings).load_asset_value(
        "green_raw", python_type=pd.DataFrame, partition_key="2020-03-01"
    )
    assert list(loaded.columns) == ["row", "version"]
    assert list(loaded.row) == [0, 1, 2]
