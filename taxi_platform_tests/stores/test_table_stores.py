"""The suite of stores of tables over ours: a DuckDB file, a real PostgreSQL, an emulated BigQuery."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taxi_platform.contracts.model import Table
from taxi_platform.stores.bigquery.store import BigQueryStore
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.model import TableStore
from taxi_platform.stores.postgres.store import PostgresStore
from taxi_platform.stores.testing.sharing import SharedTableStoreSuite
from taxi_platform.stores.testing.tables import OWN, Query, TableStoreSuite
from taxi_platform_tests.stores.conftest import connected
from tools.emulators.bigquery import PROJECT


class TestDuckDB(TableStoreSuite):
    double = "DOUBLE"
    other_months_rows = "counts 0 trips and 0 quarantined"

    @pytest.fixture
    def store(self, tmp_path: Path) -> DuckDBStore:
        return DuckDBStore(tmp_path / "warehouse.duckdb", wait_seconds=5)

    @pytest.fixture
    def query(self, store: DuckDBStore) -> Query:
        def run(sql: str) -> list[tuple[Any, ...]]:
            import duckdb

            with duckdb.connect(str(store.path)) as connection:
                return connection.execute(sql).fetchall()

        return run


class TestPostgres(TableStoreSuite):
    double = "double precision"
    other_months_rows = "file_month is 2020-03"

    @pytest.fixture
    def store(self, postgres_url: str) -> PostgresStore:
        return PostgresStore(postgres_url, wait_seconds=5)

    @pytest.fixture
    def query(self, postgres_url: str) -> Query:
        def run(sql: str) -> list[tuple[Any, ...]]:
            with connected(postgres_url) as connection:
                cursor = connection.execute(sql)
                return cursor.fetchall() if cursor.description else []

        return run

    @pytest.fixture
    def own(self, query: Query) -> Table:
        query("DROP SCHEMA IF EXISTS marts CASCADE")
        return OWN


@pytest.mark.long
class TestBigQuery(TableStoreSuite):
    """Of the long suite: the short one has every fault in two stores, and BigQuery's own in ``test_bigquery``."""

    double = "FLOAT"
    other_months_rows = "Some rows belong to different partitions"

    @pytest.fixture
    def store(self, bigquery_url: str) -> BigQueryStore:
        return BigQueryStore(bigquery_url)

    @pytest.fixture
    def query(self, store: BigQueryStore) -> Query:
        def run(sql: str) -> list[tuple[Any, ...]]:
            names = sql.replace("taxi.", f"{store._dataset.name}.")
            return [row.values() for row in store._dataset.client.query(names).result()]

        return run

    @pytest.fixture
    def own(self, store: BigQueryStore) -> Iterator[Table]:
        schema = f"marts_{uuid.uuid4().hex[:12]}"
        yield replace(OWN, schema=schema)
        store.dataset.client.delete_dataset(schema, delete_contents=True, not_found_ok=True)

    def name_of(self, store: TableStore, table: str) -> str:
        assert isinstance(store, BigQueryStore)
        return f"{PROJECT}.{store.dataset.name}.{table.rpartition('.')[2]}"

    def sql_name_of(self, store: TableStore, table: str) -> str:
        assert isinstance(store, BigQueryStore)
        return f"{store.dataset.name}.{table.rpartition('.')[2]}"


class TestSharedDuckDB(SharedTableStoreSuite):
    opener = "taxi_platform.stores.duckdb.store:DuckDBStore"

    @pytest.fixture
    def address(self, tmp_path: Path) -> str:
        return str(tmp_path / "warehouse.duckdb")

    @pytest.fixture
    def store(self, address: str) -> DuckDBStore:
        return DuckDBStore(address, wait_seconds=60)


class TestSharedPostgres(SharedTableStoreSuite):
    opener = "taxi_platform.stores.postgres.store:PostgresStore"

    @pytest.fixture
    def address(self, postgres_url: str) -> str:
        return postgres_url

    @pytest.fixture
    def store(self, address: str) -> PostgresStore:
        return PostgresStore(address, wait_seconds=60)
