"""Whatever types upstream's columns have, the contract's come out; what does not fit is told cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform_tests.cleaning.months import TYPES, YELLOW, Cleaned, clean, table, trip

_ROWS = 3


def _with_column(name: str, values: pa.Array, directory: Path) -> Cleaned:
    """As many trips as there are values, told apart by their tip, with one column replaced."""
    month = table([trip(tip_amount=float(n)) for n in range(len(values))])
    position = month.schema.get_field_index(name)
    return clean(month.set_column(position, pa.field(name, values.type), values), directory)


def _column(cleaned: Cleaned, name: str) -> list[Any]:
    return [row[name] for row in cleaned.trips]


@pytest.mark.parametrize(
    "data_type",
    [
        pa.int8(),
        pa.int16(),
        pa.int32(),
        pa.int64(),
        pa.uint32(),
        pa.float32(),
        pa.float64(),
        pa.string(),
        pa.large_string(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.int8(), pa.int64()),
        pa.decimal128(5, 2),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["VendorID", "passenger_count", "PULocationID"])
def test_whole_numbers_read_the_same_from_every_type(name: str, data_type: pa.DataType, tmp_path: Path) -> None:
    values = _as(pa.array([1, None, 2]), data_type)
    cleaned = _with_column(name, values, tmp_path)
    assert _column(cleaned, YELLOW.columns[_position(name)].name) == [1, None, 2]
    assert cleaned.facts.unknown_codes == {}


def _as(values: pa.Array, data_type: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(data_type):
        return values.cast(data_type.value_type).dictionary_encode().cast(data_type)
    return values.cast(pa.float64()).cast(data_type) if pa.types.is_decimal(data_type) else values.cast(data_type)


def _position(upstream: str) -> int:
    return next(i for i, column in enumerate(YELLOW.columns) if upstream in column.spellings)


@pytest.mark.parametrize("name", ["store_and_fwd_flag", "passenger_count", "airport_fee", "DOLocationID"])
def test_a_null_typed_column_is_null(name: str, tmp_path: Path) -> None:
    cleaned = _with_column(name, pa.nulls(_ROWS), tmp_path)
    assert _column(cleaned, YELLOW.columns[_position(name)].name) == [None] * _ROWS


@pytest.mark.parametrize(
    "values",
    [
        pa.array([datetime(2020, 3, 10, 8)] * 2, pa.timestamp("s")),
        pa.array([datetime(2020, 3, 10, 8)] * 2, pa.timestamp("ms")),
        pa.array([1583827200_000_000_000, 1583827200_000_000_999], pa.timestamp("ns")),
        pa.array([datetime(2020, 3, 10, 8)] * 2, pa.timestamp("us", "UTC")),
        pa.array(["2020-03-10 08:00:00", " 2020-03-10T08:00:00.000 "]),
        pa.array(["2020-03-10 08:00:00"] * 2, pa.large_string()),
        pa.array(["2020-03-10 08:00:00"] * 2).dictionary_encode(),
    ],
    ids=lambda values: str(values.type),
)
def test_timestamps_read_the_same_from_every_type(values: pa.Array, tmp_path: Path) -> None:
    # Nanoseconds need the newest Parquet version, which pyarrow writes by default.
    assert (
        _column(_with_column("tpep_pickup_datetime", values, tmp_path), "pickup_datetime")
        == [datetime(2020, 3, 10, 8)] * 2
    )


@pytest.mark.parametrize(
    ("name", "values", "unfit"),
    [
        ("passenger_count", pa.array([1.0, 1.5, None]), [1]),
        ("passenger_count", pa.array([1.0, float("nan"), float("inf"), float("-inf")]), [2, 3]),
        ("tip_amount", pa.array([1.0, float("nan"), float("inf"), float("-inf")]), [2, 3]),
        ("tip_amount", pa.array([1.0, float("nan"), float("inf")], pa.float32()), [2]),
        ("tip_amount", pa.array(["1.0", "NaN", "-nan", " nan ", "inf", "1e999", "none"]), [4, 5, 6]),
        ("passenger_count", pa.array(["1", "NaN", "-nan", "nan", "inf", "-Infinity", "1e999"]), [4, 5, 6]),
        ("VendorID", pa.array(["CMT", "NaN", "-nan", "inf", "1e999"]), [3, 4]),
        ("PULocationID", pa.array([32_767, 32_768, -32_769]), [1, 2]),
        ("PULocationID", pa.array(["7", "7.0", "seven", "7.5", ""]), [2, 3]),
        ("trip_distance", pa.array(["1.5", " 2 ", ".5", "1,5", None]), [3]),
        ("tpep_dropoff_datetime", pa.array(["2020-03-10 08:00:00", "2020-02-30 08:00:00", "8 am"]), [1, 2]),
        ("VendorID", pa.array(["1", "2.0", "1.5", "99999"]), [2, 3]),
        ("trip_distance", pa.array([[1.0], None, [2.0]]), [0, 2]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_rejects_its_own_row_only(
    name: str, values: pa.Array, unfit: Sequence[int], tmp_path: Path
) -> None:
    cleaned = _with_column(name, values, tmp_path)
    unparseable = [number for number, reasons in cleaned.reasons.items() if "unparseable" in reasons]
    assert unparseable == list(unfit)
    assert cleaned.facts.reasons["unparseable"] == len(unfit)


def test_a_long_column_in_which_one_cell_does_not_fit_loses_only_that_row(tmp_path: Path) -> None:
    counts = [float(number % 7) for number in range(70_001)]
    counts[66_666] = 1.5
    cleaned = _with_column("passenger_count", pa.array(counts), tmp_path)
    assert cleaned.reasons == {66_666: ["unparseable"]}
    assert _column(cleaned, "passenger_count") == [int(n) for number, n in enumerate(counts) if number != 66_666]


def test_unfit_cells_are_quarantined_as_they_came(tmp_path: Path) -> None:
    cleaned = _with_column("passenger_count", pa.array([1.5, float("-inf")]), tmp_path)
    assert [cleaned.raw[n]["passenger_count"] for n in (0, 1)] == [1.5, "-inf"]


def test_what_is_not_a_number_is_a_missing_number(tmp_path: Path) -> None:
    values = pa.array([1.0, float("nan"), None, 2.0])
    for name, canonical in (("passenger_count", "passenger_count"), ("tip_amount", "tip_amount")):
        cleaned = _with_column(name, values, tmp_path)
        assert _column(cleaned, canonical) == [1, None, None, 2]
        assert cleaned.facts.null_counts[canonical] == 2
    assert _column(_with_column("VendorID", pa.array(["1", "NaN", "2"]), tmp_path), "vendor_id") == [1, None, 2]


@pytest.mark.parametrize(
    ("values", "expected", "unknown"),
    [
        (pa.array(["Y", "N", "", None, " "]), ["Y", "N", None, None, None], {}),
        (pa.array(["0", "1", "y", "n"]), ["N", "Y", "Y", "N"], {}),
        (pa.array([0.0, 1.0, None]), ["N", "Y", None], {}),
        (pa.array([0, 1, 1]), ["N", "Y", "Y"], {}),
        (pa.array(["N", "*", "*"]), ["N", "*", "*"], {"*": 2}),
        (pa.array([True, None]), ["true", None], {"true": 1}),
    ],
)
def test_a_coded_text_is_recoded_and_an_unknown_one_kept_and_counted(
    values: pa.Array, expected: list[str | None], unknown: dict[str, int], tmp_path: Path
) -> None:
    cleaned = _with_column("store_and_fwd_flag", values, tmp_path)
    assert _column(cleaned, "store_and_fwd_flag") == expected
    assert cleaned.facts.unknown_codes == ({"store_and_fwd_flag": unknown} if unknown else {})


@pytest.mark.parametrize(
    ("name", "canonical", "values", "expected", "unknown"),
    [
        ("VendorID", "vendor_id", pa.array(["CMT", "VTS", "dds ", ""]), [1, 2, 3, None], {}),
        ("VendorID", "vendor_id", pa.array(["VTS", "XYZ", "2"]), [2, None, 2], {"XYZ": 1}),
        ("VendorID", "vendor_id", pa.array(["VTS", "9.0", "9"]), [2, 9, 9], {"9": 2}),
        ("VendorID", "vendor_id", pa.array([2, 9, 9]), [2, 9, 9], {"9": 2}),
        ("payment_type", "payment_type", pa.array(["CSH", "Credit", "NA ", "No Charge"]), [2, 1, 5, 3], {}),
        ("payment_type", "payment_type", pa.array([1.0, 0.0, 8.0]), [1, 0, 8], {"8": 1}),
        ("RatecodeID", "rate_code_id", pa.array([99.0, 28.0, None]), [99, 28, None], {"28": 1}),
    ],
)
def test_a_coded_number_is_recoded_and_what_no_number_can_stand_for_is_null_and_counted(
    name: str, canonical: str, values: pa.Array, expected: list[int | None], unknown: dict[str, int], tmp_path: Path
) -> None:
    cleaned = _with_column(name, values, tmp_path)
    assert _column(cleaned, canonical) == expected
    assert cleaned.facts.unknown_codes == ({canonical: unknown} if unknown else {})


def test_several_spellings_of_a_column_fill_one_another_in_the_contracts_order(tmp_path: Path) -> None:
    rows = [
        {**trip(tip_amount=float(n)), "VendorID": modern, "vendor_name": old}
        for n, (modern, old) in enumerate([("2", "CMT"), (None, "CMT"), (None, None), ("x", "VTS")])
    ]
    cleaned = clean(table(rows, VendorID=pa.string(), vendor_name=pa.string()), tmp_path)
    assert _column(cleaned, "vendor_id") == [2, 1, None, 2]
    assert cleaned.facts.unknown_codes == {"vendor_id": {"x": 1}}


def test_the_yellow_parquet_of_2009_reads_into_the_contract(tmp_path: Path) -> None:
    row = {
        "vendor_name": "VTS",
        "Trip_Pickup_DateTime": "2009-01-04 02:52:00",
        "Trip_Dropoff_DateTime": "2009-01-04 03:02:00",
        "Passenger_Count": 1,
        "Trip_Distance": 2.63,
        "Start_Lon": -73.991957,
        "Start_Lat": 40.721567,
        "Rate_Code": None,
        "store_and_forward": 0.0,
        "End_Lon": -73.993803,
        "End_Lat": 40.695922,
        "Payment_Type": "CASH",
        "Fare_Amt": 8.9,
        "surcharge": 0.5,
        "mta_tax": None,
        "Tip_Amt": 0.0,
        "Tolls_Amt": 0.0,
        "Total_Amt": 9.4,
    }
    cleaned = clean(pa.Table.from_pylist([row]), tmp_path, YELLOW, date(2009, 1, 1))
    assert cleaned.facts.unknown_columns == ()
    assert cleaned.trips == [
        {
            **dict.fromkeys(YELLOW.trips.column_names),
            "file_month": date(2009, 1, 1),
            "vendor_id": 2,
            "pickup_datetime": datetime(2009, 1, 4, 2, 52),
            "dropoff_datetime": datetime(2009, 1, 4, 3, 2),
            "store_and_fwd_flag": "N",
            "pickup_longitude": -73.991957,
            "pickup_latitude": 40.721567,
            "dropoff_longitude": -73.993803,
            "dropoff_latitude": 40.695922,
            "passenger_count": 1,
            "trip_distance": 2.63,
            "fare_amount": 8.9,
            "extra": 0.5,
            "tip_amount": 0.0,
            "tolls_amount": 0.0,
            "total_amount": 9.4,
            "payment_type": 2,
        }
    ]


@pytest.mark.parametrize("dataset", sorted(CONTRACTS))
def test_a_file_of_nulls_in_every_column_is_quarantined_whole_in_every_dataset(dataset: str, tmp_path: Path) -> None:
    contract = CONTRACTS[dataset]
    names = [column.known_as[0] for column in contract.columns if column.known_as]
    cleaned = clean(pa.table({name: pa.nulls(2) for name in names}), tmp_path, contract, date(2025, 1, 1))
    is_judged = dataset in ("yellow", "green")  # rows of the others that say nothing are no copies of one another
    assert cleaned.reasons == {
        0: ["timestamp_missing"],
        1: ["timestamp_missing", *(["exact_duplicate"] if is_judged else [])],
    }
    assert pq.read_schema(cleaned.staged.trips_file).equals(arrow_schema(contract.trips))


def test_the_types_of_a_raw_file_are_those_tlc_publishes() -> None:
    # The rows of these tests are typed by this table; it has a spelling of a contract column in every place.
    assert all(any(name in column.spellings for column in YELLOW.columns) for name in TYPES)
