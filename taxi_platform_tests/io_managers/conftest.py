"""A platform with two months of green trips, loaded into its stores where a test asks for it, for one's own assets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.orchestration.io_managers import io_managers
from taxi_platform.orchestration.metadata import TABLE
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.orchestration.resources import resources
from taxi_platform.settings import Settings
from taxi_platform.stores.bigquery.connection import parse_address
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import TableStore
from taxi_platform.stores.postgres.store import PostgresStore
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_clean
from taxi_platform.stores.warehouse import open_warehouse
from taxi_platform_tests.stores.conftest import connected

GREEN = CONTRACTS["green"]
MONTHS = monthly_partitions(GREEN)
OWN_SCHEMAS = ("marts", "Reports", "where")
"""Where tests have tables: the server outlives them."""

EVERY_STORE = pytest.mark.parametrize(
    "desk", ["duckdb", "postgres", pytest.param("bigquery", marks=pytest.mark.long)], indirect=True
)
"""The emulated BigQuery is slow: tests have it where the store can make a difference."""


@dataclass(frozen=True)
class Desk:
    """Somebody's Dagster project: assets of their own over the platform's stores."""

    settings: Settings
    store: TableStore
    io_manager_key: str
    """Of the store under test."""

    @property
    def upstream(self) -> list[dg.AssetSpec]:
        """The platform's assets as another code location names them."""
        tables = [dg.AssetSpec(key, partitions_def=MONTHS, metadata={TABLE: "taxi.green_trips"}) for key in self.keys]
        lake = dg.AssetSpec("green_trips", partitions_def=MONTHS)
        return [
            lake.with_io_manager_key("lake_io"),
            *(t.with_io_manager_key(t.key.path[0].removeprefix("green_") + "_io") for t in tables),
        ]

    @property
    def keys(self) -> Sequence[str]:
        return ["green_warehouse", "green_postgres"]

    @property
    def trips_key(self) -> str:
        return "green_" + self.io_manager_key.removesuffix("_io")

    def run(self, *assets: dg.AssetsDefinition, **arguments: Any) -> dg.ExecuteInProcessResult:
        """Materialize assets; an error of theirs is raised."""
        given = resources(self.settings)
        return dg.materialize(
            [*assets, *self.upstream],
            selection=list(assets),
            resources={**given, **io_managers(self.settings, given)},
            **arguments,
        )

    def read(self, table: str, months: Sequence[date] | None = None) -> pa.Table:
        return self.store.read_months(table, months).read_all()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two months of green trips: four in March 2020, five in April."""
    lake = Lake(str(tmp_path / "data" / "lake"))
    lake.store_clean(staged_clean(tmp_path / "staged", "c1", 4, 1, MARCH))
    lake.store_clean(staged_clean(tmp_path / "staged", "c1", 5, 0, APRIL))
    return lake


def load(store: TableStore, lake: Lake, contract: Contract = GREEN) -> None:
    for month in lake.months("green"):
        clean = lake.current_clean(month)
        assert clean is not None
        store.replace_month(contract, clean, lake)


def drop_own_datasets(url: str) -> None:
    client = parse_address(url).client
    for schema in OWN_SCHEMAS:
        client.delete_dataset(schema, delete_contents=True, not_found_ok=True)


@pytest.fixture(params=["duckdb", "postgres"])
def desk(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    postgres_url: str,
) -> Desk:
    """Assets over an empty store of each kind; `EVERY_STORE` adds BigQuery."""
    environment = {"TAXI_DATA": str(tmp_path / "data"), "TAXI_POSTGRES": postgres_url, "TAXI_WAIT_SECONDS": "5"}
    if request.param == "bigquery":
        environment["TAXI_WAREHOUSE"] = request.getfixturevalue("bigquery_url")
        drop_own_datasets(environment["TAXI_WAREHOUSE"])
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings.from_environment(environment)
    with connected(postgres_url) as connection:
        for schema in OWN_SCHEMAS:
            connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
    store: TableStore = PostgresStore(postgres_url, wait_seconds=5)
    if request.param != "postgres":
        store = open_warehouse(settings.warehouse, wait_seconds=5)
    return Desk(settings, store, "postgres_io" if request.param == "postgres" else "warehouse_io")


@pytest.fixture
def months_loaded(desk: Desk, lake: Lake) -> None:
    """The lake's months are in the store too."""
    load(desk.store, lake)
