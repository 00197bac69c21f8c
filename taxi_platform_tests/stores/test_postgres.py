"""PostgreSQL as a server of its own: roles, locks of others, catalogue, and errors that keep a secret."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.contracts.zones import ZONES
from taxi_platform.errors import StoreBusyError, StoreError, StoreUnavailableError
from taxi_platform.machine import locks
from taxi_platform.months import TripMonth
from taxi_platform.references import MonthCounts
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.postgres.embedded.sharing import EmbeddedPostgres
from taxi_platform.stores.postgres.errors import masked
from taxi_platform.stores.postgres.store import PostgresStore
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_clean
from taxi_platform_tests.stores.conftest import connected

GREEN = CONTRACTS["green"]


@pytest.fixture
def store(postgres_url: str) -> PostgresStore:
    return PostgresStore(postgres_url, wait_seconds=30)


def load(store: PostgresStore, lake: Lake, folder: Path, version: str = "c1", month: TripMonth = MARCH) -> bool:
    clean = lake.store_clean(staged_clean(folder, version, 4, 1, month))
    return store.replace_month(GREEN, clean, lake).changed


def rows(url: str, sql: str) -> list[tuple[object, ...]]:
    with connected(url) as connection:
        return connection.execute(sql).fetchall()


def test_each_month_is_one_partition_of_either_table(store: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    for month in (MARCH, APRIL):
        load(store, lake, tmp_path, "c1", month)
        load(store, lake, tmp_path, "c2", month)
    found = rows(
        store.url, "SELECT relname, pg_get_expr(relpartbound, oid) FROM pg_class WHERE relispartition ORDER BY 1"
    )
    bounds = {"03": "FOR VALUES IN ('2020-03-01')", "04": "FOR VALUES IN ('2020-04-01')"}
    tables = [f"green_{kind}_2020" for kind in ("quarantine", "trips")]
    expected = [(f"{table}_{month}", bound) for table in tables for month, bound in bounds.items()]
    assert found == expected
    assert rows(store.url, "SELECT indexname FROM pg_indexes WHERE tablename LIKE 'green_trips%' ORDER BY 1") == [
        ("green_trips_2020_03_pickup_datetime",),
        ("green_trips_2020_04_pickup_datetime",),
    ]


def test_everything_says_what_it_is(store: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    load(store, lake, tmp_path)
    store.replace_table(ZONES, _one_zone())
    store.refresh_views([GREEN])
    silent = """
        SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relnamespace = 'taxi'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition AND attnum > 0
          AND col_description(attrelid, attnum) IS NULL
        UNION
        SELECT relname, NULL FROM pg_class
        WHERE relnamespace = 'taxi'::regnamespace AND relkind IN ('r', 'p', 'v')
          AND obj_description(oid, 'pg_class') IS NULL
    """
    assert rows(store.url, silent) == []


def _one_zone() -> pa.Table:
    return pa.table([[265], ["Unknown"], ["NA"], ["N/A"]], schema=arrow_schema(ZONES))


@pytest.fixture
def owner_url(postgres_server: str, postgres_url: str) -> Iterator[str]:
    """A role that may do nothing but own the schema, which stands already."""
    admin = postgres_server.replace("taxi@", "postgres@")
    with connected(admin) as connection:
        connection.execute("CREATE ROLE owner LOGIN")
        connection.execute("REVOKE ALL ON DATABASE taxi FROM PUBLIC")
        connection.execute("GRANT CONNECT ON DATABASE taxi TO owner")
        connection.execute("CREATE SCHEMA taxi AUTHORIZATION owner")
    yield postgres_server.replace("taxi@", "owner@")
    with connected(admin) as connection:
        connection.execute("DROP SCHEMA taxi CASCADE")
        connection.execute("DROP OWNED BY owner")
        connection.execute("DROP ROLE owner")
        connection.execute("GRANT CONNECT, TEMPORARY ON DATABASE taxi TO PUBLIC")


def test_a_role_that_owns_the_schema_alone_is_enough(owner_url: str, lake: Lake, tmp_path: Path) -> None:
    store = PostgresStore(owner_url)
    assert load(store, lake, tmp_path)
    store.refresh_views([GREEN])
    assert store.replace_table(ZONES, _one_zone()) == 1
    store.delete_month(GREEN, MARCH.first_day)
    assert store.count_months(GREEN) == {}


def test_a_role_without_rights_is_told_so(owner_url: str, lake: Lake, tmp_path: Path) -> None:
    with connected(owner_url.replace("owner@", "postgres@")) as connection:
        connection.execute("DROP SCHEMA taxi")
    try:
        with pytest.raises(StoreError, match="permission denied for database taxi; grant that role the right"):
            load(PostgresStore(owner_url), lake, tmp_path)
    finally:
        with connected(owner_url.replace("owner@", "postgres@")) as connection:
            connection.execute("CREATE SCHEMA taxi AUTHORIZATION owner")


def test_the_schema_made_by_several_at_once_is_made(store: PostgresStore, tmp_path: Path) -> None:
    months = [TripMonth("green", date(2021, month, 1)) for month in range(1, 5)]

    def one(month: TripMonth) -> bool:
        lake = Lake(str(tmp_path / month.label))
        return load(PostgresStore(store.url, wait_seconds=60), lake, tmp_path / f"{month.label}.staged", "c1", month)

    with ThreadPoolExecutor(len(months)) as pool:
        assert list(pool.map(one, months)) == [True] * len(months)
    assert list(store.count_months(GREEN)) == [month.first_day for month in months]


def test_a_month_does_not_wait_for_a_reader_whether_it_is_new_or_replaced(
    store: PostgresStore, lake: Lake, tmp_path: Path
) -> None:
    load(store, lake, tmp_path)
    impatient = PostgresStore(store.url, wait_seconds=0.1)
    with connected(store.url) as reader, reader.transaction():
        assert reader.execute("SELECT count(*) FROM taxi.green_trips").fetchone() == (4,)
        assert load(impatient, lake, tmp_path, "c1", APRIL)
        before = rows(store.url, "SELECT 'taxi.green_trips_2020_03'::regclass::oid")
        assert load(impatient, lake, tmp_path, "c2")
        assert rows(store.url, "SELECT 'taxi.green_trips_2020_03'::regclass::oid") == before  # refilled in place
    assert store.count_months(GREEN) == {MARCH.first_day: MonthCounts(4, 1), APRIL.first_day: MonthCounts(4, 1)}
    assert rows(store.url, "SELECT data_version FROM taxi.months ORDER BY file_month") == [("c2",), ("c1",)]
    assert load(impatient, lake, tmp_path, "c3")
    assert rows(store.url, "SELECT 'taxi.green_trips_2020_03'::regclass::oid") != before  # exchanged


def test_a_reader_with_an_older_snapshot_finds_a_whole_month(store: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    load(store, lake, tmp_path)
    with connected(store.url) as reader, reader.transaction():
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT now() FROM pg_class LIMIT 1")
        load(store, lake, tmp_path, "c2")
        assert reader.execute("SELECT count(*) FROM taxi.green_trips").fetchone() == (4,)


def test_a_month_that_another_session_loads_is_waited_for_by_name(
    store: PostgresStore,
    lake: Lake,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locks, "_SOON", 0.0)
    load(store, lake, tmp_path)
    impatient = PostgresStore(store.url, wait_seconds=0.1)
    with connected(store.url) as other, other.transaction():
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('green 2020-03', 0))")
        pid = other.info.backend_pid
        holder = f"process {pid} of taxi (SELECT pg_advisory_xact_lock(hashtextextended('green 2020-03', 0)))"
        sentence = f"the lock of green 2020-03 in PostgreSQL is held by {holder} for over 0.1 s: let it end"
        with pytest.raises(StoreBusyError, match=re.escape(sentence)):
            load(impatient, lake, tmp_path, "c2")
    said = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert said == [f"waiting for {holder}, which holds the lock of green 2020-03 in PostgreSQL (at most 0.1 s)"]


def test_the_view_stays_untouched_while_nothing_changes(store: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    load(store, lake, tmp_path)
    store.refresh_views([GREEN])
    impatient = PostgresStore(store.url, wait_seconds=0.1)
    with connected(store.url) as reader, reader.transaction():
        assert reader.execute("SELECT count(*) FROM taxi.trips").fetchone() == (4,)
        impatient.refresh_views([GREEN])


def test_a_month_of_the_view_reads_its_partition_alone(store: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    load(store, lake, tmp_path)
    store.replace_month(GREEN, lake.store_clean(staged_clean(tmp_path, "c1", 5, 0, APRIL)), lake)
    store.refresh_views([GREEN])
    asked = "SELECT count(*) FROM taxi.trips WHERE file_month = DATE '2020-04-01' AND is_plausible"
    plan = str(rows(store.url, f"EXPLAIN {asked}"))
    assert "green_trips_2020_04" in plan
    assert "green_trips_2020_03" not in plan
    assert "zones" not in plan, "a join that nothing is read of is left out"


def test_a_view_of_another_shape_is_replaced(store: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    load(store, lake, tmp_path)
    with connected(store.url) as connection:
        connection.execute("CREATE VIEW taxi.trips AS SELECT 1 AS old")
    store.refresh_views([GREEN])
    assert rows(store.url, "SELECT DISTINCT dataset FROM taxi.trips") == [("green",)]


def test_sessions_can_be_told_apart(store: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    load(store, lake, tmp_path)
    reader = store.read_months("taxi.green_trips", [MARCH.first_day])
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'taxi_platform' AND state <> 'idle'"
    assert rows(store.url, sql) == [(1,)]
    reader.close()
    del reader
    assert rows(store.url, sql) == [(0,)]


# ---- addresses


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p%40ss@h:1/d", "postgresql://u:***@h:1/d"),
        ("postgresql://u:p@ss@h:1/d", "postgresql://u:***@h:1/d"),
        ("postgresql://u:p/s@h/d", "postgresql://u:***@h/d"),
        ("postgresql://h/d?user=u&password=secret&port=1", "postgresql://h/d?user=u&password=***&port=1"),
        ("postgresql://u@h/d?sslkey=k.pem&sslpassword=secret", "postgresql://u@h/d?sslkey=k.pem&sslpassword=***"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert masked(url) == shown


def everything_said(error: BaseException | None) -> str:
    said = ""
    while error is not None:
        said += f"{error} {error!r}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return said


def test_a_wrong_password_is_refused_without_being_shown(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    embedded = EmbeddedPostgres(tmp_path / "postgres", port)
    with embedded.running():
        assert embedded.tcp_url is not None
        assert PostgresStore(embedded.tcp_url).count_months(GREEN) == {}
        for url, sentence in [
            (f"postgresql://taxi:s3cr3t@127.0.0.1:{port}/taxi", "password authentication failed.*; check the user and"),
            (embedded.tcp_url + "x", 'database "taxix" does not exist; create the database'),
        ]:
            with pytest.raises(StoreError, match=sentence) as caught:
                PostgresStore(url).count_months(GREEN)
            assert "s3cr3t" not in everything_said(caught.value)
            assert embedded.tcp_url.split(":")[2].split("@")[0] not in everything_said(caught.value)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://u:s3cr3t@127.0.0.1:1/d", "Connection refused.*; check the address in TAXI_POSTGRES"),
        ("postgresql://u:s3cr3t@/d?host=/nowhere", "No such file or directory.*; check the address in TAXI_POSTGRES"),
    ],
)
def test_an_address_where_nothing_answers_is_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(StoreUnavailableError, match=sentence) as caught:
        PostgresStore(url).count_months(GREEN)
    assert "s3cr3t" not in everything_said(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["postgresql://u:s3@cr3t@h/d", "postgresql://u:%zzcr3t@h/d", "postgresql://u:s3/cr3t@h/d"]
)
def test_what_is_no_address_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(StoreError, match="is not a PostgreSQL address: write postgresql://user:password@") as caught:
        PostgresStore(url)
    assert "cr3t" not in everything_said(caught.value)
