"""``taxi run --plan``: what it says beside what a run then does, and the disk that would not hold it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from taxi_platform.cli import main
from taxi_platform.contracts import CONTRACTS
from taxi_platform.inspection.planning import FOOTPRINTS, Rates, may_fill, plan_months
from taxi_platform.months import parse_month_range
from taxi_platform.settings import Settings
from taxi_platform.sources.looking import Look
from taxi_platform.sources.model import Version
from taxi_platform.stores.lake.manifest import Manifest

GREEN = CONTRACTS["green"]
ROWS = 50_000
EVERYTHING = ("--datasets", "yellow,fhvhv", "--months", "2019-02..2024-12")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    given = {"SOURCE": "sample", "SAMPLE_ROWS": str(ROWS), "DATA": str(tmp_path / "data"), "POSTGRES": "off"}
    for name, value in given.items():
        monkeypatch.setenv(f"TAXI_{name}", value)
    return tmp_path / "data"


def taxi(*words: str) -> Result:
    return CliRunner().invoke(main, ["run", *words], env={"COLUMNS": "80"})


def taken(folder: Path) -> int:
    """Bytes of the month in lake and warehouse."""
    months = [path for layer in ("raw", "trips", "quarantine") for path in folder.glob(f"lake/{layer}/green/*/*")]
    return sum(path.stat().st_size for path in [*months, folder / "warehouse.duckdb"])


def said(output: str, row: str) -> list[str]:
    return next(line for line in output.splitlines() if line.startswith(row)).split()


def test_a_plan_starts_nothing_and_says_about_what_the_run_then_takes(folder: Path) -> None:
    months = ("--datasets", "green", "--months", "2021-01..2021-02")
    planned = taxi(*months, "--plan")
    assert planned.exit_code == 0, planned.output
    assert not folder.exists()
    assert max(map(len, planned.output.splitlines())) <= 80 + len(str(folder))
    assert said(planned.output, "green")[1:4] == ["2", "0", "2"]
    assert "unknown" in said(planned.output, "green")
    assert taxi(*months).exit_code == 0
    sizes = [float(said(planned.output, place)[1]) for place in ("lake", "warehouse")]
    assert {said(planned.output, place)[2] for place in ("lake", "warehouse")} == {"MB"}
    assert sum(sizes) / 2 < taken(folder) / 1e6 < 3 * sum(sizes)

    again = taxi("--datasets", "green", "--months", "2021-01..2021-03", "--plan")
    assert said(again.output, "green")[1:4] == ["3", "0", "1"]
    assert re.search(r"\d+ s$", next(line for line in again.output.splitlines() if line.startswith("green ")))
    assert "rows by 2 months in the lake; time by the last runs" in again.output
    forced = taxi("--datasets", "green", "--months", "2021-01..2021-02", "--plan", "--force")
    assert said(forced.output, "green")[1:4] == ["2", "0", "2"]


def test_an_instance_on_a_server_tells_what_is_there_and_how_long_it_took(
    folder: Path, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_database.replace("postgresql:", "postgresql+psycopg2:")
    (folder.parent / "dagster.yaml").write_text(f"storage: {{ postgres: {{ postgres_url: '{url}' }} }}")
    monkeypatch.setenv("DAGSTER_HOME", str(folder.parent))
    monkeypatch.setenv("TAXI_SAMPLE_ROWS", "1000")
    months = ("--datasets", "green", "--months", "2021-01")
    assert taxi(*months).exit_code == 0
    assert not (folder / "staging" / "runs").exists()  # the lease was on the server
    planned = taxi(*months, "--plan")
    assert planned.exit_code == 0, planned.output
    assert said(planned.output, "green")[1:4] == ["1", "0", "0"]
    assert said(planned.output, "warehouse")[1:] == ["0", "bytes"]
    assert "time by the last runs" in planned.output


@pytest.mark.parametrize("plan", [(), ("--plan",)])
def test_what_no_disk_would_hold_is_refused_and_nothing_is_begun(
    folder: Path, monkeypatch: pytest.MonkeyPatch, plan: tuple[str, ...]
) -> None:
    monkeypatch.setenv("TAXI_SAMPLE_ROWS", "20000000")
    monkeypatch.setenv("TAXI_POSTGRES", "embedded")
    monkeypatch.setattr("taxi_platform.inspection.planning._STAGED", 1e6)  # months that fill any disk of today
    done = taxi(*EVERYTHING, *plan)
    assert done.exit_code == 1
    assert re.search(r"Error: the disk of .* free, and these months take about .* there \(staging .* TB", done.output)
    assert not (folder / "lake").exists()
    assert not (folder / "dagster").exists()


def test_a_month_that_a_store_lacks_is_counted_there_and_is_not_fetched() -> None:
    settings = Settings.from_environment({"TAXI_SOURCE": "sample", "TAXI_DATA": "/nowhere", "TAXI_POSTGRES": "off"})
    months = [GREEN.month(day) for day in parse_month_range("2021-01..2021-02")]
    look = Look({months[0]: Version("https://x/green.csv.gz", "new", size=3_000_000)}, frozenset(months[1:]), {})
    manifests = {month: Manifest(month) for month in months}
    rates = Rates({"raw": 1e-6, "trips": 1e-6, "warehouse": 2e-6}, 1)
    plan = plan_months(settings, "green", months, look, manifests, lambda *_: False, rates)
    rows = 3_000_000 / FOOTPRINTS["green"].csv
    assert (plan.fetched, plan.fetched_bytes, plan.unpublished) == ([months[0]], 3_000_000, 1)
    assert plan.rows == round(rows)
    assert plan.bytes_in["lake"] == pytest.approx(rows * FOOTPRINTS["green"].lake)
    assert plan.seconds == pytest.approx(12)  # raw 3, trips 3, the warehouse 6


def test_upstream_is_asked_of_room_only_where_the_largest_months_would_fill_a_disk(tmp_path: Path) -> None:
    settings = Settings.from_environment({"TAXI_SOURCE": "tlc", "TAXI_DATA": str(tmp_path)})
    assert may_fill(settings, {"fhvhv": 1_000_000})
    small = Settings.from_environment({"TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "1000", "TAXI_DATA": str(tmp_path)})
    assert not may_fill(small, {"green": 2})


def test_what_is_behind_has_no_plan(folder: Path) -> None:
    done = taxi("--behind", "--plan")
    assert done.exit_code == 1
    assert "taxi status shows what is behind" in done.output
    assert not folder.exists()


def test_the_figures_are_those_of_the_page() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "performance.md").read_text()
    for dataset, of in FOOTPRINTS.items():
        stores = [f"{of.tables[kind]} + {of.marts[kind]}" for kind in ("duckdb", "postgresql")]
        cells = [dataset, str(of.csv), str(of.parquet), str(of.lake), *stores, str(of.tables["bigquery"])]
        assert f"| {' | '.join(cells)} |" in page
