"""Two platforms in one PostgreSQL database, each in a schema of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from taxi_platform.cli.adopting import opened_store
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import Column, ColumnType, Table
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.contracts.zones import ZONES
from taxi_platform.errors import StoreBusyError, StoreError
from taxi_platform.orchestration.resources import TableStoreResource, resources
from taxi_platform.references import MonthCounts
from taxi_platform.settings import Settings
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.ownership import LAKE, claim, stranger
from taxi_platform.stores.postgres.layer import POSTGRES
from taxi_platform.stores.postgres.store import PostgresStore
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_clean, staged_raw
from taxi_platform_tests.stores.conftest import connected

GREEN = CONTRACTS["green"]
MINE = Table("mine", "", (Column("n", ColumnType.BIGINT, ""),), schema="marts")


@pytest.fixture
def url(postgres_url: str) -> Iterator[str]:
    yield postgres_url
    with connected(postgres_url) as connection:
        connection.execute("DROP SCHEMA IF EXISTS second, marts CASCADE")


@pytest.fixture
def first(url: str) -> PostgresStore:
    return PostgresStore(url, wait_seconds=30)


@pytest.fixture
def second(url: str) -> PostgresStore:
    return PostgresStore(url, schema="second", wait_seconds=30)


def lake_of(folder: Path) -> Lake:
    lake = Lake(str(folder / "lake"))
    lake.store_raw(staged_raw(folder))
    return lake


def load(store: PostgresStore, lake: Lake, folder: Path, version: str, trips: int) -> str:
    """Load March; returns the name of the table that it stands in."""
    return store.replace_month(GREEN, lake.store_clean(staged_clean(folder, version, trips, 1)), lake).table


def zones(store: PostgresStore, zone: str) -> None:
    store.replace_table(ZONES, pa.table([[1], ["Queens"], [zone], ["Boro Zone"]], schema=arrow_schema(ZONES)))


def query(url: str, sql: str) -> list[tuple[object, ...]]:
    with connected(url) as connection:
        return connection.execute(sql).fetchall()


def test_months_of_two_lakes_stand_side_by_side(first: PostgresStore, second: PostgresStore, tmp_path: Path) -> None:
    ours, theirs = lake_of(tmp_path / "ours"), lake_of(tmp_path / "theirs")
    for store, lake in ((first, ours), (second, theirs)):
        claim(store, POSTGRES, lake)
    assert load(first, ours, tmp_path / "ours", "c1", 4) == "taxi.green_trips"
    assert load(second, theirs, tmp_path / "theirs", "c1", 7) == "second.green_trips"
    assert load(second, theirs, tmp_path / "theirs", "c2", 8) == "second.green_trips", "exchanged"
    for store, zone in ((first, "ours"), (second, "theirs")):
        zones(store, zone)
        store.refresh_views([GREEN])
        store.refresh_views([GREEN])
    assert first.count_months(GREEN) == {MARCH.first_day: MonthCounts(4, 1)}
    assert second.count_months(GREEN) == {MARCH.first_day: MonthCounts(8, 1)}
    assert second.held_months(GREEN)[MARCH.first_day].data_version == "c2"
    for schema, rows, zone in (("taxi", 4, "ours"), ("second", 8, "theirs")):
        assert query(first.url, f"SELECT count(*) FROM {schema}.trips") == [(rows,)]
        assert query(first.url, f"SELECT count(*) FROM {schema}.green_trips_2020_03") == [(rows,)]
        assert query(first.url, f"SELECT zone FROM {schema}.zones") == [(zone,)]
    reads = "SELECT DISTINCT table_schema FROM information_schema.view_table_usage WHERE view_schema = 'second'"
    assert query(first.url, reads) == [("second",)], "a view reads its own schema alone"
    assert second.read_months("taxi.green_trips", [MARCH.first_day]).read_all().num_rows == 8
    assert (second.existing_table(LAKE.qualified_name) or MINE).schema == LAKE.schema
    assert stranger(first, POSTGRES, ours) is stranger(second, POSTGRES, theirs) is None
    with pytest.raises(StoreError, match=r"give this platform a database, or a TAXI_POSTGRES_SCHEMA, of its own"):
        claim(second, POSTGRES, ours)
    second.delete_month(GREEN, MARCH.first_day)
    assert (first.count_months(GREEN), second.count_months(GREEN)) == ({MARCH.first_day: MonthCounts(4, 1)}, {})
    assert query(first.url, "SELECT count(*) FROM taxi.trips") == [(4,)]


def test_everything_in_another_schema_says_what_it_is(second: PostgresStore, tmp_path: Path) -> None:
    load(second, lake_of(tmp_path), tmp_path, "c1", 4)
    described = "SELECT obj_description('second'::regnamespace), obj_description('{}'::regclass)"
    table = "second.green_trips_2020_03"
    ((schema, partition),) = query(second.url, described.format(table))
    assert str(schema).startswith("New York taxi trips")
    assert partition == "File month 2020-03 of second.green_trips."
    assert query(second.url, "SELECT indexname FROM pg_indexes WHERE schemaname = 'second' ORDER BY 1") == [
        ("green_trips_2020_03_pickup_datetime",),
        ("months_pkey",),
    ]
    assert query(second.url, "SELECT to_regnamespace('taxi') IS NULL") == [(True,)]


def test_neither_platform_waits_for_the_other(first: PostgresStore, url: str, tmp_path: Path) -> None:
    second = PostgresStore(url, schema="second", wait_seconds=1)
    lake = lake_of(tmp_path)
    load(first, lake, tmp_path, "c1", 4)
    first.refresh_views([GREEN])
    load(second, lake, tmp_path, "c1", 4)
    before = query(url, "SELECT 'second.green_trips_2020_03'::regclass::oid")
    with connected(url) as other, other.transaction():
        for lock in ("green 2020-03", "the schema taxi", "taxi.zones", "taxi_platform waits for readers"):
            other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [lock])
        other.execute("LOCK TABLE taxi.trips, taxi.months IN ACCESS EXCLUSIVE MODE")
        load(second, lake, tmp_path, "c2", 5)
        zones(second, "theirs")
        second.refresh_views([GREEN])
        with pytest.raises(StoreBusyError, match=r"the lock of green 2020-04 in the schema second in PostgreSQL"):
            _held_load(second, lake, tmp_path)
    assert query(url, "SELECT 'second.green_trips_2020_03'::regclass::oid") != before, "exchanged, not refilled"
    assert query(url, "SELECT count(*) FROM second.trips") == [(5,)]


def _held_load(store: PostgresStore, lake: Lake, folder: Path) -> None:
    """Load April while another platform of the same schema does."""
    clean = lake.store_clean(staged_clean(folder, "c1", 4, 1, APRIL))
    with connected(store.url) as same, same.transaction():
        same.execute("SELECT pg_advisory_xact_lock(hashtextextended('green 2020-04 in the schema second', 0))")
        store.replace_month(GREEN, clean, lake)


def test_sentences_name_the_schema(second: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"has no table second\.green_trips: materialize"):
        second.read_months("taxi.green_trips", None)
    load(second, lake, tmp_path, "c1", 4)
    with pytest.raises(StoreError, match=r"second\.green_trips has no column tips"):
        second.read_months("taxi.green_trips", None, ["tips"])
    with connected(second.url) as connection:
        connection.execute("ALTER TABLE second.green_trips DETACH PARTITION second.green_trips_2020_03")
    with pytest.raises(StoreError, match=r"second\.green_trips_2020_03 is no partition of second\.green_trips"):
        load(second, lake, tmp_path, "c2", 5)
    with connected(second.url) as connection:
        connection.execute("DROP TABLE second.green_trips_2020_03")
        connection.execute("ALTER TABLE second.green_trips ADD COLUMN mine int NOT NULL")
    with pytest.raises(StoreError, match=r"of second\.green_trips is NOT NULL.*ALTER TABLE second\.green_trips ALTER"):
        load(second, lake, tmp_path, "c2", 5)


def test_a_users_own_tables_stand_in_their_schemas_but_never_in_the_platforms(
    first: PostgresStore, second: PostgresStore
) -> None:
    rows = pa.table({"n": [1, 2]}, schema=arrow_schema(MINE))
    assert second.replace_table(MINE, rows) == 2
    assert first.read_months("marts.mine", None).read_all() == rows
    standing = second.existing_table("marts.mine")
    assert standing is not None
    assert standing.qualified_name == "marts.mine"
    for name in ("second.mine", "Second.mine"):
        table = Table("mine", "", MINE.columns, schema=name.partition(".")[0])
        sentence = (
            rf"{name} would stand among the platform's own tables, which are in the schema second: give it another"
        )
        with pytest.raises(StoreError, match=sentence):
            second.existing_table(name)
        with pytest.raises(StoreError, match=sentence):
            second.replace_table(table, rows)
    assert query(first.url, "SELECT to_regnamespace('second') IS NULL") == [(True,)]


def test_every_way_to_the_store_goes_by_the_setting(url: str, tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {"TAXI_POSTGRES": url, "TAXI_POSTGRES_SCHEMA": "second", "TAXI_DATA": str(tmp_path)}
    )
    resource = resources(settings)["postgres"]
    assert isinstance(resource, TableStoreResource)
    with resource.running() as store:
        store.replace_table(ZONES, pa.table([[1], ["Queens"], ["z"], ["b"]], schema=arrow_schema(ZONES)))
    assert query(url, "SELECT zone FROM second.zones") == [("z",)]
    with opened_store(settings, "postgres") as store:
        assert store.read_months("taxi.zones", None, ["zone"]).read_all().to_pylist() == [{"zone": "z"}]
    assert query(url, "SELECT to_regnamespace('taxi') IS NULL") == [(True,)]
