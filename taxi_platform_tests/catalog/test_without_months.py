"""The catalog without any month: pages of the contracts and marts alone, their links, lineage and search."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from taxi_platform.errors import SettingsError
from taxi_platform.inspection.pages import write_page
from taxi_platform_tests.catalog.reading import RELATIONS, TABLES, Page, broken_links, read_pages
from taxi_platform_tests.support.platform import Platform

MOST_BYTES = 200_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``taxi catalog`` over a data root that no run has used; nothing is made there by looking."""
    folder = tmp_path_factory.mktemp("empty")
    platform = Platform(folder, {"TAXI_DATA": str(folder / "data"), "TAXI_SOURCE": "sample"})
    done = platform.taxi("catalog", "--output", "seen")
    assert (done.code, done.out) == (0, f"{folder / 'seen' / 'index.html'}\n"), done.err
    assert not platform.data.exists()
    return folder / "seen"


@pytest.fixture(scope="module")
def pages(site: Path) -> Mapping[str, Page]:
    return read_pages(site)


def test_without_months_there_are_the_contracts(site: Path, pages: Mapping[str, Page]) -> None:
    assert "no months yet: taxi run brings them" in pages["index.html"].text
    assert "There is no Dagster instance in the data root" in pages["quality.html"].text
    assert "nothing_lost" in pages["quality.html"].text
    assert "No months yet: bring one with" in pages["months.html"].text
    assert {name for name in pages if name.startswith("tables/")} == {f"tables/{name}.html" for name in RELATIONS}
    assert (site / "contracts" / "green.yaml").is_file()


def test_lineage_goes_from_a_view_to_upstreams_column(pages: Mapping[str, Page]) -> None:
    page = pages["tables/mart_zone_revenue.html"].text.split('id="fare_dollars">')[1].split("</article>")[0]
    steps = [re.findall(r'href="\.\./tables/(\w+)\.html#(\w+)"', step) for step in page.split("back</dt>")[1:]]
    assert [step[0] for step in steps[:3]] == [
        ("mart_zone_month", "fare_cents"),
        ("mart_zone_hour", "fare_cents"),
        ("trips", "fare_amount"),
    ]
    assert ("fhvhv_trips", "base_passenger_fare") in steps[3]
    assert {("raw_green", "fare_amount"), ("raw_yellow", "Fare_Amt")} <= set(steps[4])


def test_every_column_says_what_it_comes_from_or_is_made_by_the_platform(pages: Mapping[str, Page]) -> None:
    """Counts of trips come from rows, and not from a column."""
    made = {"dataset", "kind", "trips", "fare_trips", "raw_row", "reasons", "raw", "passengers", "total_cents"}
    for relation in RELATIONS.values():
        if not relation.made_from or relation.name == "zones":
            continue
        for column in relation.columns:
            article = pages[f"tables/{relation.name}.html"].text.split(f'<article class="column" id="{column.name}">')
            has_origin = '<div class="flow">From' in article[1].split("</article>")[0]
            assert has_origin or column.name in made, (relation.name, column.name)


def test_every_link_leads_somewhere(site: Path, pages: Mapping[str, Page]) -> None:
    assert broken_links(site, pages) == []
    assert sum(len(page.links) for page in pages.values()) > 1_000
    for page in pages.values():
        assert len(page.ids) == len(set(page.ids)), page.file


def test_a_page_is_small_and_loads_nothing(pages: Mapping[str, Page]) -> None:
    for page in pages.values():
        assert not {tag for tag, _ in page.elements} & {"link", "iframe", "img", "object"}
        assert not [attributes for _, attributes in page.elements if attributes.get("src")]
        assert not re.search(r"@import|url\(", page.text)
        assert len(page.text.encode()) < MOST_BYTES, page.file


def test_the_search_has_every_table_and_column(pages: Mapping[str, Page]) -> None:
    text = pages["index.html"].text.split('<script type="application/json" id="entries">')[1].split("</script>")[0]
    entries = {name: link for name, link, _, _ in json.loads(text)}
    columns = {
        f"{r.name}.{column.name}" for r in RELATIONS.values() if not r.has_types_of_files for column in r.columns
    }
    assert entries.keys() == {*TABLES, *columns}
    assert entries["green_mart_zone_month"] == "tables/mart_zone_month.html#green_mart_zone_month"


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"/file/index\.html cannot be written: (Not a directory|File exists)$"):
        write_page(tmp_path / "file" / "index.html", "")
