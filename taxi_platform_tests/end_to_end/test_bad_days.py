"""What goes wrong on a bad day: each is one clear sentence, exit code 1, and what stood before still stands."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from taxi_platform.sources.sample import write_month
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform_tests.support.platform import Done, Platform
from taxi_platform_tests.support.postgres import new_database
from taxi_platform_tests.support.upstream import Fault, Upstream, serve

APRIL = "green/green_tripdata_2020-04.csv.gz"
# Rows raw, in trips, quarantined, in the warehouse, in PostgreSQL.
REAL, GENERATED = (35_612, 35_354, 258, 35_354, 35_354), (1_000, 991, 9, 991, 991)


def on(upstream: Upstream, folder: Path, database: str) -> Platform:
    source = {"TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": upstream.url}
    return Platform(folder, {"TAXI_DATA": str(folder / "data"), "TAXI_POSTGRES": database, **source})


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    """One that has a generated April and the zones."""
    folder = tmp_path / "upstream"
    for name in ("green", "misc"):
        (folder / name).mkdir(parents=True)
    write_month("green", date(2020, 4, 1), 1_000, folder / APRIL, "csv.gz")
    (folder / "misc" / "taxi_zone_lookup.csv").write_bytes(lookup_csv())
    with serve(folder) as running:
        yield running


@pytest.fixture
def platform(upstream: Upstream, tmp_path: Path, postgres_database: str) -> Platform:
    return on(upstream, tmp_path, postgres_database)


@pytest.fixture(scope="module")
def real_upstream(tlc: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    """One that has the real April, and is about to fail twice and recover."""
    folder = tmp_path_factory.mktemp("upstream")
    (folder / "green").mkdir()
    shutil.copy(tlc / "dtc" / APRIL, folder / APRIL)
    shutil.copytree(tlc / "dtc" / "misc", folder / "misc")
    with serve(folder) as running:
        running.fail(APRIL, Fault.status(500), Fault.reset(after=100_000), method="GET")
        yield running


@pytest.fixture(scope="module")
def brought(
    real_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory, postgres_server: str
) -> tuple[Platform, Done]:
    """A platform that has brought April from there, for broken files after which it still stands; and what it said."""
    platform = on(real_upstream, tmp_path_factory.mktemp("brought"), new_database(postgres_server))
    return platform, platform.taxi("run", "--datasets", "green", "--months", "2020-04")


def is_one_sentence(done: Done) -> bool:
    return done.code == 1 and "Traceback" not in done.text


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TAXI_SOURCE", "dtcc"),
        ("TAXI_SOURCE_URL", "ftp://example.org"),
        ("TAXI_LAKE", "hdfs://somewhere"),
        ("TAXI_WAREHOUSE", "bigquery://project"),
        ("TAXI_POSTGRES", "mysql://localhost"),
        ("TAXI_SAMPLE_ROWS", "many"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_variable(tmp_path: Path, variable: str, value: str) -> None:
    done = Platform(tmp_path, {"TAXI_SOURCE": "dtc", variable: value}).taxi("run")
    assert is_one_sentence(done)
    assert variable in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("--datasets", "purple"), "purple"),
        (("--months", "2020-13"), "2020-13"),
        (("--months", "2020-05..2020-04"), "2020-05..2020-04"),
        (("--datasets", "green", "--months", "2013-07"), "2013-08"),
        (("--months", "2190-01"), "2190-01"),
    ],
)
def test_a_wrong_option_is_one_sentence(tmp_path: Path, options: tuple[str, ...], names: str) -> None:
    done = Platform(tmp_path, {"TAXI_SOURCE": "sample"}).taxi("run", *options)
    assert is_one_sentence(done)
    assert names in done.err


def test_a_month_that_upstream_does_not_have_fails_alone(platform: Platform) -> None:
    done = platform.taxi("run", "--datasets", "green", "--months", "2020-04..2020-05")
    assert is_one_sentence(done)
    assert "has no file for green 2020-05" in done.out
    assert platform.rows() == {"green 2020-04": GENERATED}


def test_months_arrive_without_the_zone_lookup_and_the_run_says_that_it_is_missing(
    platform: Platform, upstream: Upstream
) -> None:
    shutil.rmtree(upstream.folder / "misc")
    done = platform.taxi("run", "--datasets", "green", "--months", "2020-04")
    assert is_one_sentence(done)
    assert "The taxi zones are as they were: there is no taxi zone lookup at misc/taxi_zone_lookup.csv" in done.err
    assert platform.rows() == {"green 2020-04": GENERATED}


def test_a_server_that_fails_and_recovers_is_not_even_noticed(
    brought: tuple[Platform, Done], real_upstream: Upstream
) -> None:
    platform, done = brought
    assert done.code == 0, done.text
    assert real_upstream.count("GET", APRIL) > 2
    assert platform.rows() == {"green 2020-04": REAL}


@pytest.mark.parametrize("name", ["json_error_saved_as.csv", "html_403_saved_as.parquet", "truncated.parquet"])
def test_a_broken_file_leaves_the_month_before_in_every_store(
    brought: tuple[Platform, Done], real_upstream: Upstream, tlc: Path, name: str
) -> None:
    platform, _ = brought
    shutil.copy(tlc / "broken" / name, real_upstream.folder / APRIL)
    done = platform.taxi("run", "--datasets", "green", "--months", "2020-04")
    assert is_one_sentence(done)
    assert "green 2020-04" in done.out
    assert platform.rows() == {"green 2020-04": REAL}


def test_a_port_that_is_taken_is_one_sentence(platform: Platform) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = platform.taxi("dev", "--port", port)
    assert is_one_sentence(done)
    assert port in done.err


def test_a_data_root_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = Platform(tmp_path, {"TAXI_SOURCE": "sample", "TAXI_DATA": str(tmp_path / "file" / "data")}).taxi("run")
    assert is_one_sentence(done)
    assert str(tmp_path / "file") in done.err
