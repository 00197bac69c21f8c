"""Any small month is judged as the plain reference judges it, however its rows repeat one another."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxi_platform_tests.cleaning.months import clean, trip
from taxi_platform_tests.cleaning.reference import judge

_NAN = float("nan")
_TIMES = [
    None,
    datetime(2020, 2, 28, 23, 59, 59),
    datetime(2020, 2, 29),
    datetime(2020, 3, 10, 8),
    datetime(2020, 3, 11, 8),
    datetime(2020, 3, 11, 8, 0, 0, 1),
    datetime(2020, 4, 1, 23, 59, 59, 999999),
    datetime(2020, 4, 2),
    datetime(2088, 1, 1),
]
# Few values per column, so that duplicates and pairs are common.
_TRIPS = st.fixed_dictionaries(
    {
        "VendorID": st.sampled_from([None, 1, 2]),
        "tpep_pickup_datetime": st.one_of(st.just(datetime(2020, 3, 10, 8)), st.sampled_from(_TIMES)),
        "tpep_dropoff_datetime": st.one_of(st.just(datetime(2020, 3, 10, 8)), st.sampled_from(_TIMES)),
        "PULocationID": st.sampled_from([None, 48, 48, 0, 1, 265, 266]),
        "trip_distance": st.sampled_from([None, 1.5, 1.5, 0.0, -0.0, -0.1, 1000.0, 1000.5, _NAN]),
        "total_amount": st.sampled_from(
            [None, 5.0, -5.0, 5.001, -5.001, 0.0, -0.0, 0.004, -0.004, 0.005, -0.005, 7.35, -7.35, _NAN, float("inf")]
        ),
        "tip_amount": st.sampled_from([0.0, -0.0, _NAN, None]),
        "airport_fee": st.sampled_from([None, 0.0]),
    }
)


@st.composite
def _months(draw: st.DrawFn) -> list[dict[str, Any]]:
    distinct = draw(st.lists(_TRIPS, min_size=1, max_size=6))
    repeated = draw(st.lists(st.sampled_from(distinct), max_size=12))
    mirrored = [{**row, "total_amount": _reversed(row["total_amount"])} for row in repeated[:6]]
    return [trip(**row) for row in draw(st.permutations(distinct + repeated + mirrored))]


def _reversed(total: Any) -> Any:
    return None if total is None else -total


_ANY_MONTH = given(rows=_months(), row_group_size=st.sampled_from([1, 3, 100]))


@settings(max_examples=20, deadline=None)
@_ANY_MONTH
def test_any_month_is_judged_as_the_reference_judges_it(rows: list[dict[str, Any]], row_group_size: int) -> None:
    _check_judged(rows, row_group_size)


@pytest.mark.long
@settings(max_examples=300, deadline=None)
@_ANY_MONTH
def test_so_are_a_great_many_months(rows: list[dict[str, Any]], row_group_size: int) -> None:
    _check_judged(rows, row_group_size)


def _check_judged(rows: list[dict[str, Any]], row_group_size: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        cleaned = clean(rows, Path(directory), row_group_size=row_group_size)
        expected = judge(rows, datetime(2020, 3, 1), datetime(2020, 4, 1))
        assert cleaned.reasons == expected
        clean_pickups = [row["tpep_pickup_datetime"] for number, row in enumerate(rows) if number not in expected]
        assert [row["pickup_datetime"] for row in cleaned.trips] == clean_pickups
        assert cleaned.facts.reasons == {
            reason: sum(reason in reasons for reasons in expected.values()) for reason in cleaned.facts.reasons
        }
