"""Months and ranges as people write them, and the edges of a month."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.errors import SettingsError
from taxi_platform.months import TripMonth, add_months, month_label, parse_month, parse_month_range

FIRST_DAYS = st.dates(date(2000, 1, 1), date(2090, 12, 31)).map(lambda day: day.replace(day=1))


def test_a_month_is_written_as_upstream_and_as_a_partition_write_it() -> None:
    month = TripMonth("green", date(2020, 3, 1))

    assert (month.label, month.partition_key, str(month)) == ("2020-03", "2020-03-01", "green 2020-03")


def test_a_month_starts_on_its_first_day() -> None:
    with pytest.raises(ValueError, match="not on 2020-03-02"):
        TripMonth("green", date(2020, 3, 2))


def test_months_of_one_dataset_sort_by_the_calendar() -> None:
    months = [TripMonth("green", date(2020, 10, 1)), TripMonth("green", date(2019, 12, 1))]

    assert sorted(months) == months[::-1]


@pytest.mark.parametrize(
    ("first_day", "end"),
    [
        (date(2020, 2, 1), datetime(2020, 3, 1)),
        (date(2020, 12, 1), datetime(2021, 1, 1)),
    ],
)
def test_a_month_ends_where_the_next_begins(first_day: date, end: datetime) -> None:
    month = TripMonth("yellow", first_day)

    assert month.bounds == (datetime(first_day.year, first_day.month, 1), end)


def test_pickups_are_accepted_from_a_day_before_to_a_day_after_the_month() -> None:
    assert TripMonth("yellow", date(2024, 2, 1)).accepted_pickups == (datetime(2024, 1, 31), datetime(2024, 3, 2))


@given(FIRST_DAYS, st.integers(-100, 100))
def test_adding_months_and_taking_them_away_comes_back(first_day: date, count: int) -> None:
    assert add_months(add_months(first_day, count), -count) == first_day


@given(FIRST_DAYS)
def test_what_is_written_reads_back(first_day: date) -> None:
    assert parse_month(month_label(first_day)) == first_day
    assert parse_month(first_day.isoformat()) == first_day


@given(FIRST_DAYS, st.integers(0, 60))
def test_a_range_holds_every_month_once_with_both_ends(first_day: date, further: int) -> None:
    months = parse_month_range(f"{month_label(first_day)}..{month_label(add_months(first_day, further))}")

    assert months == tuple(add_months(first_day, count) for count in range(further + 1))


def test_a_list_of_months_and_ranges_comes_in_calendar_order_without_repeats() -> None:
    assert parse_month_range(" 2021-01, 2020-11..2021-01 ,2019-05") == (
        date(2019, 5, 1),
        date(2020, 11, 1),
        date(2020, 12, 1),
        date(2021, 1, 1),
    )


@pytest.mark.parametrize(
    "text", ["", "2020", "2020-13", "2020-00", "2020-3", "2020-03-02", "0000-01", "9999-12", "march", "٢٠٢٠-03"]
)
def test_what_is_no_month_is_refused_by_name(text: str) -> None:
    with pytest.raises(SettingsError, match="is not a month: write it as 2020-03") as refused:
        parse_month(text)

    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("2020-08..2020-03", "the range 2020-08..2020-03 runs backwards: write the earlier month first"),
        ("2020-03..", "the range '2020-03..' has an open end: write it as 2020-03..2020-08"),
        ("..2020-03", "the range '..2020-03' has an open end: write it as 2020-03..2020-08"),
        ("2020-03...2020-08", "'.2020-08' is not a month: write it as 2020-03"),
        ("2020-03,", "'' is not a month: write it as 2020-03"),
    ],
)
def test_a_range_that_means_nothing_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_month_range(text)

    assert str(refused.value) == sentence
