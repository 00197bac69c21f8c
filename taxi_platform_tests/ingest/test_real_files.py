"""Every real file reads whole, and every value is what its text says."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_platform.contracts.matching import UNPARSED_COLUMN
from taxi_platform.references import StagedRaw
from taxi_platform_tests.ingest.staging import month_of, stage
from taxi_platform_tests.support.dialects import GENERATIONS, generation_of, read_plainly

_ARROW = {"i": pa.int64(), "d": pa.float64(), "t": pa.timestamp("us"), "s": pa.string()}
_FULL_MONTHS = {  # rows as published with the files
    "green_tripdata_2020-03.csv.gz": 223_406,
    "green_tripdata_2020-04.csv.gz": 35_612,
    "green_tripdata_2020-05.csv.gz": 57_360,
    "green_tripdata_2020-06.csv.gz": 63_109,
    "green_tripdata_2020-07.csv.gz": 72_257,
    "green_tripdata_2020-08.csv.gz": 81_063,
    "green_tripdata_2020-12.parquet": 83_130,
    "green_tripdata_2021-01.parquet": 76_518,
    "green_tripdata_2021-02.parquet": 64_572,
    "green_tripdata_2023-01.parquet": 68_211,
    "green_tripdata_2023-02.parquet": 64_809,
    "green_tripdata_2024-01.parquet": 56_551,
    "yellow_tripdata_2022-01.parquet": 100_000,
}
_YELLOW_SAMPLE_ROWS = 10_000


def _assert_values_are_those_of_the_text(staged: StagedRaw, data: bytes, source: Path) -> None:
    month = month_of(source)
    generation = generation_of(month.dataset, month.first_day)
    expected = read_plainly(data, generation.kinds)
    table = pq.read_table(staged.file)
    assert table.schema.names == [*generation.names, UNPARSED_COLUMN]
    assert table.schema.types == [*(_ARROW[kind] for kind in generation.kinds), pa.string()]
    assert staged.raw.rows == table.num_rows == len(expected[0])
    assert staged.raw.unparsed_rows == 0
    for name, values in zip(generation.names, expected, strict=True):
        assert table.column(name).to_pylist() == values, name
    assert table.column(UNPARSED_COLUMN).null_count == table.num_rows


def test_the_first_lines_of_every_csv_month_read_as_their_text_says(tlc: Path, tmp_path: Path) -> None:
    heads = sorted((tlc / "heads").glob("*.csv"))
    seen = {generation_of(month_of(head).dataset, month_of(head).first_day) for head in heads}
    assert seen == {generation for generation in GENERATIONS if generation.first.year < 2021}
    for head in heads:
        data = head.read_bytes()
        whole = tmp_path / head.name
        whole.write_bytes(data[: data.rindex(b"\n") + 1])
        month = month_of(head)
        assert data.startswith(generation_of(month.dataset, month.first_day).header())
        _assert_values_are_those_of_the_text(stage(whole, tmp_path), whole.read_bytes(), head)


@pytest.mark.parametrize(
    "months", ["green_tripdata_2020-04", "yellow_tripdata_*", pytest.param("green_tripdata_*", marks=pytest.mark.long)]
)
def test_every_csv_gz_month_reads_as_its_text_says(tlc: Path, tmp_path: Path, months: str) -> None:
    files = sorted((tlc / "dtc").glob(f"*/{months}.csv.gz"))
    assert files
    for file in files:
        staged = stage(file, tmp_path)
        _assert_values_are_those_of_the_text(staged, gzip.decompress(file.read_bytes()), file)
        assert staged.raw.rows == _FULL_MONTHS.get(file.name, _YELLOW_SAMPLE_ROWS)
        assert staged.raw.size == staged.file.stat().st_size


def test_an_upstream_parquet_is_kept_byte_for_byte(tlc: Path, tmp_path: Path) -> None:
    files = sorted((tlc / "tlc").glob("*/*_tripdata_*.parquet"))
    assert files
    for file in files:
        staged = stage(file, tmp_path)
        assert staged.raw.rows == _FULL_MONTHS[file.name]
        assert staged.raw.unparsed_rows == 0
        assert staged.file.read_bytes() == file.read_bytes()


def test_files_of_one_generation_share_a_fingerprint_and_a_changed_type_changes_it(tlc: Path, tmp_path: Path) -> None:
    folder = tlc / "tlc" / "trip-data"
    prints = {
        month: stage(folder / f"green_tripdata_{month}.parquet", tmp_path).raw.schema_fingerprint
        for month in ("2021-01", "2021-02", "2023-02", "2024-01")
    }
    assert prints["2021-01"] == prints["2021-02"]
    assert prints["2021-02"] != prints["2023-02"]


@pytest.mark.parametrize("kept", ["csv.gz", "parquet"])
def test_a_raw_month_carries_its_provenance(tlc: Path, tmp_path: Path, kept: str) -> None:
    layout = {
        "csv.gz": "dtc/green/green_tripdata_2020-04.csv.gz",
        "parquet": "tlc/trip-data/green_tripdata_2021-02.parquet",
    }
    file = tlc / layout[kept]
    raw = stage(file, tmp_path).raw
    assert raw.month == month_of(file)
    assert raw.source_url == file.as_uri()
    assert raw.source_size == file.stat().st_size
    assert raw.source_token == f"token of {raw.sha256}"
    assert raw.etag == '"an etag"'
    assert raw.version.startswith(raw.sha256[:16])
    assert raw.path == f"raw/green/month={raw.month.label}/{raw.version}.parquet"
    assert raw.fetched_at.endswith("+00:00")
