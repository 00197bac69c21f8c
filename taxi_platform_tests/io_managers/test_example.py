"""``examples/own_asset`` does what its README says, on generated months and the embedded stores."""

from __future__ import annotations

import runpy
import shutil
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import psycopg
import pytest

from taxi_platform_tests.support.platform import Platform

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "own_asset"


def test_the_project_loads_beside_any_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_DATA", str(tmp_path / "data"))
    defs = runpy.run_path(str(EXAMPLE / "own_asset.py"))["defs"]
    dg.Definitions.validate_loadable(defs)
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().materializable_asset_keys}
    assert keys == {"daily_revenue", "borough_revenue"}
    assert not (tmp_path / "data").exists()


@pytest.mark.long
def test_a_project_of_its_own_makes_its_tables_from_the_platforms(tmp_path: Path) -> None:
    project = tmp_path / "somewhere" / "own_asset"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("__pycache__"))
    variables = {"TAXI_DATA": str(tmp_path / "data"), "TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "2000"}
    platform = Platform(project, variables)
    brought = platform.taxi("run", "--datasets", "green", "--months", "2020-03..2020-04")
    assert brought.code == 0, brought.text
    for arguments in (
        ("daily_revenue", "--partition", "2020-03-01"),
        ("daily_revenue", "--partition", "2020-04-01"),
        ("daily_revenue", "--partition", "2020-03-01"),
        ("borough_revenue",),
    ):
        done = platform.dagster("asset", "materialize", "-m", "own_asset", "--select", *arguments)
        assert done.code == 0, done.text

    with duckdb.connect(str(platform.data / "warehouse.duckdb"), read_only=True) as warehouse:
        known = "t JOIN taxi.zones z ON z.location_id = t.pickup_location_id"
        trips = warehouse.sql(
            f"SELECT borough, count(*), sum(total_amount) FROM taxi.green_trips {known} GROUP BY 1 ORDER BY 1"
        ).fetchall()
        mine = warehouse.sql("SELECT borough, size, sum FROM marts.borough_revenue ORDER BY 1").fetchall()
    assert [row[:2] for row in mine] == [row[:2] for row in trips]
    assert [row[2] for row in mine] == pytest.approx([row[2] for row in trips])

    with psycopg.connect(platform.taxi("postgres-url", "--idle-seconds", "2").out.strip()) as postgres:
        months = postgres.execute("SELECT DISTINCT file_month FROM marts.daily_revenue ORDER BY 1").fetchall()
        counted = postgres.execute("SELECT sum(size) FROM marts.daily_revenue").fetchone()
    assert months == [(date(2020, 3, 1),), (date(2020, 4, 1),)]
    assert counted == (sum(row[1] for row in trips),)
