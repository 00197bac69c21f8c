"""What every store of tables does, sentence by sentence.

Belongs here: the promises of `taxi_platform.stores.model.TableStore` and of owning a store. Does not: several processes
at one store (``sharing``).

A store's own tests have a class that makes it::

    class TestMyStore(TableStoreSuite):
        double = "REAL"

        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path / "tables")

        @pytest.fixture
        def query(self, store):
            return lambda sql: store.connect().execute(sql).fetchall()
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, cast

import pyarrow as pa
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType, Table
from taxi_platform.contracts.schemas import arrow_schema, describe
from taxi_platform.contracts.unified import UNIFIED
from taxi_platform.contracts.values.limits import FIRST_INSTANT, LAST_INSTANT
from taxi_platform.contracts.zones import ZONES
from taxi_platform.errors import StoreError
from taxi_platform.references import CleanMonth, MonthCounts
from taxi_platform.stores.bookkeeping import MONTHS
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import HeldMonth, TableStore
from taxi_platform.stores.ownership import LAKE, adopt, claim, stranger
from taxi_platform.stores.postgres.layer import POSTGRES
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_clean, staged_raw, staged_tables
from taxi_platform.stores.warehouse import WAREHOUSE

__all__ = ["Query", "TableStoreSuite", "assert_same_cells"]

Query = Callable[[str], list[tuple[Any, ...]]]
GREEN, YELLOW = CONTRACTS["green"], CONTRACTS["yellow"]
TRIPS = "taxi.green_trips"
OWN = Table(
    "own",
    "A user's own table.",
    (FILE_MONTH, Column("borough", ColumnType.TEXT, "Of the pickup."), Column("trips", ColumnType.BIGINT, "How many.")),
    schema="marts",
)
"""What is in no contract; each test finds none of it."""

_NO_QUERIES = (
    "DELETE FROM {trips} WHERE vendor_id IS NULL",
    "DROP TABLE {trips}",
    "CREATE TABLE more AS SELECT * FROM {trips}",
    "SELECT 1; DELETE FROM {trips} WHERE true",
    "COMMIT; DELETE FROM {trips} WHERE true",
    "SELECT surely FROM {trips}",
    "SELEKT",
    "",
)

_CELLS: dict[ColumnType, tuple[Any, ...]] = {
    ColumnType.SMALLINT: (None, 0, -(2**15), 2**15 - 1),
    ColumnType.INTEGER: (None, 0, -(2**31), 2**31 - 1),
    ColumnType.BIGINT: (None, 0, -(2**63), 2**63 - 1),
    ColumnType.DOUBLE: (None, 0.0, 0.1 + 0.2, -1e-300, 5e-324, 1.7976931348623157e308, 2.0**53 + 2),
    ColumnType.TEXT: (
        None,
        "",
        " lead",
        "tail ",
        "é€\U0001f695",
        'say "hi"',
        "a\tb\r\nc",
        "\\N",
        "\\x00",
        "NULL",
        "\x01",
    ),
    ColumnType.TEXT_LIST: (["a"], ['"', "\\", "{a,b}"], ["é", "a"]),
    ColumnType.TIMESTAMP: (None, FIRST_INSTANT, LAST_INSTANT, datetime(2020, 3, 1, 2, 30, 0, 1)),
    ColumnType.DATE: (None, date(1, 1, 1), date(9999, 12, 31)),
    ColumnType.BOOLEAN: (None, True, False),
    ColumnType.BINARY: (None, b"", b"\0\x01\xff", b"\\x00", b'"\n,'),
}
"""Values of each type: empty ones, the limits of what all stores hold, and ones that some format could confuse."""


class TableStoreSuite:
    """Subclass it, and give it a store that has nothing yet."""

    double: ClassVar[str]
    """What the store's errors call the type of `ColumnType.DOUBLE`."""
    other_months_rows: ClassVar[str] = "is not loaded"
    """What it says, as a pattern, of rows that are not of the month that they are loaded as."""

    @pytest.fixture
    def store(self) -> TableStore:
        """A store that has nothing, and waits for others for seconds at most."""
        raise NotImplementedError("give the suite a fixture store")

    @pytest.fixture
    def query(self, store: TableStore) -> Query:
        """Runs SQL at that store as another program would; statements are committed."""
        raise NotImplementedError("give the suite a fixture query")

    @pytest.fixture
    def own(self) -> Table:
        """The declaration of a table that is in no contract, of which the store has none."""
        return OWN

    def name_of(self, store: TableStore, table: str) -> str:
        """The store's full name of a table."""
        del store
        return table

    def sql_name_of(self, store: TableStore, table: str) -> str:
        """The table's name in a query."""
        del store
        return table

    @pytest.fixture
    def lake(self, tmp_path: Path) -> Lake:
        return Lake(str(tmp_path / "lake"))

    # ---- queries of people

    def test_a_query_is_answered_in_the_stores_own_sql(self, store: TableStore, lake: Lake, tmp_path: Path) -> None:
        store.replace_month(GREEN, clean(lake, tmp_path, trips=7, quarantined=2), lake)
        table = self.sql_name_of(store, TRIPS)
        with store.query(f"SELECT file_month, count(*) AS trips FROM {table} GROUP BY file_month") as rows:
            assert [(str(row["file_month"]), row["trips"]) for row in rows.read_all().to_pylist()] == [
                ("2020-03-01", 7)
            ]
        with store.query(f"SELECT vendor_id, file_month FROM {table} WHERE 1 = 0") as rows:
            assert rows.schema.names == ["vendor_id", "file_month"]
            assert rows.read_all().num_rows == 0

    def test_what_can_be_queried_is_listed(self, store: TableStore, lake: Lake, tmp_path: Path) -> None:
        store.replace_table(ZONES, zones())
        store.replace_month(GREEN, clean(lake, tmp_path), lake)
        store.refresh_views([GREEN])
        found = store.tables()
        assert list(found) == sorted(found)
        made = (GREEN.trips, GREEN.quarantine, MONTHS, UNIFIED, ZONES)
        names = {self.sql_name_of(store, table.qualified_name) for table in made}
        (schema,) = {name.partition(".")[0] for name in names}
        assert {name for name in found if name.startswith(f"{schema}.")} == names
        for name in names:
            with store.query(f"SELECT * FROM {name}") as rows:
                assert rows.schema.names

    def test_what_is_no_query_is_refused_and_changes_nothing(
        self, store: TableStore, lake: Lake, tmp_path: Path
    ) -> None:
        store.replace_month(GREEN, clean(lake, tmp_path, trips=7), lake)
        for sql in _NO_QUERIES:
            with pytest.raises(StoreError):
                store.query(sql.format(trips=self.sql_name_of(store, TRIPS))).read_all()
        assert store.count_months(GREEN)[MARCH.first_day].trips == 7

    # ---- months

    def test_a_store_without_the_table_counts_nothing_and_says_so_when_read(self, store: TableStore) -> None:
        assert store.count_months(GREEN) == {}
        assert store.held_months(GREEN) == {}
        store.delete_month(GREEN, MARCH.first_day)
        with pytest.raises(StoreError, match=r"has no table taxi\.green_trips: materialize its months first"):
            store.read_months(TRIPS, [MARCH.first_day])

    def test_a_month_is_counted_as_it_was_cleaned(self, store: TableStore, lake: Lake, tmp_path: Path) -> None:
        loaded = store.replace_month(GREEN, clean(lake, tmp_path, trips=7, quarantined=2), lake)
        name = self.name_of(store, TRIPS)
        assert (loaded.counts, loaded.changed, loaded.table) == (MonthCounts(7, 2), True, name)
        assert store.count_months(GREEN) == {date(2020, 3, 1): MonthCounts(7, 2)}
        assert store.count_months(YELLOW) == {}

    def test_a_new_version_replaces_its_own_month_only(self, store: TableStore, lake: Lake, tmp_path: Path) -> None:
        store.replace_month(GREEN, clean(lake, tmp_path, trips=7), lake)
        store.replace_month(GREEN, april(lake, tmp_path), lake)
        store.replace_month(GREEN, clean(lake, tmp_path, "c2", trips=3, quarantined=6), lake)
        assert store.count_months(GREEN) == {date(2020, 3, 1): MonthCounts(3, 6), date(2020, 4, 1): MonthCounts(5, 0)}

    def test_months_are_counted_of_those_that_are_asked_for(
        self, store: TableStore, lake: Lake, tmp_path: Path
    ) -> None:
        store.replace_month(GREEN, clean(lake, tmp_path), lake)
        store.replace_month(GREEN, april(lake, tmp_path), lake)
        assert store.count_months(GREEN, [APRIL.first_day]) == {APRIL.first_day: MonthCounts(5, 0)}
        assert store.count_months(GREEN, [date(2020, 5, 1)]) == {}
        assert store.count_months(GREEN, []) == {}

    def test_an_unchanged_month_is_left_alone(
        self, store: TableStore, query: Query, lake: Lake, tmp_path: Path
    ) -> None:
        month = clean(lake, tmp_path)
        store.replace_month(GREEN, month, lake)
        before = query("SELECT loaded_at FROM taxi.months")
        assert not store.replace_month(GREEN, month, lake).changed
        assert query("SELECT loaded_at FROM taxi.months") == before

    def test_a_month_that_lost_rows_is_loaded_again(
        self, store: TableStore, query: Query, lake: Lake, tmp_path: Path
    ) -> None:
        month = clean(lake, tmp_path)
        store.replace_month(GREEN, month, lake)
        query("DELETE FROM taxi.green_trips WHERE vendor_id = 0")
        assert store.replace_month(GREEN, month, lake).changed
        assert store.count_months(GREEN) == {date(2020, 3, 1): MonthCounts(4, 1)}

    def test_equal_counts_of_another_version_are_told_apart_and_loaded(
        self, store: TableStore, query: Query, lake: Lake, tmp_path: Path
    ) -> None:
        store.replace_month(GREEN, clean(lake, tmp_path, "c1"), lake)
        store.replace_month(GREEN, lake.store_clean(staged_clean(tmp_path, "c7", 5, 0, APRIL)), lake)
        assert store.held_months(GREEN, [MARCH.first_day]) == {date(2020, 3, 1): HeldMonth(MonthCounts(4, 1), "c1")}
        assert store.replace_month(GREEN, clean(lake, tmp_path, "c2"), lake).changed
        expected = [HeldMonth(MonthCounts(4, 1), "c2"), HeldMonth(MonthCounts(5, 0), "c7")]
        assert store.held_months(GREEN) == dict(zip((date(2020, 3, 1), date(2020, 4, 1)), expected, strict=True))
        assert store.held_months(GREEN, []) == {}
        query("DELETE FROM taxi.green_trips WHERE vendor_id = 0 AND file_month = DATE '2020-03-01'")
        assert store.held_months(GREEN)[date(2020, 3, 1)].counts.trips < 4

    def test_a_dropped_table_is_made_again(self, store: TableStore, query: Query, lake: Lake, tmp_path: Path) -> None:
        month = clean(lake, tmp_path)
        store.replace_month(GREEN, month, lake)
        query("DROP TABLE taxi.green_quarantine")
        assert store.replace_month(GREEN, month, lake).counts == MonthCounts(4, 1)

    @pytest.mark.parametrize(
        "lie",
        [{"trips_rows": 5, "raw_rows": 6}, {"quarantined_rows": 0, "raw_rows": 4}, {"raw_rows": 6}],
        ids=["more trips", "less quarantine", "not conserved"],
    )
    def test_rows_that_do_not_add_up_leave_the_month_before(
        self, store: TableStore, query: Query, lake: Lake, tmp_path: Path, lie: dict[str, int]
    ) -> None:
        month = clean(lake, tmp_path)
        store.replace_month(GREEN, month, lake)
        wrong = replace(month, facts=replace(month.facts, version="c2", **lie))  # type: ignore[arg-type]
        with pytest.raises(StoreError, match=r"green 2020-03 is not loaded: .* clean the month again$"):
            store.replace_month(GREEN, wrong, lake)
        assert store.count_months(GREEN) == {date(2020, 3, 1): MonthCounts(4, 1)}
        assert query("SELECT data_version FROM taxi.months") == [("c1",)]

    def test_rows_of_another_file_month_are_refused(self, store: TableStore, lake: Lake, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=self.other_months_rows):
            store.replace_month(GREEN, replace(april(lake, tmp_path, 4, 1), month=MARCH), lake)
        assert store.count_months(GREEN) == {}

    def test_deleting_takes_out_one_month(self, store: TableStore, query: Query, lake: Lake, tmp_path: Path) -> None:
        store.delete_month(GREEN, MARCH.first_day)
        store.replace_month(GREEN, clean(lake, tmp_path), lake)
        store.replace_month(GREEN, april(lake, tmp_path), lake)
        store.delete_month(GREEN, MARCH.first_day)
        assert store.count_months(GREEN) == {date(2020, 4, 1): MonthCounts(5, 0)}
        assert query("SELECT file_month FROM taxi.months") == [(date(2020, 4, 1),)]

    def test_months_of_two_datasets_share_the_store(self, store: TableStore, lake: Lake, tmp_path: Path) -> None:
        store.replace_month(GREEN, april(lake, tmp_path), lake)
        yellow = staged_clean(tmp_path, "c1", 20, 2, YELLOW.month(APRIL.first_day))
        store.replace_month(YELLOW, lake.store_clean(yellow), lake)
        assert store.count_months(GREEN) == {APRIL.first_day: MonthCounts(5, 0)}
        assert store.count_months(YELLOW) == {APRIL.first_day: MonthCounts(20, 2)}
        store.delete_month(YELLOW, APRIL.first_day)
        assert store.count_months(GREEN) == {APRIL.first_day: MonthCounts(5, 0)}

    # ---- cells

    def test_rows_come_back_as_they_went_in(self, store: TableStore, lake: Lake, tmp_path: Path) -> None:
        month = clean(lake, tmp_path, trips=300)
        store.replace_month(GREEN, month, lake)
        got = store.read_months(TRIPS, [MARCH.first_day]).read_all()
        assert got.schema == arrow_schema(GREEN.trips)
        with lake.open_parquet(month.trips_path) as file:
            assert got.sort_by("pickup_datetime").equals(file.read().sort_by("pickup_datetime"))
        rejected = store.read_months("taxi.green_quarantine", [MARCH.first_day]).read_all()
        with lake.open_parquet(month.quarantine_path) as file:
            assert rejected.equals(file.read())

    @pytest.mark.parametrize("dataset", list(CONTRACTS))
    def test_every_contract_s_every_type_holds_what_every_store_holds(
        self, store: TableStore, lake: Lake, tmp_path: Path, dataset: str
    ) -> None:
        contract = CONTRACTS[dataset]
        month = contract.month(MARCH.first_day)
        staged = staged_tables(tmp_path, "c1", month, _cells(contract.trips), _cells(contract.quarantine))
        stored = lake.store_clean(staged)
        counts = MonthCounts(stored.facts.trips_rows, stored.facts.quarantined_rows)
        assert store.replace_month(contract, stored, lake).counts == counts
        for table in (contract.trips, contract.quarantine):
            assert store.read_months(table.qualified_name, None).schema == arrow_schema(table)
        assert_same_cells(store, contract, stored, lake)

    def test_reading_selects_columns_and_months(self, store: TableStore, lake: Lake, tmp_path: Path) -> None:
        store.replace_month(GREEN, clean(lake, tmp_path), lake)
        store.replace_month(GREEN, april(lake, tmp_path), lake)
        got = store.read_months(TRIPS, [APRIL.first_day], ["trip_distance", "file_month"]).read_all()
        assert got.column_names == ["trip_distance", "file_month"]
        assert got["file_month"].to_pylist() == [date(2020, 4, 1)] * 5
        with pytest.raises(StoreError, match=r"taxi\.green_trips has no column fare: it has file_month, vendor_id"):
            store.read_months(TRIPS, [APRIL.first_day], ["fare"])

    def test_a_column_that_the_contract_gained_is_null(
        self, store: TableStore, query: Query, lake: Lake, tmp_path: Path
    ) -> None:
        store.replace_month(GREEN, clean(lake, tmp_path), lake)
        gained = Column("surge", ColumnType.DOUBLE, "How much dearer the trip was.")
        later = replace(GREEN, columns=(*GREEN.columns, gained))
        store.replace_month(later, april(lake, tmp_path), lake)
        assert query("SELECT count(*), count(surge) FROM taxi.green_trips") == [(9, 0)]
        surge = store.read_months(TRIPS, [MARCH.first_day], ["surge"])
        assert surge.schema.field("surge").metadata == {b"description": b"How much dearer the trip was."}
        assert surge.read_all()["surge"].to_pylist() == [None] * 4

    def test_the_view_has_a_column_that_the_contract_gained(
        self, store: TableStore, query: Query, lake: Lake, tmp_path: Path
    ) -> None:
        store.replace_month(GREEN, clean(lake, tmp_path), lake)
        store.refresh_views([GREEN])
        gained = Column("surge", ColumnType.DOUBLE, "How much dearer the trip was.")
        later = replace(GREEN, columns=(*GREEN.columns, gained), unified={**GREEN.unified, "airport_fee": "surge"})
        store.refresh_views([later])
        assert query("SELECT count(*), count(airport_fee) FROM taxi.trips") == [(4, 0)]
        store.replace_month(later, april(lake, tmp_path), lake)
        assert query("SELECT count(*) FROM taxi.trips") == [(9,)]

    def test_a_column_of_another_type_is_refused_by_name(self, store: TableStore, lake: Lake, tmp_path: Path) -> None:
        store.replace_month(GREEN, clean(lake, tmp_path), lake)
        other = tuple(replace(c, type=ColumnType.TEXT) if c.name == "extra" else c for c in GREEN.columns)
        with pytest.raises(StoreError, match=rf"column extra of taxi\.green_trips is {self.double}\b"):
            store.replace_month(replace(GREEN, columns=other), clean(lake, tmp_path, "c2"), lake)
        assert store.held_months(GREEN)[MARCH.first_day].data_version == "c1"

    # ---- tables that are replaced as they are, and views

    def test_zones_keep_their_text_and_are_replaced_as_a_whole(self, store: TableStore, query: Query) -> None:
        assert store.replace_table(ZONES, zones()) == 3
        assert store.replace_table(ZONES, zones()) == 3
        found = query("SELECT zone, service_zone FROM taxi.zones ORDER BY location_id")
        assert found == [("Newark Airport", "EWR"), ("NV", "N/A"), ("NA", "N/A")]

    def test_the_view_unites_datasets_and_names_zones(
        self, store: TableStore, query: Query, lake: Lake, tmp_path: Path
    ) -> None:
        store.refresh_views(list(CONTRACTS.values()))
        store.replace_month(GREEN, clean(lake, tmp_path), lake)
        store.refresh_views(list(CONTRACTS.values()))
        assert query("SELECT dataset, count(*), count(pickup_zone) FROM taxi.trips GROUP BY 1") == [("green", 4, 0)]
        store.replace_table(ZONES, zones())
        found = query("SELECT pickup_zone FROM taxi.trips WHERE pickup_location_id = 1")
        assert found == [("Newark Airport",)]
        view = store.existing_table(UNIFIED.qualified_name)
        assert view is not None
        declared = [(column.name, column.type, describe(column)) for column in UNIFIED.columns]
        assert [(column.name, column.type, column.description) for column in view.columns] == declared

    def test_the_view_derives_the_same_in_every_store(
        self, store: TableStore, query: Query, lake: Lake, tmp_path: Path
    ) -> None:
        noon = datetime(2020, 3, 5, 12)
        taxis = [
            {"dropoff_datetime": noon + timedelta(minutes=10), "trip_distance": 2.0, "payment_type": 1, "trip_type": 2},
            {"dropoff_datetime": noon, "pickup_location_id": 132, "fare_amount": 10.0, "rate_code_id": 2},
            {"dropoff_datetime": noon + timedelta(hours=7), "vendor_id": 2, "dropoff_location_id": 1},
        ]
        given = [{"file_month": MARCH.first_day, "pickup_datetime": noon, **taxi} for taxi in taxis]
        trips = pa.Table.from_pylist(given, schema=arrow_schema(GREEN.trips))
        rejected = arrow_schema(GREEN.quarantine).empty_table()
        store.replace_month(GREEN, lake.store_clean(staged_tables(tmp_path, "c1", MARCH, trips, rejected)), lake)
        store.refresh_views([GREEN])
        names = "vendor_name, payment_type_name, rate_code_name, trip_type_name, pickup_airport, dropoff_airport"
        assert query(f"SELECT duration_seconds, {names} FROM taxi.trips ORDER BY duration_seconds") == [
            (0, None, None, "JFK", None, "JFK", None),
            (600, None, "credit card", None, "dispatch", None, None),
            (25_200, "Curb Mobility (VeriFone)", None, None, None, None, "EWR"),
        ]
        names = "speed_mph, is_airport_trip, is_plausible"
        assert query(f"SELECT {names} FROM taxi.trips ORDER BY duration_seconds") == [
            (None, True, False),
            (12.0, False, True),
            (None, True, False),
        ]

    def test_a_table_of_ones_own_is_replaced_as_a_whole_with_its_columns(self, store: TableStore, own: Table) -> None:
        assert store.existing_table(own.qualified_name) is None
        assert store.replace_table(own, rows_of(own, (MARCH.first_day, "Queens", 1), (APRIL.first_day, None, 2))) == 2
        found = store.existing_table(own.qualified_name)
        assert found is not None
        assert [(c.name, c.type) for c in found.columns] == [(c.name, c.type) for c in own.columns]
        narrower = replace(own, columns=own.columns[:2])
        assert store.replace_table(narrower, rows_of(narrower, (APRIL.first_day, "Bronx"))) == 1
        assert read(store, narrower) == [{"file_month": APRIL.first_day, "borough": "Bronx"}]

    def test_a_month_of_a_table_of_ones_own_is_replaced_alone(self, store: TableStore, own: Table) -> None:
        for month, trips in ((MARCH.first_day, 1), (APRIL.first_day, 2), (MARCH.first_day, 3)):
            store.replace_table(own, rows_of(own, (month, "Queens", trips)), month)
        assert [row["trips"] for row in read(store, own)] == [3, 2]
        gained = replace(own, columns=(*own.columns, Column("share", ColumnType.DOUBLE, "Of all.")))
        store.replace_table(gained, rows_of(gained, (APRIL.first_day, "Bronx", 4, 0.5)), APRIL.first_day)
        assert [(row["trips"], row["share"]) for row in read(store, gained)] == [(3, None), (4, 0.5)]
        store.replace_table(own, rows_of(own, (APRIL.first_day, "Bronx", 5)), APRIL.first_day)
        assert [(row["trips"], row["share"]) for row in read(store, gained)] == [(3, None), (5, None)]
        assert len(store.read_months(own.qualified_name, [APRIL.first_day]).read_all()) == 1

    @pytest.mark.parametrize("month", [None, MARCH.first_day], ids=["as a whole", "of one month"])
    def test_rows_that_break_off_leave_the_table_before(
        self, store: TableStore, own: Table, month: date | None
    ) -> None:
        store.replace_table(own, rows_of(own, (MARCH.first_day, "Queens", 1)), month)

        def breaking_off() -> Iterator[pa.RecordBatch]:
            yield from rows_of(own, (MARCH.first_day, "Bronx", 2)).to_batches()
            raise OSError("the rows broke off")

        with pytest.raises((OSError, StoreError), match="the rows broke off"):
            store.replace_table(own, pa.RecordBatchReader.from_batches(arrow_schema(own), breaking_off()), month)
        assert [row["trips"] for row in read(store, own)] == [1]

    # ---- whose months they are

    def test_the_first_lake_that_loads_has_the_store_and_another_is_refused(
        self, store: TableStore, tmp_path: Path
    ) -> None:
        ours, theirs = lake_with_a_month(tmp_path / "ours"), lake_with_a_month(tmp_path / "theirs")
        assert stranger(store, POSTGRES, theirs) is None, "looking takes no store"
        claim(store, POSTGRES, ours)
        claim(store, POSTGRES, ours)
        with pytest.raises(StoreError, match=r"postgres holds the months of another lake .* say taxi adopt postgres"):
            claim(store, POSTGRES, theirs)
        assert "holds the months of another lake" in (stranger(store, POSTGRES, theirs) or "")
        assert stranger(store, POSTGRES, ours) is None
        assert adopt(store, theirs)
        assert not adopt(store, theirs)
        claim(store, POSTGRES, theirs)
        with pytest.raises(StoreError, match="another lake"):
            claim(store, POSTGRES, ours)

    def test_a_lake_that_comes_between_look_and_claim_has_the_store(self, store: TableStore, tmp_path: Path) -> None:
        ours, theirs = lake_with_a_month(tmp_path / "ours"), lake_with_a_month(tmp_path / "theirs")
        late = _after_its_first_look(store, lambda: claim(store, WAREHOUSE, theirs))
        with pytest.raises(StoreError, match="another lake"):
            claim(late, WAREHOUSE, ours)
        claim(store, WAREHOUSE, theirs)
        assert store.read_months(LAKE.qualified_name, None).read_all().num_rows == 1

    def test_of_many_lakes_that_claim_at_once_one_has_the_store(self, store: TableStore, tmp_path: Path) -> None:
        lakes = [lake_with_a_month(tmp_path / str(number)) for number in range(4)]
        all_have_looked = threading.Barrier(len(lakes))

        def claimed(lake: Lake) -> bool:
            late = _after_its_first_look(store, all_have_looked.wait)
            with contextlib.suppress(StoreError):
                claim(late, WAREHOUSE, lake)
            return stranger(store, WAREHOUSE, lake) is None

        with ThreadPoolExecutor(len(lakes)) as pool:
            assert sorted(pool.map(claimed, lakes)) == [False, False, False, True]
        assert store.read_months(LAKE.qualified_name, None).read_all().num_rows == 1

    def test_a_table_with_rows_is_not_filled_again(self, store: TableStore) -> None:
        first, second = (rows_of(LAKE, (name, "published", datetime(2026, 1, 1))) for name in ("one", "two"))
        assert store.fill_table(LAKE, first)
        assert not store.fill_table(LAKE, second)
        assert store.read_months(LAKE.qualified_name, None).read_all().to_pylist() == first.to_pylist()

    def test_a_store_of_before_is_the_next_lakes(self, store: TableStore, tmp_path: Path) -> None:
        lake = lake_with_a_month(tmp_path)
        store.replace_month(GREEN, lake.store_clean(staged_clean(tmp_path)), lake)
        claim(store, WAREHOUSE, lake)
        with pytest.raises(StoreError, match="say taxi adopt warehouse"):
            claim(store, WAREHOUSE, lake_with_a_month(tmp_path / "another"))


def _after_its_first_look(store: TableStore, meanwhile: Callable[[], object]) -> TableStore:
    """The store, at which that happens just after it was first asked for a table."""
    happens = [meanwhile]

    class Late:
        def existing_table(self, table: str) -> Table | None:
            found = store.existing_table(table)
            if happens:
                happens.pop()()
            return found

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

    return cast("TableStore", Late())


def assert_same_cells(store: TableStore, contract: Contract, month: CleanMonth, lake: Lake) -> None:
    """The store's rows of a month are the lake's, cell by cell, in whatever order."""
    for table, path in ((contract.trips, month.trips_path), (contract.quarantine, month.quarantine_path)):
        with lake.open_parquet(path) as file:
            there = _sorted(file.read())
        here = _sorted(store.read_months(table.qualified_name, [month.file_month]).read_all())
        assert len(here) == len(there), (store.kind, table.name)
        rows = zip(here, there, strict=True)
        different = {cells for pair in rows for cells in zip(*pair, strict=True) if cells[0] != cells[1]}
        assert different == set(), (store.kind, table.name)


def _sorted(rows: pa.Table) -> list[list[tuple[str, str]]]:
    return sorted([(name, _value(value)) for name, value in row.items()] for row in rows.to_pylist())


def _value(value: Any) -> str:
    """Its Python form; SQL does not tell -0.0 from 0.0, and not every emulator keeps it."""
    return repr(value + 0.0 if isinstance(value, float) else value)


def _cells(table: Table) -> pa.Table:
    """Rows that have every cell of every column's type at least once."""
    columns = {c.name: [v for v in _CELLS[c.type] if v is not None or c.nullable] for c in table.columns}
    columns[FILE_MONTH.name] = [MARCH.first_day]
    count = max(map(len, columns.values()))
    rows = {name: [values[i % len(values)] for i in range(count)] for name, values in columns.items()}
    return pa.table(rows, schema=arrow_schema(table))


def clean(lake: Lake, folder: Path, version: str = "c1", trips: int = 4, quarantined: int = 1) -> CleanMonth:
    return lake.store_clean(staged_clean(folder, version, trips, quarantined))


def april(lake: Lake, folder: Path, trips: int = 5, quarantined: int = 0) -> CleanMonth:
    return lake.store_clean(staged_clean(folder, "c1", trips, quarantined, APRIL))


def lake_with_a_month(folder: Path) -> Lake:
    """A lake that has an identity: it holds a raw month."""
    lake = Lake(str(folder / "lake"))
    lake.store_raw(staged_raw(folder))
    return lake


def zones() -> pa.Table:
    rows = [(1, "EWR", "Newark Airport", "EWR"), (264, "Unknown", "NV", "N/A"), (265, "Unknown", "NA", "N/A")]
    return rows_of(ZONES, *rows)


def rows_of(table: Table, *rows: tuple[Any, ...]) -> pa.Table:
    return pa.Table.from_pylist(
        [dict(zip(table.column_names, row, strict=True)) for row in rows], schema=arrow_schema(table)
    )


def read(store: TableStore, table: Table) -> list[dict[str, Any]]:
    """Rows of a table of one's own, by month."""
    rows: list[dict[str, Any]] = store.read_months(table.qualified_name, None).read_all().to_pylist()
    return sorted(rows, key=lambda row: row["file_month"])
