"""Files of any content staged as months, and what came of them."""

from __future__ import annotations

import gzip
import hashlib
import re
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from taxi_platform.contracts import CONTRACTS
from taxi_platform.ingest import stage_raw
from taxi_platform.months import TripMonth, parse_month
from taxi_platform.references import StagedRaw
from taxi_platform.sources.model import Download, Version

_NAME = re.compile(r"(\w+)_tripdata_(\d{4}-\d\d)\.(csv|csv\.gz|parquet)")


def download_of(file: Path, url: str | None = None) -> Download:
    """A file as a source would hand it over."""
    data = file.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    version = Version(url or file.as_uri(), token=f"token of {sha256}", etag='"an etag"', size=len(data))
    return Download(version, file, sha256, len(data))


def month_of(file: Path) -> TripMonth:
    """The month a file is named after."""
    match = _NAME.fullmatch(file.name)
    assert match is not None, file
    return TripMonth(match[1], parse_month(match[2]))


def stage(file: Path, directory: Path) -> StagedRaw:
    month = month_of(file)
    return stage_raw(CONTRACTS[month.dataset], month, download_of(file), directory)


def stage_csv(data: bytes, directory: Path, dataset: str = "green", month: date = date(2020, 3, 1)) -> StagedRaw:
    return stage(csv_file(data, directory, dataset, month), directory)


def csv_file(data: bytes, directory: Path, dataset: str = "green", month: date = date(2020, 3, 1)) -> Path:
    """Those bytes as a gzipped CSV month."""
    file = directory / f"{dataset}_tripdata_{month:%Y-%m}.csv.gz"
    file.write_bytes(gzip.compress(data, 1))
    return file


def columns_of(staged: StagedRaw) -> dict[str, list[Any]]:
    """Upstream name → values."""
    columns: dict[str, list[Any]] = pq.read_table(staged.file).to_pydict()
    return columns


def leftovers(directory: Path) -> list[str]:
    """Files in ``directory`` that are no upstream files."""
    return sorted(path.name for path in directory.iterdir() if _NAME.fullmatch(path.name) is None)
