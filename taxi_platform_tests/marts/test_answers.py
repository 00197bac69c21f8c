"""Marts of real months, and the ten questions of docs/questions.md, beside the same by pandas from the trips."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.common import PAYMENT_TYPE
from taxi_platform.marts import MARTS
from taxi_platform.stores.bigquery.store import BigQueryStore
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform.stores.postgres.store import PostgresStore
from taxi_platform.stores.testing.marts import StoreOfMarts
from taxi_platform.stores.testing.tables import Query
from taxi_platform_tests.marts.real import RealMonths, filled, real_months
from taxi_platform_tests.stores.conftest import connected
from taxi_platform_tests.support.postgres import new_database

PAGE = Path(__file__).resolve().parents[2] / "docs" / "questions.md"
JANUARY = date(2020, 1, 1)
SUMS = (
    *("distance_hundredths", "duration_seconds", "fare_cents", "tip_cents", "tolls_cents", "total_cents"),
    "passengers",
)


@pytest.fixture(scope="module")
def months(tlc: Path, tmp_path_factory: pytest.TempPathFactory) -> RealMonths:
    return real_months(tlc, tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="module", params=["duckdb", "postgres", pytest.param("bigquery", marks=pytest.mark.long)])
def store(
    request: pytest.FixtureRequest, months: RealMonths, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StoreOfMarts]:
    if request.param == "duckdb":
        with filled(DuckDBStore(tmp_path_factory.mktemp("duckdb") / "w.duckdb"), months) as made:
            yield made
    elif request.param == "postgres":
        with filled(PostgresStore(new_database(request.getfixturevalue("postgres_server"))), months) as made:
            yield made
    else:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("BIGQUERY_EMULATOR_HOST", request.getfixturevalue("bigquery_server"))
            address = f"bigquery://taxi-project/taxi_{uuid.uuid4().hex[:12]}?location=US"
            with filled(BigQueryStore(address), months) as made:
                yield made


@pytest.fixture
def query(store: StoreOfMarts) -> Query:
    def run(sql: str) -> list[tuple[Any, ...]]:
        if isinstance(store, DuckDBStore):
            with closing(duckdb.connect(str(store.path), read_only=True)) as connection:
                return connection.execute(sql).fetchall()
        if isinstance(store, PostgresStore):
            with connected(store.url) as connection:
                return connection.execute(sql).fetchall()
        assert isinstance(store, BigQueryStore)
        names = sql.replace("taxi.", f"{store.dataset.name}.")
        return [row.values() for row in store.dataset.client.query(names).result()]

    return run


# ---- marts


def _grouped(trips: pd.DataFrame, by: Sequence[str], sums: Sequence[str] = SUMS) -> pd.DataFrame:
    """Trips and sums by those columns; a sum of nothing is null."""
    groups = trips.assign(passengers=trips["passenger_count"]).groupby(list(by), dropna=False)
    return pd.concat([groups.size().rename("trips"), groups[list(sums)].sum(min_count=1)], axis=1).reset_index()


def _bins(values: pd.Series[Any], width: int, last: int) -> pd.Series[Any]:
    return (values // width).clip(-1, last)


def _pairs(trips: pd.DataFrame) -> pd.DataFrame:
    pair = ["dataset", "file_month", "pickup_location_id", "dropoff_location_id", "bin"]
    minutes = trips.assign(bin=_bins(trips["duration_seconds"], 60, 180))
    dollars = trips.assign(bin=_bins(trips["fare_cents"], 100, 300))
    lasted = _grouped(minutes, pair, ("distance_hundredths", "duration_seconds"))
    cost = _grouped(dollars, pair, ("fare_cents",)).rename(columns={"trips": "fare_trips"})
    both = lasted.merge(cost, on=pair, how="outer")
    return both.assign(trips=both["trips"].fillna(0), fare_trips=both["fare_trips"].fillna(0))


def _tips(trips: pd.DataFrame) -> pd.DataFrame:
    by = ["dataset", "file_month", "payment_type", "pickup_location_id", "miles_bin"]
    binned = trips.assign(
        miles_bin=_bins(trips["distance_hundredths"], 100, 50),
        tipped_trips=(trips["tip_cents"] > 0).fillna(False).astype("Int64"),
    )
    found = _grouped(binned, by, ("tipped_trips", "tip_cents", "fare_cents"))
    return found.assign(payment_type_name=found["payment_type"].map(dict(PAYMENT_TYPE.codes)))


def _cbd(trips: pd.DataFrame) -> pd.DataFrame:
    by = ["dataset", "file_month", "pickup_date", "pickup_in_cbd", "dropoff_in_cbd"]
    counted = trips.assign(
        measured_trips=trips["distance_hundredths"].notna().astype("Int64"),
        timed_trips=trips["duration_seconds"].notna().astype("Int64"),
        fared_trips=trips["fare_cents"].notna().astype("Int64"),
        charged_trips=trips["total_cents"].notna().astype("Int64"),
        toll_trips=(trips["cbd_fee_cents"] > 0).fillna(False).astype("Int64"),
    )
    counts = ("measured_trips", "timed_trips", "fared_trips", "charged_trips", "toll_trips")
    return _grouped(counted, by, (*SUMS, *counts, "cbd_fee_cents", "congestion_cents"))


def _airports(trips: pd.DataFrame) -> pd.DataFrame:
    touching = trips["pickup_airport"].notna() | trips["dropoff_airport"].notna()
    chosen = trips[touching | trips["rate_code_id"].isin([2, 3])]
    by = ["dataset", "file_month", "pickup_date", "pickup_airport", "dropoff_airport", "rate_code_id"]
    return _grouped(chosen, by, (*SUMS, "airport_fee_cents"))


def _companies(trips: pd.DataFrame) -> pd.DataFrame:
    found = _grouped(trips[trips["dataset"] == "fhvhv"], ["dataset", "file_month", "pickup_date", "vendor"])
    return found.assign(company=found["vendor"].map({"HV0003": "Uber", "HV0005": "Lyft"}))


EXPECTED: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "mart_zone_month": lambda trips: _grouped(trips, ["dataset", "file_month", "pickup_location_id"]),
    "mart_pair_month": _pairs,
    "mart_fare_histogram": lambda trips: _grouped(
        trips.assign(fare_bin=_bins(trips["fare_cents"], 100, 300)),
        ["dataset", "file_month", "fare_bin"],
        ("fare_cents",),
    ),
    "mart_tips_month": _tips,
    "mart_airport_trips": _airports,
    "mart_cbd_day": _cbd,
    "mart_company_day": _companies,
}


def _values(frame: pd.DataFrame, columns: Sequence[str]) -> list[tuple[str, ...]]:
    return sorted(tuple(_text(value) for value in row) for row in frame[list(columns)].itertuples(index=False))


def _text(value: Any) -> str:
    if pd.isna(value):
        return "null"
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return str(int(value)) if isinstance(value, float | np.floating | np.integer) else str(value)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_mart_is_what_pandas_adds_up(store: StoreOfMarts, months: RealMonths, name: str) -> None:
    [mart] = [mart for mart in MARTS if mart.name == name]
    for clean in months.clean:
        contract = CONTRACTS[clean.month.dataset]
        if not mart.suits(contract):
            continue
        table = mart.table(contract)
        found = store.read_months(table.qualified_name, [clean.file_month]).read_all().to_pandas()
        of_month = (months.trips["dataset"] == contract.dataset) & (months.trips["file_month"] == clean.file_month)
        expected = EXPECTED[name](months.trips[of_month])
        assert _values(found, table.column_names) == _values(expected, table.column_names), clean.month


def test_features_of_demand_never_look_ahead(query: Query, months: RealMonths) -> None:
    """Two Januaries with no month between them: the first week of each has nothing to look back on."""
    names = "hour, weekday, is_weekend, is_holiday, trips_1_hour_before, trips_24_hours_before, trips_168_hours_before"
    means = "mean_of_6_hours, mean_of_24_hours, mean_of_168_hours"
    sql = f"SELECT pickup_hour, trips, {names}, {means} FROM taxi.feature_zone_hour"
    found = [
        tuple(_plain(value) for value in row)
        for row in query(f"{sql} WHERE dataset = 'yellow' AND pickup_location_id = 161 ORDER BY pickup_hour")
    ]
    trips = months.trips
    trips = trips[(trips["dataset"] == "yellow") & (trips["pickup_location_id"] == 161)]
    in_file = pd.to_datetime(trips["pickup_datetime"]).dt.to_period("M") == pd.to_datetime(
        trips["file_month"]
    ).dt.to_period("M")
    counted = trips[in_file].groupby("pickup_hour").size().to_dict()
    hours = [*pd.date_range("2019-01-01", "2019-01-31 23:00", freq="h"), *pd.date_range(JANUARY, periods=744, freq="h")]
    known = {hour: counted.get(hour, 0) for hour in hours}

    def back(hour: pd.Timestamp, n: int) -> int | None:
        return known.get(hour - pd.Timedelta(hours=n))

    def mean_of(hour: pd.Timestamp, n: int) -> float | None:
        before = [back(hour, i) for i in range(1, n + 1)]
        return None if back(hour, n) is None else sum(value or 0 for value in before) / n

    holidays = {date(2019, 1, 1), date(2019, 1, 21), date(2020, 1, 1), date(2020, 1, 20)}
    rows = [
        (
            *(hour, known[hour], hour.hour, hour.isoweekday(), hour.isoweekday() > 5, hour.date() in holidays),
            *(back(hour, n) for n in (1, 24, 168)),
            *(mean_of(hour, n) for n in (6, 24, 168)),
        )
        for hour in hours
    ]
    _same(found, pd.DataFrame(rows, dtype="object"))


def test_features_of_a_trip_are_known_when_it_begins(query: Query, months: RealMonths) -> None:
    """Beside the two targets: of plausible trips of 1 to 60 minutes between two zones, of every dataset and month.

    All are counted, and those of one hour compared.
    """
    known = "straight_miles, hour, weekday, is_weekend, is_holiday, pickup_is_airport, dropoff_is_airport"
    names = f"dataset, file_month, pickup_datetime, pickup_location_id, dropoff_location_id, {known}, pickup_in_cbd"
    features = f"{names}, dropoff_in_cbd, minutes, fare_dollars"
    found = [
        tuple(_plain(value) for value in row)
        for row in query(f"SELECT {features} FROM taxi.feature_trip WHERE hour = 8")
    ]

    trips = months.trips
    seconds, miles = trips["duration_seconds"], trips["trip_distance"]
    chosen = seconds.between(60, 3600) & miles.between(0.01, 100).fillna(True)
    chosen &= trips["fare_amount"].between(0.01, 500).fillna(True)
    chosen &= (miles * 3600 / seconds.where(seconds > 0)).between(1, 80).fillna(True)
    trips = trips[chosen.fillna(False)]
    centres = months.zones[["location_id", "centroid_longitude", "centroid_latitude"]]
    for end in ("pickup", "dropoff"):
        named = centres.rename(columns={name: f"{end}_{name}" for name in centres.columns})
        trips = trips.merge(named, on=f"{end}_location_id")
    north = (trips["dropoff_centroid_latitude"] - trips["pickup_centroid_latitude"]) * 69.0
    east = (trips["dropoff_centroid_longitude"] - trips["pickup_centroid_longitude"]) * 52.4
    assert query("SELECT count(*) FROM taxi.feature_trip") == [(len(trips),)]
    trips = trips[pd.to_datetime(trips["pickup_datetime"]).dt.hour == 8]
    north, east, when = north[trips.index], east[trips.index], pd.to_datetime(trips["pickup_datetime"])
    days = {date(2019, 1, 1), date(2019, 1, 21), date(2020, 1, 1), date(2020, 1, 20), date(2025, 1, 1)}
    days |= {date(2025, 1, 20)}
    expected = trips[["dataset", "file_month", "pickup_datetime", "pickup_location_id", "dropoff_location_id"]].assign(
        straight_miles=(north**2 + east**2) ** 0.5,
        hour=when.dt.hour,
        weekday=when.dt.isocalendar().day,
        is_weekend=when.dt.dayofweek >= 5,
        is_holiday=when.dt.date.isin(days),
        pickup_is_airport=trips["pickup_airport"].notna(),
        dropoff_is_airport=trips["dropoff_airport"].notna(),
        pickup_in_cbd=trips["pickup_in_cbd"],
        dropoff_in_cbd=trips["dropoff_in_cbd"],
        minutes=trips["duration_seconds"] / 60,
        fare_dollars=trips["fare_amount"],
    )
    assert {"yellow", "green", "fhvhv"} == set(expected["dataset"])
    assert expected["straight_miles"].isna().any()
    rows: list[tuple[Any, ...]] = list(expected.itertuples(index=False, name=None))
    rows.sort(key=_order)
    _same(sorted(found, key=_order), pd.DataFrame(rows))


def _order(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*row[:3], *map(float, row[3:5]), float(row[-2]), -1.0 if pd.isna(row[-1]) else float(row[-1]))


# ---- the ten questions


def _question(number: int) -> list[str]:
    section = PAGE.read_text().split(f"\n## {number}. ")[1].split("\n## ")[0]
    return re.findall(r"```sql\n(.*?)```", section, re.DOTALL)


def _ask(query: Query, number: int, part: int = 0) -> list[tuple[Any, ...]]:
    return [tuple(_plain(value) for value in row) for row in query(_question(number)[part])]


def _plain(value: Any) -> Any:
    """Numbers as pandas has them, whatever a driver makes of them."""
    return (
        float(value)
        if hasattr(value, "as_tuple") or (isinstance(value, int) and not isinstance(value, bool))
        else value
    )


def _same(found: list[tuple[Any, ...]], expected: pd.DataFrame) -> None:
    """Equal row by row, numbers up to the ninth digit."""
    wanted = [tuple(None if pd.isna(value) else value for value in row) for row in expected.itertuples(index=False)]
    assert len(found) == len(wanted) > 0
    for mine, theirs in zip(found, wanted, strict=True):
        assert mine == tuple(pytest.approx(v, rel=1e-9) if isinstance(v, float | int) else v for v in theirs)


def _january(trips: pd.DataFrame) -> pd.DataFrame:
    return trips[trips["file_month"] == JANUARY]


def _zone_months(months: RealMonths) -> pd.DataFrame:
    by = ["dataset", "file_month", "pickup_location_id"]
    found = _grouped(months.trips, by).merge(
        months.zones, left_on="pickup_location_id", right_on="location_id", how="left"
    )
    before = found[[*by, "trips", "total_cents"]].copy()
    before["file_month"] = [date(day.year + 1, day.month, 1) for day in before["file_month"]]
    return found.merge(before, on=by, how="left", suffixes=("", "_before"))


def test_1_revenue_by_zone_month_and_service(query: Query, months: RealMonths) -> None:
    found = _zone_months(months)
    found = found[(found["file_month"] == JANUARY) & found["total_cents"].notna()]
    found = found.sort_values(["total_cents", "pickup_location_id"], ascending=[False, True]).head(20)
    dollars = found["total_cents"].astype(float) / 100
    expected = found[["dataset", "file_month", "borough", "zone", "trips"]].assign(
        total=dollars, mean=dollars / found["trips"].astype(float)
    )
    _same(_ask(query, 1), expected)


def test_2_revenue_by_quarter(query: Query, months: RealMonths) -> None:
    trips = months.trips
    when = pd.to_datetime(trips["file_month"])
    trips = trips.assign(year=when.dt.year, quarter=when.dt.quarter)
    groups = trips.groupby(["dataset", "year", "quarter"])
    found = pd.concat(
        [groups["file_month"].nunique().rename("months"), groups["total_cents"].sum(min_count=1)], axis=1
    ).reset_index()
    before = found.assign(year=found["year"] + 1)
    found = found.merge(before, on=["dataset", "year", "quarter"], how="left", suffixes=("", "_before"))
    now, then = (found[name].astype("Float64") for name in ("total_cents", "total_cents_before"))
    expected = found[["dataset", "year", "quarter", "months", "months_before"]].assign(
        now=now / 100, then=then / 100, change=(now - then) * 100 / then
    )
    _same(_ask(query, 2), expected.sort_values(["dataset", "year", "quarter"]))


def _percentiles(values: pd.Series[Any], width: int, last: int, shares: Sequence[int]) -> list[float]:
    """Lower bounds of the bins in which the percentiles are."""
    found = np.percentile(values.to_numpy(float), shares, method="inverted_cdf")
    return [float(max(-1, min(last, value // width))) for value in found]


def test_3_percentiles_of_the_fare(query: Query, months: RealMonths) -> None:
    fared = months.trips[months.trips["fare_cents"].notna()]
    rows = [
        (
            dataset,
            month,
            len(rows),
            float(rows["fare_cents"].mean()) / 100,
            *_percentiles(rows["fare_cents"], 100, 300, (50, 90, 95, 97)),
        )
        for (dataset, month), rows in fared.groupby(["dataset", "file_month"])
    ]
    _same(_ask(query, 3), pd.DataFrame(rows))


def test_4_travel_time_from_zone_to_zone(query: Query, months: RealMonths) -> None:
    names = dict(zip(months.zones["location_id"], months.zones["zone"], strict=True))
    timed = _january(months.trips)
    timed = timed[timed["duration_seconds"].notna()]
    rows = [
        (
            dataset,
            start,
            end,
            len(rows),
            float(rows["duration_seconds"].mean()) / 60,
            *_percentiles(rows["duration_seconds"], 60, 180, (50, 90)),
        )
        for (dataset, start, end), rows in timed.groupby(["dataset", "pickup_location_id", "dropoff_location_id"])
        if len(rows) >= 5
    ]
    found = pd.DataFrame(rows, columns=["dataset", "start", "end", "trips", "mean", "p50", "p90"])
    found = found.sort_values(["p90", "start", "end", "dataset"], ascending=[False, True, True, True])
    _same(_ask(query, 4), found.assign(start=found["start"].map(names), end=found["end"].map(names)))


def test_5_peak_hours(query: Query, months: RealMonths) -> None:
    trips = _january(months.trips)
    trips = trips[trips["dataset"] == "yellow"]
    when = pd.to_datetime(trips["pickup_datetime"])
    trips = trips.assign(is_weekend=when.dt.dayofweek >= 5, hour=when.dt.hour)
    groups = trips.groupby(["is_weekend", "hour"])
    found = pd.concat([groups.size().rename("trips"), groups["pickup_date"].nunique().rename("days")], axis=1)
    found = found.reset_index().assign(a_day=lambda frame: frame["trips"] / frame["days"])
    found = found.sort_values(["a_day", "is_weekend", "hour"], ascending=[False, True, True])
    _same(_ask(query, 5), found[["is_weekend", "hour", "trips", "a_day"]])


def test_6_tips(query: Query, months: RealMonths) -> None:
    tips = _tips(_january(months.trips))
    tips = tips[(tips["dataset"] == "yellow") & tips["payment_type"].notna()]
    sums = ["trips", "tipped_trips", "tip_cents", "fare_cents"]
    found = tips.groupby(["payment_type_name", "miles_bin"])[sums].sum().astype(float).reset_index()
    found = found[found["fare_cents"] > 0].sort_values(["payment_type_name", "miles_bin"])
    expected = found[["payment_type_name", "miles_bin", "trips"]].assign(
        tipped=100 * found["tipped_trips"] / found["trips"], of_fare=100 * found["tip_cents"] / found["fare_cents"]
    )
    _same(_ask(query, 6), expected)


def test_7_airports(query: Query, months: RealMonths) -> None:
    found = _airports(_january(months.trips)).fillna({"pickup_airport": "elsewhere", "dropoff_airport": "elsewhere"})
    by = ["dataset", "pickup_airport", "dropoff_airport"]
    found = found.groupby(by)[["trips", "total_cents", "duration_seconds"]].sum().astype(float).reset_index()
    expected = found[[*by, "trips"]].assign(
        dollars=found["total_cents"] / 100 / found["trips"], minutes=found["duration_seconds"] / 60 / found["trips"]
    )
    _same(_ask(query, 7), expected)


def test_8_shares(query: Query, months: RealMonths) -> None:
    days = months.trips.groupby(["pickup_date", "dataset"]).size().unstack(fill_value=0)[["yellow", "green", "fhvhv"]]
    of_all = days.sum(axis=1)
    shares = days.mul(100.0).div(of_all, axis=0)
    shares.insert(0, "trips", of_all)
    _same(_ask(query, 8), shares.sort_index().reset_index())
    apps = months.trips[months.trips["dataset"] == "fhvhv"]
    companies = apps.groupby(["pickup_date", "vendor"]).size().unstack(fill_value=0)
    _same(_ask(query, 8, 1), companies[["HV0003", "HV0005"]].sort_index().reset_index())


def test_9_zones_that_grow_and_decline(query: Query, months: RealMonths) -> None:
    found = _zone_months(months)
    found = found[(found["file_month"] == JANUARY) & (found["trips_before"] >= 10)]
    found = found.assign(change=100.0 * (found["trips"] - found["trips_before"]) / found["trips_before"])
    found = found.sort_values(["change", "dataset", "pickup_location_id"], ascending=[False, True, True])
    _same(_ask(query, 9), found[["dataset", "borough", "zone", "trips", "trips_before", "change"]])


def test_10_congestion_pricing(query: Query, months: RealMonths) -> None:
    trips = months.trips
    trips = trips[(trips["pickup_date"] >= date(2024, 12, 1)) & (trips["pickup_date"] <= date(2025, 2, 28))]
    trips = trips.assign(
        period=np.where(trips["pickup_date"] < date(2025, 1, 5), "before", "since"),
        touches=trips["pickup_in_cbd"] | trips["dropoff_in_cbd"],
    )
    groups = trips.groupby(["dataset", "period", "touches"])
    found = pd.concat([groups.size().rename("trips"), groups["pickup_date"].nunique().rename("days")], axis=1)
    found["toll"] = groups["cbd_fee_cents"].sum().astype(float) / 100
    found = found.reset_index()
    assert list(found["period"].unique()) == ["before", "since"]
    expected = found[["dataset", "period", "touches", "trips"]].assign(
        a_day=found["trips"] / found["days"], toll=found["toll"]
    )
    _same(_ask(query, 10), expected)
