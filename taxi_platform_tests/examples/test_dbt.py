"""The dbt project of ``examples/dbt`` on months of the platform, in its own environment, on DuckDB and PostgreSQL."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import psycopg
import pytest

from taxi_platform.months import parse_month
from taxi_platform.sources.sample import write_month
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform_tests.support.platform import Platform
from taxi_platform_tests.support.postgres import new_database

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "dbt"
HERE = Path(__file__).parent
TARGETS = ("duckdb", "postgres")

_REVENUE = """
SELECT '{service}', t.file_month, coalesce(z.zone, 'unknown'), count(*), sum(CAST(t.total_amount AS numeric(12, 2)))
FROM {taxi}.{dataset}_trips AS t LEFT JOIN {taxi}.zones AS z ON z.location_id = t.pickup_location_id GROUP BY 1, 2, 3
"""
_BUILT = re.compile(r"(fct_\w+): (\w+) ([-\d, ]+\d)$", re.MULTILINE)


@dataclass(frozen=True)
class Walk:
    """A platform, and the example copied beside it with its environment."""

    platform: Platform
    upstream: Path
    exported: dict[str, str]

    def publish(self, dataset: str, month: str, rows: int) -> None:
        folder = self.upstream / dataset
        folder.mkdir(exist_ok=True)
        write_month(dataset, parse_month(month), rows, folder / f"{dataset}_tripdata_{month}.csv.gz", "csv.gz")

    def bring(self, datasets: str, months: str) -> None:
        done = self.platform.taxi("run", "--datasets", datasets, "--months", months)
        assert done.code == 0, done.text

    def run(self, *arguments: str) -> str:
        """A program of the example's environment, in its folder; what it says."""
        done = subprocess.run(
            [self.platform.folder / ".venv/bin/python", *arguments],
            cwd=self.platform.folder,
            env=self.exported,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def dbt(self, target: str, *commands: str) -> list[str]:
        """What each command said."""
        return self.run(str(HERE / "commands.py"), target, *commands).split("== ")[1:]

    def ask(self, target: str, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query; ``{taxi}`` and ``{dbt}`` are the schemas of the platform and of the models."""
        if target == "postgres":
            with psycopg.connect(self.exported["TAXI_POSTGRES"]) as connection:
                return connection.execute(sql.format(taxi="taxi", dbt="marts").encode()).fetchall()
        with duckdb.connect(str(self.platform.data / "dbt.duckdb"), read_only=True) as connection:
            connection.execute(f"ATTACH '{self.platform.data / 'views.duckdb'}' AS platform (READ_ONLY)")
            return connection.sql(sql.format(taxi="platform.taxi", dbt="marts")).fetchall()

    def check_revenue(self, target: str, datasets: Sequence[str]) -> None:
        """The models say what SQL over the platform's trips does."""
        parts = [_REVENUE.replace("{dataset}", name).replace("{service}", name.title()) for name in datasets]
        expected = self.ask(target, f"SELECT * FROM ({' UNION ALL '.join(parts)}) AS expected ORDER BY 1, 2, 3")
        columns = "service_type, revenue_month, pickup_zone, total_monthly_trips, revenue_monthly_total_amount"
        assert expected
        assert self.ask(target, f"SELECT {columns} FROM {{dbt}}.fct_monthly_zone_revenue ORDER BY 1, 2, 3") == expected
        facts, revenue = (
            f"SELECT service_type, file_month, sum({trips}), sum({total}) FROM {{dbt}}.{model} GROUP BY 1, 2"
            for model, trips, total in (
                ("fct_trips", "1", "total_amount"),
                ("fct_monthly_zone_revenue", "total_monthly_trips", "revenue_monthly_total_amount"),
            )
        )
        assert sorted(self.ask(target, facts)) == sorted(self.ask(target, revenue))

    def writers(self) -> dict[tuple[str, Any], set[Any]]:
        """PostgreSQL's transactions that wrote the rows of a month: rows that stay keep theirs."""
        sql = "SELECT service_type, file_month, xmin::text FROM {dbt}.fct_trips GROUP BY 1, 2, 3"
        found: dict[tuple[str, Any], set[Any]] = {}
        for service, month, transaction in self.ask("postgres", sql):
            found.setdefault((service, f"{month:%Y-%m}"), set()).add(transaction)
        return found


@pytest.fixture(scope="module")
def environment() -> Path:
    """The example's own environment, as ``make dbt`` sets it up; it stays for the next time."""
    made = subprocess.run(
        ["make", "-C", ROOT, "examples/dbt/.venv/.ready"], capture_output=True, text=True, check=False
    )
    if made.returncode and "CI" not in os.environ:
        pytest.skip(f"the environment of examples/dbt cannot be set up: {made.stderr[-300:]}")
    assert made.returncode == 0, made.stderr
    return EXAMPLE / ".venv"


@pytest.fixture(scope="module")
def walk(environment: Path, postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Two green months and no yellow one."""
    home = tmp_path_factory.mktemp("dbt")
    project, upstream = _copied(environment, home), home / "upstream"
    (upstream / "misc").mkdir(parents=True)
    (upstream / "misc/taxi_zone_lookup.csv").write_bytes(lookup_csv())
    address = new_database(postgres_server)
    source = {"TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": str(upstream)}
    platform = Platform(project, {**source, "TAXI_DATA": str(home / "data"), "TAXI_POSTGRES": address})
    walk = Walk(platform, upstream, {})
    walk.publish("green", "2020-03", 1_000)
    walk.publish("green", "2020-04", 1_100)
    walk.bring("green", "2020-03..2020-04")
    walk.exported.update(_exported(platform))
    return walk


def _copied(environment: Path, folder: Path) -> Path:
    """The project below that folder, with its environment."""
    project = folder / "project"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".venv", "target", "logs", "__pycache__"))
    (project / ".venv").symlink_to(environment)
    return project


def _exported(platform: Platform) -> dict[str, str]:
    """The variables of the shell that the page shows."""
    has_postgres = platform.variables["TAXI_POSTGRES"] != "off"
    address = platform.taxi("postgres-url", "--export").out if has_postgres else ""
    script = f"{address}\n{platform.taxi('env').out}\nenv -0"
    shell = subprocess.run(["/bin/sh", "-c", script], env=platform.environment, capture_output=True, check=True)
    told = dict(entry.split("=", 1) for entry in os.fsdecode(shell.stdout).split("\0") if entry)
    # The instance is asked by both environments' dagster.
    return {**told, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{told['PATH']}"}


def test_a_month_is_built_once_and_again_when_its_trips_are_others(walk: Walk) -> None:
    for target in TARGETS:
        build, again, docs = walk.dbt(target, "build", "run", "docs generate")
        assert "ERROR=0" in build
        assert _BUILT.findall(build + again) == []  # the first build takes every month without a question
        assert "Catalog written" in docs
        walk.check_revenue(target, ["green"])
    before = walk.writers()
    assert before.keys() == {("Green", "2020-03"), ("Green", "2020-04")}

    walk.publish("green", "2020-03", 1_200)
    walk.publish("yellow", "2020-03", 1_050)
    walk.bring("green,yellow", "2020-03")
    for target in TARGETS:
        build, fresh = walk.dbt(target, "build --exclude source:taxi", "source freshness")
        assert "PASS freshness of taxi.green_trips" in fresh
        assert sorted(_BUILT.findall(build)) == [
            (model, dataset, "2020-03-01")
            for model in ("fct_monthly_zone_revenue", "fct_trips")
            for dataset in ("green", "yellow")
        ]
        walk.check_revenue(target, ["green", "yellow"])
    after = walk.writers()
    assert after["Green", "2020-04"] == before["Green", "2020-04"]
    assert not after["Green", "2020-03"] & before["Green", "2020-03"]

    with psycopg.connect(walk.exported["TAXI_POSTGRES"]) as connection:  # as a month that upstream withdrew
        connection.execute("DELETE FROM taxi.months WHERE dataset = 'yellow'")
    walk.dbt("postgres", "run --select fct_trips fct_monthly_zone_revenue")
    walk.check_revenue("postgres", ["green"])


def test_the_models_follow_the_platform_s_months(walk: Walk) -> None:
    """Before the next: what loads the definitions first has to parse the project."""
    said = walk.run(str(HERE / "following.py"), str(walk.platform.folder / "definitions.py"))
    ticks = [line.removeprefix("asked:").split() for line in said.splitlines() if line.startswith("asked:")]
    of_green = ["fct_monthly_zone_revenue", "fct_trips", "stg_green_tripdata"]
    assert ticks == [[], of_green, [], of_green, []]


def test_the_models_are_a_code_location_beside_the_platform_s(walk: Walk) -> None:
    platform = walk.platform
    loaded = platform.dagster("definitions", "validate", "-w", "workspace.yaml")
    assert loaded.code == 0, loaded.text
    assert "taxi_dbt" in loaded.text

    walk.run("-m", "dagster", "asset", "materialize", "-f", "definitions.py", "--select", "group:dbt")
    with dg.DagsterInstance.from_config(walk.exported["DAGSTER_HOME"]) as instance:
        made = {
            key.to_user_string() for key in instance.all_asset_keys() if instance.get_latest_materialization_event(key)
        }
        (run, *_) = instance.get_runs(limit=1)
        checks = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey("fct_trips"), "not_null_fct_trips_file_month"), limit=1
        )
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert {"stg_green_tripdata", "fct_trips", "fct_monthly_zone_revenue", "dim_zones", "green_trips"} <= made
    assert [check.status.value for check in checks] == ["SUCCEEDED"]


def test_the_page_s_answers_are_those_of_its_queries(environment: Path, tlc: Path, tmp_path: Path) -> None:
    project = _copied(environment, tmp_path)
    real = {"TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": str(tlc / "dtc"), "TAXI_DATA": str(tmp_path / "data")}
    platform = Platform(project, {**real, "TAXI_WAREHOUSE": "off", "TAXI_POSTGRES": "off"})
    walk = Walk(platform, tmp_path, _exported(platform))
    walk.bring("green", "2020-03..2020-08")

    queries = ("fare_percentiles", "best_zones", "quarterly_revenue")
    _, *shown = walk.dbt("duckdb", "run", *(f"show --quiet --select {query} --output json" for query in queries))
    percentiles, zones, quarters = (json.loads(text[text.index("{") :])["show"] for text in shown)

    page = " ".join((ROOT / "docs/from-dbt.md").read_text().split())
    (april,) = (row for row in percentiles if row["file_month"].startswith("2020-04"))
    answer = f"**p97 {april['p97']:.1f}, p95 {april['p95']:.1f}, p90 {april['p90']:.1f}**"
    assert f"{answer} (`fare_percentiles`, {april['trips']:,} trips)" in page
    first, second = zones[:2]
    assert f"it is {first['pickup_zone']} ({first['revenue']:,.2f} dollars)" in page
    assert f"just before {second['pickup_zone']} ({second['revenue']:,.2f})" in page
    (whole,) = (row for row in quarters if row["months"] == 3)
    assert whole["year_quarter"] == "2020/Q2"
    assert f"green earned {whole['revenue']:,.2f} dollars in it" in page
