"""The report's pages say what the store's tables say, and need nothing but themselves."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest

from taxi_platform_tests.support.platform import Platform


class Page(HTMLParser):
    """A page's elements, and the cells of its tables by the caption or heading that they belong to."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = file.read_text(encoding="utf-8")
        self._inside = False
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        self._inside = tag in ("th", "td")
        if self._inside:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag not in ("th", "td")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and self._inside_cell():
            self.rows[-1][-1] += data

    def _inside_cell(self) -> bool:
        return self._inside or self.elements[-1][0] == "a"

    def heads(self) -> dict[str, str]:
        """The numbers at the head, by their names."""
        return dict(re.findall(r'<dt>([^<]+)</dt><dd class="value">([^<]+)</dd>', self.text))


def asked(platform: Platform, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(platform.data / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_the_months_asked_for_have_pages_and_the_index_links_to_them(reported: Platform, pages: Path) -> None:
    names = {"green-2019-06.html", "green-2020-06.html"}
    assert {path.name for path in pages.iterdir()} == {*names, "index.html"}
    index = Page(pages / "index.html")
    assert {attributes["href"] for tag, attributes in index.elements if tag == "a"} == names
    counted = asked(reported, "SELECT file_month, count(*) FROM taxi.green_trips GROUP BY 1")
    assert {(f"{month:%Y-%m}", f"{trips:,}") for month, trips in counted} <= {
        (row[0], row[1]) for row in index.rows if len(row) == 3
    }


def test_the_numbers_at_the_head_are_those_of_the_trips(reported: Platform, pages: Path) -> None:
    green = "FROM taxi.green_trips WHERE file_month = DATE '2020-06-01'"
    (trips, total, fare, miles, minutes), *_ = asked(
        reported,
        "SELECT count(*), sum(round(total_amount::DECIMAL(12, 3), 2)), avg(round(fare_amount::DECIMAL(12, 3), 2)), "
        "avg(round(trip_distance::DECIMAL(12, 4), 2)), avg(date_diff('s', pickup_datetime, dropoff_datetime)) / 60 "
        f"{green}",
    )
    assert Page(pages / "green-2020-06.html").heads() == {
        "Trips": f"{trips:,}",
        "Revenue": f"${total:,.0f}",
        "Mean fare": f"${fare:,.2f}",
        "Mean distance": f"{miles:,.1f} mi",
        "Mean duration": f"{minutes:,.1f} min",
    }


def test_a_number_is_compared_with_the_month_and_the_year_before(reported: Platform, pages: Path) -> None:
    sums = dict(
        asked(reported, "SELECT strftime(file_month, '%Y-%m'), sum(total_amount) FROM taxi.green_trips GROUP BY 1")
    )
    now, month, year = (float(str(sums[label])) for label in ("2020-06", "2020-05", "2019-06"))
    expected = f"{now / month - 1:+.1%} on the month before, {now / year - 1:+.1%} on the year before"
    assert expected in Page(pages / "green-2020-06.html").text
    assert "n/a on the month before, n/a on the year before" in Page(pages / "green-2019-06.html").text


def test_days_zones_and_reasons_are_counted_as_in_the_store(reported: Platform, pages: Path) -> None:
    page = Page(pages / "green-2020-06.html")
    cells = {tuple(row) for row in page.rows}
    days = asked(
        reported,
        "SELECT pickup_datetime::DATE AS day, count(*) FROM taxi.green_trips WHERE file_month = DATE '2020-06-01' "
        "AND date_trunc('month', pickup_datetime) = DATE '2020-06-01' GROUP BY 1",
    )
    assert len(days) == 30
    assert {(f"{day:%a %-d %b}", f"{trips:,}") for day, trips in days} <= cells
    zones = asked(
        reported,
        "SELECT z.zone, z.location_id, count(*) FROM taxi.green_trips JOIN taxi.zones AS z "
        "ON z.location_id = pickup_location_id WHERE file_month = DATE '2020-06-01' GROUP BY ALL",
    )
    assert {(f"{zone} ({number})", f"{trips:,}") for zone, number, trips in zones} <= cells
    reasons = asked(
        reported,
        "SELECT unnest(reasons), count(*) FROM taxi.green_quarantine WHERE file_month = DATE '2020-06-01' GROUP BY 1",
    )
    assert {(str(reason).replace("_", " "), f"{rows:,}", f"{rows / 1000:.2%}") for reason, rows in reasons} <= cells


def test_pairs_fares_tips_airports_and_the_congestion_zone_are_those_of_the_trips(
    reported: Platform, pages: Path
) -> None:
    cells = {tuple(row) for row in Page(pages / "green-2020-06.html").rows}
    month = "FROM taxi.trips WHERE dataset = 'green' AND file_month = DATE '2020-06-01'"
    (busiest,) = asked(
        reported,
        "SELECT max(trips) FROM (SELECT count(*) AS trips "
        f"{month} AND dropoff_location_id IS NOT NULL AND pickup_location_id IS NOT NULL "
        "GROUP BY pickup_location_id, dropoff_location_id)",
    )
    assert [row for row in cells if "→" in row[0] and row[1] == f"{busiest[0]}"]
    (fares,) = asked(
        reported, f"SELECT count(*) {month} AND round(fare_amount::DECIMAL(12, 3), 2) >= 5 AND fare_amount < 10"
    )
    assert ("$5 to $10", f"{fares[0]:,}") in cells
    (tips,) = asked(
        reported,
        f"SELECT sum(tip_amount::DECIMAL(12, 2)) / sum(fare_amount::DECIMAL(12, 2)) {month} "
        "AND payment_type_name ILIKE '%card%' AND trip_distance >= 2 AND trip_distance < 4",
    )
    assert ("2 to 4 mi", f"{float(tips[0]):.1%}") in cells
    airports = asked(
        reported,
        f"SELECT 'from ' || pickup_airport, count(*) {month} AND pickup_airport IS NOT NULL GROUP BY 1 "
        f"UNION ALL SELECT 'to ' || dropoff_airport, count(*) {month} AND dropoff_airport IS NOT NULL GROUP BY 1",
    )
    assert {(way, f"{trips:,}") for way, trips in airports} <= cells
    assert {"within the zone", "into it", "out of it", "elsewhere"} & {row[0] for row in cells}


def test_a_page_is_one_file_that_loads_nothing(pages: Path) -> None:
    for file in pages.iterdir():
        page = Page(file)
        assert not {tag for tag, _ in page.elements} & {"script", "link", "iframe", "img", "object"}
        assert not [a for _, a in page.elements if (a.get("href") or "").startswith(("http", "//")) or a.get("src")]
        assert not re.search(r"@import|url\((?!#)", page.text)
        ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
        assert len(ids) == len(set(ids))
        assert len(page.text.encode()) < 3_000_000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--months", "2018-01"], "DuckDB has no marts of these months: taxi run brings them"),
        (["--store", "postgres"], "postgres is off: set TAXI_POSTGRES, or ask another store"),
    ],
)
def test_what_cannot_be_reported_is_one_sentence(reported: Platform, arguments: list[str], sentence: str) -> None:
    done = reported.taxi("report", "--output", "nowhere", *arguments)
    assert (done.code, done.err) == (1, f"Error: {sentence}\n")
    assert not (reported.folder / "nowhere").exists()


def test_a_page_says_which_snapshot_names_what_it_shows(reported: Platform, tmp_path: Path) -> None:
    pages = reported.taxi("report", "--months", "2020-05", "--output", str(tmp_path))
    assert pages.code == 0, pages.err
    page = tmp_path / "green-2020-05.html"
    assert "snapshot" not in page.read_text(encoding="utf-8")
    assert reported.taxi("snapshot", "create", "thesis", "--months", "2020-05").code == 0
    assert reported.taxi("report", "--months", "2020-05", "--output", str(tmp_path)).code == 0
    assert "as the snapshot thesis\nnames it" in page.read_text(encoding="utf-8")
    assert reported.taxi("snapshot", "delete", "thesis").code == 0
