"""What users add to tables, partitions and views of a PostgreSQL of theirs, and what of it outlives loads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import Column, ColumnType, Table
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.contracts.zones import ZONES
from taxi_platform.errors import StoreError
from taxi_platform.months import TripMonth
from taxi_platform.references import MonthCounts
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.postgres.store import PostgresStore
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_clean
from taxi_platform_tests.stores.conftest import connected

GREEN = CONTRACTS["green"]


@pytest.fixture
def store(postgres_url: str) -> PostgresStore:
    return PostgresStore(postgres_url, wait_seconds=5)


@pytest.fixture
def loaded(store: PostgresStore, lake: Lake, tmp_path: Path) -> PostgresStore:
    """March is there."""
    load(store, lake, tmp_path)
    return store


def load(store: PostgresStore, lake: Lake, folder: Path, version: str = "c1", month: TripMonth = MARCH) -> None:
    clean = lake.store_clean(staged_clean(folder, version, 4, 1, month))
    assert store.replace_month(GREEN, clean, lake).changed


def run(store: PostgresStore, *statements: str) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    with connected(store.url) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
            found = cursor.fetchall() if cursor.description else []
    return found


def number(store: PostgresStore, name: str = "green_trips_2020_03") -> object:
    """Tells the partition from one that was exchanged for it."""
    return run(store, f"SELECT 'taxi.{name}'::regclass::oid")


# ---- to a table


def test_columns_that_fill_themselves_are_filled_in_every_month_to_come(
    loaded: PostgresStore, lake: Lake, tmp_path: Path
) -> None:
    run(
        loaded,
        "ALTER TABLE taxi.green_trips ADD COLUMN source text NOT NULL DEFAULT 'tlc', ADD COLUMN id bigserial, "
        'ADD COLUMN "Tip share" double precision GENERATED ALWAYS AS (tip_amount / (fare_amount + 1)) STORED, '
        'ADD COLUMN note text COLLATE "C"',
    )
    load(loaded, lake, tmp_path, "c2")
    load(loaded, lake, tmp_path, "c1", APRIL)
    found = run(
        loaded,
        "SELECT file_month, count(source), count(DISTINCT id), "
        'bool_and("Tip share" = tip_amount / (fare_amount + 1)), count(note) '
        "FROM taxi.green_trips GROUP BY 1 ORDER BY 1",
    )
    assert found == [(month.first_day, 4, 4, True, 0) for month in (MARCH, APRIL)]
    run(
        loaded,
        "INSERT INTO taxi.green_trips (file_month, pickup_datetime, dropoff_datetime) "
        "VALUES ('2020-04-01', now(), now())",
    )  # defaults stay
    assert run(loaded, "SELECT count(*), count(DISTINCT id) FROM taxi.green_trips WHERE source = 'tlc'") == [(9, 9)]


def test_an_identity_column_is_numbered_through(store: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    load(store, lake, tmp_path)
    run(
        store,
        "DELETE FROM taxi.months",
        "DROP TABLE taxi.green_trips_2020_03",
        "ALTER TABLE taxi.green_trips ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY",
    )
    load(store, lake, tmp_path, "c2")
    load(store, lake, tmp_path, "c1", APRIL)
    assert run(store, "SELECT count(DISTINCT id), count(*) FROM taxi.green_trips") == [(8, 8)]
    with connected(store.url) as reader, reader.transaction():
        reader.execute("SELECT 1 FROM taxi.green_trips")
        load(PostgresStore(store.url, wait_seconds=0.1), lake, tmp_path, "c3")  # refilled in place
    assert run(store, "SELECT count(DISTINCT id), count(*) FROM taxi.green_trips") == [(8, 8)]


def test_a_column_that_nothing_fills_is_refused_by_name(store: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    load(store, lake, tmp_path)
    store.delete_month(GREEN, MARCH.first_day)
    run(store, "ALTER TABLE taxi.green_trips ADD COLUMN mine integer NOT NULL")
    with pytest.raises(StoreError, match=r"column mine of taxi\.green_trips is NOT NULL, and neither .* DROP NOT NULL"):
        load(store, lake, tmp_path, "c2")


def test_a_column_of_a_foreign_type_leaves_reading_as_it_was(loaded: PostgresStore) -> None:
    run(loaded, "ALTER TABLE taxi.green_trips ADD COLUMN mine numeric(10, 2)")
    assert "mine" not in loaded.read_months("taxi.green_trips", [MARCH.first_day]).schema.names


def test_a_check_holds_for_every_month_to_come(loaded: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    run(loaded, 'ALTER TABLE taxi.green_trips ADD CONSTRAINT "no {strange} 5%" CHECK (vendor_id < 4)')
    load(loaded, lake, tmp_path, "c1", APRIL)
    clean = lake.store_clean(staged_clean(tmp_path, "c2", 9, 1, APRIL))
    with pytest.raises(StoreError, match=r'violates check constraint "no \{strange\} 5%" \(Failing row contains'):
        loaded.replace_month(GREEN, clean, lake)
    assert loaded.count_months(GREEN)[APRIL.first_day] == MonthCounts(4, 1)


@pytest.fixture
def indexes_made_under_lock(loaded: PostgresStore) -> Iterator[list[tuple[object, ...]]]:
    """For each ALTER TABLE under a lock that readers feel, how many indexes it made; filled when the test reads it."""
    admin = loaded.url.replace("taxi@", "postgres@")
    seen: list[tuple[object, ...]] = []
    with connected(admin) as connection:
        connection.execute("CREATE TABLE public.watched (made bigint)")
        connection.execute("GRANT ALL ON public.watched TO PUBLIC")
        for when, body in {
            "start": "PERFORM set_config('watched.indexes', (SELECT count(*)::text FROM pg_index), false);",
            "end": "INSERT INTO public.watched SELECT count(*) - current_setting('watched.indexes')::int FROM pg_index"
            " HAVING EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'AccessExclusiveLock' AND"
            " relation = 'taxi.green_trips'::regclass);",
        }.items():
            connection.execute(
                f"CREATE FUNCTION public.watch_{when}() RETURNS event_trigger LANGUAGE plpgsql "
                f"AS $$ BEGIN {body} END $$"
            )
            connection.execute(
                f"CREATE EVENT TRIGGER watch_{when} ON ddl_command_{when} WHEN tag IN ('ALTER TABLE') "
                f"EXECUTE FUNCTION public.watch_{when}()"
            )
        yield seen
        connection.execute("DROP EVENT TRIGGER watch_start")
        connection.execute("DROP EVENT TRIGGER watch_end")
        connection.execute("DROP FUNCTION public.watch_start, public.watch_end")
        connection.execute("DROP TABLE public.watched")


@pytest.mark.usefixtures("indexes_made_under_lock")
def test_indexes_and_keys_are_there_before_a_partition_is_attached(
    loaded: PostgresStore, lake: Lake, tmp_path: Path
) -> None:
    loaded.replace_table(ZONES, _zones((0, "a"), (1, "b"), (2, "c"), (3, "d")))
    run(
        loaded,
        "CREATE INDEX my_index ON taxi.green_trips (pickup_location_id, lower(store_and_fwd_flag)) "
        "WHERE trip_distance > 0",
        'CREATE UNIQUE INDEX "my {unique} 5%" ON taxi.green_trips (file_month, vendor_id) INCLUDE (fare_amount)',
        "ALTER TABLE taxi.green_quarantine ADD PRIMARY KEY (file_month, raw_row)",
        "ALTER TABLE taxi.green_trips ADD FOREIGN KEY (pickup_location_id) REFERENCES taxi.zones",
        "DELETE FROM public.watched",
    )
    load(loaded, lake, tmp_path, "c2")
    made = [made for (made,) in run(loaded, "SELECT made FROM public.watched")]
    assert made
    assert not any(made)
    load(loaded, lake, tmp_path, "c1", APRIL)
    attached = run(
        loaded,
        "SELECT p.relname, count(*) FROM pg_inherits JOIN pg_class i ON i.oid = inhrelid "
        "JOIN pg_index ON indexrelid = i.oid JOIN pg_class p ON p.oid = indrelid GROUP BY 1 ORDER BY 1",
    )
    tables = {"green_quarantine": 1, "green_trips": 2}
    assert attached == [(f"{table}_2020_{month}", made) for table, made in tables.items() for month in ("03", "04")]
    names = "SELECT relname FROM pg_class WHERE relnamespace = 'taxi'::regnamespace AND relname LIKE '%new%'"
    assert run(loaded, names) == []
    with pytest.raises(
        StoreError, match=r"violates foreign key constraint.*\(Key \(pickup_location_id\)=\([45]\) is not"
    ):
        loaded.replace_month(GREEN, lake.store_clean(staged_clean(tmp_path, "c2", 9, 1, APRIL)), lake)


def _zones(*zones: tuple[int, str]) -> pa.Table:
    columns = [[number for number, _ in zones], *([name for _, name in zones] for _ in range(3))]
    return pa.table(columns, schema=arrow_schema(ZONES))


# ---- to a partition

THINGS = {
    "a view": ("CREATE VIEW public.mine AS SELECT vendor_id FROM taxi.green_trips_2020_03",),
    "an index": ("CREATE INDEX mine ON taxi.green_trips_2020_03 (vendor_id)",),
    "a grant": ("GRANT SELECT ON taxi.green_trips_2020_03 TO pg_monitor",),
    "a grant on a column": ("GRANT SELECT (vendor_id) ON taxi.green_trips_2020_03 TO pg_monitor",),
    "a check": ("ALTER TABLE taxi.green_trips_2020_03 ADD CHECK (vendor_id >= 0)",),
    "a setting": ("ALTER TABLE taxi.green_trips_2020_03 SET (autovacuum_enabled = off)",),
    "a policy": ("CREATE POLICY mine ON taxi.green_trips_2020_03 USING (vendor_id > 0)",),
    "a publication": ("CREATE PUBLICATION mine FOR TABLE taxi.green_trips_2020_03",),
    "statistics": ("CREATE STATISTICS mine ON vendor_id, trip_type FROM taxi.green_trips_2020_03",),
}


@pytest.mark.parametrize("thing", THINGS)
def test_a_partition_that_has_things_of_its_own_stays_and_its_rows_are_replaced(
    loaded: PostgresStore, lake: Lake, tmp_path: Path, thing: str
) -> None:
    run(loaded, "DROP VIEW IF EXISTS public.mine", "DROP PUBLICATION IF EXISTS mine", *THINGS[thing])
    before = number(loaded)
    load(loaded, lake, tmp_path, "c2")
    assert number(loaded) == before
    assert run(loaded, "SELECT data_version FROM taxi.months") == [("c2",)]
    assert loaded.count_months(GREEN) == {MARCH.first_day: MonthCounts(4, 1)}
    loaded.delete_month(GREEN, MARCH.first_day)
    assert number(loaded) == before
    assert loaded.count_months(GREEN) == {}
    load(loaded, lake, tmp_path, "c3")
    assert loaded.count_months(GREEN) == {MARCH.first_day: MonthCounts(4, 1)}
    run(loaded, "DROP PUBLICATION IF EXISTS mine")


def test_a_partition_without_things_of_its_own_is_exchanged(loaded: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    run(
        loaded,
        "ALTER DEFAULT PRIVILEGES IN SCHEMA taxi GRANT SELECT ON TABLES TO pg_monitor",
        "CREATE INDEX ON taxi.green_trips (vendor_id)",
        "ALTER TABLE taxi.green_trips ADD CHECK (vendor_id >= 0)",
    )
    load(loaded, lake, tmp_path, "c2")
    before = number(loaded)
    load(loaded, lake, tmp_path, "c3")
    assert number(loaded) != before
    load(loaded, lake, tmp_path, "c4")
    assert run(loaded, "SELECT has_table_privilege('pg_monitor', 'taxi.green_trips_2020_03', 'SELECT')") == [(True,)]


def test_a_detached_partition_is_not_taken_for_the_months(loaded: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    run(loaded, "ALTER TABLE taxi.green_trips DETACH PARTITION taxi.green_trips_2020_03")
    with pytest.raises(StoreError, match=r"taxi\.green_trips_2020_03 is no partition of taxi\.green_trips: attach it"):
        load(loaded, lake, tmp_path, "c2")
    assert run(loaded, "SELECT count(*) FROM taxi.green_trips_2020_03") == [(4,)]


# ---- to views, zones and tables of one's own


def test_grants_of_readers_outlive_another_shape_of_the_view(loaded: PostgresStore) -> None:
    loaded.refresh_views([GREEN])
    run(
        loaded,
        "DROP VIEW taxi.trips",
        "CREATE VIEW taxi.trips WITH (security_barrier=true) AS SELECT 'green' AS dataset, 1 AS old",
        "GRANT SELECT ON taxi.trips TO pg_monitor WITH GRANT OPTION",
        "GRANT SELECT (dataset, old), UPDATE (dataset) ON taxi.trips TO PUBLIC",
    )
    loaded.refresh_views([GREEN])
    assert run(loaded, "SELECT DISTINCT dataset FROM taxi.trips") == [("green",)]
    given = (
        "SELECT has_table_privilege('pg_monitor', 'taxi.trips', 'SELECT WITH GRANT OPTION'), "
        "has_column_privilege('pg_read_all_settings', 'taxi.trips', 'dataset', 'SELECT'), "
        "has_column_privilege('pg_read_all_settings', 'taxi.trips', 'dataset', 'UPDATE'), "
        "has_column_privilege('pg_read_all_settings', 'taxi.trips', 'vendor', 'SELECT'), "
        "(SELECT reloptions FROM pg_class WHERE oid = 'taxi.trips'::regclass)"
    )
    assert run(loaded, given) == [(True, True, True, False, ["security_barrier=true"])]


def test_a_view_in_the_way_of_another_shape_is_named(loaded: PostgresStore) -> None:
    run(
        loaded,
        "CREATE SCHEMA analyses",
        "CREATE VIEW taxi.trips AS SELECT 1 AS old",
        "CREATE VIEW analyses.mine AS SELECT old FROM taxi.trips",
    )
    try:
        with pytest.raises(
            StoreError, match=r"\(view analyses\.mine depends on view taxi\.trips\).*; drop what depends on it"
        ):
            loaded.refresh_views([GREEN])
        assert run(loaded, "SELECT old FROM analyses.mine") == [(1,)]
    finally:
        run(loaded, "DROP SCHEMA analyses CASCADE")


@pytest.fixture
def published(store: PostgresStore) -> Iterator[PostgresStore]:
    """Every table of the database is published for logical replication."""
    admin = store.url.replace("taxi@", "postgres@")
    with connected(admin) as connection:
        connection.execute("CREATE PUBLICATION everything FOR ALL TABLES")
        yield store
        connection.execute("DROP PUBLICATION everything")


OWN = Table(
    "revenue", "", (Column("borough", ColumnType.TEXT, ""), Column("dollars", ColumnType.DOUBLE, "")), schema="marts"
)


def revenue(*rows: tuple[str | None, float | None]) -> pa.Table:
    return pa.table([[row[0] for row in rows], [row[1] for row in rows]], schema=arrow_schema(OWN))


@pytest.fixture
def marts(store: PostgresStore) -> Iterator[None]:
    yield
    run(store, "DROP SCHEMA IF EXISTS marts CASCADE")


@pytest.mark.usefixtures("marts")
def test_publishing_every_table_stands_in_nobodys_way(published: PostgresStore, lake: Lake, tmp_path: Path) -> None:
    for name in ("Bronx", "Queens"):
        published.replace_table(ZONES, _zones((1, name)))
        published.replace_table(OWN, revenue((name, 1.5)))
        monthly = replace(OWN, name="monthly", columns=(GREEN.trips.columns[0], *OWN.columns))
        rows = revenue((name, 1.5)).add_column(0, "file_month", pa.array([MARCH.first_day]))
        published.replace_table(monthly, rows.cast(arrow_schema(monthly)), MARCH.first_day)
    load(published, lake, tmp_path, "c1")
    with connected(published.url) as reader, reader.transaction():
        reader.execute("SELECT 1 FROM taxi.green_trips")
        load(PostgresStore(published.url, wait_seconds=0.1), lake, tmp_path, "c2")  # deletes in place
    published.delete_month(GREEN, MARCH.first_day)
    for table in ("taxi.zones", "marts.revenue", "marts.monthly"):
        assert run(published, f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%Queens%'") == [(1,)]


def test_a_foreign_key_to_zones_notices_what_has_changed_alone(store: PostgresStore) -> None:
    store.replace_table(ZONES, _zones((1, "a"), (2, "b"), (3, "c")))
    run(store, "CREATE TABLE taxi.mine (zone smallint REFERENCES taxi.zones)", "INSERT INTO taxi.mine VALUES (1), (2)")
    rows = "SELECT location_id, zone, xmin FROM taxi.zones ORDER BY 1"
    before = run(store, rows)
    assert store.replace_table(ZONES, _zones((1, "a"), (2, "b"), (3, "c"))) == 3
    assert run(store, rows) == before  # the same versions of the same rows
    assert store.replace_table(ZONES, _zones((1, "a"), (2, "new"), (4, "d"))) == 3
    after = run(store, rows)
    assert [row[:2] for row in after] == [(1, "a"), (2, "new"), (4, "d")]
    assert after[0] == before[0]
    with pytest.raises(StoreError, match=r"violates foreign key .*Key \(location_id\)=\(1\) is still referenced from"):
        store.replace_table(ZONES, _zones((2, "b")))
    assert run(store, rows) == after


def test_zones_keep_what_was_added_to_them(store: PostgresStore) -> None:
    store.replace_table(ZONES, _zones((1, "a"), (2, "b")))
    run(store, "ALTER TABLE taxi.zones ADD COLUMN mine text DEFAULT 'x', ADD COLUMN told json")
    run(store, "UPDATE taxi.zones SET mine = 'y', told = '[1]'")
    store.replace_table(ZONES, _zones((1, "a"), (2, "new"), (3, "c")))
    found = run(store, "SELECT zone, mine, told FROM taxi.zones ORDER BY location_id")
    assert found == [("a", "y", [1]), ("new", "y", [1]), ("c", "x", None)]


@pytest.mark.usefixtures("marts")
def test_rows_of_ones_own_that_are_the_same_are_not_touched(store: PostgresStore) -> None:
    rows = "SELECT borough, dollars, xmin FROM marts.revenue ORDER BY 1, 2"
    many = revenue(("Bronx", 1.5), ("Bronx", 1.5), (None, float("nan")), ("Queens", None))
    store.replace_table(OWN, many)
    before = run(store, f"SELECT md5(string_agg(r::text, ';')) FROM ({rows}) AS r")
    assert store.replace_table(OWN, many) == 4
    assert run(store, f"SELECT md5(string_agg(r::text, ';')) FROM ({rows}) AS r") == before
    store.replace_table(OWN, revenue(("Bronx", 1.5), ("Queens", None), ("Queens", None), (None, float("nan"))))
    assert [row[0] for row in run(store, rows)] == ["Bronx", "Queens", "Queens", None]


@pytest.mark.usefixtures("marts")
def test_a_primary_key_of_ones_own_is_kept_and_gone_by(store: PostgresStore) -> None:
    store.replace_table(OWN, revenue(("Bronx", 1.0), ("Queens", 2.0)))
    run(
        store,
        "ALTER TABLE marts.revenue ADD PRIMARY KEY (borough)",
        "CREATE TABLE marts.refers (borough text REFERENCES marts.revenue)",
        "INSERT INTO marts.refers VALUES ('Bronx')",
    )
    rows = "SELECT borough, dollars, xmin FROM marts.revenue ORDER BY 1"
    before = run(store, rows)
    store.replace_table(OWN, revenue(("Bronx", 1.0), ("Staten Island", 3.0)))
    assert run(store, rows)[0] == before[0]
    assert [row[:2] for row in run(store, rows)] == [("Bronx", 1.0), ("Staten Island", 3.0)]
    with pytest.raises(StoreError, match=r"could not create unique index.*Key \(borough\)=\(Bronx\) is duplicated"):
        store.replace_table(OWN, revenue(("Bronx", 1.0), ("Bronx", 2.0)))


@pytest.mark.usefixtures("marts")
def test_grants_outlive_other_columns_of_ones_own_table(store: PostgresStore) -> None:
    store.replace_table(OWN, revenue(("Bronx", 1.0)))
    run(store, "GRANT SELECT ON marts.revenue TO pg_monitor")
    other = replace(OWN, columns=(Column("borough", ColumnType.TEXT, ""),))
    store.replace_table(other, pa.table([["Bronx"]], schema=arrow_schema(other)))
    assert run(store, "SELECT has_table_privilege('pg_monitor', 'marts.revenue', 'SELECT')") == [(True,)]
