"""The DuckDB warehouse: months replaced whole, counted, read back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import Column, ColumnType
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.contracts.zones import ZONES
from taxi_platform.errors import StoreError
from taxi_platform.references import CleanMonth
from taxi_platform.stores.duckdb import DuckDBStore
from taxi_platform.stores.lake import Lake
from taxi_platform.stores.model import MonthCounts
from taxi_platform_tests.support.staged import APRIL, MARCH, staged_clean

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

GREEN = CONTRACTS["green"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def store(tmp_path: Path) -> DuckDBStore:
    return DuckDBStore(tmp_path / "warehouse.duckdb", wait_seconds=5)


def opened(store: DuckDBStore, *, read_only: bool = False) -> DuckDBPyConnection:
    import duckdb

    return duckdb.connect(str(store.path), read_only=read_only)


def query(store: DuckDBStore, sql: str) -> list[tuple[object, ...]]:
    with opened(store, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def clean(lake: Lake, folder: Path, version: str = "c1", trips: int = 4, quarantined: int = 1) -> CleanMonth:
    return lake.store_clean(staged_clean(folder, version, trips, quarantined))


def test_a_store_that_is_not_there_has_no_months_and_reading_makes_none(store: DuckDBStore) -> None:
    assert store.count_months(GREEN) == {}
    assert store.read_trips(GREEN, [MARCH.first_day]).read_all().num_rows == 0
    assert not store.path.exists()


def test_a_month_is_counted_as_it_was_cleaned(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    loaded = store.replace_month(GREEN, clean(lake, tmp_path, trips=7, quarantined=2), lake)
    assert (loaded.counts, loaded.changed, loaded.table) == (MonthCounts(7, 2), True, "taxi.green_trips")
    assert store.count_months(GREEN) == {date(2020, 3, 1): MonthCounts(7, 2)}
    assert store.count_months(CONTRACTS["yellow"]) == {}


def test_a_new_version_replaces_its_own_month_only(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path, trips=7), lake)
    store.replace_month(GREEN, lake.store_clean(staged_clean(tmp_path, "c1", 5, 0, APRIL)), lake)
    store.replace_month(GREEN, clean(lake, tmp_path, "c2", trips=3, quarantined=6), lake)
    assert store.count_months(GREEN) == {date(2020, 3, 1): MonthCounts(3, 6), date(2020, 4, 1): MonthCounts(5, 0)}


def test_an_unchanged_month_is_left_alone(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    month = clean(lake, tmp_path)
    store.replace_month(GREEN, month, lake)
    before = query(store, "SELECT loaded_at FROM taxi.months")
    assert not store.replace_month(GREEN, month, lake).changed
    assert query(store, "SELECT loaded_at FROM taxi.months") == before


def test_a_month_whose_rows_went_missing_is_loaded_again(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    month = clean(lake, tmp_path)
    store.replace_month(GREEN, month, lake)
    with opened(store) as connection:
        connection.execute("DELETE FROM taxi.green_trips WHERE vendor_id = 0")
    assert store.replace_month(GREEN, month, lake).changed
    assert store.count_months(GREEN) == {date(2020, 3, 1): MonthCounts(4, 1)}


def test_a_dropped_table_is_made_again(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    month = clean(lake, tmp_path)
    store.replace_month(GREEN, month, lake)
    with opened(store) as connection:
        connection.execute("DROP TABLE taxi.green_quarantine")
    assert store.replace_month(GREEN, month, lake).counts == MonthCounts(4, 1)


@pytest.mark.parametrize(
    "lie",
    [{"trips_rows": 5, "raw_rows": 6}, {"quarantined_rows": 0, "raw_rows": 4}, {"raw_rows": 6}],
    ids=["more trips", "less quarantine", "not conserved"],
)
def test_rows_that_do_not_add_up_leave_the_month_before(
    store: DuckDBStore, lake: Lake, tmp_path: Path, lie: dict[str, int]
) -> None:
    month = clean(lake, tmp_path)
    store.replace_month(GREEN, month, lake)
    wrong = replace(month, facts=replace(month.facts, version="c2", **lie))  # type: ignore[arg-type]
    with pytest.raises(StoreError, match=r"green 2020-03 is not loaded: .* clean the month again$"):
        store.replace_month(GREEN, wrong, lake)
    assert store.count_months(GREEN) == {date(2020, 3, 1): MonthCounts(4, 1)}
    assert query(store, "SELECT data_version FROM taxi.months") == [("c1",)]


def test_rows_of_another_file_month_are_refused(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    april = lake.store_clean(staged_clean(tmp_path, "c1", 4, 1, APRIL))
    with pytest.raises(StoreError, match="counts 0 trips and 0 quarantined rows of that file month"):
        store.replace_month(GREEN, replace(april, month=MARCH), lake)
    assert store.count_months(GREEN) == {}


def test_deleting_takes_out_one_month(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    store.delete_month(GREEN, MARCH.first_day)
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    store.replace_month(GREEN, lake.store_clean(staged_clean(tmp_path, "c1", 5, 0, APRIL)), lake)
    store.delete_month(GREEN, MARCH.first_day)
    assert store.count_months(GREEN) == {date(2020, 4, 1): MonthCounts(5, 0)}
    assert query(store, "SELECT file_month FROM taxi.months") == [(date(2020, 4, 1),)]


def test_rows_come_back_as_they_went_in(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    month = clean(lake, tmp_path, trips=300)
    store.replace_month(GREEN, month, lake)
    got = store.read_trips(GREEN, [MARCH.first_day]).read_all()
    assert got.schema == arrow_schema(GREEN.trips)
    with lake.open_parquet(month.trips_path) as file:
        assert got.sort_by("pickup_datetime").equals(file.read().sort_by("pickup_datetime"))


def test_reading_selects_columns_and_months(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    store.replace_month(GREEN, lake.store_clean(staged_clean(tmp_path, "c1", 5, 0, APRIL)), lake)
    got = store.read_trips(GREEN, [APRIL.first_day], ["trip_distance", "file_month"]).read_all()
    assert got.column_names == ["file_month", "trip_distance"]
    assert got["file_month"].to_pylist() == [date(2020, 4, 1)] * 5
    with pytest.raises(StoreError, match="green_trips has no column fare: it has file_month, vendor_id"):
        store.read_trips(GREEN, [APRIL.first_day], ["fare"])


def test_a_reader_that_is_closed_early_frees_the_file(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    reader = store.read_trips(GREEN, [MARCH.first_day])
    del reader
    assert store.replace_month(GREEN, clean(lake, tmp_path, "c2"), lake).changed


def test_a_column_the_contract_gained_is_added_as_null(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    gained = Column("surge", ColumnType.DOUBLE, "How much dearer the trip was.")
    later = replace(GREEN, columns=(*GREEN.columns, gained))
    april = lake.store_clean(staged_clean(tmp_path, "c1", 5, 0, APRIL))
    assert store.read_trips(later, [MARCH.first_day], ["surge"]).read_all()["surge"].to_pylist() == [None] * 4
    store.replace_month(later, april, lake)
    assert query(store, "SELECT count(*), count(surge) FROM taxi.green_trips") == [(9, 0)]
    comment = "SELECT comment FROM duckdb_columns() WHERE column_name = 'surge'"
    assert query(store, comment) == [("How much dearer the trip was.",)]


def test_a_column_of_another_type_is_refused_by_name(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    other = tuple(replace(c, type=ColumnType.TEXT) if c.name == "extra" else c for c in GREEN.columns)
    with pytest.raises(StoreError, match=r"column extra of taxi\.green_trips is DOUBLE but the contract says VARCHAR"):
        store.replace_month(replace(GREEN, columns=other), clean(lake, tmp_path, "c2"), lake)


def test_every_table_and_column_says_what_it_is(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    silent = "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'taxi' AND comment IS NULL"
    assert query(store, silent) == []
    assert query(store, "SELECT count(*) FROM duckdb_tables() WHERE comment IS NOT NULL") == [(3,)]


def zones() -> pa.Table:
    rows = [(1, "EWR", "Newark Airport", "EWR"), (264, "Unknown", "NV", "N/A"), (265, "Unknown", "NA", "N/A")]
    return pa.table(list(zip(*rows, strict=True)), schema=arrow_schema(ZONES))


def test_zones_keep_their_text_and_are_replaced_as_a_whole(store: DuckDBStore) -> None:
    assert store.replace_table(ZONES, zones()) == 3
    assert store.replace_table(ZONES, zones()) == 3
    found = query(store, "SELECT zone, service_zone FROM taxi.zones ORDER BY location_id")
    assert found == [("Newark Airport", "EWR"), ("NV", "N/A"), ("NA", "N/A")]


def test_the_view_unites_datasets_and_names_zones(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    store.refresh_views(list(CONTRACTS.values()))
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    store.refresh_views(list(CONTRACTS.values()))
    assert query(store, "SELECT dataset, count(*), count(pickup_zone) FROM taxi.trips GROUP BY 1") == [("green", 4, 0)]
    store.replace_table(ZONES, zones())
    found = query(store, "SELECT pickup_zone FROM taxi.trips WHERE pickup_location_id = 1")
    assert found == [("Newark Airport",)]


def test_places_that_are_no_database_are_refused_in_a_sentence(lake: Lake, tmp_path: Path) -> None:
    month = clean(lake, tmp_path)
    (tmp_path / "folder.duckdb").mkdir()
    (tmp_path / "text.duckdb").write_text("hello" * 999)
    (tmp_path / "file").touch()
    for name, sentence in [
        ("folder.duckdb", "name a file, not a folder"),
        ("text.duckdb", "name another file, or move this one away"),
        ("file/below.duckdb", r"cannot be used: (File exists|Not a directory)"),
    ]:
        with pytest.raises(StoreError, match=f"the DuckDB file .*{name} .*{sentence}"):
            DuckDBStore(tmp_path / name).replace_month(GREEN, month, lake)
    with pytest.raises(StoreError, match=r"taxi\.duckdb needs another name"):
        DuckDBStore(tmp_path / "taxi.duckdb")
