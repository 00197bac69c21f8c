"""Times with a zone: New York's wall clock comes out, of Parquet's types and of text; UTC is read both ways."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from taxi_platform.cleaning import clean_month
from taxi_platform.contracts import CONTRACTS
from taxi_platform_tests.cleaning.months import CONSENTING, Cleaned, clean, table, trip
from taxi_platform_tests.ingest.staging import stage_csv
from taxi_platform_tests.support.dialects import generation_of

PICKUP, DROPOFF = "tpep_pickup_datetime", "tpep_dropoff_datetime"
EDGES = [datetime(2020, 3, 1, 0, 30), datetime(2020, 3, 9, 12), datetime(2020, 3, 31, 23, 30)]
"""New York's clocks, which are 4 hours behind from 8 March on and 5 before; two of them are near the month's ends."""


def _utc(local: datetime) -> datetime:
    """The true instant's digits in UTC."""
    return local + timedelta(hours=5 if local < datetime(2020, 3, 8, 2) else 4)


def _labelled(times: Sequence[datetime], zone: str = "UTC", unit: str = "us") -> pa.Array:
    """Digits that are UTC's, or are said to be, in a column that shows another zone."""
    return pa.array(times, pa.timestamp(unit)).cast(pa.timestamp(unit, zone))


def _month(pickups: pa.Array, dropoffs: pa.Array | None = None) -> pa.Table:
    month = table([trip(tip_amount=float(n)) for n in range(len(pickups))])
    later = dropoffs if dropoffs is not None else pickups
    for name, values in ((PICKUP, pickups), (DROPOFF, later)):
        month = month.set_column(month.schema.get_field_index(name), name, values)
    return month


def _pickups(cleaned: Cleaned) -> list[datetime]:
    return [row["pickup_datetime"] for row in cleaned.trips]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["America/New_York", "-05:00", "Europe/Berlin", "Asia/Kolkata", "+05:30"])
def test_a_zone_other_than_utc_is_converted(zone: str, unit: str, tmp_path: Path) -> None:
    cleaned = clean(_month(_labelled([_utc(t) for t in EDGES], zone, unit)), tmp_path)
    assert _pickups(cleaned) == EDGES
    assert cleaned.facts.zones == {PICKUP: f"{zone}, converted", DROPOFF: f"{zone}, converted"}


@pytest.mark.parametrize("zone", ["UTC", "Etc/UTC", "GMT", "Zulu", "+00:00"])
@pytest.mark.parametrize("is_meant", [False, True])
def test_utc_is_what_puts_more_pickups_into_the_month(zone: str, is_meant: bool, tmp_path: Path) -> None:
    digits = [_utc(t) for t in EDGES] if is_meant else EDGES
    cleaned = clean(_month(_labelled(digits, zone)), tmp_path)
    assert _pickups(cleaned) == EDGES
    how = "UTC, converted (pickups inside the month: 2 by its digits, 3 converted)"
    if not is_meant:
        how = "UTC, its digits kept (pickups inside the month: 3 by its digits, 2 converted)"
    assert cleaned.facts.zones == {PICKUP: how, DROPOFF: how}


def test_a_tie_keeps_the_digits(tmp_path: Path) -> None:
    noon = [datetime(2020, 3, 10, 12, n) for n in range(3)]
    assert _pickups(clean(_month(_labelled(noon)), tmp_path)) == noon


@pytest.mark.parametrize(("times", "is_converted"), [(1_000, True), (1_001, False)])
def test_a_difference_below_one_in_a_thousand_keeps_the_digits(times: int, is_converted: bool, tmp_path: Path) -> None:
    digits = [datetime(2020, 4, 1, 1)] + [datetime(2020, 3, 10, 12)] * (times - 1)  # the first is inside if converted
    cleaned = clean(_month(_labelled(digits)), tmp_path)
    assert _pickups(cleaned)[0] == (datetime(2020, 3, 31, 21) if is_converted else digits[0])


def test_where_clocks_are_set_back_an_hour_comes_twice(tmp_path: Path) -> None:
    month, hour = date(2020, 11, 1), timedelta(hours=1)
    first = datetime(2020, 11, 1, 5, 30)  # 01:30 by daylight time, then 01:30 by standard time
    instants = [first, first + hour, first + 2 * hour]
    cleaned = clean(_month(_labelled(instants, "America/New_York")), tmp_path, first_day=month)
    assert _pickups(cleaned) == [datetime(2020, 11, 1, 1, 30)] * 2 + [datetime(2020, 11, 1, 2, 30)]


@pytest.mark.parametrize("naive", [PICKUP, DROPOFF])
def test_a_naive_column_and_one_with_a_zone_go_together(naive: str, tmp_path: Path) -> None:
    tagged = _labelled([_utc(t) for t in EDGES], "America/New_York")
    plain = pa.array(EDGES, pa.timestamp("us"))
    month = _month(plain, tagged) if naive == PICKUP else _month(tagged, plain)
    cleaned = clean(month, tmp_path)
    assert cleaned.reasons == {}
    assert [(row["pickup_datetime"], row["dropoff_datetime"]) for row in cleaned.trips] == [(t, t) for t in EDGES]


def test_where_only_drop_offs_say_utc_they_are_after_their_pickups(tmp_path: Path) -> None:
    later = [t + timedelta(minutes=9) for t in EDGES]
    cleaned = clean(_month(pa.array(EDGES, pa.timestamp("us")), _labelled(later)), tmp_path)
    assert [row["dropoff_datetime"] for row in cleaned.trips] == later
    how = "UTC, its digits kept (drop-offs after their pickup: 3 by its digits, 0 converted)"
    assert cleaned.facts.zones == {DROPOFF: how}


def test_utc_of_another_column_follows_the_pickups(tmp_path: Path) -> None:
    later = [t + timedelta(minutes=9) for t in EDGES]
    tagged = _labelled([_utc(t) for t in EDGES]), _labelled([_utc(t) for t in later])
    assert [row["dropoff_datetime"] for row in clean(_month(*tagged), tmp_path).trips] == later


def test_a_year_no_calendar_has_costs_its_row_alone(tmp_path: Path) -> None:
    instants = pa.array([2**62, 0, None], pa.int64()).view(pa.timestamp("us", "America/New_York"))
    good = _labelled([_utc(t) for t in EDGES], "America/New_York")
    reasons = clean(_month(pa.concat_arrays([good, instants])), tmp_path).reasons
    assert reasons == {3: ["unparseable"], 4: ["pickup_outside_file_month"], 5: ["timestamp_missing"]}


def test_a_rejected_row_shows_its_times_as_they_came(tmp_path: Path) -> None:
    month = _month(_labelled([datetime(2020, 3, 10, 12)], "America/New_York"))
    month = month.set_column(month.schema.get_field_index("total_amount"), "total_amount", pa.array([-1.0]))
    assert clean(month, tmp_path).raw[0][PICKUP] == "2020-03-10T08:00:00-0400"


def test_a_zone_that_this_machine_has_no_clock_for_is_an_instant_all_the_same(tmp_path: Path) -> None:
    month = _month(_labelled([_utc(t) for t in EDGES], "Mars/Olympus_Mons"))
    month = month.set_column(month.schema.get_field_index("total_amount"), "total_amount", pa.array([-1.0, 1.0, 1.0]))
    cleaned = clean(month, tmp_path)
    assert _pickups(cleaned) == EDGES[1:]
    assert cleaned.raw[0][PICKUP] == "2020-03-01T05:30:00Z"


# ---- text


def _written(times: Sequence[datetime], form: str) -> list[str]:
    return [t.strftime(form) for t in times]


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d %H:%M:%S{}", "%Y-%m-%dT%H:%M:%S.250000{}", "%Y-%m-%d %H:%M{}", " %Y-%m-%d %H:%M:%S {}"]
)
@pytest.mark.parametrize("zone", ["Z", "z", "+00:00", "-0000", "+00", "UTC", "GMT"])
@pytest.mark.parametrize("is_meant", [False, True])
def test_text_that_says_utc(form: str, zone: str, is_meant: bool, tmp_path: Path) -> None:
    digits = [_utc(t) for t in EDGES] if is_meant else EDGES
    texts = pa.array([text.format(zone) for text in _written(digits, form)])
    pickups = _pickups(clean(_month(texts), tmp_path))
    assert [t.replace(microsecond=0) for t in pickups] == EDGES


@pytest.mark.parametrize("offset", ["-05:00", "-0500", "-05", "+05:30", "+0100"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary()], ids=str)
def test_text_with_an_offset(offset: str, kind: pa.DataType, tmp_path: Path) -> None:
    shift = datetime.strptime(offset.ljust(5, "0"), "%z").utcoffset()
    assert shift is not None
    texts = pa.array([f"{_utc(t) + shift:%Y-%m-%d %H:%M:%S}{offset}" for t in EDGES]).cast(kind)
    cleaned = clean(_month(texts), tmp_path)
    assert _pickups(cleaned) == EDGES
    assert cleaned.facts.zones[PICKUP] == f"{offset}, converted"


def test_text_with_and_without_zones_in_one_column(tmp_path: Path) -> None:
    texts = [
        "2020-03-10 08:00:00",
        "2020-03-10 08:00:00-04:00",
        "2020-03-10 08:00:00Z",
        "8 am Z",
        "8 am-04:00",
        None,
        "",
    ]
    cleaned = clean(_month(pa.array(texts)), tmp_path)
    eight = datetime(2020, 3, 10, 8)
    assert _pickups(cleaned) == [eight] * 3
    missing = {n: ["timestamp_missing"] for n in (5, 6)}
    assert cleaned.reasons == {3: ["unparseable"], 4: ["unparseable"]} | missing
    assert cleaned.facts.zones[PICKUP].startswith("-04:00, converted; UTC, its digits kept")


def test_text_that_is_no_utf8_beside_zones_is_no_time(tmp_path: Path) -> None:
    texts = pa.array([b"2020-03-10 08:00:00Z", b"\xff\xfe"]).view(pa.string())
    times = pa.array([datetime(2020, 3, 10, 9)] * 2, pa.timestamp("us"))
    assert clean(_month(texts, times), tmp_path).reasons == {1: ["unparseable"]}


# ---- CSV


_GREEN = generation_of("green", date(2020, 3, 1))


def _csv(times: Sequence[str], directory: Path) -> Cleaned:
    rows = [["2", t, t, "N", "1", "10", "40", "1", "1.5", *["1"] * 11] for t in times]
    staged = stage_csv(_GREEN.file(rows), directory)
    return Cleaned(clean_month(CONTRACTS["green"], staged.raw, staged.file, directory, CONSENTING))


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S+00:00"])
@pytest.mark.parametrize("is_meant", [False, True])
def test_csv_that_says_utc(form: str, is_meant: bool, tmp_path: Path) -> None:
    digits = [_utc(t) for t in EDGES] if is_meant else EDGES
    cleaned = _csv(_written(digits, form), tmp_path)
    assert _pickups(cleaned) == EDGES
    assert set(cleaned.facts.zones) == {"lpep_pickup_datetime", "lpep_dropoff_datetime"}


def test_csv_with_offsets_that_begin_after_many_records(tmp_path: Path) -> None:
    start, count = datetime(2020, 3, 10), 30_000  # two blocks of records
    times = [start + timedelta(seconds=n) for n in range(count)]
    texts = [*map(str, times[:-1]), f"{times[-1]}-04:00"]
    cleaned = _csv(texts, tmp_path)
    assert cleaned.facts.quarantined_rows == 0
    assert cleaned.facts.zones["lpep_pickup_datetime"] == "-04:00, converted"
    read = pq.read_table(cleaned.staged.trips_file, columns=["pickup_datetime"]).column(0)
    assert pc.all(pc.equal(read, pa.chunked_array([times], pa.timestamp("us")))).as_py()
