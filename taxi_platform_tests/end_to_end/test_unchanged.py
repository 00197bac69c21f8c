"""``taxi run`` of months that need nothing: no run is recorded; where anything is in doubt, one follows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import duckdb
import psycopg
import pytest

from taxi_platform.cli.record import read_record
from taxi_platform.cli.unchanged import unchanged_statuses
from taxi_platform.contracts import CONTRACTS
from taxi_platform.months import TripMonth
from taxi_platform.orchestration.automation.recorded import recorded_versions
from taxi_platform.orchestration.keys import asset_name
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres
from taxi_platform_tests.support.platform import Platform

RUN = ("run", "--datasets", "green", "--months", "2021-06..2021-07")
MONTHS = {"green": [date(2021, 6, 1), date(2021, 7, 1)]}
ASSETS = [asset_name(layer, "green") for layer in ("raw", "trips", "warehouse", "postgres")]
TABLES = ("zones", "zone_shapes", "dates", "codes")
ZONES = [asset_name(layer, name) for name in TABLES for layer in (name, "warehouse", "postgres")]


@pytest.fixture
def platform(made: Platform, tmp_path: Path) -> Platform:
    """The months of ``RUN``, for one test to change."""
    return made.copied(tmp_path)


def look(platform: Platform, **variables: str) -> list[str] | None:
    settings = Settings.from_environment({**platform.variables, **variables})
    statuses = unchanged_statuses(settings, [CONTRACTS["green"]], MONTHS)
    return None if statuses is None else [status.state for status in statuses]


def runs(platform: Platform) -> int:
    with dg.DagsterInstance.from_config(str(platform.data / "dagster")) as instance:
        return instance.get_runs_count()


def test_a_run_with_nothing_to_do_records_none_and_notes_its_look(platform: Platform) -> None:
    before = runs(platform)
    (platform.data / "lake" / "looks" / "green.json").unlink()
    program = "import sys; from taxi_platform.cli import main; main(standalone_mode=False)"
    said = f"try:\n    {program}\nexcept SystemExit as end:\n    print(end.code, 'dagster' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{said}", *RUN],
        cwd=platform.folder, env=platform.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.count("unchanged") == 2, done.stderr
    assert done.stdout.splitlines()[-1] == "0 False"
    assert runs(platform) == before
    noted = Lake(str(platform.data / "lake")).last_look("green")
    assert noted is not None
    assert datetime.now(timezone.utc) - noted < timedelta(minutes=10)


def test_an_option_asks_for_a_run_and_what_it_leaves_is_cleared_away(platform: Platform) -> None:
    before = runs(platform)
    assert platform.taxi(*RUN, "--drop-zero-passengers").code == 0
    assert runs(platform) > before
    assert look(platform) is None  # made with an option, and a run without brings them back
    assert platform.taxi(*RUN).code == 0
    month = platform.data / "lake" / "trips" / "green" / "month=2021-06"
    assert len(list(month.glob("*.parquet"))) == 3
    assert look(platform, TAXI_GRACE_HOURS="0") == ["whole", "whole"]
    assert len(list(month.glob("*.parquet"))) == 1


def lose_a_row_of_the_warehouse(platform: Platform) -> None:
    with closing(duckdb.connect(str(platform.data / "warehouse.duckdb"))) as warehouse:
        warehouse.execute("DELETE FROM taxi.green_trips WHERE rowid = 0")


def lose_a_zone_of_the_warehouse(platform: Platform) -> None:
    with closing(duckdb.connect(str(platform.data / "warehouse.duckdb"))) as warehouse:
        warehouse.execute("DELETE FROM taxi.zones WHERE location_id = 7")


def lose_the_view(platform: Platform) -> None:
    with closing(duckdb.connect(str(platform.data / "warehouse.duckdb"))) as warehouse:
        warehouse.execute("DROP VIEW taxi.trips")


def in_postgres(platform: Platform, sql: str) -> None:
    with (
        EmbeddedPostgres(platform.data / "postgres").running() as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        connection.execute(sql.encode())


def lose_a_row_of_postgres(platform: Platform) -> None:
    in_postgres(platform, "DELETE FROM taxi.green_trips WHERE ctid = (SELECT ctid FROM taxi.green_trips LIMIT 1)")


def rename_a_zone_of_postgres(platform: Platform) -> None:
    in_postgres(platform, "UPDATE taxi.zones SET zone = 'Somewhere' WHERE location_id = 7")


def lose_a_mart_of_postgres(platform: Platform) -> None:
    in_postgres(platform, "DELETE FROM taxi.mart_months WHERE mart = 'mart_zone_hour' AND file_month = '2021-07-01'")


def forget_a_holiday_of_postgres(platform: Platform) -> None:
    in_postgres(platform, "UPDATE taxi.dates SET holiday = NULL, is_holiday = false WHERE date = '2024-07-04'")


def lose_the_codes(platform: Platform) -> None:
    (platform.data / "lake" / "dimensions" / "codes.parquet").unlink()


def lose_the_shapes(platform: Platform) -> None:
    (platform.data / "lake" / "zones" / "shapes.json").unlink()


def wipe_the_shapes(platform: Platform) -> None:
    with dg.DagsterInstance.from_config(str(platform.data / "dagster")) as instance:
        instance.wipe_assets([dg.AssetKey("zone_shapes")])


def lose_an_object(platform: Platform) -> None:
    next((platform.data / "lake" / "trips" / "green" / "month=2021-06").glob("*.parquet")).unlink()


def lose_the_instance(platform: Platform) -> None:
    shutil.rmtree(platform.data / "dagster")


def wipe_an_asset(platform: Platform) -> None:
    with dg.DagsterInstance.from_config(str(platform.data / "dagster")) as instance:
        instance.wipe_assets([dg.AssetKey("green_warehouse")])


def record_another_version(platform: Platform) -> None:
    with dg.DagsterInstance.from_config(str(platform.data / "dagster")) as instance:
        older = dg.AssetMaterialization("green_postgres", partition="2021-07-01", metadata={"data_version": "older"})
        instance.report_runless_asset_event(older)


def become_another_lake(platform: Platform) -> None:
    identity = platform.data / "lake" / "lake.json"
    identity.write_text(json.dumps({**json.loads(identity.read_text()), "id": "0" * 32}))


def keep_records_elsewhere(platform: Platform) -> None:
    configuration = platform.data / "dagster" / "dagster.yaml"
    configuration.unlink()
    configuration.write_text("storage:\n  sqlite:\n    base_dir: elsewhere\n")


@pytest.mark.parametrize(
    "disturb",
    [
        lose_a_row_of_the_warehouse,
        lose_a_zone_of_the_warehouse,
        lose_the_view,
        lose_a_row_of_postgres,
        lose_a_mart_of_postgres,
        rename_a_zone_of_postgres,
        forget_a_holiday_of_postgres,
        lose_the_codes,
        lose_the_shapes,
        wipe_the_shapes,
        lose_an_object,
        lose_the_instance,
        wipe_an_asset,
        record_another_version,
        become_another_lake,
        keep_records_elsewhere,
    ],
)
def test_a_run_follows_where_anything_is_in_doubt(platform: Platform, disturb: Callable[[Platform], None]) -> None:
    disturb(platform)
    assert look(platform) is None


def test_a_run_without_marts_makes_none_and_none_are_missed(platform: Platform) -> None:
    with closing(duckdb.connect(str(platform.data / "warehouse.duckdb"))) as warehouse:
        assert warehouse.execute("SELECT count(DISTINCT mart) > 2 FROM taxi.mart_months").fetchone() == (True,)
        warehouse.execute("DELETE FROM taxi.mart_months")
    assert look(platform) is None
    platform = Platform(platform.folder, {**platform.variables, "TAXI_MARTS": ""})  # as if nobody had set it
    done = platform.taxi(*RUN, "--without-marts")
    assert (done.code, done.out.count("unchanged"), "marts" in done.out.splitlines()[0]) == (0, 2, False)
    assert look(platform, TAXI_MARTS="off") == ["whole", "whole"]


def test_a_run_follows_where_upstream_has_another_version(platform: Platform) -> None:
    assert look(platform, TAXI_SAMPLE_ROWS="2001") is None


def zones_runs(platform: Platform) -> int:
    with dg.DagsterInstance.from_config(str(platform.data / "dagster")) as instance:
        return instance.get_runs_count(dg.RunsFilter(job_name="taxi_zones"))


def test_a_new_month_runs_for_the_zones_only_where_a_store_lacks_them(platform: Platform) -> None:
    before = zones_runs(platform)
    assert platform.taxi("run", "--datasets", "green", "--months", "2021-08").code == 0
    assert zones_runs(platform) == before
    lose_a_zone_of_the_warehouse(platform)
    assert platform.taxi("run", "--datasets", "green", "--months", "2021-09").code == 0
    assert zones_runs(platform) == before + 1
    with closing(duckdb.connect(str(platform.data / "warehouse.duckdb"), read_only=True)) as warehouse:
        assert warehouse.execute("SELECT count(*) FROM taxi.zones").fetchone() == (265,)


def test_a_run_follows_where_another_month_is_not_on_record(platform: Platform) -> None:
    manifest = platform.data / "lake" / "raw" / "green" / "month=2021-07" / "manifest.json"
    other = manifest.parents[1] / "month=2021-08" / "manifest.json"
    other.parent.mkdir()
    other.write_text(manifest.read_text().replace("2021-07-01", "2021-08-01"))
    assert Lake(str(platform.data / "lake")).current_raw(TripMonth("green", date(2021, 8, 1))) is not None
    assert look(platform) is None


def test_the_record_reads_as_dagster_reads_it(made: Platform) -> None:
    home = made.data / "dagster"
    with dg.DagsterInstance.from_config(str(home)) as instance:
        theirs = {name: recorded_versions(instance, dg.AssetKey(name)) for name in (*ASSETS, *ZONES)}
    ours = read_record(home, [*ASSETS, *ZONES], ["2021-06-01", "2021-07-01"])
    assert ours is not None
    assert ours.keys() == theirs.keys()
    for name, by_partition in theirs.items():
        assert by_partition
        for partition, versions in by_partition.items():
            assert versions
            assert {label: ours[name][partition].get(label) for label in versions} == versions
