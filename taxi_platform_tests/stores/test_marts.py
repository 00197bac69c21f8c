"""The suite of stores that make marts over ours."""

from __future__ import annotations

from typing import Any

import pytest

from taxi_platform.references import CleanMonth
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.marts import GREEN, MartStoreSuite, StoreOfMarts
from taxi_platform.stores.testing.months import MARCH
from taxi_platform_tests.stores.test_table_stores import TestBigQuery as BigQueryTables
from taxi_platform_tests.stores.test_table_stores import TestDuckDB as DuckDBTables
from taxi_platform_tests.stores.test_table_stores import TestPostgres as PostgresTables


class TestDuckDB(MartStoreSuite):
    store = DuckDBTables.store
    query = DuckDBTables.query


class TestPostgres(MartStoreSuite):
    store = PostgresTables.store
    query = PostgresTables.query


@pytest.mark.long
class TestBigQuery(MartStoreSuite):
    store = BigQueryTables.store
    query = BigQueryTables.query

    def assert_as_before(self, store: StoreOfMarts, first: CleanMonth, lake: Lake, before: Any) -> None:
        """Jobs are no transaction: the month is not in the record, so that its marts are made again."""
        assert store.held_marts(GREEN, [MARCH.first_day]) == {}
