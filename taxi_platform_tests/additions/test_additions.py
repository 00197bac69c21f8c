"""A fifth dataset is one module and one line; a third store of tables is one package and one line.

Each is added to a copy of the package, as somebody would add it, and nothing else in the copy is changed.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import taxi_platform

pytestmark = pytest.mark.long

PACKAGE = Path(taxi_platform.__file__).parent
HERE = Path(__file__).parent
ZONES = "LocationID,Borough,Zone,service_zone\n" + "".join(f"{n},Queens,Zone {n},Boro Zone\n" for n in range(1, 266))
TRIPS = """operator,started_at,ended_at,start_zone,end_zone,price
CB,2020-03-02 08:00:00,2020-03-02 08:20:00,1,7,3.5
CB,2020-03-02 09:00:00,2020-03-02 09:05:00,7,7,3.5
CB,2020-03-02 10:00:00,2020-03-02 10:30:00,7,1,-3.5
CB,2020-03-02 11:00:00,2020-03-02 10:00:00,7,1,4.5
"""
"""Two trips, a negative total, and one that ends before it begins."""

DESCRIBED = """
import json
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.dictionary import render_dictionary
from taxi_platform.orchestration.build import build_definitions
from taxi_platform.settings import Settings

repository = build_definitions(Settings.from_environment()).get_repository_def()
print(json.dumps({
    "assets": sorted(key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()),
    "checks": sorted(key.to_user_string() for key in repository.asset_graph.asset_check_keys),
    "jobs": sorted(job.name for job in repository.get_all_jobs()),
    "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
    "schedules": sorted(schedule.name for schedule in repository.schedule_defs),
    "resources": sorted(repository.get_top_level_resources()),
    "pages": [part for part in render_dictionary(tuple(CONTRACTS.values())).splitlines() if "bike" in part],
}))
"""


@dataclass(frozen=True)
class Copy:
    """A copy of the package, and commands that run it."""

    folder: Path
    variables: dict[str, str]

    def add(self, source: str, target: str) -> None:
        """A module or a package of the additions, under its name in the package."""
        package = f"taxi_platform.{Path(target).parent.as_posix().replace('/', '.')}."
        if (HERE / source).is_dir():
            shutil.copytree(HERE / source, self.folder / "taxi_platform" / target)
        else:
            shutil.copyfile(HERE / source, self.folder / "taxi_platform" / target)
        for file in (self.folder / "taxi_platform" / target).rglob("*.py"):
            file.write_text(file.read_text().replace(f"{__package__}.", package))

    def write(self, file: str, before: str, line: str) -> None:
        """One line before the one that begins with those words."""
        path = self.folder / "taxi_platform" / file
        lines = path.read_text().splitlines(keepends=True)
        (place,) = [number for number, text in enumerate(lines) if text.startswith(before)]
        path.write_text("".join([*lines[:place], f"{line}\n", *lines[place:]]))

    def change(self, file: str, old: str, new: str) -> None:
        """Part of one line."""
        path = self.folder / "taxi_platform" / file
        assert path.read_text().count(old) == 1
        path.write_text(path.read_text().replace(old, new))

    def python(self, *arguments: str, code: int = 0) -> str:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("TAXI_", "DAGSTER_"))}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**environment, "COLUMNS": "200", "PYTHONPATH": str(self.folder), **self.variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def taxi(self, *arguments: str) -> str:
        return self.python("-m", "taxi_platform.cli", *arguments)

    def status(self) -> dict[str, Any]:
        (status,) = json.loads(self.taxi("status", "--json"))
        return dict(status)

    def described(self) -> dict[str, list[str]]:
        described: dict[str, list[str]] = json.loads(self.python("-c", DESCRIBED))
        return described


@pytest.fixture
def copy(tmp_path: Path, postgres_url: str) -> Copy:
    shutil.copytree(PACKAGE, tmp_path / "taxi_platform", ignore=shutil.ignore_patterns("__pycache__"))
    return Copy(tmp_path, {"TAXI_DATA": str(tmp_path / "data"), "TAXI_POSTGRES": postgres_url})


def test_a_fifth_dataset_is_one_module_and_one_line(copy: Copy) -> None:
    before = copy.described()
    copy.add("bike.py", "contracts/bike.py")
    copy.write("contracts/__init__.py", "from taxi_platform.contracts.contract", IMPORTS_BIKE)
    copy.change("contracts/__init__.py", "(YELLOW, GREEN, FHV, FHVHV)", "(YELLOW, GREEN, FHV, FHVHV, BIKE)")

    described = copy.described()
    new = {kind: sorted(set(found) - set(before[kind])) for kind, found in described.items()}
    layers = ("postgres", "postgres_marts", "quarantine", "raw", "report", "trips", "warehouse", "warehouse_marts")
    assert new["assets"] == [f"bike_{layer}" for layer in layers]
    assert {check.replace("bike", "green", 1) for check in new["checks"]} == {
        check for check in before["checks"] if check.startswith("green_")
    }
    assert "bike_months" in new["jobs"]
    assert new["schedules"] == ["bike_reconciliation", "bike_sweep"]
    assert (
        {sensor.replace("bike", "green") for sensor in new["sensors"]}
        == {sensor for sensor in before["sensors"] if "green" in sensor}
        != set()
    )
    assert any("`bike_trips`" in line or "bike_trips" in line for line in described["pages"])

    assert "yellow, green, fhv, fhvhv, bike" in copy.taxi("run", "--help")

    upstream = copy.folder / "upstream"
    (upstream / "bike").mkdir(parents=True)
    (upstream / "misc").mkdir()
    (upstream / "misc/taxi_zone_lookup.csv").write_text(ZONES)
    (upstream / "bike/bike_tripdata_2020-03.csv.gz").write_bytes(gzip.compress(TRIPS.encode()))
    copy.variables.update(TAXI_SOURCE="dtc", TAXI_SOURCE_URL=str(upstream))
    shown = copy.taxi("run", "--datasets", "bike", "--months", "2020-03")
    assert shown.splitlines()[1].split()[:7] == ["bike", "2020-03", "4", "2", "2", "2", "2"]
    status = copy.status()
    assert (status["dataset"], status["state"]) == ("bike", "whole")
    counts = ("raw_rows", "trips_rows", "quarantined_rows", "warehouse_rows", "postgres_rows")
    assert [status[name] for name in counts] == [4, 2, 2, 2, 2]
    assert copy.python("-c", READS_THE_VIEW) == "[('bike', 'CB', 'Zone 1'), ('bike', 'CB', 'Zone 7')]\n"


IMPORTS_BIKE = "from taxi_platform.contracts.bike import BIKE"
READS_THE_VIEW = """
import duckdb
from taxi_platform.settings import Settings
with duckdb.connect(Settings.from_environment().warehouse, read_only=True) as connection:
    print(connection.execute("SELECT dataset, vendor, pickup_zone FROM taxi.trips ORDER BY pickup_datetime").fetchall())
"""


def test_a_third_store_of_tables_is_one_package_and_one_line(copy: Copy) -> None:
    before = copy.described()
    copy.add("sqlite", "stores/sqlite")
    copy.write("settings.py", "from taxi_platform.stores.warehouse import WAREHOUSE", IMPORTS_SQLITE)
    copy.write("settings.py", "    wait_seconds: float", SQLITE_FIELD)

    described = copy.described()
    new = {kind: sorted(set(found) - set(before[kind])) for kind, found in described.items()}
    # The view and the record over all datasets have no step.
    datasets = ("codes", "dates", "fhv", "fhvhv", "green", "months", "trips", "yellow", "zone_shapes", "zones")
    assert new["assets"] == sorted(f"{dataset}_sqlite" for dataset in datasets)
    assert (
        {check.replace("sqlite", "postgres") for check in new["checks"]}
        == {check for check in before["checks"] if "postgres:" in check}
        != set()
    )
    assert new["resources"] == ["sqlite", "sqlite_io"]

    copy.variables.update(TAXI_SOURCE="sample", TAXI_SAMPLE_ROWS="2000")
    shown = copy.taxi("run", "--datasets", "green", "--months", "2020-03").splitlines()
    assert shown[0].split()[2:8] == ["raw", "trips", "quarantined", "warehouse", "postgres", "sqlite"]
    assert any(line.split() == ["sqlite", str(copy.folder / "data/sqlite")] for line in shown)
    status = copy.status()
    assert (status["state"], status["sqlite_rows"]) == ("whole", status["trips_rows"])
    assert status["sqlite_rows"] > 1_000
    assert "sqlite is this lake's" in copy.taxi("adopt", "sqlite")
    assert copy.python("-c", COUNTS_ZONES) == f"{status['sqlite_rows']} True\n"

    with contextlib.closing(sqlite3.connect(copy.folder / "data/sqlite/taxi.sqlite")) as connection, connection:
        connection.execute("DELETE FROM green_trips WHERE rowid = 1")
    behind = json.loads(copy.python("-m", "taxi_platform.cli", "status", "--json", code=1))[0]["behind"]
    assert list(behind) == ["sqlite"]
    copy.taxi("run", "--behind")
    assert copy.status()["state"] == "whole"

    copy.variables["TAXI_SQLITE"] = "off"
    assert copy.status()["sqlite_rows"] == "off"
    assert copy.described()["assets"] == before["assets"]


IMPORTS_SQLITE = "from taxi_platform.stores.sqlite.layer import SQLITE"
SQLITE_FIELD = '    sqlite: Annotated[str, SQLITE] = Field("", description="Folder of SQLite files, or off.")'
COUNTS_ZONES = """
from taxi_platform.settings import Settings
with Settings.from_environment().tables["sqlite"].opened() as store:
    trips, zones = (store.read_months(f"taxi.{name}", None).read_all() for name in ("green_trips", "zones"))
    print(len(trips), len(zones) > 200)
"""
