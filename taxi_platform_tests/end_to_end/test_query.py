"""``taxi query`` as people type it: over a warehouse with one small month."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from taxi_platform_tests.support.platform import Platform
from taxi_platform_tests.support.terminal import on_a_terminal

MONTHS = "SELECT file_month, count(*) AS trips, 0.1::DOUBLE + 0.2 AS number FROM taxi.green_trips GROUP BY 1"


def test_a_query_prints_a_table_or_is_a_file_that_is_whole(one_month: Platform) -> None:
    shown = one_month.taxi("query", MONTHS)
    assert (shown.code, shown.err) == (0, "")
    assert [line.split() for line in shown.out.splitlines()] == [
        ["file_month", "trips", "number"],
        ["2020-03-01", "149", "0.3"],
    ]
    assert one_month.taxi("query", MONTHS, "--format", "csv").out == (
        '"file_month","trips","number"\n2020-03-01,149,0.30000000000000004\n'
    )

    assert one_month.taxi("query", "SELECT * FROM taxi.green_quarantine", "-o", "rows.parquet").code == 0
    assert one_month.taxi("query", "SELECT reasons FROM taxi.green_quarantine", "-o", "rows.csv").code == 0
    reasons = pq.read_table(one_month.folder / "rows.parquet")["reasons"].to_pylist()
    assert (one_month.folder / "rows.csv").read_text().splitlines() == [
        '"reasons"',
        *(f'"{"; ".join(row)}"' for row in reasons),
    ]

    failed = one_month.taxi("query", "SELECT 1 / surely FROM taxi.green_trips", "-o", "rows.csv")
    assert failed.code == 1
    assert "surely" in failed.err
    assert (one_month.folder / "rows.csv").read_text().startswith('"reasons"')
    assert sorted(path.name for path in one_month.folder.glob("*rows*")) == ["rows.csv", "rows.parquet"]


def test_what_is_wider_than_a_terminal_is_a_list_a_row(one_month: Platform) -> None:
    """Where not even the names of the columns fit; a file, or a pipe, has any width."""
    command = [sys.executable, "-m", "taxi_platform.cli", "query", "SELECT * FROM taxi.green_trips LIMIT 2"]
    with on_a_terminal(command, one_month.folder, one_month.environment) as terminal:
        assert terminal.finish() == 0
    lines = [line.split(maxsplit=1) for line in terminal.lines]
    assert [line for line in lines if line[:1] == ["row"]] == [["row", "1"], ["row", "2"]]
    assert [line[1].strip() for line in lines if line[:1] == ["file_month"]] == ["2020-03-01"] * 2
    assert max(map(len, terminal.lines)) <= 80
    assert len(one_month.taxi(*command[3:]).out.splitlines()) == 3


def test_a_table_shows_the_first_rows_and_says_that_there_are_more(one_month: Platform) -> None:
    shown = one_month.taxi("query", "SELECT vendor_id FROM taxi.green_trips")
    assert len(shown.out.splitlines()) == 1 + 100
    assert shown.err == "the first 100 rows: --format csv, or --output with a file, gives all\n"
    rows = one_month.taxi("query", "SELECT vendor_id FROM taxi.green_trips", "--format", "csv").out
    assert len(rows.splitlines()) == 1 + 149


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["DROP TABLE taxi.green_trips"], "one query can be run, a SELECT, and this is DROP"),
        (["SELECT 1", "--store", "postgres"], "postgres is off: set TAXI_POSTGRES, or ask another store"),
        (["SELECT 1", "--format", "parquet"], "a Parquet file needs a name: --output trips.parquet"),
        (["SELECT 1", "-o", "rows.xlsx"], "what rows.xlsx should be is not clear: let it end with .csv or .parquet"),
        (["SELECT 1", "-o", "nowhere/rows.csv"], "nowhere/rows.csv cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(one_month: Platform, arguments: list[str], sentence: str) -> None:
    done = one_month.taxi("query", *arguments)
    assert done.code == 1
    assert done.out == ""
    assert done.err.startswith(f"Error: {sentence}")
    assert len(done.err.splitlines()) == 1


def test_a_platform_without_months_or_stores_says_so(tmp_path: Path) -> None:
    nothing = Platform(tmp_path, {"TAXI_DATA": str(tmp_path / "data"), "TAXI_POSTGRES": "off"})
    assert "yet: bring months with taxi run" in nothing.taxi("query", "SELECT 1").err
    assert "every store of tables is off" in nothing.taxi("query", "SELECT 1", TAXI_WAREHOUSE="off").err
