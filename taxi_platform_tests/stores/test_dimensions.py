"""Dates and codes in the lake: made once, and again where what they depend on has changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb

from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.stores.duckdb.lake_views import ViewsFile
from taxi_platform.stores.lake.lake import Lake


def _never() -> Iterator[tuple[object, ...]]:
    raise AssertionError("the rows are not made again")


def test_what_is_current_is_not_made_again_and_what_is_not_is(lake: Lake) -> None:
    codes = DIMENSIONS["codes"]
    assert lake.dimensions.rows("codes") is None
    assert lake.dimensions.store(codes)
    rows, stored = lake.dimensions.rows("codes"), lake.dimensions.stored("codes")
    assert rows is not None
    assert stored is not None
    assert (stored.rows, stored.sha256) == (rows.num_rows, codes.version)
    assert not lake.dimensions.store(replace(codes, rows=_never))
    other = replace(codes, rows=lambda: iter([("t", "c", "1", "one")]), made_from=lambda: "another release")
    assert lake.dimensions.store(other)
    again = lake.dimensions.rows("codes")
    assert again is not None
    assert again.to_pylist() == [{"table_name": "t", "column_name": "c", "code": "1", "label": "one"}]


def test_the_file_of_views_has_them_with_their_comments(lake: Lake, tmp_path: Path) -> None:
    views = ViewsFile(tmp_path / "views.duckdb", lake)
    assert views.refresh([])
    for dimension in DIMENSIONS.values():
        lake.dimensions.store(dimension)
    assert views.refresh([])
    with duckdb.connect(str(views.path), read_only=True) as connection:
        named = "SELECT holiday FROM taxi.dates WHERE date = DATE '2024-11-28'"
        assert connection.execute(named).fetchall() == [("Thanksgiving Day",)]
        labels = "SELECT label FROM taxi.codes WHERE column_name = 'hvfhs_license_num' AND code = 'HV0003'"
        assert connection.execute(labels).fetchall() == [("Uber",)]
        silent = "SELECT count(*) FROM duckdb_columns() WHERE table_name IN ('dates', 'codes') AND comment IS NULL"
        assert connection.execute(silent).fetchall() == [(0,)]
