"""The catalog's pages say what the stores and ``taxi status`` say: a catalog over generated months in every store."""

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
from taxi_platform_tests.catalog.reading import RELATIONS, TABLES, Page, broken_links, read_pages
from taxi_platform_tests.support.platform import Platform

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def pages(site: Path) -> Mapping[str, Page]:
    return read_pages(site)


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


def test_every_link_leads_somewhere(site: Path, pages: Mapping[str, Page]) -> None:
    assert broken_links(site, pages) == []
    assert any(link.startswith("../report/") for page in pages.values() for link in page.links)
