"""Files of random cells, each with what the contract makes of it: said beside the cell, never computed from it.

Belongs here: drawing cells, the types that carry them, and files. Does not: cleaning, loading and comparing. Nothing of
the package's own reading is used.

Times of a trip are right and its own, so that rows can be told apart by their pickup and no rule but ``unparseable``
has a say. The first row of a file is right in every cell, so that no column of it parses nowhere.
"""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["MONTHS", "GeneratedFile", "write_file"]

MONTHS = {"green": datetime(2020, 3, 1), "fhvhv": datetime(2020, 3, 1)}
_NAN, _INF = float("nan"), float("inf")
_BIG, _TINY = 1.7976931348623157e308, 5e-324


class _Unfit:
    """In place of a value: the row is unparseable."""


UNFIT = _Unfit()
Cell = tuple[Any, Any]
"""As a file carries it, and what comes of it."""


@dataclass(frozen=True)
class _Carrier:
    """A type of Parquet that carries such cells."""

    kind: pa.DataType
    cells: Sequence[Cell]
    """The first is right, and not null."""
    view: pa.DataType | None = None
    """What the cells are declared as in the end, whatever their bytes."""

    def array(self, values: Sequence[Any]) -> pa.Array:
        plain = pa.array(values, self.kind)
        return plain if self.view is None else _declared(plain, self.view)


@dataclass(frozen=True)
class GeneratedFile:
    """A file, and the trips that come of it."""

    dataset: str
    file: Path
    rows: int
    trips: dict[datetime, dict[str, Any]]
    """Pickup → canonical column → value, of the rows that fit; columns that the file lacks are left out."""


def _declared(plain: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return plain.view(kind.value_type).dictionary_encode()
    return plain.view(kind)


# ---- what Parquet carries


def _whole(low: int, high: int, bits: int) -> list[_Carrier]:
    """Whole numbers; those from ``low`` to ``high`` break no rule, and ``bits`` bits hold them."""
    usual: list[Cell] = [(low + 1, low + 1), (None, None), (low, low), (high, high)]
    beyond = 2 ** (bits - 1)
    small = [(high, high), (float(low), low), (None, None)]
    broken: list[Cell] = [(_NAN, None), (7.5, UNFIT), (_INF, UNFIT), (-_INF, UNFIT)]
    words: list[Cell] = [
        (b"7", 7),
        (b"7.0", 7),
        (b" 7 ", 7),
        (b"", None),
        (b" ", None),
        (b"NaN", None),
        (b"-nan", None),
    ]
    no_words: list[Cell] = [(text, UNFIT) for text in (b"x", b"7.5", b"inf", b"1e999", b"7\0", b"\xff", b"7,0")]
    zero: list[Cell] = [(-0.0, 0)] if low <= 0 else []
    carriers = [
        _Carrier(pa.int64(), usual if bits == 64 else [*usual, (beyond, UNFIT), (-beyond - 1, UNFIT)]),
        _Carrier(pa.uint64(), [(high, high), (None, None), (2**64 - 1, UNFIT), (2**63, UNFIT)]),
        _Carrier(pa.float64(), [*small, *broken, (1e300, UNFIT), *zero]),
        _Carrier(pa.float32(), [(6.0, 6), (None, None), *broken]),
        _Carrier(pa.decimal128(20, 1), [(Decimal(low), low), (None, None), (Decimal("7.5"), UNFIT)]),
        _Carrier(pa.decimal256(60, 0), [(Decimal(low), low), (Decimal(10**50), UNFIT)]),
    ]
    return carriers + _texts([*words, *no_words])


def _doubles() -> list[_Carrier]:
    right: list[Cell] = [(v, v) for v in (1.5, 0.0, -0.0, 0.1 + 0.2, _BIG, -_BIG, _TINY, -1e-300, 2.0**53 + 2)]
    missing: list[Cell] = [(None, None), (_NAN, None)]
    words: list[Cell] = [(repr(value).encode(), value) for value, _ in right]
    words += [(b"", None), (b"nan", None), (b"NaN", None), (b" 1.5 ", 1.5), (b".5", 0.5), (b"+1", 1.0)]
    words += [(text, UNFIT) for text in (b"inf", b"-Infinity", b"1e999", b"1,5", b"$1", b"\xe9", b"1\0")]
    quarters: list[Cell] = [(v, v) for v in (1.5, 0.25, -0.25)]
    return [
        _Carrier(pa.float64(), [*right, *missing, (_INF, UNFIT), (-_INF, UNFIT)]),
        _Carrier(pa.float32(), [*quarters, *missing, (_INF, UNFIT)]),
        _Carrier(pa.int64(), [(3, 3.0), (None, None), (-(2**53), -(2.0**53))]),
        _Carrier(pa.decimal128(12, 2), [(Decimal("1.25"), 1.25), (Decimal(-7), -7.0), (None, None)]),
        *_texts(words),
    ]


def _amounts() -> list[_Carrier]:
    """Doubles that are not negative and of no distance beyond bounds."""
    right: list[Cell] = [(v, v) for v in (1.5, 0.0, -0.0, 0.1 + 0.2, 999.999, _TINY)]
    return [
        _Carrier(pa.float64(), [*right, (None, None), (_NAN, None), (_INF, UNFIT), (-_INF, UNFIT)]),
        *_texts([*[(repr(value).encode(), value) for value, _ in right], (b"nan", None), (b"-inf", UNFIT)]),
    ]


def _instants() -> list[_Carrier]:
    first, last = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)
    low, high = (pa.scalar(value, pa.timestamp("us")).cast(pa.int64()).as_py() for value in (first, last))
    right: list[Cell] = [(1_500_000, datetime(1970, 1, 1, 0, 0, 1, 500_000)), (None, None), (low, first), (high, last)]
    beyond: list[Cell] = [(low - 1, UNFIT), (high + 1, UNFIT), (2**63 - 1, UNFIT), (-(2**63), UNFIT)]
    millis: list[Cell] = [(1_500, datetime(1970, 1, 1, 0, 0, 1, 500_000)), (None, None), (2**62, UNFIT)]
    nanos: list[Cell] = [(1_500, datetime(1970, 1, 1, 0, 0, 0, 1)), (None, None)]
    words: list[Cell] = [
        (b"2020-03-10 08:00:00", datetime(2020, 3, 10, 8)),
        (b"", None),
        (b"0001-01-01 00:00:00", first),
    ]
    words += [(text, UNFIT) for text in (b"0000-12-31 23:59:59", b"3/10/2020", b"NaN", b"2020-02-30 00:00:00", b"\xff")]
    return [
        _Carrier(pa.int64(), [*right, *beyond], pa.timestamp("us")),
        _Carrier(pa.int64(), millis, pa.timestamp("ms")),
        _Carrier(pa.int64(), nanos, pa.timestamp("ns")),
        *_texts(words),
    ]


def _strings(codes: Sequence[Cell] = ()) -> list[_Carrier]:
    """Text; ``codes`` say what becomes of some."""
    kept = ["B1", "é", "€uro", "\U0001f695", "a,b", 'say "hi"', "\\N", "\\.", "NULL", "nan", "null", "\\x00", "\u202ex"]
    kept += ["a\nb", "a\r\nb", "\ttab", "\x01", "\x7f", "a\x1fb", "\ufffe", "\U0010ffff", " lead", "é" * 1024, "{}"]
    cells: list[Cell] = [(text.encode(), text) for text in kept]
    cells += [(b"B1  ", "B1"), (b"a\t ", "a\t"), (b"", None), (None, None)]
    cells += [
        (text, UNFIT) for text in (b"\xff", b"a\0", b"\0", b"\xed\xa0\x80", b"x" * 2049, b"\xc3", b"\xf4\x90\x80\x80")
    ]
    return _texts([*codes, *cells])


def _texts(cells: Sequence[Cell]) -> list[_Carrier]:
    """Whatever can be declared as text; the last can not."""
    return [
        _Carrier(pa.binary(), cells, pa.string()),
        _Carrier(pa.large_binary(), cells, pa.large_string()),
        _Carrier(pa.binary(), cells, pa.dictionary(pa.int32(), pa.string())),
        _Carrier(pa.binary_view(), cells, pa.string_view()),
        _Carrier(pa.binary(), cells),
    ]


_FLAG: list[Cell] = [(b"Y", "Y"), (b"N ", "N"), (b"1", "Y"), (b"0.0", "N"), (b"n", "N"), (b"*", "*"), (b"\t", None)]
_LICENCE: list[Cell] = [(b"HV0003", "HV0003"), (b"HV0005  ", "HV0005"), (b"HV9999", "HV9999")]
_RIDE: list[Cell] = [(b"Y", "Y"), (b" ", " "), (b"N  ", "N")]

_COLUMNS: dict[str, dict[str, tuple[str, Callable[[], list[_Carrier]]]]] = {
    "green": {
        "VendorID": ("vendor_id", lambda: _whole(0, 6, 16)),
        "store_and_fwd_flag": ("store_and_fwd_flag", lambda: _strings(_FLAG)),
        "RatecodeID": ("rate_code_id", lambda: _whole(-5, 99, 16)),
        "PULocationID": ("pickup_location_id", lambda: _whole(1, 265, 16)),
        "DOLocationID": ("dropoff_location_id", lambda: _whole(1, 265, 16)),
        "passenger_count": ("passenger_count", lambda: _whole(0, 32_767, 16)),
        "trip_distance": ("trip_distance", _amounts),
        "fare_amount": ("fare_amount", _doubles),
        "extra": ("extra", _doubles),
        "mta_tax": ("mta_tax", _doubles),
        "tip_amount": ("tip_amount", _doubles),
        "tolls_amount": ("tolls_amount", _doubles),
        "improvement_surcharge": ("improvement_surcharge", _doubles),
        "total_amount": ("total_amount", _amounts),
        "payment_type": ("payment_type", lambda: _whole(-9, 6, 16)),
        "trip_type": ("trip_type", lambda: _whole(0, 9, 16)),
        "congestion_surcharge": ("congestion_surcharge", _doubles),
        "request_source": ("request_source", _strings),
    },
    "fhvhv": {
        "hvfhs_license_num": ("hvfhs_license_num", lambda: _strings(_LICENCE)),
        "dispatching_base_num": ("dispatching_base_num", _strings),
        "originating_base_num": ("originating_base_num", _strings),
        "request_datetime": ("request_datetime", _instants),
        "on_scene_datetime": ("on_scene_datetime", _instants),
        "PULocationID": ("pickup_location_id", lambda: _whole(1, 265, 16)),
        "DOLocationID": ("dropoff_location_id", lambda: _whole(1, 265, 16)),
        "trip_miles": ("trip_miles", _amounts),
        "trip_time": ("trip_time", lambda: _whole(-(2**53) + 1, 2**53 - 1, 64)),
        "base_passenger_fare": ("base_passenger_fare", _doubles),
        "tolls": ("tolls", _doubles),
        "driver_pay": ("driver_pay", _doubles),
        "access_a_ride_flag": ("access_a_ride_flag", lambda: _strings(_RIDE)),
        "wav_match_flag": ("wav_match_flag", _strings),
    },
}
_TIMES = {
    "green": ("lpep_pickup_datetime", "lpep_dropoff_datetime"),
    "fhvhv": ("pickup_datetime", "dropoff_datetime"),
}
_OTHERS: tuple[str, ...] = ("bcf", "sales_tax", "congestion_surcharge", "airport_fee", "tips", "shared_request_flag")
_OTHERS += ("shared_match_flag", "wav_request_flag")
"""What an fhvhv file must have beside them."""

# ---- what CSV carries

_CSV_WHOLE: list[Cell] = [("7", 7), ("7.0", 7), (" 7 ", 7), ("", None), ("nan", None), ("-NaN", None), ("1e0", 1)]
_CSV_WHOLE += [(text, UNFIT) for text in ("x", "7.5", "inf", "99999", "-1e999", "9" * 30, "n/a", "1_0")]
_CSV_DOUBLE: list[Cell] = [(repr(v), v) for v in (1.5, 0.0, -0.0, 0.1 + 0.2, _TINY, 345.678)]
_CSV_DOUBLE += [("", None), ("NaN", None), ("+nan", None), (".50", 0.5), ("5.", 5.0)]
_CSV_DOUBLE += [(text, UNFIT) for text in ("inf", "-Infinity", "1e999", "$1", "n/a")]
_CSV_TEXT: list[Cell] = [
    (t, t) for t in ("B1", "é", "€", "\\N", "\\.", "NULL", "nan", "\\x00", " lead", "'", "x" * 2048)
]
_CSV_TEXT += [("B1  ", "B1"), ("", None), ('"a,b"', "a,b"), ('"say ""hi"""', 'say "hi"')]
_CSV_TEXT += [("\ue000", UNFIT), ("a\0b", UNFIT), ("x" * 2049, UNFIT)]
_UNDEFINED = "\ue000"
"""Stands for byte 81, which is a letter in neither encoding."""


def write_file(number: int, folder: Path) -> GeneratedFile:
    """The file of that number, always the same."""
    draw = random.Random(number)
    dataset = ("green", "fhvhv")[number % 2]
    rows = draw.randint(2, 30)
    start = MONTHS[dataset] + timedelta(minutes=40 * number)
    pickups = [start + timedelta(seconds=n) for n in range(rows)]
    make = _write_csv if dataset == "green" and draw.random() < 0.5 else _write_parquet
    return make(dataset, draw, pickups, folder)


def _drawn(draw: random.Random, cells: Sequence[Cell], rows: int) -> list[Cell]:
    """Mostly cells that fit: a row has many, and most rows should be trips."""
    fitting = [cell for cell in cells if cell[1] is not UNFIT]
    return [cells[0], *(draw.choice(cells if draw.random() < 0.08 else fitting) for _ in range(rows - 1))]


def _trips(pickups: Sequence[datetime], columns: dict[str, list[Any]]) -> dict[datetime, dict[str, Any]]:
    rows = {pickup: {name: values[n] for name, values in columns.items()} for n, pickup in enumerate(pickups)}
    return {pickup: row for pickup, row in rows.items() if UNFIT not in row.values()}


def _write_parquet(dataset: str, draw: random.Random, pickups: list[datetime], folder: Path) -> GeneratedFile:
    arrays: dict[str, pa.Array] = dict.fromkeys(
        _TIMES[dataset], pa.array(pickups, pa.timestamp(draw.choice(["ms", "us"])))
    )
    expected: dict[str, list[Any]] = {}
    for name, (canonical, carriers) in _COLUMNS[dataset].items():
        carrier = draw.choice(carriers())
        cells = _drawn(draw, carrier.cells, len(pickups))
        arrays[name] = carrier.array([cell for cell, _ in cells])
        expected[canonical] = [value for _, value in cells]
    if dataset == "fhvhv":
        arrays |= {name: pa.nulls(len(pickups)) for name in _OTHERS}
    file = folder / f"{dataset}_tripdata_2020-03.parquet"
    pq.write_table(
        pa.table(arrays),
        file,
        use_dictionary=draw.random() < 0.5,
        row_group_size=draw.choice([3, 1000]),
        compression=draw.choice(["snappy", "zstd", "gzip", "none"]),
        data_page_version=draw.choice(["1.0", "2.0"]),
    )
    return GeneratedFile(dataset, file, len(pickups), _trips(pickups, expected))


def _write_csv(dataset: str, draw: random.Random, pickups: list[datetime], folder: Path) -> GeneratedFile:
    columns: dict[str, list[Cell]] = {}
    for name, (canonical, carriers) in _COLUMNS[dataset].items():
        of = carriers()
        cells = _CSV_TEXT if len(of) == len(_texts([])) else _CSV_WHOLE if of[0].kind == pa.int64() else _CSV_DOUBLE
        if canonical == "store_and_fwd_flag":
            cells = [(cell.decode(), value) for cell, value in _FLAG]
        columns[name] = _drawn(draw, cells, len(pickups))
    lines = [",".join([*_TIMES[dataset], *columns])]
    for n, pickup in enumerate(pickups):
        lines.append(",".join([str(pickup), str(pickup), *(cells[n][0] for cells in columns.values())]))
    older = draw.random() < 0.5
    content = io.BytesIO()
    for line in lines:
        encoding = "cp1252" if older and draw.random() < 0.5 else "utf-8"
        content.write(b"\x81".join(part.encode(encoding) for part in line.split(_UNDEFINED)) + b"\n")
    file = folder / f"{dataset}_tripdata_2020-03.csv.gz"
    file.write_bytes(gzip.compress(content.getvalue(), 1))
    names = {name: canonical for name, (canonical, _) in _COLUMNS[dataset].items()}
    expected = {names[name]: [value for _, value in cells] for name, cells in columns.items()}
    return GeneratedFile(dataset, file, len(pickups), _trips(pickups, expected))
