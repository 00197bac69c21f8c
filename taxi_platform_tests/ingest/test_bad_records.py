"""Single bad cells in months of realistic size, and what counts as a number."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from taxi_platform.cleaning import clean_month
from taxi_platform.contracts import CONTRACTS
from taxi_platform.errors import BrokenFileError
from taxi_platform.ingest.records import RecordParser
from taxi_platform.orchestration.checks import _drift
from taxi_platform.references import CleanMonth
from taxi_platform_tests.ingest.staging import columns_of, csv_file, leftovers, stage_csv
from taxi_platform_tests.support.dialects import generation_of
from taxi_platform_tests.support.escapes import original

_GREEN = generation_of("green", date(2020, 3, 1))
_ROWS = 30_000


def _row(number: int) -> list[str]:
    """A row that says which it is: in the distance and in the seconds of its pickup."""
    seconds = f"{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
    return ["2", f"2020-03-01 {seconds}", "2020-03-02 00:00:00", "N", *["1"] * 4, f"{number}.25", *["1"] * 11]


_RECORDS = [_GREEN.record(_row(number)) for number in range(_ROWS)]


def test_bad_cells_in_the_middle_of_large_blocks_cost_their_own_records_only(tmp_path: Path) -> None:
    records = list(_RECORDS)
    bad = sorted(random.Random(5).sample(range(_ROWS), 40))
    for number in bad:
        records[number] = records[number].replace(b".25", b" miles")
    content = _GREEN.header() + b"\r\n".join(records)
    assert len(content) > 2 << 20  # several blocks
    staged = stage_csv(content, tmp_path)
    columns = columns_of(staged)
    assert (staged.raw.rows, staged.raw.unparsed_rows) == (_ROWS, len(bad))
    kept = {number: text for number, text in enumerate(columns["_unparsed"]) if text is not None}
    assert kept == {number: records[number].decode() for number in bad}
    expected = [None if number in kept else number + 0.25 for number in range(_ROWS)]
    assert columns["trip_distance"] == expected


def test_a_quote_that_never_closes_swallows_no_other_record(tmp_path: Path) -> None:
    records = list(_RECORDS)
    for number in (7_000, 15_000, 15_001, 29_000):
        records[number] = records[number].replace(b",N,", b',"N,')
    staged = stage_csv(_GREEN.header() + b"\r\n".join(records), tmp_path)
    columns = columns_of(staged)
    assert (staged.raw.rows, staged.raw.unparsed_rows) == (_ROWS, 4)
    assert columns["trip_distance"][15_002] == 15_002.25
    assert columns["_unparsed"][15_001] == records[15_001].decode()


def test_values_in_spare_fields_are_no_spare_fields(tmp_path: Path) -> None:
    generation = generation_of("green", date(2015, 1, 1))
    cells = ["2", "2015-01-01 00:34:42", "2015-01-01 00:38:34", "N", *["1"] * 17]
    good = generation.record(cells)
    staged = stage_csv(
        generation.header() + b"\r\n".join([good, good + b"x", good]), tmp_path, "green", date(2015, 1, 1)
    )
    assert columns_of(staged)["_unparsed"] == [None, f"{good.decode()}x", None]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.0", 1),
        ("-3.00", -3),
        ("265.", 265),
        ("9007199254740992.0", 2**53),
        ("9223372036854775807", 2**63 - 1),
        (" 4 ", 4),
    ],
)
def test_a_whole_number_may_be_written_as_a_decimal(tmp_path: Path, text: str, value: int) -> None:
    staged = stage_csv(_with_cell("PULocationID", text), tmp_path)
    assert staged.raw.unparsed_rows == 0
    assert columns_of(staged)["PULocationID"] == [1, value, 1]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("PULocationID", "1.5"),
        ("PULocationID", "9223372036854775808"),
        ("PULocationID", "9007199254740994.0"),
        ("PULocationID", "1e999"),
        ("PULocationID", "1_000"),
        ("PULocationID", "0x1A"),
        ("PULocationID", " 0X1a"),
        ("PULocationID", "n/a"),
        ("PULocationID", "one"),
        ("PULocationID", " "),
        ("trip_distance", "inf"),
        ("trip_distance", "-Infinity"),
        ("trip_distance", "1e999"),
        ("trip_distance", "0x1A"),
        ("trip_distance", "1,5"),
        ("trip_distance", "NULL"),
        ("lpep_pickup_datetime", "2020-13-01 00:00:00"),
        ("lpep_pickup_datetime", "2020-03-01 24:00:00"),
        ("lpep_pickup_datetime", "03/01/2020 12:00:00 AM"),
        ("lpep_pickup_datetime", "NULL"),
    ],
)
def test_a_cell_that_does_not_fit_its_type_makes_its_record_text(tmp_path: Path, column: str, text: str) -> None:
    data = _with_cell(column, text)
    columns = columns_of(stage_csv(data, tmp_path))
    assert columns["_unparsed"] == [None, data.split(b"\r\n")[2].decode(), None]
    assert columns["trip_distance"] == [0.25, None, 2.25]
    assert columns["lpep_pickup_datetime"][2] == datetime(2020, 3, 1, 0, 0, 2)


@pytest.mark.parametrize("text", ["nan", "NaN", "-nan", "+NAN", " nan ", "-nan(ind)"])
@pytest.mark.parametrize("column", ["PULocationID", "trip_distance"])
def test_what_is_not_a_number_is_a_missing_number(tmp_path: Path, column: str, text: str) -> None:
    staged = stage_csv(_with_cell(column, text), tmp_path)
    assert staged.raw.unparsed_rows == 0
    assert [value is None for value in columns_of(staged)[column]] == [False, True, False]


def test_missing_numbers_and_bad_cells_of_one_block_are_told_apart(tmp_path: Path) -> None:
    rows = [_row(number) for number in range(4)]
    for row, text in zip(rows[1:], ("nan", "-inf", "1.7976931348623157e308"), strict=True):
        row[_GREEN.names.index("trip_distance")] = text
    columns = columns_of(stage_csv(_GREEN.file(rows), tmp_path))
    assert columns["trip_distance"] == [0.25, None, None, 1.7976931348623157e308]
    assert [text is None for text in columns["_unparsed"]] == [True, True, False, True]


def test_a_column_with_times_that_have_a_zone_is_kept_as_text(tmp_path: Path) -> None:
    staged = stage_csv(_with_cell("lpep_pickup_datetime", "2020-03-01 00:00:00Z"), tmp_path)
    columns = columns_of(staged)
    assert staged.raw.unparsed_rows == 0
    times = [f"2020-03-01 00:00:0{second}" for second in ("0", "0Z", "2")]
    assert columns["lpep_pickup_datetime"] == times
    assert columns["lpep_dropoff_datetime"] == [datetime(2020, 3, 2)] * 3


def _with_cell(column: str, text: str) -> bytes:
    """Three records, the second with that text in that column."""
    rows = [_row(number) for number in range(3)]
    rows[1][_GREEN.names.index(column)] = text
    return _GREEN.file(rows)


def test_letters_of_an_older_encoding_are_read_and_counted(tmp_path: Path) -> None:
    """Windows-1252, in a block of UTF-8 and beside it, quoted or not; nothing is lost, and nothing else changes."""
    rows = [_row(number) for number in range(6)]
    flags = {1: "\u00e9", 2: "\u20ac\u017d", 3: "\u00e9", 4: 'a "\u201cb\u201d"', 5: "\\x41"}
    for number, flag in flags.items():
        rows[number][_GREEN.names.index("store_and_fwd_flag")] = flag
    records = [_GREEN.record(row) for row in rows]
    records[1:3] = [record.decode().encode("cp1252") for record in records[1:3]]
    records[4] = records[4].replace('a "\u201cb\u201d"'.encode(), b'"a ""\x93b\x94"""')
    staged = stage_csv(_GREEN.header() + b"\r\n".join(records), tmp_path)
    columns = columns_of(staged)
    assert (staged.raw.unparsed_rows, staged.raw.decoded_rows) == (0, 3)
    assert columns["store_and_fwd_flag"] == ["N", *flags.values()]
    assert columns["trip_distance"] == [number + 0.25 for number in range(6)]


def test_what_was_read_in_an_older_encoding_is_a_fact_of_the_clean_month(tmp_path: Path) -> None:
    """The check `contract_known` warns of it."""
    records = [_GREEN.record(_row(number)) for number in range(3)]
    records[1] = records[1].replace(b",N,", b",\xe9,")
    staged = stage_csv(_GREEN.header() + b"\r\n".join(records), tmp_path)
    clean = clean_month(CONTRACTS["green"], staged.raw, staged.file, tmp_path)
    assert (clean.facts.decoded_rows, clean.facts.trips_rows) == (1, 3)
    month = CleanMonth(clean.month, clean.facts, "", "", 0, 0)
    assert ("(text)", "(not UTF-8, read as Windows-1252)", 1) in list(_drift(month))


@pytest.mark.parametrize("byte", [b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d", b"\0"])
def test_a_byte_that_stands_for_nothing_costs_its_own_record_and_is_kept(byte: bytes, tmp_path: Path) -> None:
    records = [_GREEN.record(_row(number)) for number in range(3)]
    records[0] = records[0].replace(b",N,", b",\xe9,")
    records[1] = records[1].replace(b",N,", b",\\x00" + byte + b"\xe9,")
    staged = stage_csv(_GREEN.header() + b"\r\n".join(records), tmp_path)
    columns = columns_of(staged)
    assert (staged.raw.unparsed_rows, staged.raw.decoded_rows) == (1, 1 + (byte == b"\0"))
    assert columns["store_and_fwd_flag"] == ["\u00e9", None, "N"]
    [kept] = filter(None, columns["_unparsed"])
    assert f"\\x5cx00\\x{byte.hex()}\u00e9" in kept
    assert original(kept) == records[1].replace(b"\xe9", "\u00e9".encode())


def test_a_month_in_an_older_encoding_throughout_loses_nothing(tmp_path: Path) -> None:
    records = [record.replace(b",N,", b",\xe9,") for record in _RECORDS]
    records[100] = records[100].replace(b".25", b" miles")
    staged = stage_csv(_GREEN.header() + b"\r\n".join(records), tmp_path)
    assert (staged.raw.rows, staged.raw.unparsed_rows, staged.raw.decoded_rows) == (_ROWS, 1, _ROWS)
    columns = columns_of(staged)
    assert columns["_unparsed"][100] == records[100].decode("cp1252")
    assert set(columns["store_and_fwd_flag"]) == {"\u00e9", None}


def test_a_month_in_which_nothing_fits_is_kept_as_text(tmp_path: Path) -> None:
    staged = stage_csv(_GREEN.header() + b"no record\r\n" * 500, tmp_path)
    assert (staged.raw.rows, staged.raw.unparsed_rows) == (500, 500)
    assert columns_of(staged)["_unparsed"] == ["no record"] * 500


def test_the_same_file_makes_the_same_bytes(tmp_path: Path) -> None:
    data = _GREEN.header() + b"\r\n".join(_RECORDS)
    first = stage_csv(data, tmp_path).file.read_bytes()
    assert stage_csv(data, tmp_path).file.read_bytes() == first


def test_row_groups_are_large_whatever_the_blocks(tmp_path: Path) -> None:
    data = _GREEN.header() + b"\r\n".join(_RECORDS * 6)
    metadata = pq.read_metadata(stage_csv(data, tmp_path).file)
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sum(sizes) == _ROWS * 6
    assert len(sizes) == 2
    assert sizes[0] >= 131_072


def test_a_row_that_the_parser_loses_stops_the_month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parse = RecordParser.parse
    monkeypatch.setattr(RecordParser, "parse", lambda self, block: parse(self, block).slice(1))
    with pytest.raises(BrokenFileError, match="has 3 records but reads as 2 rows; nothing was kept"):
        stage_csv(_with_cell("trip_distance", "1"), tmp_path)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("large", [60, pytest.param(120, marks=pytest.mark.long)])
def test_memory_does_not_grow_with_the_month(tmp_path: Path, large: int) -> None:
    """A month many times as large, with bad cells in every block, takes hardly more: each in a process of its own."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from taxi_platform_tests.ingest.staging import stage\n"
        "print(stage(Path(sys.argv[1]), Path(sys.argv[1]).parent).raw.unparsed_rows)\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
    )
    block = b"\r\n".join([*_RECORDS, b"no record\r\n"])
    small = 6
    peaks = []
    for blocks in (small, large):
        folder = tmp_path / str(blocks)
        folder.mkdir()
        file = csv_file(_GREEN.header() + block * blocks, folder)
        done = subprocess.run(
            [sys.executable, "-c", script, str(file)],
            capture_output=True,
            text=True,
            check=True,
        )
        unparsed, peak_kib = map(int, done.stdout.split())
        assert unparsed == blocks
        peaks.append(peak_kib * 1024)
    assert peaks[1] - peaks[0] < (large - small) * len(block) / 3
