"""The two files and their facts: whole, in order, self-describing; or none at all."""

from __future__ import annotations

import json
import os
import random
import resource
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from taxi_platform.cleaning import CLEANING_REVISION, CleaningOptions, clean_month, clean_version, code_version
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.errors import BrokenFileError, ContractError, StoreError
from taxi_platform.references import CleanFacts
from taxi_platform_tests.cleaning.months import MARCH, YELLOW, clean, clean_file, raw_month, table, trip

_DIRTY = [trip(), trip(total_amount=-1.0), trip(passenger_count=0.0, tip_amount=1.0), trip(passenger_count=None)]


def test_both_files_have_the_contracts_schema_and_the_facts_in_their_footers(tmp_path: Path) -> None:
    staged = clean(_DIRTY, tmp_path).staged
    for file, declared in ((staged.trips_file, YELLOW.trips), (staged.quarantine_file, YELLOW.quarantine)):
        written = pq.ParquetFile(file)
        assert written.schema_arrow.equals(arrow_schema(declared))
        footer = written.metadata.metadata[b"taxi_platform"]
        assert CleanFacts.from_json(json.loads(footer)) == staged.facts


def test_every_row_is_in_one_of_the_files_in_the_order_of_the_raw_file(tmp_path: Path) -> None:
    rows = [trip(tip_amount=float(n), trip_distance=-1.0 if n % 3 else 1.0) for n in range(1_000)]
    cleaned = clean(rows, tmp_path)
    assert [row["tip_amount"] for row in cleaned.trips] == [float(n) for n in range(0, 1_000, 3)]
    assert [row["raw_row"] for row in cleaned.quarantine] == [n for n in range(1_000) if n % 3]
    assert {row["file_month"] for row in [*cleaned.trips, *cleaned.quarantine]} == {MARCH}
    assert cleaned.facts.is_conserved


def test_the_same_month_gives_the_same_bytes(tmp_path: Path) -> None:
    file = tmp_path / "raw.parquet"
    pq.write_table(table(_DIRTY * 3), file)
    first, second = (clean_file(file, tmp_path / name).staged for name in ("first", "second"))
    assert first.trips_file.read_bytes() == second.trips_file.read_bytes()
    assert first.quarantine_file.read_bytes() == second.quarantine_file.read_bytes()


def test_row_groups_are_full_and_timestamps_written_as_differences(tmp_path: Path) -> None:
    rows = table([trip()] * 300_000).set_column(13, "tip_amount", pa.array([n / 4 for n in range(300_000)]))
    written = pq.ParquetFile(clean(rows, tmp_path, row_group_size=10_000).staged.trips_file).metadata
    sizes = [written.row_group(group).num_rows for group in range(written.num_row_groups)]
    assert sum(sizes) == 300_000
    assert min(sizes[:-1]) >= 131_072
    pickups = written.row_group(0).column(YELLOW.trips.column_names.index("pickup_datetime"))
    assert "DELTA_BINARY_PACKED" in pickups.encodings
    assert pickups.compression == "ZSTD"


def test_quarantined_rows_keep_upstreams_columns_as_they_came(tmp_path: Path) -> None:
    flag = 'a "quoted" \\ line\nand ☂'
    row = {**trip(total_amount=-1.25, store_and_fwd_flag=flag, passenger_count=None), "extra ": flag, "when": None}
    raw = clean(table([row], **{"extra ": pa.string(), "when": pa.date32()}), tmp_path).raw[0]
    expected = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in {**row, "store_and_fwd_flag": flag}.items()
    }
    assert raw == expected
    assert list(raw) == list(row)


def test_the_facts_count_nulls_of_clean_rows_and_every_reason(tmp_path: Path) -> None:
    facts = clean(_DIRTY, tmp_path).facts
    assert facts.null_counts["passenger_count"] == 1
    assert facts.null_counts["airport_fee"] == 3
    assert facts.null_counts["vendor_id"] == 0
    assert tuple(facts.reasons) == YELLOW.reasons
    assert facts.reasons["negative_total"] == 1


def test_the_options_are_off_by_default_and_checked() -> None:
    assert CleaningOptions().switched_on == ()
    with pytest.raises(ValidationError):
        CleaningOptions.model_validate({"drop_zero_passenger": True})
    with pytest.raises(ValidationError):
        CleaningOptions.model_validate({"drop_zero_passengers": "perhaps"})


@pytest.mark.parametrize(("drop", "fill"), [(False, False), (True, False), (False, True), (True, True)])
def test_the_options_drop_zero_counts_first_and_fill_missing_ones_afterwards(
    drop: bool, fill: bool, tmp_path: Path
) -> None:
    options = CleaningOptions(drop_zero_passengers=drop, fill_missing_passengers=fill)
    cleaned = clean(_DIRTY, tmp_path, options=options)
    assert cleaned.reasons == {1: ["negative_total"], **({2: ["zero_passengers"]} if drop else {})}
    kept = [1, *([] if drop else [0]), 0 if fill else None]
    assert [row["passenger_count"] for row in cleaned.trips] == kept
    assert cleaned.facts.null_counts["passenger_count"] == (0 if fill else 1)
    assert cleaned.facts.options == dict.fromkeys(options.switched_on, True)
    assert cleaned.facts.version == clean_version(YELLOW, "0123456789abcdef", options)


def test_the_options_change_nothing_where_passengers_are_not_counted(tmp_path: Path) -> None:
    row = {"dispatching_base_num": "B1", "Pickup_date": datetime(2015, 1, 3), "locationID": 7}
    options = CleaningOptions(drop_zero_passengers=True, fill_missing_passengers=True)
    month = pa.Table.from_pylist([row])
    cleaned = clean(month, tmp_path, CONTRACTS["fhv"], date(2015, 1, 1), options)
    assert (cleaned.facts.trips_rows, cleaned.facts.quarantined_rows) == (1, 0)


def test_a_version_names_the_raw_version_the_contract_the_code_and_the_options() -> None:
    plain = clean_version(YELLOW, "abc")
    assert plain == f"abc-{YELLOW.fingerprint}-{CLEANING_REVISION}" == f"abc-{code_version(YELLOW)}"
    options = CleaningOptions(drop_zero_passengers=True)
    assert clean_version(YELLOW, "abc", options) == f"{plain}+drop_zero_passengers"
    stricter = replace(YELLOW, rules=YELLOW.rules[:-1])
    assert clean_version(stricter, "abc") != plain


def test_a_file_with_other_rows_than_announced_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "raw.parquet"
    pq.write_table(table(_DIRTY), file)
    directory = tmp_path / "clean"
    directory.mkdir()
    with pytest.raises(BrokenFileError, match=r"should have 5 rows, but 3 clean and 1 rejected"):
        clean_month(YELLOW, raw_month(YELLOW, MARCH, file, rows=5), file, directory)
    assert not list(directory.iterdir())


def test_a_file_without_a_required_column_says_which(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="it has no column for trip_distance"):
        clean(table([trip()]).drop_columns("trip_distance"), tmp_path)


def test_a_file_that_is_cut_or_damaged_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "raw.parquet"
    pq.write_table(table([trip(tip_amount=float(n)) for n in range(50_000)]), file, row_group_size=5_000)
    raw, whole = raw_month(YELLOW, MARCH, file), file.read_bytes()
    directory = tmp_path / "clean"
    directory.mkdir()
    middle = len(whole) // 2
    damaged = whole[:middle] + os.urandom(2_000) + whole[middle + 2_000 :]
    for content, sentence in ((whole[:-9], "is not a whole Parquet file"), (damaged, "cannot be read to its end")):
        file.write_bytes(content)
        with pytest.raises(BrokenFileError, match=sentence):
            clean_month(YELLOW, raw, file, directory)
        assert not list(directory.iterdir())


@pytest.mark.parametrize("limit", [50_000, 200_000], ids=["while looking for repeats", "while writing"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(limit: int, tmp_path: Path) -> None:
    file = tmp_path / "raw.parquet"
    numbers = random.Random(5)
    unlike = [trip(**{n: numbers.random() for n in ("tip_amount", "extra", "tolls_amount")}) for _ in range(10_000)]
    pq.write_table(table(unlike), file)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(StoreError, match=r"the cleaned rows of yellow 2020-03 cannot be written below .*too large"):
            clean_file(file, tmp_path / "clean")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list((tmp_path / "clean").iterdir())


def test_an_open_file_is_as_good_as_a_path(tmp_path: Path) -> None:
    file = _raw(tmp_path)
    directory = tmp_path / "clean"
    directory.mkdir()
    with file.open("rb") as opened:
        facts = clean_month(YELLOW, raw_month(YELLOW, MARCH, file), opened, directory).facts
        assert not opened.closed
    assert facts == clean_file(file, tmp_path / "again", options=CleaningOptions()).facts


def test_an_empty_month_gives_two_empty_files(tmp_path: Path) -> None:
    cleaned = clean([], tmp_path)
    assert (cleaned.trips, cleaned.quarantine) == ([], [])


def _raw(directory: Path) -> Path:
    file = directory / "raw.parquet"
    pq.write_table(table(_DIRTY), file)
    return file
