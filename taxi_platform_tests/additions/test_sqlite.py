"""The suite of stores of tables over the added one."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from taxi_platform.stores.testing.sharing import SharedTableStoreSuite
from taxi_platform.stores.testing.tables import Query, TableStoreSuite
from taxi_platform_tests.additions.sqlite.store import SQLiteStore

sqlite3.register_converter("DATE", lambda text: date.fromisoformat(text.decode()))
sqlite3.register_converter("TIMESTAMP", lambda text: datetime.fromisoformat(text.decode()))


class TestSQLite(TableStoreSuite):
    double = "DOUBLE"
    other_months_rows = "counts 0 trips and 0 quarantined"

    @pytest.fixture
    def store(self, tmp_path: Path) -> SQLiteStore:
        return SQLiteStore(tmp_path / "sqlite", wait_seconds=5)

    @pytest.fixture
    def query(self, store: SQLiteStore) -> Query:
        def run(sql: str) -> list[tuple[Any, ...]]:
            connection = sqlite3.connect(":memory:", detect_types=sqlite3.PARSE_DECLTYPES, isolation_level=None)
            try:
                connection.execute("ATTACH ? AS taxi", [str(store.folder / "taxi.sqlite")])
                return connection.execute(sql.replace("DATE '", "'")).fetchall()
            finally:
                connection.close()

        return run


@pytest.mark.long
class TestSharedSQLite(SharedTableStoreSuite):
    opener = "taxi_platform_tests.additions.sqlite.store:SQLiteStore"

    @pytest.fixture
    def address(self, tmp_path: Path) -> str:
        return str(tmp_path / "sqlite")

    @pytest.fixture
    def store(self, address: str) -> SQLiteStore:
        return SQLiteStore(address, wait_seconds=60)
