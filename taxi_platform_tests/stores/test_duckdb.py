"""The DuckDB file itself: what stands in it, and who may use it when."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.errors import StoreError
from taxi_platform.references import CleanMonth
from taxi_platform.stores.duckdb import DuckDBStore
from taxi_platform.stores.lake import Lake
from taxi_platform_tests.support.staged import MARCH, staged_clean

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

GREEN = CONTRACTS["green"]
TRIPS = "taxi.green_trips"


@pytest.fixture
def store(tmp_path: Path) -> DuckDBStore:
    return DuckDBStore(tmp_path / "warehouse.duckdb", wait_seconds=5)


def opened(store: DuckDBStore, *, read_only: bool = False) -> DuckDBPyConnection:
    import duckdb

    return duckdb.connect(str(store.path), read_only=read_only)


def query(store: DuckDBStore, sql: str) -> list[tuple[object, ...]]:
    with opened(store, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def clean(lake: Lake, folder: Path, version: str = "c1") -> CleanMonth:
    return lake.store_clean(staged_clean(folder, version))


def test_looking_at_a_file_that_is_not_there_makes_none(store: DuckDBStore) -> None:
    assert store.count_months(GREEN) == {}
    assert not store.path.exists()


def test_every_table_and_column_says_what_it_is(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    silent = "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'taxi' AND comment IS NULL"
    assert query(store, silent) == []
    assert query(store, "SELECT count(*) FROM duckdb_tables() WHERE comment IS NOT NULL") == [(3,)]


def test_a_reader_that_is_closed_early_frees_the_file(store: DuckDBStore, lake: Lake, tmp_path: Path) -> None:
    store.replace_month(GREEN, clean(lake, tmp_path), lake)
    reader = store.read_months(TRIPS, [MARCH.first_day])
    del reader
    assert store.replace_month(GREEN, clean(lake, tmp_path, "c2"), lake).changed


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
