"""Users write DataFrames, Arrow tables and readers of their own as tables of the stores."""

# No postponed annotations here: Dagster reads the types of arguments when it is given the function.
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, cast

import dagster as dg
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from taxi_platform.errors import StoreBusyError, StoreError
from taxi_platform.orchestration.betas import knowingly
from taxi_platform.stores.testing.months import APRIL, MARCH
from taxi_platform_tests.io_managers.conftest import EVERY_STORE, MONTHS, Desk
from taxi_platform_tests.stores.conftest import connected

RANGE = {"dagster/asset_partition_range_start": "2020-03-01", "dagster/asset_partition_range_end": "2020-04-01"}


@knowingly()
def returning(desk: Desk, value: Any, months: bool = False, **arguments: Any) -> dg.AssetsDefinition:
    """An asset ``mine`` that returns that."""

    def mine() -> Any:
        return value

    asset = dg.asset(
        name="mine",
        io_manager_key=desk.io_manager_key,
        partitions_def=MONTHS if months else None,
        backfill_policy=dg.BackfillPolicy.single_run() if months else None,
        **arguments,
    )
    return cast("dg.AssetsDefinition", asset(mine))


@EVERY_STORE
def test_every_type_comes_back_as_it_went_in(desk: Desk) -> None:
    rows = pa.table(
        {
            "Borough": pa.array(["Queens", None, ""]),
            "trips": pa.array([1, None, -3], pa.int64()),
            "small": pa.array([1, None, 3], pa.int16()),
            "share": pa.array([0.1, None, float("inf")]),
            "is_airport": pa.array([True, None, False]),
            "day": pa.array([date(2020, 3, 1), None, date(1999, 12, 31)]),
            "last Seen": pa.array([datetime(2020, 3, 1, 12, 30, 1, 5), None, datetime(2008, 1, 1)], pa.timestamp("us")),
        }
    )
    desk.run(returning(desk, rows))
    got = desk.read("marts.mine")
    widened = {"small": pa.int64()} if desk.store.kind == "bigquery" else {}  # which has one type of integers
    assert {field.name: field.type for field in got.schema} == {f.name: f.type for f in rows.schema} | widened
    assert got.to_pylist() == rows.to_pylist()


def frame() -> Any:
    return pd.DataFrame({"borough": ["Queens", "Bronx"], "revenue": [10.5, 2.0]})


VALUES: list[Callable[[], Any]] = [
    frame,
    lambda: frame().set_index("borough"),
    lambda: frame().astype({"borough": "category"}).loc[[0, 1]],
    lambda: pa.Table.from_pandas(frame()),
    lambda: pa.Table.from_pandas(frame()).to_reader(),
    lambda: pa.RecordBatch.from_pandas(frame()),
    lambda: pl.DataFrame(frame().to_dict("list")),
]


@pytest.mark.parametrize("make", VALUES)
def test_whatever_has_columns_is_a_table(desk: Desk, make: Callable[[], Any]) -> None:
    desk.run(returning(desk, make()))
    assert desk.read("marts.mine").to_pylist() == [
        {"borough": "Queens", "revenue": 10.5},
        {"borough": "Bronx", "revenue": 2.0},
    ]


@EVERY_STORE
def test_a_table_is_replaced_as_a_whole_with_its_columns_and_types(desk: Desk) -> None:
    desk.run(returning(desk, pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})))
    desk.run(returning(desk, pd.DataFrame({"b": [1.5], "c": [True]})))
    assert desk.read("marts.mine").to_pylist() == [{"b": 1.5, "c": True}]
    desk.run(returning(desk, pd.DataFrame({"b": [2.5], "c": [None], "d": ["new"]}).astype({"c": "boolean"})))
    assert desk.read("marts.mine").to_pylist() == [{"b": 2.5, "c": None, "d": "new"}]
    desk.run(returning(desk, pd.DataFrame({"b": [], "c": [], "d": []}).astype({"c": bool, "d": str})))
    assert desk.read("marts.mine").num_rows == 0


@EVERY_STORE
def test_a_month_is_replaced_and_the_others_stay(desk: Desk) -> None:
    desk.run(returning(desk, pd.DataFrame({"n": [1, 2]}), months=True), partition_key="2020-03-01")
    desk.run(returning(desk, pd.DataFrame({"n": [3]}), months=True), partition_key="2020-04-01")
    desk.run(returning(desk, pd.DataFrame({"n": [4]}), months=True), partition_key="2020-03-01")
    rows = desk.read("marts.mine").sort_by("file_month").to_pylist()
    assert rows == [{"file_month": MARCH.first_day, "n": 4}, {"file_month": APRIL.first_day, "n": 3}]
    assert desk.read("marts.mine", [APRIL.first_day]).to_pylist() == rows[1:]


@EVERY_STORE
def test_a_month_may_gain_and_lack_columns_and_keeps_the_types_of_the_table(desk: Desk) -> None:
    desk.run(returning(desk, pd.DataFrame({"n": [1], "was": ["x"]}), months=True), partition_key="2020-03-01")
    gained = pd.DataFrame({"n": [2.0, np.nan], "Is": [True, False]})  # pandas: a missing integer makes them floats
    desk.run(returning(desk, gained, months=True), partition_key="2020-04-01")
    rows = desk.read("marts.mine").sort_by([("file_month", "ascending"), ("n", "ascending")]).to_pylist()
    assert rows == [
        {"file_month": MARCH.first_day, "n": 1, "was": "x", "Is": None},
        {"file_month": APRIL.first_day, "n": 2, "was": None, "Is": True},
        {"file_month": APRIL.first_day, "n": None, "was": None, "Is": False},
    ]
    with pytest.raises(StoreError, match=r"column n is double and cannot become int64"):
        desk.run(returning(desk, pd.DataFrame({"n": [0.5]}), months=True), partition_key="2020-03-01")
    with pytest.raises(StoreError, match=r"two columns N|two columns n"):
        desk.run(returning(desk, pd.DataFrame({"N": [1]}), months=True), partition_key="2020-03-01")
    assert desk.read("marts.mine", [MARCH.first_day]).num_rows == 1


def test_a_range_is_cut_by_the_months_that_the_rows_name(desk: Desk) -> None:
    rows = pd.DataFrame({"n": [1, 2, 3], "file_month": pd.to_datetime(["2020-04-01", "2020-03-01", "2020-04-01"])})
    done = desk.run(returning(desk, rows, months=True), tags=RANGE)
    assert sorted(desk.read("marts.mine", [APRIL.first_day])["n"].to_pylist()) == [1, 3]
    events = {e.partition: e.step_materialization_data.materialization for e in done.get_asset_materialization_events()}
    counts = {key: event.metadata["dagster/partition_row_count"].value for key, event in events.items()}
    assert counts == {"2020-03-01": 1, "2020-04-01": 2}
    assert events["2020-03-01"].metadata["dagster/table_name"].value == "marts.mine"
    # A month of the range without rows is one without rows, not one that was forgotten.
    desk.run(returning(desk, rows[rows.n == 2], months=True), tags=RANGE)
    assert desk.read("marts.mine")["n"].to_pylist() == [2]


def test_rows_that_belong_to_no_month_of_the_run_are_refused_before_anything_is_stored(desk: Desk) -> None:
    desk.run(returning(desk, pd.DataFrame({"n": [1]}), months=True), partition_key="2020-03-01")
    other = pd.DataFrame({"n": [2, 3], "file_month": [date(2020, 3, 1), date(2020, 5, 1)]})
    with pytest.raises(StoreError, match=r"have the file_month 2020-05-01, but the run stores 2020-03"):
        desk.run(returning(desk, other, months=True), partition_key="2020-03-01")
    with pytest.raises(StoreError, match=r"are of 2 months: return a column file_month"):
        desk.run(returning(desk, pd.DataFrame({"n": [1]}), months=True), tags=RANGE)
    nobody = pd.DataFrame({"n": [2, 3], "file_month": [date(2020, 3, 1), None]})
    with pytest.raises(StoreError, match=r"column file_month has rows without a value"):
        desk.run(returning(desk, nobody, months=True), partition_key="2020-03-01")
    assert desk.read("marts.mine")["n"].to_pylist() == [1]


REFUSED: Sequence[tuple[Any, str]] = [
    ({"a": 1}, r"cannot be made of a dict: return a pandas DataFrame"),
    (pd.DataFrame({"a": ["x", 1]}), r"rows for marts\.mine cannot be taken as columns of one type each"),
    (pd.DataFrame({"a": [None]}), r"column a of marts\.mine is null, .*give it a type"),
    (pd.DataFrame({"a": pd.to_datetime(["2020-01-01"], utc=True)}), r"is timestamp\[ns, tz=UTC\], .*without the zone"),
    (pd.DataFrame([[1, 2]], columns=["a", "A"]), r"cannot have two columns a"),
    (pd.DataFrame({"": [1]}), r"cannot have a column ''"),
    (pd.DataFrame({"é" * 32: [1]}), r"a name has 1 to 63 bytes"),
    (pd.DataFrame(), r"without columns"),
    (pa.table({"a": [{"b": 1}]}), r"is struct<b: int64>, which not every store keeps: cast it to text"),
    (pa.table({"a": [["b"]]}), r"is list<.*>, which not every store keeps: cast it to text"),
    (pa.table({"a": pa.array([2**63], pa.uint64())}), r"column a is uint64 and cannot become int64"),
]


@pytest.mark.parametrize(("value", "sentence"), REFUSED)
def test_what_no_store_could_keep_is_refused_in_words(desk: Desk, value: Any, sentence: str) -> None:
    desk.run(returning(desk, pd.DataFrame({"n": [1]})))
    with pytest.raises(StoreError, match=sentence):
        desk.run(returning(desk, value))
    assert desk.read("marts.mine").to_pylist() == [{"n": 1}]


def test_rows_that_stop_half_way_leave_the_table_as_it_was(desk: Desk) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"n": [2]})
        raise OSError("the source is gone")

    desk.run(returning(desk, pd.DataFrame({"n": [1]})))
    broken = pa.RecordBatchReader.from_batches(pa.schema({"n": pa.int64()}), batches())
    with pytest.raises(OSError, match="the source is gone"):
        desk.run(returning(desk, broken))
    assert desk.read("marts.mine").to_pylist() == [{"n": 1}]


def test_the_name_is_by_metadata_or_by_the_key_and_never_the_platforms_own(desk: Desk) -> None:
    rows = pd.DataFrame({"n": [1]})
    desk.run(returning(desk, rows, metadata={"dagster/table_name": "Reports.Daily"}))
    desk.run(returning(desk, rows, key_prefix=["some", "where"]))
    assert desk.read("Reports.Daily").num_rows == desk.read("where.mine").num_rows == 1
    for name, sentence in {
        "taxi.green_trips": r"the schema taxi is the platform's own",
        "daily": r"the schema taxi is the platform's own",
        "a.b; DROP": r"cannot be a table's name",
    }.items():
        with pytest.raises(StoreError, match=sentence):
            desk.run(returning(desk, rows, metadata={"dagster/table_name": name}))


def test_other_partitions_than_months_are_refused(desk: Desk) -> None:
    @dg.asset(io_manager_key=desk.io_manager_key, partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
    def mine() -> Any:
        return pd.DataFrame({"n": [1]})

    with pytest.raises(StoreError, match=r"mine is not partitioned by month"):
        desk.run(mine, partition_key="a")


@EVERY_STORE
@pytest.mark.usefixtures("months_loaded")
def test_a_table_streams_from_the_store_it_goes_to_and_is_read_by_the_next_asset(desk: Desk) -> None:
    @dg.asset(
        ins={"trips": dg.AssetIn(desk.trips_key, metadata={"columns": ["total_amount", "pickup_datetime"]})},
        partitions_def=MONTHS,
        io_manager_key=desk.io_manager_key,
    )
    def fares(trips: pa.RecordBatchReader) -> pa.RecordBatchReader:
        return trips

    seen: list[pd.DataFrame] = []

    @dg.asset(ins={"fares": dg.AssetIn(metadata={"columns": ["total_amount", "file_month"]})}, partitions_def=MONTHS)
    def after(fares: pd.DataFrame) -> None:
        seen.append(fares)

    for month in (MARCH, APRIL):
        desk.run(fares, after, partition_key=month.partition_key)
    assert [list(got.total_amount) for got in seen] == [[0, 1, 2, 3], [0, 1, 2, 3, 4]]
    assert set(seen[0].file_month) == {MARCH.first_day}
    assert desk.read("marts.fares").num_rows == 9


@EVERY_STORE
def test_descriptions_go_along_with_columns(desk: Desk) -> None:
    described = pa.field("n", pa.int64(), metadata={"description": "How many."})
    desk.run(returning(desk, pa.table([pa.array([1])], pa.schema([described]))))
    assert desk.read("marts.mine").schema.field("n").metadata == {b"description": b"How many."}


@pytest.mark.parametrize("desk", ["postgres"], indirect=True)
def test_who_reads_in_postgresql_is_not_kept_waiting_and_keeps_nobody_waiting(desk: Desk, postgres_server: str) -> None:
    desk.run(returning(desk, pd.DataFrame({"n": [1]}), months=True), partition_key="2020-03-01")
    with connected(postgres_server) as reader:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        count = "SELECT sum(n) FROM marts.mine"
        assert reader.execute(count).fetchone() == (1,)
        desk.run(returning(desk, pd.DataFrame({"n": [2]}), months=True), partition_key="2020-03-01")
        assert reader.execute(count).fetchone() == (1,)
        # Another column needs the table for a moment: who reads has it, and the rows of before stay.
        with pytest.raises(StoreBusyError, match=r"marts\.mine"):
            desk.run(returning(desk, pd.DataFrame({"n": [3], "new": [1]}), months=True), partition_key="2020-03-01")
        reader.execute("COMMIT")
        assert reader.execute(count).fetchone() == (2,)
