"""Backup and restore by the stack script: real dumps of real servers, and the lake."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.postgres.store import PostgresStore
from taxi_platform.stores.testing.months import MARCH, staged_clean
from taxi_platform_tests.deploy import engine
from taxi_platform_tests.deploy.composed import Composed
from taxi_platform_tests.deploy.tools import REPOSITORY

GREEN = CONTRACTS["green"]


@pytest.fixture
def composed(compose_folder: Path, tmp_path: Path) -> Iterator[Composed]:
    """Both databases with their tables, and the code location's volumes; nothing else runs."""
    composed = Composed(compose_folder, tmp_path / "state", {})
    try:
        for name in ("dagster-db", "trips-db", "dagster-roles", "trips-roles", "init"):
            composed.bring_up(name)
        composed.lay_out(composed["code-location"])
        yield composed
    finally:
        composed.down()


def stack(compose_folder: Path, composed: Composed, folder: Path, *arguments: str) -> None:
    description = folder / "services.json"
    description.write_text(engine.describe(composed))
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "COMPOSE": f"{sys.executable} -m {engine.__name__} {description}",
    }
    subprocess.run(["./stack", *arguments], cwd=compose_folder, env=environment, check=True)


def connect(composed: Composed, compose_folder: Path, role: str) -> psycopg.Connection[tuple[object, ...]]:
    database, host = ("dagster", "dagster-db") if role == "dagster" else ("taxi", "trips-db")
    password = (compose_folder / "secrets" / f"{role}_password").read_text()
    return psycopg.connect(host=composed[host].address, dbname=database, user=role, password=password)


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_what_was_backed_up_comes_back_and_goes_on(composed: Composed, compose_folder: Path, tmp_path: Path) -> None:
    lake_folder = Path(composed["code-location"].here("/data/lake"))
    lake = Lake(str(lake_folder))
    loader = (compose_folder / "secrets" / "taxi_loader_password").read_text()
    store = PostgresStore(f"postgresql://taxi_loader:{loader}@{composed['trips-db'].address}/taxi", wait_seconds=20)

    def load(version: str, trips: int) -> None:
        assert store.replace_month(GREEN, lake.store_clean(staged_clean(tmp_path, version, trips, 1)), lake).changed

    def trips() -> object:
        with connect(composed, compose_folder, "taxi_reader") as reader:
            return reader.execute("SELECT count(*) FROM taxi.green_trips").fetchone()

    load("c1", 4)
    in_lake = files(lake_folder)
    with connect(composed, compose_folder, "dagster") as dagster:
        dagster.execute("INSERT INTO kvs (key, value) VALUES ('kept', 'yes')")
    stack(compose_folder, composed, tmp_path, "backup", str(tmp_path / "backup"))

    load("c2", 7)
    with connect(composed, compose_folder, "dagster") as dagster:
        dagster.execute("DELETE FROM kvs")
    assert trips() == (7,)

    stack(compose_folder, composed, tmp_path, "restore", str(tmp_path / "backup"))
    assert trips() == (4,)
    assert files(lake_folder) == in_lake
    assert store.count_months(GREEN)[MARCH.first_day].trips == 4
    with connect(composed, compose_folder, "dagster") as dagster:
        assert dagster.execute("SELECT value FROM kvs WHERE key = 'kept'").fetchone() == ("yes",)
    load("c3", 5)
    assert trips() == (5,)
