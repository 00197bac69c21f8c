"""What is far from usual, at its bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.inspection.unusual_months import History
from taxi_platform.months import TripMonth, add_months
from taxi_platform.references import CleanFacts
from taxi_platform.stores.lake.lake import Lake

_GREEN = CONTRACTS["green"]
_APRIL = _GREEN.month(date(2020, 4, 1))
_RECORDS = 10_000


def _history(usual: int, now: int, months: int = 3) -> History:
    """So many rejected of 10,000 records in months before April, and in April; no other month is in the lake."""
    facts = CleanFacts("v", "r", _RECORDS, _RECORDS - usual, usual, {"void_pair": usual})
    known: dict[TripMonth, CleanFacts | None] = {
        _GREEN.month(add_months(_APRIL.first_day, -back)): facts if back <= months else None for back in range(1, 13)
    }
    lake = Lake("/nowhere")  # never asked: all months are known
    return History(_GREEN, lake, {**known, _APRIL: replace(facts, reasons={"void_pair": now})})


@pytest.mark.parametrize(
    ("usual", "now", "is_far"),
    [
        (0, 100, False),
        (0, 101, True),
        (100, 200, False),
        (101, 202, False),
        (101, 203, True),
        (1_000, 1_900, False),
        (1_000, 2_001, True),
        (2_001, 1_000, True),
        (101, 0, True),
        (50, 150, False),
        (50, 151, True),
    ],
)
def test_a_share_is_far_by_more_than_a_point_and_more_than_twice(usual: int, now: int, is_far: bool) -> None:
    history = _history(usual, now)
    assert history.is_judged(_APRIL)
    expected = {"void_pair": (now / _RECORDS, usual / _RECORDS)} if is_far else {}
    assert history.unusual_reasons(_APRIL) == expected


def test_without_three_months_before_it_a_month_is_not_judged() -> None:
    history = _history(0, 5_000, months=2)
    assert not history.is_judged(_APRIL)
    assert history.unusual_reasons(_APRIL) == {}
