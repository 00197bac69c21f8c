"""``taxi status`` and ``taxi run --behind``: what is behind is named, ends with code 1, and is repaired."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import duckdb
import pytest

from taxi_platform.months import month_label
from taxi_platform_tests.support.platform import Platform


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    variables = {"TAXI_DATA": str(tmp_path / "data"), "TAXI_SOURCE": "sample", "TAXI_SAMPLE_ROWS": "1000"}
    return Platform(tmp_path, {**variables, "TAXI_POSTGRES": "off"})


def states(platform: Platform) -> dict[str, tuple[str, dict[str, str]]]:
    return {month_label(s.file_month): (s.state, dict(s.behind)) for s in platform.statuses()}


def metrics(platform: Platform) -> dict[str, float]:
    """Name and labels → the number, as ``taxi metrics`` prints them."""
    done = platform.taxi("metrics")
    assert done.code == 0, done.text
    lines = (line.rpartition(" ") for line in done.out.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_what_is_behind_is_named_and_brought_up_to_date(platform: Platform) -> None:
    assert platform.taxi("status").out.startswith("No month in")
    assert platform.taxi("run", "--months", "2020-01..2020-03").code == 0
    done = platform.taxi("status")
    assert done.code == 0
    assert "3 whole" in done.out.splitlines()[-1]
    assert platform.taxi("run", "--behind").out == "Nothing is behind that can be repaired.\n"

    with duckdb.connect(str(platform.data / "warehouse.duckdb")) as connection:
        connection.execute("UPDATE taxi.months SET data_version = 'c0' WHERE file_month = DATE '2020-02-01'")
        connection.execute("DELETE FROM taxi.green_trips WHERE file_month = DATE '2020-03-01'")
    (trips,) = (platform.data / "lake/trips/green/month=2020-01").glob("*.parquet")
    trips.write_bytes(b"")
    found = states(platform)
    assert {month: (state, set(gaps)) for month, (state, gaps) in found.items()} == {
        "2020-01": ("behind", {"trips"}),
        "2020-02": ("behind", {"warehouse"}),
        "2020-03": ("behind", {"warehouse"}),
    }
    assert platform.status()[0]["postgres_rows"] == "off"
    done = platform.taxi("status", "--datasets", "green,yellow", "--months", "2020-02..2020-03")
    assert done.code == 1
    assert "2020-01" not in done.out
    assert "total    2" in done.out
    assert "green 2020-02 warehouse: holds version c0, the lake " in done.out
    assert platform.taxi("status", "--datasets", "yellow").code == 0

    numbers = metrics(platform)
    assert numbers['taxi_months{dataset="green",state="behind"}'] == 3
    assert numbers['taxi_months_behind{dataset="green",layer="trips"}'] == 1
    assert numbers['taxi_months_behind{dataset="green",layer="warehouse"}'] == 2
    assert 'taxi_months_behind{dataset="green",layer="postgres"}' not in numbers

    done = platform.taxi("run", "--behind", "--months", "2020-01..2020-02")
    assert done.code == 0, done.text
    assert [state for state, _ in states(platform).values()] == ["whole", "whole", "behind"]
    assert platform.taxi("run", "--behind").code == 0
    assert [state for state, _ in states(platform).values()] == ["whole", "whole", "whole"]
    assert metrics(platform)['taxi_months{dataset="green",state="whole"}'] == 3
    assert metrics(platform)['taxi_rows{dataset="green",layer="raw"}'] == 3_000
    assert "SettingsError" not in platform.taxi("run", "--behind", "--force").text


def test_a_raw_file_that_upstream_has_no_longer_stays_and_its_trips_are_made_anew(platform: Platform) -> None:
    """Converted by an earlier release: its trips follow this one, its file cannot."""
    platform.variables["TAXI_WAREHOUSE"] = "off"
    assert platform.taxi("run", "--months", "2020-01").code == 0
    manifest = platform.data / "lake/raw/green/month=2020-01/manifest.json"
    text = manifest.read_text()
    version = json.loads(text)["versions"][0]["version"]
    old = f"{version.partition('-r')[0]}-r1"
    (manifest.parent / f"{version}.parquet").rename(manifest.parent / f"{old}.parquet")
    manifest.write_text(text.replace(version, old))
    upstream = platform.folder / "upstream/green"
    upstream.mkdir(parents=True)
    (upstream / "green_tripdata_2020-02.csv.gz").write_bytes(gzip.compress(b"x"))
    elsewhere = {"TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": str(upstream.parent)}
    done = platform.taxi("run", "--behind", **elsewhere)
    assert done.code == 1
    assert "upstream has it no longer: the month stays as it is" in done.err
    (status,) = platform.statuses()
    assert set(status.behind) == {"raw"}
    assert status.raw_version == old
    assert (status.data_version or "").startswith(old)
