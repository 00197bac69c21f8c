"""The suite of stores that make marts over ours."""

from __future__ import annotations

from taxi_platform.stores.testing.marts import MartStoreSuite
from taxi_platform_tests.stores.test_table_stores import TestDuckDB as DuckDBTables


class TestDuckDB(MartStoreSuite):
    store = DuckDBTables.store
    query = DuckDBTables.query
