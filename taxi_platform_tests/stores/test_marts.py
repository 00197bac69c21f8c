"""The suite of stores that make marts over ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxi_platform.cleaning import clean_month
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import Table
from taxi_platform.marts import marts_of
from taxi_platform.stores.bigquery.store import BigQueryStore
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import StoreOfMarts
from taxi_platform.stores.postgres.store import PostgresStore
from taxi_platform.stores.testing.marts import (
    GREEN,
    MartStoreSuite,
    assert_marts,
    loaded,
)
from taxi_platform.stores.testing.months import MARCH
from taxi_platform.stores.testing.sharing import SharedMartStoreSuite
from taxi_platform.stores.testing.tables import Query
from taxi_platform_tests.ingest.staging import stage
from taxi_platform_tests.stores.test_table_stores import TestBigQuery as BigQueryTables
from taxi_platform_tests.stores.test_table_stores import TestDuckDB as DuckDBTables
from taxi_platform_tests.stores.test_table_stores import TestPostgres as PostgresTables
from taxi_platform_tests.stores.test_table_stores import TestSharedDuckDB as SharedDuckDBTables
from taxi_platform_tests.stores.test_table_stores import TestSharedPostgres as SharedPostgresTables

for slow in (
    MartStoreSuite.test_unchanged_marts_are_left_alone_and_lost_ones_made_again,
    MartStoreSuite.test_a_republished_month_s_marts_are_those_before_until_they_are_made_again,
    MartStoreSuite.test_another_definition_makes_them_again_and_takes_out_what_is_no_mart_any_more,
    SharedMartStoreSuite.test_the_first_marts_killed_half_way_are_none_and_made_by_the_next_run,
):
    pytest.mark.long(slow)


class TestDuckDB(MartStoreSuite):
    store = DuckDBTables.store
    query = DuckDBTables.query


class TestPostgres(MartStoreSuite):
    store = PostgresTables.store
    query = PostgresTables.query

    def test_views_of_an_earlier_release_are_replaced_with_those_upon_them(
        self, store: StoreOfMarts, query: Query, lake: Lake, tmp_path: Path
    ) -> None:
        loaded(store, lake, tmp_path)
        store.make_marts(GREEN, marts_of(GREEN), MARCH.first_day)
        store.refresh_mart_views([GREEN])
        query("GRANT SELECT ON taxi.mart_zone_hour_grid TO PUBLIC")
        query("ALTER VIEW taxi.mart_zone_hour RENAME COLUMN trips TO rides")
        store.refresh_mart_views([GREEN])
        assert query("SELECT sum(trips) FROM taxi.mart_zone_hour") == [(23,)]
        granted = "SELECT has_table_privilege('public', 'taxi.mart_zone_hour_grid', 'SELECT')"
        assert query(granted) == [(True,)]


@pytest.mark.long
class TestBigQuery(MartStoreSuite):
    store = BigQueryTables.store
    query = BigQueryTables.query


class TestSharedDuckDB(SharedMartStoreSuite):
    opener = SharedDuckDBTables.opener
    readers_wait = True
    address = SharedDuckDBTables.address
    store = SharedDuckDBTables.store
    query = DuckDBTables.query


class TestSharedPostgres(SharedMartStoreSuite):
    opener = SharedPostgresTables.opener
    address = SharedPostgresTables.address
    store = SharedPostgresTables.store
    query = PostgresTables.query


@pytest.mark.long
class TestSharedBigQuery(SharedMartStoreSuite):
    opener = "taxi_platform.stores.bigquery.store:BigQueryStore"
    store = BigQueryTables.store
    query = BigQueryTables.query

    @pytest.fixture
    def address(self, bigquery_url: str) -> str:
        return bigquery_url

    def tables(self, query: Query) -> list[str]:
        """Those that stay: the ones in which a killed run made its marts expire."""
        expire = "SELECT table_name FROM taxi.INFORMATION_SCHEMA.TABLE_OPTIONS WHERE option_name"
        expiring = set(query(f"{expire} = 'expiration_timestamp'"))
        found = query("SELECT table_name FROM taxi.INFORMATION_SCHEMA.TABLES ORDER BY 1")
        return [name for (name,) in found if (name,) not in expiring]


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    ["dtc/green/green_tripdata_2020-04.csv.gz", "dtc/yellow/yellow_tripdata_2019-02.csv.gz"]
    + [f"tlc/trip-data/{month}.parquet" for month in ("green_tripdata_2024-01", "yellow_tripdata_2022-01")],
)
def test_marts_of_a_real_month_are_what_its_rows_add_up_to_and_the_same_in_every_store(
    name: str, tlc: Path, lake: Lake, tmp_path: Path, postgres_url: str, bigquery_url: str
) -> None:
    staged = stage(tlc / name, tmp_path)
    contract = CONTRACTS[staged.raw.month.dataset]
    clean = lake.store_clean(clean_month(contract, staged.raw, staged.file, tmp_path))
    stores = (DuckDBStore(tmp_path / "warehouse.duckdb"), PostgresStore(postgres_url), BigQueryStore(bigquery_url))
    found = []
    for store in stores:
        store.replace_month(contract, clean, lake)
        store.make_marts(contract, marts_of(contract), clean.file_month)
        assert_marts(store, contract, clean, lake)
        found.append({mart.name: rows(store, mart.table(contract)) for mart in marts_of(contract)})
    for mart in marts_of(contract):
        assert found[0][mart.name] == found[1][mart.name] == found[2][mart.name], mart.name
        assert found[0][mart.name], mart.name


def rows(store: StoreOfMarts, table: Table) -> list[str]:
    """Every row of a mart, in the order of its columns."""
    return sorted(map(str, store.read_months(table.qualified_name, None, table.column_names).read_all().to_pylist()))
