"""What every store of tables does, sentence by sentence: a DuckDB file, a real PostgreSQL, an emulated BigQuery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import Column, ColumnType
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.contracts.zones import ZONES
from taxi_platform.errors import StoreError
from taxi_platform.references import CleanMonth, MonthCounts
from taxi_platform.stores.bigquery.store import BigQueryStore
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import HeldMonth, TableStore
from taxi_platform.stores.postgres.store import PostgresStore
from taxi_platform_tests.stores.conftest import connected
from taxi_platform_tests.support.staged import APRIL, MARCH, staged_clean
from tools.emulators.bigquery import PROJECT

Query = Callable[[str], list[tuple[Any, ...]]]

GREEN = CONTRACTS["green"]
TRIPS = "taxi.green_trips"


@pytest.fixture(params=["duckdb", "postgres", "bigquery"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TableStore:
    if request.param == "bigquery":
        return BigQueryStore(request.getfixturevalue("bigquery_url"))
    if request.param == "duckdb":
        return DuckDBStore(tmp_path / "warehouse.duckdb", wait_seconds=5)
    return PostgresStore(request.getfixturevalue("postgres_url"), wait_seconds=5)


@pytest.fixture
def query(store: TableStore, request: pytest.FixtureRequest) -> Query:
    """Runs SQL as another program would; statements are committed."""

    def on_duckdb(sql: str) -> list[tuple[Any, ...]]:
        import duckdb

        assert isinstance(store, DuckDBStore)
        with duckdb.connect(str(store.path)) as connection:
            return connection.execute(sql).fetchall()

    def on_postgres(sql: str) -> list[tuple[Any, ...]]:
        with connected(request.getfixturevalue("postgres_server")) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def on_bigquery(sql: str) -> list[tuple[Any, ...]]:
        assert isinstance(store, BigQueryStore)
        names = sql.replace("taxi.", f"{store._dataset.name}.")
        return [row.values() for row in store._dataset.client.query(names).result()]

    return {"duckdb": on_duckdb, "postgres": on_postgres, "bigquery": on_bigquery}[store.kind]


def clean(lake: Lake, folder: Path, version: str = "c1", trips: int = 4, quarantined: int = 1) -> CleanMonth:
    return lake.store_clean(staged_clean(folder, version, trips, quarantined))


def test_a_store_without_the_table_counts_nothing_and_says_so_when_read(store: TableStore) -> None:
    assert store.count_months(GREEN) == {}
    store.delete_month(GREEN, MARCH.first_day)
    with pytest.raises(StoreError, match=r"has no table taxi\.green_trips: materialize its months first"):
        store.read_months(TRIPS, [MARCH.first_day])


def test_a_month_is_counted_as_it_was_cleaned(store: TableStore, lake: Lake, tmp_path: Path) -> None:
    loaded = store.replace_month(GREEN, clean(lake, tmp_path, trips=7, quarantined=2), lake)
    name = f"{PROJECT}.{store.dataset.name}.green_trips" if isinstance(store, BigQueryStore) else TRIPS
    assert (loaded.counts, loaded.changed, loaded.table) == (MonthCounts(7, 2), True, name)
    assert store.count_months(GREEN) == {date(2020, 3, 1): MonthCounts(7, 2)}
    assert store.count_months(CONTRACTS["yellow"]) == {}


def test_a_new_version_replaces_its_own_month_only(store: TableStore, lake: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path, trips=7), lake)
    store.replace_month(GREEN, lake.store_clean(staged_clean(tmp_path, "c1", 5, 0, APRIL)), lake)
    store.replace_month(GREEN, clean(lake, tmp_path, "c2", trips=3, quarantined=6), lake)
    assert store.count_months(GREEN) == {date(2020, 3, 1): MonthCounts(3, 6), date(2020, 4, 1): MonthCounts(5, 0)}


def test_an_unchanged_month_is_left_alone(store: TableStore, query: Query, lake: Lake, tmp_path: Path) -> None:
    month = clean(lake, tmp_path)
    store.replace_month(GREEN, month, lake)
    before = query("SELECT loaded_at FROM taxi.months")
    assert not store.replace_month(GREEN, month, lake).changed
    assert query("SELECT loaded_at FROM taxi.months") == before


def test_a_month_that_lost_rows_is_loaded_again(store: TableStore, query: Query, lake: Lake, tmp_path: Path) -> None:
    month = clean(lake, tmp_path)
    store.replace_month(GREEN, month, lake)
    query("DELETE FROM taxi.green_trips WHERE vendor_id = 0")
    assert store.replace_month(GREEN, month, lake).changed
    assert store.count_months(GREEN) == {date(2020, 3, 1): MonthCounts(4, 1)}


def test_equal_counts_of_another_version_are_told_apart_and_loaded(
    store: TableStore, query: Query, lake: Lake, tmp_path: Path
) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path, "c1"), lake)
    store.replace_month(GREEN, lake.store_clean(staged_clean(tmp_path, "c7", 5, 0, APRIL)), lake)
    assert store.held_months(GREEN, [MARCH.first_day]) == {date(2020, 3, 1): HeldMonth(MonthCounts(4, 1), "c1")}
    assert store.replace_month(GREEN, clean(lake, tmp_path, "c2"), lake).changed
    march, april = HeldMonth(MonthCounts(4, 1), "c2"), HeldMonth(MonthCounts(5, 0), "c7")
    assert store.held_months(GREEN) == {date(2020, 3, 1): march, date(2020, 4, 1): april}
    assert store.held_months(GREEN, []) == {}
    query("DELETE FROM taxi.green_trips WHERE vendor_id = 0 AND file_month = DATE '2020-03-01'")
    assert store.held_months(GREEN)[date(2020, 3, 1)].counts.trips < 4


def test_a_dropped_table_is_made_again(store: TableStore, query: Query, lake: Lake, tmp_path: Path) -> None:
    month = clean(lake, tmp_path)
    store.replace_month(GREEN, month, lake)
    query("DROP TABLE taxi.green_quarantine")
    assert store.replace_month(GREEN, month, lake).counts == MonthCounts(4, 1)


@pytest.mark.parametrize(
    "lie",
    [{"trips_rows": 5, "raw_rows": 6}, {"quarantined_rows": 0, "raw_rows": 4}, {"raw_rows": 6}],
    ids=["more trips", "less quarantine", "not conserved"],
)
def test_rows_that_do_not_add_up_leave_the_month_before(
    store: TableStore, query: Query, lake: Lake, tmp_path: Path, lie: dict[str, int]
) -> None:
    month = clean(lake, tmp_path)
    store.replace_month(GREEN, month, lake)
    wrong = replace(month, facts=replace(month.facts, version="c2", **lie))  # type: ignore[arg-type]
    with pytest.raises(StoreError, match=r"green 2020-03 is not loaded: .* clean the month again$"):
        store.replace_month(GREEN, wrong, lake)
    assert store.count_months(GREEN) == {date(2020, 3, 1): MonthCounts(4, 1)}
    assert query("SELECT data_version FROM taxi.months") == [("c1",)]


def test_rows_of_another_file_month_are_refused(store: TableStore, lake: Lake, tmp_path: Path) -> None:
    april = lake.store_clean(staged_clean(tmp_path, "c1", 4, 1, APRIL))
    refusal = {
        "duckdb": "counts 0 trips and 0 quarantined",
        "postgres": "file_month is 2020-03",
        "bigquery": "Some rows belong to different partitions",
    }[store.kind]
    with pytest.raises(StoreError, match=refusal):
        store.replace_month(GREEN, replace(april, month=MARCH), lake)
    assert store.count_months(GREEN) == {}


def test_deleting_takes_out_one_month(store: TableStore, query: Query, lake: Lake, tmp_path: Path) -> None:
    store.delete_month(GREEN, MARCH.first_day)
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    store.replace_month(GREEN, lake.store_clean(staged_clean(tmp_path, "c1", 5, 0, APRIL)), lake)
    store.delete_month(GREEN, MARCH.first_day)
    assert store.count_months(GREEN) == {date(2020, 4, 1): MonthCounts(5, 0)}
    assert query("SELECT file_month FROM taxi.months") == [(date(2020, 4, 1),)]


def test_rows_come_back_as_they_went_in(store: TableStore, lake: Lake, tmp_path: Path) -> None:
    month = clean(lake, tmp_path, trips=300)
    store.replace_month(GREEN, month, lake)
    got = store.read_months(TRIPS, [MARCH.first_day]).read_all()
    assert got.schema == arrow_schema(GREEN.trips)
    with lake.open_parquet(month.trips_path) as file:
        assert got.sort_by("pickup_datetime").equals(file.read().sort_by("pickup_datetime"))
    rejected = store.read_months("taxi.green_quarantine", [MARCH.first_day]).read_all()
    with lake.open_parquet(month.quarantine_path) as file:
        assert rejected.equals(file.read())


def test_reading_selects_columns_and_months(store: TableStore, lake: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    store.replace_month(GREEN, lake.store_clean(staged_clean(tmp_path, "c1", 5, 0, APRIL)), lake)
    got = store.read_months(TRIPS, [APRIL.first_day], ["trip_distance", "file_month"]).read_all()
    assert got.column_names == ["trip_distance", "file_month"]
    assert got["file_month"].to_pylist() == [date(2020, 4, 1)] * 5
    with pytest.raises(StoreError, match=r"taxi\.green_trips has no column fare: it has file_month, vendor_id"):
        store.read_months(TRIPS, [APRIL.first_day], ["fare"])


def test_a_column_that_the_contract_gained_is_null(store: TableStore, query: Query, lake: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    gained = Column("surge", ColumnType.DOUBLE, "How much dearer the trip was.")
    later = replace(GREEN, columns=(*GREEN.columns, gained))
    april = lake.store_clean(staged_clean(tmp_path, "c1", 5, 0, APRIL))
    store.replace_month(later, april, lake)
    assert query("SELECT count(*), count(surge) FROM taxi.green_trips") == [(9, 0)]
    surge = store.read_months(TRIPS, [MARCH.first_day], ["surge"])
    assert surge.schema.field("surge").metadata == {b"description": b"How much dearer the trip was."}
    assert surge.read_all()["surge"].to_pylist() == [None] * 4


def test_a_column_of_another_type_is_refused_by_name(store: TableStore, lake: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    other = tuple(replace(c, type=ColumnType.TEXT) if c.name == "extra" else c for c in GREEN.columns)
    name = {"duckdb": "DOUBLE", "postgres": "double precision", "bigquery": "FLOAT"}[store.kind]
    with pytest.raises(StoreError, match=rf"column extra of taxi\.green_trips is {name}\b"):
        store.replace_month(replace(GREEN, columns=other), clean(lake, tmp_path, "c2"), lake)


def zones() -> pa.Table:
    rows = [(1, "EWR", "Newark Airport", "EWR"), (264, "Unknown", "NV", "N/A"), (265, "Unknown", "NA", "N/A")]
    return pa.table(list(zip(*rows, strict=True)), schema=arrow_schema(ZONES))


def test_zones_keep_their_text_and_are_replaced_as_a_whole(store: TableStore, query: Query) -> None:
    assert store.replace_table(ZONES, zones()) == 3
    assert store.replace_table(ZONES, zones()) == 3
    found = query("SELECT zone, service_zone FROM taxi.zones ORDER BY location_id")
    assert found == [("Newark Airport", "EWR"), ("NV", "N/A"), ("NA", "N/A")]


def test_the_view_unites_datasets_and_names_zones(store: TableStore, query: Query, lake: Lake, tmp_path: Path) -> None:
    store.refresh_views(list(CONTRACTS.values()))
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    store.refresh_views(list(CONTRACTS.values()))
    assert query("SELECT dataset, count(*), count(pickup_zone) FROM taxi.trips GROUP BY 1") == [("green", 4, 0)]
    store.replace_table(ZONES, zones())
    found = query("SELECT pickup_zone FROM taxi.trips WHERE pickup_location_id = 1")
    assert found == [("Newark Airport",)]
