"""What upstreams send on a bad day stops the month with one clear sentence and leaves nothing behind."""

from __future__ import annotations

import gzip
import subprocess
import sys
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.errors import BrokenFileError, ContractError, TaxiError
from taxi_platform.ingest import stage_raw
from taxi_platform.months import TripMonth
from taxi_platform_tests.ingest.staging import columns_of, download_of, leftovers, stage, stage_csv
from taxi_platform_tests.support.dialects import generation_of

_GREEN = generation_of("green", date(2020, 3, 1))
_ROW = ["2", "2020-03-01 00:20:18", "2020-03-01 00:45:29", "N", *["1"] * 16]
_CSV = _GREEN.file([_ROW] * 2000)
_GREEN_NAME = "green_tripdata_2020-03.csv.gz"


def _sentence(directory: Path, name: str, data: bytes, error: type[TaxiError] = BrokenFileError) -> str:
    """What staging that file says; nothing may be left of it."""
    file = directory / name
    file.write_bytes(data)
    with pytest.raises(error) as caught:
        stage(file, directory)
    assert leftovers(directory) == []
    assert "\n" not in str(caught.value)
    assert file.as_uri() in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("broken", "month", "says"),
    [
        ("html_403_saved_as.parquet", "2021-01", "it is an HTML page"),
        ("json_error_saved_as.csv", "2020-03", "is not a CSV file but a JSON document"),
        ("truncated.parquet", "2021-01", "it is cut off after 1,918,543 bytes"),
    ],
)
def test_what_upstreams_really_sent_on_a_bad_day(tlc: Path, tmp_path: Path, broken: str, month: str, says: str) -> None:
    source = tlc / "broken" / broken
    assert says in _sentence(tmp_path, f"green_tripdata_{month}{source.suffix}", source.read_bytes())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<html><h1>403 Forbidden</h1>", "is not gzip data but an HTML page"),
        (b'{"error": true}', "is not gzip data but a JSON document"),
        (_CSV, "is not gzip data but something that begins with 'VendorID,lpep_pickup_datetime"),
        (b"", "is not gzip data but an empty file"),
        (gzip.compress(b"<html>403"), "holds no CSV text but an HTML page"),
        (gzip.compress(b""), "is empty"),
        (gzip.compress(b"\r\n\n"), "is empty"),
        (gzip.compress(gzip.compress(_CSV)), "holds no CSV text but gzip data"),
        (gzip.compress(b"\xff\xfe\x00V"), "its first line cannot be read as a header"),
        (gzip.compress(_GREEN.header()), "has a header and no records"),
        (gzip.compress(_GREEN.header().rstrip() + b"\n\r\n\n"), "has a header and no records"),
        (gzip.compress(_CSV)[:-1], "is cut off"),
        (gzip.compress(_CSV)[:200], "is cut off"),
        (gzip.compress(_CSV)[:5], "is cut off"),
        (gzip.compress(_CSV) + b"something else", "is damaged"),
        (gzip.compress(_CSV)[:-8] + b"\0" * 8, "is damaged"),
        (b"\x1f\x8b\x08\x00" + b"\xff" * 600, "is damaged"),
        (gzip.compress(_CSV.replace(b"fare_amount", b"VendorID", 1)), "2020-03: it has the column 'VendorID' twice"),
        (
            gzip.compress(_CSV.replace(b"fare_amount", b"_unparsed", 1)),
            "the column '_unparsed', a name that this platform keeps",
        ),
    ],
    ids=range(19),
)
def test_a_csv_gz_that_is_none_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    assert says in _sentence(tmp_path, _GREEN_NAME, data)


def test_a_gzip_under_a_csv_name_is_refused(tmp_path: Path) -> None:
    assert "is not a CSV file but gzip data" in _sentence(tmp_path, "green_tripdata_2020-03.csv", gzip.compress(_CSV))


def test_a_file_without_any_line_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    says = _sentence(tmp_path, _GREEN_NAME, gzip.compress(b"x" * (18 << 20), 1))
    assert "a line of it is longer than 16,777,216 bytes" in says


@pytest.mark.parametrize("members", [1, 2, 5])
def test_a_gzip_of_several_members_with_padding_reads_as_one_file(tmp_path: Path, members: int) -> None:
    size = len(_CSV) // members + 1
    parts = [_CSV[start : start + size] for start in range(0, len(_CSV), size)]
    file = tmp_path / _GREEN_NAME
    file.write_bytes(b"".join(map(gzip.compress, parts)) + b"\0" * 700)
    assert stage(file, tmp_path).raw.rows == 2000


def test_the_cut_last_record_of_an_otherwise_whole_file_is_kept_as_text(tmp_path: Path) -> None:
    staged = stage_csv(_CSV[:-20], tmp_path)
    assert staged.raw.rows == 2000
    assert staged.raw.unparsed_rows == 1
    assert columns_of(staged)["_unparsed"][-1] == _GREEN.record(_ROW).decode()[:-18]


@pytest.mark.parametrize(
    ("dataset", "month", "holds"),
    [
        ("yellow", date(2020, 3, 1), "green taxi"),
        ("fhv", date(2020, 3, 1), "green taxi"),
        ("fhvhv", date(2020, 3, 1), "green taxi"),
    ],
)
def test_a_green_month_under_another_name_is_refused(tmp_path: Path, dataset: str, month: date, holds: str) -> None:
    says = _sentence(tmp_path, f"{dataset}_tripdata_{month:%Y-%m}.csv.gz", gzip.compress(_CSV), ContractError)
    assert f"holds {holds} trips" in says


def test_a_high_volume_month_is_no_fhv_month_although_it_has_all_the_columns(tlc: Path, tmp_path: Path) -> None:
    data = (tlc / "heads" / "fhvhv_tripdata_2020-01.csv").read_bytes()
    says = _sentence(tmp_path, "fhv_tripdata_2020-01.csv", data, ContractError)
    assert "holds high-volume for-hire vehicle trips, not for-hire vehicle ones" in says


def test_a_parquet_month_of_another_dataset_is_refused(tlc: Path, tmp_path: Path) -> None:
    data = (tlc / "tlc" / "trip-data" / "yellow_tripdata_2022-01.parquet").read_bytes()
    assert "holds yellow taxi trips" in _sentence(tmp_path, "green_tripdata_2022-01.parquet", data, ContractError)


def test_a_missing_required_column_is_named(tmp_path: Path) -> None:
    data = gzip.compress(_CSV.replace(b"total_amount", b"grand_total", 1))
    assert "no column for total_amount" in _sentence(tmp_path, _GREEN_NAME, data, ContractError)


def test_an_unknown_column_is_kept_as_text(tmp_path: Path) -> None:
    staged = stage_csv(_CSV.replace(b"ehail_fee", b"moon_phase", 1), tmp_path)
    assert staged.raw.unparsed_rows == 0
    assert columns_of(staged)["moon_phase"] == ["1"] * 2000


def test_a_parquet_without_rows_is_refused(tlc: Path, tmp_path: Path) -> None:
    schema = pq.read_schema(tlc / "tlc" / "trip-data" / "green_tripdata_2021-01.parquet")
    sink = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), sink)
    says = _sentence(tmp_path, "green_tripdata_2021-01.parquet", sink.getvalue().to_pybytes())
    assert "has columns and no rows" in says


def test_a_damaged_footer_is_refused(tlc: Path, tmp_path: Path) -> None:
    data = bytearray((tlc / "tlc" / "trip-data" / "green_tripdata_2021-01.parquet").read_bytes())
    data[-2000:-8] = b"\xaa" * 1992
    assert "its footer is damaged" in _sentence(tmp_path, "green_tripdata_2021-01.parquet", bytes(data))


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / _GREEN_NAME).write_bytes(gzip.compress(_GREEN.file([_ROW] * 20_000)))
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from taxi_platform.errors import StoreError\n"
        "from taxi_platform_tests.ingest.staging import stage\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: stage(Path(sys.argv[1]), Path(sys.argv[1]).parent)\n"
        "except StoreError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / _GREEN_NAME)], capture_output=True, text=True, check=True
    )
    assert "cannot be written" in done.stdout
    assert "File too large" in done.stdout
    assert leftovers(tmp_path) == []


def test_a_contract_that_is_not_registered_reads_its_own_file(tmp_path: Path) -> None:
    from dataclasses import replace

    purple = replace(CONTRACTS["green"], dataset="purple", title="purple taxi")
    file = tmp_path / "purple_tripdata_2020-03.csv.gz"
    file.write_bytes(gzip.compress(_CSV))
    staged = stage_raw(purple, TripMonth("purple", date(2020, 3, 1)), download_of(file), tmp_path)
    assert staged.raw.rows == 2000


@pytest.mark.parametrize(
    "header",
    ["x" * 9_000, ",".join(f"column{n}" for n in range(3_000)), "a\x07" * 3_000, "VendorID," + "y" * 9_000 + ",y" * 2],
    ids=["long", "many", "controls", "twice"],
)
def test_a_sentence_shows_at_most_200_characters_of_a_header(header: str, tmp_path: Path) -> None:
    with pytest.raises((BrokenFileError, ContractError)) as caught:
        stage_csv(f"{header}\n1,2\n".encode(), tmp_path)
    sentence = str(caught.value).replace(str(tmp_path), "")
    assert len(sentence) < 200 + 500  # words of ours name every column that is missing
    assert sentence.isprintable()
