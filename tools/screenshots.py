"""Take the pictures of the documentation: `python -m tools.screenshots`; with pages of the platform's own, of those.

Belongs here: the months that are shown, and what each picture shows. Does not: starting the web interface (``web``).
The months are generated, in a temporary data root, in the sizes of a real dataset's history divided by forty; one file
is cut short, so that a backfill has a month that fails. It takes some minutes and needs Chromium: on Debian and Ubuntu,
``apt-get install chromium``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.sources.sample.writing import write_month
from taxi_platform.sources.sample.zones import lookup_csv
from tools.web import browser_page, find_chromium, launch_months, web_interface

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["main"]

_IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
_MOST_BYTES = 300_000
_SCALE = 1.5
_FIRST, _BAD, _LAST = date(2017, 1, 1), date(2026, 8, 1), date(2026, 9, 1)
_BROUGHT = ("2017-01..2025-12", "2026-01..2026-06")
_ASKED_FOR = "[2026-07-01...2026-09-01]"
_REPORTED = "2026-06-01"
_OWN_PAGES = {
    "mart_zone_revenue.html": ("catalog-table", 1180, 860),
    "lineage.html": ("catalog-lineage", 1440, 620),
}
"""Page of the catalog → its picture, with width and height; any other page is the report's of a month."""
_GROUP = "/locations/taxi_platform/asset-groups/green/lineage"
_TRIPS_A_MONTH = {
    (2017, 1): 1_050_000, (2018, 1): 800_000, (2019, 1): 630_000, (2020, 1): 448_000, (2020, 4): 36_000,
    (2020, 12): 83_000, (2022, 1): 63_000, (2024, 1): 57_000, (2026, 12): 44_000,
}  # fmt: skip
"""Of green, about: the shape of the plots; between them a straight line."""
_SEASON = (0.98, 0.96, 1.08, 1.03, 1.05, 1.0, 0.93, 0.92, 0.96, 1.04, 1.0, 1.05)


def main() -> None:
    """Take every picture of the web interface, or those of the report and the catalog in the files that are named."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit("there is no Chromium on this machine: on Debian and Ubuntu, apt-get install chromium")
    if sys.argv[1:]:
        with browser_page(chromium) as page:
            for file in map(Path, sys.argv[1:]):
                name, width, height = _OWN_PAGES.get(file.name, ("report", 1180, 1560))
                page.set_viewport_size({"width": width, "height": height})
                page.goto(file.resolve().as_uri())
                _take(page, _IMAGES / f"{name}.png")
        return
    with tempfile.TemporaryDirectory(prefix="taxi-") as folder:
        environment = _platform(Path(folder))
        with web_interface(Path(folder), environment) as address, browser_page(chromium, _SCALE) as page:
            for name, show in _PICTURES.items():
                page.set_viewport_size({"width": 1280, "height": 800})
                show(page, address)
                _take(page, _IMAGES / f"{name}.png")


def _platform(folder: Path) -> dict[str, str]:
    """Months of green brought by ``taxi run``, and three more waiting upstream, one of them broken."""
    upstream = folder / "upstream"
    (upstream / "green").mkdir(parents=True)
    (upstream / "misc").mkdir()
    (upstream / "misc" / "taxi_zone_lookup.csv").write_bytes(lookup_csv())
    months = [date(n // 12, n % 12 + 1, 1) for n in range(_FIRST.year * 12, _LAST.year * 12 + _LAST.month)]
    for month in months:
        write_month("green", month, _rows(month), _file(upstream, month), "csv.gz")
    bad = _file(upstream, _BAD)
    bad.write_bytes(bad.read_bytes()[:10_000])
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("TAXI_", "DAGSTER_"))}
    environment = {**outside, "TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": str(upstream), "TAXI_DATA": str(folder / "data")}
    for first_and_last in _BROUGHT:
        command = ["run", "--datasets", "green", "--months", first_and_last]
        subprocess.run([sys.executable, "-m", "taxi_platform.cli", *command], cwd=folder, env=environment, check=True)
    page = ["-m", "taxi_platform.definitions", "--select", "green_report", "--partition", _REPORTED]
    of_the_run = {**environment, "DAGSTER_HOME": str(folder / "data" / "dagster")}
    command = [sys.executable, "-m", "dagster", "asset", "materialize", *page]
    subprocess.run(command, cwd=folder, env=of_the_run, check=True)
    return environment


def _rows(month: date) -> int:
    known = {year * 12 + number: trips for (year, number), trips in _TRIPS_A_MONTH.items()}
    now = month.year * 12 + month.month
    before, after = max(n for n in known if n <= now), min(n for n in known if n > now)
    trips = known[before] + (known[after] - known[before]) * (now - before) / (after - before)
    return max(1_000, round(trips * _SEASON[month.month - 1] / 40))


def _file(upstream: Path, month: date) -> Path:
    return upstream / "green" / f"green_tripdata_{month:%Y-%m}.csv.gz"


def _asset_graph(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{address}{_GROUP}")
    last = page.get_by_text("% filled").nth(4)
    last.click(trial=True)  # waits until the graph rests
    page.mouse.move(0, 0)  # no asset is highlighted


def _plots(page: Page, address: str) -> None:
    page.goto(f"{address}/assets/green_trips")
    for section in ("Status", "Description", "Columns"):
        page.get_by_text(section, exact=True).first.click()
    page.get_by_role("button", name="Plots").click()
    page.locator("canvas").nth(3).wait_for()


def _checks(page: Page, address: str) -> None:
    page.goto(f"{address}/assets/green_trips?view=checks")
    page.get_by_text("nothing_lost", exact=True).first.click()
    page.get_by_text("rows in the raw file").wait_for()
    page.get_by_text("[Show Markdown]").click()
    page.get_by_role("dialog").get_by_role("table").wait_for()


def _backfill(page: Page, address: str) -> None:
    """Three months launched by clicking, and the page once they have ended."""
    page.set_viewport_size({"width": 1280, "height": 600})
    page.goto(f"{address}{_GROUP}")
    launch_months(page, _ASKED_FOR)
    page.get_by_role("link", name="green_postgres").wait_for()
    page.get_by_text("Failed", exact=True).nth(1).wait_for()


def _report(page: Page, address: str) -> None:
    """The two pictures of a month's page in its materialization."""
    page.goto(f"{address}/assets/green_report?view=partitions&partition={_REPORTED}")
    page.get_by_text("[Show Markdown]").first.click()
    page.get_by_role("dialog").get_by_role("img").nth(1).wait_for()


def _partitions(page: Page, address: str) -> None:
    page.goto(f"{address}/assets/green_raw?view=partitions")
    page.get_by_text("2026-07-01", exact=True).first.click()
    page.get_by_text("source_url").wait_for()


_PICTURES: dict[str, Callable[[Page, str], None]] = {
    "asset-graph": _asset_graph,
    "plots": _plots,
    "checks": _checks,
    "backfill": _backfill,
    "partitions": _partitions,
    "report-in-dagster": _report,
}
"""Name of the file → what brings the page there, in the order of the story."""


def _take(page: Page, path: Path) -> None:
    """The page as it is now, in 256 colours: a third of the bytes, and no difference to the eye."""
    import io

    from PIL import Image

    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise RuntimeError(f"{path.name} has {size:,} bytes, more than {_MOST_BYTES:,}")
    print(f"{path.name}: {size:,} bytes")


if __name__ == "__main__":
    main()
