"""The catalog's pages say what the stores and ``taxi status`` say, and lead to one another."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.inspection.catalog.relations import relations
from taxi_platform_tests.catalog.reading import Page
from taxi_platform_tests.support.platform import Platform

RELATIONS = {relation.name: relation for relation in relations(tuple(CONTRACTS.values()))}
TABLES = {**{name: name for name in RELATIONS}, **{own: r.name for r in RELATIONS.values() for own in r.tables}}
"""Every table and view of a store → the page that it is on."""
MOST_BYTES = 200_000


@pytest.fixture(scope="session")
def pages(site: Path) -> Mapping[str, Page]:
    return {file.relative_to(site).as_posix(): Page(file) for file in site.rglob("*.html")}


def asked(platform: Platform, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(platform.data / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def in_postgres(platform: Platform, sql: str) -> list[tuple[Any, ...]]:
    address = platform.taxi("postgres-url", "--idle-seconds", "1").out.strip()
    with psycopg.connect(address) as connection:
        return connection.execute(sql).fetchall()


def test_every_table_of_a_store_has_its_page_and_no_page_is_of_none(
    catalogued: Platform, pages: Mapping[str, Page]
) -> None:
    columns = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'taxi'"
    partitions = "SELECT relname FROM pg_class WHERE relispartition"
    stores = {
        "duckdb": asked(catalogued, columns),
        "postgres": in_postgres(catalogued, f"{columns} AND table_name NOT IN ({partitions})"),
    }
    with duckdb.connect(str(catalogued.data / "views.duckdb"), read_only=True) as views:
        stores["views over the lake"] = views.execute(columns).fetchall()
    for store, found in stores.items():
        for table, column in found:
            page = pages[f"tables/{TABLES[table]}.html"]
            assert table in (TABLES[table], *page.ids), (store, table)
            known = {name.lower() for name in page.ids}  # a raw view has names as this file writes them
            assert column.lower() in known, (store, table, column)
    there = {TABLES[table] for found in stores.values() for table, _ in found}
    of_green = {name for name, relation in RELATIONS.items() if "green" in relation.datasets or not relation.datasets}
    assert there == of_green
    assert {name for name in pages if name.startswith("tables/")} == {f"tables/{name}.html" for name in RELATIONS}


def test_types_are_those_of_the_stores(catalogued: Platform, pages: Mapping[str, Page]) -> None:
    sql = "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'taxi'"
    for title, found in (("DuckDB", asked(catalogued, sql)), ("PostgreSQL", in_postgres(catalogued, sql))):
        compared = 0
        for table, column, kind in found:
            relation = RELATIONS.get(table)
            if relation is None or relation.has_types_of_files:
                continue
            article = pages[f"tables/{table}.html"].text.split(f'<article class="column" id="{column}">')[1]
            shown = re.search(rf"<dt>{title}</dt><dd><code>([^<]+)</code>", article)
            assert shown is not None
            names = {"ARRAY": "text[]", "timestamp without time zone": "timestamp"}
            assert shown[1] == names.get(kind, kind), (table, column)
            compared += 1
        assert compared > 200


def test_months_are_those_of_the_status(catalogued: Platform, pages: Mapping[str, Page]) -> None:
    page = pages["months.html"]
    for status in catalogued.status():
        label = status["file_month"][:7]
        numbers = [status[f"{name}_rows"] for name in ("raw", "trips", "quarantined", "warehouse", "postgres")]
        numbers += [status["warehouse_marts_rows"], status["postgres_marts_rows"]]
        assert page.row(label)[:8] == [*(f"{number:,}" for number in numbers), "whole"]
    assert "../report/green-2020-06.html" in page.links
    assert "../report/green-2019-06.html" not in page.links


def test_a_month_is_listed_with_the_snapshot_that_names_it(catalogued: Platform, pages: Mapping[str, Page]) -> None:
    page, made = pages["months.html"], json.loads(catalogued.taxi("snapshot", "show", "first", "--json").out)
    printed = catalogued.taxi("snapshot", "show", "first").out
    *_, months, as_named, digest = page.row("first")
    assert (months, as_named) == ("1", "1")
    assert digest in printed
    assert made["name"] == page.row("2020-06")[-1] == "first"
    assert page.row("2019-06")[-1] == ""


def test_numbers_are_those_of_the_store(catalogued: Platform, pages: Mapping[str, Page]) -> None:
    [(trips, rejected)] = asked(
        catalogued, "SELECT (SELECT count(*) FROM taxi.trips), (SELECT count(*) FROM taxi.green_quarantine)"
    )
    assert f'<dd class="value">{trips:,}</dd><dd class="quiet">and {rejected:,} in quarantine</dd>' in (
        pages["index.html"].text
    )
    assert f"lake {trips:,} · DuckDB {trips:,} · PostgreSQL {trips:,}" in pages["tables/green_trips.html"].text
    for mart in (relation for relation in RELATIONS.values() if "green" in relation.datasets and relation.tables):
        own = f"green_{mart.name}"
        [(rows,)] = asked(catalogued, f"SELECT count(*) FROM taxi.{own}")
        assert pages[f"tables/{mart.name}.html"].row(own) == [f"{rows:,}"] * 2


def test_reasons_are_counted_as_in_the_store(catalogued: Platform, pages: Mapping[str, Page]) -> None:
    section = pages["quality.html"].text.split('aria-label="Reasons of green"')[1].split("</table>")[0]
    shown = dict(re.findall(r"<code>(\w+)</code>.*?<td class=\"number\">([\d,]+)</td>", section))
    counted = dict(asked(catalogued, "SELECT unnest(reasons), count(*) FROM taxi.green_quarantine GROUP BY 1"))
    assert counted
    assert shown == {reason: f"{counted.get(reason, 0):,}" for reason in CONTRACTS["green"].reasons}


def test_checks_are_those_of_the_runs(pages: Mapping[str, Page]) -> None:
    """Of a run: those of the layers that it made, each evaluated once, with what was found of the months."""
    text = pages["quality.html"].text
    assert "The newest evaluations of each check" in text
    evaluated, others = text.split("Assets whose checks were never evaluated")
    asset = evaluated.split("<h3><code>green_trips</code></h3>")[1].split("<h3>")[0]
    assert "0 of 2 months do not pass" in asset
    assert '<td class="passed">✓ passed</td>' in asset
    assert "<h3><code>yellow_trips</code></h3>" in others


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
    known = {(site / name).resolve(): set(page.ids) for name, page in pages.items()}
    followed = 0
    for page in pages.values():
        assert len(page.ids) == len(set(page.ids)), page.file
        for link in page.links:
            if "://" in link:
                continue
            target, _, anchor = link.partition("#")
            file = (page.file.parent / target).resolve() if target else page.file.resolve()
            assert file.is_file(), (page.file.name, link)
            assert not anchor or anchor in known[file], (page.file.name, link)
            followed += 1
    assert followed > 1_000


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


def test_without_months_there_are_the_contracts(tmp_path: Path) -> None:
    """No store is made by looking, and no instance."""
    platform = Platform(tmp_path, {"TAXI_DATA": str(tmp_path / "data"), "TAXI_SOURCE": "sample"})
    done = platform.taxi("catalog", "--output", "seen")
    assert (done.code, done.out) == (0, f"{tmp_path / 'seen' / 'index.html'}\n"), done.err
    assert not platform.data.exists()
    index, quality = Page(tmp_path / "seen" / "index.html"), Page(tmp_path / "seen" / "quality.html")
    assert "no months yet: taxi run brings them" in index.text
    assert "There is no Dagster instance in the data root" in quality.text
    assert "No months yet: bring one with" in (tmp_path / "seen" / "months.html").read_text()
    assert (tmp_path / "seen" / "tables" / "green_trips.html").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    platform = Platform(tmp_path, {"TAXI_DATA": str(tmp_path / "data"), "TAXI_SOURCE": "sample"})
    done = platform.taxi("catalog", "--output", "file/below")
    assert done.code == 1
    assert re.fullmatch(r"Error: .*/file/below/contracts/\S+ cannot be written: Not a directory\n", done.err)
