"""The same months out of a folder."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from taxi_platform.errors import MonthNotPublishedError, UpstreamChangedError
from taxi_platform.sources import Source, Version, open_source
from taxi_platform_tests.sources.conftest import MONTH, MONTH_PATH
from taxi_platform_tests.sources.test_http import ABSENT


def look(source: Source) -> Version:
    version = source.stat(MONTH)
    assert version is not None
    return version


@pytest.mark.parametrize("scheme", ["", "file://", "file://localhost"])
def test_a_version_is_the_sha256_and_a_missing_month_none(published: Path, scheme: str) -> None:
    source = open_source("dtc", f"{scheme}{published}")
    content = (published / MONTH_PATH).read_bytes()
    assert look(source).token == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert look(source).size == len(content)
    assert source.stat(ABSENT) is None


def test_a_relative_folder_is_the_one_below_the_working_directory(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(published.parent)
    source = open_source("dtc", published.name)
    monkeypatch.chdir("/")
    assert look(source).url == (published / MONTH_PATH).as_uri()


def test_a_rewritten_file_is_another_version_even_at_the_same_size(published: Path) -> None:
    source, file = open_source("dtc", str(published)), published / MONTH_PATH
    first = look(source)
    file.write_bytes(file.read_bytes()[::-1])
    assert look(source).token != first.token


def test_a_fetched_file_is_private_whole_and_out_of_the_folders_reach(published: Path, tmp_path: Path) -> None:
    source, file = open_source("dtc", str(published)), published / MONTH_PATH
    content = file.read_bytes()
    download = source.fetch(MONTH, look(source), tmp_path / "staging")
    file.write_bytes(b"overwritten in place")
    assert download.file.read_bytes() == content
    assert download.sha256 == hashlib.sha256(content).hexdigest()
    assert stat.S_IMODE(download.file.stat().st_mode) == 0o600


def test_a_file_that_changed_since_the_look_is_refused(published: Path, tmp_path: Path) -> None:
    source = open_source("dtc", str(published))
    version = look(source)
    (published / MONTH_PATH).write_bytes(b"another file")
    with pytest.raises(UpstreamChangedError, match="changed after it was looked at"):
        source.fetch(MONTH, version, tmp_path / "staging")
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_file_gone_since_the_look_is_not_published(published: Path, tmp_path: Path) -> None:
    source = open_source("dtc", str(published))
    version = look(source)
    (published / MONTH_PATH).unlink()
    with pytest.raises(MonthNotPublishedError, match="is gone"):
        source.fetch(MONTH, version, tmp_path / "staging")
    assert list((tmp_path / "staging").iterdir()) == []


def test_real_files_are_found_in_both_layouts(tlc: Path, tmp_path: Path) -> None:
    from datetime import date

    from taxi_platform.contracts import CONTRACTS

    csv = open_source("dtc", str(tlc / "dtc")).stat(MONTH)
    source = open_source("tlc", str(tlc / "tlc"))
    parquet = source.stat(CONTRACTS["green"].month(date(2024, 1, 1)))
    assert csv is not None
    assert csv.url.endswith(MONTH_PATH)
    assert parquet is not None
    assert parquet.url.endswith("trip-data/green_tripdata_2024-01.parquet")
    assert source.fetch(MONTH, parquet, tmp_path).is_parquet
