"""A month whose format has changed stops: each bound just below, at and above it, and no real file meets any."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from taxi_platform.cleaning import CleaningOptions, clean_month
from taxi_platform.contracts import CONTRACTS
from taxi_platform.errors import ChangedFormatError
from taxi_platform.references import CleanFacts
from taxi_platform_tests.cleaning.months import CONSENTING, clean, table, trip
from taxi_platform_tests.ingest.staging import month_of, stage, stage_csv
from taxi_platform_tests.support.dialects import generation_of

_STRICT = CleaningOptions()
_GREEN = generation_of("green", date(2020, 4, 1))
_APRIL = date(2020, 4, 1)


def _month(records: int, **columns: Any) -> pa.Table:
    """So many faultless trips, told apart by their tips, with whole columns replaced."""
    month = table([trip()]).take(pa.array([0] * records, pa.int64()))
    tips = pa.array([n / 8 for n in range(records)], pa.float64())
    for name, values in {"tip_amount": tips, **columns}.items():
        array = values if isinstance(values, pa.Array) else pa.array(values)
        month = month.set_column(month.schema.get_field_index(name), name, array)
    return month


def _first(count: int, value: Any, records: int, others: Any) -> list[Any]:
    return [value] * count + [others] * (records - count)


def _stops(month: pa.Table, directory: Path) -> str | None:
    """The sentence, or None where the month is cleaned."""
    try:
        clean(month, directory, options=_STRICT)
    except ChangedFormatError as error:
        assert not list((directory / "clean").iterdir())
        return str(error)
    return None


@pytest.mark.parametrize(
    ("column", "cells", "stops"),
    [
        # Required: one filled cell is enough, and one that parses enough for the contrary.
        ("passenger_count", _first(1, "two", 40, None), True),
        ("passenger_count", [*_first(38, "two", 39, None), "2"], False),
        ("passenger_count", [None] * 40, False),
        # Any other: 20 cells, in 1 % of records.
        ("airport_fee", _first(19, "n/a", 40, None), False),
        ("airport_fee", _first(20, "n/a", 40, None), True),
        ("airport_fee", _first(20, "n/a", 2_000, None), True),
        ("airport_fee", _first(20, "n/a", 2_001, None), False),
        ("airport_fee", [*_first(30, "n/a", 39, None), "1.25"], False),
    ],
)
def test_a_column_that_parses_in_no_record(column: str, cells: list[str | None], stops: bool, tmp_path: Path) -> None:
    sentence = _stops(_month(len(cells), **{column: pa.array(cells, pa.string())}), tmp_path)
    assert (sentence is not None) is stops
    if sentence is not None:
        filled = sum(cell is not None for cell in cells)
        word = next(cell for cell in cells if cell is not None)
        what = f"yellow 2020-03 has another format than the contract's: {column} reads in none of the {filled} records"
        assert sentence.startswith(f"{what} that have it, the first with '{word}'")


@pytest.mark.parametrize(("unfit", "records", "stops"), [(99, 1_000, False), (100, 2_000, False), (100, 1_999, True)])
def test_more_than_five_in_a_hundred_and_a_hundred_records_do_not_parse(
    unfit: int, records: int, stops: bool, tmp_path: Path
) -> None:
    zones = _first(unfit, "the Bronx", records, "7")
    sentence = _stops(_month(records, PULocationID=zones), tmp_path)
    assert (sentence is not None) is stops
    assert not stops or f"{unfit} of its 1,999 records do not fit their types, 100 by PULocationID" in str(sentence)
    assert not stops or "the first with 'the Bronx'" in str(sentence)


@pytest.mark.parametrize(("outside", "records", "stops"), [(99, 120, False), (100, 200, False), (100, 199, True)])
def test_more_than_half_and_a_hundred_records_lie_outside_the_month(
    outside: int, records: int, stops: bool, tmp_path: Path
) -> None:
    june, march = datetime(2020, 6, 2, 8), datetime(2020, 3, 2, 8)
    pickups = pa.array(_first(outside, june, records, march), pa.timestamp("us"))
    sentence = _stops(_month(records, tpep_pickup_datetime=pickups, tpep_dropoff_datetime=pickups), tmp_path)
    assert (sentence is not None) is stops
    assert not stops or "100 of its 199 records lie outside the month by tpep_pickup_datetime" in str(sentence)
    assert not stops or "the first with '2020-06-02 08:00:00'" in str(sentence)


def test_a_month_of_which_no_trip_is_left(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    assert _stops(_month(2, total_amount=[-1.0, 2.0]), tmp_path / "one") is None
    sentence = _stops(_month(2, total_amount=[-1.0, -2.0]), tmp_path)
    assert sentence is not None
    assert "no trip is left of its 2 records, 2 of them rejected as negative_total" in sentence
    assert '"total_amount": -1' not in sentence  # the record is cut to what a sentence shows


def test_a_month_without_records_is_no_changed_one(tmp_path: Path) -> None:
    assert _stops(_month(0), tmp_path) is None


def test_other_reasons_never_stop_a_month(tmp_path: Path) -> None:
    records = 400
    month = _month(
        records,
        tip_amount=[0.0] * (records - 1) + [1.0],  # all but one are copies
        trip_distance=_first(records - 2, 5_000.0, records, 1.0),
        DOLocationID=_first(records - 2, 999, records, 9),
    )
    assert _stops(month, tmp_path) is None


def test_consent_cleans_the_month_all_the_same_and_stands_in_facts_and_version(tmp_path: Path) -> None:
    facts = clean(_month(3, total_amount=[-1.0, -2.0, -3.0]), tmp_path, options=CONSENTING).facts
    assert (facts.trips_rows, facts.quarantined_rows) == (0, 3)
    assert facts.options == {"accept_changed_format": True}
    assert facts.version.endswith("+accept_changed_format")


def test_a_long_cell_is_cut(tmp_path: Path) -> None:
    sentence = _stops(_month(30, airport_fee=["x" * 5_000] * 30), tmp_path)
    assert sentence is not None
    assert "x" * 199 + "…" in sentence
    assert len(sentence) < 700


def test_a_cell_that_is_no_text_is_shown_by_its_bytes(tmp_path: Path) -> None:
    flags = pa.array([b"\xff\xfe"] * 30).view(pa.string())
    sentence = _stops(_month(30, store_and_fwd_flag=flags), tmp_path)
    assert sentence is not None
    assert r"store_and_fwd_flag reads in none of the 30 records that have it, the first with '\xff\xfe'" in sentence


# ---- CSV: what does not fit is kept as text by ingest, which counts it by column


def _row(number: int, **cells: str) -> list[str]:
    day = f"2020-04-02 08:{number // 60 % 60:02}:{number % 60:02}"
    values = ["2", day, day, "N", "1", "10", "40", "1", f"{number}.5", *["1"] * 11]
    return [cells.get(name, value) for name, value in zip(_GREEN.names, values, strict=True)]


def _clean_csv(lines: list[bytes], directory: Path, options: CleaningOptions = _STRICT) -> CleanFacts:
    staged = stage_csv(_GREEN.header() + b"\r\n".join(lines), directory, "green", _APRIL)
    return clean_month(CONTRACTS["green"], staged.raw, staged.file, directory, options).facts


def _csv_stops(lines: list[bytes], directory: Path) -> str | None:
    try:
        _clean_csv(lines, directory)
    except ChangedFormatError as error:
        return str(error)
    return None


@pytest.mark.parametrize("form", ["4/2/2020 8:%M", "04/02/2020 08:%M:00 AM", "02.04.2020 08:%M", "20200402T08%M00"])
def test_a_csv_month_saved_again_by_another_program(form: str, tmp_path: Path) -> None:
    times = [form.replace("%M", f"{n:02}") for n in range(20)]
    lines = [
        _GREEN.record(_row(n, lpep_pickup_datetime=text, lpep_dropoff_datetime=text)) for n, text in enumerate(times)
    ]
    sentence = _csv_stops(lines, tmp_path)
    assert sentence is not None
    assert "green 2020-04" in sentence
    assert f"lpep_pickup_datetime reads in none of the 20 records that have it, the first with '{times[0]}'" in sentence
    assert "nor does lpep_dropoff_datetime;" in sentence
    consented = _clean_csv(lines, tmp_path, CONSENTING)
    assert (consented.trips_rows, consented.reasons["unparseable"]) == (0, 20)


def test_a_column_is_not_blamed_for_the_records_that_another_spoils(tmp_path: Path) -> None:
    lines = [_GREEN.record(_row(n, ehail_fee="n/a" if n < 40 else "", trip_type="one")) for n in range(50)]
    sentence = _csv_stops(lines, tmp_path)
    assert sentence is not None
    assert (
        "trip_type reads in none of the 50 records that have it, the first with 'one', nor does ehail_fee;" in sentence
    )


@pytest.mark.parametrize(("filled", "records", "stops"), [(19, 100, False), (20, 2_000, True), (20, 2_001, False)])
def test_words_in_a_csv_column_that_no_file_must_have(filled: int, records: int, stops: bool, tmp_path: Path) -> None:
    lines = [_GREEN.record(_row(n, ehail_fee="n/a" if n < filled else "")) for n in range(records)]
    sentence = _csv_stops(lines, tmp_path)
    assert (sentence is not None) is stops
    assert not stops or f"ehail_fee reads in none of the {filled} records that have it" in str(sentence)


def _cut(line: bytes) -> bytes:
    return line.rpartition(b",")[0]


def _lengthened(line: bytes) -> bytes:
    return line + b",17"


@pytest.mark.parametrize("change", [_cut, _lengthened])
@pytest.mark.parametrize(("ragged", "records", "stops"), [(99, 1_000, False), (100, 2_000, False), (100, 1_999, True)])
def test_ragged_records_count(
    change: Callable[[bytes], bytes], ragged: int, records: int, stops: bool, tmp_path: Path
) -> None:
    lines = [_GREEN.record(_row(n)) for n in range(records)]
    first = change(lines[-ragged])
    lines[-ragged:] = map(change, lines[-ragged:])
    sentence = _csv_stops(lines, tmp_path)
    assert (sentence is not None) is stops
    assert not stops or "100 of its 1,999 records do not fit their types, 100 by the number of their fields" in str(
        sentence
    )
    assert not stops or f"the first being '{first.decode()}'" in str(sentence)


def test_another_months_csv_file_under_this_ones_name(tmp_path: Path) -> None:
    lines = [_GREEN.record(_row(n)).replace(b"2020-04-02", b"2020-06-02") for n in range(120)]
    sentence = _csv_stops(lines, tmp_path)
    assert sentence is not None
    assert (
        "120 of its 120 records lie outside the month by lpep_pickup_datetime, the first with '2020-06-02" in sentence
    )


# ---- real files


def test_no_real_file_has_a_changed_format(tlc: Path, tmp_path: Path) -> None:
    heads = sorted((tlc / "heads").glob("*.csv"))
    files = sorted(file for file in tlc.glob("*/*/*_tripdata_*") if file.suffix in (".gz", ".parquet"))
    # The full green months are cleaned, without consent, where their counts are compared with those of SQL.
    files = [file for file in files if not file.name.startswith("green")]
    assert (len(heads), len(files)) == (100, 12)
    for head in heads:
        data = head.read_bytes()
        whole = tmp_path / head.name  # the last line of a head is cut
        whole.write_bytes(data[: data.rindex(b"\n") + 1])
        files.append(whole)
    equal_rows = 0
    for file in files:
        month = month_of(file)
        staged = stage(file, tmp_path)
        facts = clean_month(CONTRACTS[month.dataset], staged.raw, staged.file, tmp_path).facts
        # Equal for-hire rows of these years are several trips: a base, a rounded time and mostly no zones.
        assert month.dataset != "fhv" or facts.reasons["exact_duplicate"] == 0
        equal_rows += facts.equal_rows
    assert equal_rows > 0
