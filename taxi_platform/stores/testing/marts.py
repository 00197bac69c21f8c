"""What every store that makes marts does, sentence by sentence.

Belongs here: the promises of `taxi_platform.stores.model.MartStore`, with marts recomputed in Python from the rows.
Does not: what one store alone promises, and what marts are for (``docs/marts.md``).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.common import PAYMENT_TYPE
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import FILE_MONTH, ColumnType, Table
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.contracts.unified import UNIFIED_COLUMNS
from taxi_platform.contracts.zones import CONGESTION_ZONE, ZONES
from taxi_platform.errors import StoreError
from taxi_platform.marts import MARTS, marts_of
from taxi_platform.marts.days import CBD_DAY, SERVICE_DAY
from taxi_platform.marts.zones import ZONE_HOUR
from taxi_platform.references import CleanMonth
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.model import StoreOfMarts, TableStore
from taxi_platform.stores.testing.months import APRIL, MARCH, staged_tables
from taxi_platform.stores.testing.tables import Query, rows_of

__all__ = ["MartStoreSuite", "StoreOfMarts", "assert_mart", "assert_marts", "expected_marts"]

GREEN, FHV, FHVHV = CONTRACTS["green"], CONTRACTS["fhv"], CONTRACTS["fhvhv"]
_COMPANIES = {"HV0003": "Uber", "HV0005": "Lyft"}
Row = dict[str, Any]


class MartStoreSuite:
    """Subclass it, and give it a store that has nothing yet."""

    @pytest.fixture
    def store(self) -> StoreOfMarts:
        """A store that has nothing."""
        raise NotImplementedError("give the suite a fixture store")

    @pytest.fixture
    def query(self, store: TableStore) -> Query:
        """Runs SQL at that store as another program would; statements are committed."""
        raise NotImplementedError("give the suite a fixture query")

    @pytest.fixture
    def lake(self, tmp_path: Path) -> Lake:
        return Lake(str(tmp_path / "lake"))

    def test_a_month_s_marts_are_what_its_rows_add_up_to(
        self, store: StoreOfMarts, query: Query, lake: Lake, tmp_path: Path
    ) -> None:
        """Of two datasets and two months; the views have them all, and the grid has every zone and hour."""
        store.replace_table(ZONES, rows_of(ZONES, *((i, "Queens", f"Zone {i}", "Boro Zone") for i in (1, 7, 265))))
        for contract, month, version in (
            (GREEN, MARCH, "c1"),
            (FHV, FHV.month(MARCH.first_day), "c2"),
            (GREEN, APRIL, "c3"),
            (FHVHV, FHVHV.month(MARCH.first_day), "c4"),
        ):
            clean = loaded(store, lake, tmp_path, contract, month.first_day, version)
            made = store.make_marts(contract, marts_of(contract), month.first_day)
            assert (made.changed, made.data_version) == (True, version)
            assert_marts(store, contract, clean, lake)
        store.refresh_mart_views([GREEN, FHV, FHVHV])
        store.refresh_mart_views([GREEN, FHV, FHVHV])
        sql = "SELECT dataset, file_month, sum(trips) FROM taxi.mart_service_day GROUP BY 1, 2 ORDER BY 1, 2"
        months = [("fhv", MARCH.first_day), ("fhvhv", MARCH.first_day), ("green", MARCH.first_day)]
        months.append(("green", APRIL.first_day))
        assert query(sql) == [(*month, len(TRICKY)) for month in months]
        grid = "SELECT dataset, file_month, count(*), count(DISTINCT pickup_hour) FROM taxi.mart_zone_hour_grid"
        assert query(f"{grid} GROUP BY 1, 2 ORDER BY 1, 2") == [
            (dataset, month, 3 * hours, hours)
            for (dataset, month), hours in zip(months, (744, 744, 744, 720), strict=True)
        ]
        found = query("SELECT dataset, sum(trips) FROM taxi.mart_zone_hour_grid WHERE trips > 0 GROUP BY 1 ORDER BY 1")
        on_grid = [r for r in TRICKY if r["pickup_location_id"] in (1, 7, 265) and r["pickup_datetime"] >= timedelta(0)]
        assert found == [("fhv", len(on_grid)), ("fhvhv", len(on_grid)), ("green", 2 * len(on_grid))]

    def test_unchanged_marts_are_left_alone_and_lost_ones_made_again(
        self, store: StoreOfMarts, query: Query, lake: Lake, tmp_path: Path
    ) -> None:
        marts = marts_of(GREEN)
        clean = loaded(store, lake, tmp_path)
        store.make_marts(GREEN, marts, MARCH.first_day)
        before = query("SELECT made_at FROM taxi.mart_months")
        assert not store.make_marts(GREEN, marts, MARCH.first_day).changed
        assert query("SELECT made_at FROM taxi.mart_months") == before
        query("DELETE FROM taxi.green_mart_service_day WHERE trips > 0")
        assert store.make_marts(GREEN, marts, MARCH.first_day).changed
        assert_marts(store, GREEN, clean, lake)
        query(
            "DROP TABLE taxi.green_mart_zone_hour CASCADE"
            if store.kind == "postgres"
            else "DROP TABLE taxi.green_mart_zone_hour"
        )
        assert store.make_marts(GREEN, marts, MARCH.first_day).changed
        assert_marts(store, GREEN, clean, lake)

    def test_a_republished_month_s_marts_are_those_before_until_they_are_made_again(
        self, store: StoreOfMarts, lake: Lake, tmp_path: Path
    ) -> None:
        first = loaded(store, lake, tmp_path)
        store.make_marts(GREEN, marts_of(GREEN), MARCH.first_day)
        april = loaded(store, lake, tmp_path, GREEN, APRIL.first_day, "c7")
        store.make_marts(GREEN, marts_of(GREEN), APRIL.first_day)
        second = loaded(store, lake, tmp_path, version="c2", rows=TRICKY[3:])
        assert_marts(store, GREEN, first, lake)
        held = store.held_marts(GREEN)
        assert {month: {mart.data_version for mart in marts.values()} for month, marts in held.items()} == {
            MARCH.first_day: {"c1"},
            APRIL.first_day: {"c7"},
        }
        assert store.make_marts(GREEN, marts_of(GREEN), MARCH.first_day).changed
        assert {mart.data_version for mart in store.held_marts(GREEN, [MARCH.first_day])[MARCH.first_day].values()} == {
            "c2"
        }
        assert_marts(store, GREEN, second, lake)
        assert_marts(store, GREEN, april, lake)

    def test_a_withdrawn_month_takes_its_marts_with_it(
        self, store: StoreOfMarts, query: Query, lake: Lake, tmp_path: Path
    ) -> None:
        for month in (MARCH, APRIL):
            loaded(store, lake, tmp_path, GREEN, month.first_day, f"c{month.first_day.month}")
            store.make_marts(GREEN, marts_of(GREEN), month.first_day)
        store.delete_month(GREEN, MARCH.first_day)
        assert list(store.held_marts(GREEN)) == [APRIL.first_day]
        for mart in marts_of(GREEN):
            assert query(f"SELECT DISTINCT file_month FROM taxi.green_{mart.name}") == [(APRIL.first_day,)], mart.name

    def test_a_month_that_the_store_does_not_have_has_no_marts(
        self, store: StoreOfMarts, lake: Lake, tmp_path: Path
    ) -> None:
        assert store.held_marts(GREEN) == {}
        loaded(store, lake, tmp_path)
        sentence = "has no marts of green 2020-04, because it does not hold that month: load it first"
        with pytest.raises(StoreError, match=sentence):
            store.make_marts(GREEN, marts_of(GREEN), APRIL.first_day)
        assert store.held_marts(GREEN) == {}

    def test_marts_that_fail_leave_those_before(
        self, store: StoreOfMarts, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whether a later mart's SELECT does not run, or gives rows that do not add up."""
        from taxi_platform.marts import queries

        first = loaded(store, lake, tmp_path)
        store.make_marts(GREEN, marts_of(GREEN), MARCH.first_day)
        before = store.held_marts(GREEN)
        loaded(store, lake, tmp_path, version="c2", rows=TRICKY[3:])
        select = queries.select
        doubled = (
            r"mart_zone_hour of green 2020-03 is not stored: its rows have 40 trips in all, and the month has 20; "
        )
        for count, sentence in (("COUNT(*) + nothing.there", "nothing"), ("2 * COUNT(*)", doubled)):

            def wrong(name: str, dialect: Any, count: str = count) -> str:
                sql = select(name, dialect)
                return sql.replace("COUNT(*)", count, 1) if name == ZONE_HOUR.name else sql

            monkeypatch.setattr(queries, "select", wrong)
            with pytest.raises(StoreError, match=sentence):
                store.make_marts(GREEN, marts_of(GREEN), MARCH.first_day)
            self.assert_as_before(store, first, lake, before)
        monkeypatch.setattr(queries, "select", select)
        assert store.make_marts(GREEN, marts_of(GREEN), MARCH.first_day).changed

    def assert_as_before(self, store: StoreOfMarts, first: CleanMonth, lake: Lake, before: Any) -> None:
        """What a failure leaves."""
        assert store.held_marts(GREEN) == before
        assert_marts(store, GREEN, first, lake)

    def test_another_definition_makes_them_again_and_takes_out_what_is_no_mart_any_more(
        self, store: StoreOfMarts, query: Query, lake: Lake, tmp_path: Path
    ) -> None:
        loaded(store, lake, tmp_path)
        store.make_marts(GREEN, marts_of(GREEN), MARCH.first_day)
        narrower = replace(CBD_DAY, columns=CBD_DAY.columns[:4])
        made = store.make_marts(GREEN, [narrower], MARCH.first_day)
        assert made.changed
        assert list(store.held_marts(GREEN)[MARCH.first_day]) == [CBD_DAY.name]
        assert query("SELECT count(*) FROM taxi.green_mart_zone_hour") == [(0,)]
        assert query("SELECT sum(trips), count(total_cents) FROM taxi.green_mart_cbd_day") == [(len(TRICKY), 0)]


# ---- rows, and what they add up to


def _tricky() -> list[Row]:
    """Rows whose sums differ where rounding, time or nulls do; times are since the month's first instant."""
    amounts = (None, 0.0, 0.29, 1.005, 2.675, 0.125, -0.125, -3.3, 8.9e15, 1e300, 9_999_999.99)
    times = [
        timedelta(hours=hours, seconds=s, microseconds=us)
        for hours in (-5, 0, 1, 49)
        for s, us in ((0, 0), (3_599, 999_999))
    ]
    rows = []
    for i in range(23):
        start = times[i % len(times)]
        rows.append(
            {
                "pickup_datetime": start,
                "dropoff_datetime": start + timedelta(seconds=i * 37, microseconds=i * 99_991),
                "company": (None, "HV0003", "HV0005", "HV9999")[i % 4],
                "payment_type": (None, 1, 2)[i % 3],
                "rate_code_id": (None, 1, 2, 3)[i // 2 % 4],
                "pickup_location_id": (None, 1, 7, 265)[i % 4],
                "dropoff_location_id": (7, 1, None, 161)[i % 4 if i % 5 else 3],
                "passenger_count": (None, 0, 1, 6)[i % 4],
                "amount": amounts[i % len(amounts)],
            }
        )
    return rows


TRICKY = _tricky()
_AMOUNTS = (
    *("trip_distance", "fare_amount", "tip_amount", "tolls_amount", "total_amount"),
    *("congestion_surcharge", "airport_fee", "cbd_congestion_fee"),
)


def loaded(
    store: TableStore,
    lake: Lake,
    folder: Path,
    contract: Contract = GREEN,
    first_day: date = MARCH.first_day,
    version: str = "c1",
    rows: Iterable[Row] = TRICKY,
) -> CleanMonth:
    """A month of such rows, in the lake and in the store."""
    month = contract.month(first_day)
    trips = pa.Table.from_pylist([_trip(contract, first_day, row) for row in rows], arrow_schema(contract.trips))
    rejected = [
        {"file_month": first_day, "raw_row": i, "reasons": reasons, "raw": "{}"}
        for i, reasons in enumerate((["negative_total"], ["negative_total", "void_pair"]))
    ]
    quarantine = pa.Table.from_pylist(rejected, arrow_schema(contract.quarantine))
    clean = lake.store_clean(staged_tables(folder / version, version, month, trips, quarantine))
    store.replace_month(contract, clean, lake)
    return clean


def _trip(contract: Contract, first_day: date, row: Row) -> Row:
    own = {**dict.fromkeys(_AMOUNTS, row["amount"]), **row}
    begin = datetime(first_day.year, first_day.month, 1)
    own |= {name: begin + row[name] for name in ("pickup_datetime", "dropoff_datetime")}
    named = {contract.unified.get(name, name): value for name, value in own.items() if name != "amount"}
    columns = {column.name: column.type for column in contract.trips.columns}
    first = {"vendor_id": 2} if columns.get("vendor_id") is ColumnType.SMALLINT else {}
    if contract is FHVHV:
        first = {"hvfhs_license_num": row["company"]}
    return {**{k: v for k, v in named.items() if k in columns}, **first, FILE_MONTH.name: first_day}


def assert_marts(store: TableStore, contract: Contract, clean: CleanMonth, lake: Lake) -> None:
    """The marts in the store are those that the month's rows in the lake add up to, in the declared types."""
    for mart, rows in expected_marts(contract, clean, lake).items():
        assert_mart(
            store, next(m for m in marts_of(contract) if m.name == mart).table(contract), clean.file_month, rows
        )


def assert_mart(store: TableStore, table: Table, file_month: date, rows: list[Row]) -> None:
    """The mart's table has exactly these rows of the month."""
    found = store.read_months(table.qualified_name, [file_month]).read_all()
    assert _in_order(found.select(table.column_names).to_pylist()) == _in_order(rows), (store.kind, table.name)


def _in_order(rows: list[Row]) -> list[list[tuple[str, str]]]:
    return sorted([(name, str(value)) for name, value in row.items()] for row in rows)


def expected_marts(contract: Contract, clean: CleanMonth, lake: Lake) -> dict[str, list[Row]]:
    """Mart → its rows, added up in Python from the month's objects in the lake."""
    with lake.open_parquet(clean.trips_path) as file:
        trips = [_measured(contract, row) for row in file.read().to_pylist()]
    with lake.open_parquet(clean.quarantine_path) as file:
        rejected = file.read(columns=["reasons"])["reasons"].to_pylist()
    month = {FILE_MONTH.name: clean.file_month}
    expected = {
        SERVICE_DAY.name: [
            {**month, **day, **_sums(rows), **_filled(rows)} for day, rows in _grouped(trips, "pickup_date")
        ],
        "mart_quality_month": [
            {**month, "kind": kind, "name": name, "row_count": count} for kind, name, count in _quality(trips, rejected)
        ],
        ZONE_HOUR.name: [
            {**month, **hour, **_sums(rows)} for hour, rows in _grouped(trips, "pickup_location_id", "pickup_hour")
        ],
        "mart_zone_month": [{**month, **zone, **_sums(rows)} for zone, rows in _grouped(trips, "pickup_location_id")],
        "mart_pair_month": [{**month, **row} for row in _pairs(trips)],
        "mart_fare_histogram": [
            {**month, **fare, "trips": len(rows), "fare_cents": _sum(rows, "fare_cents")}
            for fare, rows in _grouped(trips, "fare_bin")
        ],
        "mart_tips_month": [
            {**month, **by, "payment_type_name": PAYMENT_TYPE.codes.get(by["payment_type"])}
            | {"trips": len(rows), "tipped_trips": _positive(rows, "tip_cents")}
            | {name: _sum(rows, name) for name in ("tip_cents", "fare_cents")}
            for by, rows in _grouped(trips, "payment_type", "pickup_location_id", "miles_bin")
        ],
        "mart_airport_trips": [
            {**month, **by, **_sums(rows), "airport_fee_cents": _sum(rows, "airport_fee_cents")}
            for by, rows in _grouped(
                [trip for trip in trips if trip["is_airport_trip"]],
                *("pickup_date", "pickup_airport", "dropoff_airport", "rate_code_id"),
            )
        ],
        "mart_cbd_day": [
            {**month, **by, **_sums(rows), **_filled(rows), "toll_trips": _positive(rows, "cbd_fee_cents")}
            | {name: _sum(rows, name) for name in ("cbd_fee_cents", "congestion_cents")}
            for by, rows in _grouped(trips, "pickup_date", "pickup_in_cbd", "dropoff_in_cbd")
        ],
        "mart_company_day": [
            {**month, **by, "company": _COMPANIES.get(by["vendor"]), **_sums(rows)}
            for by, rows in _grouped(trips, "pickup_date", "vendor")
        ],
    }
    assert expected.keys() == {mart.name for mart in MARTS}
    return {mart.name: expected[mart.name] for mart in marts_of(contract)}


def _measured(contract: Contract, row: Row) -> Row:
    trip: Row = {name: row.get(contract.unified.get(name, name)) for name, _ in UNIFIED_COLUMNS}
    start, end = trip["pickup_datetime"], trip["dropoff_datetime"]
    seconds = end and int((end.replace(microsecond=0) - start.replace(microsecond=0)).total_seconds())
    names = {"trip_distance": "distance_hundredths", "airport_fee": "airport_fee_cents"}
    names |= {"congestion_surcharge": "congestion_cents", "cbd_congestion_fee": "cbd_fee_cents"}
    names |= {f"{n}_amount": f"{n}_cents" for n in ("fare", "tip", "tolls", "total")}
    whole = {new: _hundredths(trip[old]) for old, new in names.items()}
    ends = [trip[f"{end}_location_id"] for end in ("pickup", "dropoff")]
    airports = [{1: "EWR", 132: "JFK", 138: "LGA"}.get(end) for end in ends]
    in_cbd = [end in CONGESTION_ZONE for end in ends]
    return {
        **trip,
        **whole,
        "minutes_bin": _bin(seconds, 60, 180),
        "fare_bin": _bin(whole["fare_cents"], 100, 300),
        "miles_bin": _bin(whole["distance_hundredths"], 100, 50),
        "pickup_airport": airports[0],
        "dropoff_airport": airports[1],
        "is_airport_trip": any(airports) or trip["rate_code_id"] in (2, 3),
        "pickup_in_cbd": in_cbd[0],
        "dropoff_in_cbd": in_cbd[1],
        "pickup_date": start.date(),
        "pickup_hour": start.replace(minute=0, second=0, microsecond=0),
        "duration_seconds": seconds,
    }


def _hundredths(amount: float | None) -> int | None:
    if amount is None or abs(amount) >= 1e7:
        return None
    return int(math.copysign(math.floor(abs(amount) * 100 + 0.5), amount))


def _bin(value: int | None, width: int, last: int) -> int | None:
    return None if value is None else max(-1, min(value // width, last))


def _pairs(trips: list[Row]) -> Iterator[Row]:
    """Rows of mart_pair_month: those of a bin of minutes beside those of the same bin of dollars."""
    for pair, rows in _grouped(trips, "pickup_location_id", "dropoff_location_id"):
        for n in {row[name] for row in rows for name in ("minutes_bin", "fare_bin")}:
            lasted = [row for row in rows if row["minutes_bin"] == n]
            cost = [row for row in rows if row["fare_bin"] == n]
            counts = {"trips": len(lasted), "fare_trips": len(cost)}
            sums = {name: _sum(lasted, name) for name in ("distance_hundredths", "duration_seconds")}
            yield {**pair, "bin": n, **counts, **sums, "fare_cents": _sum(cost, "fare_cents")}


def _positive(rows: list[Row], name: str) -> int:
    return sum((row[name] or 0) > 0 for row in rows)


def _grouped(trips: list[Row], *by: str) -> list[tuple[Row, list[Row]]]:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for trip in trips:
        groups[tuple(trip[name] for name in by)].append(trip)
    return [(dict(zip(by, key, strict=True)), rows) for key, rows in groups.items()]


def _sums(rows: list[Row]) -> Row:
    names = ("distance_hundredths", "duration_seconds", "fare_cents", "tip_cents", "tolls_cents", "total_cents")
    summed = {"passengers": _sum(rows, "passenger_count"), **{name: _sum(rows, name) for name in names}}
    return {"trips": len(rows), **summed}


def _sum(rows: list[Row], name: str) -> int | None:
    values = [row[name] for row in rows if row[name] is not None]
    return sum(values) if values else None


def _filled(rows: list[Row]) -> Row:
    of = {
        "measured": "distance_hundredths",
        "timed": "duration_seconds",
        "fared": "fare_cents",
        "charged": "total_cents",
    }
    return {f"{name}_trips": sum(row[column] is not None for row in rows) for name, column in of.items()}


def _quality(trips: list[Row], rejected: list[list[str]]) -> list[tuple[str, str | None, int]]:
    counted = [
        ("raw", None, len(trips) + len(rejected)),
        ("trips", None, len(trips)),
        ("quarantine", None, len(rejected)),
    ]
    reasons = Counter(reason for reasons in rejected for reason in reasons)
    names = [name for name, _ in UNIFIED_COLUMNS if name != FILE_MONTH.name]
    nulls = [("null", name, sum(row[name] is None for row in trips)) for name in names]
    return [*counted, *(("reason", name, count) for name, count in reasons.items()), *nulls]
