"""Choosing a source by name and address."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from taxi_platform.errors import SettingsError
from taxi_platform.months import TripMonth
from taxi_platform.sources import open_source
from taxi_platform.sources.auto import AutoSource
from taxi_platform.sources.http import HttpFiles
from taxi_platform.sources.layouts import DTC, TLC, PublishedSource
from taxi_platform_tests.sources.conftest import AT_ONCE
from taxi_platform_tests.support.upstream import serve


@pytest.mark.parametrize("name", ["auto", "dtc", "tlc", "sample"])
def test_every_name_opens_a_source_of_that_name(name: str) -> None:
    assert open_source(name).name == name


@pytest.mark.parametrize(
    ("name", "url", "sentence"),
    [
        ("ftp", None, "TAXI_SOURCE is 'ftp': it can be auto, dtc, tlc or sample"),
        ("auto", "https://example.org", "TAXI_SOURCE_URL goes with TAXI_SOURCE=dtc or tlc"),
        ("sample", "https://example.org", "TAXI_SOURCE_URL goes with TAXI_SOURCE=dtc or tlc"),
        ("dtc", "ftp://example.org/x", "TAXI_SOURCE_URL is 'ftp://example.org/x'"),
        ("dtc", "/no/such/folder", "TAXI_SOURCE_URL is '/no/such/folder', and there is no such folder"),
        ("dtc", "file:///no/such/folder", "there is no such folder"),
        ("dtc", "file://elsewhere/folder", "three slashes"),
        ("tlc", "https://", "TAXI_SOURCE_URL is 'https://'"),
        ("tlc", "https://host:port/x", "TAXI_SOURCE_URL is 'https://host:port/x'"),
        ("tlc", "https://example.org/x?token=1", "without a query"),
    ],
)
def test_what_cannot_be_used_is_a_sentence_naming_the_variable(name: str, url: str | None, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_source(name, url)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="TAXI_SOURCE_URL carries a user name or password") as caught:
        open_source("dtc", "https://me:hunter2@example.org/base")
    assert "hunter2" not in str(caught.value)


def test_layouts_are_the_publishers() -> None:
    month = TripMonth("yellow", date(2020, 3, 1))
    assert f"{DTC.public_base}/{DTC.path(month)}" == (
        "https://github.com/DataTalksClub/nyc-tlc-data/releases/download/yellow/yellow_tripdata_2020-03.csv.gz"
    )
    assert f"{TLC.public_base}/{TLC.path(month)}" == (
        "https://d37ci6vzurychx.cloudfront.net/trip-data/yellow_tripdata_2020-03.parquet"
    )


@pytest.mark.parametrize(
    ("first_day", "holder"),
    [
        (date(2018, 12, 1), "trip-data/green_tripdata_2018-12.parquet"),
        (date(2019, 1, 1), "green/green_tripdata_2019-01.csv.gz"),
        (date(2021, 7, 1), "green/green_tripdata_2021-07.csv.gz"),
        (date(2021, 8, 1), "trip-data/green_tripdata_2021-08.parquet"),
    ],
)
def test_auto_asks_the_host_that_holds_the_month(tmp_path: Path, first_day: date, holder: str) -> None:
    for path in (holder, "misc/taxi_zone_lookup.csv"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(b"a month")
    with serve(tmp_path) as upstream:
        dtc, tlc = (PublishedSource(of, HttpFiles(upstream.url, of.missing, AT_ONCE)) for of in (DTC, TLC))
        source = AutoSource(dtc, tlc)
        month = TripMonth("green", first_day)
        version = source.stat(month)
        assert version is not None
        assert source.fetch(month, version, tmp_path / "staging").size == len(b"a month")
        assert source.fetch_zones(source.stat_zones(), tmp_path / "staging").size == len(b"a month")
    assert {request.path for request in upstream.requests} == {holder, "misc/taxi_zone_lookup.csv"}


def test_a_mirror_in_the_dtc_layout_may_hold_any_month(tmp_path: Path) -> None:
    (tmp_path / "yellow").mkdir()
    (tmp_path / "yellow" / "yellow_tripdata_2012-01.csv.gz").write_bytes(b"a month")
    assert open_source("dtc", str(tmp_path)).stat(TripMonth("yellow", date(2012, 1, 1))) is not None


def test_auto_reads_the_public_bases() -> None:
    source = open_source("auto")
    assert isinstance(source, AutoSource)
    bases = [s.files.base for s in (source.dtc, source.tlc)]  # type: ignore[attr-defined]  # the transport is http
    assert bases == [DTC.public_base, TLC.public_base]


def test_opening_a_source_loads_no_heavy_library() -> None:
    code = (
        "import sys; from taxi_platform.sources import open_source;"
        "[open_source(name) for name in ('auto', 'dtc', 'tlc', 'sample')];"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"numpy", "pandas", "pyarrow", "requests", "tenacity", "urllib3"} & set(done.stdout.split())
