"""The report as an asset: a page follows its marts and those that it is compared with, and says so in Dagster."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from taxi_platform.inspection.report import charts
from taxi_platform.months import parse_month, parse_month_range
from taxi_platform.orchestration.jobs import report_job_name
from taxi_platform.orchestration.keys import asset_key
from taxi_platform.orchestration.partitions import run_tags
from taxi_platform.stores.duckdb.store import DuckDBStore
from taxi_platform_tests.automation.conftest import Deployment

LAYERS = ("raw", "trips", "warehouse", "warehouse_marts")
REPORT = asset_key("report", "green")


@pytest.fixture
def variables(variables: dict[str, str]) -> dict[str, str]:
    return {**variables, "TAXI_MARTS": "on", "TAXI_POSTGRES": "off"}


def reported(deployment: Deployment, months: str) -> dg.ExecuteInProcessResult:
    """The job of the report, as it is shipped."""
    job = deployment.definitions.resolve_job_def(report_job_name("green"))
    return job.execute_in_process(
        instance=deployment.instance, tags=run_tags(parse_month_range(months)), raise_on_error=False
    )


def asked(deployment: Deployment) -> set[str]:
    """One tick of automation: months whose page it asks for."""
    return {key[:7] for key in deployment.evaluate_all().get_requested_partitions(REPORT) if key}


def page(deployment: Deployment, label: str) -> Path:
    return deployment.settings.report / f"green-{label}.html"


def metadata(deployment: Deployment, label: str) -> dict[str, Any]:
    filtered = dg.AssetRecordsFilter(REPORT, asset_partitions=[f"{label}-01"])
    (record,) = deployment.instance.fetch_materializations(filtered, limit=1).records
    assert record.asset_materialization is not None
    return {name: value.value for name, value in record.asset_materialization.metadata.items()}


def size_of(image: bytes) -> tuple[int, int]:
    """Width and height of a PNG whose every chunk is whole and whose rows are as many and as long as it says."""
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    names, rows = [], b""
    for name, content in _chunks(image):
        names.append(name)
        rows += content if name == b"IDAT" else b""
    assert (names[0], names[-1], names.count(b"IDAT")) == (b"IHDR", b"IEND", 1)
    width, height, depth, colour = struct.unpack_from(">IIBB", image, 16)
    assert (depth, colour) == (8, 6)
    assert len(zlib.decompress(rows)) == height * (1 + 4 * width)
    return width, height


def _chunks(image: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place < len(image):
        length, name = struct.unpack_from(">I4s", image, place)
        content = image[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", image, place + 8 + length) == (zlib.crc32(name + content),)
        yield name, content
        place += 12 + length


def test_a_page_follows_its_marts_and_its_numbers_and_pictures_are_in_dagster(deployment: Deployment) -> None:
    deployment.upstream.publish("2020-01")
    assert deployment.run("2020-01", LAYERS).success
    assert not deployment.settings.report.exists(), "bringing a month makes no page"
    assert asked(deployment) == {"2020-01"}
    assert reported(deployment, "2020-01").success
    assert asked(deployment) == set()
    found, text = metadata(deployment, "2020-01"), page(deployment, "2020-01").read_text()
    trips, cents = sums(deployment, "2020-01")
    assert (found["trips"], found["revenue_dollars"]) == (trips, cents / 100)
    numbers = {"trips", "revenue_dollars", "mean_fare_dollars", "mean_distance_miles", "mean_duration_minutes"}
    assert numbers <= found.keys()
    assert f'<dd class="value">{trips:,}</dd>' in text
    assert (found["page"], found["bytes"]) == (str(page(deployment, "2020-01")), len(text.encode()))
    assert found["made_from"] in text
    index = (deployment.settings.report / "index.html").read_text()
    assert 'href="green-2020-01.html"' in index
    pictures = re.findall(r"!\[([^\]]+)\]\(data:image/png;base64,([^)]+)\)", found["pictures"])
    assert [name for name, _ in pictures] == ["Trips by day", "Trips an hour, the mean of the month's days"]
    for _, encoded in pictures:
        width, height = size_of(base64.b64decode(encoded))
        assert (width > charts.WIDTH, height > 180) == (True, True)
    assert len(found["pictures"]) < 40_000
    made = page(deployment, "2020-01").stat().st_mtime_ns
    assert reported(deployment, "2020-01").success
    assert page(deployment, "2020-01").stat().st_mtime_ns == made
    assert metadata(deployment, "2020-01") == {
        **found,
        "changed": False,
        "seconds": metadata(deployment, "2020-01")["seconds"],
    }


@pytest.mark.long
def test_a_page_is_right_after_all_that_happens_to_its_month_and_to_those_it_is_compared_with(
    deployment: Deployment,
) -> None:
    deployment.upstream.publish("2020-01..2020-03")
    assert deployment.run("2020-01..2020-03", LAYERS).success
    assert asked(deployment) == {"2020-01", "2020-02", "2020-03"}
    assert reported(deployment, "2020-01..2020-03").success
    assert asked(deployment) == set()

    # Republished: the page of the month after is compared with it.
    before = {label: page(deployment, label).read_text() for label in ("2020-01", "2020-02", "2020-03")}
    deployment.upstream.publish("2020-02", rows=1_500)
    assert deployment.run("2020-02", LAYERS).success
    assert asked(deployment) == {"2020-02", "2020-03"}
    assert asked(deployment) == set(), "asked for once"
    assert reported(deployment, "2020-01..2020-03").success
    after = {label: page(deployment, label).read_text() for label in before}
    assert [label for label in before if before[label] != after[label]] == ["2020-02", "2020-03"]
    assert [metadata(deployment, label)["changed"] for label in before] == [False, True, True]
    assert asked(deployment) == set()
    deployment.upstream.publish("2020-02", rows=1_200)
    assert deployment.run("2020-02", LAYERS).success
    assert asked(deployment) == {"2020-02", "2020-03"}, "asked for anew, though nothing is new of March itself"

    # Failed: the page shows the marts that are there.
    assert reported(deployment, "2020-02..2020-03").success
    stands = page(deployment, "2020-02").read_text()
    deployment.upstream.publish_broken("2020-02")
    assert not deployment.run("2020-02", LAYERS).success
    assert asked(deployment) == set()
    assert page(deployment, "2020-02").read_text() == stands

    # Lost: a run makes it again, though its marts have not changed.
    page(deployment, "2020-02").unlink()
    assert reported(deployment, "2020-02").success
    assert page(deployment, "2020-02").read_text() == stands

    # Withdrawn: its page goes, and the month after has nothing to compare with.
    deployment.upstream.withdraw("2020-02")
    config = {"green_raw": {"config": {"remove_withdrawn": True}}}
    assert deployment.run("2020-02", LAYERS, config=config).success
    assert asked(deployment) == {"2020-02", "2020-03"}
    assert reported(deployment, "2020-02..2020-03").success
    assert not page(deployment, "2020-02").exists()
    assert metadata(deployment, "2020-02")["withdrawn"] is True
    assert "n/a on the month before" in page(deployment, "2020-03").read_text()
    assert "green-2020-02.html" not in (deployment.settings.report / "index.html").read_text()
    assert asked(deployment) == set()

    # A month without marts fails alone, in a sentence.
    result = reported(deployment, "2020-03..2020-04")
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert failed.step_failure_data.user_failure_data is not None
    sentences: Any = failed.step_failure_data.user_failure_data.metadata["failed_months"].value
    assert list(sentences) == ["2020-04"]
    assert "has no marts of green 2020-04: taxi run" in sentences["2020-04"]


def sums(deployment: Deployment, label: str) -> tuple[int, int]:
    """Trips and cents of the month in the store's own trips."""
    store = DuckDBStore(deployment.settings.warehouse)
    rows = store.read_months("taxi.green_trips", [parse_month(label)], ["total_amount"]).read_all()
    amounts = [value for value in rows["total_amount"].to_pylist() if value is not None]
    return len(rows), sum(round(amount * 100) for amount in amounts)


def test_without_marts_there_is_no_report(deployment: Deployment) -> None:
    from dataclasses import replace

    for changed in ({"marts": "off"}, {"warehouse": "off"}):
        off = replace(deployment, settings=deployment.settings.model_copy(update=changed))
        repository = off.definitions.get_repository_def()
        assert REPORT not in repository.asset_graph.get_all_asset_keys()
        assert not repository.has_job(report_job_name("green"))
