"""Dates and codes: rows that a calendar and the contracts know independently."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.dimensions import CODES, DATES, DIMENSIONS, code_rows, date_rows
from taxi_platform.contracts.model import Table
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform_tests.contracts.samples import FERRY


def _dicts(table: Table, rows: Any) -> list[dict[str, Any]]:
    return [dict(zip(table.column_names, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def dates() -> dict[date, dict[str, Any]]:
    return {row["date"]: row for row in _dicts(DATES, date_rows(2027))}


def test_every_day_is_there_once_in_order(dates: dict[date, dict[str, Any]]) -> None:
    days = (date(2028, 1, 1) - date(2009, 1, 1)).days
    assert list(dates) == [date(2009, 1, 1) + timedelta(days=n) for n in range(days)]


def test_the_calendar_is_that_of_pandas(dates: dict[date, dict[str, Any]]) -> None:
    days = pd.DatetimeIndex(pd.to_datetime(list(dates)))
    iso = days.isocalendar()
    for name, expected in {
        "year": days.year,
        "quarter": days.quarter,
        "month": days.month,
        "day": days.day,
        "iso_year": iso["year"],
        "iso_week": iso["week"],
        "weekday": days.dayofweek + 1,
        "weekday_name": days.day_name(),
        "is_weekend": days.dayofweek >= 5,
    }.items():
        assert [row[name] for row in dates.values()] == pd.Series(expected).tolist(), name


@pytest.mark.parametrize(
    ("day", "holiday"),
    [
        (date(2012, 12, 25), "Christmas Day"),
        (date(2020, 7, 3), "Independence Day (observed)"),  # the 4th was a Saturday
        (date(2023, 6, 19), "Juneteenth National Independence Day"),
        (date(2024, 2, 12), "Lincoln's Birthday"),  # of New York State, not of the federation
        (date(2024, 11, 28), "Thanksgiving Day"),
        (date(2024, 11, 29), None),
        (date(2010, 6, 18), None),
    ],
)
def test_holidays_of_the_federation_and_of_the_state(
    dates: dict[date, dict[str, Any]], day: date, holiday: str | None
) -> None:
    assert (dates[day]["holiday"], dates[day]["is_holiday"]) == (holiday, holiday is not None)


def test_every_code_of_every_dataset_has_its_label() -> None:
    rows = _dicts(CODES, code_rows([*CONTRACTS.values(), FERRY]))
    found = {(row["table_name"], row["column_name"], row["code"]): row["label"] for row in rows}
    assert len(found) == len(rows)
    assert found["yellow_trips", "payment_type", "1"] == "credit card"
    assert found["fhvhv_trips", "hvfhs_license_num", "HV0005"] == "Lyft"
    assert found["ferry_trips", "boat", "B"] == "Bob's"
    coded = {(c.trips.name, column.name) for c in (*CONTRACTS.values(), FERRY) for column in c.columns if column.codes}
    assert {key[:2] for key in found} == coded


@pytest.mark.parametrize("name", DIMENSIONS)
def test_rows_are_in_the_order_of_the_key_and_in_the_declared_types(name: str) -> None:
    dimension = DIMENSIONS[name]
    rows = list(dimension.rows())
    width = len(dimension.table.key)
    assert dimension.table.column_names[:width] == dimension.table.key
    assert [row[:width] for row in rows] == sorted(row[:width] for row in rows)
    schema = arrow_schema(dimension.table)
    assert schema.empty_table().from_pylist(_dicts(dimension.table, rows), schema=schema).num_rows == len(rows)
    assert dimension.version == dimension.version


def test_nobody_pays_for_the_calendar_of_holidays_who_makes_no_dates() -> None:
    said = "import sys, taxi_platform.contracts.dimensions as d; [x.version for x in d.DIMENSIONS.values()]"
    done = subprocess.run(
        [sys.executable, "-c", f"{said}; print('holidays' in sys.modules)"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
