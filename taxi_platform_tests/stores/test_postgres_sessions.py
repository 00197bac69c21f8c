"""Whatever is set in a role, a database, a pooler or the environment: what is written and read stays the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import Column, ColumnType, Table
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.errors import StoreError, StoreUnavailableError
from taxi_platform.months import TripMonth
from taxi_platform.references import MonthCounts
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.postgres.store import PostgresStore
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_clean
from taxi_platform_tests.stores.conftest import connected
from taxi_platform_tests.support.pooler import pooled
from taxi_platform_tests.support.postgres import Server

GREEN = CONTRACTS["green"]
OWN = Table(
    "every_type",
    "",
    (
        Column("name", ColumnType.TEXT, ""),
        Column("share", ColumnType.DOUBLE, ""),
        Column("day", ColumnType.DATE, ""),
        Column("at", ColumnType.TIMESTAMP, ""),
        Column("names", ColumnType.TEXT_LIST, ""),
    ),
    schema="marts",
)


def own(*names: str) -> pa.Table:
    count = len(names)
    at = datetime(2020, 3, 4, 5, 6, 7, 89)
    columns = [list(names), [0.1 + 0.2] * count, [date(2020, 3, 4)] * count, [at] * count, [[n] for n in names]]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, arrow_schema(OWN), strict=True)], arrow_schema(OWN))


def load(store: PostgresStore, lake: Lake, folder: Path, version: str = "c1", month: TripMonth = MARCH) -> bool:
    return store.replace_month(GREEN, lake.store_clean(staged_clean(folder, version, 4, 1, month)), lake).changed


def comes_back(store: PostgresStore, lake: Lake, folder: Path, *names: str) -> None:
    """Trips, and a table of every type, are what they were."""
    load(store, lake, folder)
    read = store.read_months("taxi.green_trips", [MARCH.first_day]).read_all()
    clean = lake.current_clean(MARCH)
    assert clean is not None
    with lake.open_parquet(clean.trips_path) as file:
        assert read.equals(file.read())
    store.replace_table(OWN, own(*names))
    assert store.read_months("marts.every_type", None).read_all().to_pylist() == own(*names).to_pylist()
    store.refresh_views([GREEN])
    store.refresh_views([GREEN])
    assert store.count_months(GREEN) == {MARCH.first_day: MonthCounts(4, 1)}


@contextmanager
def database(server: str, name: str, options: str = "") -> Iterator[str]:
    """A database of the role taxi, and its address."""
    with connected(server.replace("taxi@", "postgres@")) as admin:
        admin.execute(f"CREATE DATABASE {name} OWNER taxi TEMPLATE template0 {options}")
        try:
            yield server.replace("/taxi?", f"/{name}?")
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_database_in_latin1_holds_its_characters_and_refuses_others(
    postgres_server: str, lake: Lake, tmp_path: Path
) -> None:
    with database(postgres_server, "western", "ENCODING LATIN1 LOCALE 'C'") as url:
        store = PostgresStore(url)
        comes_back(store, lake, tmp_path, "Café Größe")
        with psycopg.connect(url, client_encoding="utf8") as other:
            assert other.execute("SELECT name FROM marts.every_type").fetchall() == [("Café Größe",)]
        sentence = "has no equivalent in encoding \"LATIN1\".*; .*load into a database made with ENCODING 'UTF8'"
        with pytest.raises(StoreError, match=sentence):
            store.replace_table(OWN, own("東京"))
        assert store.read_months("marts.every_type", None, ["name"]).read_all()["name"].to_pylist() == ["Café Größe"]


def test_a_database_in_sql_ascii_holds_the_bytes(postgres_server: str, lake: Lake, tmp_path: Path) -> None:
    with database(postgres_server, "ascii", "ENCODING SQL_ASCII LOCALE 'C'") as url:
        comes_back(PostgresStore(url), lake, tmp_path, "Café", "東京")


def test_the_environment_of_libpq_changes_nothing(
    postgres_url: str, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    monkeypatch.setenv("PGDATESTYLE", "German")
    comes_back(PostgresStore(postgres_url), lake, tmp_path, "Café", "東京")
    with connected(postgres_url) as connection:
        connection.execute("DROP SCHEMA marts CASCADE")


SETTINGS = {
    "client_encoding": "LATIN1",
    "DateStyle": "German, DMY",
    "IntervalStyle": "iso_8601",
    "TimeZone": "Asia/Tokyo",
    "extra_float_digits": "0",
    "bytea_output": "escape",
    "search_path": "marts",
    "standard_conforming_strings": "off",
    "quote_all_identifiers": "on",
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "lock_timeout": "1",
    "statement_timeout": "500",
    "idle_in_transaction_session_timeout": "500",
}


class SlowLake(Lake):
    """Takes longer for its rows than a statement may take by the role's settings."""

    def open_parquet(self, path: str) -> pq.ParquetFile:
        file = super().open_parquet(path)
        batches = file.iter_batches

        def slowly(*arguments: Any, **options: Any) -> Iterator[Any]:
            time.sleep(0.7)
            yield from batches(*arguments, **options)

        file.iter_batches = slowly
        return file


def test_settings_of_the_role_change_nothing(postgres_server: str, tmp_path: Path) -> None:
    lake = SlowLake(str(tmp_path / "lake"))
    with database(postgres_server, "odd") as url, connected(postgres_server.replace("taxi@", "postgres@")) as admin:
        for name, value in SETTINGS.items():
            admin.execute(f"ALTER ROLE taxi IN DATABASE odd SET {name} = {value if ',' in value else repr(value)}")
        comes_back(PostgresStore(url), lake, tmp_path, "Café", "東京", r"a\b'c")


def test_a_pooler_by_transaction_serves_and_settings_do_not_cross_it(
    postgres_url: str, lake: Lake, tmp_path: Path
) -> None:
    with pooled(postgres_url, tmp_path) as address:
        # What others leave behind on the server's processes is theirs.
        with connected(address) as other:
            for name in ("extra_float_digits", "search_path", "statement_timeout", "IntervalStyle"):
                other.execute(f"SET {name} = {SETTINGS[name]}")
            store = PostgresStore(address, wait_seconds=5)
            comes_back(store, lake, tmp_path, "Café", "東京")
            assert load(store, lake, tmp_path, "c1", APRIL)
            with connected(postgres_url) as reader, reader.transaction():
                reader.execute("SELECT 1 FROM taxi.green_trips")
                assert load(PostgresStore(address, wait_seconds=0.1), lake, tmp_path, "c2")
            store.delete_month(GREEN, APRIL.first_day)
            assert store.count_months(GREEN) == {MARCH.first_day: MonthCounts(4, 1)}
            assert other.execute("SHOW search_path").fetchone() == ("marts",)
        with connected(postgres_url) as direct:
            direct.execute("DROP SCHEMA marts CASCADE")


# ---- servers that go away, and other guests


def test_a_session_that_the_server_ends_is_worth_another_attempt(postgres_url: str, lake: Lake, tmp_path: Path) -> None:
    load(PostgresStore(postgres_url), lake, tmp_path)

    class EndedLake(Lake):
        def open_parquet(self, path: str) -> pq.ParquetFile:
            with connected(postgres_url) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE application_name = 'taxi_platform'"
                )
            return super().open_parquet(path)

    with pytest.raises(StoreUnavailableError, match=r"terminating connection .*; the server is starting or ending"):
        load(PostgresStore(postgres_url), EndedLake(lake.url), tmp_path, "c2")
    assert load(PostgresStore(postgres_url), lake, tmp_path, "c3")


def test_one_reading_of_every_trip_takes_two_locks_a_month(postgres_url: str, lake: Lake, tmp_path: Path) -> None:
    store = PostgresStore(postgres_url)
    taken = []
    for month in (1, 2, 3):
        load(store, lake, tmp_path, "c1", TripMonth("green", date(2021, month, 1)))
        store.refresh_views([GREEN])
        with connected(postgres_url) as reader, reader.transaction():
            reader.execute("SELECT count(*) FROM taxi.trips")
            row = reader.execute("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation > 16383")
            taken.append(row.fetchone())
    counts = [row[0] for row in taken if row]
    assert [after - before for before, after in pairwise(counts)] == [2, 2]


def test_dagsters_own_storage_may_stand_in_the_same_database(postgres_url: str, lake: Lake, tmp_path: Path) -> None:
    from dagster import DagsterInstance
    from dagster._core.test_utils import create_run_for_test  # what Dagster's own tests make runs with

    with connected(postgres_url) as connection:
        connection.execute("CREATE SCHEMA dagster")
    try:
        address = postgres_url.replace("postgresql:", "postgresql+psycopg2:") + "&options=-csearch_path%3Ddagster"
        (tmp_path / "dagster.yaml").write_text(f'storage:\n  postgres:\n    postgres_url: "{address}"\n')
        with DagsterInstance.from_config(str(tmp_path)) as instance:
            create_run_for_test(instance, job_name="green_months")
            comes_back(PostgresStore(postgres_url), lake, tmp_path, "Café")
            assert instance.get_runs_count() == 1
        with connected(postgres_url) as connection:
            sql = "SELECT nspname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE relname = 'runs'"
            assert connection.execute(sql).fetchall() == [("dagster",)]
    finally:
        with connected(postgres_url) as connection:
            connection.execute("DROP SCHEMA IF EXISTS dagster, marts CASCADE")


# ---- roles


@pytest.fixture
def logins(postgres_server: str, postgres_url: str) -> Iterator[tuple[PostgresStore, PostgresStore]]:
    """Two logins that are members of the role that owns the schema."""
    admin = postgres_server.replace("taxi@", "postgres@")
    with connected(admin) as connection:
        connection.execute("CREATE ROLE taxi_owner")
        connection.execute("CREATE ROLE anna LOGIN IN ROLE taxi_owner")
        connection.execute("CREATE ROLE ben LOGIN IN ROLE taxi_owner")
        connection.execute("CREATE SCHEMA taxi AUTHORIZATION taxi_owner")
        yield tuple(
            PostgresStore(postgres_server.replace("taxi@", f"{name}@"), wait_seconds=5) for name in ("anna", "ben")
        )  # type: ignore[misc]
        connection.execute("DROP SCHEMA taxi CASCADE")
        connection.execute("DROP ROLE anna, ben, taxi_owner")


def test_two_members_of_the_owner_load_in_turn(
    logins: tuple[PostgresStore, PostgresStore], lake: Lake, tmp_path: Path
) -> None:
    anna, ben = logins
    for turn, store in enumerate((anna, ben, anna)):
        assert load(store, lake, tmp_path, f"c{turn}")
        assert load(store, lake, tmp_path, f"c{turn}", APRIL)
        store.refresh_views([GREEN])
        with connected(store.url) as connection:
            connection.execute("ALTER VIEW taxi.trips RENAME COLUMN vendor TO old")
        if store is ben:
            ben.delete_month(GREEN, APRIL.first_day)
    with connected(anna.url) as connection:
        owners = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'taxi'::regnamespace"
        assert connection.execute(owners).fetchall() == [("taxi_owner",)]


# ---- servers of another version, standbys, and what they say before a session stands


@pytest.fixture(scope="module")
def old_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server of an older version that has four connections for ordinary users, and its administrator's address."""
    server = Server(tmp_path_factory.mktemp("old"), "postgres", oldest=True)
    address = server.start_anywhere(["-c", "max_connections=7"])
    yield server, address
    server.stop()


def test_an_older_server_serves_and_as_a_standby_is_read(
    old_server: tuple[Server, str], lake: Lake, tmp_path: Path
) -> None:
    server, url = old_server
    store = PostgresStore(url, wait_seconds=5)
    comes_back(store, lake, tmp_path, "Café", "東京")
    with connected(url) as connection:
        connection.execute("ALTER TABLE taxi.green_trips ADD COLUMN id bigserial, ADD CHECK (vendor_id < 9)")
        connection.execute(
            "ALTER TABLE taxi.green_trips ADD COLUMN twice int GENERATED ALWAYS AS (2 * vendor_id) STORED"
        )
        connection.execute("CREATE UNIQUE INDEX ON taxi.green_trips (file_month, vendor_id)")
    assert load(store, lake, tmp_path, "c2")
    with connected(url) as reader, reader.transaction():
        reader.execute("SELECT 1 FROM taxi.green_trips")
        assert load(PostgresStore(url, wait_seconds=0.1), lake, tmp_path, "c3")
    server.become_standby()
    try:
        assert store.count_months(GREEN) == {MARCH.first_day: MonthCounts(4, 1)}
        with pytest.raises(StoreError, match="is a standby, which nobody can write to: name the primary"):
            load(store, lake, tmp_path, "c4")
    finally:
        server.become_primary()


def test_what_a_server_says_before_a_session_stands_comes_with_what_to_do(old_server: tuple[Server, str]) -> None:
    """The password is a word that messages are full of, and stays in them."""
    _, url = old_server
    with connected(url) as admin:
        admin.execute("CREATE ROLE connection LOGIN PASSWORD 'connection'")
        admin.execute("CREATE ROLE locked LOGIN PASSWORD 'a'")
        admin.execute("CREATE DATABASE closed")
        admin.execute("REVOKE CONNECT ON DATABASE closed FROM PUBLIC")
        ordinary = url.replace("postgres:postgres@", "connection:connection@")
        said = {
            ordinary.replace(":connection@", ":a@"): 'failed for user "connection"; check the user and the password',
            ordinary.replace("connection:", "nobody:"): 'failed for user "nobody"; check the user and the password',
            ordinary.replace("/postgres", "/connection"): 'database "connection" does not exist; create the database',
            ordinary.replace(
                "/postgres", "/closed"
            ): 'permission denied for database "closed".*; grant that role the right',
        }
        for address, sentence in said.items():
            with pytest.raises(StoreError, match=sentence):
                PostgresStore(address).count_months(GREEN)
        held = [psycopg.connect(ordinary) for _ in range(3)]
        with pytest.raises(StoreUnavailableError, match=r"connection slots are reserved .*; .* no connection left"):
            PostgresStore(ordinary).count_months(GREEN)
        for connection in held:
            connection.close()
