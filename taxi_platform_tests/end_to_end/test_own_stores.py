"""``taxi`` with stores of a user's own, by the documented variables: a server, a warehouse that will not open, none."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import duckdb
import psycopg
import pytest

from taxi_platform.sources.sample import write_month
from taxi_platform_tests.support.platform import Platform
from taxi_platform_tests.support.postgres import new_database

MONTH = ("--datasets", "green", "--months", "2021-07")


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    data = str(tmp_path / "data")
    return Platform(tmp_path, {"TAXI_DATA": data, "TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "1000"})


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Platform:
    """A platform that has brought the month into a server of its user's own."""
    folder = tmp_path_factory.mktemp("owner")
    source = {"TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "1000", "TAXI_DATA": str(folder / "data")}
    platform = Platform(folder, {**source, "TAXI_POSTGRES": new_database(postgres_server)})
    done = platform.taxi("run", *MONTH)
    assert done.code == 0, done.text
    return platform


def test_months_arrive_in_a_server_of_ones_own(owner: Platform) -> None:
    raw, trips, quarantined, warehouse, postgres = owner.rows()["green 2021-07"]
    assert raw == 1_000 == (trips or 0) + (quarantined or 0)
    assert trips == warehouse == postgres
    assert not (owner.data / "postgres").exists(), "a server of our own was started beside the user's"


def test_a_warehouse_that_will_not_open_stops_nothing_else(platform: Platform, postgres_database: str) -> None:
    broken = platform.folder / "broken.duckdb"
    broken.write_text("no database" * 1_000)
    platform.variables.update(TAXI_WAREHOUSE=str(broken), TAXI_POSTGRES=postgres_database)
    done = platform.taxi("run", *MONTH)
    assert done.code == 1
    assert "broken.duckdb" in done.text
    assert "Traceback" not in done.text
    assert list(platform.data.glob("lake/raw/green/month=2021-07/*.parquet"))
    assert list(platform.data.glob("lake/trips/green/month=2021-07/*.parquet"))
    assert _rows_of(postgres_database) == 991


def _rows_of(database: str) -> int:
    with psycopg.connect(database) as connection:
        counted = connection.execute("SELECT count(*) FROM taxi.green_trips").fetchone()
    assert counted is not None
    return int(counted[0])


@pytest.mark.parametrize("option", ["--months", "--datasets"])
def test_an_empty_choice_is_refused(platform: Platform, option: str) -> None:
    done = platform.taxi("run", option, "")
    assert done.code == 1
    assert done.err.startswith(f"Error: no {option[2:-1]} is named: ")
    assert not platform.data.exists()


def test_the_views_show_the_months_also_without_any_store_of_tables(platform: Platform) -> None:
    platform.variables.update(TAXI_WAREHOUSE="off", TAXI_POSTGRES="off")
    done = platform.taxi("run", *MONTH)
    assert done.code == 0, done.text
    (line,) = [line for line in platform.taxi("env").out.splitlines() if line.startswith("export TAXI_VIEWS=")]
    views = Path(line.partition("=")[2])
    assert views == platform.data / "views.duckdb"
    with duckdb.connect(str(views), read_only=True) as connection:
        counted = "SELECT count(*) FROM taxi.trips UNION ALL SELECT count(*) FROM taxi.green_quarantine"
        assert sum(rows for (rows,) in connection.sql(counted).fetchall()) == 1_000
    version = json.loads(next(platform.data.glob("lake/raw/green/month=2021-07/manifest.json")).read_text())["current"]
    for command in (
        ("env",),
        ("status",),
        ("run", *MONTH),
        ("run", "--behind"),
        ("select", "green", "2021-07", version),
    ):
        views.unlink()
        done = platform.taxi(*command)
        assert done.code == 0, done.text
        assert views.exists(), f"taxi {' '.join(command)} makes it again where it is behind"
    assert not list(platform.data.glob("warehouse*"))
    assert not (platform.data / "postgres").exists()


def test_two_platforms_do_not_write_over_one_another(owner: Platform, tmp_path: Path) -> None:
    rows = owner.rows()
    without = {**owner.variables, "TAXI_WAREHOUSE": "off", "TAXI_SAMPLE_ROWS": "2000"}
    another = Platform(tmp_path, {**without, "TAXI_DATA": str(tmp_path / "another")})
    done = another.taxi("run", *MONTH)
    assert done.code == 1
    assert "postgres holds the months of another lake" in done.text
    assert "taxi adopt postgres" in done.text
    assert "Traceback" not in done.text
    assert owner.rows() == rows
    shown = another.taxi("status")
    assert shown.code == 1
    assert "postgres holds the months of another lake" in shown.text
    apart = Platform(tmp_path, {**another.variables, "TAXI_POSTGRES_SCHEMA": "second"})
    done = apart.taxi("run", *MONTH)
    assert done.code == 0, done.text
    assert "TABLE second.zones" in done.text
    assert apart.rows()["green 2021-07"][0] == 2_000
    assert owner.rows() == rows
    moved = owner.folder / "moved"
    owner.data.rename(moved)
    owner.variables["TAXI_DATA"] = str(moved)
    assert owner.taxi("run", *MONTH).code == 0, "a lake that has moved is the same lake"
    assert another.taxi("adopt", "postgres").code == 0
    assert another.taxi("run", *MONTH).code == 0
    raw, trips, _, _, postgres = another.rows()["green 2021-07"]
    assert (raw, postgres) == (2_000, trips)


def test_generated_months_stay_out_of_a_lake_of_published_ones(platform: Platform, tmp_path: Path) -> None:
    upstream = tmp_path / "upstream"
    (upstream / "green").mkdir(parents=True)
    write_month("green", date(2021, 7, 1), 1_000, upstream / "green" / "green_tripdata_2021-07.csv.gz", "csv.gz")
    published = {"TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": str(upstream), "TAXI_LAKE": str(tmp_path / "lake")}
    off = {"TAXI_WAREHOUSE": "off", "TAXI_POSTGRES": "off"}
    real = Platform(tmp_path, {"TAXI_DATA": str(tmp_path / "real"), **published, **off})
    real.taxi("run", *MONTH)
    before = real.rows()
    assert before["green 2021-07"][0] == 1_000
    platform.variables.update(off, TAXI_LAKE=str(tmp_path / "lake"), TAXI_SAMPLE_ROWS="3000")
    done = platform.taxi("run", *MONTH)
    assert done.code == 1
    assert "holds published months" in done.text
    assert real.rows() == before


def test_a_store_that_is_switched_on_again_is_behind_and_is_loaded(platform: Platform, postgres_database: str) -> None:
    platform.variables.update(TAXI_WAREHOUSE="off", TAXI_POSTGRES="off")
    assert platform.taxi("run", *MONTH).code == 0
    (status,) = platform.status()
    assert (status["state"], status["warehouse_rows"], status["postgres_rows"]) == ("whole", "off", "off")
    platform.variables.update(TAXI_WAREHOUSE=str(platform.folder / "my.duckdb"), TAXI_POSTGRES=postgres_database)
    shown = platform.taxi("status", "--datasets", "green")
    assert shown.code == 1
    assert "behind" in shown.out
    done = platform.taxi("run", "--behind")
    assert done.code == 0, done.text
    assert "fetching" not in done.text
    (now,) = platform.statuses()
    assert now.state == "whole"
    _, trips, _, warehouse, postgres = now.rows
    assert trips == warehouse == postgres
