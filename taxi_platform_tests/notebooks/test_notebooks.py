"""``examples/notebooks``: kept clean, with links that lead somewhere, and run on generated months and an emulator."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

import duckdb
import pytest

from taxi_platform.contracts.zones import MAPPED_ZONES
from taxi_platform.marts import marts_of
from taxi_platform.stores.bigquery.store import BigQueryStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.testing.marts import GREEN, loaded
from taxi_platform.stores.testing.months import MARCH
from taxi_platform.stores.testing.tables import rows_of
from taxi_platform_tests.notebooks.execution import NOTEBOOKS, executed, pictures, printed
from taxi_platform_tests.support.platform import Platform

ALL = sorted(NOTEBOOKS.glob("*.ipynb"))
SCORES = """
import json
scores = {"demand": demand_scores["mae"].to_dict(), "duration": duration_scores["mae"].to_dict(), "judged": len(judged)}
print("SCORES", json.dumps(scores))
"""
MEDIANS = """
    WITH trips AS (
        SELECT pickup_location_id AS origin, dropoff_location_id AS target, hour(pickup_datetime) AS hour,
               duration_seconds / 60.0 AS minutes, pickup_datetime < DATE '2020-07-01' AS is_known
        FROM taxi.trips WHERE is_plausible AND duration_seconds BETWEEN 60 AND 3600
          AND pickup_location_id IS NOT NULL AND dropoff_location_id IS NOT NULL
    ),
    of_hour AS (SELECT origin, target, hour, median(minutes) AS m FROM trips WHERE is_known GROUP BY ALL),
    of_pair AS (SELECT origin, target, median(minutes) AS m FROM trips WHERE is_known GROUP BY ALL),
    of_all AS (SELECT median(minutes) AS m FROM trips WHERE is_known)
    SELECT count(*), avg(abs(minutes - coalesce(of_hour.m, of_pair.m, of_all.m)))
    FROM trips CROSS JOIN of_all LEFT JOIN of_pair USING (origin, target) LEFT JOIN of_hour USING (origin, target, hour)
    WHERE NOT is_known
"""
"""Trips to be judged on, and the mean error of the median of pair and hour, else of the pair, else of all."""


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.stem)
def test_a_notebook_is_kept_without_what_it_showed(file: Path) -> None:
    notebook = json.loads(file.read_text())
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}
    for cell in notebook["cells"]:
        assert not cell["metadata"]
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        text = "".join(cell["source"]) if cell["cell_type"] == "markdown" else ""
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            assert (NOTEBOOKS / link).exists(), link


def test_the_readme_lists_every_notebook() -> None:
    readme = (NOTEBOOKS / "README.md").read_text()
    assert re.findall(r"\]\(([^)]+\.ipynb)\)", readme) == [file.name for file in ALL]


@pytest.fixture(scope="module")
def noted(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    folder = tmp_path_factory.mktemp("noted")
    variables = {"TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "3000", "TAXI_MARTS": "on", "TAXI_POSTGRES": "off"}
    platform = Platform(folder, {**variables, "TAXI_DATA": str(folder / "data")})
    done = platform.taxi("run", "--datasets", "green", "--months", "2020-06..2020-07")
    assert done.code == 0, done.text
    return platform


@pytest.mark.long
@pytest.mark.parametrize("name", ["1-first-steps", "2-io-managers", "4-ten-questions", "5-models"])
def test_a_notebook_runs_on_generated_months(name: str, noted: Platform, tmp_path: Path) -> None:
    with duckdb.connect(str(noted.data / "warehouse.duckdb"), read_only=True) as warehouse:
        [[trips]] = warehouse.execute("SELECT count(*) FROM taxi.trips WHERE file_month = '2020-07-01'").fetchall()
        [(judged, error)] = warehouse.execute(MEDIANS).fetchall()
    cells = executed(f"{name}.ipynb", tmp_path, noted.exported(), SCORES if name == "5-models" else "")
    text, drawn = printed(cells), pictures(cells)
    if name == "1-first-steps":
        assert f"{trips}" in text
    elif name == "2-io-managers":
        assert text.splitlines()[-1] == f"{trips}"
    elif name == "4-ten-questions":
        assert len(drawn) == 10
        assert all(len(picture) > 2_000 for picture in drawn)
    else:
        scores = json.loads(text.split("SCORES ")[1])
        assert scores["judged"] == judged
        assert scores["duration"]["median_of_pair_and_hour"] == pytest.approx(error)
        for found in (scores["demand"], scores["duration"]):
            baseline, *models = found
            for model in models:
                beaten = found[model] < found[baseline] * 0.995
                assert (f"{model} does not beat {baseline}" in text) is not beaten


@pytest.mark.long
def test_the_notebook_of_bigquery_runs_on_an_emulator(bigquery_server: str, tmp_path: Path) -> None:
    address = f"bigquery://taxi-project/taxi_{uuid.uuid4().hex[:12]}?location=US"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("BIGQUERY_EMULATOR_HOST", bigquery_server)
        store = BigQueryStore(address)
        row = ("Queens", "A zone", "Boro Zone", None, None, None, False, False)
        store.replace_table(MAPPED_ZONES, rows_of(MAPPED_ZONES, *((i, *row) for i in (1, 7, 265))))
        loaded(store, Lake(str(tmp_path / "lake")), tmp_path)
        store.make_marts(GREEN, marts_of(GREEN), MARCH.first_day)
        store.refresh_mart_views([GREEN])
        named = {"TAXI_DATA": str(tmp_path / "data"), "TAXI_WAREHOUSE": address}
        cells = executed("3-bigquery.ipynb", tmp_path, named)
    text = printed(cells)
    assert "mart_zone_revenue" in text or "green_mart" in text
    assert "WHERE file_month = DATE '2020-03-01'" in text
    assert "Queens" in text
