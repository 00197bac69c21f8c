"""Who may do what in the trips database: the roles as the compose file's own command makes them, on a real server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
from psycopg import errors

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.dimensions import DIMENSIONS
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.contracts.zones import MAPPED_ZONES, ZONES
from taxi_platform.marts import marts_of
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.postgres.store import PostgresStore
from taxi_platform.stores.testing.months import staged_clean
from taxi_platform_tests.deploy.composed import Composed

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ("questions.md", "dashboards.md")
GRANTED = """
    SELECT relname, has_table_privilege(oid, 'SELECT'),
           has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
    FROM pg_class WHERE relnamespace = 'taxi'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
"""
"""Every table and view, of marts too: whether the role may read it, and whether it may change it in any way."""
GREEN = CONTRACTS["green"]
Connect = Callable[[str], "psycopg.Connection[tuple[object, ...]]"]


@pytest.fixture(scope="module")
def database(compose_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """The trips database alone, its roles made twice as by two starts."""
    composed = Composed(compose_folder, tmp_path_factory.mktemp("database"), {})
    try:
        composed.bring_up("trips-db")
        composed.bring_up("trips-roles")
        composed["trips-roles"].complete()
        yield composed
    finally:
        composed.down()


@pytest.fixture
def url(database: Composed, compose_folder: Path) -> Callable[[str], str]:
    def url(role: str) -> str:
        password = (compose_folder / "secrets" / f"{role}_password").read_text()
        return f"postgresql://{role}:{password}@{database['trips-db'].address}/taxi"

    return url


@pytest.fixture
def connect(url: Callable[[str], str]) -> Connect:
    return lambda role: psycopg.connect(url(role), autocommit=True)


@pytest.fixture
def loader(url: Callable[[str], str]) -> PostgresStore:
    return PostgresStore(url("taxi_loader"), wait_seconds=20)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """One for all tests, because a store belongs to a lake."""
    return Lake(str(tmp_path_factory.mktemp("lake")))


def load(store: PostgresStore, lake: Lake, folder: Path, version: str, trips: int) -> None:
    clean = lake.store_clean(staged_clean(folder, version, trips, 1))
    assert store.replace_month(GREEN, clean, lake).changed


def test_the_reader_sees_each_month_as_the_loader_replaces_it(
    loader: PostgresStore, connect: Connect, lake: Lake, tmp_path: Path
) -> None:
    zone = pa.table([[265], ["Unknown"], ["NA"], ["N/A"]], schema=arrow_schema(ZONES))
    loader.replace_table(ZONES, zone)
    with connect("taxi_reader") as reader:
        for version, trips in (("c1", 4), ("c2", 7)):
            load(loader, lake, tmp_path, version, trips)
            loader.refresh_views([GREEN])
            for table in ("green_trips", "green_trips_2020_03", "trips"):
                assert reader.execute(f"SELECT count(*) FROM taxi.{table}").fetchone() == (trips,)
            assert reader.execute("SELECT count(*) FROM taxi.green_quarantine").fetchone() == (1,)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO taxi.zones SELECT * FROM taxi.zones",
        "UPDATE taxi.zones SET zone = ''",
        "DELETE FROM taxi.zones",
        "TRUNCATE taxi.zones",
        "DROP TABLE taxi.zones",
        "CREATE TABLE taxi.mine (id int)",
        "CREATE TABLE public.mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "SET ROLE taxi_loader",
        "COPY taxi.zones TO PROGRAM 'true'",
    ],
)
def test_the_reader_may_only_read(loader: PostgresStore, connect: Connect, sql: str) -> None:
    loader.replace_table(ZONES, arrow_schema(ZONES).empty_table())
    with connect("taxi_reader") as reader, pytest.raises(errors.InsufficientPrivilege):
        reader.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE SCHEMA mine",
        "CREATE TABLE public.mine (id int)",
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
        "ALTER ROLE taxi_loader SUPERUSER",
        "ALTER ROLE taxi_reader PASSWORD 'mine'",
        "SET ROLE postgres",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ],
)
def test_the_loader_may_do_nothing_beyond_its_schemas(connect: Connect, sql: str) -> None:
    with connect("taxi_loader") as loader, pytest.raises(errors.InsufficientPrivilege):
        loader.execute(sql)


@pytest.mark.parametrize("role", ["taxi_loader", "taxi_reader"])
def test_neither_enters_another_database(url: Callable[[str], str], role: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(url(role).removesuffix("/taxi") + "/postgres")


def test_an_analysis_of_the_loaders_is_read_too(connect: Connect) -> None:
    with connect("taxi_loader") as loader, connect("taxi_reader") as reader:
        loader.execute("CREATE TABLE marts.revenue AS SELECT 1 AS dollars")
        assert reader.execute("SELECT dollars FROM marts.revenue").fetchone() == (1,)
        loader.execute("DROP TABLE marts.revenue")


def test_the_reader_asks_what_a_dashboard_shows(
    loader: PostgresStore, connect: Connect, lake: Lake, tmp_path: Path
) -> None:
    for table in (MAPPED_ZONES, *(dimension.table for dimension in DIMENSIONS.values())):
        loader.replace_table(table, arrow_schema(table).empty_table())
    contracts = list(CONTRACTS.values())
    for contract in contracts:
        month = contract.month(date(2020, 1, 1))
        clean = lake.store_clean(staged_clean(tmp_path / contract.dataset, month=month))
        loader.replace_month(contract, clean, lake)
        loader.make_marts(contract, marts_of(contract), month.first_day)
    loader.refresh_views(contracts)
    loader.refresh_mart_views(contracts)

    asked = {page: re.findall(r"```sql\n(.*?)```", (DOCS / page).read_text(), re.DOTALL) for page in PAGES}
    assert [len(queries) for queries in asked.values()] == [11, 3]
    with connect("taxi_reader") as reader:
        for sql in (sql for queries in asked.values() for sql in queries):
            assert reader.execute(sql.encode()).description
        (newest,) = reader.execute("SELECT count(*) FROM taxi.months WHERE file_month = '2020-01-01'").fetchall()
        granted = reader.execute(GRANTED).fetchall()
    assert newest == (len(contracts),)
    marts = {name for c in contracts for mart in marts_of(c) for name in (mart.table(c).name, mart.view.name)}
    assert {"trips", *marts} <= {name for name, *_ in granted}
    assert [name for name, may_read, may_change in granted if not may_read or may_change] == []


def test_another_schema_than_taxi_is_made_by_the_setting(
    database: Composed, url: Callable[[str], str], connect: Connect
) -> None:
    roles = database["trips-roles"]
    made = roles.run("env", "TAXI_POSTGRES_SCHEMA=second", *roles.config["entrypoint"], *roles.config["command"])
    assert made.returncode == 0, made.stderr
    second = PostgresStore(url("taxi_loader"), schema="second", wait_seconds=20)
    second.replace_table(ZONES, arrow_schema(ZONES).empty_table())
    with connect("taxi_reader") as reader:
        assert reader.execute("SELECT count(*) FROM second.zones").fetchone() == (0,)


def test_an_administrator_that_is_no_superuser_can_make_the_roles(database: Composed, compose_folder: Path) -> None:
    """A managed server gives out no superuser."""
    admin = {"host": database["trips-db"].address, "user": "postgres", "dbname": "postgres"}
    secret = (compose_folder / "secrets" / "trips_db_password").read_text()
    with psycopg.connect(**admin, password=secret, autocommit=True) as superuser:  # type: ignore[arg-type]
        superuser.execute("DROP DATABASE taxi")
        superuser.execute("DROP ROLE taxi_loader, taxi_reader")
        superuser.execute("CREATE ROLE cloud_admin LOGIN CREATEDB CREATEROLE PASSWORD 'x'")
        superuser.execute("GRANT CONNECT ON DATABASE postgres, template1 TO cloud_admin")
    roles = database["trips-roles"]
    made = roles.run("env", "PGPASSWORD=x", "psql", "--username=cloud_admin", "--file=/sql/trips.sql", "postgres")
    assert made.returncode == 0, made.stderr
    reader = (compose_folder / "secrets" / "taxi_reader_password").read_text()
    as_reader = {"host": database["trips-db"].address, "user": "taxi_reader", "dbname": "taxi", "password": reader}
    with psycopg.connect(**as_reader) as connection:  # type: ignore[arg-type]
        assert connection.execute("SELECT has_schema_privilege('taxi', 'USAGE')").fetchone() == (True,)
