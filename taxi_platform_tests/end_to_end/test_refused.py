"""The life of a version that cleaning refuses, as a user sees it: one command after another over one month."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from taxi_platform.months import parse_month
from taxi_platform.sources.sample import write_month
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform_tests.support.platform import Done, Platform
from taxi_platform_tests.support.upstream import Upstream, serve

NAME = "green 2020-03"
FILE = "green/green_tripdata_2020-03.csv.gz"
RUN = ("run", "--datasets", "green", "--months", "2020-03")
SENTENCE = re.compile(r"^green 2020-03: (.*pickup.*3/\d+/2020 .*--accept-changed-format.*)", re.MULTILINE)


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    folder = tmp_path / "upstream"
    for name in ("misc", "green"):
        (folder / name).mkdir(parents=True)
    (folder / "misc/taxi_zone_lookup.csv").write_bytes(lookup_csv())
    with serve(folder) as running:
        yield running


@pytest.fixture
def platform(upstream: Upstream, tmp_path: Path) -> Platform:
    data = str(tmp_path / "data")
    return Platform(tmp_path, {"TAXI_DATA": data, "TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": upstream.url})


def publish(upstream: Upstream, rows: int) -> None:
    write_month("green", parse_month("2020-03"), rows, upstream.folder / FILE, "csv.gz")


def publish_from_a_spreadsheet(upstream: Upstream, rows: int) -> None:
    """Saved again by a program that writes ``3/1/2020 0:30``."""
    publish(upstream, rows)
    file = upstream.folder / FILE
    text = gzip.decompress(file.read_bytes()).decode()
    time = re.compile(r"(\d{4})-0?(\d+)-0?(\d+) 0?(\d+):(\d\d):\d\d")
    file.write_bytes(gzip.compress(time.sub(r"\2/\3/\1 \4:\5", text).encode()))


def manifest(platform: Platform) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((platform.data / "lake/raw/green/month=2020-03/manifest.json").read_text())
    return document


def sentence(done: Done) -> str:
    found = SENTENCE.search(done.out)
    assert done.code == 1, done.text
    assert "Traceback" not in done.text
    assert found is not None, done.text
    return found[1]


def raw_rows(platform: Platform) -> int:
    """By the view over raw months."""
    import duckdb

    with duckdb.connect(str(platform.data / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT count(*) FROM taxi.raw_green").fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.long
def test_a_version_is_refused_and_repeated_consented_to_and_followed_by_others(
    platform: Platform, upstream: Upstream
) -> None:
    publish(upstream, 1_000)
    done = platform.taxi(*RUN)
    assert done.code == 0, done.text
    before, (first,) = platform.rows()[NAME], manifest(platform)["versions"]

    # Refused: kept, and nothing else changes anywhere.
    publish_from_a_spreadsheet(upstream, 1_200)
    reason = sentence(platform.taxi(*RUN))
    assert platform.rows()[NAME] == before
    assert raw_rows(platform) == 1_000
    said = manifest(platform)
    assert (said["current"], said["versions"][1]["refused"]["sentence"]) == (first["version"], reason)
    refused = said["upstream"]
    assert (platform.data / "lake" / said["versions"][1]["path"]).exists()

    # Again: the same sentence, and nothing is fetched or written.
    fetched = upstream.count("GET", FILE)
    assert sentence(platform.taxi(*RUN)) == reason
    assert upstream.count("GET", FILE) == fetched
    assert manifest(platform) == said
    versions = platform.taxi("versions", "green", "2020-03").out
    assert re.search(rf"{refused} +1,200 +\S+ +refused", versions)
    assert reason in versions
    selected = platform.taxi("select", "green", "2020-03", refused)
    assert (selected.code, platform.rows()[NAME]) == (1, before)
    assert "is selected with --accept-changed-format only" in selected.err

    # Consent: cleaned without a fetch, and remembered.
    done = platform.taxi(*RUN, "--accept-changed-format")
    assert upstream.count("GET", FILE) == fetched
    assert manifest(platform)["versions"][1]["accepts_changed_format"], done.text
    assert manifest(platform)["current"] == refused
    rows = platform.rows()[NAME]
    assert rows[0] == (rows[1] or 0) + (rows[2] or 0) == 1_200
    assert rows[3] == rows[4] == rows[1]
    assert raw_rows(platform) == 1_200
    assert manifest(platform)["clean"]["facts"]["version"].endswith("+accept_changed_format")
    again = platform.taxi(*RUN)
    assert again.code == 0, again.text
    assert "unchanged" in again.out

    # Published again as it was before: the consent was to the other file only.
    publish(upstream, 1_300)
    done = platform.taxi(*RUN)
    assert done.code == 0, done.text
    assert platform.rows()[NAME][0] == raw_rows(platform) == 1_300
    assert not manifest(platform)["versions"][2]["accepts_changed_format"]

    # And back to the one that was consented to: every later cleaning knows.
    done = platform.taxi("select", "green", "2020-03", refused)
    assert done.code == 0, done.text
    assert platform.rows()[NAME] == rows
    assert manifest(platform)["clean"]["facts"]["version"].endswith("+accept_changed_format")

    # Withdrawn upstream: what stands stays.
    (upstream.folder / FILE).unlink()
    assert platform.taxi(*RUN).code == 1
    assert platform.rows()[NAME] == rows
