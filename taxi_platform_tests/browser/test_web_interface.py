"""What people do in the web interface, done by clicking: look, materialize a month, backfill, execute again."""

from __future__ import annotations

import re

import dagster as dg
import pytest
from playwright.sync_api import expect

from taxi_platform.contracts import CONTRACTS
from taxi_platform.orchestration.keys import QUARANTINE, asset_key
from taxi_platform_tests.browser.conftest import BROUGHT, ROWS, Site
from tools.web import follow_notice, launch_months

pytestmark = pytest.mark.long

GROUP = "/locations/taxi_platform/asset-groups/green/lineage"
LAYERS = ("raw", "trips", "warehouse", "postgres")  # a step each


def materialized(site: Site, layer: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    monkeypatch.setenv("DAGSTER_HOME", str(site.platform.data / "dagster"))
    with dg.DagsterInstance.get() as instance:
        return {key[:7] for key in instance.get_materialized_partitions(asset_key(layer, "green"))}


def is_whole(rows: tuple[int | None, ...]) -> bool:
    raw, trips, quarantined, warehouse, postgres = rows
    return raw == ROWS == (trips or 0) + (quarantined or 0) and trips == warehouse == postgres


def test_the_asset_graph_shows_every_group(site: Site) -> None:
    site.open("/asset-groups")
    for group in (*CONTRACTS, "zones"):
        expect(site.page.get_by_text(group, exact=True).first).to_be_visible()


def test_the_graph_of_a_group_shows_its_assets_with_their_checks(site: Site) -> None:
    site.open(GROUP)
    expect(site.page.get_by_text("% filled")).to_have_count(len({*LAYERS, QUARANTINE}))
    expect(site.page.get_by_text("5 / 5 Passed")).to_be_visible()
    expect(site.page.get_by_text("1 / 1 Passed")).to_have_count(3)


def test_a_partition_shows_what_was_counted_for_it(site: Site) -> None:
    counted = site.platform.rows()[f"green {BROUGHT[0]}"]
    site.open("/assets/green_trips?view=partitions")
    site.page.get_by_placeholder("Filter by name…").fill(BROUGHT[0])
    site.page.get_by_text(f"{BROUGHT[0]}-01", exact=True).first.click()
    for name, rows in zip(("raw_rows", "dagster/partition_row_count", "quarantined_rows"), counted, strict=False):
        line = site.page.get_by_role("row").filter(has=site.page.get_by_text(name, exact=True))
        expect(line).to_contain_text(str(rows))


def test_metadata_is_plotted_by_partition(site: Site) -> None:
    site.open("/assets/green_trips")
    site.page.get_by_role("button", name="Plots").click()
    for name in ("raw_rows", "quarantined_rows", "dagster/partition_row_count"):
        expect(site.page.get_by_text(name, exact=True)).to_be_visible()
    plot = site.page.locator("canvas").first
    expect(plot).to_be_visible()
    drawn = "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
    site.page.wait_for_function(f"({drawn})(document.querySelector('canvas')) > 2")


def test_a_check_shows_its_table_of_months(site: Site) -> None:
    site.open("/assets/green_trips?view=checks")
    for name in ("nothing_lost", "contract_known", "usual_volume", "usual_nulls"):
        expect(site.page.get_by_text(name, exact=True).first).to_be_visible()
    site.page.get_by_text("nothing_lost", exact=True).first.click()
    expect(site.page.get_by_text("Passed", exact=True).first).to_be_visible()
    site.page.get_by_text("[Show Markdown]").click()
    for month in BROUGHT:
        expect(site.page.get_by_role("dialog").get_by_role("row").filter(has_text=month)).to_contain_text(f"{ROWS:,}")


def test_a_month_is_materialized_by_clicking(site: Site) -> None:
    site.open(GROUP)
    launch_months(site.page, "2020-05-01")
    expect(site.page.get_by_text("Success", exact=True).first).to_be_visible()
    assert is_whole(site.platform.rows()["green 2020-05"])
    assert site.fetched("2020-05") == 1


def test_a_bad_month_fails_alone_and_executing_again_touches_only_what_is_missing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = site.file("2020-09").read_bytes()
    site.file("2020-09").write_bytes(good[:5_000])
    site.open(GROUP)
    launch_months(site.page, "[2020-08-01...2020-10-01]")
    body = site.page.locator("body")
    expect(body).to_contain_text(re.compile(r"Status\s*Failed"))
    # Months asked for, in progress, succeeded, failed.
    expect(body).to_contain_text(re.compile(r"green_raw\s*100% completed\s*3\s*0\s*2\s*1"))
    assert {"2020-08", "2020-10"} <= materialized(site, "raw", monkeypatch)
    assert not any("2020-09" in materialized(site, layer, monkeypatch) for layer in LAYERS)

    site.file("2020-09").write_bytes(good)
    before = {month: site.fetched(month) for month in ("2020-08", "2020-09", "2020-10")}
    site.page.locator("[aria-label=expand_more]").first.click()
    site.page.get_by_role("menuitem", name="Re-execute from failure").click()
    follow_notice(site.page)
    expect(body).to_contain_text(re.compile(r"Status\s*Succeeded"))
    expect(body).to_contain_text(re.compile(r"green_raw\s*100% completed\s*1\s*0\s*1\s*0"))
    rows = site.platform.rows()
    assert all(is_whole(rows[f"green {month}"]) for month in before)
    assert {month: site.fetched(month) for month in before} == {**before, "2020-09": before["2020-09"] + 1}
