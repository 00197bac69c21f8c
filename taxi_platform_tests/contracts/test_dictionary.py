"""The data dictionary is current, whole, and grows with a new dataset."""

from __future__ import annotations

import re

import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dictionary import render_dictionary
from taxi_platform_tests.contracts.samples import FERRY
from tools.docs import pages

PAGE = render_dictionary((*CONTRACTS.values(), FERRY))


def _section(page: str, heading: str) -> str:
    """From a heading of any level to the next of the same level."""
    level = heading.split(" ", maxsplit=1)[0]
    return page.split(f"\n{heading}\n")[1].split(f"\n{level} ", maxsplit=1)[0]


def _lines(section: str, first: str) -> list[list[str]]:
    """Rows of a table whose first cell reads like that."""
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in cells if row[0].strip() == first]


def test_the_committed_pages_are_current() -> None:
    stale = [path.name for path, text in pages().items() if path.read_text() != text]

    assert stale == [], "run make docs"


@pytest.mark.parametrize("contract", [*CONTRACTS.values(), FERRY], ids=lambda contract: contract.dataset)
def test_every_column_code_reason_and_table_is_on_the_page(contract: Contract) -> None:
    title = contract.title[0].upper() + contract.title[1:]
    section = _section(PAGE, f"## {title} trips ({contract.dataset})")

    trips = _section(section, f"### `{contract.trips.name}`")
    for column in contract.trips.columns:
        [row] = _lines(trips, f"`{column.name}`")
        assert len(row) == 8
        assert all(f"`{spelling}`" in row[5] for spelling in column.spellings)
        for code, meaning in column.codes.items():
            assert any(meaning in line[1] for line in _lines(trips, f"`{code}`"))
    rules = _section(section, f"### Rules of {contract.dataset}")
    for reason, meaning in contract.reason_descriptions.items():
        assert _lines(rules, f"`{reason}`") == [[f"`{reason}`", meaning]]
    quarantine = _section(section, f"### `{contract.quarantine.name}`")
    for name in contract.quarantine.column_names:
        assert len(_lines(quarantine, f"`{name}`")) == 1


def test_a_row_tells_all_that_is_declared() -> None:
    ferry = _section(PAGE, "## Ferry trips (ferry)")

    [boat] = _lines(ferry, "`boat`")
    assert boat == [
        "`boat`",
        "`text`",
        "-",
        "yes",
        'Which boat; it\'s "the" one \\| none other.',
        "`Boat`, `vessel`",
        "always",
        "[ferry-dictionary]",
    ]
    assert _lines(ferry, "`A`") == [["`A`", "Alice", "`alice`"]]
    assert "[ferry-dictionary]: https://ferry.example.org/ferry-dictionary.pdf\n" in PAGE


def test_the_page_says_when_a_column_is_required_and_when_it_is_filled() -> None:
    yellow = _section(PAGE, "## Yellow taxi trips (yellow)")
    fhv = _section(PAGE, "## For-hire vehicle trips (fhv)")

    assert _lines(yellow, "`congestion_surcharge`")[0][6] == "from 2019-01"
    assert _lines(yellow, "`pickup_longitude`")[0][6] == "to 2016-06, unless there is `pickup_location_id`"
    assert _lines(fhv, "`dropoff_datetime`")[0][3] == "no, from 2018-01"


def test_the_view_tells_where_its_columns_come_from() -> None:
    view = _section(PAGE, "## All trips in one view")

    assert _lines(view, "`fare_amount`")[-1] == [
        "`fare_amount`",
        "`fare_amount`",
        "`fare_amount`",
        "-",
        "`base_passenger_fare`",
        "`fare`",
    ]


def test_every_link_within_the_page_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}
    links = re.findall(r"\]\(#([^)]+)\)", PAGE)

    assert links
    assert set(links) <= anchors
    assert set(re.findall(r"\| \[([^\]]+)\] \|", PAGE)) == set(re.findall(r"^\[([^\]]+)\]: ", PAGE, re.MULTILINE))
