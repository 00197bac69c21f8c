"""``taxi run`` and ``taxi status`` over every pair of PostgreSQL, warehouse, lake and source."""

from __future__ import annotations

from itertools import combinations, product
from pathlib import Path

import pytest

from taxi_platform_tests.roads.conftest import MONTHS, ROWS_OF_A_MONTH, Builder
from taxi_platform_tests.roads.rows import FACTORS, ROWS, SHORT, Row, markdown

PAGE = Path(__file__).resolve().parents[2] / "docs" / "roads.md"
CHOICE = ("--datasets", "green", "--months", f"{MONTHS[0]:%Y-%m}..{MONTHS[-1]:%Y-%m}")


def test_every_pair_of_values_is_in_a_row() -> None:
    for (one, values), (other, others) in combinations(FACTORS.items(), 2):
        found = {(getattr(row, one), getattr(row, other)) for row in ROWS}
        assert found == set(product(values, others))
    assert len(ROWS) == 20
    assert not set(SHORT[0]) & set(SHORT[1])


def test_the_page_shows_the_rows() -> None:
    assert markdown() in PAGE.read_text()


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=str(row), marks=() if row in SHORT else pytest.mark.long) for row in ROWS]
)
def test_months_arrive_in_every_store_of_the_row(build_road: Builder, row: Row) -> None:
    road = build_road(row)
    done = road.platform.taxi("run", *CHOICE)
    assert done.code == 0, done.text
    assert "Traceback" not in done.text
    statuses = road.platform.status()
    assert [status["file_month"] for status in statuses] == [month.isoformat() for month in MONTHS]
    for status in statuses:
        assert status["state"] == "whole"
        assert status["raw_rows"] == ROWS_OF_A_MONTH == status["trips_rows"] + status["quarantined_rows"]
        for store, on in road.stores.items():
            assert status[f"{store}_rows"] == (status["trips_rows"] if on else "off")
