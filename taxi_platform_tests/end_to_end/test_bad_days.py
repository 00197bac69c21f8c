"""What goes wrong on a bad day: each is one clear sentence, exit code 1, and what stood before still stands."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_platform_tests.support.platform import Done, Platform
from taxi_platform_tests.support.postgres import new_database
from taxi_platform_tests.support.upstream import Fault, Upstream, serve

APRIL = "green/green_tripdata_2020-04.csv.gz"


def published(tlc: Path, folder: Path) -> Path:
    (folder / "green").mkdir(parents=True)
    shutil.copy(tlc / "dtc" / APRIL, folder / APRIL)
    shutil.copytree(tlc / "dtc" / "misc", folder / "misc")
    return folder


def on(upstream: Upstream, folder: Path, database: str) -> Platform:
    source = {"TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": upstream.url}
    return Platform(folder, {"TAXI_DATA": str(folder / "data"), "TAXI_POSTGRES": database, **source})


@pytest.fixture
def upstream(tlc: Path, tmp_path: Path) -> Iterator[Upstream]:
    with serve(published(tlc, tmp_path / "upstream")) as running:
        yield running


@pytest.fixture
def platform(upstream: Upstream, tmp_path: Path, postgres_database: str) -> Platform:
    return on(upstream, tmp_path, postgres_database)


@pytest.fixture(scope="module")
def brought(
    tlc: Path, tmp_path_factory: pytest.TempPathFactory, postgres_server: str
) -> Iterator[tuple[Platform, Upstream]]:
    """A platform that has the month already, for files after which it still stands."""
    folder = tmp_path_factory.mktemp("brought")
    with serve(published(tlc, folder / "upstream")) as upstream:
        platform = on(upstream, folder, new_database(postgres_server))
        done = platform.taxi("run", "--datasets", "green", "--months", "2020-04")
        assert done.code == 0, done.text
        yield platform, upstream


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
    assert platform.rows() == {"green 2020-04": (35_612, 35_354, 258, 35_354, 35_354)}


def test_months_arrive_without_the_zone_lookup_and_the_run_says_that_it_is_missing(
    platform: Platform, upstream: Upstream
) -> None:
    shutil.rmtree(upstream.folder / "misc")
    done = platform.taxi("run", "--datasets", "green", "--months", "2020-04")
    assert is_one_sentence(done)
    assert "The taxi zones are as they were: there is no taxi zone lookup at misc/taxi_zone_lookup.csv" in done.err
    assert platform.rows() == {"green 2020-04": (35_612, 35_354, 258, 35_354, 35_354)}


def test_a_server_that_fails_and_recovers_is_not_even_noticed(platform: Platform, upstream: Upstream) -> None:
    upstream.fail(APRIL, Fault.status(500), Fault.reset(after=100_000), method="GET")
    done = platform.taxi("run", "--datasets", "green", "--months", "2020-04")
    assert done.code == 0, done.text
    assert platform.rows() == {"green 2020-04": (35_612, 35_354, 258, 35_354, 35_354)}


@pytest.mark.parametrize("name", ["json_error_saved_as.csv", "html_403_saved_as.parquet", "truncated.parquet"])
def test_a_broken_file_leaves_the_month_before_in_every_store(
    brought: tuple[Platform, Upstream], tlc: Path, name: str
) -> None:
    platform, upstream = brought
    before = platform.rows()
    assert before == {"green 2020-04": (35_612, 35_354, 258, 35_354, 35_354)}
    shutil.copy(tlc / "broken" / name, upstream.folder / APRIL)
    done = platform.taxi("run", "--datasets", "green", "--months", "2020-04")
    assert is_one_sentence(done)
    assert "green 2020-04" in done.out
    assert platform.rows() == before


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
