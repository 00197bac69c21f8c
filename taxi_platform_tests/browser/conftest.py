"""The web interface in a real browser: one server and one page for all tests of a module.

Without Chromium the tests are skipped, and say so; with ``CI`` set they fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from taxi_platform.sources.sample.writing import write_month
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform_tests.support.chromium import chromium_or_skip
from taxi_platform_tests.support.platform import Platform
from taxi_platform_tests.support.upstream import Upstream, serve
from tools.web import browser_page, web_interface

if TYPE_CHECKING:
    from playwright.sync_api import Page

PUBLISHED = ("2020-01", "2020-02", "2020-05", "2020-08", "2020-09", "2020-10")
BROUGHT = PUBLISHED[:2]
ROWS = 1_000


@dataclass
class Site:
    """A platform with some months, its upstream with more, and a browser's page at its web interface."""

    platform: Platform
    upstream: Upstream
    address: str
    page: Page

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}{path}")

    def file(self, month: str) -> Path:
        return self.upstream.folder / file_name(month)

    def fetched(self, month: str) -> int:
        """How often upstream was asked for the file of that month."""
        return self.upstream.count("GET", file_name(month))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        upstream = stack.enter_context(serve(_published(folder / "upstream")))
        variables = {"TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": upstream.url, "TAXI_DATA": str(folder / "data")}
        platform = Platform(folder, variables)
        chromium = chromium_or_skip()
        done = platform.taxi("run", "--datasets", "green", "--months", f"{BROUGHT[0]}..{BROUGHT[-1]}")
        assert done.code == 0, done.text
        address = stack.enter_context(web_interface(folder, platform.environment))
        yield Site(platform, upstream, address, stack.enter_context(browser_page(chromium)))


def file_name(month: str) -> str:
    return f"green/green_tripdata_{month}.csv.gz"


def _published(folder: Path) -> Path:
    (folder / "green").mkdir(parents=True)
    (folder / "misc").mkdir()
    (folder / "misc" / "taxi_zone_lookup.csv").write_bytes(lookup_csv())
    for month in PUBLISHED:
        write_month("green", date.fromisoformat(f"{month}-01"), ROWS, folder / file_name(month), "csv.gz")
    return folder
